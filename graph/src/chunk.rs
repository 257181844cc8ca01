//! What a task produced. A chunk is shared and never changed; this file knows no format and no disk.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::Failure;

/// Bytes that somebody owns: a `Vec<u8>`, a memory map, a received frame.
pub type Buffer = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A value as bytes: a small header that its decoder understands, and buffers that are moved without a copy.
#[derive(Clone)]
pub struct Encoded {
    /// Read by the decoder of this kind and by nobody else.
    pub header: Vec<u8>,
    /// The bulk, in order.
    pub buffers: Vec<Buffer>,
}

impl Encoded {
    /// An encoding of one buffer and no header.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self { header: Vec::new(), buffers: vec![Arc::new(bytes)] }
    }

    /// All bytes, in bytes.
    pub fn nbytes(&self) -> u64 {
        self.header.len() as u64 + self.buffers.iter().map(|b| (**b).as_ref().len() as u64).sum::<u64>()
    }
}

/// Anything that a task may produce: a frame partition, an array block, a number.
pub trait Value: Any + Send + Sync {
    /// The registered name under which [`crate::Registry::decode_value`] finds the decoder.
    fn kind(&self) -> &'static str;
    /// What it costs to keep it in memory, in bytes.
    fn nbytes(&self) -> u64;
    /// As bytes, to spill or to send. Decoding gives an equal value, bit by bit.
    fn encode(&self) -> Result<Encoded, Failure>;
    /// The pieces that [`crate::Wiring::Part`] hands out, when this value is made of pieces.
    fn parts(&self) -> Option<&[Chunk]> {
        None
    }
}

/// A shared, immutable value that a task produced.
#[derive(Clone)]
pub struct Chunk(pub Arc<dyn Value>);

impl Chunk {
    /// Wraps a value.
    pub fn new(value: impl Value) -> Self {
        Self(Arc::new(value))
    }

    /// The value as `T`, if it is one.
    pub fn get<T: Value>(&self) -> Option<&T> {
        (&*self.0 as &dyn Any).downcast_ref()
    }

    /// Bytes in memory.
    pub fn nbytes(&self) -> u64 {
        self.0.nbytes()
    }

    /// Piece `index`, when the value is made of pieces.
    pub fn part(&self, index: u32) -> Option<Chunk> {
        self.0.parts()?.get(index as usize).cloned()
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({}, {} B)", self.0.kind(), self.nbytes())
    }
}

/// A value made of pieces, one for each consumer: what a shuffle's split produces.
pub struct Parts(pub Vec<Chunk>);

impl Value for Parts {
    fn kind(&self) -> &'static str {
        "parts"
    }

    fn nbytes(&self) -> u64 {
        self.0.iter().map(Chunk::nbytes).sum()
    }

    /// Shells store and send the pieces one by one, so that a reader of one piece moves that piece only.
    fn encode(&self) -> Result<Encoded, Failure> {
        Err(Failure::internal("a value made of parts is encoded part by part"))
    }

    fn parts(&self) -> Option<&[Chunk]> {
        Some(&self.0)
    }
}

/// Any plain value with a serde form, for user tasks and for tests.
pub struct Plain<T>(pub T);

impl Value for Plain<i64> {
    fn kind(&self) -> &'static str {
        "i64"
    }

    fn nbytes(&self) -> u64 {
        8
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        Ok(Encoded::of(self.0.to_le_bytes().to_vec()))
    }
}

impl Value for Plain<Vec<u8>> {
    fn kind(&self) -> &'static str {
        "bytes"
    }

    fn nbytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn encode(&self) -> Result<Encoded, Failure> {
        Ok(Encoded::of(self.0.clone()))
    }
}
