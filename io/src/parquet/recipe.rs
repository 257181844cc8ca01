//! Reading one piece of a Parquet table: the ranges of the wanted columns are fetched, and decoded by polars.
//!
//! It refuses to know footers and statistics. Invariant: the frame has the columns of the recipe in its order, and exactly the rows of
//! the piece that pass the test; columns that only the result needs are neither fetched nor decoded when no row passes.

use std::io::Cursor;

use polars::prelude::{BooleanChunked, Column, DataFrame, DataType, IntoColumn, PlSmallStr, PolarsResult, Series};
use polars_arrow::bitmap::BitmapBuilder;
use polars_buffer::Buffer;
use polars_parquet::parquet::read::PageMetaData;
use polars_parquet::read::{BasicDecompressor, Filter, PageReader, column_iter_to_arrays};
use serde::{Deserialize, Serialize};

use super::layout::{ColumnLayout, Layout, Leaf};
use crate::damage::{damaged, guarded};
use crate::error::Result;
use crate::hive::Hive;
use crate::ranges::fetch;
use crate::table::{Located, Origin, Test, cancelled};

/// A mask that keeps at most this share of all rows is applied while decoding: what is not kept is neither put into a column nor filtered
/// out of it afterwards.
const FEW_ROWS: f64 = 0.25;
/// The same holds for one whose kept rows lie in fewer runs than this share of all rows, which skips whole pages; else decoding
/// everything and filtering afterwards is faster.
const FEW_RUNS: f64 = 0.01;
/// Writers end a dictionary at about so many bytes; it stands before the first row.
const DICTIONARY: u64 = 1 << 20;

/// What all tasks of a reader share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub(super) files: Vec<File>,
    /// Of the wanted columns that stand in files, in the order in which they are wanted.
    pub(super) layouts: Vec<Layout>,
    pub(super) columns: Vec<((PlSmallStr, DataType), Origin)>,
    pub(super) hive: Hive,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct File {
    pub(super) at: Located,
    pub(super) layout: u32,
}

/// Rows of one row group, and where its columns stand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    pub(super) file: u32,
    pub(super) start: u64,
    pub(super) end: u64,
    /// Of the whole row group.
    pub(super) rows: u64,
    /// For each column of the layout its leaves.
    pub(super) leaves: Vec<Vec<Leaf>>,
}

impl Piece {
    /// The first rows of it.
    fn first(&self, most: u64) -> Self {
        Self { end: self.end.min(self.start.saturating_add(most)), ..self.clone() }
    }

    /// How many bytes of a leaf most likely hold the rows up to the last one of this piece: twice what they would take if all rows were
    /// of one size, and room for a dictionary. The whole leaf where that saves little.
    fn beginning(&self, leaf: &Leaf) -> u64 {
        let share = u128::from(leaf.length) * u128::from(self.end) / u128::from(self.rows.max(1));
        let likely = u64::try_from(2 * share).unwrap_or(u64::MAX).saturating_add(DICTIONARY);
        if likely <= leaf.length / 2 { likely } else { leaf.length }
    }
}

