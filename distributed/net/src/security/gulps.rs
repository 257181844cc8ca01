//! A socket that is read in large gulps.
//!
//! TLS asks for four kilobytes at a time, and each time would be a call of the system. Here a call takes all that has come, into
//! room that the connections of a thread share; what was not asked for yet is kept until it is.
//!
//! It refuses to know what it reads. Invariant: a connection of which everything is read keeps no memory.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Most that is taken at a time.
const GULP: usize = 64 << 10;

thread_local! {
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; GULP].into());
}

/// A socket, and what was taken from it and not asked for.
pub(crate) struct Gulps<S = TcpStream> {
    socket: S,
    rest: Vec<u8>,
    /// So much of the rest was handed out.
    at: usize,
}

impl<S> Gulps<S> {
    pub fn new(socket: S) -> Self {
        Self { socket, rest: Vec::new(), at: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gulps<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { socket, rest, at } = self.get_mut();
        if rest.is_empty() {
            if buf.remaining() >= GULP {
                return Pin::new(socket).poll_read(cx, buf);
            }
            return ROOM.with_borrow_mut(|room| {
                let mut gulp = ReadBuf::new(room);
                ready!(Pin::new(socket).poll_read(cx, &mut gulp))?;
                let (asked, more) = gulp.filled().split_at(buf.remaining().min(gulp.filled().len()));
                buf.put_slice(asked);
                rest.extend_from_slice(more);
                Poll::Ready(Ok(()))
            });
        }
        let asked = buf.remaining().min(rest.len() - *at);
        buf.put_slice(&rest[*at..*at + asked]);
        *at += asked;
        if *at == rest.len() {
            (*rest, *at) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gulps<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Reads of all sizes, while the other side writes pieces of all sizes.
    #[tokio::test]
    async fn every_byte_comes_once_and_in_order() {
        let (near, mut far) = tokio::io::duplex(200_000);
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
        let sent = bytes.clone();
        let sending = tokio::spawn(async move {
            let (mut rest, mut length) = (&sent[..], 1);
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(length.min(rest.len()));
                far.write_all(piece).await.expect("somebody reads");
                (rest, length) = (after, length * 7 % 190_001 + 1);
            }
        });
        let mut gulps = Gulps::new(near);
        let (mut read, mut length) = (Vec::new(), 3);
        loop {
            let mut room = vec![0; length];
            let got = gulps.read(&mut room).await.expect("nothing breaks");
            if got == 0 {
                break;
            }
            read.extend_from_slice(&room[..got]);
            length = length * 11 % 170_003 + 1;
        }
        sending.await.expect("all is written");
        assert!(read == bytes, "{} of {} bytes came, or others", read.len(), bytes.len());
        assert_eq!(gulps.rest.capacity(), 0, "what is read needs no memory");
    }
}
