//! Bytes and formats: object stores, ranged reads, CSV. Knows no tasks.

pub mod blocking;
mod compress;
pub mod csv;
mod error;
pub mod ipc;
mod read;
mod resolve;
mod source;
mod store;
pub use compress::Compression;
pub use error::{Error, ErrorKind, Place, Wider};
pub use store::{memory_store, put};
