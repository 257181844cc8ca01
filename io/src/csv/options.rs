//! What a user may say about CSV files, checked once and named in the user's words when it cannot be.
//!
//! It refuses to look at files. Invariant: setters never fail; what cannot be used is held and reported by [`super::open`].

use std::collections::BTreeMap;

use polars::prelude::DataType;

use super::Encoding;
use crate::error::{Error, ErrorKind, Result};
use crate::options::size;

/// A number of bytes: a whole number, or text such as `"64MB"` (10^6), `"64MiB"` (2^20), `"1.5 GB"`, `"4096"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteSize(std::result::Result<u64, String>);

impl ByteSize {
    /// The number, or the text that is none.
    pub fn get(&self) -> std::result::Result<u64, &str> {
        self.0.as_ref().copied().map_err(String::as_str)
    }
}

impl From<u64> for ByteSize {
    fn from(bytes: u64) -> Self {
        Self(Ok(bytes))
    }
}

impl From<usize> for ByteSize {
    fn from(bytes: usize) -> Self {
        Self(Ok(bytes as u64))
    }
}

impl From<u32> for ByteSize {
    fn from(bytes: u32) -> Self {
        Self(Ok(u64::from(bytes)))
    }
}

impl From<i32> for ByteSize {
    fn from(bytes: i32) -> Self {
        Self(u64::try_from(bytes).map_err(|_| bytes.to_string()))
    }
}

impl From<&str> for ByteSize {
    fn from(text: &str) -> Self {
        Self(parse_size(text).ok_or_else(|| text.to_owned()))
    }
}

impl From<String> for ByteSize {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|letter: char| !(letter.is_ascii_digit() || letter == '.')).unwrap_or(text.len());
    let number: f64 = text[..split].parse().ok()?;
    let unit = match text[split..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1u64,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    Some((number * unit as f64) as u64)
}

/// How CSV files are read; see each setter. By default everything is found out by looking.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CsvOptions {
    pub(super) blocksize: Option<ByteSize>,
    pub(super) separator: Option<char>,
    pub(super) quote: Option<Option<char>>,
    pub(super) comment: Option<String>,
    pub(super) has_header: Option<bool>,
    pub(super) columns: Option<Vec<String>>,
    pub(super) null_values: Vec<String>,
    pub(super) empty_is_null: Option<bool>,
    pub(super) dtypes: BTreeMap<String, DataType>,
    pub(super) usecols: Option<Vec<String>>,
    pub(super) encoding: Encoding,
    pub(super) sample_bytes: Option<ByteSize>,
    pub(super) threads: Option<usize>,
    pub(super) hive: Option<bool>,
}

impl CsvOptions {
    /// Everything by looking.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of a partition, as a number or as text such as `"64MB"`. Default: from the amount of data, threads and memory.
    pub fn blocksize(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.blocksize = Some(bytes.into());
        self
    }

    /// Whether folders called `key=value`, where a pattern matches them, are columns; their types are found out as those of others, or declared
    /// by [`CsvOptions::dtype`]. Default: yes.
    #[doc(alias = "partitioning")]
    pub fn hive(mut self, hive: bool) -> Self {
        self.hive = Some(hive);
        self
    }

    /// Between fields; one ASCII character. Default: found out among `,` `;` tab `|` and space.
    #[doc(alias = "sep")]
    #[doc(alias = "delimiter")]
    pub fn separator(mut self, separator: char) -> Self {
        self.separator = Some(separator);
        self
    }

    /// Around fields that hold separators or newlines; one ASCII character. `None`: quotes mean nothing. Default: found out, nearly
    /// always `"`.
    #[doc(alias = "quotechar")]
    pub fn quote(mut self, quote: Option<char>) -> Self {
        self.quote = Some(quote);
        self
    }

    /// Lines that start with this are no records. Default: there are none. Costs one more pass over the files when planning.
    pub fn comment(mut self, prefix: &str) -> Self {
        self.comment = Some(prefix.to_owned());
        self
    }

    /// Whether the first record of each file names the columns. Default: found out; true unless that record looks like data.
    #[doc(alias = "header")]
    pub fn has_header(mut self, has_header: bool) -> Self {
        self.has_header = Some(has_header);
        self
    }

