//! Columns that run through all rows before (or after): cumulative sums, products, minima and maxima, and fills without a limit.
//!
//! Each partition says its total in one row, one task runs through the totals, and each partition goes on from what came before it.

use std::sync::Arc;

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, Parts, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::{needs_of, schema_of};
use crate::frame::expr::{Names, check_columns, expr_op, polars_failure, show_one};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::concat::stack;
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{Node, Step, ops};

/// What runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Kind {
    Sum,
    Product,
    Min,
    Max,
    /// The last value that is not null.
    Fill,
}

/// One column that runs.
#[derive(Clone)]
pub(super) struct Running {
    pub name: PlSmallStr,
    pub kind: Kind,
    /// From the last row to the first.
    pub backwards: bool,
    pub input: Expr,
    /// The whole, as polars has it, which says the type.
    pub expr: Expr,
}

impl Running {
    /// The column over an input of this schema.
    fn typed(&self, schema: &SchemaRef) -> Result<Typed, Failure> {
        let whole = schema_of(schema, &[self.expr.clone().alias(self.name.clone())])?;
        let dtype = whole.get(&self.name).cloned().ok_or_else(|| Failure::internal("an expression without a type"))?;
        let input = if self.kind == Kind::Fill { self.input.clone() } else { self.input.clone().cast(dtype.clone()) };
        Ok(Typed { name: self.name.clone(), kind: self.kind, backwards: self.backwards, input, dtype })
    }
}

/// The same, its types known.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Typed {
    name: PlSmallStr,
    kind: Kind,
    backwards: bool,
    /// What runs, of the type of the column.
    input: Expr,
    dtype: DataType,
}

impl Typed {
    fn input(&self) -> Expr {
        self.input.clone().alias(self.name.clone())
    }

    /// What a partition adds to those that come after it.
    fn total(&self) -> Expr {
        let input = self.input.clone();
        let total = match self.kind {
            Kind::Sum => input.sum().cast(self.dtype.clone()),
            Kind::Product => input.product().cast(self.dtype.clone()),
            Kind::Min => input.min(),
            Kind::Max => input.max(),
            Kind::Fill if self.backwards => input.first_non_null(),
            Kind::Fill => input.last_non_null(),
        };
        total.alias(self.name.clone())
    }

    /// The column, over inputs or totals that stand in a column of its name.
    fn column(&self) -> Expr {
        let values = col(self.name.clone());
        match self.kind {
            Kind::Sum => values.cum_sum(self.backwards),
            Kind::Product => values.cum_prod(self.backwards),
            Kind::Min => values.cum_min(self.backwards),
            Kind::Max => values.cum_max(self.backwards),
            Kind::Fill => self.filled(values),
        }
    }

    fn filled(&self, values: Expr) -> Expr {
        values.fill_null_with_strategy(if self.backwards { FillNullStrategy::Backward(None) } else { FillNullStrategy::Forward(None) })
    }

    /// What came before each partition, over the totals of all.
    fn carried(&self) -> Expr {
        // A partition may have no total; what came before it holds on.
        self.filled(self.column()).shift(lit(if self.backwards { -1i64 } else { 1 }))
    }
}

/// The frame with columns that run.
pub(super) struct WithRunning {
    pub columns: Vec<Running>,
}

impl WithRunning {
    fn typed(&self, schema: &SchemaRef) -> Result<Vec<Typed>, Failure> {
        self.columns.iter().map(|column| column.typed(schema)).collect()
    }
}

impl Step for WithRunning {
    fn line(&self) -> String {
        let shown: Vec<String> = self.columns.iter().map(|column| show_one(&column.expr)).collect();
        format!("with {}, from one partition to the next", shown.join(", "))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        let exprs: Vec<Expr> = self.columns.iter().map(|column| column.expr.clone()).collect();
        check_columns(&exprs, &inputs[0])?;
        let mut schema = (*inputs[0]).clone();
        for column in self.typed(&inputs[0])? {
            schema.insert(column.name, column.dtype);
        }
        Ok(Arc::new(schema))
    }

