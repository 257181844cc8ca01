//! `fill_null`, `forward_fill` and `backward_fill`: values for nulls.

use partita_graph::{Code, Failure};
use polars::prelude::{DataType, Expr, FillNullStrategy, IdxSize, col};

use crate::frame::DFrame;
use crate::frame::expr::schema_after;
use crate::frame::ops::with_columns::WithColumns;

impl DFrame {
    /// A value in place of every null, in all columns of its kind: a number in columns of numbers, text in columns of text, and so on. For
    /// single columns: `frame.with_columns([col("x").fill_null(lit(0))])`.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [Some(1), None], "t" => [None, Some("b")])?, 2);
    /// assert_eq!(frame.fill_null(lit(0)).compute()?, df!("x" => [1, 0], "t" => [None, Some("b")])?);
    /// assert_eq!(frame.fill_null(lit("-")).compute()?, df!("x" => [Some(1), None], "t" => ["-", "b"])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without columns of the value's kind.
    #[doc(alias = "fillna")]
    #[track_caller]
    pub fn fill_null(&self, value: Expr) -> DFrame {
        match self.filled(&value) {
            Ok(exprs) => DFrame::then(WithColumns { exprs }, vec![self.clone()], ".fill_null(…)"),
            Err(failure) => DFrame::failed(failure, ".fill_null(…)"),
        }
    }

    fn filled(&self, value: &Expr) -> Result<Vec<Expr>, Failure> {
        let schema = self.resolved()?;
        let dtype = schema_after(schema, |frame| frame.select([value.clone().alias("value")]))?;
        let dtype = dtype.get("value").cloned().unwrap_or(DataType::Null);
        let fitting = schema.iter().filter(|(_, column)| same_kind(column, &dtype));
        let exprs: Vec<Expr> = fitting.map(|(name, _)| col(name.clone()).fill_null(value.clone())).collect();
        match exprs.is_empty() {
            false => Ok(exprs),
            true => {
                let what = format!(".fill_null(…) has no column to work on: the value is of type {dtype}, and no column is of that kind");
                Err(Failure::new(Code::TypeMismatch, what).help("for one column: .with_columns([col(\"x\").fill_null(lit(0))])"))
            }
        }
    }

    /// The last value that is not null in place of nulls, in every column and through all partitions: at most `limit` times in a row, or
    /// as often as it takes.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [None, Some(1), None, None, Some(2)])?, 5);
    /// assert_eq!(frame.forward_fill(None).compute()?, df!("x" => [None, Some(1), Some(1), Some(1), Some(2)])?);
    /// assert_eq!(frame.forward_fill(Some(1)).compute()?, df!("x" => [None, Some(1), Some(1), None, Some(2)])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without columns.
    #[doc(alias = "ffill")]
    #[track_caller]
    pub fn forward_fill(&self, limit: Option<u32>) -> DFrame {
        let limit: Option<IdxSize> = limit;
        self.each_beside(|_| true, |x| x.fill_null_with_strategy(FillNullStrategy::Forward(limit)), ".forward_fill(…)")
    }

    /// The next value that is not null in place of nulls; otherwise as [`DFrame::forward_fill`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [None, None, Some(1), None])?, 4);
    /// assert_eq!(frame.backward_fill(Some(1)).compute()?, df!("x" => [None, Some(1), Some(1), None])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without columns.
    #[doc(alias = "bfill")]
    #[track_caller]
    pub fn backward_fill(&self, limit: Option<u32>) -> DFrame {
        let limit: Option<IdxSize> = limit;
        self.each_beside(|_| true, |x| x.fill_null_with_strategy(FillNullStrategy::Backward(limit)), ".backward_fill(…)")
    }
}

/// Whether a value of one type can stand in a column of the other.
fn same_kind(column: &DataType, value: &DataType) -> bool {
    match (column, value) {
        (DataType::Categorical(..) | DataType::Enum(..), DataType::String) => true,
        (DataType::Datetime(..), DataType::Datetime(..)) | (DataType::Duration(_), DataType::Duration(_)) => true,
        (column, value) => column == value || (column.is_primitive_numeric() && value.is_primitive_numeric()),
    }
}
