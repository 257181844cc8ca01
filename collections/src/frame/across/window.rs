//! Columns of `over`: expressions over all rows with the same keys, one value for each row.
//!
//! Only the columns that the expressions read travel to where their keys come together, with the number of the row; only the new columns
//! travel back. So rows keep their order and their partitions. Without keys (`over_with_options` by an order alone) all rows are one group,
//! and come into one task.

use std::sync::Arc;

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, Parts, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::{fewer, needs_of, read_by, schema_with};
use crate::frame::compact::compact;
use crate::frame::expr::{Names, columns_of, columns_of_all, expr_op, polars_failure, show};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::{self, concat::stack, with_columns::WithColumns};
use crate::frame::shuffle::hash::{part_of, row_hashes};
use crate::frame::shuffle::keys::{check_keys, key_columns};
use crate::frame::shuffle::split::scatter;
use crate::frame::size::{parts_for_rows, size_of};
use crate::frame::value::{chunk_of, frame_of, joined};
use crate::frame::{Node, Step};

/// The number of a row in its partition, on the way.
const ROW: &str = "\u{1}row";

/// The frame with columns of expressions over rows with equal keys.
pub(super) struct Window {
    pub keys: Vec<Expr>,
    pub exprs: Vec<Expr>,
    pub method: String,
}

impl Window {
    /// Whether there is one group of all rows: polars says it by keys that are the same everywhere.
    fn is_whole(&self) -> bool {
        self.keys.iter().all(|key| columns_of(key).is_empty())
    }
}

impl Step for Window {
    fn line(&self) -> String {
        let within = if self.is_whole() { "all rows".into() } else { show(&self.keys) };
        format!("with {} within {within}", show(&self.exprs))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        // Without a column nobody would know how many rows there are.
        if !self.is_whole() || self.exprs.iter().any(|expr| columns_of(expr).is_empty()) {
            check_keys(&self.keys, &inputs[0], &self.method)?;
        }
        schema_with(&inputs[0], &self.exprs)
    }

    fn needs(&self, wanted: &Names, input: &Schema) -> Names {
        needs_of(wanted, input, &self.exprs).union(&columns_of_all(&self.keys)).cloned().collect()
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let exprs = fewer(&self.exprs, wanted)?;
        Some(Arc::new(Self { exprs, keys: self.keys.clone(), method: self.method.clone() }))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = inputs[0];
        if self.exprs.is_empty() {
            return Ok(input);
        }
        if input.partitions == 1 {
            let op = expr_op(WithColumns { exprs: self.exprs.clone() }, self.line(), ops::token());
            return Ok(lowering.add(Layer::single("window", 1, op, vec![input.edge(Wiring::Each)]), node));
        }
        let whole = self.is_whole();
        let parts = if whole { 1 } else { parts_for_rows(input.partitions, size_of(&node.inputs[0])) };
        if whole {
            let what = format!("{} is over all rows, so what it reads of them comes into one task", show(&self.exprs));
            lowering.notes.push(format!("{what}; with keys there would be several"));
        }
        let mut read = self.exprs.clone();
        read.extend(self.keys.iter().cloned());
        let keys = if whole { Vec::new() } else { self.keys.clone() };
        let label = if whole { "all rows into one".into() } else { format!("split by {} into {parts}", show(&keys)) };
        let op = expr_op(WindowSplit { keys, columns: read_by(&read), parts }, label, ops::token());
        let split = lowering.add(Layer::single("split", input.partitions, op, vec![input.edge(Wiring::Each)]), node);
        let op = expr_op(WindowParts { exprs: self.exprs.clone() }, self.line(), ops::token());
        let made = lowering.add(Layer::single("window", parts, op, vec![split.edge(Wiring::Part)]), node);
        let op = OpRef::new(WindowBack, "columns back to their rows");
        let edges = vec![input.edge(Wiring::Each), made.edge(Wiring::Part)];
        Ok(lowering.add(Layer::single("back", input.partitions, op, edges), node))
    }
}

/// Splits some columns of a partition by keys, with the numbers of the rows. Without keys they stay together.
#[derive(Serialize, Deserialize)]
pub(crate) struct WindowSplit {
    keys: Vec<Expr>,
    columns: Vec<String>,
    parts: u32,
}

impl Operator for WindowSplit {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?.select(&self.columns).map_err(|e| polars_failure(e, None))?;
        let rows = IdxCa::from_vec(ROW.into(), (0..frame.height() as IdxSize).collect()).into_column();
        let numbered = frame.hstack(&[rows]).map_err(|e| polars_failure(e, None))?;
        if self.keys.is_empty() {
            return scatter(&numbered, self.parts, std::iter::repeat_n(0, frame.height()));
        }
        let hashes = row_hashes(&key_columns(&frame, &self.keys)?).map_err(|e| polars_failure(e, None))?;
        scatter(&numbered, self.parts, hashes.iter().map(|hash| part_of(*hash, self.parts)))
    }
}

impl NamedOperator for WindowSplit {
    const NAME: &'static str = "window_split";
}

/// Computes columns over all rows of some keys, and splits them by the partitions that the rows came from.
#[derive(Serialize, Deserialize)]
pub(crate) struct WindowParts {
    exprs: Vec<Expr>,
}

impl Operator for WindowParts {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let pieces = inputs.iter().map(frame_of).collect::<Result<Vec<DataFrame>, _>>()?;
        let heights: Vec<usize> = pieces.iter().map(DataFrame::height).collect();
        let mut wanted = self.exprs.clone();
        wanted.push(col(ROW));
        let made = joined(pieces)?.lazy().select(wanted).collect().map_err(|e| polars_failure(e, None))?;
        let mut first = 0;
        let parts = heights.into_iter().map(|height| {
            first += height;
            // Each piece has text of its own: pieces go to different readers at different times.
            compact(made.slice((first - height) as i64, height)).map(chunk_of)
        });
        Ok(Chunk::new(Parts(parts.collect::<Result<_, _>>()?)))
    }
}

impl NamedOperator for WindowParts {
    const NAME: &'static str = "window_parts";
}

/// Puts columns that come in pieces beside the rows that they belong to.
#[derive(Serialize, Deserialize)]
pub(crate) struct WindowBack;

impl Operator for WindowBack {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (own, pieces) = inputs.split_first().ok_or_else(|| Failure::internal("a partition without its rows"))?;
        let (frame, made) = (frame_of(own)?, stack(pieces)?);
        if made.height() != frame.height() {
            return Err(Failure::internal("other rows came back than went"));
        }
        beside(&frame, &made).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

fn beside(frame: &DataFrame, made: &DataFrame) -> PolarsResult<DataFrame> {
    let mut places: Vec<IdxSize> = vec![0; frame.height()];
    for (place, row) in made.column(ROW)?.idx()?.iter().enumerate() {
        if let Some(row) = row {
            places[row as usize] = place as IdxSize;
        }
    }
    let ordered = made.drop(ROW)?.take(&IdxCa::from_vec(PlSmallStr::EMPTY, places))?;
    frame.hstack(ordered.columns())
}

impl NamedOperator for WindowBack {
    const NAME: &'static str = "window_back";
}
