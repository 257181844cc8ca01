//! Worker to worker over loopback: 1 GiB in chunks of 64 MiB, and as one chunk, against a raw TCP copy in the same run.
//!
//! `cargo bench -p partita-net --bench transfer`; with `-- --test` a small amount once. Each way is measured in turn, round by
//! round, and the median of the rounds is compared, so that a disturbance of the machine meets all of them. The raw copy is
//! the harshest there is: one thread writes one buffer again and again, another reads into one buffer of 1 MiB and looks at
//! nothing; all other ways end with the chunks in memory of their own, aligned and decoded.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use partita_core::protocol::Piece;
use partita_graph::{Buffer, Chunk, Encoded, Failure, Key, LayerId, Registry, Value};
use partita_local::Packed;
use partita_net::flight::{FetchError, Peers, Ports, Refusal, Shelf};
use partita_net::message::PeerAddress;
use partita_net::security::{Role, ServerSecurity};

/// A value whose bytes are used where they lie, as those of frames and array blocks.
struct Block(Buffer);

impl Value for Block {
    fn kind(&self) -> &'static str {
        "block"
    }

    fn nbytes(&self) -> u64 {
        (*self.0).as_ref().len() as u64
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        Ok(Encoded { header: vec![1; 200], buffers: vec![self.0.clone()] })
    }
}

fn decode(mut encoded: Encoded) -> Result<Chunk, Failure> {
    let buffer = encoded.buffers.pop().ok_or_else(|| Failure::internal("a block without a buffer"))?;
    assert_eq!((*buffer).as_ref().as_ptr().align_offset(64), 0, "a block is used where it lies");
    Ok(Chunk::new(Block(buffer)))
}

struct Blocks(Chunk);

impl Shelf for Blocks {
    fn pack(&self, _piece: Piece) -> Result<Packed, Refusal> {
        Packed::of(&self.0).map_err(Refusal::Failed)
    }

    fn nbytes(&self, _piece: Piece) -> u64 {
        self.0.nbytes()
    }

    fn list(&self, _limit: usize) -> Vec<(Key, u64)> {
        Vec::new()
    }
}

/// One way to move so many chunks.
struct Way {
    name: &'static str,
    run: Box<dyn Fn(usize)>,
    seconds: Vec<f64>,
}

fn main() {
    let test = std::env::args().any(|arg| arg == "--test");
    let (size, chunks, rounds) = if test { (1 << 20, 4, 1) } else { (64 << 20, 16, 7) };
    let block: Buffer = Arc::new((0..size).map(|at: usize| (at >> 3) as u8).collect::<Vec<u8>>());
    let runtime = Arc::new(tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime"));
    let plain = ServerSecurity::plain_with_secret();
    let tls = ServerSecurity::new_cluster(None).expect("a cluster");
    let mut ways = vec![
        Way { name: "raw TCP copy", run: raw(block.clone(), false), seconds: Vec::new() },
        Way { name: "raw TCP copy into memory of its own", run: raw(block.clone(), true), seconds: Vec::new() },
        Way { name: "chunks, plain", run: pieces(&runtime, &plain, &block, false), seconds: Vec::new() },
        Way { name: "chunks, TLS 1.3", run: pieces(&runtime, &tls, &block, false), seconds: Vec::new() },
        Way { name: "chunks, plain, all kept", run: pieces(&runtime, &plain, &block, true), seconds: Vec::new() },
        Way { name: "one chunk, plain, kept", run: whole(&runtime, &plain, size * chunks), seconds: Vec::new() },
        Way { name: "one chunk, TLS 1.3, kept", run: whole(&runtime, &tls, size * chunks), seconds: Vec::new() },
        Way { name: "Arrow Flight over HTTP/2, plain, read and dropped", run: flight(&runtime, &block), seconds: Vec::new() },
    ];
    for round in 0..=rounds {
        for way in &mut ways {
            let started = Instant::now();
            (way.run)(chunks);
            // The first round warms up.
            if round > 0 {
                way.seconds.push(started.elapsed().as_secs_f64());
            }
        }
    }
    report(ways, size * chunks);
}

fn report(ways: Vec<Way>, bytes: usize) {
    let median = |way: &Way| {
        let mut seconds = way.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    };
    let raw = median(&ways[0]);
    println!("{:<52} {:>8} {:>14}", "way", "GB/s", "of the raw copy");
    for way in &ways {
        let seconds = median(way);
        println!("{:<52} {:>8.2} {:>13.0}%", way.name, bytes as f64 / seconds / 1e9, 100.0 * raw / seconds);
    }
}

/// A thread writes, another reads.
fn raw(block: Buffer, keep: bool) -> Box<dyn Fn(usize)> {
    Box::new(move |chunks| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let block = block.clone();
        let size = (*block).as_ref().len();
        let writer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("the other thread calls");
            for _ in 0..chunks {
                stream.write_all((*block).as_ref()).expect("the other thread reads");
            }
        });
        let mut stream = TcpStream::connect(address).expect("it listens");
        if keep {
            let kept: Vec<Vec<u8>> = (0..chunks)
                .map(|_| {
                    let mut chunk = vec![0; size];
                    stream.read_exact(&mut chunk).expect("the other thread writes");
                    chunk
                })
                .collect();
            std::hint::black_box(kept);
        } else {
            let mut buffer = vec![0; 1 << 20];
            let mut left = chunks * size;
            while left > 0 {
                left -= stream.read(&mut buffer).expect("the other thread writes");
            }
        }
        writer.join().expect("it does not panic");
    })
}

