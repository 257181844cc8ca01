//! Files as one table, whatever their format: what a planner must know, and what a task needs to read one piece.
//!
//! It refuses to know expressions and tasks. Invariant: pieces have numbers in the order of rows; a recipe with the piece that was made
//! for the same columns reads exactly the rows of that piece, in the order of the recipe's columns.

use std::ops::Range;
use std::sync::Arc;

use polars::prelude::{BooleanChunked, DataFrame, DataType, PlSmallStr, PolarsResult, Schema, SchemaRef};
use polars_arrow::bitmap::Bitmap;
use serde::{Deserialize, Serialize};

use crate::csv::DecodedColumn;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::Member;
use crate::hive::Hive;
use crate::options::TableOptions;
use crate::resolve::Found;
use crate::{ipc, json, parquet};

/// Requests to stores wait more than they work.
pub(crate) const REMOTE_THREADS: usize = 16;

/// What a planner knows of files that were opened as one table.
pub trait FileTable: Send + Sync {
    /// The format's name in plans: `parquet`.
    fn format(&self) -> &'static str;

    /// Names and types of all columns: those of the files, then those in the names of folders.
    fn schema(&self) -> &SchemaRef;

    /// The files, as the user would write them, in the order of rows.
    fn files(&self) -> Vec<&str>;

    /// For each partition its pieces. Partitions are in the order of rows; each has at least one piece.
    fn partitions(&self) -> &[Range<u32>];

    /// The rows of a piece, where they are known without reading.
    fn rows(&self, piece: u32) -> Option<u64>;

    /// About how many bytes a piece takes where it is stored, unpacked text.
    fn bytes(&self, piece: u32) -> u64;

    /// What is known of the values in each piece, a row for each piece: for a column `x` the columns [`least`]`(x)`, [`greatest`]`(x)` (of
    /// the type of `x`, null where unknown) and [`nulls`]`(x)` (u64); and the number of rows as [`ROWS`]. Columns of which nothing is known
    /// are left out.
    fn statistics(&self, columns: &[PlSmallStr]) -> DataFrame;

    /// Whether a text column lists its values before its rows, everywhere and few of them, so that it can be had as codes:
    /// [`Recipe::read_coded`].
    fn lists_few(&self, _column: &str) -> bool {
        false
    }

    /// Whether a column can be read for some rows without reading it for all, so that [`Test`]s save work.
    fn reads_columns_apart(&self) -> bool {
        false
    }

    /// The column that costs least to read, of a table with columns.
    fn cheapest(&self) -> PlSmallStr;

    /// What tasks share that read these columns. Names that the table does not have are passed over.
    fn recipe(&self, columns: &[PlSmallStr]) -> Recipe;

    /// What the task of one piece needs besides.
    fn piece(&self, number: u32, columns: &[PlSmallStr]) -> Piece;

    /// The table with wider types, after reading found that a guess was wrong; `None` when nothing changes.
    fn widened(&self, _types: &[(String, DataType)]) -> Option<Arc<dyn FileTable>> {
        None
    }
}

/// In [`FileTable::statistics`]: the number of rows.
pub const ROWS: &str = "\0rows";

/// In [`FileTable::statistics`]: a lower bound of the values of a column.
pub fn least(column: &str) -> String {
    format!("{column}\0least")
}

/// In [`FileTable::statistics`]: an upper bound of the values of a column. NaN is above every bound.
pub fn greatest(column: &str) -> String {
    format!("{column}\0greatest")
}

/// In [`FileTable::statistics`]: the number of nulls in a column.
pub fn nulls(column: &str) -> String {
    format!("{column}\0nulls")
}

/// What all tasks of a reader share.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recipe(pub(crate) Formats<parquet::Recipe, ipc::Recipe, json::Recipe>);

/// What one task reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Piece(pub(crate) Formats<parquet::Piece, ipc::Piece, json::Piece>);

/// One of the formats.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Formats<P, I, J> {
    Parquet(P),
    Ipc(I),
    Json(J),
}

/// For each row of a frame whether it is kept; null counts as false. `None` refuses to answer, which ends the reading as cancelled.
pub type Keep = Arc<dyn Fn(&DataFrame) -> Option<BooleanChunked> + Send + Sync>;

