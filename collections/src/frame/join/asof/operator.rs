//! The operators of as-of joins: which rows are the nearest among all that are here, and the first and last rows of a range.

use std::cmp::Ordering;
use std::ops::Range;

use partita_graph::{Chunk, Code, Failure, NamedOperator, Operator, TaskContext};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::nearest::{Distant, Near};
use crate::frame::compact::compact;
use crate::frame::expr::polars_failure;
use crate::frame::join::operator::{NONE, Pairs, Spec, assembled};
use crate::frame::join::side::Side;
use crate::frame::join::table::Table;
use crate::frame::ops::concat::stack;
use crate::frame::shuffle::hash::is_integral;
use crate::frame::shuffle::keys::key_columns;
use crate::frame::value::{chunk_of, frame_of};

/// Puts the nearest row of the right side beside each row of the left one. The first `left_inputs` chunks are the left side.
#[derive(Serialize, Deserialize)]
pub(crate) struct JoinNearest {
    pub spec: Spec,
    pub left_on: Expr,
    pub right_on: Expr,
    pub near: Near,
    pub left_inputs: u32,
    /// Whether the right side is one chunk, and the others are the ends of all ranges, this one's among them.
    pub ends: bool,
}

impl Operator for JoinNearest {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (left, right) = inputs.split_at(self.left_inputs as usize);
        let own_ends = ctx.key.index as usize + 1;
        // Its own ends are here already, and would stand out of order.
        let right: Vec<Chunk> =
            right.iter().enumerate().filter(|(at, _)| !self.ends || *at != own_ends).map(|(_, chunk)| chunk.clone()).collect();
        let (left, right) = (stack(left)?, stack(&right)?);
        let times = (Times::of(&left, &self.left_on)?, Times::of(&right, &self.right_on)?);
        let (left, right) = (self.spec.left(&left)?, self.spec.right(&right)?);
        ctx.check_cancelled()?;
        let rows = match times {
            (Times::Whole(of_left), Times::Whole(of_right)) => self.nearest(&left, &of_left, &right, &of_right),
            (Times::Float(of_left), Times::Float(of_right)) => self.nearest(&left, &of_left, &right, &of_right),
            _ => return Err(Failure::internal("an as-of join of two kinds of numbers")),
        };
        let pairs = Pairs { left: (0..left.rows as IdxSize).collect(), right: rows };
        assembled(&self.spec, &left, &right, pairs)
    }
}

impl JoinNearest {
    /// For each row of the left side the row of the right one, or none.
    fn nearest<T: Distant>(&self, left: &Side, of_left: &[Option<T>], right: &Side, of_right: &[Option<T>]) -> Vec<IdxSize> {
        if self.spec.left_on.is_empty() {
            let all = Groups::of(of_right, 1, |_| Some(0));
            return of_left.iter().map(|value| all.find(self.near, Some(0), *value)).collect();
        }
        // The first row of a key stands for all rows of the key.
        let table = Table::of(&right.index, false);
        let of_itself = table.firsts(&right.index, &right.index);
        let groups = Groups::of(of_right, right.rows, |row| of_itself[row]);
        let firsts = table.firsts(&right.index, &left.index);
        of_left.iter().zip(firsts).map(|(value, first)| groups.find(self.near, first, *value)).collect()
    }
}

impl NamedOperator for JoinNearest {
    const NAME: &'static str = "join_nearest";
}

/// What distances are measured in. Null and NaN are no times.
enum Times {
    Whole(Vec<Option<i64>>),
    Float(Vec<Option<f64>>),
}

impl Times {
    fn of(frame: &DataFrame, on: &Expr) -> Result<Self, Failure> {
        let column =
            key_columns(frame, std::slice::from_ref(on))?.pop().ok_or_else(|| Failure::internal("an as-of join without its column"))?;
        Self::in_column(column.as_materialized_series())
            .map_err(|e| polars_failure(e, None))?
            .ok_or_else(|| Failure::new(Code::TypeMismatch, format!("there is no distance between values of type {}", column.dtype())))
    }

    /// `None` for types that have no distance.
    fn in_column(series: &Series) -> PolarsResult<Option<Self>> {
        Ok(Some(match series.dtype() {
            DataType::Float32 | DataType::Float64 => {
                let floats = series.cast(&DataType::Float64)?;
                Self::Float(floats.f64()?.iter().map(|value| value.filter(|value| !value.is_nan())).collect())
            }
            // Moved down by half of their range, which changes neither order nor distance.
            DataType::UInt64 => Self::Whole(series.u64()?.iter().map(|value| value.map(|value| (value ^ (1 << 63)) as i64)).collect()),
            dtype if is_integral(dtype) => Self::Whole(series.to_physical_repr().cast(&DataType::Int64)?.i64()?.iter().collect()),
            _ => return Ok(None),
        }))
    }
}

/// Rows in groups, ascending by their times in each; equal times in row order. Rows without a time or a group are in none.
struct Groups<T> {
    ends: Vec<usize>,
    times: Vec<T>,
    rows: Vec<IdxSize>,
}

impl<T: Distant> Groups<T> {
    fn of(times: &[Option<T>], groups: usize, group: impl Fn(usize) -> Option<usize>) -> Self {
        let timed = times.iter().enumerate().filter_map(|(row, time)| Some((row, (*time)?, group(row)?)));
        let mut timed: Vec<(usize, T, usize)> = timed.collect();
        // Stable, so that rows of equal times stay in order; no time is a NaN.
        timed.sort_by(|a, b| a.2.cmp(&b.2).then(a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal)));
        let mut ends = vec![0; groups];
        timed.iter().for_each(|(_, _, group)| ends[*group] += 1);
        let mut end = 0;
        for group in &mut ends {
            end += *group;
            *group = end;
        }
        Self { ends, times: timed.iter().map(|row| row.1).collect(), rows: timed.iter().map(|row| row.0 as IdxSize).collect() }
    }

    fn range(&self, group: usize) -> Range<usize> {
        (if group == 0 { 0 } else { self.ends[group - 1] })..self.ends[group]
    }

    fn find(&self, near: Near, group: Option<usize>, time: Option<T>) -> IdxSize {
        let found = group.zip(time).and_then(|(group, time)| {
            let range = self.range(group);
            near.find(&self.times[range.clone()], time).map(|at| self.rows[range.start + at])
        });
        found.unwrap_or(NONE)
    }
}

/// The first and the last row of a sorted range: those of its rows that may be the nearest to a row of another range.
#[derive(Serialize, Deserialize)]
pub(crate) struct RangeEnds;

impl Operator for RangeEnds {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let rows = frame_of(&inputs[0])?;
        if rows.height() < 2 {
            return Ok(chunk_of(rows));
        }
        let mut ends = rows.head(Some(1));
        ends.vstack_mut(&rows.tail(Some(1))).map_err(|e| polars_failure(e, None))?;
        compact(ends).map(chunk_of)
    }
}

impl NamedOperator for RangeEnds {
    const NAME: &'static str = "range_ends";
}
