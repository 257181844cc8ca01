//! The port on which a process serves the chunks that it holds.
//!
//! It refuses to know how chunks are kept. Invariants: at most so many requests are served at a time, and others are told so
//! at once instead of waiting; a caller that does not greet is gone after a few seconds, and one that stops reading gives back
//! its turn soon after.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use partita_core::protocol::Piece;
use partita_graph::{Code, Failure, Key};
use partita_local::Packed;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::frames::{self, Answers, HTTP2, Head, MAGIC};
use super::{FrameDoor, arrow};
use crate::address::place;
use crate::security::{Connection, ServerSecurity};

/// How long is waited for a caller.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// Until it has said who it is.
    pub greeting: Duration,
    /// While it reads nothing of its answer.
    pub silence: Duration,
    /// While it asks for nothing: longer than callers keep a connection that they do not use.
    pub idle: Duration,
}

const PATIENCE: Patience = Patience { greeting: Duration::from_secs(5), silence: Duration::from_secs(30), idle: Duration::from_secs(120) };

/// Connections at a time.
const CONNECTIONS: usize = 1024;
/// Packing larger chunks than this may take a while, so it is done beside the other connections.
const LARGE: u64 = 256 << 10;

/// Why a piece is not served.
pub enum Refusal {
    /// It is not held here.
    Missing,
    /// It cannot be sent.
    Failed(Failure),
}

/// Where chunks are kept.
pub trait Shelf: Send + Sync + 'static {
    /// The piece as bytes. May read from disk.
    fn pack(&self, piece: Piece) -> Result<Packed, Refusal>;

    /// About how many bytes it has; 0 when it is not known.
    fn nbytes(&self, piece: Piece) -> u64;

    /// Up to `limit` of the chunks that are held, and their bytes.
    fn list(&self, limit: usize) -> Vec<(Key, u64)>;
}

/// A port that serves a shelf until it is dropped.
pub struct Ports {
    address: SocketAddr,
    closing: watch::Sender<bool>,
}

/// What all connections share.
pub(super) struct Shared {
    pub security: ServerSecurity,
    pub shelf: Arc<dyn Shelf>,
    pub door: Option<Arc<dyn FrameDoor>>,
    pub patience: Patience,
    /// Turns of peers.
    pub serving: Semaphore,
    /// Turns of Flight clients, which may take their time between two batches: apart, so that peers never wait for them.
    pub flights: Arc<Semaphore>,
}

impl Shared {
    /// The piece, packed where that disturbs nobody.
    pub fn pack(&self, piece: Piece) -> Result<Packed, Refusal> {
        if self.shelf.nbytes(piece) < LARGE {
            return self.shelf.pack(piece);
        }
        tokio::task::block_in_place(|| self.shelf.pack(piece))
    }
}

