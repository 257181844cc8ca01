//! Builders become polars columns. It refuses to know bytes.
//!
//! The invariant: a column's type is the field's, but for codes, which are text in another form.

use super::Field;
use super::builder::Builder;
use super::columns::{Booleans, Numbers, validity};
use super::text::{Dated, Texts};
use polars::prelude::*;
use polars_arrow::array::{BooleanArray, PrimitiveArray};
use polars_arrow::types::NativeType;

/// What a decoder gives: columns in the order of the wanted fields.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Rows of each column; also right when no column is wanted.
    pub rows: usize,
    /// The columns.
    pub columns: Vec<DecodedColumn>,
}

/// One column.
#[derive(Clone, Debug)]
pub enum DecodedColumn {
    /// A polars column of the field's type.
    Plain(Column),
    /// A text column that was wanted as codes and has few values.
    Codes(Codes),
}

/// A text column as codes into its distinct values, in order of first appearance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes {
    /// Name of the column.
    pub name: String,
    /// For each row an index into `values`.
    pub codes: Vec<u32>,
    /// The distinct values; `None` is null.
    pub values: Vec<Option<String>>,
}

impl Codes {
    /// The same as a polars text column.
    ///
    /// # Panics
    /// When a code is no index into the values.
    pub fn into_column(self) -> Column {
        let values: StringChunked = self.values.iter().map(Option::as_deref).collect();
        let codes = IdxCa::from_vec(PlSmallStr::EMPTY, self.codes);
        let texts = values.take(&codes).expect("codes are indices into their values");
        texts.with_name(self.name.into()).into_column()
    }
}

/// Receives the byte and the text of a cell that cannot be cast.
type OnMisfit<'a> = &'a mut dyn FnMut(u64, &str);

impl DecodedColumn {
    /// The column of a builder.
    pub(super) fn new(field: &Field, builder: Builder, on_misfit: OnMisfit<'_>) -> Self {
        let name = PlSmallStr::from_str(&field.name);
        Self::Plain(match builder {
            Builder::Int8(inner) => numbers::<Int8Type>(name, inner),
            Builder::Int16(inner) => numbers::<Int16Type>(name, inner),
            Builder::Int32(inner) => numbers::<Int32Type>(name, inner),
            Builder::Int64(inner) => numbers::<Int64Type>(name, inner),
            Builder::UInt8(inner) => numbers::<UInt8Type>(name, inner),
            Builder::UInt16(inner) => numbers::<UInt16Type>(name, inner),
            Builder::UInt32(inner) => numbers::<UInt32Type>(name, inner),
            Builder::UInt64(inner) => numbers::<UInt64Type>(name, inner),
            Builder::Float32(inner) => numbers::<Float32Type>(name, inner),
            Builder::Float64(inner) => numbers::<Float64Type>(name, inner),
            Builder::Boolean(inner) => booleans(name, inner),
            Builder::Texts(inner) => texts(name, inner).into_column(),
            Builder::Codes(inner) => {
                return Self::Codes(Codes { name: field.name.clone(), codes: inner.codes, values: inner.values });
            }
            Builder::Dated(inner) => dated(name, &field.dtype, inner, on_misfit),
        })
    }

    /// The polars column, whichever form it has.
    pub fn into_column(self) -> Column {
        match self {
            Self::Plain(column) => column,
            Self::Codes(codes) => codes.into_column(),
        }
    }
}

fn numbers<T>(name: PlSmallStr, inner: Numbers<T::Native>) -> Column
where
    T: PolarsNumericType,
    T::Native: NativeType,
    ChunkedArray<T>: IntoSeries,
{
    let validity = validity(&inner.nulls, inner.values.len());
    let array = PrimitiveArray::from_vec(inner.values).with_validity(validity);
    ChunkedArray::<T>::with_chunk(name, array).into_series().into_column()
}

fn booleans(name: PlSmallStr, inner: Booleans) -> Column {
    let validity = validity(&inner.nulls, inner.values.len());
    let array = BooleanArray::new(ArrowDataType::Boolean, inner.values.into(), validity);
    BooleanChunked::with_chunk(name, array).into_column()
}

fn texts(name: PlSmallStr, inner: Texts) -> StringChunked {
    StringChunked::with_chunk(name, inner.finish())
}

/// A cast that tells which cell stopped it.
fn dated(name: PlSmallStr, dtype: &DataType, inner: Dated, on_misfit: OnMisfit<'_>) -> Column {
    let text = texts(name.clone(), inner.texts);
    let cast = text.cast(dtype).unwrap_or_else(|_| Series::full_null(name, text.len(), dtype));
    if cast.null_count() > text.null_count() {
        let nulls = cast.is_null();
        let misfit = text.iter().zip(nulls.iter()).position(|(text, null)| text.is_some() && null == Some(true));
        if let Some((row, text)) = misfit.and_then(|row| Some((row, text.get(row)?))) {
            on_misfit(inner.starts[row], text);
        }
    }
    cast.into_column()
}
