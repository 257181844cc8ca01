//! The operators that join: rows of two sides that are all here, and rows of one side with a table that all tasks look up in.

use std::sync::atomic::Ordering;

use partita_graph::{Chunk, Code, Failure, NamedOperator, Operator, TaskContext};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::How;
use super::asked::wanted;
use super::columns::{Out, Source};
use super::dealt::Copies;
use super::matches::Matches;
use super::side::{Built, Side};
use super::table::{END, Table};
use crate::frame::compact::compact;
use crate::frame::expr::{polars_failure, show};
use crate::frame::ops::concat::stack;
use crate::frame::value::{Stream, chunk_of, frame_of};

/// What is joined how.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub how: How,
    /// Cast to the types in which they are compared.
    pub left_on: Vec<Expr>,
    pub right_on: Vec<Expr>,
    /// What keys are called in failures.
    pub key_names: String,
    pub columns: Vec<Out>,
    pub nulls_equal: bool,
    /// Sides on which a key may occur only once.
    pub left_unique: bool,
    pub right_unique: bool,
}

impl Spec {
    /// Nulls equal nothing, and keys may be there as often as they like.
    pub fn plain(how: How, left_on: Vec<Expr>, right_on: Vec<Expr>, columns: Vec<Out>) -> Self {
        let key_names = show(&left_on);
        Self { how, left_on, right_on, key_names, columns, nulls_equal: false, left_unique: false, right_unique: false }
    }

    pub fn left(&self, frame: &DataFrame) -> Result<Side, Failure> {
        let columns = self.columns.iter().filter_map(|column| match &column.source {
            Source::Left(name) => Some(name.clone()),
            _ => None,
        });
        Side::of(frame, &self.left_on, &columns.collect::<Vec<_>>())
    }

    pub fn right(&self, frame: &DataFrame) -> Result<Side, Failure> {
        let columns = self.columns.iter().filter_map(|column| match &column.source {
            Source::Right(name) => Some(name.clone()),
            _ => None,
        });
        Side::of(frame, &self.right_on, &columns.collect::<Vec<_>>())
    }

    /// Fails when a key occurs twice on a side where it must not.
    fn check_unique(&self, side: &Side, table: &Table, left: bool) -> Result<(), Failure> {
        if !(if left { self.left_unique } else { self.right_unique }) {
            return Ok(());
        }
        match table.repeated(&side.index) {
            None => Ok(()),
            Some(row) => {
                let which = if left { "left" } else { "right" };
                let what = format!("the {which} frame of the join has several rows with {} = {}", self.key_names, side.show(row));
                Err(Failure::new(Code::NotUnique, what).help(FIX))
            }
        }
    }

    /// For a check on a side that no table was built of.
    fn check_unique_alone(&self, side: &Side, left: bool) -> Result<(), Failure> {
        match if left { self.left_unique } else { self.right_unique } {
            true => self.check_unique(side, &Table::of(&side.index, self.nulls_equal), left),
            false => Ok(()),
        }
    }
}

const FIX: &str = "keep one of them: .unique_with([…], UniqueKeepStrategy::First); or leave out .validate(…)";

/// Joins all rows of two sides: the first `left_inputs` chunks are the left one.
#[derive(Serialize, Deserialize)]
pub(crate) struct JoinParts {
    pub spec: Spec,
    pub left_inputs: u32,
    /// Of which side other parts may have the same rows, if those that meet nobody are in the result.
    pub copies: Option<Copies>,
}

impl Operator for JoinParts {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let spec = &self.spec;
        let (left, right) = inputs.split_at(self.left_inputs as usize);
        let (left, right) = (spec.left(&stack(left)?)?, spec.right(&stack(right)?)?);
        ctx.check_cancelled()?;
        if spec.how == How::Cross {
            let pairs = Pairs::all(left.rows, right.rows);
            return assembled(spec, &left, &right, pairs);
        }
        // The table of the smaller side is the smaller one; what is found is the same.
        let pairs = match left.rows < right.rows / 2 {
            true => {
                let table = Table::of(&left.index, spec.nulls_equal);
                spec.check_unique(&left, &table, true)?;
                spec.check_unique_alone(&right, false)?;
                pairs(spec.how, &left, &right, Looked::UpInLeft(&table))
            }
            false => {
                let table = Table::of(&right.index, spec.nulls_equal);
                spec.check_unique(&right, &table, false)?;
                spec.check_unique_alone(&left, true)?;
                pairs(spec.how, &left, &right, Looked::UpInRight(&table))
            }
        };
        ctx.check_cancelled()?;
        let pairs = match self.copies {
            Some(copies) => copies.once(pairs, &left, &right, ctx.key.index),
            None => pairs,
        };
        assembled(spec, &left, &right, pairs)
    }
}

impl NamedOperator for JoinParts {
    const NAME: &'static str = "join_parts";
}

