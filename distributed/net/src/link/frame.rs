//! What travels on a stream: frames, each a gRPC message (a zero, four bytes of length, the body).
//!
//! It refuses to know sessions and connections. Invariant: nothing is allocated for a length that a peer only claims.
//!
//! The body begins with its kind. Hello and refusal keep their form for ever, so that programs of any two versions can tell
//! each other why they do not fit.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use partita_graph::{Code, Failure};

use crate::message::{Hello, PROTOCOL, VERSION, Welcome};
use crate::wire::{Reader, Writer, read_failure, write_failure};

/// Bytes of a message in one frame at most.
pub const FRAGMENT: usize = (1 << 20) - 64;
/// Largest body of a frame after the handshake.
pub const FRAME_LIMIT: usize = 1 << 20;
/// Largest body of a frame before: operators' names are in a hello, so it is no small message.
pub const HELLO_LIMIT: usize = 256 << 10;
/// The gRPC prefix.
pub const PREFIX: usize = 5;

const HELLO: u8 = 0;
const WELCOME: u8 = 1;
const REFUSED: u8 = 2;
const DATA: u8 = 3;
const DATA_MORE: u8 = 4;
const DATA_CLOSE: u8 = 5;
const ACK: u8 = 6;

const MAGIC: &[u8; 8] = b"partita\n";

/// What a piece of data is to the message that it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    /// All of it, or its end.
    Last,
    /// More follows in the next frame.
    More,
    /// No message: the reason for which the link is closed. Numbered like one, so that it comes after all others.
    Close,
}

/// A frame of a running session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A message or a part of it.
    Data {
        /// Its number, from 1.
        seq: u64,
        /// How many messages the sender has received.
        ack: u64,
        /// Which piece.
        piece: Piece,
        /// The bytes.
        payload: Bytes,
    },
    /// How many messages the sender has received; also what is sent when there is nothing to say.
    Ack(u64),
    /// The other side ends the session, for this reason.
    Refused(Failure),
}

/// A peer that does not keep to the protocol.
pub fn malformed(what: &str) -> Failure {
    Failure::new(Code::WrongProtocol, format!("the other side sent what is no message of partita: {what}"))
}

/// Writes prefix and head of a data frame of so many payload bytes; the payload follows.
pub fn put_data_head(out: &mut BytesMut, seq: u64, ack: u64, piece: Piece, payload: usize) {
    let at = out.len();
    out.put_slice(&[0; PREFIX]);
    out.put_u8(match piece {
        Piece::Last => DATA,
        Piece::More => DATA_MORE,
        Piece::Close => DATA_CLOSE,
    });
    put_varint(out, seq);
    put_varint(out, ack);
    let body = out.len() - at - PREFIX + payload;
    set_length(out, at, body);
}

/// Writes a whole frame that acknowledges.
pub fn put_ack(out: &mut BytesMut, ack: u64) {
    let at = out.len();
    out.put_slice(&[0; PREFIX]);
    out.put_u8(ACK);
    put_varint(out, ack);
    let body = out.len() - at - PREFIX;
    set_length(out, at, body);
}

fn set_length(out: &mut BytesMut, at: usize, body: usize) {
    let body = u32::try_from(body).expect("a frame is at most a mebibyte");
    out[at + 1..at + PREFIX].copy_from_slice(&body.to_be_bytes());
}

fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

fn framed(kind: u8, body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(PREFIX + 1 + body.len());
    out.put_u8(0);
    out.put_u32(body.len() as u32 + 1);
    out.put_u8(kind);
    out.put_slice(body);
    out.freeze()
}

/// A hello as a frame.
pub fn hello(hello: &Hello) -> Bytes {
    let mut body = MAGIC.to_vec();
    body.put_u32(hello.protocol);
    body.put_u8(hello.version.len().min(255) as u8);
    body.put_slice(&hello.version.as_bytes()[..hello.version.len().min(255)]);
    body.extend(postcard::to_stdvec(hello).expect("a hello is plain data"));
    framed(HELLO, &body)
}

/// A welcome as a frame.
pub fn welcome(welcome: &Welcome) -> Bytes {
    framed(WELCOME, &postcard::to_stdvec(welcome).expect("a welcome is plain data"))
}

/// A refusal as a frame.
pub fn refused(failure: &Failure) -> Bytes {
    let mut body = Writer::default();
    write_failure(&mut body, failure);
    framed(REFUSED, &body.finish())
}

