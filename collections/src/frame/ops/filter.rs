//! `filter`: keeps the rows for which an expression is true.

use partita_graph::{Chunk, Failure, Layer, NamedOperator, Operator, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::expr::{Names, check_columns, check_row_by_row, columns_of, expr_op, polars_failure, schema_after, show_one};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::passing::passing;
use crate::frame::selectivity::{self, Facts};
use crate::frame::short_lists::spelled_out;
use crate::frame::size::Size;
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{Admission, DFrame, Node, Step, across, ops};

impl DFrame {
    /// The rows for which `predicate` is true; null counts as false.
    ///
    /// A filter directly or indirectly above a reader is taken into the reader where it can be.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let flights = DFrame::from_polars(df!("delay" => [5, 40, 25])?, 2);
    /// assert_eq!(flights.filter(col("delay").gt(lit(20))).compute()?, df!("delay" => [40, 25])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a column that does not exist, a predicate that is not boolean or looks at other rows.
    #[doc(alias = "query")]
    #[doc(alias = "where")]
    #[track_caller]
    pub fn filter(&self, predicate: Expr) -> DFrame {
        let method = ".filter(…)";
        let predicate = match self.expanded(vec![predicate]) {
            Ok(parts) => parts.into_iter().reduce(Expr::and).unwrap_or_else(|| lit(true)),
            Err(failure) => return DFrame::failed(failure, method),
        };
        match across::lift(self, vec![predicate], method) {
            Ok(lifted) => {
                let predicate = lifted.exprs.into_iter().reduce(Expr::and).unwrap_or_else(|| lit(true));
                let kept = DFrame::then(Filter { predicate }, vec![lifted.frame], method);
                if lifted.changed { kept.without_columns_on_the_way(method) } else { kept }
            }
            Err(failure) => DFrame::failed(failure, method),
        }
    }
}

/// Keeps rows.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Filter {
    pub predicate: Expr,
}

impl Step for Filter {
    fn line(&self) -> String {
        format!("filter {}", show_one(&self.predicate))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        check_columns(std::slice::from_ref(&self.predicate), &inputs[0])?;
        check_row_by_row(std::slice::from_ref(&self.predicate), &inputs[0], ".filter(…)")?;
        let dtype = schema_after(&inputs[0], |frame| frame.select([self.predicate.clone().alias("predicate")]))?;
        match dtype.get("predicate") {
            Some(DataType::Boolean) => Ok(inputs[0].clone()),
            other => {
                let found = other.map_or_else(|| "nothing".into(), |dtype| dtype.to_string());
                let what = format!("a filter needs true or false, and `{}` is of type {found}", show_one(&self.predicate));
                Err(Failure::new(partita_graph::Code::TypeMismatch, what)
                    .help("compare: col(\"x\").gt(lit(0)), col(\"x\").eq(lit(\"JFK\"))"))
            }
        }
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.union(&columns_of(&self.predicate)).cloned().collect()
    }

    fn predicate(&self) -> Option<&Expr> {
        Some(&self.predicate)
    }

    fn admit(&self, predicate: &Expr, node: &Node) -> Admission {
        if node.can_fail(predicate) {
            return Admission::Stop;
        }
        Admission::Through(predicate.clone())
    }

    fn minds_order(&self, _: usize, wanted: bool) -> bool {
        wanted
    }

    fn keeps_spread(&self, columns: &[PlSmallStr]) -> Option<Vec<PlSmallStr>> {
        Some(columns.to_vec())
    }

    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        let facts = |name: &PlSmallStr| Facts { values: node.inputs[0].different(name), ..Facts::default() };
        let share = selectivity::share(&self.predicate, &facts);
        inputs[0].map(|size| size.with_rows(selectivity::kept(size.rows, share)))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let predicate = spelled_out(self.predicate.clone(), node.inputs[0].resolved()?);
        let op = expr_op(Self { predicate }, self.line(), ops::token());
        Ok(lowering.add(Layer::single("filter", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node))
    }
}

impl Operator for Filter {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let rows = frame_of(&inputs[0])?;
        let left = match passing(&rows, &self.predicate) {
            Some(bits) => rows.filter_seq(&BooleanChunked::from_bitmap(PlSmallStr::EMPTY, bits)),
            None => rows.lazy().filter(self.predicate.clone()).collect(),
        };
        left.map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for Filter {
    const NAME: &'static str = "filter";
}
