//! `value_counts`: how often each value occurs.

use polars::prelude::{SortMultipleOptions, len};

use crate::frame::shuffle::named;
use crate::frame::{DFrame, IntoExprs};

impl DFrame {
    /// The different values of columns, or combinations of values, with the number of rows that have them as column `count`: the most
    /// frequent first, equally frequent ones by value. Null is a value like any other, and the last.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["c", "b", "a", "b"])?, 3);
    /// assert_eq!(frame.value_counts(["k"]).compute()?, df!("k" => ["b", "a", "c"], "count" => [2u32, 1, 1])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a column that does not exist; a column called `count` among the values.
    #[track_caller]
    pub fn value_counts(&self, columns: impl IntoExprs) -> DFrame {
        let counts = self.group_by(columns.into_exprs()).agg([len().alias(COUNT)]);
        let Ok(mut names) = counts.columns() else { return counts };
        // The count is the last column; it is what is sorted by first.
        names.rotate_right(1);
        let descending: Vec<bool> = names.iter().map(|name| name == COUNT).collect();
        let options = SortMultipleOptions::default().with_order_descending_multi(descending).with_nulls_last(true);
        counts.sort_with(named(names), options)
    }
}

const COUNT: &str = "count";
