//! `map_overlap`: any function on each partition together with rows of its neighbours.

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::delayed::call::on_chunk;
use crate::delayed::frames::check_announced;
use crate::delayed::task_support::{Task, TaskOf};
use crate::frame::across::borders::{Reach, with_neighbours};
use crate::frame::expr::Names;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::concat::Concat;
use crate::frame::ops::map_partitions::schema_given;
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{DFrame, Node, Step, ops};

impl DFrame {
    /// Calls a function with each partition, `before` rows before it and `after` rows after it, as far as there are so many; they come
    /// from as many neighbours as it takes. The function gives a row for each row; those of the neighbours are taken off again.
    ///
    /// For shifts, rolling aggregates and the like expressions do, see [`DFrame::with_columns`]. A closure runs in this process only; on a
    /// cluster it is refused with the fix, [`DFrame::map_overlap_task`].
    ///
    /// ```
    /// use partita::{polars::prelude::IntoLazy, prelude::*};
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 4, 7])?, 4);
    /// let steps = frame.map_overlap(1, 0, |rows| rows.lazy().select([col("x") - col("x").shift(lit(1))]).collect());
    /// assert_eq!(steps.compute()?, df!("x" => [None, Some(1), Some(2), Some(3)])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: the function fails on an empty partition, which tells what columns it gives; while it runs: the function fails, gives
    /// other columns than for an empty partition, or another number of rows than it got.
    #[track_caller]
    pub fn map_overlap<F>(&self, before: usize, after: usize, function: F) -> DFrame
    where
        F: Fn(DataFrame) -> PolarsResult<DataFrame> + Send + Sync + 'static,
    {
        let method = ".map_overlap(…)";
        let schema =
            match self.resolved().and_then(|schema| schema_given(schema, &function, ".map_overlap_task(before, after, task, schema)")) {
                Ok(schema) => schema,
                Err(failure) => return DFrame::failed(failure, method),
            };
        let op = OpRef::closure("map_overlap", ops::token(), move |_, inputs| {
            let rows = function(frame_of(&inputs[0])?);
            rows.map(chunk_of).map_err(|e| Failure::new(Code::UserFunction, format!("the function of map_overlap failed: {e}")))
        });
        let reach = Reach { before: before as u64, after: after as u64 };
        DFrame::then(MapOverlap { schema, op, reach }, vec![self.clone()], method)
    }

    /// The same with a `#[task]`, which runs anywhere; the schema says what it gives.
    ///
    /// ```
    /// use partita::{polars::prelude::{IntoLazy, PolarsError}, prelude::*, task};
    ///
    /// #[task]
    /// fn steps(rows: DataFrame) -> Result<DataFrame, PolarsError> {
    ///     rows.lazy().select([col("x") - col("x").shift(lit(1))]).collect()
    /// }
    ///
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 4, 7])?, 4);
    /// let found = frame.map_overlap_task(1, 0, steps, frame.schema()?).compute()?;
    /// assert_eq!(found, df!("x" => [None, Some(1), Some(2), Some(3)])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// While it runs: as [`DFrame::map_overlap`].
    #[track_caller]
    pub fn map_overlap_task<F>(&self, before: usize, after: usize, task: F, schema: impl Into<SchemaRef>) -> DFrame
    where
        F: TaskOf<(DataFrame,)> + Task<Output = DataFrame>,
    {
        // It has no fields: its type says which function it is.
        let _ = task;
        let reach = Reach { before: before as u64, after: after as u64 };
        let step = MapOverlap { schema: schema.into(), op: on_chunk::<F>(), reach };
        DFrame::then(step, vec![self.clone()], ".map_overlap_task(…)")
    }
}

struct MapOverlap {
    schema: SchemaRef,
    op: OpRef,
    reach: Reach,
}

impl Step for MapOverlap {
    fn line(&self) -> String {
        format!("map_overlap {}, with {}", self.op.label, self.reach.show())
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(self.schema.clone())
    }

    fn needs(&self, _: &Names, input: &Schema) -> Names {
        input.iter_names().cloned().collect()
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = inputs[0];
        let reach = if input.partitions == 1 { Reach::default() } else { self.reach };
        let columns: Vec<String> = node.inputs[0].columns()?;
        let own_and_beside = with_neighbours(&columns, reach, input, node, lowering);
        let mut in_order = own_and_beside.clone();
        if reach.before > 0 {
            in_order.swap(0, 1);
        }
        let op = OpRef::new(Concat, "a partition and the rows beside it");
        let rows = lowering.add(Layer::single("overlap", input.partitions, op, in_order), node);
        let called = lowering.add(Layer::single("call", input.partitions, self.op.clone(), vec![rows.edge(Wiring::Each)]), node);
        let op = OpRef::new(TrimRows { schema: (*self.schema).clone(), before: reach.before > 0 }, self.line());
        let edges = [called.edge(Wiring::Each)].into_iter().chain(own_and_beside).collect();
        Ok(lowering.add(Layer::single("map_overlap", input.partitions, op, edges), node))
    }
}

/// Takes what belongs to neighbouring rows off what a function gave. Its inputs are that, the partition, and the rows before and after.
#[derive(Serialize, Deserialize)]
pub(crate) struct TrimRows {
    schema: Schema,
    /// Whether the first of the neighbours' rows are those before.
    before: bool,
}

impl Operator for TrimRows {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let called = frame_of(inputs.first().ok_or_else(|| Failure::internal("a call without its result"))?)?;
        let heights = inputs[1..].iter().map(|chunk| Ok(frame_of(chunk)?.height())).collect::<Result<Vec<usize>, Failure>>()?;
        let all: usize = heights.iter().sum();
        if called.height() != all {
            let what = format!("the function of map_overlap gave {} rows for {all} rows", called.height());
            return Err(Failure::new(Code::UserFunction, what).help("give a row for each row; the rows of neighbours are taken off again"));
        }
        check_announced(&called, &self.schema, "the function of map_overlap gave another schema than was announced")?;
        let own = heights.first().copied().unwrap_or(0);
        let before = if self.before { heights.get(1).copied().unwrap_or(0) } else { 0 };
        Ok(chunk_of(called.slice(before as i64, own)))
    }
}

impl NamedOperator for TrimRows {
    const NAME: &'static str = "trim_rows";
}
