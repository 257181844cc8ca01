//! `any_order`: the rows of a frame, in whatever order is cheapest.

use partita_graph::Failure;
use polars::prelude::{Expr, PlSmallStr, Schema, SchemaRef};

use crate::frame::expr::Names;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::{Admission, DFrame, Node, Step};

impl DFrame {
    /// The same rows, of which nobody needs to see the order: a promise to the planner, which otherwise keeps the order in which a frame is
    /// written. Chains of three and more inner joins are then joined in the order that is likely to make the smallest intermediate results, as
    /// they are anyway below aggregates that do not depend on the order of rows. Which order comes out follows from the data and its partitions,
    /// never from the run; a `sort` above makes it one order for all.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let sales = DFrame::from_polars(df!("shop" => [1, 2, 1, 2], "day" => [1, 1, 2, 3], "sold" => [5, 6, 7, 8])?, 2);
    /// let shops = DFrame::from_polars(df!("shop" => [1, 2], "city" => ["Ulm", "Bonn"])?, 1);
    /// let days = DFrame::from_polars(df!("day" => [1, 2, 3], "free" => [true, false, false])?, 1).filter(col("free"));
    /// let free = sales.join(&shops, Join::inner(["shop"])).join(&days, Join::inner(["day"])).any_order();
    /// assert_eq!(free.select(["city", "sold"]).sort(["sold"]).compute()?, df!("city" => ["Ulm", "Bonn"], "sold" => [5, 6])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn any_order(&self) -> DFrame {
        DFrame::then(AnyOrder, vec![self.clone()], ".any_order()")
    }
}

/// A step that does nothing: what it says is said to the rewrites.
struct AnyOrder;

impl Step for AnyOrder {
    fn line(&self) -> String {
        "any order".into()
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(inputs[0].clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn admit(&self, predicate: &Expr, _: &Node) -> Admission {
        Admission::Through(predicate.clone())
    }

    fn minds_order(&self, _: usize, _: bool) -> bool {
        false
    }

    fn is_promise(&self) -> bool {
        true
    }

    fn is_row_by_row(&self) -> bool {
        true
    }

    fn rows(&self, inputs: &[Option<u64>]) -> Option<u64> {
        inputs.first().copied().flatten()
    }

    fn keeps_spread(&self, columns: &[PlSmallStr]) -> Option<Vec<PlSmallStr>> {
        Some(columns.to_vec())
    }

    fn lower(&self, inputs: &[Lowered], _: &Node, _: &mut Lowering) -> Result<Lowered, Failure> {
        Ok(inputs[0])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use polars::df;

    #[test]
    fn it_is_no_work() {
        let frame = DFrame::from_polars(df!("x" => [1i64, 2, 3]).expect("one column"), 2);
        let steps = |frame: &DFrame| crate::frame::lower::plan(frame).expect("it fits").graph.explain();
        assert_eq!(steps(&frame.any_order()), steps(&frame));
        assert!(Arc::ptr_eq(frame.resolved().expect("it fits"), frame.any_order().resolved().expect("it fits")));
    }
}
