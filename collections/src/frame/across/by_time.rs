//! Columns of expressions over windows of time that reach back from each row: `rolling_…_by`. The rows must ascend in the column of times.
//!
//! Windows reach as far into other partitions as times say, so borders are found by times and not by numbers of rows. Rows at the time
//! of a partition's last row count for it too, whichever partition they are in.

use std::sync::Arc;

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, Parts, Table, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::borders::Between;
use super::{fewer, needs_of, of_types, read_by, schema_with, types_of};
use crate::frame::compact::compact;
use crate::frame::expr::{Names, column_not_found, expr_op, polars_failure, show};
use crate::frame::length_of_time::at_most;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::sorted_by::ranges_of;
use crate::frame::value::{chunk_of, frame_of, joined};
use crate::frame::{Node, Step, ops};

/// The frame with columns of expressions whose windows reach so far back in a column of times.
pub(super) struct InTime {
    pub exprs: Vec<Expr>,
    pub on: PlSmallStr,
    pub window: Duration,
}

impl InTime {
    fn reach(&self, schema: &Schema) -> Result<i64, Failure> {
        let dtype = schema.get(&self.on).ok_or_else(|| column_not_found(&self.on, schema))?;
        if self.window.negative() || self.window.is_zero() {
            let what = format!("a window of {} holds no rows", self.window);
            return Err(Failure::new(Code::InvalidOption, what).help("a time as \"30m\", \"1d12h\" or \"1mo\"; for whole numbers \"10i\""));
        }
        // Months and days are as long as they ever are: a few rows more change nothing.
        let reach = at_most(&self.window)?;
        match dtype {
            DataType::Datetime(unit, _) if !self.window.parsed_int => Ok(match unit {
                TimeUnit::Nanoseconds => reach,
                TimeUnit::Microseconds => reach / 1_000 + 1,
                TimeUnit::Milliseconds => reach / 1_000_000 + 1,
            }),
            DataType::Date if !self.window.parsed_int => Ok(reach / (24 * 3600 * 1_000_000_000) + 1),
            DataType::Int64 | DataType::Int32 | DataType::UInt64 | DataType::UInt32 if self.window.parsed_int => {
                Ok(self.window.nanoseconds())
            }
            other => {
                let what = format!("a window of {} does not fit `{}`, which is of type {other}", self.window, self.on);
                Err(Failure::new(Code::TypeMismatch, what)
                    .help("windows of times need dates or times (\"30m\"), those of numbers whole numbers of 32 or 64 bits (\"10i\")"))
            }
        }
    }
}

impl InTime {
    /// For each partition the rows near it, out of those partitions that are known to have such rows.
    fn near(
        &self,
        ranges: &[Option<(i64, i64)>],
        reach: i64,
        before: bool,
        ends: Lowered,
        node: &Node,
        lowering: &mut Lowering,
    ) -> Lowered {
        let (mut offsets, mut indices, mut args) = (vec![0u32], Vec::new(), Vec::new());
        for (at, range) in ranges.iter().enumerate() {
            let known = indices.len();
            // Of a partition without rows nothing is near, and nothing lies between these.
            let (low, high) = match (range, before) {
                (None, _) => (1, 0),
                (Some((first, _)), true) => (first.saturating_sub(reach), i64::MAX),
                (Some((_, last)), false) => (i64::MIN, *last),
            };
            let (from, to) = if before { (0, at) } else { (at + 1, ranges.len()) };
            let others = ranges[from..to].iter().zip(from as u32..);
            let near =
                others.filter(|(other, _)| other.is_some_and(|(least, greatest)| if before { greatest >= low } else { least <= high }));
            if range.is_some() {
                indices.extend(near.map(|(_, other)| other));
            }
            let none = indices.len() == known;
            if none {
                // For the columns.
                indices.push(at as u32);
            }
            args.push(Arg::encode(&if none { (1, 0) } else { (low, high) }));
            offsets.push(indices.len() as u32);
        }
        let label = if before { "rows shortly before each partition" } else { "rows at the time of its end" };
        let op = OpRef::new(TimeNear { on: self.on.clone() }, label);
        let wiring = Wiring::Table(Table { offsets: offsets.into(), indices: indices.into() });
        lowering.add(Layer::with_args("near", op, args, vec![ends.edge(wiring)]), node)
    }
}

