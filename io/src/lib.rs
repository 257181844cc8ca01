//! Bytes and formats: object stores, ranged reads, CSV, Parquet, Arrow files, JSON lines, arrays of NumPy and Zarr, images, and writing them. Knows no tasks.

pub mod blocking;
mod bounds;
mod compress;
pub mod csv;
mod damage;
mod error;
mod folder;
#[cfg(feature = "hdf5")]
pub mod hdf5;
mod hive;
pub mod images;
pub mod ipc;
pub mod json;
mod kind;
mod manifest;
pub mod npy;
mod options;
pub mod parquet;
mod ranges;
mod read;
mod resolve;
mod seekable;
mod source;
mod storage;
mod store;
mod table;
pub mod write;
pub mod zarr;
pub use compress::Compression;
pub use error::{Error, ErrorKind, Place, Wider};
pub use hive::Hive;
pub use kind::Kind;
pub use options::{Room, TableOptions};
pub use storage::{StorageOptions, adopt_storage_options, set_storage_options, storage_changes, storage_options};
pub use store::{memory_store, put};
pub use table::{Coded, FileTable, Keep, Piece, ROWS, Recipe, Test, greatest, least, nulls};
