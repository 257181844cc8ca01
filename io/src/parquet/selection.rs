//! The rows of a piece that pass tests, and their columns: test by test, each over the rows that the ones before it left.
//!
//! It refuses to know pages. Invariant: a column is decoded once, and only for rows that can still be wanted where that is cheaper; columns
//! that only the result needs are neither fetched nor decoded when no row passes.

use polars::prelude::{Column, DataFrame, PlSmallStr};
use polars_buffer::Buffer;

use super::layout::Leaf;
use super::recipe::{Piece, Recipe};
use super::rows::{Rows, bits};
use super::stored::Stored;
use crate::csv::{Codes, DecodedColumn};
use crate::damage::damaged;
use crate::error::Result;
use crate::ranges::fetch;
use crate::table::{Coded, Located, Origin, Test, cancelled, in_store};

/// What is known of a piece at some moment.
pub(super) struct Selection<'a> {
    recipe: &'a Recipe,
    piece: &'a Piece,
    stop: &'a dyn Fn() -> bool,
    rows: Rows,
    /// For each column of the recipe.
    places: Vec<Place>,
}

/// How far a column is.
enum Place {
    /// Not decoded; its bytes, if they were fetched.
    Stored(Option<Vec<Buffer<u8>>>),
    /// Decoded, for these rows.
    Decoded(Column, Rows),
    /// Nobody needs it any more.
    Spent,
}

impl<'a> Selection<'a> {
    pub(super) fn new(recipe: &'a Recipe, piece: &'a Piece, stop: &'a dyn Fn() -> bool) -> Self {
        let places = recipe.columns.iter().map(|_| Place::Stored(None)).collect();
        Self { recipe, piece, stop, rows: Rows::all(piece), places }
    }

    /// Leaves no more rows than these.
    pub(super) fn limit(&mut self, most: u64) {
        self.rows = self.rows.first(most);
    }

    /// Fetches what all tests need in one go, from stores that take long to answer.
    pub(super) fn prepare(&mut self, tests: &[Test]) -> Result<()> {
        if !in_store(&self.file().path) || self.rows.count() == 0 {
            return Ok(());
        }
        let tested = |at: &usize| tests.iter().any(|test| test.columns.contains(self.name(*at)));
        let tested: Vec<usize> = (0..self.places.len()).filter(tested).collect();
        self.fetch(&tested)
    }

    /// Leaves the rows that pass a test.
    pub(super) fn test(&mut self, test: &Test) -> Result<()> {
        let columns: Vec<usize> = (0..self.places.len()).filter(|at| test.columns.contains(self.name(*at))).collect();
        if self.rows.count() > 0 && !self.test_values(&columns, test)? {
            self.test_rows(&columns, test)?;
        }
        for at in columns {
            if test.spent.contains(self.name(at)) {
                self.places[at] = Place::Spent;
            }
        }
        Ok(())
    }

    /// Tests the values that a column lists instead of its rows, where it can be done and is cheaper; says whether it did.
    fn test_values(&mut self, columns: &[usize], test: &Test) -> Result<bool> {
        let [at] = *columns else { return Ok(false) };
        // Few rows are looked at themselves: pages without any of them are passed over.
        let whole = self.piece.start == 0 && self.piece.end == self.piece.rows;
        if !whole || self.rows.are_sparse() || !self.stored(at).is_some_and(|stored| stored.lists_values()) {
            return Ok(false);
        }
        self.fetch(&[at])?;
        let Place::Stored(Some(bytes)) = &self.places[at] else { return Ok(false) };
        self.ask_to_stop()?;
        let (file, wanted) = (&self.file().path, !test.spent.contains(self.name(at)));
        let stored = self.stored(at).expect("it lists its values");
        let Some((kept, column)) = stored.tested(file, bytes.clone(), test, wanted)? else { return Ok(false) };
        let all = Rows::all(self.piece);
        stored.checked("rows", kept.len(), all.count(), file)?;
        if let Some(column) = column {
            self.places[at] = Place::Decoded(column, all.and(kept.clone()));
        }
        self.rows = self.rows.and(kept);
        Ok(true)
    }

    fn test_rows(&mut self, columns: &[usize], test: &Test) -> Result<()> {
        let some_decoded = |at: &usize| matches!(&self.places[*at], Place::Decoded(_, rows) if !rows.are_all());
        let fewer = self.rows.are_sparse() || columns.iter().any(some_decoded);
        let rows = if fewer { self.rows.clone() } else { Rows::all(self.piece) };
        let kept = bits(&test.kept(&self.frame(columns, &rows)?)?);
        self.rows = if rows.are_all() { self.rows.and(kept) } else { self.rows.and_of_these(kept) };
        Ok(())
    }

    /// The rows that are left, of the columns that are.
    pub(super) fn finish(mut self) -> Result<DataFrame> {
        let left = self.left();
        if self.rows.count() == 0 {
            let empty = |at: &usize| Column::new_empty(self.name(*at).clone(), &self.recipe.columns[*at].0.1);
            return Ok(DataFrame::new(0, left.iter().map(empty).collect()).expect("names of columns differ"));
        }
        let rows = self.rows.clone();
        self.frame(&left, &rows)
    }

