//! `is_in`: whether values of one frame occur in another.

use partita_graph::{Code, Failure};
use polars::prelude::{Expr, NULL, col, lit, when};

use crate::frame::join::Join;
use crate::frame::shuffle::keys::key_name;
use crate::frame::shuffle::named;
use crate::frame::{DFrame, IntoExprs};

/// The column that says that a row was found. Users cannot have such a name by accident.
const FOUND: &str = "\u{1}found";

impl DFrame {
    /// The frame with one more column `name`: whether the values of `on` in the row occur in `other`, a frame with as many columns. Null
    /// where one of the values is null.
    ///
    /// Only the rows that are there: `frame.join(&other, Join::semi(["k"]))`; those that are not: `Join::anti`.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let flights = DFrame::from_polars(df!("tail" => ["N1", "N2", "N3"])?, 2);
    /// let known = DFrame::from_polars(df!("id" => ["N3", "N1", "N1"])?, 2);
    /// let marked = flights.is_in(["tail"], &known, "known").compute()?;
    /// assert_eq!(marked, df!("tail" => ["N1", "N2", "N3"], "known" => [true, false, true])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: another number of columns in `other`, types that cannot be compared; a column `name` that is there already.
    #[doc(alias = "isin")]
    #[track_caller]
    pub fn is_in(&self, on: impl IntoExprs, other: &DFrame, name: &str) -> DFrame {
        let method = ".is_in(…)";
        match self.is_in_parts(on.into_exprs(), other, name) {
            Err(failure) => DFrame::failed(failure, method),
            Ok((on, others)) => {
                let keys: Vec<Expr> = (0..on.len()).map(|at| col(key_name(at))).collect();
                let columns = others.iter().enumerate().map(|(at, column)| col(column.as_str()).alias(key_name(at)));
                let values = other.select(columns.collect::<Vec<_>>()).unique().with_column(lit(true).alias(FOUND));
                let marked = self.join_as(&values, Join::left(on.clone()).right_on(keys), method);
                let null = on.into_iter().map(Expr::is_null).reduce(Expr::or).unwrap_or_else(|| lit(false));
                let found = when(null).then(lit(NULL)).otherwise(col(FOUND).is_not_null()).alias(name);
                let mut columns = named(self.columns().unwrap_or_default());
                columns.push(found);
                marked.select(columns)
            }
        }
    }

    /// The values to look for, and the columns of the other frame, if there are as many.
    fn is_in_parts(&self, on: Vec<Expr>, other: &DFrame, name: &str) -> Result<(Vec<Expr>, Vec<String>), Failure> {
        let on = self.expanded(on)?;
        let others = other.columns()?;
        if self.resolved()?.contains(name) {
            return Err(Failure::new(Code::DuplicateColumn, format!("the frame has a column `{name}` already")).help("choose another name"));
        }
        match on.len() == others.len() {
            true => Ok((on, others)),
            false => {
                let what = format!("{} values are looked for in a frame of {} columns", on.len(), others.len());
                Err(Failure::new(Code::InvalidOption, what).help("pick as many columns of it: &other.select([\"k\"])"))
            }
        }
    }
}
