//! Group-by: rows with equal keys become one row of aggregates.
//!
//! Each partition is aggregated by itself ([`partial`]), the partial states of all partitions are combined in partition order
//! ([`combine`]), and the results are made of the combined states. So results do not depend on the schedule. Aggregates that
//! have no such states (a quantile) bring the rows of a group together instead.

pub(crate) mod aggregation;
mod apply;
pub(crate) mod codes;
pub(crate) mod combine;
pub(crate) mod estimate;
mod gathered;
mod hashed;
mod laid_out;
mod number;
mod once;
pub(crate) mod pairs;
pub(crate) mod partial;
mod plain;
pub(crate) mod states;
mod step;
pub(crate) mod top;

use partita_graph::{Code, Failure};
use polars::prelude::*;

use super::expr::{Names, as_column, check_columns, show_one};
use super::{DFrame, IntoExprs};
pub(crate) use step::GroupByStep;

impl DFrame {
    /// Groups rows with equal keys; null is a key like any other. Follow with an aggregate.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let flights = DFrame::from_polars(df!("origin" => ["JFK", "EWR", "JFK"], "delay" => [10, 2, 30])?, 2);
    /// let worst = flights.group_by(["origin"]).agg([col("delay").max().alias("worst")]).compute()?;
    /// assert_eq!(worst, df!("origin" => ["JFK", "EWR"], "worst" => [30, 2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn group_by(&self, keys: impl IntoExprs) -> GroupBy {
        GroupBy { frame: self.clone(), keys: keys.into_exprs(), selected: None, split_out: None, sorted: false, unobserved: false }
    }

    /// [`DFrame::group_by`], as Dask and pandas call it.
    #[track_caller]
    pub fn groupby(&self, keys: impl IntoExprs) -> GroupBy {
        self.group_by(keys)
    }
}

/// Grouped rows that wait for an aggregate.
///
/// The shortcuts aggregate every other column that the aggregate is defined for, under its own name: `sum`, `mean`, `median`,
/// `product`, `var` and `std` numbers and booleans; `any` and `all` booleans; `min`, `max`, `first`, `last`, `count` and `n_unique` all
/// columns. What is left out is told when the frame is computed. Groups come in order of first appearance as long as the result is one
/// partition.
#[derive(Clone)]
pub struct GroupBy {
    frame: DFrame,
    keys: Vec<Expr>,
    selected: Option<Vec<Expr>>,
    split_out: Option<usize>,
    sorted: bool,
    unobserved: bool,
}

