//! `top_k` and `bottom_k`: the rows that a sort would put first, without sorting all.

use std::sync::Arc;

use partita_graph::{Failure, Layer, Wiring};
use polars::prelude::{Expr, Schema, SchemaRef};

use crate::frame::expr::{Names, columns_of_all, expr_op};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::size::Size;
use crate::frame::sort::order::By;
use crate::frame::sort::rows::SortRows;
use crate::frame::{Admission, DFrame, IntoExprs, Node, Step, ops};

impl DFrame {
    /// The `k` rows with the greatest keys, greatest first; of equal ones those that come first. Nulls come last.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [3, 1, 4, 1, 5])?, 3);
    /// assert_eq!(frame.top_k(2, ["x"]).compute()?, df!("x" => [5, 4])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::sort`].
    #[track_caller]
    pub fn top_k(&self, k: usize, by: impl IntoExprs) -> DFrame {
        self.first_by(k, by.into_exprs(), true, ".top_k(…)")
    }

    /// The `k` rows with the least keys, least first; of equal ones those that come first. Nulls come last.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [3, 1, 4, 1, 5])?, 3);
    /// assert_eq!(frame.bottom_k(3, ["x"]).compute()?, df!("x" => [1, 1, 3])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::sort`].
    #[track_caller]
    pub fn bottom_k(&self, k: usize, by: impl IntoExprs) -> DFrame {
        self.first_by(k, by.into_exprs(), false, ".bottom_k(…)")
    }

    /// [`DFrame::top_k`], as Dask and pandas call it.
    #[track_caller]
    pub fn nlargest(&self, n: usize, by: impl IntoExprs) -> DFrame {
        self.first_by(n, by.into_exprs(), true, ".nlargest(…)")
    }

    /// [`DFrame::bottom_k`], as Dask and pandas call it.
    #[track_caller]
    pub fn nsmallest(&self, n: usize, by: impl IntoExprs) -> DFrame {
        self.first_by(n, by.into_exprs(), false, ".nsmallest(…)")
    }

    #[track_caller]
    fn first_by(&self, k: usize, by: Vec<Expr>, descending: bool, method: &str) -> DFrame {
        match self.expanded(by) {
            Ok(keys) => {
                let step = FirstRows { by: By::all(keys, descending, true), k: k as u64, method: method.into() };
                DFrame::then(step, vec![self.clone()], method)
            }
            Err(failure) => DFrame::failed(failure, method),
        }
    }
}

/// The rows that a sort would put first.
pub(crate) struct FirstRows {
    pub by: By,
    pub k: u64,
    pub method: String,
}

impl Step for FirstRows {
    fn line(&self) -> String {
        format!("first {} by {}", self.k, self.by.show())
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        self.by.check(&inputs[0], &self.method)?;
        Ok(inputs[0].clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.union(&columns_of_all(&self.by.keys)).cloned().collect()
    }

    fn below(&self, other: &Node) -> Option<Arc<dyn Step>> {
        let key = |key: &Expr| match other.admit(key) {
            Admission::Through(below) => Some(below),
            Admission::Stop | Admission::Below(_) | Admission::Absorb(_) => None,
        };
        let keys = self.by.keys.iter().map(key).collect::<Option<Vec<Expr>>>()?;
        Some(Arc::new(Self { by: self.by.with_keys(keys), k: self.k, method: self.method.clone() }))
    }

    fn of_reader(&self, reader: &dyn Step) -> Option<Arc<dyn Step>> {
        reader.first_by(&self.by.first()?, self.k)
    }

    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        match inputs[0] {
            Some(size) => Some(size.with_rows(size.rows.min(self.k))),
            None => Some(Size::of_rows(self.k, node.schema.as_ref().ok()?)),
        }
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        // The first of the first are the first of all, so one operator does for partitions, for their combinations and at the end.
        let op = expr_op(SortRows { by: self.by.clone(), limit: Some(self.k) }, self.line(), ops::token());
        let first = lowering.add(Layer::single("first", inputs[0].partitions, op.clone(), vec![inputs[0].edge(Wiring::Each)]), node);
        if first.partitions == 1 {
            return Ok(first);
        }
        let level = lowering.gather("first", &op, first, node);
        Ok(lowering.add(Layer::single("first", 1, op, vec![level.edge(Wiring::Every)]), node))
    }
}
