//! Reductions of a whole frame to one row: `sum`, `mean`, `min`, … and `agg` over any expressions.

use polars::prelude::*;
use polars_plan::dsl::{BooleanFunction, FunctionExpr};

use crate::frame::expr::check_columns;
use crate::frame::groupby::{is_any, is_boolean, is_factor, is_number, step_without_keys};
use crate::frame::{DFrame, IntoExprs};

macro_rules! reductions {
    ($($(#[$doc:meta])* $name:ident, $accepts:expr, $aggregate:expr;)*) => {
        impl DFrame {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(&self) -> DFrame {
                self.reduce_each(stringify!($name), $accepts, $aggregate)
            })*
        }
    };
}

reductions! {
    /// The sum of each number column, as one row.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1i64, 2, 3])?, 3);
    /// assert_eq!(frame.sum().compute()?, df!("x" => [6i64])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    sum, is_number, |c| c.sum();
    /// The mean of each number column, as one row; nulls are left out.
    mean, is_number, |c| c.mean();
    /// The least value of each column, as one row.
    min, is_any, |c| c.min();
    /// The greatest value of each column, as one row.
    max, is_any, |c| c.max();
    /// The number of values that are not null, of each column, as one row.
    count, is_any, |c| c.count();
    /// The product of each number column, as one row.
    product, is_factor, |c| c.product();
    /// Whether any value of each boolean column is true, as one row.
    any, is_boolean, |c| c.any(true);
    /// Whether all values of each boolean column are true, as one row.
    all, is_boolean, |c| c.all(true);
    /// The sample variance of each number column (`ddof` 1), as one row.
    var, is_number, |c| c.var(1);
    /// The sample standard deviation of each number column (`ddof` 1), as one row.
    std, is_number, |c| c.std(1);
    /// The first value of each column, as one row.
    first, is_any, |c| c.first();
    /// The last value of each column, as one row.
    last, is_any, |c| c.last();
}

impl DFrame {
    /// Aggregates over all rows of all partitions, as one row.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1.0, 2.0, 4.0])?, 3);
    /// let range = frame.agg([(col("x").max() - col("x").min()).alias("range")]);
    /// assert_eq!(range.compute()?, df!("range" => [3.0])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a column that does not exist, an expression that does not fit its types.
    #[track_caller]
    pub fn agg(&self, exprs: impl IntoExprs) -> DFrame {
        self.reduced(exprs.into_exprs(), ".agg(…)", None)
    }

    #[track_caller]
    fn reduce_each(&self, name: &str, accepts: fn(&DataType) -> bool, aggregate: fn(Expr) -> Expr) -> DFrame {
        let method = format!(".{name}()");
        let schema = match self.resolved() {
            Ok(schema) => schema,
            Err(failure) => return DFrame::failed(failure, &method),
        };
        let (taken, left): (Vec<_>, Vec<_>) = schema.iter().partition(|(_, dtype)| accepts(dtype));
        let left: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
        let note = (!left.is_empty()).then(|| format!("{method} leaves out columns that it is not defined for: {}", left.join(", ")));
        if taken.is_empty() {
            let what = format!("{method} has no column to work on: no column is of a type that it is defined for");
            let failure = partita_graph::Failure::new(partita_graph::Code::TypeMismatch, what).detail("left out", left.join(", "));
            return DFrame::failed(failure, &method);
        }
        self.reduced(taken.into_iter().map(|(name, _)| aggregate(col(name.clone()))).collect(), &method, note)
    }

    #[track_caller]
    fn reduced(&self, aggs: Vec<Expr>, method: &str, note: Option<String>) -> DFrame {
        let aggs = self.resolved().and_then(|schema| check_columns(&aggs, schema)).and_then(|()| self.expanded(aggs));
        match aggs {
            Ok(aggs) => DFrame::then(step_without_keys(aggs, note), vec![self.clone()], method),
            Err(failure) => DFrame::failed(failure, method),
        }
    }
}

/// Whether every expression is an aggregate: one value however many rows there are.
pub(crate) fn all_aggregates(exprs: &[Expr]) -> bool {
    !exprs.is_empty() && exprs.iter().all(is_aggregate)
}

/// Every column below stands inside an aggregate, and there is at least one aggregate.
fn is_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Agg(_) | Expr::Len => true,
        Expr::Function { function, .. } if is_aggregate_function(function) => true,
        Expr::Alias(inner, _) | Expr::Cast { expr: inner, .. } | Expr::KeepName(inner) => is_aggregate(inner),
        Expr::BinaryExpr { left, right, .. } => {
            let part = |e: &Expr| is_aggregate(e) || matches!(e, Expr::Literal(_));
            part(left) && part(right) && (is_aggregate(left) || is_aggregate(right))
        }
        _ => false,
    }
}

fn is_aggregate_function(function: &FunctionExpr) -> bool {
    matches!(
        function,
        FunctionExpr::Product | FunctionExpr::NullCount | FunctionExpr::Boolean(BooleanFunction::Any { .. } | BooleanFunction::All { .. })
    )
}