fn pieces(runtime: &Arc<tokio::runtime::Runtime>, security: &ServerSecurity, block: &Buffer, keep: bool) -> Box<dyn Fn(usize)> {
    let runtime = runtime.clone();
    let worker = security.issue(Role::Worker).expect("the cluster's own");
    let accepting = ServerSecurity::of(&worker).expect("it has a certificate");
    let bound = runtime.block_on(Ports::bind("127.0.0.1", 0, &accepting)).expect("a port");
    let shelf = Arc::new(Blocks(Chunk::new(Block(block.clone()))));
    let port = runtime.block_on(async { Ports::serve(bound, accepting, shelf, None, 8) });
    let address = PeerAddress { host: "127.0.0.1".into(), port: port.address().port() };
    let peers = Peers::new(worker);
    let mut registry = Registry::default();
    registry.add_value("block", decode);
    Box::new(move |chunks| {
        let _serves = &port;
        let wanted: Vec<Piece> = (0..chunks as u32).map(|index| (Key::new(LayerId(1), index), None)).collect();
        let (mut got, mut kept) = (0, Vec::new());
        let mut each = |_: Piece, packed: Result<Packed, FetchError>| {
            let chunk = packed.expect("it arrives").open(&registry).expect("it is a block");
            got += 1;
            if keep {
                kept.push(chunk);
            }
        };
        runtime.block_on(peers.fetch_each(&address, &wanted, &mut each));
        assert_eq!(got, chunks);
        std::hint::black_box(kept);
    })
}

/// All of it as one chunk.
fn whole(runtime: &Arc<tokio::runtime::Runtime>, security: &ServerSecurity, bytes: usize) -> Box<dyn Fn(usize)> {
    let block: Buffer = Arc::new((0..bytes).map(|at: usize| (at >> 3) as u8).collect::<Vec<u8>>());
    let fetch = pieces(runtime, security, &block, true);
    Box::new(move |_| fetch(1))
}

fn flight(runtime: &Arc<tokio::runtime::Runtime>, block: &Buffer) -> Box<dyn Fn(usize)> {
    let runtime = runtime.clone();
    let security = ServerSecurity::plain(None);
    let bound = runtime.block_on(Ports::bind("127.0.0.1", 0, &security)).expect("a port");
    let shelf = Arc::new(Blocks(Chunk::new(Block(block.clone()))));
    let port = runtime.block_on(async { Ports::serve(bound, security, shelf, None, 8) });
    let address = port.address();
    let size = (**block).as_ref().len();
    Box::new(move |chunks| {
        let _serves = &port;
        runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
            let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
            builder.initial_stream_window_size(16 << 20).initial_connection_window_size(16 << 20).max_frame_size(1 << 20);
            let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.expect("HTTP/2");
            let driver = tokio::spawn(connection);
            for index in 0..chunks as u32 {
                let ticket = Key::new(LayerId(1), index).to_string();
                let message = [&[0, 0, 0, 0, ticket.len() as u8 + 2, 10, ticket.len() as u8][..], ticket.as_bytes()].concat();
                let request = http::Request::post("http://worker/arrow.flight.protocol.FlightService/DoGet");
                let request = request.header("content-type", "application/grpc").body(Full::new(Bytes::from(message))).expect("sound");
                let mut body = sender.send_request(request).await.expect("it answers").into_body();
                let mut got = 0;
                while let Some(frame) = body.frame().await {
                    got += frame.expect("it does not break").into_data().map_or(0, |data| data.len());
                }
                assert!(got >= size, "the whole chunk arrives");
            }
            driver.abort();
        });
    })
}