/// A bound port that serves nothing yet: its number is told to others before there is anything to serve.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Where it will serve.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Ports {
    /// Listens on `host:port`, 0 for any free port. Fails with [`Code::PortTaken`], and with [`Code::Insecure`] for a plain
    /// port off loopback that was not confirmed.
    pub async fn bind(host: &str, port: u16, security: &ServerSecurity) -> Result<Bound, Failure> {
        security.check_host(host)?;
        let at = place(host, port);
        let failed = |e: std::io::Error| {
            Failure::new(Code::PortTaken, format!("cannot listen on {at}: {e}")).help("choose another port, or 0 for any that is free")
        };
        let listener = TcpListener::bind((host, port)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Bound { listener, address })
    }

    /// Serves, at most so many requests of peers and as many of Flight clients at a time. Must be called within a runtime of several threads.
    pub fn serve(
        bound: Bound,
        security: ServerSecurity,
        shelf: Arc<dyn Shelf>,
        door: Option<Arc<dyn FrameDoor>>,
        at_a_time: usize,
    ) -> Self {
        let (closing, closed) = watch::channel(false);
        let (serving, flights) = (Semaphore::new(at_a_time), Arc::new(Semaphore::new(at_a_time)));
        let shared = Arc::new(Shared { security, shelf, door, patience: PATIENCE, serving, flights });
        tokio::spawn(accept(bound.listener, shared, closed));
        Self { address: bound.address, closing }
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more and cuts what is under way.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        self.close();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut closed: watch::Receiver<bool>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = connections.clone().acquire_owned().await.expect("it is never closed");
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closed.wait_for(|closed| *closed) => return,
        };
        let Ok((stream, _)) = accepted else {
            // Too many open files, most often: what is served now gives some back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (shared, mut closed) = (shared.clone(), closed.clone());
        tokio::spawn(async move {
            let _permit = permit;
            tokio::select! {
                // What a broken connection has to say concerns nobody here: its caller sees it break.
                _ = serve(stream, shared) => {}
                _ = closed.wait_for(|closed| *closed) => {}
            }
        });
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> Result<(), Failure> {
    let late = |_| Failure::new(Code::WrongProtocol, "a caller did not greet");
    let (mut stream, peer) = shared.security.accept(stream, shared.patience.greeting).await?;
    if shared.security.is_encrypted() && peer.certificate.is_none() {
        // A port that gives out certificates lets such callers in; here there is nothing for them.
        return Err(Failure::new(Code::NotTrusted, "a caller has no certificate"));
    }
    let mut first = [0; 8];
    let read = timeout(shared.patience.greeting, stream.read_exact(&mut first)).await.map_err(late)?;
    read.map_err(|_| Failure::new(Code::WrongProtocol, "a caller hung up"))?;
    match first {
        MAGIC => serve_pieces(stream, shared).await,
        HTTP2 => arrow::serve(Replayed { first: first.to_vec(), stream }, shared).await,
        _ => Err(Failure::new(Code::WrongProtocol, "a caller speaks neither way")),
    }
}

async fn serve_pieces(mut stream: Connection, shared: Arc<Shared>) -> Result<(), Failure> {
    let late = |_| Failure::new(Code::WrongProtocol, "a caller did not greet");
    let secret = timeout(shared.patience.greeting, frames::greeted(&mut stream)).await.map_err(late)??;
    let trusted = shared.security.accepts_secret(secret.as_ref());
    let answer = if trusted { frames::WELCOME } else { frames::NOT_TRUSTED };
    let sent = stream.write_all(&[answer]).await;
    sent.map_err(|_| Failure::new(Code::Unreachable, "a caller hung up"))?;
    if !trusted {
        let _ = stream.shutdown().await;
        return Ok(());
    }
    while let Ok(asked) = timeout(shared.patience.idle, frames::asked(&mut stream)).await {
        let Some(pieces) = asked? else { return Ok(()) };
        let mut answers = Answers::new(&mut stream, shared.patience.silence);
        match shared.serving.try_acquire() {
            Err(_) => answers.refuse(&Head::Busy),
            Ok(_turn) => {
                for piece in pieces {
                    match shared.pack(piece) {
                        Ok(packed) => answers.piece(packed).await?,
                        Err(Refusal::Missing) => answers.refuse(&Head::Missing),
                        Err(Refusal::Failed(failure)) => answers.refuse(&Head::Failed(failure)),
                    }
                }
            }
        }
        answers.flush().await?;
    }
    Ok(())
}

/// A connection of which some bytes were read already.
struct Replayed {
    first: Vec<u8>,
    stream: Connection,
}

impl AsyncRead for Replayed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let n = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first[..n]);
        self.first.drain(..n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Replayed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[std::io::IoSlice<'_>]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flight::{FetchError, Peers};
    use crate::message::PeerAddress;
    use crate::rpc::{Whole, request};
    use crate::security::Security;
    use http_body_util::BodyExt;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use partita_graph::{Chunk, LayerId, Plain, Registry};
    use prost::Message;

    /// Every chunk is larger than what lies between two sockets.
    struct Large;

    const PIECE: Piece = (Key { layer: LayerId(1), index: 0 }, None);

    impl Shelf for Large {
        fn pack(&self, _: Piece) -> Result<Packed, Refusal> {
            Packed::of(&Chunk::new(Plain(vec![7u8; 48 << 20]))).map_err(Refusal::Failed)
        }

        fn nbytes(&self, _: Piece) -> u64 {
            48 << 20
        }

        fn list(&self, _: usize) -> Vec<(Key, u64)> {
            Vec::new()
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime").block_on(future)
    }

    /// A port with one turn of each kind and little patience.
    async fn impatient(security: ServerSecurity) -> PeerAddress {
        let bound = Ports::bind("127.0.0.1", 0, &security).await.expect("a port");
        let address = PeerAddress { host: "127.0.0.1".into(), port: bound.address().port() };
        let patience = Patience { greeting: Duration::from_millis(300), silence: Duration::from_secs(1), idle: Duration::from_secs(9) };
        let (serving, flights) = (Semaphore::new(1), Arc::new(Semaphore::new(1)));
        let shared = Arc::new(Shared { security, shelf: Arc::new(Large), door: None, patience, serving, flights });
        let (closing, closed) = watch::channel(false);
        tokio::spawn(async move {
            accept(bound.listener, shared, closed).await;
            drop(closing);
        });
        address
    }

    async fn dial(address: &PeerAddress) -> TcpStream {
        TcpStream::connect((address.host.as_str(), address.port)).await.expect("it listens")
    }

    #[test]
    fn a_peer_that_stops_reading_gives_its_turn_back() {
        run(async {
            let address = impatient(ServerSecurity::plain(None)).await;
            let mut stopped = dial(&address).await;
            frames::greet(&mut stopped, None).await.expect("open");
            frames::ask(&mut stopped, &[PIECE]).await.expect("open");
            tokio::time::sleep(Duration::from_millis(150)).await;
            let peers = Peers::new(Security::Plain { secret: None });
            let fetch = async || peers.fetch(&address, &[PIECE], &Registry::default()).await.remove(0).1;
            assert_eq!(fetch().await.err(), Some(FetchError::Busy));
            let served = async {
                loop {
                    match fetch().await {
                        Err(FetchError::Busy) => tokio::time::sleep(Duration::from_millis(100)).await,
                        other => break other,
                    }
                }
            };
            assert_eq!(timeout(Duration::from_secs(20), served).await.expect("it is given up").map(drop), Ok(()));
        });
    }

    #[test]
    fn a_flight_client_that_stops_reading_gives_its_turn_back() {
        run(async {
            let address = impatient(ServerSecurity::plain(None)).await;
            let ask = async || {
                let io = TokioIo::new(dial(&address).await);
                let (mut sender, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("it speaks HTTP/2");
                let driver = tokio::spawn(connection);
                let ticket = super::super::messages::Ticket { ticket: PIECE.0.to_string().into_bytes() };
                let body = Whole::message(&ticket.encode_to_vec());
                let asked = sender.send_request(request("/arrow.flight.protocol.FlightService/DoGet", body)).await;
                (asked.expect("it answers").into_body(), sender, driver)
            };
            let (first, _sender, _driver) = ask().await;
            // The second one waits until the first one is given up.
            let (second, _sender, _driver) = ask().await;
            assert!(second.collect().await.expect("whole").to_bytes().len() > 48 << 20);
            assert!(first.collect().await.is_err(), "it was cut off");
        });
    }

    #[test]
    fn a_stranger_that_only_begins_http2_is_gone_soon() {
        run(async {
            let address = impatient(ServerSecurity::plain_with_secret()).await;
            let mut stranger = dial(&address).await;
            stranger.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("it accepts");
            let mut answer = Vec::new();
            // Closed or reset: both are an end.
            let _ = timeout(Duration::from_secs(4), stranger.read_to_end(&mut answer)).await.expect("it hangs up");
        });
    }
}
