//! As-of joins: each row of one frame with the row of another that is nearest in time, or in any other number.
//!
//! No side needs to be sorted. With keys to agree on (`by`) both sides are shuffled by them; a small right side is handed to everybody;
//! otherwise both sides are split into the same ranges, and each range also gets the first and last rows of the others, one of which may be
//! the nearest ([`step`]).

mod nearest;
pub(crate) mod operator;
mod step;

use std::time::Duration;

use polars::prelude::Expr;
use serde::{Deserialize, Serialize};

use crate::frame::{DFrame, IntoExpr, IntoExprs};
use step::AsOfStep;

/// In which direction a row is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Direction {
    Backward,
    Forward,
    Nearest,
}

/// How far apart rows may be that an as-of join puts side by side: a number, or a time for columns of dates and times.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Tolerance {
    /// For columns of whole numbers and floats.
    Whole(i64),
    /// For columns of floats.
    Float(f64),
    /// For columns of dates, times and durations.
    Time(Duration),
}

impl From<i32> for Tolerance {
    fn from(number: i32) -> Self {
        Self::Whole(number.into())
    }
}

impl From<i64> for Tolerance {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<f64> for Tolerance {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<Duration> for Tolerance {
    fn from(time: Duration) -> Self {
        Self::Time(time)
    }
}

/// How an as-of join looks for rows.
///
/// ```
/// use partita::prelude::*;
/// let trades = DFrame::from_polars(df!("time" => [3i64, 8, 10], "price" => [1.5, 2.5, 3.5])?, 2);
/// let quotes = DFrame::from_polars(df!("time" => [1i64, 8, 20], "bid" => [1.0, 2.0, 3.0])?, 2);
/// let quoted = trades.join_asof(&quotes, AsOf::on("time").tolerance(1)).compute()?;
/// assert_eq!(quoted, df!("time" => [3i64, 8, 10], "price" => [1.5, 2.5, 3.5], "bid" => [None, Some(2.0), None])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AsOf {
    on: Expr,
    right_on: Option<Expr>,
    by: Vec<Expr>,
    right_by: Option<Vec<Expr>>,
    direction: Direction,
    exact: bool,
    tolerance: Option<Tolerance>,
    suffix: Option<String>,
}

impl AsOf {
    /// By this number, date or time. A row finds the last row of the other frame that is not after it; of several at that time, the last
    /// one in row order.
    pub fn on(on: impl IntoExpr) -> Self {
        let on = on.into_expr();
        Self {
            on,
            right_on: None,
            by: Vec::new(),
            right_by: None,
            direction: Direction::Backward,
            exact: true,
            tolerance: None,
            suffix: None,
        }
    }

    /// The same of the right frame. Default: of the same name.
    pub fn right_on(mut self, on: impl IntoExpr) -> Self {
        self.right_on = Some(on.into_expr());
        self
    }

    /// Only among the rows that have the same values of these. Nulls are no same values.
    pub fn by(mut self, by: impl IntoExprs) -> Self {
        self.by = by.into_exprs();
        self
    }

    /// The same of the right frame. Default: of the same names.
    pub fn right_by(mut self, by: impl IntoExprs) -> Self {
        self.right_by = Some(by.into_exprs());
        self
    }

    /// Look for the first row that is not before; of several at that time, the first one in row order.
    pub fn forward(mut self) -> Self {
        self.direction = Direction::Forward;
        self
    }

    /// Look for the nearest row before or after; of two equally near ones the one before.
    pub fn nearest(mut self) -> Self {
        self.direction = Direction::Nearest;
        self
    }

    /// Rows that are farther apart are none. Default: any distance will do. A number; for dates and times a [`Duration`].
    pub fn tolerance(mut self, tolerance: impl Into<Tolerance>) -> Self {
        self.tolerance = Some(tolerance.into());
        self
    }

    /// Whether a row at the very same time is found. Default: yes.
    pub fn allow_exact_matches(mut self, allow: bool) -> Self {
        self.exact = allow;
        self
    }

    /// What is added to the name of a column of the right frame when the left one has a column of that name. Default: such a name is an
    /// error.
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = Some(suffix.into());
        self
    }
}

impl DFrame {
    /// Each row of this frame with the nearest row of the other, [`AsOf`] says which; nulls where there is none. No frame needs to be
    /// sorted. A null (or NaN) is near to nothing.
    ///
    /// The result has the columns of this frame, then those of the other without its keys and without its `on`, if that has the
    /// same name. When the other frame is small, rows and partitions are those of this frame. Otherwise rows come in partitions by the
    /// hash of `by`, or in ranges of `on`, each in the order of this frame.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let trades = DFrame::from_polars(df!("time" => [3i64, 8], "symbol" => ["a", "b"])?, 2);
    /// let quotes = DFrame::from_polars(df!("time" => [1i64, 2, 7], "symbol" => ["a", "b", "a"], "bid" => [1.0, 2.0, 3.0])?, 2);
    /// let quoted = trades.join_asof(&quotes, AsOf::on("time").by(["symbol"])).compute()?;
    /// assert_eq!(quoted, df!("time" => [3i64, 8], "symbol" => ["a", "b"], "bid" => [1.0, 2.0])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: columns that do not exist, that have no distance or are of two types; a tolerance of another kind than the column;
    /// two columns of one name.
    #[doc(alias = "merge_asof")]
    #[track_caller]
    pub fn join_asof(&self, other: &DFrame, asof: AsOf) -> DFrame {
        match AsOfStep::new(self, other, asof) {
            Ok(step) => DFrame::then(step, vec![self.clone(), other.clone()], ".join_asof(…)"),
            Err(failure) => DFrame::failed(failure, ".join_asof(…)"),
        }
    }
}