/// A condition that is asked while a piece is read, so that columns are not read for rows that nobody wants. Of several, each is asked of
/// the rows that the ones before it left, as far as the format can take columns one by one.
#[derive(Clone)]
pub struct Test {
    /// The columns that it looks at; all are in the recipe.
    pub columns: Vec<PlSmallStr>,
    /// Asked of these columns, in the order of the recipe. What it says of a row must depend on the values of this row alone: it is also
    /// asked of values that a file lists before its rows, and a refusal there is none.
    pub keep: Keep,
    /// Those of the columns that nobody needs after this test: they are left out of the result.
    pub spent: Vec<PlSmallStr>,
}

impl Test {
    pub(crate) fn kept(&self, frame: &DataFrame) -> Result<BooleanChunked> {
        (self.keep)(frame).ok_or_else(cancelled)
    }
}

pub(crate) fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "")
}

impl Recipe {
    /// Reads a piece: the columns of the recipe, in its order, and of the rows those that pass all tests. `stop` is asked now and then.
    ///
    /// # Errors
    /// `Damaged` with the place, `Cancelled`, `WrongInference` (JSON), what the storage gives.
    ///
    /// # Panics
    /// With a piece of another format.
    pub fn read(&self, piece: &Piece, tests: &[Test], stop: &dyn Fn() -> bool) -> Result<DataFrame> {
        self.read_first(piece, u64::MAX, tests, stop)
    }

    /// The same, and no more than the first `rows` rows: what only later rows need is neither fetched nor decoded, as far as the format
    /// lets that be known.
    ///
    /// # Errors
    /// As [`Recipe::read`], for what is read.
    ///
    /// # Panics
    /// With a piece of another format.
    pub fn read_first(&self, piece: &Piece, rows: u64, tests: &[Test], stop: &dyn Fn() -> bool) -> Result<DataFrame> {
        // A test may refuse any row, so that it cannot be known which ones are the first to pass.
        let asked = if tests.is_empty() { rows } else { u64::MAX };
        let found = match (&self.0, &piece.0) {
            (Formats::Parquet(recipe), Formats::Parquet(piece)) => return recipe.read(piece, rows, tests, stop),
            (Formats::Ipc(recipe), Formats::Ipc(piece)) => recipe.read(piece, asked, stop)?,
            (Formats::Json(recipe), Formats::Json(piece)) => recipe.read(piece, asked, stop)?,
            _ => panic!("a piece of another format than its recipe"),
        };
        Ok(passing(found, tests)?.head(Some(usize::try_from(rows).unwrap_or(usize::MAX))))
    }

    /// The same as [`Recipe::read`] with these text columns as codes where the file has them so, and with the rows that do not pass beside
    /// the others where they are few.
    ///
    /// # Errors
    /// As [`Recipe::read`].
    ///
    /// # Panics
    /// With a piece of another format.
    pub fn read_coded(&self, piece: &Piece, codes: &[PlSmallStr], tests: &[Test], stop: &dyn Fn() -> bool) -> Result<Coded> {
        match (&self.0, &piece.0) {
            (Formats::Parquet(recipe), Formats::Parquet(piece)) => recipe.read_coded(piece, codes, tests, stop),
            _ => self.read(piece, tests, stop).map(Coded::from),
        }
    }
}

/// Rows with some text columns as codes, and among them perhaps some that no one wants.
#[derive(Clone, Debug)]
pub struct Coded {
    /// Rows of each column.
    pub rows: usize,
    /// The columns, in the order of the recipe.
    pub columns: Vec<DecodedColumn>,
    /// Which rows passed; all where there are no bits.
    pub kept: Option<Bitmap>,
}

impl Coded {
    /// The frame of the rows that passed, with text made from the codes.
    ///
    /// # Errors
    /// Columns of different lengths.
    pub fn into_frame(self) -> PolarsResult<DataFrame> {
        let frame = DataFrame::new(self.rows, self.columns.into_iter().map(DecodedColumn::into_column).collect())?;
        match self.kept {
            None => Ok(frame),
            Some(kept) => frame.filter(&BooleanChunked::from_bitmap(PlSmallStr::EMPTY, kept)),
        }
    }
}

impl From<DataFrame> for Coded {
    fn from(frame: DataFrame) -> Self {
        let rows = frame.height();
        Self { rows, columns: frame.into_columns().into_iter().map(DecodedColumn::Plain).collect(), kept: None }
    }
}

/// The rows that pass all tests, of columns that come together: every test is asked of all rows.
fn passing(found: DataFrame, tests: &[Test]) -> Result<DataFrame> {
    let mut all: Option<BooleanChunked> = None;
    for test in tests {
        let kept = test.kept(&found)?;
        all = Some(match all {
            None => kept,
            Some(all) => &all & &kept,
        });
    }
    let Some(kept) = all else { return Ok(found) };
    let left = found.drop_many(tests.iter().flat_map(|test| test.spent.iter().cloned()));
    Ok(left.filter(&kept).expect("a mask has the height of its frame"))
}

