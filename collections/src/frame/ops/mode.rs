//! `mode`: the most frequent values.

use polars::prelude::{col, len};

use crate::frame::DFrame;
use crate::frame::join::Join;
use crate::frame::shuffle::named;

impl DFrame {
    /// The most frequent values of a column, ascending: one row, or several when values are equally frequent. Null is left out.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["b", "a", "c", "b", "a"])?, 3);
    /// assert_eq!(frame.mode("k").compute()?, df!("k" => ["a", "b"])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a column that does not exist.
    #[track_caller]
    pub fn mode(&self, column: &str) -> DFrame {
        let values = || named([column]);
        let counts = self.select(values()).filter(col(column).is_not_null()).group_by(values()).agg([len().alias(COUNT)]);
        let most = counts.agg([col(COUNT).max()]);
        counts.join_as(&most, Join::semi([COUNT]), ".mode(…)").sort(values()).select(values())
    }
}

/// The column of counts on the way. Users cannot have such a name by accident.
const COUNT: &str = "\u{2}count";
