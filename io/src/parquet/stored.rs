//! A column of a row group out of its bytes, and a test of the values that it lists before its rows.
//!
//! It refuses to know where the bytes come from. Invariant: a column has exactly the wanted rows, or there is an error that names it.

use std::io::Cursor;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use polars::prelude::{Column, DataFrame, DataType, IntoColumn, PlSmallStr, PolarsResult, Series};
use polars_arrow::array::Array;
use polars_arrow::bitmap::{Bitmap, BitmapBuilder};
use polars_arrow::datatypes::Field;
use polars_buffer::Buffer;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::parquet::read::PageMetaData;
use polars_parquet::read::expr::{ParquetColumnExpr, SpecializedParquetColumnExpr};
use polars_parquet::read::{BasicDecompressor, Filter, PageReader, PredicateFilter, column_iter_to_arrays};

use super::layout::{ColumnLayout, Leaf};
use super::rows::{Rows, bits};
use super::unpack::unpacked;
use crate::damage::{damaged, guarded};
use crate::error::{Error, Result};
use crate::ranges::fetch;
use crate::table::{Located, Test};

/// A column of a row group.
pub(super) struct Stored<'a> {
    pub(super) layout: &'a ColumnLayout,
    pub(super) leaves: &'a [Leaf],
    pub(super) dtype: &'a DataType,
}

impl Stored<'_> {
    /// Out of the beginnings of its leaves, or out of all of them when rows proved to be larger than on the average.
    pub(super) fn of_beginning(&self, at: &Located, bytes: Vec<Buffer<u8>>, rows: &Rows) -> Result<Column> {
        let whole = self.leaves.iter().zip(&bytes).all(|(leaf, bytes)| bytes.len() as u64 == leaf.length);
        match self.decode(&at.path, bytes, rows) {
            Err(_) if !whole => {
                let ranges: Vec<_> = self.leaves.iter().map(|leaf| leaf.start..leaf.start + leaf.length).collect();
                self.decode(&at.path, fetch(&at.path, at.size, &ranges)?, rows)
            }
            decoded => decoded,
        }
    }

    fn decode(&self, file: &str, bytes: Vec<Buffer<u8>>, rows: &Rows) -> Result<Column> {
        let series = self.guarded(file, || match self.layout.leaves.is_empty() {
            // The file's own schema names a column that is not stored.
            true => Ok(Series::full_null(self.layout.field.name.clone(), rows.count(), self.dtype)),
            false => self.series(bytes, rows.filter()).map(|(series, _)| series),
        })?;
        self.checked("rows", series.len(), rows.count(), file)?;
        Ok(series.into_column())
    }

    /// Whether the column may be asked by [`Stored::tested`]: it lists its values, and they are of a type that is stored as it is.
    pub(super) fn lists_values(&self) -> bool {
        let plain =
            self.dtype.is_integer() || matches!(self.dtype, DataType::Float32 | DataType::Float64 | DataType::String | DataType::Date);
        plain && matches!(self.leaves, [leaf] if leaf.lists_values) && !self.layout.field.dtype.is_nested()
    }

    /// The rows of the whole row group that pass a test, and the column of these rows, if it is wanted. The test is asked of each of the
    /// listed values once, and of rows that are stored without them as ever. `None` where it refused to answer: a value that it fails on may
    /// be one that no row has.
    pub(super) fn tested(&self, file: &str, bytes: Vec<Buffer<u8>>, test: &Test, wanted: bool) -> Result<Option<(Bitmap, Option<Column>)>> {
        let listed = Arc::new(Listed {
            name: self.layout.field.name.clone(),
            dtype: self.dtype.clone(),
            test: test.clone(),
            null: OnceLock::new(),
            refused: AtomicBool::new(false),
        });
        let filter = Filter::Predicate(PredicateFilter { predicate: listed.clone(), include_values: wanted });
        let decoded = self.guarded(file, || self.series(bytes, filter));
        if listed.refused.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let (series, kept) = decoded?;
        if wanted {
            self.checked("rows that pass", series.len(), kept.set_bits(), file)?;
        }
        Ok(Some((kept, wanted.then(|| series.into_column()))))
    }

    /// Calls a decoder; what it says of damage is said of this column.
    pub(super) fn guarded<T>(&self, file: &str, decode: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
        guarded(file, self.leaves.first().map(|leaf| leaf.start), decode).map_err(|error| self.named(error))
    }

    pub(super) fn checked(&self, what: &str, found: usize, expected: usize, file: &str) -> Result<()> {
        if found == expected {
            return Ok(());
        }
        let what = format!("the row group should have {expected} {what}, and the column has {found}");
        Err(self.named(damaged(file, self.leaves.first().map(|leaf| leaf.start), what)))
    }

    fn named(&self, mut error: Error) -> Error {
        error.place_mut().column = Some(self.layout.field.name.to_string());
        error
    }

    fn series(&self, bytes: Vec<Buffer<u8>>, filter: Filter) -> PolarsResult<(Series, Bitmap)> {
        let (arrays, passed) = self.arrays(bytes, filter, self.layout.field.clone())?;
        let series = Series::try_from((&self.layout.field, arrays))?;
        Ok((if series.dtype() == self.dtype { series } else { series.cast(self.dtype)? }, passed))
    }

    pub(super) fn arrays(&self, bytes: Vec<Buffer<u8>>, filter: Filter, field: Field) -> PolarsResult<(Vec<Box<dyn Array>>, Bitmap)> {
        let descriptors = &self.layout.leaves;
        // Pages of columns in several levels may begin in the middle of a row.
        let rows = Some(&filter).filter(|_| !self.layout.field.dtype.is_nested());
        let pages = self.leaves.iter().zip(descriptors).zip(bytes).map(|((leaf, descriptor), packed)| {
            let (bytes, codec) = unpacked(&packed, leaf, rows).map_or((packed, leaf.codec), |bytes| (bytes, Compression::Uncompressed));
            let about = PageMetaData::new(leaf.start, leaf.values, codec, descriptor.clone());
            BasicDecompressor::new(PageReader::new_with_page_meta(Cursor::new(bytes), about, Vec::new(), usize::MAX), Vec::new())
        });
        let types = descriptors.iter().map(|descriptor| &descriptor.primitive_type).collect();
        let pages = pages.collect();
        column_iter_to_arrays(pages, types, field, Some(filter))
    }
}

