//! What a CSV file looks like and what is wanted of it: the words shared by sniffing, cutting and decoding.

use polars::prelude::DataType;
use serde::{Deserialize, Serialize};

/// How bytes that are not UTF-8 are met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Encoding {
    /// They are an error that names the cell.
    #[default]
    Utf8,
    /// They become U+FFFD.
    Lossy,
}

/// How records and fields are written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dialect {
    /// Between fields; one ASCII byte.
    pub separator: u8,
    /// Around fields that hold separators or newlines; doubled inside. `None`: quotes mean nothing.
    pub quote: Option<u8>,
    /// Lines that start with this are no records.
    pub comment: Option<String>,
    /// Whether the first record names the columns.
    pub has_header: bool,
    /// How bytes that are not UTF-8 are met.
    pub encoding: Encoding,
    /// Cells that stand for null, besides the empty unquoted cell, in every column. Quoted cells are never null.
    pub null_values: Vec<String>,
    /// Whether an empty unquoted cell of a text column is null (default) or the empty text. In all other columns it is null.
    pub empty_is_null: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            separator: b',',
            quote: Some(b'"'),
            comment: None,
            has_header: true,
            encoding: Encoding::Utf8,
            null_values: Vec::new(),
            empty_is_null: true,
        }
    }
}

/// A column that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Place in the record, from 0.
    pub position: usize,
    /// Type of the result. Parsed directly: Boolean, all integers, Float32/64, String. Others (Date, Datetime, …) are parsed
    /// as text and cast strictly.
    pub dtype: DataType,
    /// True when the user declared the type: a cell that does not fit is then an error, never a wider column.
    pub declared: bool,
    /// For text columns: hand out codes and distinct values instead of text, as long as the values are few.
    pub as_codes: bool,
}

/// All that a decoder needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSpec {
    /// How it is written.
    pub dialect: Dialect,
    /// Fields of each record. A record with another number is an error. Blank lines are skipped when this is more than 1.
    pub width: usize,
    /// The wanted fields, by ascending position; may be empty (only rows are counted).
    pub fields: Vec<Field>,
}
