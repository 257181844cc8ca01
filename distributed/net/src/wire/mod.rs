//! Messages as bytes and back.
//!
//! It refuses to know sockets. Invariant: a decoder never panics, whatever the bytes are; it checks counts against the bytes
//! that are left before it allocates, and nests to a fixed depth only.

mod bytes;
mod client;
mod failure;
mod graph;
mod keys;
mod layer;
mod nanny;
mod said;
mod value;
mod worker;

pub use self::bytes::{Reader, Writer};
pub use client::{decode_asked, decode_told, encode_asked, encode_told, encode_told_some, submitted_run};
pub use failure::{flat, read_failure, write_failure};
pub use graph::{MOST_TASKS, decode_graph, encode_graph};
pub use nanny::{decode_nanny, decode_to_nanny, encode_nanny, encode_to_nanny};
pub use said::{decode_said, decode_said_into, encode_said};
pub use value::{Opaque, decode_value, encode_value};
pub use worker::{MOST_TO_WORKER, WorkerDecoder, WorkerEncoder};
