//! Messages as bytes and back.
//!
//! It refuses to know sockets. Invariant: a decoder never panics, whatever the bytes are; it checks counts against the bytes
//! that are left before it allocates, and nests to a fixed depth only.

mod bytes;
mod failure;

pub use self::bytes::{Reader, Writer};
pub use self::failure::{read_failure, write_failure};

use ::bytes::Bytes;
use partita_graph::{Code, Failure, Graph, Registry};

use crate::message::{ClientToScheduler, NannyToScheduler, SchedulerToClient, SchedulerToNanny, SchedulerToWorker, WorkerToScheduler};

fn soon() -> Failure {
    Failure::new(Code::Unsupported, "not encoded yet")
}

/// Messages to one worker as bytes; it keeps what the worker knows already. One for each session.
#[derive(Default)]
pub struct WorkerEncoder {}

impl WorkerEncoder {
    /// The next message. Fails with `NotEncodable` when an argument is a chunk without a form as bytes.
    pub fn encode(&mut self, _message: &SchedulerToWorker) -> Result<Bytes, Failure> {
        Err(soon())
    }
}

/// The other end of a [`WorkerEncoder`]: gets its messages in order.
pub struct WorkerDecoder {}

impl WorkerDecoder {
    /// With the operators and values that this process has: a layer's operators are decoded once, when it is first named.
    pub fn new(_registry: Registry) -> Self {
        Self {}
    }

    /// The next message.
    pub fn decode(&mut self, _bytes: &[u8]) -> Result<SchedulerToWorker, Failure> {
        Err(soon())
    }
}

/// A worker's message as bytes.
pub fn encode_said(_message: &WorkerToScheduler) -> Bytes {
    Bytes::new()
}

/// And back.
pub fn decode_said(_bytes: &[u8]) -> Result<WorkerToScheduler, Failure> {
    Err(soon())
}

/// A client's message as bytes. Fails with `ClosureOnCluster` and `NotEncodable` for graphs that cannot be sent.
pub fn encode_asked(_message: &ClientToScheduler) -> Result<Bytes, Failure> {
    Err(soon())
}

/// And back; a submitted graph is validated. The scheduler keeps chunks in arguments as opaque bytes.
pub fn decode_asked(_bytes: &[u8]) -> Result<ClientToScheduler, Failure> {
    Err(soon())
}

/// A message to a client as bytes.
pub fn encode_told(_message: &SchedulerToClient) -> Bytes {
    Bytes::new()
}

/// And back.
pub fn decode_told(_bytes: Bytes) -> Result<SchedulerToClient, Failure> {
    Err(soon())
}

/// A nanny's message as bytes.
pub fn encode_nanny(_message: &NannyToScheduler) -> Bytes {
    Bytes::new()
}

/// And back.
pub fn decode_nanny(_bytes: &[u8]) -> Result<NannyToScheduler, Failure> {
    Err(soon())
}

/// A message to a nanny as bytes.
pub fn encode_to_nanny(_message: &SchedulerToNanny) -> Bytes {
    Bytes::new()
}

/// And back.
pub fn decode_to_nanny(_bytes: &[u8]) -> Result<SchedulerToNanny, Failure> {
    Err(soon())
}

/// A graph as bytes. Fails with `ClosureOnCluster` and `NotEncodable`.
pub fn encode_graph(_graph: &Graph) -> Result<Vec<u8>, Failure> {
    Err(soon())
}

/// And back, validated.
pub fn decode_graph(_bytes: &[u8]) -> Result<Graph, Failure> {
    Err(soon())
}

/// An encoded value (`Finished.value`, `Value`): its kind, its header and its buffers in one piece.
pub fn encode_value(_chunk: &partita_graph::Chunk) -> Result<Vec<u8>, Failure> {
    Err(soon())
}

/// And back.
pub fn decode_value(_bytes: &[u8], _registry: &Registry) -> Result<partita_graph::Chunk, Failure> {
    Err(soon())
}