impl Recipe {
    pub(crate) fn read(&self, piece: &Piece, most: u64, test: Option<&Test<'_>>, stop: &dyn Fn() -> bool) -> Result<DataFrame> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        if most == 0 {
            return Ok(self.empty());
        }
        let Some(test) = test else {
            let piece = &piece.first(most);
            return self.frame(piece, &all, &Rows::all(piece), stop);
        };
        let (tested, rest): (Vec<usize>, Vec<usize>) = all.iter().partition(|at| test.columns.contains(&self.columns[**at].0.0));
        let first = self.frame(piece, &tested, &Rows::all(piece), stop)?;
        let mask = first_kept(test.kept(&first)?, most);
        let rows = Rows::kept(piece, &mask);
        if rows.count == 0 {
            return Ok(self.empty());
        }
        let first = filtered(first, &mask, rows.count);
        let second = match rows.sparse() && !self.nested(piece, &rest) {
            true => self.frame(piece, &rest, &rows, stop)?,
            false => filtered(self.frame(piece, &rest, &Rows::all(piece), stop)?, &mask, rows.count),
        };
        Ok(self.together(&tested, first, second, rows.count))
    }

    /// Whether one of these columns is stored in several levels, which are slow to skip.
    fn nested(&self, piece: &Piece, wanted: &[usize]) -> bool {
        let layout = &self.layouts[self.files[piece.file as usize].layout as usize];
        wanted.iter().any(|at| match self.columns[*at].1 {
            Origin::File(place) => layout.columns[place as usize].field.dtype.is_nested(),
            Origin::Folders(_) => false,
        })
    }

    fn empty(&self) -> DataFrame {
        let column = |((name, dtype), _): &((PlSmallStr, DataType), Origin)| Column::new_empty(name.clone(), dtype);
        DataFrame::new(0, self.columns.iter().map(column).collect()).expect("names of columns differ")
    }

    /// The columns of two frames in the recipe's order.
    fn together(&self, tested: &[usize], first: DataFrame, second: DataFrame, height: usize) -> DataFrame {
        let (mut first, mut second) = (first.into_columns().into_iter(), second.into_columns().into_iter());
        let mut columns = Vec::with_capacity(self.columns.len());
        for at in 0..self.columns.len() {
            columns.extend(if tested.contains(&at) { first.next() } else { second.next() });
        }
        DataFrame::new(height, columns).expect("both have the rows that were kept, and names of columns differ")
    }

    /// Some columns of a piece.
    fn frame(&self, piece: &Piece, wanted: &[usize], rows: &Rows, stop: &dyn Fn() -> bool) -> Result<DataFrame> {
        let file = &self.files[piece.file as usize];
        let layout = &self.layouts[file.layout as usize];
        let own = wanted.iter().filter_map(|at| match self.columns[*at].1 {
            Origin::File(place) => Some(place as usize),
            Origin::Folders(_) => None,
        });
        let own: Vec<usize> = own.collect();
        let beginning = |place: &usize| matches!(rows.filter, Filter::Range(_)) && !layout.columns[*place].field.dtype.is_nested();
        let ranges = own.iter().flat_map(|place| {
            let whole = !beginning(place);
            piece.leaves[*place].iter().map(move |leaf| leaf.start..leaf.start + if whole { leaf.length } else { piece.beginning(leaf) })
        });
        let mut bytes = fetch(&file.at.path, file.at.size, &ranges.collect::<Vec<_>>())?.into_iter();
        let mut columns = Vec::with_capacity(wanted.len());
        for at in wanted {
            if stop() {
                return Err(cancelled());
            }
            let ((name, dtype), origin) = &self.columns[*at];
            columns.push(match origin {
                Origin::File(place) => {
                    let leaves = &piece.leaves[*place as usize];
                    let column = Stored { layout: &layout.columns[*place as usize], leaves, dtype };
                    column.of_beginning(&file.at, bytes.by_ref().take(leaves.len()).collect(), rows)?
                }
                Origin::Folders(place) => {
                    let column = self.hive.column(piece.file as usize, *place as usize, rows.count);
                    column.map_err(|error| damaged(&file.at.path, None, format!("the value of `{name}` in its folders: {error}")))?
                }
            });
        }
        DataFrame::new(rows.count, columns).map_err(|error| damaged(&file.at.path, None, error.to_string()))
    }
}

/// The mask without those that it keeps after so many.
fn first_kept(mask: BooleanChunked, most: u64) -> BooleanChunked {
    if mask.sum().is_none_or(|count| u64::from(count) <= most) {
        return mask;
    }
    let mut left = most;
    let first = mask.iter().map(|keep| {
        let keep = keep == Some(true) && left > 0;
        left -= u64::from(keep);
        keep
    });
    first.collect()
}

