//! What a user may say about JSON lines.
//!
//! It refuses to look at files. Invariant: setters never fail; what cannot be used is held and reported when the files are opened.

use std::collections::BTreeMap;

use polars::prelude::DataType;

use super::write::shown;
use crate::csv::ByteSize;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{TableOptions, size};

/// Options for reading JSON lines.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct JsonOptions {
    pub(super) table: TableOptions,
    pub(super) dtypes: BTreeMap<String, DataType>,
    sample_bytes: Option<ByteSize>,
    blocksize: Option<ByteSize>,
}

impl JsonOptions {
    /// Everything by looking.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of a partition, as a number or as text such as `"64MB"`. Default: from the amount of data, threads and memory.
    pub fn blocksize(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.blocksize = Some(bytes.into());
        self
    }

    /// The type of one column. A value that does not fit is then an error; without this the column becomes wider. A key that no sample
    /// shows has to be declared.
    pub fn dtype(mut self, column: &str, dtype: DataType) -> Self {
        self.dtypes.insert(column.to_owned(), dtype);
        self
    }

    /// The types of several columns; see [`JsonOptions::dtype`].
    pub fn dtypes<S: Into<String>>(mut self, dtypes: impl IntoIterator<Item = (S, DataType)>) -> Self {
        self.dtypes.extend(dtypes.into_iter().map(|(column, dtype)| (column.into(), dtype)));
        self
    }

    /// Bytes looked at in each of three places (start, middle, end) of each file to find out keys and types. Default: 64 KiB.
    pub fn sample_bytes(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.sample_bytes = Some(bytes.into());
        self
    }

    /// Whether folders called `key=value` are columns. Default: yes.
    pub fn hive(mut self, hive: bool) -> Self {
        self.table = self.table.hive(hive);
        self
    }

    /// Threads for planning. Default: the machine's.
    pub fn threads(mut self, threads: usize) -> Self {
        self.table = self.table.threads(threads);
        self
    }

    /// Refuses types that no text can be.
    pub(super) fn check(&self) -> Result<()> {
        match self.dtypes.iter().find(|(_, dtype)| !shown(dtype)) {
            None => Ok(()),
            Some((name, dtype)) => {
                let accepted = format!("types that JSON has a form for, not {dtype} for `{name}`");
                Err(Error::new(ErrorKind::InvalidOption { accepted }, "dtype"))
            }
        }
    }

    pub(super) fn chosen_blocksize(&self) -> Result<Option<u64>> {
        size("blocksize", self.blocksize.as_ref())
    }

    pub(super) fn chosen_sample(&self) -> Result<u64> {
        Ok(size("sample_bytes", self.sample_bytes.as_ref())?.unwrap_or(64 << 10))
    }
}
