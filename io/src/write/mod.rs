//! Writing a table as files that appear all at once.
//!
//! Each part is written by a task of its own, under the name of the attempt, in a hidden folder; one step at the end publishes what was
//! stored ([`Target::publish`]). Until then readers see nothing of it, and what it replaces is still there. `publish.rs` says how.

mod destination;
mod format;
mod output;
mod publish;
mod single;
mod target;
pub use crate::manifest::Part;
pub use destination::{Destination, Replaces};
pub use format::{CsvWriteOptions, Format, IpcCodec, IpcWriteOptions, JsonWriteOptions, ParquetCodec, ParquetWriteOptions, WriteOptions};
#[cfg(feature = "hdf5")]
pub(crate) use output::{beside, unwritable};
pub use publish::Published;
pub use target::Target;
