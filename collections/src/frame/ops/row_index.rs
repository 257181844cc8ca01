//! `with_row_index`: the numbers of rows, through all partitions.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::expr::{Names, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::slice::{CountRows, Heights};
use crate::frame::value::{chunk_of, fact_of, frame_of};
use crate::frame::{DFrame, Node, Step};

impl DFrame {
    /// The frame with the number of each row, from 0 through all partitions, as its first column.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => ["a", "b", "c"])?, 2);
    /// assert_eq!(frame.with_row_index("row").compute()?, df!("row" => [0u32, 1, 2], "x" => ["a", "b", "c"])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a column of that name; while it runs: more rows than polars counts (4,294,967,295).
    #[doc(alias = "reset_index")]
    #[track_caller]
    pub fn with_row_index(&self, name: &str) -> DFrame {
        DFrame::then(RowIndex { name: name.into() }, vec![self.clone()], ".with_row_index(…)")
    }
}

struct RowIndex {
    name: PlSmallStr,
}

impl Step for RowIndex {
    fn line(&self) -> String {
        format!("row numbers as {}", self.name)
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        if inputs[0].contains(&self.name) {
            let what = format!("the frame has a column `{}` already", self.name);
            return Err(Failure::new(Code::DuplicateColumn, what).help("choose another name for the numbers of rows"));
        }
        let mut schema = Schema::default();
        schema.insert(self.name.clone(), DataType::IDX_DTYPE);
        for (name, dtype) in inputs[0].iter() {
            schema.insert(name.clone(), dtype.clone());
        }
        Ok(Arc::new(schema))
    }

    fn needs(&self, wanted: &Names, input: &Schema) -> Names {
        let mut needed: Names = wanted.iter().filter(|name| input.contains(name)).cloned().collect();
        if needed.is_empty() {
            // Without a column a frame would lose its rows.
            needed.extend(input.iter_names().next().cloned());
        }
        needed
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = inputs[0];
        let counts = Layer::single("rows", input.partitions, OpRef::new(CountRows, "count rows"), vec![input.edge(Wiring::Each)]);
        let counts = lowering.add(counts, node);
        let heights = Layer::single("heights", 1, OpRef::new(Heights, "rows of all partitions"), vec![counts.edge(Wiring::Every)]);
        let heights = lowering.add(heights, node);
        let op = OpRef::new(NumberRows { name: self.name.clone() }, self.line());
        let edges = vec![input.edge(Wiring::Each), heights.edge(Wiring::Every)];
        Ok(lowering.add(Layer::single("row_index", input.partitions, op, edges), node))
    }
}

/// Numbers the rows of a partition, given how many rows each partition has.
#[derive(Serialize, Deserialize)]
pub(crate) struct NumberRows {
    name: PlSmallStr,
}

impl Operator for NumberRows {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let rows = frame_of(&inputs[0])?;
        let heights: Vec<u64> = fact_of(inputs.get(1).ok_or_else(|| Failure::internal("row numbers without the numbers of rows"))?)?;
        let before: u64 = heights[..ctx.key.index as usize].iter().sum();
        let first = IdxSize::try_from(before + rows.height() as u64).map(|_| before as IdxSize).map_err(|_| {
            Failure::new(Code::Unsupported, format!("the frame has more than the {} rows that polars counts", IdxSize::MAX))
        })?;
        rows.with_row_index(self.name.clone(), Some(first)).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for NumberRows {
    const NAME: &'static str = "number_rows";
}
