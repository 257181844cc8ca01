//! Sorts: rows in order through all partitions.
//!
//! Samples of all partitions give borders, each partition is split by them, and each range is sorted ([`range`], [`rows`]); files that do not
//! fit into memory are read twice, the first time for their keys ([`keys_alone`]). Rows of one key
//! may take several ranges, in the order in which they came, so that a key that most rows have is no obstacle and the sort stays stable.

mod keys_alone;
pub(crate) mod order;
pub(crate) mod range;
pub(crate) mod rows;

use std::sync::Arc;

use partita_graph::{Failure, Layer, Wiring};
use polars::prelude::{Expr, Schema, SchemaRef, SortMultipleOptions};

use super::expr::{Names, columns_of_all, expr_op};
use super::lower::{Lowered, Lowering};
use super::ops::top_k::FirstRows;
use super::size::{parts_for_rows, size_of};
use super::{Admission, DFrame, IntoExprs, Node, Step, ops};
use order::By;
use rows::SortRows;

impl DFrame {
    /// The rows sorted by keys, ascending, nulls first, NaN greatest. Rows with equal keys keep their order.
    ///
    /// The result has as many partitions as the frame, or more where those would be too large for the memory limit, each a range of keys with
    /// about as many rows as the others, whatever the keys.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["b", "a", "b"], "x" => [3, 2, 1])?, 3);
    /// assert_eq!(frame.sort(["k"]).compute()?, df!("k" => ["a", "b", "b"], "x" => [2, 3, 1])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a column that does not exist, a key that looks at other rows, no key.
    #[doc(alias = "sort_values")]
    #[track_caller]
    pub fn sort(&self, by: impl IntoExprs) -> DFrame {
        self.sort_as(by.into_exprs(), &SortMultipleOptions::default(), ".sort(…)")
    }

    /// The same with options: for all keys or for each whether it descends and whether its nulls come last. The sort is stable whatever the
    /// options say.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["b", "a", "b"], "x" => [3, 2, 4])?, 3);
    /// let options = SortMultipleOptions::default().with_order_descending_multi([false, true]);
    /// assert_eq!(frame.sort_with(["k", "x"], options).compute()?, df!("k" => ["a", "b", "b"], "x" => [2, 4, 3])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::sort`]; another number of flags than one or one a key.
    #[track_caller]
    pub fn sort_with(&self, by: impl IntoExprs, options: SortMultipleOptions) -> DFrame {
        self.sort_as(by.into_exprs(), &options, ".sort_with(…)")
    }

    #[track_caller]
    fn sort_as(&self, by: Vec<Expr>, options: &SortMultipleOptions, method: &str) -> DFrame {
        match self.expanded(by).and_then(|keys| By::new(keys, options)) {
            Ok(by) => DFrame::then(Sort { by, method: method.into() }, vec![self.clone()], method),
            Err(failure) => DFrame::failed(failure, method),
        }
    }
}

/// More rows than these are sorted in ranges even if they are the first ones: one task would take them all in.
const MOST_FIRST: u64 = 100_000;

struct Sort {
    by: By,
    method: String,
}

impl Step for Sort {
    fn line(&self) -> String {
        format!("sort by {}", self.by.show())
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        self.by.check(&inputs[0], &self.method)?;
        Ok(inputs[0].clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.union(&columns_of_all(&self.by.keys)).cloned().collect()
    }

    fn admit(&self, predicate: &Expr, node: &Node) -> Admission {
        match node.can_fail(predicate) || self.by.keys.iter().any(|key| node.inputs[0].node().can_fail(key)) {
            true => Admission::Stop,
            false => Admission::Through(predicate.clone()),
        }
    }

    fn minds_order(&self, _: usize, wanted: bool) -> bool {
        wanted
    }

    fn first_sorted(&self, rows: u64) -> Option<Arc<dyn Step>> {
        (rows <= MOST_FIRST).then(|| Arc::new(FirstRows { by: self.by.clone(), k: rows, method: self.method.clone() }) as Arc<dyn Step>)
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = inputs[0];
        let op = expr_op(SortRows { by: self.by.clone(), limit: None }, self.line(), ops::token());
        if input.partitions == 1 {
            return Ok(lowering.add(Layer::single("sort", 1, op, vec![input.edge(Wiring::Each)]), node));
        }
        let parts = parts_for_rows(input.partitions, size_of(&node.inputs[0]));
        let looked_at = keys_alone::keys_alone(&node.inputs[0], &self.by, input.partitions, lowering)?.unwrap_or(input);
        let borders = range::find_borders(&self.by, parts, looked_at, node, lowering);
        let split = range::split(&self.by, parts, true, (input, borders), node, lowering);
        Ok(lowering.add(Layer::single("sort", parts, op, vec![split.edge(Wiring::Part)]), node))
    }
}
