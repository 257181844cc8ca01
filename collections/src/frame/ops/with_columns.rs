//! `with_columns`: adds or replaces columns, row by row. Also the step behind `cast`.

use std::sync::Arc;

use partita_graph::{Chunk, Failure, Layer, NamedOperator, Operator, TaskContext, Wiring};
use polars::prelude::*;
use polars_plan::utils::expr_output_name;
use serde::{Deserialize, Serialize};

use crate::frame::expr::{Names, check_columns, check_row_by_row, columns_of, columns_of_all, expr_op, polars_failure, schema_after, show};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::select::Select;
use crate::frame::row_by_row::check_repeatable;
use crate::frame::shuffle::named;
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{Admission, DFrame, IntoExprs, Node, Step, across, ops};

impl DFrame {
    /// The frame with more columns; an expression that has the name of a column replaces it.
    ///
    /// Besides their own row, expressions may look at neighbouring rows (`shift`, `diff`, `rolling_…`), at all rows before (`cum_…`,
    /// fills) and at all rows with the same keys (`over`), through all partitions; see [`DFrame::select`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let flights = DFrame::from_polars(df!("air_time" => [90.0, 30.0])?, 1);
    /// let hours = flights.with_columns([(col("air_time") / lit(60.0)).alias("hours")]).compute()?;
    /// assert_eq!(hours, df!("air_time" => [90.0, 30.0], "hours" => [1.5, 0.5])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: as with [`DFrame::select`].
    #[doc(alias = "assign")]
    #[track_caller]
    pub fn with_columns(&self, exprs: impl IntoExprs) -> DFrame {
        self.with_columns_as(exprs.into_exprs(), ".with_columns(…)")
    }

    #[track_caller]
    pub(crate) fn with_columns_as(&self, exprs: Vec<Expr>, method: &str) -> DFrame {
        let exprs = match self.expanded(exprs) {
            Ok(exprs) => exprs,
            Err(failure) => return DFrame::failed(failure, method),
        };
        match across::lift(self, exprs, method) {
            Ok(lifted) => {
                let with = DFrame::then(WithColumns { exprs: lifted.exprs }, vec![lifted.frame], method);
                if lifted.changed { with.without_columns_on_the_way(method) } else { with }
            }
            Err(failure) => DFrame::failed(failure, method),
        }
    }

    /// The frame without the columns that expressions were taken apart into.
    #[track_caller]
    pub(crate) fn without_columns_on_the_way(&self, method: &str) -> DFrame {
        let Ok(names) = self.columns() else { return self.clone() };
        let exprs = named(names.into_iter().filter(|name| !across::is_on_the_way(name)));
        DFrame::then(Select { exprs }, vec![self.clone()], method)
    }

    /// One more column; see [`DFrame::with_columns`].
    #[track_caller]
    pub fn with_column(&self, expr: Expr) -> DFrame {
        self.with_columns([expr])
    }
}

/// Adds or replaces columns.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct WithColumns {
    pub exprs: Vec<Expr>,
}

impl WithColumns {
    fn made(&self) -> Names {
        self.exprs.iter().filter_map(|e| expr_output_name(e).ok()).collect()
    }
}

impl Step for WithColumns {
    fn line(&self) -> String {
        format!("with_columns {}", show(&self.exprs))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        check_columns(&self.exprs, &inputs[0])?;
        // Casts come here without having been expanded.
        check_repeatable(&self.exprs, &inputs[0])?;
        check_row_by_row(&self.exprs, &inputs[0], ".with_columns(…)")?;
        schema_after(&inputs[0], |frame| frame.with_columns(self.exprs.clone()))
    }

    fn needs(&self, wanted: &Names, input: &Schema) -> Names {
        // A column that is replaced keeps its place only if it is there to be replaced.
        let passed: Names = wanted.iter().filter(|name| input.contains(name)).cloned().collect();
        passed.union(&columns_of_all(&self.exprs)).cloned().collect()
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let kept = self.exprs.iter().filter(|e| expr_output_name(e).is_ok_and(|name| wanted.contains(&name)));
        let exprs: Vec<Expr> = kept.cloned().collect();
        (exprs.len() < self.exprs.len()).then(|| Arc::new(WithColumns { exprs }) as Arc<dyn Step>)
    }

    fn rows(&self, inputs: &[Option<u64>]) -> Option<u64> {
        inputs[0]
    }

    fn admit(&self, predicate: &Expr, _: &Node) -> Admission {
        match columns_of(predicate).is_disjoint(&self.made()) {
            true => Admission::Through(predicate.clone()),
            false => Admission::Stop,
        }
    }

    fn minds_order(&self, _: usize, wanted: bool) -> bool {
        wanted
    }

    fn is_row_by_row(&self) -> bool {
        true
    }

    fn keeps_spread(&self, columns: &[PlSmallStr]) -> Option<Vec<PlSmallStr>> {
        let made = self.made();
        (!columns.iter().any(|name| made.contains(name))).then(|| columns.to_vec())
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        if self.exprs.is_empty() {
            return Ok(inputs[0]);
        }
        let op = expr_op(self.clone(), self.line(), ops::token());
        Ok(lowering.add(Layer::single("with_columns", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node))
    }
}

impl Operator for WithColumns {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?.lazy().with_columns(self.exprs.clone()).collect();
        frame.map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for WithColumns {
    const NAME: &'static str = "with_columns";
}
