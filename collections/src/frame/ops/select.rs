//! `select`: columns and expressions, row by row. Also the step behind `drop` and `rename`.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, Operator, TaskContext, Wiring};
use polars::prelude::*;
use polars_plan::utils::expr_output_name;
use serde::{Deserialize, Serialize};

use crate::frame::expr::{
    Names, as_column, check_row_by_row, columns_of, columns_of_all, expand, expr_op, polars_failure, schema_after, show,
};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{Admission, DFrame, IntoExprs, Node, Step, across, ops};

impl DFrame {
    /// The columns and expressions given, in that order.
    ///
    /// Expressions may look at neighbouring rows (`shift`, `diff`, `rolling_…`), at all rows before or after (`cum_…`, fills) and at all
    /// rows with the same keys (`over`), through all partitions. A selection of aggregates alone (`col("x").sum()`) is one row over all
    /// partitions, as with [`DFrame::agg`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("a" => [1, 2], "b" => [10, 20])?, 2);
    /// let sums = frame.select([(col("a") + col("b")).alias("sum")]).compute()?;
    /// assert_eq!(sums, df!("sum" => [11, 22])?);
    /// let steps = frame.select([col("b") - col("b").shift(lit(1))]).compute()?;
    /// assert_eq!(steps, df!("b" => [None, Some(10)])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a column that does not exist, an expression that does not fit its types, one that looks at other rows.
    #[track_caller]
    pub fn select(&self, exprs: impl IntoExprs) -> DFrame {
        let exprs = exprs.into_exprs();
        if ops::reduce::all_aggregates(&exprs) {
            return self.agg(exprs);
        }
        self.select_as(exprs, ".select(…)")
    }

    #[track_caller]
    pub(crate) fn select_as(&self, exprs: Vec<Expr>, method: &str) -> DFrame {
        let exprs = match self.expanded(exprs) {
            Ok(exprs) => exprs,
            Err(failure) => return DFrame::failed(failure, method),
        };
        match across::lift(self, exprs, method) {
            Ok(lifted) => DFrame::then(Select { exprs: lifted.exprs }, vec![lifted.frame], method),
            Err(failure) => DFrame::failed(failure, method),
        }
    }

    /// Expressions with selectors replaced by this frame's columns.
    pub(crate) fn expanded(&self, exprs: Vec<Expr>) -> Result<Vec<Expr>, Failure> {
        expand(exprs, self.resolved()?)
    }
}

/// Picks and computes columns.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Select {
    pub exprs: Vec<Expr>,
}

impl Select {
    fn names(&self) -> Vec<PlSmallStr> {
        self.exprs.iter().map(|e| expr_output_name(e).unwrap_or_default()).collect()
    }
}

impl Step for Select {
    fn line(&self) -> String {
        format!("select {}", show(&self.exprs))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        crate::frame::expr::check_columns(&self.exprs, &inputs[0])?;
        check_row_by_row(&self.exprs, &inputs[0], ".select(…)")?;
        if !self.exprs.is_empty() && self.exprs.iter().all(|expr| columns_of(expr).is_empty()) {
            let what = "a selection in which nothing reads a column has no number of rows";
            return Err(Failure::new(Code::Unsupported, what).help("keep the rows: .with_columns([…])"));
        }
        schema_after(&inputs[0], |frame| frame.select(self.exprs.clone()))
    }

    fn needs(&self, _: &Names, _: &Schema) -> Names {
        columns_of_all(&self.exprs)
    }

    fn narrow(&self, wanted: &Names) -> Option<Arc<dyn Step>> {
        let kept = self.exprs.iter().zip(self.names()).filter(|(_, name)| wanted.contains(name)).map(|(e, _)| e.clone());
        let mut kept: Vec<Expr> = kept.collect();
        // Without a column a selection would lose its rows.
        if kept.iter().all(|expr| columns_of(expr).is_empty()) {
            kept.extend(self.exprs.iter().find(|expr| !columns_of(expr).is_empty()).cloned());
        }
        (!kept.is_empty() && kept.len() < self.exprs.len()).then(|| Arc::new(Select { exprs: kept }) as Arc<dyn Step>)
    }

    fn rows(&self, inputs: &[Option<u64>]) -> Option<u64> {
        inputs[0]
    }

    fn minds_order(&self, _: usize, wanted: bool) -> bool {
        wanted
    }

    fn picked(&self) -> Option<Vec<(PlSmallStr, PlSmallStr)>> {
        let old = |expr: &Expr| as_column(if let Expr::Alias(inner, _) = expr { inner } else { expr }).cloned();
        self.exprs.iter().zip(self.names()).map(|(expr, new)| Some((new, old(expr)?))).collect()
    }

    fn is_row_by_row(&self) -> bool {
        true
    }

    fn keeps_spread(&self, columns: &[PlSmallStr]) -> Option<Vec<PlSmallStr>> {
        let picked = |name: &PlSmallStr| {
            let mut new = self.exprs.iter().zip(self.names()).filter(|(expr, _)| {
                let inner: &Expr = if let Expr::Alias(inner, _) = expr { inner } else { expr };
                as_column(inner) == Some(name)
            });
            new.next().map(|(_, new)| new)
        };
        columns.iter().map(picked).collect()
    }

    fn admit(&self, predicate: &Expr, _: &Node) -> Admission {
        // A predicate on picked or renamed columns passes under their old names.
        let mut old = Vec::new();
        for (expr, name) in self.exprs.iter().zip(self.names()) {
            let inner = if let Expr::Alias(inner, _) = expr { inner } else { expr };
            old.push((name, as_column(inner).cloned()));
        }
        let find = |name: &PlSmallStr| old.iter().find(|(new, _)| new == name).and_then(|(_, old)| old.clone());
        if !columns_of(predicate).iter().all(|name| find(name).is_some()) {
            return Admission::Stop;
        }
        Admission::Through(predicate.clone().map_expr(|e| match &e {
            Expr::Column(name) => Expr::Column(find(name).unwrap_or_else(|| name.clone())),
            _ => e,
        }))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = expr_op(self.clone(), self.line(), ops::token());
        Ok(lowering.add(Layer::single("select", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node))
    }
}

impl Operator for Select {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let picked: Option<Vec<PlSmallStr>> = self.exprs.iter().map(|e| as_column(e).cloned()).collect();
        let selected = match picked {
            // Picking alone needs no engine.
            Some(names) => frame.select(names),
            None => frame.lazy().select(self.exprs.clone()).collect(),
        };
        selected.map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for Select {
    const NAME: &'static str = "select";
}
