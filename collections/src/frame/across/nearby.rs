//! Columns of expressions that look at a bounded number of rows before and after: `shift`, `diff`, `rolling_…`, fills with a limit.

use std::sync::Arc;

use partita_graph::{Chunk, Failure, Layer, NamedOperator, Operator, TaskContext};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::borders::{Between, Reach, with_neighbours};
use super::{fewer, needs_of, of_types, read_by, schema_with, types_of};
use crate::frame::expr::{Names, expr_op, polars_failure, show};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::value::chunk_of;
use crate::frame::{Node, Step, ops};

/// The frame with columns of expressions, all of which look no farther than the reach.
pub(super) struct Nearby {
    pub exprs: Vec<Expr>,
    pub reach: Reach,
}

impl Step for Nearby {
    fn line(&self) -> String {
        format!("with {}, looking at {}", show(&self.exprs), self.reach.show())
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        schema_with(&inputs[0], &self.exprs)
    }

    fn needs(&self, wanted: &Names, input: &Schema) -> Names {
        needs_of(wanted, input, &self.exprs)
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let exprs = fewer(&self.exprs, wanted)?;
        Some(Arc::new(Self { exprs, reach: self.reach }))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = inputs[0];
        if self.exprs.is_empty() {
            return Ok(input);
        }
        let reach = if input.partitions == 1 { Reach::default() } else { self.reach };
        let columns = read_by(&self.exprs);
        let edges = with_neighbours(&columns, reach, input, node, lowering);
        let types = types_of(&self.exprs, node.schema.as_ref().map_err(Clone::clone)?);
        let operator = NearbyRows { exprs: self.exprs.clone(), types, columns, before: reach.before > 0, after: reach.after > 0 };
        let op = expr_op(operator, self.line(), ops::token());
        Ok(lowering.add(Layer::single("nearby", input.partitions, op, edges), node))
    }
}

/// Computes columns over a partition between the rows beside it.
#[derive(Serialize, Deserialize)]
pub(crate) struct NearbyRows {
    pub exprs: Vec<Expr>,
    /// What they give, where it is numbers.
    pub types: Vec<Option<DataType>>,
    /// The columns that they read.
    pub columns: Vec<String>,
    pub before: bool,
    pub after: bool,
}

impl Operator for NearbyRows {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let between = Between::read(inputs, &self.columns, self.before, self.after)?;
        let computed = between.rows.clone().lazy().select(self.exprs.clone()).collect().map_err(|e| polars_failure(e, None))?;
        let own = of_types(&between.own(&computed), &self.types);
        own.and_then(|own| between.frame.hstack(&own)).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for NearbyRows {
    const NAME: &'static str = "nearby_rows";
}
