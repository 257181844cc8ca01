//! The session: numbers, acknowledgements, what is kept until it is acknowledged, and where to go on after a reconnect.
//!
//! It refuses to know connections, clocks and threads: bytes to send are asked for, frames that arrived are given to it.
//! Invariant: as long as both ends call `resume` for each new connection, every message comes out once and in order.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use partita_graph::{Code, Failure};

use super::frame::{FRAGMENT, Frame, Piece, malformed, put_ack, put_data_head};

/// Payloads up to this size are copied together, so that many small messages leave in one piece.
const COPIED: usize = 16 << 10;
/// About how much is put together at a time.
const BATCH: usize = 64 << 10;
/// Messages or bytes after which an acknowledgement is sent although nothing else is.
const ACK_MESSAGES: u64 = 64;
const ACK_BYTES: usize = 256 << 10;

/// Bytes that a message takes beside its own.
const OVERHEAD: u64 = 64;

/// What came out of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// A whole message.
    Message(Bytes),
    /// The peer closed the session, for this reason.
    Closed(String),
}

struct Item {
    bytes: Bytes,
    close: bool,
}

/// One end of a session.
pub struct Session {
    /// Largest message that is accepted.
    limit: usize,
    /// What is not acknowledged; the first has the number `acked + 1`.
    queue: VecDeque<Item>,
    pending: u64,
    /// The peer has all messages up to this number.
    acked: u64,
    /// Messages up to this number were put on this connection in full.
    sent: u64,
    /// Of the message after it, so many bytes.
    offset: usize,
    /// The highest number that was ever begun to be put on a connection.
    begun: u64,
    received: u64,
    /// The beginning of the message `received + 1`.
    partial: BytesMut,
    /// What was received since an acknowledgement left.
    unsaid: u64,
    unsaid_bytes: usize,
    ack_now: bool,
}

