//! What a user may say about files that describe themselves (Parquet, Arrow).
//!
//! It refuses to look at files. Invariant: setters never fail; what cannot be used is held and reported when the files are opened.

use std::collections::BTreeMap;

use polars::prelude::DataType;

use crate::csv::ByteSize;
use crate::error::{Error, ErrorKind, Result};

/// Options for reading Parquet and Arrow files.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TableOptions {
    blocksize: Option<ByteSize>,
    hive: Option<bool>,
    pub(crate) hive_dtypes: BTreeMap<String, DataType>,
    threads: Option<usize>,
}

impl TableOptions {
    /// Everything by looking.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stored bytes of a partition, as a number or as text such as `"64MB"`. Neighbouring row groups (record batches) are joined up to
    /// this size; larger row groups are cut by rows. Default: from the amount of data, threads and memory; row groups are then cut only
    /// where there would be fewer partitions than threads.
    pub fn blocksize(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.blocksize = Some(bytes.into());
        self
    }

    /// Whether folders called `key=value`, below the folder or pattern that is read, are columns. Default: yes.
    #[doc(alias = "partitioning")]
    pub fn hive(mut self, hive: bool) -> Self {
        self.hive = Some(hive);
        self
    }

    /// The type of a column in the names of folders. Default: the narrowest of integer, float, truth value and date that shows all names
    /// exactly as they are, or text.
    pub fn hive_dtype(mut self, column: &str, dtype: DataType) -> Self {
        self.hive_dtypes.insert(column.to_owned(), dtype);
        self
    }

    /// Threads for planning. Default: the machine's.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    pub(crate) fn reads_folders(&self) -> bool {
        self.hive.unwrap_or(true)
    }

    pub(crate) fn chosen_threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
    }

    pub(crate) fn chosen_blocksize(&self) -> Result<Option<u64>> {
        size("blocksize", self.blocksize.as_ref())
    }
}

/// A size that was chosen, or an error that names the option.
pub(crate) fn size(option: &str, chosen: Option<&ByteSize>) -> Result<Option<u64>> {
    let refused = |accepted: String| Err(Error::new(ErrorKind::InvalidOption { accepted }, option));
    match chosen.map(ByteSize::get).transpose() {
        Ok(Some(0)) => refused("at least one byte".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(text) => refused(format!("a number of bytes, or text like \"64MB\" or \"64MiB\", not {text:?}")),
    }
}

/// What the machine and the data say about sizes, where the options say nothing.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Cores that tasks will run on.
    pub threads: usize,
    /// Memory for partitions, in bytes.
    pub memory: u64,
}
