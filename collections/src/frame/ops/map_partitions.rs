//! `map_partitions`: any function on each partition, in process.

use std::sync::Arc;

use partita_graph::{Code, Failure, Layer, OpRef, Wiring};
use polars::prelude::*;

use crate::delayed::call::on_chunk;
use crate::delayed::frames::Announced;
use crate::delayed::task_support::{Task, TaskOf};
use crate::frame::expr::{Names, on_polars_thread};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{DFrame, Node, Step, ops};

type Function = Arc<dyn Fn(DataFrame) -> PolarsResult<DataFrame> + Send + Sync>;

impl DFrame {
    /// Calls a function with each partition. The result's schema is what the function gives for an empty partition.
    ///
    /// A closure runs in this process only; on a cluster it is refused with the fix.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3, 4])?, 2);
    /// let firsts = frame.map_partitions(|partition| Ok(partition.head(Some(1)))).compute()?;
    /// assert_eq!(firsts, df!("x" => [1, 3])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: the function fails on an empty partition (give the schema with [`DFrame::map_partitions_with`]), it fails on
    /// a partition, or a partition has another schema than announced.
    #[track_caller]
    pub fn map_partitions<F>(&self, function: F) -> DFrame
    where
        F: Fn(DataFrame) -> PolarsResult<DataFrame> + Send + Sync + 'static,
    {
        let schema = self.resolved().and_then(|schema| schema_given(schema, &function, ".map_partitions_with(schema, function)"));
        match schema {
            Ok(schema) => self.map_partitions_with(schema, function),
            Err(failure) => DFrame::failed(failure, ".map_partitions(…)"),
        }
    }

    /// The same with the schema of the result given, so that the function is not tried out.
    #[track_caller]
    pub fn map_partitions_with<F>(&self, schema: SchemaRef, function: F) -> DFrame
    where
        F: Fn(DataFrame) -> PolarsResult<DataFrame> + Send + Sync + 'static,
    {
        let step = MapPartitions { schema, function: Arc::new(function), token: ops::token() };
        DFrame::then(step, vec![self.clone()], ".map_partitions(…)")
    }

    /// Calls a `#[task]` with each partition, here or on a cluster; the schema says what it gives.
    ///
    /// A task of more arguments is called by way of delayed values: [`DFrame::to_delayed`], [`crate::delayed()`],
    /// [`DFrame::from_delayed`].
    ///
    /// ```
    /// use partita::{prelude::*, task};
    ///
    /// #[task]
    /// fn firsts(rows: &DataFrame) -> DataFrame {
    ///     rows.head(Some(1))
    /// }
    ///
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3, 4])?, 2);
    /// assert_eq!(frame.map_partitions_task(firsts, frame.schema()?).compute()?, df!("x" => [1, 3])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// While it runs: the task's own failure, or a partition of another schema than announced (E0113).
    #[track_caller]
    pub fn map_partitions_task<F>(&self, task: F, schema: impl Into<SchemaRef>) -> DFrame
    where
        F: TaskOf<(DataFrame,)> + Task<Output = DataFrame>,
    {
        // It has no fields: its type says which function it is.
        let _ = task;
        let step = MapTask { schema: schema.into(), op: on_chunk::<F>() };
        DFrame::then(step, vec![self.clone()], ".map_partitions_task(…)")
    }
}

/// The schema of what a function gives for an empty partition.
pub(super) fn schema_given(
    schema: &SchemaRef,
    function: &(impl Fn(DataFrame) -> PolarsResult<DataFrame> + Send + Sync),
    instead: &str,
) -> Result<SchemaRef, Failure> {
    let empty = on_polars_thread(|| function(DataFrame::empty_with_schema(schema))).map_err(|e| {
        Failure::new(Code::UserFunction, format!("the function fails on an empty partition: {e}"))
            .help(format!("say what it gives: {instead}"))
    })?;
    Ok(empty.schema().clone())
}

struct MapTask {
    schema: SchemaRef,
    op: OpRef,
}

impl Step for MapTask {
    fn line(&self) -> String {
        format!("map_partitions {}", self.op.label)
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(self.schema.clone())
    }

    fn needs(&self, _: &Names, input: &Schema) -> Names {
        input.iter_names().cloned().collect()
    }

    fn gives_any_rows(&self, _: bool) -> bool {
        true
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = inputs[0];
        let called = Layer::single("map_partitions", input.partitions, self.op.clone(), vec![input.edge(Wiring::Each)]);
        let called = lowering.add(called, node);
        let op = OpRef::new(Announced { schema: (*self.schema).clone() }, "check the schema");
        Ok(lowering.add(Layer::single("announced", input.partitions, op, vec![called.edge(Wiring::Each)]), node))
    }
}

#[derive(Clone)]
struct MapPartitions {
    schema: SchemaRef,
    function: Function,
    token: u64,
}

impl Step for MapPartitions {
    fn line(&self) -> String {
        "map_partitions".into()
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(self.schema.clone())
    }

    fn needs(&self, _: &Names, input: &Schema) -> Names {
        input.iter_names().cloned().collect()
    }

    fn gives_any_rows(&self, _: bool) -> bool {
        true
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let MapPartitions { schema, function, token } = self.clone();
        let op = OpRef::closure("map_partitions", token, move |_, inputs| {
            let frame = function(frame_of(&inputs[0])?);
            let frame = frame.map_err(|e| Failure::new(Code::UserFunction, format!("the function of map_partitions failed: {e}")))?;
            if **frame.schema() != *schema {
                let what = "a partition has another schema than the function gave for an empty one";
                return Err(Failure::new(Code::SchemaMismatch, what)
                    .detail("announced", format!("{:?}", schema))
                    .detail("found", format!("{:?}", frame.schema())));
            }
            Ok(chunk_of(frame))
        });
        Ok(lowering.add(Layer::single("map_partitions", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node))
    }
}