/// Makes the table of one side of all its rows.
#[derive(Serialize, Deserialize)]
pub(crate) struct BuildTable {
    pub spec: Spec,
    /// Which side.
    pub left: bool,
}

impl Operator for BuildTable {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let rows = stack(inputs)?;
        let side = if self.left { self.spec.left(&rows) } else { self.spec.right(&rows) };
        let built = Built::of(side?, self.spec.nulls_equal);
        self.spec.check_unique(&built.side, &built.table, self.left)?;
        Ok(Chunk::new(built))
    }
}

impl NamedOperator for BuildTable {
    const NAME: &'static str = "join_table";
}

/// Joins a partition of one side with the table of all rows of the other.
#[derive(Serialize, Deserialize)]
pub(crate) struct LookUp {
    pub spec: Spec,
    /// Whether the table is the left side's.
    pub in_left: bool,
}

impl Operator for LookUp {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let spec = &self.spec;
        let built = inputs.get(1).and_then(|chunk| chunk.get::<Built>()).ok_or_else(|| Failure::internal("a join without its table"))?;
        let rows = match inputs[0].get::<Stream>() {
            Some(stream) => stream.passing(wanted(spec, self.in_left, &inputs[1]), &|| ctx.cancelled.load(Ordering::Relaxed))?,
            None => frame_of(&inputs[0])?,
        };
        let here = if self.in_left { spec.right(&rows)? } else { spec.left(&rows)? };
        spec.check_unique_alone(&here, !self.in_left)?;
        match self.in_left {
            true => assembled(spec, &built.side, &here, pairs(spec.how, &built.side, &here, Looked::UpInLeft(&built.table))),
            false => assembled(spec, &here, &built.side, pairs(spec.how, &here, &built.side, Looked::UpInRight(&built.table))),
        }
    }
}

impl NamedOperator for LookUp {
    const NAME: &'static str = "join_look_up";
}

