//! How long a message takes over a link and back, and how many bytes a second go through: plain and encrypted, beside a bare
//! TCP connection. `cargo run --release -p partita-net --example link_latency`.
//!
//! It refuses to judge: it prints medians and rates of one run, to be compared within that run, and processor time, which other
//! programs on the machine change less.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use partita_graph::Failure;
use partita_net::address::{Address, Scheme};
use partita_net::link::{Admit, Limits, Link, LinkEvent, Listener, connect};
use partita_net::message::{Hello, PROTOCOL, PeerInfo, VERSION, Welcome};
use partita_net::security::{Role, Security, ServerSecurity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;

/// Sends every small message back; counts large ones and says so when it has them all.
struct Echo;

const LARGE: usize = 1024;
const TOTAL: u64 = 1 << 30;

impl Admit for Echo {
    fn admit(&self, _hello: &Hello, _role: Role, _remote: SocketAddr) -> Result<Welcome, Failure> {
        Ok(Welcome { protocol: PROTOCOL, version: VERSION.into(), epoch: 1, id: 1, received: 0, cluster: String::new() })
    }

    fn connected(&self, _welcome: &Welcome, _hello: Hello, link: Link, mut events: UnboundedReceiver<LinkEvent>) {
        tokio::spawn(async move {
            let mut total = 0;
            while let Some(event) = events.recv().await {
                let LinkEvent::Message(message) = event else { continue };
                if message.len() < LARGE {
                    link.send(message);
                    continue;
                }
                total += message.len() as u64;
                if total >= TOTAL {
                    total = 0;
                    link.send(Bytes::from_static(b"all"));
                }
            }
        });
    }
}

/// Seconds of processor time that this process has used, both sides of all links.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn rate(start: Instant, used: f64) -> String {
    let (gigabytes, used) = (TOTAL as f64 / 1e9, processor() - used);
    format!("{:7.0} MB/s, {:5.2} s of processor time for a GB", gigabytes * 1e3 / start.elapsed().as_secs_f64(), used / gigabytes)
}

fn runtime(threads: usize) -> Runtime {
    let mut builder = if threads == 0 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if threads > 0 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build().expect("a runtime")
}

/// Runs the other side on a thread with a runtime of its own, as another process would.
fn serve(threads: usize, security: ServerSecurity) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        runtime(threads).block_on(async {
            let listener = Listener::bind("127.0.0.1", 0, security, Limits::default(), Some(Arc::new(Echo)), None).await.expect("a port");
            tell.send(listener.address()).expect("somebody waits");
            std::future::pending::<()>().await;
        })
    });
    told.recv().expect("an address")
}

fn median(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1e6;
    format!("median {:6.1} us, 90 % {:6.1}, 99 % {:6.1}", at(50), at(90), at(99))
}

async fn next(events: &mut UnboundedReceiver<LinkEvent>) -> Bytes {
    loop {
        match events.recv().await {
            Some(LinkEvent::Message(message)) => return message,
            Some(LinkEvent::Lost(_) | LinkEvent::Back) => {}
            other => panic!("the link ended: {other:?}"),
        }
    }
}

async fn measure(name: &str, at: SocketAddr, security: Security) {
    let scheme = if matches!(security, Security::Tls(_)) { Scheme::Tls } else { Scheme::Plain };
    let address = Address::new(scheme, at.ip().to_string(), at.port());
    let hello = Hello::new(PeerInfo::Client { name: "latency".into() });
    let (link, mut events, _) = connect(&address, &security, hello).await.expect("a link");
    let message = Bytes::from(vec![7; 100]);
    let mut times = Vec::new();
    for _ in 0..20_000 {
        let start = Instant::now();
        link.send(message.clone());
        next(&mut events).await;
        times.push(start.elapsed());
    }
    println!("{name}: echo of 100 bytes: {}", median(times.split_off(2_000)));
    for size in [LARGE, 64 << 10, 4 << 20] {
        let large = Bytes::from(vec![7; size]);
        let (start, used) = (Instant::now(), processor());
        let mut sent = 0;
        while sent < TOTAL {
            link.send(large.clone());
            sent += size as u64;
            if link.pending_bytes() > 64 << 20 {
                while link.pending_bytes() > 32 << 20 {
                    tokio::time::sleep(Duration::from_micros(200)).await;
                }
            }
        }
        assert_eq!(&next(&mut events).await[..], b"all");
        println!("{name}: messages of {size:>8} bytes: {}", rate(start, used));
    }
    link.close("done");
    link.drained().await;
}

async fn bare(threads: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        runtime(0).block_on(async move {
            let listener = TcpListener::from_std(listener.into_std().expect("a socket")).expect("a socket");
            let (mut stream, _) = listener.accept().await.expect("a caller");
            stream.set_nodelay(true).expect("a socket");
            let mut buffer = [0; 100];
            while stream.read_exact(&mut buffer).await.is_ok() {
                stream.write_all(&buffer).await.expect("a caller");
            }
        })
    });
    let mut stream = TcpStream::connect(at).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let (mut times, mut buffer) = (Vec::new(), [0; 100]);
    for _ in 0..20_000 {
        let start = Instant::now();
        stream.write_all(&buffer).await.expect("a peer");
        stream.read_exact(&mut buffer).await.expect("a peer");
        times.push(start.elapsed());
    }
    println!("bare TCP, {threads}: echo of 100 bytes: {}", median(times.split_off(2_000)));
}

async fn bare_bulk(threads: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        runtime(0).block_on(async move {
            let listener = TcpListener::from_std(listener.into_std().expect("a socket")).expect("a socket");
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let mut buffer = vec![0; 1 << 20];
            let mut left = TOTAL;
            while left > 0 {
                left -= stream.read(&mut buffer).await.expect("a caller") as u64;
            }
            stream.write_all(b"all").await.expect("a caller");
        })
    });
    let mut stream = TcpStream::connect(at).await.expect("a connection");
    let large = vec![7; 1 << 20];
    let (start, used) = (Instant::now(), processor());
    for _ in 0..TOTAL >> 20 {
        stream.write_all(&large).await.expect("a peer");
    }
    stream.read_exact(&mut [0; 3]).await.expect("a peer");
    println!("bare TCP, {threads}: {}", rate(start, used));
}

fn main() {
    for (name, threads) in [("one thread a side", 0), ("runtime of two threads a side", 2)] {
        runtime(threads).block_on(async move { tokio::spawn(bare(name)).await.expect("no panic") });
        runtime(threads).block_on(async move { tokio::spawn(bare_bulk(name)).await.expect("no panic") });
        let plain = ServerSecurity::plain(None);
        let encrypted = ServerSecurity::new_cluster(None).expect("a cluster");
        for (kind, server) in [("plain", plain), ("TLS", encrypted)] {
            let at = serve(threads, server.clone());
            let security = server.issue(Role::Client).expect("a certificate");
            let name = format!("{kind}, {name}");
            runtime(threads)
                .block_on(async move { tokio::spawn(async move { measure(&name, at, security).await }).await.expect("no panic") });
        }
    }
}
