//! Whole groups: `transform`, which computes columns within groups and keeps the rows, and `apply`, which calls a task with each group.

use partita_graph::{Failure, Layer, OpRef, Wiring};
use polars::prelude::*;

use super::{GroupBy, plain_names};
use crate::delayed::call::on_groups;
use crate::delayed::task_support::{Task, TaskOf};
use crate::frame::expr::{Names, polars_failure, show};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::shuffle::keys::check_keys;
use crate::frame::shuffle::{named, spread};
use crate::frame::size::{parts_for_rows, size_of};
use crate::frame::{DFrame, IntoExprs, Node, Step};

impl GroupBy {
    /// The frame with columns that are computed within each group: an aggregate is repeated for each row of its group, and what looks at
    /// other rows (`shift`, `cum_sum`, fills) looks at those of the group. Rows keep their order and their partitions.
    ///
    /// The same as `frame.with_columns([expr.over(keys)])`.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 3])?, 3);
    /// let shares = frame.group_by(["k"]).transform([col("x").sum().alias("all"), col("x").cum_sum(false)]).compute()?;
    /// assert_eq!(shares, df!("k" => ["a", "b", "a"], "x" => [1, 2, 4], "all" => [4, 2, 4])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a column that does not exist, an expression that does not fit its types.
    #[track_caller]
    pub fn transform(&self, exprs: impl IntoExprs) -> DFrame {
        let method = ".group_by(…).transform(…)";
        match self.within_groups(exprs.into_exprs()) {
            Ok(exprs) => self.frame.with_columns_as(exprs, method),
            Err(failure) => DFrame::failed(failure, method),
        }
    }

    fn within_groups(&self, exprs: Vec<Expr>) -> Result<Vec<Expr>, Failure> {
        let keys = self.frame.expanded(self.keys.clone())?;
        let exprs = self.expanded_aggs(exprs, &keys)?;
        let within = exprs.into_iter().map(|expr| {
            // A name stays outside, so that it is the column's.
            match expr {
                Expr::Alias(inner, name) => Ok((*inner).clone().over(&keys)?.alias(name)),
                other => other.over(&keys),
            }
        });
        within.collect::<PolarsResult<_>>().map_err(|e| polars_failure(e, None))
    }

    /// Calls a `#[task]` with the rows of each group, in row order, and puts the frames that it gives below each other; the schema says
    /// what it gives.
    ///
    /// All rows of a group come together for it; an aggregate of expressions ([`GroupBy::agg`]) moves less. Groups come in order of first
    /// appearance as long as the frame is one partition, otherwise in partitions by the hash of the keys.
    ///
    /// ```
    /// use partita::{prelude::*, task};
    ///
    /// #[task]
    /// fn last_two(rows: &DataFrame) -> DataFrame {
    ///     rows.tail(Some(2))
    /// }
    ///
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b", "a", "a"], "x" => [1, 2, 3, 4])?, 1);
    /// let found = frame.group_by(["k"]).apply(last_two, frame.schema()?).compute()?;
    /// assert_eq!(found, df!("k" => ["a", "a", "b"], "x" => [3, 4, 2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: keys that are no columns; while it runs: the task's own failure, or a frame of another schema than announced (E0113).
    #[track_caller]
    pub fn apply<F>(&self, task: F, schema: impl Into<SchemaRef>) -> DFrame
    where
        F: TaskOf<(DataFrame,)> + Task<Output = DataFrame>,
    {
        // It has no fields: its type says which function it is.
        let _ = task;
        let method = ".group_by(…).apply(…)";
        let keys = self.frame.expanded(self.keys.clone()).and_then(|keys| plain_names(&keys));
        match keys {
            Ok(keys) => {
                let schema: SchemaRef = schema.into();
                let op = on_groups::<F>(keys.iter().map(|key| key.to_string()).collect(), (*schema).clone());
                let step = ApplyGroups { keys: named(keys), op, schema, parts: self.split_out, method: method.into() };
                DFrame::then(step, vec![self.frame.clone()], method)
            }
            Err(failure) => DFrame::failed(failure, method),
        }
    }
}

struct ApplyGroups {
    keys: Vec<Expr>,
    op: OpRef,
    schema: SchemaRef,
    parts: Option<usize>,
    method: String,
}

impl Step for ApplyGroups {
    fn line(&self) -> String {
        format!("group_by {} apply {}", show(&self.keys), self.op.label)
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        check_keys(&self.keys, &inputs[0], &self.method)?;
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
        let parts = match self.parts {
            Some(parts) => parts.max(1) as u32,
            None => parts_for_rows(input.partitions, size_of(&node.inputs[0])),
        };
        if parts == 1 {
            let edges = vec![input.edge(Wiring::Every)];
            return Ok(lowering.add(Layer::single("apply", 1, self.op.clone(), edges), node));
        }
        let split = spread(&self.keys, parts, input, node, lowering);
        Ok(lowering.add(Layer::single("apply", parts, self.op.clone(), vec![split.edge(Wiring::Part)]), node))
    }
}