/// A test as the decoder asks it: of the values that a column lists, and of pages whose rows are stored without them.
struct Listed {
    name: PlSmallStr,
    dtype: DataType,
    test: Test,
    /// Whether null passes.
    null: OnceLock<bool>,
    refused: AtomicBool,
}

impl Listed {
    fn kept(&self, values: Series) -> Option<Bitmap> {
        let height = values.len();
        let frame = DataFrame::new(height, vec![values.into_column()]).ok()?;
        (self.test.keep)(&frame).map(|mask| bits(&mask)).filter(|kept| kept.len() == height)
    }

    fn or_refused<T>(&self, answer: Option<T>, otherwise: T) -> T {
        answer.unwrap_or_else(|| {
            self.refused.store(true, Ordering::Relaxed);
            otherwise
        })
    }
}

impl ParquetColumnExpr for Listed {
    fn evaluate_mut(&self, values: &dyn Array, kept: &mut BitmapBuilder) {
        let series = Series::from_chunk_and_dtype(self.name.clone(), values.to_boxed(), &self.dtype).ok();
        let answer = series.and_then(|series| self.kept(series));
        kept.extend_from_bitmap(&self.or_refused(answer, Bitmap::new_zeroed(values.len())));
    }

    fn evaluate_null(&self) -> bool {
        *self.null.get_or_init(|| {
            let answer = self.kept(Series::full_null(self.name.clone(), 1, &self.dtype));
            self.or_refused(answer.map(|kept| kept.get_bit(0)), false)
        })
    }

    fn as_specialized(&self) -> Option<&SpecializedParquetColumnExpr> {
        None
    }
}
