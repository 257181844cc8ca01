//! `pivot`: values of a column as columns.

use partita_graph::{Code, Failure};
use polars::prelude::*;

use crate::frame::shuffle::named;
use crate::frame::{DFrame, IntoExprs};

/// More columns than this are a mistake.
const MOST: usize = 10_000;

impl DFrame {
    /// A row for each combination of `index`, and a column for each value of `on`: the aggregate of `values` over the rows that have both,
    /// null where there are none. The values of `on` are given in `known`; rows with other values are left out.
    ///
    /// Groups are aggregated where their rows are, so this costs what a group-by costs. To `aggregate`, the values of rows with other values
    /// of `on` are null. Columns are called by their values; a null is `null`.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b", "a"], "on" => ["x", "x", "y"], "n" => [1, 2, 3])?, 2);
    /// let wide = frame.pivot_known(["k"], "on", Series::new("on".into(), ["x", "y"]), "n", |n| n.sum()).compute()?;
    /// assert_eq!(wide, df!("k" => ["a", "b"], "x" => [1, 2], "y" => [Some(3), None])?);
    /// # use partita::polars::prelude::Series;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a column that does not exist, values of another type than the column's, two columns of one name; more than 10,000
    /// values.
    #[track_caller]
    pub fn pivot_known(&self, index: impl IntoExprs, on: &str, known: Series, values: &str, aggregate: impl Fn(Expr) -> Expr) -> DFrame {
        match pivoted(on, &known, values, aggregate) {
            Ok(aggs) => self.group_by(index.into_exprs()).agg(aggs),
            Err(failure) => DFrame::failed(failure, ".pivot_known(…)"),
        }
    }

    /// The same, where the values of `on` are looked for first, now: the frame is computed as far as that takes. Columns are in order of
    /// the values.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("k" => ["a", "b", "a"], "on" => ["y", "x", "x"], "n" => [1, 2, 3])?, 2);
    /// let wide = frame.pivot(["k"], "on", "n", |n| n.sum())?.compute()?;
    /// assert_eq!(wide, df!("k" => ["a", "b"], "x" => [3, 2], "y" => [Some(1), None])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::compute`], and at `compute` as [`DFrame::pivot_known`].
    #[doc(alias = "pivot_table")]
    #[track_caller]
    pub fn pivot(&self, index: impl IntoExprs, on: &str, values: &str, aggregate: impl Fn(Expr) -> Expr) -> Result<DFrame, Failure> {
        let found = self.select_as(named([on]), ".pivot(…)").unique().sort(named([on])).compute()?;
        let known = found.columns().first().map(|column| column.as_materialized_series().clone());
        let known = known.ok_or_else(|| Failure::internal("a selection of one column without it"))?;
        Ok(self.pivot_known(index, on, known, values, aggregate))
    }
}

/// An aggregate for each value.
fn pivoted(on: &str, known: &Series, values: &str, aggregate: impl Fn(Expr) -> Expr) -> Result<Vec<Expr>, Failure> {
    if known.len() > MOST {
        let what = format!("`{on}` has {} values, and a frame of as many columns is more than {MOST}", known.len());
        return Err(Failure::new(Code::InvalidOption, what).help("group by it instead: .group_by([…]).agg([…])"));
    }
    let column = |value: AnyValue<'_>| {
        let name = name_of(&value);
        let is_it = match value.is_null() {
            true => col(on).is_null(),
            false => col(on).eq(lit(Scalar::new(known.dtype().clone(), value.into_static()))),
        };
        let there = is_it.clone().cast(DataType::UInt64).sum().gt(lit(0u64));
        let own = when(is_it).then(col(values)).otherwise(lit(NULL));
        when(there).then(aggregate(own)).otherwise(lit(NULL)).alias(name)
    };
    Ok(known.iter().map(column).collect())
}

/// What the column of a value is called: text as it is, all else as it is shown.
fn name_of(value: &AnyValue<'_>) -> PlSmallStr {
    match value.get_str() {
        Some(text) => text.into(),
        None => value.to_string().into(),
    }
}
