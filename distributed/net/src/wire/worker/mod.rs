//! What the scheduler says to one worker, as bytes: layers are sent once and then meant by number.
//!
//! It refuses to know what the messages do. Invariant: both ends keep the same table of layers, because every change of it is
//! part of a message and messages are read in order.
//!
//! An assignment carries the arguments of its own task only. Where a layer has arguments, the worker's copy of it for that task
//! has columns of one entry, which serves the one task that it was sent for (see how the graph's `run_task` finds arguments).

mod decode;
mod encode;

pub use decode::WorkerDecoder;
pub use encode::WorkerEncoder;

/// Largest message that a worker accepts of its scheduler, in bytes: a task's argument can be as large as a client's graph. A task
/// that takes more with its arguments fails.
pub const MOST_TO_WORKER: usize = 1 << 30;

const MACHINE: u8 = 0;
const PEERS: u8 = 1;
const FORGET: u8 = 2;
const CHECK: u8 = 3;
const CLOSE: u8 = 4;
const SHARED: u8 = 5;

const ASSIGN: u8 = 0;
const FREE: u8 = 1;
const ABANDON: u8 = 2;
const RETRACT: u8 = 3;
const ACQUIRE: u8 = 4;
const GONE: u8 = 5;
/// A layer gets a number: all of it, or its identity alone where it is only read.
const DEFINE: u8 = 6;
const NAME: u8 = 7;
const HOLDERS: u8 = 8;

const INLINE: u8 = 1;
const TIMEOUT: u8 = 2;
const INPUTS: u8 = 4;
const ARGS: u8 = 8;

/// Least bytes of an item, of an input of its own layer, of an input of the list's layer, of a peer.
const ITEM: usize = 2;
const MIXED: usize = 5;
const UNIFORM: usize = 3;
const PEER: usize = 3;