impl Session {
    /// A new session that accepts messages up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            queue: VecDeque::new(),
            pending: 0,
            acked: 0,
            sent: 0,
            offset: 0,
            begun: 0,
            received: 0,
            partial: BytesMut::new(),
            unsaid: 0,
            unsaid_bytes: 0,
            ack_now: false,
        }
    }

    /// Adds a message.
    pub fn push(&mut self, bytes: Bytes) {
        self.pending += cost(&bytes);
        self.queue.push_back(Item { bytes, close: false });
    }

    /// Adds the end, after all messages.
    pub fn push_close(&mut self, reason: &str) {
        let mut cut = reason.len().min(4096);
        while !reason.is_char_boundary(cut) {
            cut -= 1;
        }
        self.queue.push_back(Item { bytes: Bytes::copy_from_slice(&reason.as_bytes()[..cut]), close: true });
    }

    /// How many messages were received: what a hello or welcome says.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes that are held for messages that the peer has not acknowledged.
    pub fn pending_bytes(&self) -> u64 {
        self.pending
    }

    /// Whether the peer has everything.
    pub fn is_drained(&self) -> bool {
        self.queue.is_empty()
    }

    /// A new connection stands, and the peer has received so many messages. What it did not get is sent again.
    pub fn resume(&mut self, peer_received: u64) -> Result<(), Failure> {
        if peer_received < self.acked {
            return Err(malformed("it has forgotten messages that it had acknowledged"));
        }
        self.acknowledge(peer_received)?;
        self.sent = peer_received;
        self.offset = 0;
        self.partial = BytesMut::new();
        // The hello or welcome said it.
        (self.unsaid, self.unsaid_bytes, self.ack_now) = (0, 0, false);
        Ok(())
    }

    fn acknowledge(&mut self, ack: u64) -> Result<(), Failure> {
        if ack > self.begun {
            return Err(malformed("an acknowledgement of what was never sent"));
        }
        while self.acked < ack {
            let item = self.queue.pop_front().expect("what was begun is in the queue until it is acknowledged");
            if !item.close {
                self.pending -= cost(&item.bytes);
            }
            self.acked += 1;
        }
        Ok(())
    }

    /// A frame arrived; what it completes is added to `out`.
    pub fn heard(&mut self, frame: Frame, out: &mut Vec<Heard>) -> Result<(), Failure> {
        let (seq, ack, piece, payload) = match frame {
            Frame::Refused(failure) => return Err(failure),
            Frame::Ack(ack) => return self.hear_ack(ack),
            Frame::Data { seq, ack, piece, payload } => (seq, ack, piece, payload),
        };
        self.hear_ack(ack)?;
        if seq != self.received + 1 {
            return Err(malformed("a message out of turn"));
        }
        if self.partial.len() + payload.len() > self.limit {
            return Err(too_large(self.limit));
        }
        self.unsaid_bytes += payload.len();
        match piece {
            Piece::More => self.partial.extend_from_slice(&payload),
            Piece::Last => {
                let whole = if self.partial.is_empty() { payload } else { self.join(&payload) };
                self.count();
                out.push(Heard::Message(whole));
            }
            Piece::Close => {
                self.count();
                self.ack_now = true;
                out.push(Heard::Closed(String::from_utf8_lossy(&payload).into_owned()));
            }
        }
        Ok(())
    }

    fn hear_ack(&mut self, ack: u64) -> Result<(), Failure> {
        // More than was put on this connection cannot have arrived over it.
        if ack > self.sent {
            return Err(malformed("an acknowledgement of what was not sent"));
        }
        self.acknowledge(ack)
    }

    fn join(&mut self, end: &[u8]) -> Bytes {
        let mut whole = std::mem::take(&mut self.partial);
        whole.extend_from_slice(end);
        whole.freeze()
    }

    fn count(&mut self) {
        self.received += 1;
        self.unsaid += 1;
    }

    /// Whether so much was received that an acknowledgement should leave now.
    pub fn ack_is_due(&self) -> bool {
        self.ack_now || self.unsaid >= ACK_MESSAGES || self.unsaid_bytes >= ACK_BYTES
    }

    /// An acknowledgement leaves with the next bytes even if there is nothing else to say.
    pub fn ask_ack(&mut self) {
        self.ack_now = true;
    }

    /// Whether anything was received of which no acknowledgement left.
    pub fn owes_ack(&self) -> bool {
        self.unsaid > 0 || self.unsaid_bytes > 0
    }

    /// The next bytes to send, if any, in order; about a batch of them. `scratch` is reused from call to call.
    pub fn write(&mut self, scratch: &mut BytesMut, out: &mut VecDeque<Bytes>) {
        let mut budget = BATCH;
        while budget > 0 {
            let Some(item) = self.queue.get((self.sent - self.acked) as usize) else { break };
            let left = item.bytes.len() - self.offset;
            let length = left.min(FRAGMENT);
            let piece = match (item.close, left > length) {
                (true, _) => Piece::Close,
                (false, true) => Piece::More,
                (false, false) => Piece::Last,
            };
            self.begun = self.begun.max(self.sent + 1);
            put_data_head(scratch, self.sent + 1, self.received, piece, length);
            if length <= COPIED {
                scratch.extend_from_slice(&item.bytes[self.offset..self.offset + length]);
            } else {
                out.push_back(scratch.split().freeze());
                out.push_back(item.bytes.slice(self.offset..self.offset + length));
            }
            budget = budget.saturating_sub(length + 8);
            if piece == Piece::More {
                self.offset += length;
            } else {
                (self.sent, self.offset) = (self.sent + 1, 0);
            }
            (self.unsaid, self.unsaid_bytes, self.ack_now) = (0, 0, false);
        }
        if self.ack_is_due() {
            put_ack(scratch, self.received);
            (self.unsaid, self.unsaid_bytes, self.ack_now) = (0, 0, false);
        }
        if !scratch.is_empty() {
            out.push_back(scratch.split().freeze());
        }
    }
}

/// What a message costs as long as it is kept, however short it is.
fn cost(bytes: &Bytes) -> u64 {
    bytes.len() as u64 + OVERHEAD
}

fn too_large(limit: usize) -> Failure {
    Failure::new(Code::TooLarge, format!("a message is larger than {limit} bytes, which is the most that is accepted on this link"))
        .help("send less at a time: fewer or smaller chunks in the arguments of one graph")
}
