//! A connection, encrypted or not, that remembers why it failed.
//!
//! It refuses to know what is sent. Invariant: the first fault of the transport is kept, because what lies above it reports only
//! that something broke.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::gulps::Gulps;

/// What went wrong below, once.
pub(crate) type Fault = Arc<OnceLock<Trouble>>;

/// A fault of the transport.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// Of TLS.
    Tls(rustls::Error),
    /// The other side closed the connection.
    Closed,
    /// Anything else.
    Io,
}

impl Trouble {
    /// What stands behind an error of a read, a write or a handshake.
    pub fn of(error: &io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Trouble::Tls(tls.clone());
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Trouble::Closed,
            _ => Trouble::Io,
        }
    }
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<Gulps>>),
}

/// A connection, encrypted or not.
pub struct Connection {
    transport: Transport,
    fault: Fault,
}

impl Connection {
    pub(crate) fn plain(stream: TcpStream) -> Self {
        Self { transport: Transport::Plain(stream), fault: Fault::default() }
    }

    pub(crate) fn tls(stream: impl Into<TlsStream<Gulps>>) -> Self {
        Self { transport: Transport::Tls(Box::new(stream.into())), fault: Fault::default() }
    }

    /// Where a fault will be found.
    pub(crate) fn fault(&self) -> Fault {
        self.fault.clone()
    }

    /// Certificates of the other side, its own first.
    pub(crate) fn peer_certificates(&self) -> &[rustls::pki_types::CertificateDer<'static>] {
        match &self.transport {
            Transport::Plain(_) => &[],
            Transport::Tls(stream) => stream.get_ref().1.peer_certificates().unwrap_or_default(),
        }
    }

    fn note<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &result {
            // Only the first fault is the cause of anything.
            let _ = self.fault.set(Trouble::of(error));
        }
        result
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let result = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        self.note(result)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        self.note(result)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let result = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        };
        self.note(result)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        self.note(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
