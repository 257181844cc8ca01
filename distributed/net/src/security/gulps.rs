//! A socket that is read in large gulps.
//!
//! TLS asks for four kilobytes at a time, and each time would be a call of the system. Here a call takes all that has come, into
//! room that the connections of a thread share; what was not asked for yet is kept until it is.
//!
//! It refuses to know what it reads. Invariant: a connection of which everything is read keeps no memory.

use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Most that is taken at a time.
const GULP: usize = 64 << 10;

type Room = Box<[u8]>;

thread_local! {
    /// Room that no connection of this thread needs at the moment.
    static SPARE: Cell<Option<Room>> = const { Cell::new(None) };
}

/// A socket, and what was taken from it and not asked for.
pub(crate) struct Gulps<S = TcpStream> {
    socket: S,
    /// Where that is; `None` when there is nothing.
    room: Option<Room>,
    /// Its place there.
    rest: Range<usize>,
}

impl<S> Gulps<S> {
    pub fn new(socket: S) -> Self {
        Self { socket, room: None, rest: 0..0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gulps<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { socket, room: kept, rest } = self.get_mut();
        let room = match kept.take() {
            Some(room) => room,
            None if buf.remaining() >= GULP => return Pin::new(socket).poll_read(cx, buf),
            None => {
                let mut room = SPARE.take().unwrap_or_else(|| vec![0; GULP].into());
                let mut gulp = ReadBuf::new(&mut room);
                let polled = Pin::new(socket).poll_read(cx, &mut gulp);
                *rest = 0..gulp.filled().len();
                if !matches!(polled, Poll::Ready(Ok(()))) {
                    SPARE.set(Some(room));
                    return polled;
                }
                room
            }
        };
        let asked = buf.remaining().min(rest.len());
        buf.put_slice(&room[rest.start..][..asked]);
        rest.start += asked;
        if rest.start == rest.end {
            SPARE.set(Some(room));
        } else {
            *kept = Some(room);
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
        assert!(gulps.room.is_none(), "what is read needs no memory");
    }
}