    fn needs(&self, wanted: &Names, input: &Schema) -> Names {
        needs_of(wanted, input, &self.columns.iter().map(|column| column.input.clone()).collect::<Vec<_>>())
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let columns: Vec<Running> = self.columns.iter().filter(|column| wanted.contains(&column.name)).cloned().collect();
        (columns.len() < self.columns.len()).then(|| Arc::new(Self { columns }) as Arc<dyn Step>)
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = inputs[0];
        if self.columns.is_empty() {
            return Ok(input);
        }
        let columns = self.typed(node.inputs[0].resolved()?)?;
        let mut edges = vec![input.edge(Wiring::Each)];
        if input.partitions > 1 {
            let exprs = columns.iter().map(Typed::total).collect();
            let op = expr_op(Totals { exprs }, "totals".into(), ops::token());
            let totals = lowering.add(Layer::single("totals", input.partitions, op, vec![input.edge(Wiring::Each)]), node);
            let op = OpRef::new(RunOn { exprs: columns.iter().map(Typed::carried).collect() }, "what came before each partition");
            let carried = lowering.add(Layer::single("carried", 1, op, vec![totals.edge(Wiring::Every)]), node);
            edges.push(carried.edge(Wiring::Part));
        }
        let op = expr_op(GoOn { columns }, self.line(), ops::token());
        Ok(lowering.add(Layer::single("running", input.partitions, op, edges), node))
    }
}

/// Aggregates of a partition, as one row.
#[derive(Serialize, Deserialize)]
pub(crate) struct Totals {
    exprs: Vec<Expr>,
}

impl Operator for Totals {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let rows = frame.height();
        let totals = frame.lazy().select(self.exprs.clone()).collect().map_err(|e| polars_failure(e, None))?;
        Ok(chunk_of(if rows == 0 { DataFrame::full_null(totals.schema(), 1) } else { totals }))
    }
}

impl NamedOperator for Totals {
    const NAME: &'static str = "totals";
}

/// Runs through one row of each partition, and gives each partition a row.
#[derive(Serialize, Deserialize)]
pub(crate) struct RunOn {
    exprs: Vec<Expr>,
}

impl Operator for RunOn {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let rows = stack(inputs)?.lazy().select(self.exprs.clone()).collect().map_err(|e| polars_failure(e, None))?;
        if rows.height() != inputs.len() {
            return Err(Failure::internal("a partition has other totals than one row"));
        }
        Ok(Chunk::new(Parts((0..inputs.len()).map(|at| chunk_of(rows.slice(at as i64, 1))).collect())))
    }
}

impl NamedOperator for RunOn {
    const NAME: &'static str = "run_on";
}

/// Computes running columns of a partition, going on from what came before it, if anything did.
#[derive(Serialize, Deserialize)]
pub(crate) struct GoOn {
    columns: Vec<Typed>,
}

impl GoOn {
    fn columns(&self, frame: &DataFrame, carried: Option<DataFrame>) -> PolarsResult<Vec<Column>> {
        let own = frame.clone().lazy().select(self.columns.iter().map(Typed::input).collect::<Vec<_>>()).collect()?;
        let rows = own.height();
        let mut made = Vec::with_capacity(self.columns.len());
        for running in &self.columns {
            let own = own.column(&running.name)?;
            let values = match &carried {
                None => own.clone(),
                Some(carried) => {
                    // What was carried stands where it came from: before the first row, or after the last.
                    let carried = carried.column(&running.name)?;
                    let (first, second) = if running.backwards { (own, carried) } else { (carried, own) };
                    let mut all = first.clone();
                    all.append(second)?;
                    all
                }
            };
            let length = values.len();
            let run = DataFrame::new(length, vec![values])?.lazy().select([running.column()]).collect()?;
            let skipped = if running.backwards { 0 } else { length - rows };
            made.push(run.columns()[0].slice(skipped as i64, rows));
        }
        Ok(made)
    }
}

impl Operator for GoOn {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let carried = inputs.get(1).map(frame_of).transpose()?;
        let columns = self.columns(&frame, carried);
        columns.and_then(|columns| frame.hstack(&columns)).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for GoOn {
    const NAME: &'static str = "go_on";
}