/// In whose table.
enum Looked<'a> {
    UpInLeft(&'a Table),
    UpInRight(&'a Table),
}

/// Stands for no row.
pub(super) const NONE: IdxSize = IdxSize::MAX;

/// The rows that stand beside each other in the result.
#[derive(Default)]
pub(super) struct Pairs {
    pub left: Vec<IdxSize>,
    pub right: Vec<IdxSize>,
}

impl Pairs {
    fn push(&mut self, left: usize, right: IdxSize) {
        self.left.push(left as IdxSize);
        self.right.push(right);
    }

    /// The same pairs in order of the left rows, those of one row as they come.
    fn by_left(self, left: usize) -> Self {
        let mut ends = vec![0u32; left];
        for row in &self.left {
            ends[*row as usize] += 1;
        }
        let mut start = 0;
        for end in &mut ends {
            // For now where each begins; each pair that is put in moves it on, to where it ends.
            start += std::mem::replace(end, start);
        }
        let mut sorted = Self { left: vec![0; self.left.len()], right: vec![0; self.right.len()] };
        for (row, other) in self.left.into_iter().zip(self.right) {
            let place = &mut ends[row as usize];
            sorted.left[*place as usize] = row;
            sorted.right[*place as usize] = other;
            *place += 1;
        }
        sorted
    }

    /// Each row with each, left ones first.
    fn all(left: usize, right: usize) -> Self {
        let each = |row: usize| std::iter::repeat_n(row as IdxSize, right);
        Self { left: (0..left).flat_map(each).collect(), right: (0..left).flat_map(|_| 0..right as IdxSize).collect() }
    }
}

/// Rows come in order of the left side, of a right join in that of the right one; matches of a row in order of the other side; rows
/// that only the right side of a full join has come last.
fn pairs(how: How, left: &Side, right: &Side, looked: Looked<'_>) -> Pairs {
    match (how, &looked) {
        (How::Semi | How::Anti, Looked::UpInRight(table)) => meeting(how, left, right, table),
        (How::Inner | How::Left, Looked::UpInRight(table)) => in_order(how, left, right, table),
        (How::Inner, Looked::UpInLeft(table)) => turned(left, right, table),
        _ => of_matches(how, left, right, &looked),
    }
}

/// The rows of the left side that meet some row of the right one, or none.
fn meeting(how: How, left: &Side, right: &Side, table: &Table) -> Pairs {
    let mut pairs = Pairs::default();
    table.meets(&right.index, &left.index, |row, meets| {
        if meets == (how == How::Semi) {
            pairs.left.push(row as IdxSize);
        }
    });
    pairs
}

/// All pairs, as they are found.
fn in_order(how: How, left: &Side, right: &Side, table: &Table) -> Pairs {
    let mut pairs = Pairs::default();
    table.each(&right.index, &left.index, |row, first| {
        if first == END && how == How::Left {
            pairs.push(row, NONE);
        }
        let mut at = first;
        while at != END {
            pairs.push(row, at);
            at = table.after(&right.index, at);
        }
    });
    pairs
}

/// All pairs, found in order of the right side.
fn turned(left: &Side, right: &Side, table: &Table) -> Pairs {
    let mut pairs = Pairs::default();
    table.each(&left.index, &right.index, |row, first| {
        let mut at = first;
        while at != END {
            pairs.push(at as usize, row as IdxSize);
            at = table.after(&left.index, at);
        }
    });
    // Both sides often lie in the order of their keys.
    if pairs.left.is_sorted() { pairs } else { pairs.by_left(left.rows) }
}

/// The pairs of any join.
fn of_matches(how: How, left: &Side, right: &Side, looked: &Looked<'_>) -> Pairs {
    let by_right = how == How::Right;
    let matches = match (looked, by_right) {
        (Looked::UpInRight(table), false) => Matches::of(&left.index, &right.index, table),
        (Looked::UpInRight(table), true) => Matches::of(&left.index, &right.index, table).turned(right.rows),
        (Looked::UpInLeft(table), true) => Matches::of(&right.index, &left.index, table),
        (Looked::UpInLeft(table), false) => Matches::of(&right.index, &left.index, table).turned(left.rows),
    };
    let mut pairs = Pairs::default();
    for row in 0..matches.len() {
        let found = matches.of_row(row);
        match how {
            How::Semi if !found.is_empty() => pairs.left.push(row as IdxSize),
            How::Anti if found.is_empty() => pairs.left.push(row as IdxSize),
            How::Semi | How::Anti => {}
            How::Right if found.is_empty() => pairs.push(NONE as usize, row as IdxSize),
            How::Right => found.iter().for_each(|other| pairs.push(*other as usize, row as IdxSize)),
            How::Left | How::Full if found.is_empty() => pairs.push(row, NONE),
            How::Inner | How::Left | How::Full | How::Cross => found.iter().for_each(|other| pairs.push(row, *other)),
        }
    }
    if how == How::Full {
        let mut met = vec![false; right.rows];
        pairs.right.iter().filter(|row| **row != NONE).for_each(|row| met[*row as usize] = true);
        met.iter().enumerate().filter(|(_, met)| !**met).for_each(|(row, _)| pairs.push(NONE as usize, row as IdxSize));
    }
    pairs
}

/// The columns of the result for these rows.
pub(super) fn assembled(spec: &Spec, left: &Side, right: &Side, pairs: Pairs) -> Result<Chunk, Failure> {
    let height = pairs.left.len();
    let left_rows = picked(&left.frame, left.rows, &pairs.left)?;
    // Semi and anti joins have rows of the left side only, and no columns of the other.
    let right_rows = match matches!(spec.how, How::Semi | How::Anti) {
        true => DataFrame::empty_with_height(height),
        false => picked(&right.frame, right.rows, &pairs.right)?,
    };
    let column = |out: &Out| -> Result<Column, Failure> {
        let column = match &out.source {
            Source::Left(name) => left_rows.column(name).cloned(),
            Source::Right(name) => right_rows.column(name).cloned(),
            Source::Key(at) => return Ok(key_of_either(left, right, &pairs, *at as usize)?.with_name(out.name.as_str().into())),
        };
        column.map(|column| column.with_name(out.name.as_str().into())).map_err(|e| polars_failure(e, None))
    };
    let columns = spec.columns.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    compact(DataFrame::new(height, columns).map_err(|e| polars_failure(e, None))?).map(chunk_of)
}

/// The key of the right side where it has a row, else that of the left one.
fn key_of_either(left: &Side, right: &Side, pairs: &Pairs, at: usize) -> Result<Column, Failure> {
    let one = |side: &Side, rows: &[IdxSize]| -> Result<Column, Failure> {
        let key = DataFrame::new(side.rows, vec![side.keys[at].clone()]).map_err(|e| polars_failure(e, None))?;
        Ok(picked(&key, side.rows, rows)?.columns()[0].clone())
    };
    let right_key = one(right, &pairs.right)?;
    if !pairs.right.contains(&NONE) {
        return Ok(right_key);
    }
    let there: BooleanChunked = pairs.right.iter().map(|row| *row != NONE).collect();
    right_key.zip_with(&there, &one(left, &pairs.left)?).map_err(|e| polars_failure(e, None))
}

/// These rows of a frame of `height` rows; where there is no row, nulls.
fn picked(frame: &DataFrame, height: usize, rows: &[IdxSize]) -> Result<DataFrame, Failure> {
    if rows.len() == height && rows.iter().enumerate().all(|(at, row)| *row as usize == at) {
        return Ok(frame.clone());
    }
    if height == 0 {
        return Ok(DataFrame::full_null(frame.schema(), rows.len()));
    }
    let index = match rows.contains(&NONE) {
        true => IdxCa::from_iter_options(PlSmallStr::EMPTY, rows.iter().map(|row| (*row != NONE).then_some(*row))),
        false => IdxCa::from_vec(PlSmallStr::EMPTY, rows.to_vec()),
    };
    frame.take(&index).map_err(|e| polars_failure(e, None))
}
