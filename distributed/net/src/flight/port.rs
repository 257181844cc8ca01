//! The port on which a process serves the chunks that it holds.
//!
//! It refuses to know how chunks are kept. Invariants: at most so many requests are served at a time, and others are told so
//! at once instead of waiting; a caller that does not greet is gone after a few seconds.

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

/// Until a caller has said who it is.
const GREETING: Duration = Duration::from_secs(5);
/// A connection on which nothing is asked for so long is closed.
const IDLE: Duration = Duration::from_secs(600);
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
    pub serving: Semaphore,
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

    /// Serves, at most so many requests at a time. Must be called within a runtime of several threads.
    pub fn serve(
        bound: Bound,
        security: ServerSecurity,
        shelf: Arc<dyn Shelf>,
        door: Option<Arc<dyn FrameDoor>>,
        at_a_time: usize,
    ) -> Self {
        let (closing, closed) = watch::channel(false);
        let shared = Arc::new(Shared { security, shelf, door, serving: Semaphore::new(at_a_time) });
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
    let (mut stream, _peer) = shared.security.accept(stream, GREETING).await?;
    let mut first = [0; 8];
    let read = timeout(GREETING, stream.read_exact(&mut first)).await.map_err(late)?;
    read.map_err(|_| Failure::new(Code::WrongProtocol, "a caller hung up"))?;
    match first {
        MAGIC => serve_pieces(stream, shared).await,
        HTTP2 => arrow::serve(Replayed { first: first.to_vec(), stream }, shared).await,
        _ => Err(Failure::new(Code::WrongProtocol, "a caller speaks neither way")),
    }
}

async fn serve_pieces(mut stream: Connection, shared: Arc<Shared>) -> Result<(), Failure> {
    let late = |_| Failure::new(Code::WrongProtocol, "a caller did not greet");
    let secret = timeout(GREETING, frames::greeted(&mut stream)).await.map_err(late)??;
    let trusted = shared.security.accepts_secret(secret.as_ref());
    let answer = if trusted { frames::WELCOME } else { frames::NOT_TRUSTED };
    let sent = stream.write_all(&[answer]).await;
    sent.map_err(|_| Failure::new(Code::Unreachable, "a caller hung up"))?;
    if !trusted {
        let _ = stream.shutdown().await;
        return Ok(());
    }
    while let Ok(asked) = timeout(IDLE, frames::asked(&mut stream)).await {
        let Some(pieces) = asked? else { return Ok(()) };
        let mut answers = Answers::new(&mut stream);
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