impl Step for InTime {
    fn line(&self) -> String {
        format!("with {}, looking back in {}", show(&self.exprs), self.on)
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        self.reach(&inputs[0])?;
        schema_with(&inputs[0], &self.exprs)
    }

    fn needs(&self, wanted: &Names, input: &Schema) -> Names {
        let mut needed = needs_of(wanted, input, &self.exprs);
        needed.insert(self.on.clone());
        needed
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let exprs = fewer(&self.exprs, wanted)?;
        Some(Arc::new(Self { exprs, on: self.on.clone(), window: self.window }))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = inputs[0];
        if self.exprs.is_empty() {
            return Ok(input);
        }
        let reach = self.reach(node.inputs[0].resolved()?)?;
        let mut columns = read_by(&self.exprs);
        if !columns.iter().any(|name| *name == self.on.as_str()) {
            columns.push(self.on.to_string());
        }
        let mut edges = vec![input.edge(Wiring::Each)];
        if input.partitions > 1 {
            let op = OpRef::new(TimeEdges { on: self.on.clone(), reach, columns: columns.clone() }, "rows near the ends in time");
            let ends = lowering.add(Layer::single("edge", input.partitions, op, vec![input.edge(Wiring::Each)]), node);
            let known = ranges_of(&node.inputs[0], &self.on).map(|ranges| ranges.numbers);
            let known = known.filter(|ranges| ranges.len() == input.partitions as usize);
            for before in [true, false] {
                if let Some(ranges) = &known {
                    let near = self.near(ranges, reach, before, ends, node, lowering);
                    edges.push(near.edge(Wiring::Each));
                    continue;
                }
                let label = if before { "rows before each partition" } else { "rows at the time of its end" };
                let op = OpRef::new(TimeBorders { on: self.on.clone(), reach, before }, label);
                let border = lowering.add(Layer::single("border", 1, op, vec![ends.edge(Wiring::Every)]), node);
                edges.push(border.edge(Wiring::Part));
            }
        }
        let types = types_of(&self.exprs, node.schema.as_ref().map_err(Clone::clone)?);
        let operator = TimeRows { exprs: self.exprs.clone(), types, on: self.on.clone(), columns, beside: input.partitions > 1 };
        let op = expr_op(operator, self.line(), ops::token());
        Ok(lowering.add(Layer::single("in_time", input.partitions, op, edges), node))
    }
}

pub(crate) fn not_sorted(on: &str) -> Failure {
    Failure::new(Code::NotSorted, format!("the rows are not in the order of `{on}`, or it has nulls"))
        .help(format!("sort them first: .sort([{on:?}]); rows without a time can be left out: .filter(col({on:?}).is_not_null())"))
}

/// The times as whole numbers; a failure unless they ascend.
fn times_of(frame: &DataFrame, on: &str) -> Result<Vec<i64>, Failure> {
    let times = frame.column(on).and_then(|column| column.to_physical_repr().cast(&DataType::Int64));
    let times = times.map_err(|e| polars_failure(e, None))?;
    let times: Option<Vec<i64>> = times.i64().map_err(|e| polars_failure(e, None))?.iter().collect();
    times.filter(|times| times.is_sorted()).ok_or_else(|| not_sorted(on))
}

/// The rows of a partition that windows of others may hold: those at its first time, and those within reach of its last.
#[derive(Serialize, Deserialize)]
pub(crate) struct TimeEdges {
    on: PlSmallStr,
    reach: i64,
    columns: Vec<String>,
}

impl Operator for TimeEdges {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?.select(&self.columns).map_err(|e| polars_failure(e, None))?;
        let times = times_of(&frame, &self.on)?;
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return Ok(chunk_of(frame)) };
        let head = times.partition_point(|time| time <= first);
        let tail = times.partition_point(|time| *time < last.saturating_sub(self.reach));
        let ends = match tail <= head {
            true => frame,
            false => joined(vec![frame.slice(0, head), frame.slice(tail as i64, times.len() - tail)])?,
        };
        compact(ends).map(chunk_of)
    }
}

