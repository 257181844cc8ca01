//! Joins: rows of two frames that have equal keys, side by side.
//!
//! When one side is small, one task makes a table of it and every partition of the other looks up in that ([`operator::LookUp`]). Otherwise
//! both sides are shuffled by their keys and parts of one number are joined ([`operator::JoinParts`]). Which of both is decided by
//! bytes ([`step`]); either way the same rows come out.

mod asked;
pub(crate) mod asof;
pub(crate) mod columns;
pub(crate) mod dealt;
pub(crate) mod marks;
pub(crate) mod matches;
pub(crate) mod operator;
pub(crate) mod side;
mod small;
mod sorted;
pub(crate) mod step;
pub(crate) mod table;

use partita_graph::Failure;
use polars::prelude::{Expr, JoinValidation, PlSmallStr};
use serde::{Deserialize, Serialize};

use super::{DFrame, IntoExprs};
use step::JoinStep;

/// Which rows a join keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum How {
    Inner,
    Left,
    Right,
    Full,
    Semi,
    Anti,
    Cross,
}

/// An inner join as a link of a chain that may be joined in any order.
pub(crate) struct Link {
    /// Pairs of columns, of the left frame and of the right one, whose equal values are the very same.
    pub on: Vec<(PlSmallStr, PlSmallStr)>,
    /// Each column of the result, whether it is of the left frame, and its name there.
    pub columns: Vec<(PlSmallStr, bool, PlSmallStr)>,
}

/// How two frames are joined: the kind of join, its keys, and what else is asked of it.
///
/// ```
/// use partita::prelude::*;
/// let flights = DFrame::from_polars(df!("tail" => ["N1", "N2", "N1"], "delay" => [5, 7, 9])?, 2);
/// let planes = DFrame::from_polars(df!("id" => ["N1", "N2"], "seats" => [100, 200])?, 1);
/// let by_plane = Join::left(["tail"]).right_on(["id"]).validate(JoinValidation::ManyToOne);
/// let seats = flights.join(&planes, by_plane).compute()?;
/// assert_eq!(seats, df!("tail" => ["N1", "N2", "N1"], "delay" => [5, 7, 9], "seats" => [100, 200, 100])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Join {
    how: How,
    left_on: Vec<Expr>,
    right_on: Option<Vec<Expr>>,
    nulls_equal: bool,
    suffix: Option<String>,
    validate: JoinValidation,
    broadcast: Option<bool>,
}

impl Join {
    fn of(how: How, on: Vec<Expr>) -> Self {
        let validate = JoinValidation::ManyToMany;
        Self { how, left_on: on, right_on: None, nulls_equal: false, suffix: None, validate, broadcast: None }
    }

    /// Rows whose keys are on both sides.
    pub fn inner(on: impl IntoExprs) -> Self {
        Self::of(How::Inner, on.into_exprs())
    }

    /// All rows of the left frame; nulls where the right one has no such key.
    pub fn left(on: impl IntoExprs) -> Self {
        Self::of(How::Left, on.into_exprs())
    }

    /// All rows of the right frame; nulls where the left one has no such key.
    pub fn right(on: impl IntoExprs) -> Self {
        Self::of(How::Right, on.into_exprs())
    }

    /// All rows of both frames, those with equal keys side by side.
    #[doc(alias = "outer")]
    pub fn full(on: impl IntoExprs) -> Self {
        Self::of(How::Full, on.into_exprs())
    }

    /// The rows of the left frame whose keys are in the right one, each once; no columns of the right one.
    #[doc(alias = "leftsemi")]
    pub fn semi(on: impl IntoExprs) -> Self {
        Self::of(How::Semi, on.into_exprs())
    }

    /// The rows of the left frame whose keys are not in the right one; no columns of the right one.
    pub fn anti(on: impl IntoExprs) -> Self {
        Self::of(How::Anti, on.into_exprs())
    }

    /// Every row of the left frame with every row of the right one.
    pub fn cross() -> Self {
        Self::of(How::Cross, Vec::new())
    }

    /// The keys of the right frame, in the order of the left one's. Default: the same as on the left.
    pub fn right_on(mut self, on: impl IntoExprs) -> Self {
        self.right_on = Some(on.into_exprs());
        self
    }

    /// Whether a null key equals a null key. Default: no, a null equals nothing.
    pub fn nulls_equal(mut self, equal: bool) -> Self {
        self.nulls_equal = equal;
        self
    }

    /// What is added to the name of a column of the right frame when the left one has a column of that name. Default: such a name is an
    /// error.
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = Some(suffix.into());
        self
    }

    /// On which sides a key may occur only once; the join fails when it does not hold. Default: on neither.
    pub fn validate(mut self, validation: JoinValidation) -> Self {
        self.validate = validation;
        self
    }

    /// Whether a table of one side is handed to all partitions of the other (`true`) or both sides are shuffled (`false`). Default:
    /// decided by the bytes of both. It changes where rows are and never which.
    pub fn broadcast(mut self, broadcast: bool) -> Self {
        self.broadcast = Some(broadcast);
        self
    }
}

impl DFrame {
    /// Joins with another frame; [`Join`] says how.
    ///
    /// The result has the columns of this frame, then those of the other without its keys (a key that is a computed expression leaves all
    /// columns in place). In right and full joins the key columns hold the key of whichever side has the row.
    ///
    /// Rows are in order of this frame, the matches of one row in order of the other; of a right join the other way round; rows
    /// that only the right side of a full join has come last. When the other frame is small that is the order of all rows, and
    /// the partitions are those of this frame. When both are large the result is in partitions by the hash of the keys, and the
    /// order holds within each; rows of a key that has more of them than a partition should have are dealt out to all partitions. The same frames in the same partitions always give the same rows in the same order.
    ///
    /// Under an aggregate that does not depend on the order of rows (sums, counts, means and the like, by groups or of all rows), a chain of
    /// three and more inner joins may be joined in another order than it was written: in the one that is likely to make the smallest
    /// intermediate results, as [`DFrame::explain`] shows. Groups then come in the order in which the rows were joined.
    /// [`Join::broadcast`] and [`Join::validate`] keep a join where it was written.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let left = DFrame::from_polars(df!("k" => ["a", "b", "c"], "x" => [1, 2, 3])?, 2);
    /// let right = DFrame::from_polars(df!("k" => ["c", "a", "a"], "y" => [30, 10, 11])?, 2);
    /// let both = left.join(&right, Join::inner(["k"])).compute()?;
    /// assert_eq!(both, df!("k" => ["a", "a", "c"], "x" => [1, 1, 3], "y" => [10, 11, 30])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a key that does not exist, keys of types that cannot be compared, two columns of one name, a full join that is to
    /// be broadcast. While it runs: keys that are not as unique as [`Join::validate`] says.
    #[track_caller]
    pub fn join(&self, other: &DFrame, join: Join) -> DFrame {
        self.join_as(other, join, ".join(…)")
    }

    /// [`DFrame::join`], as Dask and pandas call it.
    #[track_caller]
    pub fn merge(&self, other: &DFrame, join: Join) -> DFrame {
        self.join_as(other, join, ".merge(…)")
    }

    #[track_caller]
    pub(crate) fn join_as(&self, other: &DFrame, join: Join, method: &str) -> DFrame {
        let step: Result<JoinStep, Failure> = JoinStep::new(self, other, join, method);
        match step {
            Ok(step) => DFrame::then(step, vec![self.clone(), other.clone()], method),
            Err(failure) => DFrame::failed(failure, method),
        }
    }
}