macro_rules! shortcuts {
    ($($(#[$doc:meta])* $name:ident, $accepts:expr, $aggregate:expr;)*) => {
        impl GroupBy {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(&self) -> DFrame {
                self.each(stringify!($name), $accepts, $aggregate)
            })*
        }
    };
}

/// Types that are added up.
pub(crate) fn is_number(dtype: &DataType) -> bool {
    is_factor(dtype) || dtype.is_decimal()
}

/// Types that are multiplied. A product of decimals would have more digits with each factor.
pub(crate) fn is_factor(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric() || *dtype == DataType::Boolean
}

/// Truth values.
pub(crate) fn is_boolean(dtype: &DataType) -> bool {
    *dtype == DataType::Boolean
}

/// All types.
pub(crate) fn is_any(_: &DataType) -> bool {
    true
}

shortcuts! {
    /// The sum of each number column; nulls count as 0.
    sum, is_number, |c| c.sum();
    /// The mean of each number column; nulls are left out.
    mean, is_number, |c| c.mean();
    /// The least value of each column.
    min, is_any, |c| c.min();
    /// The greatest value of each column.
    max, is_any, |c| c.max();
    /// The number of values that are not null, of each column.
    count, is_any, |c| c.count();
    /// The first value of each column, in row order.
    first, is_any, |c| c.first();
    /// The last value of each column, in row order.
    last, is_any, |c| c.last();
    /// The product of each number column; nulls count as 1.
    product, is_factor, |c| c.product();
    /// Whether any value of each boolean column is true.
    any, is_boolean, |c| c.any(true);
    /// Whether all values of each boolean column are true.
    all, is_boolean, |c| c.all(true);
    /// The sample variance of each number column (`ddof` 1).
    var, is_number, |c| c.var(1);
    /// The sample standard deviation of each number column (`ddof` 1).
    std, is_number, |c| c.std(1);
    /// The number of different values of each column; null is a value.
    #[doc(alias = "nunique")]
    n_unique, is_any, |c| c.n_unique();
    /// The median of each number column; nulls are left out.
    median, is_number, |c| c.median();
}

impl GroupBy {
    /// Only these columns for the shortcut that follows: `groupby(["k"]).select(["x"]).mean()`.
    pub fn select(mut self, columns: impl IntoExprs) -> Self {
        self.selected = Some(columns.into_exprs());
        self
    }

    /// In how many partitions the result comes, by hash of the keys. Default: one, or more when there may be
    /// very many groups: a sample shows them, or nobody knows and there is much data.
    pub fn split_out(mut self, npartitions: usize) -> Self {
        self.split_out = Some(npartitions);
        self
    }

    /// The number of rows of each group, as column `len`.
    #[doc(alias = "size")]
    #[track_caller]
    pub fn len(&self) -> DFrame {
        self.aggregated(vec![len()], ".len()", None)
    }

    /// Aggregates: any expressions that give one value a group, also over computed columns and combined:
    /// `(col("a") * col("b")).sum() / col("b").sum()`.
    ///
    /// Whole groups: [`GroupBy::transform`], [`GroupBy::apply`]; aggregates taken apart by yourself: [`GroupBy::aggregate`].
    ///
    /// # Errors
    /// At `compute`: a column that does not exist, an expression that does not fit its types.
    #[track_caller]
    pub fn agg(&self, exprs: impl IntoExprs) -> DFrame {
        self.aggregated(exprs.into_exprs(), ".agg(…)", None)
    }

    #[track_caller]
    fn each(&self, name: &str, accepts: fn(&DataType) -> bool, aggregate: fn(Expr) -> Expr) -> DFrame {
        let method = format!(".{name}()");
        let schema = match self.frame.resolved() {
            Ok(schema) => schema,
            Err(failure) => return DFrame::failed(failure, &method),
        };
        let keys: Names = self.keys.iter().filter_map(as_column).cloned().collect();
        let candidates: Vec<PlSmallStr> = match &self.selected {
            None => schema.iter_names().filter(|column| !keys.contains(*column)).cloned().collect(),
            Some(columns) => match self.frame.expanded(columns.clone()).and_then(|columns| plain_names(&columns)) {
                Ok(names) => names,
                Err(failure) => return DFrame::failed(failure, &method),
            },
        };
        let fits = |column: &PlSmallStr| schema.get(column).is_some_and(accepts);
        let (taken, left): (Vec<_>, Vec<_>) = candidates.into_iter().partition(fits);
        if taken.is_empty() {
            let what =
                format!("{method} has no column to work on: none of the columns besides the keys is of a type that it is defined for");
            let failure = Failure::new(Code::TypeMismatch, what).detail("left out", left.join(", "));
            return DFrame::failed(
                failure.help("choose: .agg([col(\"x\").max()]), or cast a column first: .cast([(\"x\", DataType::Float64)])"),
                &method,
            );
        }
        let note = (!left.is_empty()).then(|| format!("{method} leaves out columns that it is not defined for: {}", left.join(", ")));
        self.aggregated(taken.into_iter().map(|column| aggregate(col(column))).collect(), &method, note)
    }

    #[track_caller]
    fn aggregated(&self, aggs: Vec<Expr>, method: &str, note: Option<String>) -> DFrame {
        if self.split_out == Some(0) {
            let failure = Failure::new(Code::InvalidOption, "a result has at least one partition, not 0");
            return DFrame::failed(failure, ".split_out(…)");
        }
        let keys = self.frame.expanded(self.keys.clone());
        let aggs = match &keys {
            Ok(keys) => self.expanded_aggs(aggs, keys),
            Err(failure) => Err(failure.clone()),
        };
        match (keys, aggs) {
            (Ok(keys), Ok(aggs)) => {
                let step = GroupByStep { keys: keys.clone(), aggs: aggs.clone(), split_out: self.split_out, note };
                let result = DFrame::then(step, vec![self.frame.clone()], &format!(".group_by(…){method}"));
                self.laid_out(result, &keys, |none| none.select(aggs), method)
            }
            (Err(failure), _) | (_, Err(failure)) => DFrame::failed(failure, &format!(".group_by(…){method}")),
        }
    }

    /// Selectors in aggregates stand for the columns that are no keys.
    fn expanded_aggs(&self, aggs: Vec<Expr>, keys: &[Expr]) -> Result<Vec<Expr>, Failure> {
        let schema = self.frame.resolved()?;
        check_columns(&aggs, schema)?;
        let names: Names = keys.iter().filter_map(as_column).cloned().collect();
        let others: Schema = schema.iter().filter(|(name, _)| !names.contains(*name)).map(|(n, d)| (n.clone(), d.clone())).collect();
        let plain = |expr: &Expr| !expr.into_iter().any(|e| matches!(e, Expr::Selector(_)));
        let mut expanded = Vec::new();
        for expr in aggs {
            match plain(&expr) {
                true => expanded.extend(super::expr::expand(vec![expr], schema)?),
                false => expanded.extend(super::expr::expand(vec![expr], &others)?),
            }
        }
        Ok(expanded)
    }
}

fn plain_names(columns: &[Expr]) -> Result<Vec<PlSmallStr>, Failure> {
    let name = |column: &Expr| {
        as_column(column).cloned().ok_or_else(|| {
            Failure::new(Code::InvalidOption, format!("`{}` is no column", show_one(column)))
                .help("compute it first: .with_columns([…]), or aggregate it: .agg([…])")
        })
    };
    columns.iter().map(name).collect()
}

/// The step that reduces a whole frame.
pub(crate) fn step_without_keys(aggs: Vec<Expr>, note: Option<String>) -> GroupByStep {
    GroupByStep { keys: Vec::new(), aggs, split_out: None, note }
}
