//! Reading one piece of a Parquet table: what all tasks of a reader share, and what one of them needs besides.
//!
//! It refuses to know footers and statistics. Invariant: the frame has the columns of the recipe in its order, without those that tests use
//! up, and exactly the rows of the piece that pass all tests.

use polars::prelude::{DataFrame, DataType, PlSmallStr};
use serde::{Deserialize, Serialize};

use super::layout::{Layout, Leaf};
use super::selection::Selection;
use crate::error::Result;
use crate::hive::Hive;
use crate::table::{Coded, Located, Origin, Test};

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
    pub(super) fn beginning(&self, leaf: &Leaf) -> u64 {
        let share = u128::from(leaf.length) * u128::from(self.end) / u128::from(self.rows.max(1));
        let likely = u64::try_from(2 * share).unwrap_or(u64::MAX).saturating_add(DICTIONARY);
        if likely <= leaf.length / 2 { likely } else { leaf.length }
    }
}

impl Recipe {
    pub(crate) fn read(&self, piece: &Piece, most: u64, tests: &[Test], stop: &dyn Fn() -> bool) -> Result<DataFrame> {
        // A test may refuse any row, so that it is not known which ones are the first to pass.
        let first = if tests.is_empty() { piece.first(most) } else { piece.clone() };
        let mut selection = self.selected(&first, if most == 0 { 0 } else { u64::MAX }, tests, stop)?;
        selection.limit(most);
        selection.finish()
    }

    /// The same with some text columns as codes.
    pub(crate) fn read_coded(&self, piece: &Piece, codes: &[PlSmallStr], tests: &[Test], stop: &dyn Fn() -> bool) -> Result<Coded> {
        self.selected(piece, u64::MAX, tests, stop)?.finish_coded(codes)
    }

    /// The rows of a piece that pass all tests; these look at so many rows at most.
    fn selected<'a>(&'a self, piece: &'a Piece, most: u64, tests: &[Test], stop: &'a dyn Fn() -> bool) -> Result<Selection<'a>> {
        let mut selection = Selection::new(self, piece, stop);
        selection.limit(most);
        selection.prepare(tests)?;
        for test in tests {
            selection.test(test)?;
        }
        Ok(selection)
    }
}
