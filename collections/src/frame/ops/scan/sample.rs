//! Some rows of files for the planner: the first ones of a few pieces that lie apart. They are read when somebody asks, and once.
//!
//! It refuses to fail: of what cannot be read nothing is known, and the task that reads it says why.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use partita_io::FileTable;
use polars::prelude::{DataFrame, PlSmallStr};

use crate::frame::sort::range::positions;
use crate::frame::value::joined;

/// Pieces that are looked into: more would be more requests to stores.
const PIECES: usize = 4;
/// Rows that are read of all of them together.
const ROWS: u64 = 1024;

/// Columns, and pieces.
type Asked = (Vec<PlSmallStr>, Vec<u32>);

/// What was read of one reader's files.
#[derive(Default)]
pub(super) struct Samples(Mutex<BTreeMap<Asked, Option<DataFrame>>>);

impl Samples {
    /// Some rows of these pieces.
    pub fn of(&self, table: &dyn FileTable, columns: Vec<PlSmallStr>, pieces: &[u32]) -> Option<DataFrame> {
        let looked_into = positions(pieces.len(), PIECES).into_iter().map(|at| pieces[at as usize]).collect();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry((columns, looked_into)).or_insert_with_key(|(columns, pieces)| read(table, columns, pieces)).clone()
    }
}

fn read(table: &dyn FileTable, columns: &[PlSmallStr], pieces: &[u32]) -> Option<DataFrame> {
    let recipe = table.recipe(columns);
    let each = ROWS.div_ceil(pieces.len().max(1) as u64);
    let first = |piece: &u32| recipe.read_first(&table.piece(*piece, columns), each, &[], &|| false).ok();
    joined(pieces.iter().map(first).collect::<Option<_>>()?).ok()
}