impl NamedOperator for TimeEdges {
    const NAME: &'static str = "time_edges";
}

/// For each partition the rows before it within reach, or those after it at its last time: one part each.
#[derive(Serialize, Deserialize)]
pub(crate) struct TimeBorders {
    on: PlSmallStr,
    reach: i64,
    before: bool,
}

/// The rows whose times lie between these two.
fn within(frame: &DataFrame, on: &str, low: i64, high: i64) -> Result<DataFrame, Failure> {
    let times = times_of(frame, on)?;
    let (from, to) = (times.partition_point(|time| *time < low), times.partition_point(|time| *time <= high));
    Ok(frame.slice(from as i64, to.saturating_sub(from)))
}

/// The rows between two times, of partitions that come one after the other.
#[derive(Serialize, Deserialize)]
pub(crate) struct TimeNear {
    on: PlSmallStr,
}

impl Operator for TimeNear {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (low, high): (i64, i64) = ctx.arg()?.decode()?;
        let ends = joined(inputs.iter().map(frame_of).collect::<Result<Vec<_>, _>>()?)?;
        within(&ends, &self.on, low, high).and_then(compact).map(chunk_of)
    }
}

impl NamedOperator for TimeNear {
    const NAME: &'static str = "time_near";
}

impl TimeBorders {
    fn borders(&self, edges: &[DataFrame]) -> Result<Vec<DataFrame>, Failure> {
        let mut ends = Vec::with_capacity(edges.len());
        let mut last_seen = i64::MIN;
        for edge in edges {
            let times = times_of(edge, &self.on)?;
            let end = times.first().copied().zip(times.last().copied());
            if let Some((first, last)) = end {
                if first < last_seen {
                    return Err(not_sorted(&self.on));
                }
                last_seen = last;
            }
            ends.push(end);
        }
        let mut borders: Vec<DataFrame> = edges.iter().map(DataFrame::clear).collect();
        let mut carried: Option<DataFrame> = None;
        let order: Vec<usize> = if self.before { (0..edges.len()).collect() } else { (0..edges.len()).rev().collect() };
        for at in order {
            // A partition without rows has no windows, and what stands beside it stands beside the next one too.
            let Some((first, last)) = ends[at] else { continue };
            if let Some(carried) = &carried {
                borders[at] = match self.before {
                    true => within(carried, &self.on, first.saturating_sub(self.reach), i64::MAX)?,
                    false => within(carried, &self.on, i64::MIN, last)?,
                };
            }
            carried = Some(match self.before {
                true => joined(vec![borders[at].clone(), edges[at].clone()])?,
                false => within(&joined(vec![edges[at].clone(), borders[at].clone()])?, &self.on, first, first)?,
            });
        }
        Ok(borders)
    }
}

impl Operator for TimeBorders {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let edges = inputs.iter().map(frame_of).collect::<Result<Vec<_>, _>>()?;
        Ok(Chunk::new(Parts(self.borders(&edges)?.into_iter().map(chunk_of).collect())))
    }
}

impl NamedOperator for TimeBorders {
    const NAME: &'static str = "time_borders";
}

/// Computes columns over a partition between the rows that its windows hold.
#[derive(Serialize, Deserialize)]
pub(crate) struct TimeRows {
    exprs: Vec<Expr>,
    /// What they give, where it is numbers.
    types: Vec<Option<DataType>>,
    on: PlSmallStr,
    columns: Vec<String>,
    beside: bool,
}

impl Operator for TimeRows {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let between = Between::read(inputs, &self.columns, self.beside, self.beside)?;
        times_of(&between.rows, &self.on)?;
        let computed = between.rows.clone().lazy().select(self.exprs.clone()).collect().map_err(|e| polars_failure(e, None))?;
        let own = of_types(&between.own(&computed), &self.types);
        own.and_then(|own| between.frame.hstack(&own)).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for TimeRows {
    const NAME: &'static str = "time_rows";
}