fn filtered(frame: DataFrame, mask: &BooleanChunked, count: usize) -> DataFrame {
    match frame.height() == count {
        true => frame,
        false => frame.filter(mask).expect("the mask has the height of the frame"),
    }
}

/// Rows of a row group.
struct Rows {
    filter: Filter,
    count: usize,
}

impl Rows {
    fn all(piece: &Piece) -> Self {
        Self { filter: Filter::new_ranged(piece.start as usize, piece.end as usize), count: (piece.end - piece.start) as usize }
    }

    /// Those of a piece for which a mask is true.
    fn kept(piece: &Piece, mask: &BooleanChunked) -> Self {
        let all = Self::all(piece);
        let count = mask.sum().map_or(0, |count| count as usize);
        if count == all.count {
            return all;
        }
        // A decoder's mask covers the whole row group.
        let (before, after) = (piece.start as usize, (piece.rows - piece.end) as usize);
        let mut bits = BitmapBuilder::with_capacity(piece.rows as usize);
        bits.extend_constant(before, false);
        for array in mask.downcast_iter() {
            match array.validity() {
                None => bits.extend_from_bitmap(array.values()),
                Some(valid) => bits.extend_from_bitmap(&(array.values() & valid)),
            }
        }
        bits.extend_constant(after, false);
        Self { filter: Filter::new_masked(bits.freeze()), count }
    }

    fn sparse(&self) -> bool {
        match &self.filter {
            Filter::Mask(mask) => {
                self.count as f64 <= FEW_ROWS * mask.len() as f64 || mask.num_edges() as f64 <= FEW_RUNS * mask.len() as f64
            }
            Filter::Range(_) | Filter::Predicate(_) => true,
        }
    }
}

/// A column of a row group.
struct Stored<'a> {
    layout: &'a ColumnLayout,
    leaves: &'a [Leaf],
    dtype: &'a DataType,
}

impl Stored<'_> {
    /// Out of the beginnings of its leaves, or out of all of them when rows proved to be larger than on the average.
    fn of_beginning(&self, at: &Located, bytes: Vec<Buffer<u8>>, rows: &Rows) -> Result<Column> {
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
        let byte = self.leaves.first().map(|leaf| leaf.start);
        let column = &self.layout.field.name;
        let within = |mut error: crate::Error| {
            error.place_mut().column = Some(column.to_string());
            error
        };
        let series = guarded(file, byte, || self.series(bytes, rows)).map_err(within)?;
        if series.len() != rows.count {
            let what = format!("the row group should have {} rows, and the column has {}", rows.count, series.len());
            return Err(within(damaged(file, byte, what)));
        }
        Ok(series.into_column())
    }

    fn series(&self, bytes: Vec<Buffer<u8>>, rows: &Rows) -> PolarsResult<Series> {
        let descriptors = &self.layout.leaves;
        if descriptors.is_empty() {
            // The file's own schema names a column that is not stored.
            return Ok(Series::full_null(self.layout.field.name.clone(), rows.count, self.dtype));
        }
        let pages = self.leaves.iter().zip(descriptors).zip(bytes).map(|((leaf, descriptor), bytes)| {
            let about = PageMetaData::new(leaf.start, leaf.values, leaf.codec, descriptor.clone());
            BasicDecompressor::new(PageReader::new_with_page_meta(Cursor::new(bytes), about, Vec::new(), usize::MAX), Vec::new())
        });
        let types = descriptors.iter().map(|descriptor| &descriptor.primitive_type).collect();
        let (arrays, _) = column_iter_to_arrays(pages.collect(), types, self.layout.field.clone(), Some(rows.filter.clone()))?;
        let series = Series::try_from((&self.layout.field, arrays))?;
        if series.dtype() == self.dtype { Ok(series) } else { series.cast(self.dtype) }
    }
}