/// A hello, if the protocol fits.
pub fn read_hello(body: &[u8]) -> Result<Hello, Failure> {
    let rest = body.strip_prefix(&[HELLO]).and_then(|rest| rest.strip_prefix(MAGIC)).ok_or_else(|| malformed("no hello"))?;
    let (mut head, theirs) = rest.split_at_checked(5).ok_or_else(|| malformed("a hello that is cut off"))?;
    let (protocol, length) = (head.get_u32(), head.get_u8() as usize);
    let (version, rest) = theirs.split_at_checked(length).ok_or_else(|| malformed("a hello that is cut off"))?;
    if protocol != PROTOCOL {
        return Err(mismatch("the caller", &String::from_utf8_lossy(version), protocol));
    }
    postcard::from_bytes(rest).map_err(|_| malformed("a hello that cannot be read"))
}

/// The answer to a hello.
pub fn read_welcome(body: &[u8]) -> Result<Welcome, Failure> {
    match body.split_first() {
        Some((&WELCOME, rest)) => {
            let welcome: Welcome = postcard::from_bytes(rest).map_err(|_| malformed("a welcome that cannot be read"))?;
            match welcome.protocol {
                PROTOCOL => Ok(welcome),
                other => Err(mismatch("the scheduler", &welcome.version, other)),
            }
        }
        Some((&REFUSED, rest)) => Err(read_refusal(rest)?),
        _ => Err(malformed("no welcome")),
    }
}

fn mismatch(who: &str, version: &str, protocol: u32) -> Failure {
    Failure::new(
        Code::VersionMismatch,
        format!("{who} is partita {version} with protocol {protocol}, this is partita {VERSION} with protocol {PROTOCOL}"),
    )
    .help("start scheduler, workers and clients from the same release")
}

fn read_refusal(rest: &[u8]) -> Result<Failure, Failure> {
    read_failure(&mut Reader::new(rest)).map_err(|_| malformed("a refusal that cannot be read"))
}

/// A frame of a running session.
pub fn read(mut body: Bytes) -> Result<Frame, Failure> {
    if body.is_empty() {
        return Err(malformed("an empty frame"));
    }
    let piece = match body.get_u8() {
        DATA => Piece::Last,
        DATA_MORE => Piece::More,
        DATA_CLOSE => Piece::Close,
        ACK => return Ok(Frame::Ack(take_varint(&mut body)?)),
        REFUSED => return Ok(Frame::Refused(read_refusal(&body)?)),
        _ => return Err(malformed("a frame of an unknown kind")),
    };
    let (seq, ack) = (take_varint(&mut body)?, take_varint(&mut body)?);
    Ok(Frame::Data { seq, ack, piece, payload: body })
}

fn take_varint(from: &mut Bytes) -> Result<u64, Failure> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        if from.is_empty() {
            break;
        }
        let byte = from.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(malformed("a number that does not end"))
}

/// Cuts what arrives into frames' bodies, without a copy where a frame arrives in one piece.
pub struct Splitter {
    limit: usize,
    /// The beginning of a frame whose end has not arrived.
    partial: BytesMut,
}

impl Default for Splitter {
    /// With the limit of a stream on which nothing was said yet.
    fn default() -> Self {
        Self { limit: HELLO_LIMIT, partial: BytesMut::new() }
    }
}

impl Splitter {
    /// The handshake is over.
    pub fn greeted(&mut self) {
        self.limit = FRAME_LIMIT;
    }

    /// The next frame's body, if `chunk` completes one; what is used of the chunk is taken off.
    pub fn next(&mut self, chunk: &mut Bytes) -> Result<Option<Bytes>, Failure> {
        if self.partial.is_empty() && chunk.len() >= PREFIX {
            let want = PREFIX + self.length(chunk)?;
            if chunk.len() >= want {
                let mut frame = chunk.split_to(want);
                frame.advance(PREFIX);
                return Ok(Some(frame));
            }
        }
        self.take(chunk, PREFIX);
        if self.partial.len() < PREFIX {
            return Ok(None);
        }
        let want = PREFIX + self.length(&self.partial)?;
        self.take(chunk, want);
        if self.partial.len() < want {
            return Ok(None);
        }
        let mut frame = std::mem::take(&mut self.partial).freeze();
        frame.advance(PREFIX);
        Ok(Some(frame))
    }

    fn take(&mut self, chunk: &mut Bytes, until: usize) {
        let missing = until.saturating_sub(self.partial.len()).min(chunk.len());
        self.partial.extend_from_slice(&chunk.split_to(missing));
    }

    fn length(&self, head: &[u8]) -> Result<usize, Failure> {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if head[0] != 0 {
            return Err(malformed("a frame that is marked as compressed"));
        }
        if length > self.limit {
            return Err(Failure::new(
                Code::TooLarge,
                format!("a frame of {length} bytes was announced; at most {} are accepted here", self.limit),
            ));
        }
        Ok(length)
    }
}
