//! `n_unique`: how many different values each column has, exactly.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, Parts, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::compact::compacted;
use crate::frame::expr::{Names, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::concat::stack;
use crate::frame::shuffle::hash::{part_of, row_hashes};
use crate::frame::shuffle::{keys::check_keys, named};
use crate::frame::size::{Size, parts_for_bytes, size_of};
use crate::frame::value::{chunk_of, fact_chunk, fact_of, frame_of};
use crate::frame::{DFrame, Node, Step};

impl DFrame {
    /// The number of different values of each column, as one row; null is a value. Exact, and no task holds more than a share of them.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 3])?, 3);
    /// assert_eq!(frame.n_unique().compute()?, df!("k" => [2u32], "x" => [3u32])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without columns.
    #[doc(alias = "nunique")]
    #[track_caller]
    pub fn n_unique(&self) -> DFrame {
        match self.columns() {
            Ok(columns) => DFrame::then(CountDifferent { columns }, vec![self.clone()], ".n_unique()"),
            Err(failure) => DFrame::failed(failure, ".n_unique()"),
        }
    }
}

struct CountDifferent {
    columns: Vec<String>,
}

impl Step for CountDifferent {
    fn line(&self) -> String {
        format!("n_unique of {}", self.columns.join(", "))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        check_keys(&named(self.columns.iter().map(String::as_str)), &inputs[0], ".n_unique()")?;
        Ok(Arc::new(self.columns.iter().map(|name| (name.as_str().into(), DataType::IDX_DTYPE)).collect()))
    }

    fn needs(&self, _: &Names, _: &Schema) -> Names {
        self.columns.iter().map(|name| name.as_str().into()).collect()
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let mut columns: Vec<String> = self.columns.iter().filter(|name| wanted.contains(name.as_str())).cloned().collect();
        if columns.is_empty() {
            columns.extend(self.columns.first().cloned());
        }
        (columns.len() < self.columns.len()).then(|| Arc::new(Self { columns }) as Arc<dyn Step>)
    }

    fn size(&self, _: &[Option<Size>], node: &Node) -> Option<Size> {
        Some(Size::of_rows(1, node.schema.as_ref().ok()?))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let parts = parts_for_bytes(size_of(&node.inputs[0]), inputs[0].partitions);
        let op = OpRef::new(DifferentValues { columns: self.columns.clone(), parts }, format!("different values, into {parts}"));
        let values = lowering.add(Layer::single("different", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node);
        let op = OpRef::new(CountValues, "count different values");
        let counts = lowering.add(Layer::single("count", parts, op, vec![values.edge(Wiring::Part)]), node);
        let op = OpRef::new(AddCounts { columns: self.columns.clone() }, self.line());
        Ok(lowering.add(Layer::single("n_unique", 1, op, vec![counts.edge(Wiring::Every)]), node))
    }
}

/// The different values of each column of a partition, split by their hashes. Columns have different numbers of them, so each part is one
/// row of lists.
#[derive(Serialize, Deserialize)]
pub(crate) struct DifferentValues {
    columns: Vec<String>,
    parts: u32,
}

impl DifferentValues {
    /// One list a part.
    fn split(&self, column: &Column) -> PolarsResult<Vec<Column>> {
        let values = different(column)?;
        let hashes = row_hashes(std::slice::from_ref(&values))?;
        let mut rows: Vec<Vec<IdxSize>> = vec![Vec::new(); self.parts as usize];
        for (row, hash) in hashes.iter().enumerate() {
            rows[part_of(*hash, self.parts)].push(row as IdxSize);
        }
        let list = |rows: Vec<IdxSize>| -> PolarsResult<Column> {
            let part = values.take(&IdxCa::from_vec("rows".into(), rows))?;
            let part = compacted(&part).unwrap_or(part);
            Ok(part.implode()?.into_column())
        };
        rows.into_iter().map(list).collect()
    }
}

impl Operator for DifferentValues {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let split = self.columns.iter().map(|name| self.split(frame.column(name)?)).collect::<PolarsResult<Vec<_>>>();
        let split = split.map_err(|e| polars_failure(e, None))?;
        let part = |at: usize| {
            let lists = split.iter().map(|lists| lists[at].clone()).collect();
            DataFrame::new(1, lists).map(chunk_of).map_err(|e| polars_failure(e, None))
        };
        Ok(Chunk::new(Parts((0..self.parts as usize).map(part).collect::<Result<_, Failure>>()?)))
    }
}

impl NamedOperator for DifferentValues {
    const NAME: &'static str = "different_values";
}

/// The different values of a column, in order of first appearance.
fn different(column: &Column) -> PolarsResult<Column> {
    if column.is_empty() {
        return Ok(column.clone());
    }
    if column.dtype().is_decimal() {
        // One decimal alone is no key for polars as it is built here; its text is.
        return different(&column.cast(&DataType::String)?)?.cast(column.dtype());
    }
    let rows = DataFrame::new(column.len(), vec![column.clone()])?;
    Ok(rows.unique_stable(None, UniqueKeepStrategy::First, None)?.columns()[0].clone())
}

/// How many different values the lists of a part have, column by column.
#[derive(Serialize, Deserialize)]
pub(crate) struct CountValues;

impl Operator for CountValues {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let lists = stack(inputs)?;
        let count = |lists: &Column| -> PolarsResult<u64> {
            let values = lists.explode(ExplodeOptions { empty_as_null: false, keep_nulls: false })?;
            Ok(different(&values)?.len() as u64)
        };
        let counts = lists.columns().iter().map(count).collect::<PolarsResult<Vec<u64>>>();
        counts.map(|counts| fact_chunk(&counts)).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for CountValues {
    const NAME: &'static str = "count_values";
}

/// Counts of all parts to one row.
#[derive(Serialize, Deserialize)]
pub(crate) struct AddCounts {
    columns: Vec<String>,
}

impl Operator for AddCounts {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let mut sums = vec![0u64; self.columns.len()];
        for chunk in inputs {
            let counts: Vec<u64> = fact_of(chunk)?;
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        let column = |(name, sum): (&String, u64)| -> Result<Column, Failure> {
            let sum = IdxSize::try_from(sum).map_err(|_| {
                let what = format!("`{name}` has {sum} different values, more than the {} that polars counts", IdxSize::MAX);
                Failure::new(Code::Unsupported, what)
            })?;
            Ok(IdxCa::from_vec(name.as_str().into(), vec![sum]).into_column())
        };
        let columns = self.columns.iter().zip(sums).map(column).collect::<Result<Vec<_>, _>>()?;
        DataFrame::new(1, columns).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for AddCounts {
    const NAME: &'static str = "add_counts";
}
