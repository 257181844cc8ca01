//! Bytes and formats: object stores, ranged reads, CSV. Knows no tasks.

pub mod csv;
mod error;
pub use error::{Error, ErrorKind, Place, Wider};