    /// Names for all columns, in order. Files are then taken to have no header, unless `has_header(true)` is said too: the names
    /// of the header are then replaced.
    #[doc(alias = "names")]
    pub fn columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Unquoted cells that stand for null in every column, besides the empty cell. Default: none.
    #[doc(alias = "na_values")]
    pub fn null_values<S: Into<String>>(mut self, values: impl IntoIterator<Item = S>) -> Self {
        self.null_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// Whether an empty unquoted cell of a text column is null (default) or the empty text.
    pub fn empty_is_null(mut self, empty_is_null: bool) -> Self {
        self.empty_is_null = Some(empty_is_null);
        self
    }

    /// The type of one column. A cell that does not fit is then an error; without this the column becomes wider.
    pub fn dtype(mut self, column: &str, dtype: DataType) -> Self {
        self.dtypes.insert(column.to_owned(), dtype);
        self
    }

    /// The types of several columns; see [`CsvOptions::dtype`].
    pub fn dtypes<S: Into<String>>(mut self, dtypes: impl IntoIterator<Item = (S, DataType)>) -> Self {
        self.dtypes.extend(dtypes.into_iter().map(|(column, dtype)| (column.into(), dtype)));
        self
    }

    /// The only columns to read, in any order; they keep the files' order. Default: all. Rarely needed: columns that a
    /// computation does not use are not parsed anyway.
    pub fn usecols<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.usecols = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// How bytes that are not UTF-8 are met. Default: an error that names the cell.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Bytes looked at in each of three places (start, middle, end) of each file to find out types. Default: 64 KiB. With many
    /// files each gets less, so that together they stay near 8 MiB. Where the first records are longer, the first of the places grows until
    /// it holds two of them, up to 64 MiB or what is said here if that is more; beyond that opening fails and names this option.
    #[doc(alias = "sample")]
    pub fn sample_bytes(mut self, bytes: impl Into<ByteSize>) -> Self {
        self.sample_bytes = Some(bytes.into());
        self
    }

    /// Threads for planning. Default: the machine's.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// What [`CsvOptions::blocksize`] was told.
    ///
    /// # Errors
    /// `InvalidOption` for a text that is no size, and for 0.
    pub fn chosen_blocksize(&self) -> Result<Option<u64>> {
        size("blocksize", self.blocksize.as_ref())
    }

    /// What [`CsvOptions::threads`] was told, or the machine's number.
    pub fn chosen_threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
    }

    /// Refuses what no file could satisfy. The file of such an error is the option's name.
    pub(super) fn check(&self) -> Result<()> {
        let one_byte = |option: &str, letter: Option<char>| match letter {
            Some(letter) if !letter.is_ascii() || letter == '\n' || letter == '\r' => {
                Err(invalid(option, &format!("one ASCII character that is no newline, not {letter:?}")))
            }
            _ => Ok(()),
        };
        one_byte("separator", self.separator)?;
        one_byte("quote", self.quote.flatten())?;
        if self.separator.is_some() && self.separator == self.quote.flatten() {
            return Err(invalid("quote", "another character than the separator"));
        }
        let quote = self.quote.unwrap_or(Some('"'));
        if self
            .comment
            .as_ref()
            .is_some_and(|prefix| prefix.is_empty() || prefix.contains('\n') || quote.is_some_and(|quote| prefix.contains(quote)))
        {
            return Err(invalid("comment", "a text without quotes and newlines, not empty"));
        }
        if let Some(twice) = self.columns.as_deref().and_then(first_twice) {
            let mut error = Error::new(ErrorKind::DuplicateColumn, "columns");
            error.place_mut().column = Some(twice.to_owned());
            return Err(error);
        }
        if let Some((name, dtype)) = self.dtypes.iter().find(|(_, dtype)| dtype.is_nested() || dtype.is_duration()) {
            return Err(invalid("dtype", &format!("types that the text of one cell can be, not {dtype} for `{name}`: read it as text")));
        }
        self.chosen_blocksize()?;
        self.chosen_sample()?;
        Ok(())
    }

    pub(super) fn chosen_sample(&self) -> Result<u64> {
        Ok(size("sample_bytes", self.sample_bytes.as_ref())?.unwrap_or(64 << 10))
    }
}

/// The first name that stands twice.
pub(super) fn first_twice(names: &[String]) -> Option<&str> {
    let mut seen = std::collections::BTreeSet::new();
    names.iter().find(|name| !seen.insert(name.as_str())).map(String::as_str)
}

fn invalid(option: &str, accepted: &str) -> Error {
    Error::new(ErrorKind::InvalidOption { accepted: accepted.to_owned() }, option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [("64MB", 64_000_000), ("64 MiB", 64 << 20), ("1.5kb", 1500), ("4096", 4096), ("2GiB", 2 << 30), ("7 b", 7)];
        for (text, bytes) in cases {
            assert_eq!(ByteSize::from(text).get(), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "12 parsecs", "-1", "1..5"] {
            assert_eq!(ByteSize::from(text).get(), Err(text));
        }
        assert_eq!(ByteSize::from(-5).get(), Err("-5"));
    }

    #[test]
    fn bad_options_name_themselves() {
        let cases = [
            (CsvOptions::new().separator('€'), "separator"),
            (CsvOptions::new().quote(Some('\n')), "quote"),
            (CsvOptions::new().separator('|').quote(Some('|')), "quote"),
            (CsvOptions::new().comment(""), "comment"),
            (CsvOptions::new().columns(["a", "a"]), "columns"),
            (CsvOptions::new().blocksize("big"), "blocksize"),
            (CsvOptions::new().sample_bytes(0), "sample_bytes"),
        ];
        for (options, name) in cases {
            assert_eq!(options.check().unwrap_err().place().file, name);
        }
        assert_eq!(CsvOptions::new().blocksize("1MB").chosen_blocksize(), Ok(Some(1_000_000)));
    }
}