    /// The same with these text columns as codes where that can be. What passes and what does not stands beside most rows, which costs less
    /// than taking the others out of each column.
    pub(super) fn finish_coded(mut self, codes: &[PlSmallStr]) -> Result<Coded> {
        let left = self.left();
        let picked = |at: &usize| matches!(&self.places[*at], Place::Decoded(_, rows) if !rows.are_all());
        if self.rows.are_few() || left.iter().any(picked) || !left.iter().any(|at| codes.contains(self.name(*at))) {
            return self.finish().map(Coded::from);
        }
        self.fetch(&left)?;
        let all = Rows::all(self.piece);
        let mut columns = Vec::with_capacity(left.len());
        for at in left {
            let coded = if codes.contains(self.name(at)) { self.codes(at, &all)? } else { None };
            columns.push(match coded {
                Some(codes) => DecodedColumn::Codes(codes),
                None => DecodedColumn::Plain(self.column(at, &all)?),
            });
        }
        Ok(Coded { rows: all.count(), columns, kept: self.rows.bits() })
    }

    fn codes(&self, at: usize, rows: &Rows) -> Result<Option<Codes>> {
        let (Place::Stored(Some(bytes)), Some(stored)) = (&self.places[at], self.stored(at)) else { return Ok(None) };
        self.ask_to_stop()?;
        stored.codes(&self.file().path, bytes.clone(), rows)
    }

    /// The columns that somebody needs.
    fn left(&self) -> Vec<usize> {
        (0..self.places.len()).filter(|at| !matches!(self.places[*at], Place::Spent)).collect()
    }

    /// These rows of some columns.
    fn frame(&mut self, columns: &[usize], rows: &Rows) -> Result<DataFrame> {
        self.fetch(columns)?;
        let columns = columns.iter().map(|at| self.column(*at, rows)).collect::<Result<_>>()?;
        DataFrame::new(rows.count(), columns).map_err(|error| damaged(&self.file().path, None, error.to_string()))
    }

    fn column(&mut self, at: usize, rows: &Rows) -> Result<Column> {
        self.ask_to_stop()?;
        let nested = self.stored(at).is_some_and(|stored| stored.layout.field.dtype.is_nested());
        let (column, of) = match std::mem::replace(&mut self.places[at], Place::Spent) {
            Place::Decoded(column, of) => (column, of),
            Place::Stored(bytes) => {
                // What is stored in several levels is slow to skip.
                let of = if rows.are_sparse() && !nested { rows.clone() } else { Rows::all(self.piece) };
                (self.decode(at, bytes.unwrap_or_default(), &of)?, of)
            }
            Place::Spent => unreachable!("a column is spent when nobody needs it"),
        };
        let column = match rows.among(&of) {
            None => column,
            Some(mask) => column.filter(&mask).expect("the mask has the height of the column"),
        };
        self.places[at] = Place::Decoded(column.clone(), rows.clone());
        Ok(column)
    }

    fn decode(&self, at: usize, bytes: Vec<Buffer<u8>>, rows: &Rows) -> Result<Column> {
        let ((name, _), origin) = &self.recipe.columns[at];
        if let Origin::Folders(place) = *origin {
            let column = self.recipe.hive.column(self.piece.file as usize, place as usize, rows.count());
            return column.map_err(|error| damaged(&self.file().path, None, format!("the value of `{name}` in its folders: {error}")));
        }
        self.stored(at).expect("it is in no folder").of_beginning(self.file(), bytes, rows)
    }

    /// Fetches the bytes of these columns, as far as they are not there.
    fn fetch(&mut self, columns: &[usize]) -> Result<()> {
        let (mut missing, mut ranges) = (Vec::new(), Vec::new());
        for at in columns {
            let (Place::Stored(None), Some(stored)) = (&self.places[*at], self.stored(*at)) else { continue };
            let whole = !self.rows.are_all() || stored.layout.field.dtype.is_nested();
            let length = |leaf: &Leaf| if whole { leaf.length } else { self.piece.beginning(leaf) };
            ranges.extend(stored.leaves.iter().map(|leaf| leaf.start..leaf.start + length(leaf)));
            missing.push((*at, stored.leaves.len()));
        }
        if missing.is_empty() {
            return Ok(());
        }
        let mut bytes = fetch(&self.file().path, self.file().size, &ranges)?.into_iter();
        for (at, leaves) in missing {
            self.places[at] = Place::Stored(Some(bytes.by_ref().take(leaves).collect()));
        }
        Ok(())
    }

    fn ask_to_stop(&self) -> Result<()> {
        if (self.stop)() { Err(cancelled()) } else { Ok(()) }
    }

    fn name(&self, at: usize) -> &'a PlSmallStr {
        &self.recipe.columns[at].0.0
    }

    fn file(&self) -> &'a Located {
        &self.recipe.files[self.piece.file as usize].at
    }

    /// A column as it stands in the file; `None` for one in the names of its folders.
    fn stored(&self, at: usize) -> Option<Stored<'a>> {
        let ((_, dtype), origin) = &self.recipe.columns[at];
        let Origin::File(place) = *origin else { return None };
        let layout = &self.recipe.layouts[self.recipe.files[self.piece.file as usize].layout as usize];
        Some(Stored { layout: &layout.columns[place as usize], leaves: &self.piece.leaves[place as usize], dtype })
    }
}
