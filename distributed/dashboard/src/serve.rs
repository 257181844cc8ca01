//! The port: one thread that accepts, reads and answers.
//!
//! It refuses to know what is shown. Invariant: a connection can neither stay without asking, nor send a long head, nor keep
//! others out for longer than a few seconds; what is no HTTP is closed.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use partita_graph::{Code, Failure};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use crate::Source;
use crate::door::Door;
use crate::routes::router;

/// A request's head has come within this time, and the next one on the same connection too.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// A connection lives no longer, whatever it does.
const CONNECTION_TIME: Duration = Duration::from_secs(120);
/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 << 10;
/// Connections at a time; more are closed at once.
const CONNECTIONS: usize = 128;
/// Ports that are tried after one that is taken.
const NEXT_PORTS: u16 = 20;

/// Where to listen.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address or name. Default: `127.0.0.1`.
    pub host: String,
    /// Default 8787; 0 for any that is free.
    pub port: u16,
    /// Whether another port will not do. Default: no, one of the next twenty is taken instead.
    pub exact: bool,
    /// Names of this host under which it may be asked, beside `localhost`, `host` and every address.
    pub names: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { host: "127.0.0.1".into(), port: 8787, exact: false, names: Vec::new() }
    }
}

/// The running server. Dropping it closes the port.
pub struct Dashboard {
    address: SocketAddr,
    note: Option<String>,
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Dashboard {
    /// Listens and serves from a thread of its own.
    ///
    /// # Errors
    /// [`Code::PortTaken`] when the address cannot be listened on.
    pub fn start(options: Options, source: Arc<dyn Source>) -> Result<Self, Failure> {
        let (listener, note) = listen(&options)?;
        let refused = |error: std::io::Error| Failure::new(Code::PortTaken, format!("the HTTP pages cannot be served: {error}"));
        let address = listener.local_addr().map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(8).build().map_err(refused)?;
        let app = router(source, Door::new(options.names.into_iter().chain([options.host])));
        let (close, closed) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async move {
                if let Ok(listener) = TcpListener::from_std(listener) {
                    tokio::select! {
                        () = accept(listener, app) => {}
                        _ = closed => {}
                    }
                }
            });
            // A source that does not answer must not hold up whoever closes.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("partita-http".into()).spawn(serve).map_err(refused)?;
        Ok(Self { address, note, close: Some(close), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A remark for the user: that another port than the wished one was taken.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Where people look. An address that stands for all of this host is shown as the loopback one.
    pub fn url(&self) -> String {
        let shown = match self.address.ip() {
            ip if !ip.is_unspecified() => self.address,
            IpAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], self.address.port())),
            IpAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, self.address.port())),
        };
        format!("http://{shown}/")
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        if let Some(close) = self.close.take() {
            let _ = close.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(options: &Options) -> Result<(StdListener, Option<String>), Failure> {
    let Options { host, port, exact, .. } = options;
    let refuse = |error: std::io::Error| {
        let failure = Failure::new(Code::PortTaken, format!("the HTTP pages cannot be served at {host}:{port}: {error}"));
        failure.help("choose another port with --http-port, 0 for any, or none of them with --no-dashboard")
    };
    let at = |port: u16| -> std::io::Result<StdListener> {
        let addresses: Vec<_> = (host.trim_matches(['[', ']']), port).to_socket_addrs()?.collect();
        StdListener::bind(addresses.as_slice())
    };
    let first = match at(*port) {
        Ok(listener) => return Ok((listener, None)),
        Err(error) if *exact || *port == 0 || error.kind() != ErrorKind::AddrInUse => return Err(refuse(error)),
        Err(error) => error,
    };
    let next = (1..=NEXT_PORTS).filter_map(|step| port.checked_add(step)).find_map(|other| Some((other, at(other).ok()?)));
    match next {
        Some((other, listener)) => Ok((listener, Some(format!("port {port} is taken, so the HTTP pages are on {other}")))),
        None => Err(refuse(first)),
    }
}

async fn accept(listener: TcpListener, app: axum::Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without a place the stream is dropped here, which closes it.
                if let Ok(place) = places.clone().try_acquire_owned() {
                    let app = app.clone();
                    tokio::spawn(async move {
                        let _ = tokio::time::timeout(CONNECTION_TIME, answer(stream, app)).await;
                        drop(place);
                    });
                }
            }
            // Out of descriptors, most likely: a moment later some are free.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Garbage and broken connections end here, without a word.
async fn answer(stream: TcpStream, app: axum::Router) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES).max_headers(64);
    let _ = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)).await;
}
