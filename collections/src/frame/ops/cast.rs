//! `cast`: other types for columns.

use polars::prelude::{DataType, Expr, col};

use crate::frame::DFrame;
use crate::frame::ops::with_columns::WithColumns;

impl DFrame {
    /// The frame with columns cast to other types. A value that does not fit is an error; for nulls instead, use
    /// `with_columns([col("x").cast(…)])`. Text becomes dates and times where it is written as ISO 8601 has them, `2026-11-30` and
    /// `2026-11-30T09:00:00`; other forms are read with `str().to_date(…)` and a format.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("n" => ["1", "2"])?, 1);
    /// assert_eq!(frame.cast([("n", DataType::Int64)]).compute()?, df!("n" => [1i64, 2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a name that is no column; while it runs: a value that does not fit.
    #[doc(alias = "astype")]
    #[track_caller]
    pub fn cast<S: AsRef<str>>(&self, types: impl IntoIterator<Item = (S, DataType)>) -> DFrame {
        let exprs: Vec<Expr> = types.into_iter().map(|(name, dtype)| col(name.as_ref()).strict_cast(dtype)).collect();
        DFrame::then(WithColumns { exprs }, vec![self.clone()], ".cast(…)")
    }
}
