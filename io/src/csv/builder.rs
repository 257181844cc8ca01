//! The builder of a column: one kind for each type that is parsed directly. It refuses to know errors and files.
//!
//! The invariant: the kind of builder follows from the field alone, but for codes, which may turn into text on the way.

use super::Field;
use super::codes::Coder;
use super::columns::{Booleans, Numbers, OnTrouble, Window};
use super::text::{Dated, Texts};
use polars::prelude::DataType;

/// A column under way.
pub(super) enum Builder {
    Int8(Numbers<i8>),
    Int16(Numbers<i16>),
    Int32(Numbers<i32>),
    Int64(Numbers<i64>),
    UInt8(Numbers<u8>),
    UInt16(Numbers<u16>),
    UInt32(Numbers<u32>),
    UInt64(Numbers<u64>),
    Float32(Numbers<f32>),
    Float64(Numbers<f64>),
    Boolean(Booleans),
    Texts(Texts),
    Codes(Box<Coder>),
    /// All other types: text that is cast in the end.
    Dated(Dated),
}

/// Calls a method of whatever builder it is.
macro_rules! each {
    ($builder:expr, $inner:ident => $call:expr) => {
        match $builder {
            Builder::Int8($inner) => $call,
            Builder::Int16($inner) => $call,
            Builder::Int32($inner) => $call,
            Builder::Int64($inner) => $call,
            Builder::UInt8($inner) => $call,
            Builder::UInt16($inner) => $call,
            Builder::UInt32($inner) => $call,
            Builder::UInt64($inner) => $call,
            Builder::Float32($inner) => $call,
            Builder::Float64($inner) => $call,
            Builder::Boolean($inner) => $call,
            Builder::Texts($inner) => $call,
            Builder::Codes($inner) => $call,
            Builder::Dated($inner) => $call,
        }
    };
}

impl Builder {
    /// An empty one.
    pub fn new(field: &Field, gave_up_codes: bool) -> Self {
        match field.dtype {
            DataType::Int8 => Builder::Int8(Numbers::default()),
            DataType::Int16 => Builder::Int16(Numbers::default()),
            DataType::Int32 => Builder::Int32(Numbers::default()),
            DataType::Int64 => Builder::Int64(Numbers::default()),
            DataType::UInt8 => Builder::UInt8(Numbers::default()),
            DataType::UInt16 => Builder::UInt16(Numbers::default()),
            DataType::UInt32 => Builder::UInt32(Numbers::default()),
            DataType::UInt64 => Builder::UInt64(Numbers::default()),
            DataType::Float32 => Builder::Float32(Numbers::default()),
            DataType::Float64 => Builder::Float64(Numbers::default()),
            DataType::Boolean => Builder::Boolean(Booleans::default()),
            DataType::String if field.as_codes && !gave_up_codes => Builder::Codes(Box::default()),
            DataType::String => Builder::Texts(Texts::default()),
            _ => Builder::Dated(Dated::default()),
        }
    }

    /// Appends a column of the window.
    pub fn decode(&mut self, window: &Window<'_>, column: usize, on_trouble: OnTrouble<'_>) {
        each!(self, inner => inner.decode(window, column, on_trouble));
    }

    /// Makes room for so many rows more.
    pub fn reserve(&mut self, rows: usize) {
        each!(self, inner => inner.reserve(rows));
    }

    /// Bytes held, roughly.
    pub fn nbytes(&self) -> usize {
        each!(self, inner => inner.nbytes())
    }
}
