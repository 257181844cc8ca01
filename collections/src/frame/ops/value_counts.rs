//! `value_counts`: how often each value occurs.

use polars::prelude::{Expr, len};

use crate::frame::{DFrame, IntoExprs};

impl DFrame {
    /// The different values of columns, or combinations of values, with the number of rows that have them as column `count`. Null is a
    /// value like any other.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b", "b"])?, 3);
    /// assert_eq!(frame.value_counts(["k"]).compute()?, df!("k" => ["a", "b"], "count" => [1u32, 2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a column that does not exist; a column called `count` among the values.
    #[track_caller]
    pub fn value_counts(&self, columns: impl IntoExprs) -> DFrame {
        let columns: Vec<Expr> = columns.into_exprs();
        self.group_by(columns).agg([len().alias("count")])
    }
}
