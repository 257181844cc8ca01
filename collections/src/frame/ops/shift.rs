//! `shift`, `diff` and `pct_change`: rows beside each other, through all partitions.

use polars::prelude::{DataType, Expr, col, lit};
use polars_core::series::ops::NullBehavior;

use crate::frame::DFrame;

impl DFrame {
    /// Every column moved down by `rows` rows, or up if `rows` is negative; nulls where nothing comes from. To move single columns, shift
    /// them in an expression: `frame.with_columns([col("x").shift(lit(1)).alias("before")])`.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3])?, 3);
    /// assert_eq!(frame.shift(1).compute()?, df!("x" => [None, Some(1), Some(2)])?);
    /// assert_eq!(frame.shift(-2).compute()?, df!("x" => [Some(3), None, None])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without columns.
    #[track_caller]
    pub fn shift(&self, rows: i64) -> DFrame {
        match self.columns() {
            Ok(names) => self.select_as(names.iter().map(|name| col(name.as_str()).shift(lit(rows))).collect(), ".shift(…)"),
            Err(failure) => DFrame::failed(failure, ".shift(…)"),
        }
    }

    /// How much each value differs from that `rows` rows before, for each column of numbers, dates or times; other columns are left out.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 4, 9], "t" => ["a", "b", "c"])?, 2);
    /// assert_eq!(frame.diff(1).compute()?, df!("x" => [None, Some(3), Some(5)])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without such columns.
    #[track_caller]
    pub fn diff(&self, rows: i64) -> DFrame {
        let differs = |dtype: &DataType| dtype.is_primitive_numeric() || dtype.is_temporal();
        self.each_beside(differs, |x| x.diff(lit(rows), NullBehavior::Ignore), ".diff(…)")
    }

    /// By which part each number differs from that `rows` rows before: 0.5 for half as much again. Columns that hold no numbers are left
    /// out.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [2.0, 3.0, 1.5])?, 3);
    /// assert_eq!(frame.pct_change(1).compute()?, df!("x" => [None, Some(0.5), Some(-0.5)])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a frame without columns of numbers.
    #[track_caller]
    pub fn pct_change(&self, rows: i64) -> DFrame {
        let change = |x: Expr| {
            let x = x.cast(DataType::Float64);
            x.clone() / x.shift(lit(rows)) - lit(1.0)
        };
        self.each_beside(DataType::is_primitive_numeric, change, ".pct_change(…)")
    }

    /// An expression of each column of some types, under its own name.
    #[track_caller]
    pub(crate) fn each_beside(&self, takes: impl Fn(&DataType) -> bool, expr: impl Fn(Expr) -> Expr, method: &str) -> DFrame {
        let schema = match self.resolved() {
            Ok(schema) => schema,
            Err(failure) => return DFrame::failed(failure, method),
        };
        let taken = schema.iter().filter(|(_, dtype)| takes(dtype));
        let exprs: Vec<Expr> = taken.map(|(name, _)| expr(col(name.clone())).alias(name.clone())).collect();
        match exprs.is_empty() {
            false => self.select_as(exprs, method),
            true => {
                let what = format!("{method} has no column to work on: no column is of a type that it is defined for");
                DFrame::failed(partita_graph::Failure::new(partita_graph::Code::TypeMismatch, what), method)
            }
        }
    }
}