/// Neighbours together in partitions of about `target` bytes: a unit joins the partition before it as long as both fit.
pub(crate) fn merge(sizes: impl IntoIterator<Item = u64>, target: u64) -> Vec<Range<u32>> {
    let mut partitions: Vec<Range<u32>> = Vec::new();
    let mut filled = 0u64;
    for (number, size) in (0u32..).zip(sizes) {
        match partitions.last_mut() {
            Some(last) if filled.saturating_add(size) <= target => {
                last.end = number + 1;
                filled += size;
            }
            _ => {
                partitions.push(number..number + 1);
                filled = size;
            }
        }
    }
    partitions
}

/// Where a column of a result comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// The file, and there the column of this place among the wanted ones.
    File(u32),
    /// The names of its folders.
    Folders(u32),
}

/// For each wanted column where it comes from, and the names of those that come from files.
pub(crate) fn origins(columns: &[PlSmallStr], hive: &Hive, has: impl Fn(&str) -> bool) -> (Vec<Origin>, Vec<PlSmallStr>) {
    let (mut origins, mut own) = (Vec::new(), Vec::new());
    for name in columns {
        if has(name) {
            origins.push(Origin::File(own.len() as u32));
            own.push(name.clone());
        } else if let Some(at) = hive.position(name) {
            origins.push(Origin::Folders(at as u32));
        }
    }
    (origins, own)
}

/// The columns of the files, then those in the names of folders.
pub(crate) fn schema_with(own: &Schema, hive: &Hive) -> Schema {
    let mut schema = own.clone();
    for (name, dtype) in &hive.columns {
        schema.insert(name.clone(), dtype.clone());
    }
    schema
}

/// Whether a name is that of something in a store rather than on a disk.
pub(crate) fn in_store(name: &str) -> bool {
    name.contains("://")
}

/// Whether files are in a store.
pub(crate) fn is_remote(files: &[Member]) -> bool {
    files.iter().any(|file| in_store(&file.found.name))
}

/// How many files are looked at together.
pub(crate) fn threads_for(remote: bool, options: &TableOptions) -> usize {
    if remote { REMOTE_THREADS } else { options.chosen_threads() }
}

/// Fails at the first file that has other columns than the first one.
pub(crate) fn check_alike<'a>(files: &[Member], schemas: impl Iterator<Item = &'a Schema>) -> Result<()> {
    let mut first = None;
    for (file, schema) in files.iter().zip(schemas) {
        if let Some(difference) = difference(first.get_or_insert(schema), schema) {
            let kind = ErrorKind::SchemaMismatch { first: files[0].found.name.clone(), difference };
            return Err(Error::new(kind, &file.found.name));
        }
    }
    Ok(())
}

/// How the columns of a file differ from those of the first one; their order does not count.
fn difference(first: &Schema, other: &Schema) -> Option<String> {
    for (name, dtype) in first.iter() {
        match other.get(name) {
            None => return Some(format!("it has no column {name:?}")),
            Some(found) if found != dtype => return Some(format!("column {name:?} is of type {found}, and of type {dtype} in the first")),
            Some(_) => {}
        }
    }
    other.iter_names().find(|name| !first.contains(name)).map(|name| format!("it has a column {name:?} that the first has not"))
}

/// A file as tasks find it, also from another folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Located {
    pub(crate) path: String,
    pub(crate) size: u64,
}

impl Located {
    pub(crate) fn of(found: &Found) -> Self {
        Self { path: absolute(&found.name), size: found.facts.size }
    }
}

/// The whole path of a local name; a URL is one already.
pub(crate) fn absolute(name: &str) -> String {
    match in_store(name) {
        true => name.to_owned(),
        false => std::path::absolute(name).map_or_else(|_| name.to_owned(), |path| path.to_string_lossy().into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_merged_up_to_the_target() {
        assert_eq!(merge([4, 4, 4, 20, 1, 1], 10), [0..2, 2..3, 3..4, 4..6]);
        assert_eq!(merge([4, 6, 0, 1], 10), [0..3, 3..4]);
        assert!(merge([], 10).is_empty());
        assert_eq!(merge([1, 1], 0), [0..1, 1..2]);
    }
}
