//! Aggregates taken apart: which states a partition computes, how states of several partitions are combined, and how the
//! result is made of them.
//!
//! `(col("a").sum() / col("b").mean())` becomes the states `sum(a)`, `sum(b as float)`, `count(b)` and the expression
//! `s0 / (s1 / s2)`. Variance uses counts, means and squared deviations, combined after Chan, Golub and LeVeque (1979), because
//! sums of squares cancel.

use std::sync::Arc;

use polars::prelude::*;
use polars_plan::dsl::{BooleanFunction, FunctionExpr};
use serde::{Deserialize, Serialize};

use crate::frame::expr::{columns_of, is_row_by_row, schema_after};

/// What a partition computes of an expression.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Kind {
    Sum,
    /// The sum as a float: the upper half of a mean, safe from overflow.
    FloatSum,
    /// Values that are not null.
    Count,
    NullCount,
    /// Rows.
    Len,
    Min(bool),
    Max(bool),
    First,
    Last,
    FirstValue,
    LastValue,
    Product,
    Any(bool),
    All(bool),
    /// Count, mean and sum of squared deviations: three columns.
    Moments,
    /// The different values, as a list.
    Values,
    /// The values that are not null, as a list.
    Gathered,
}

/// A state: a kind and the expression over rows that it is of.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub kind: Kind,
    pub input: Expr,
}

const PREFIX: &str = "\u{1}";

/// The column of state `index`. Users cannot have such a name by accident.
pub(crate) fn column(index: usize) -> String {
    format!("{PREFIX}{index}")
}

/// The columns of moments: `n`, `m` and `s`.
pub(super) fn part(index: usize, which: &str) -> String {
    format!("{PREFIX}{index}{which}")
}

impl State {
    /// Over the rows of a group of one partition.
    pub fn partial(&self, index: usize) -> Vec<Expr> {
        let input = self.input.clone();
        let one = match self.kind {
            Kind::Sum => input.sum(),
            Kind::FloatSum => input.cast(DataType::Float64).sum(),
            Kind::Count => input.count().cast(DataType::UInt64),
            Kind::NullCount => input.null_count().cast(DataType::UInt64),
            Kind::Len => len().cast(DataType::UInt64),
            Kind::Min(false) => input.min(),
            Kind::Min(true) => Expr::Agg(AggExpr::Min { input: Arc::new(input), propagate_nans: true }),
            Kind::Max(false) => input.max(),
            Kind::Max(true) => Expr::Agg(AggExpr::Max { input: Arc::new(input), propagate_nans: true }),
            Kind::First => input.first(),
            Kind::Last => input.last(),
            Kind::FirstValue => input.first_non_null(),
            Kind::LastValue => input.last_non_null(),
            Kind::Product => input.product(),
            Kind::Any(ignore_nulls) => input.any(ignore_nulls),
            Kind::All(ignore_nulls) => input.all(ignore_nulls),
            Kind::Values => input.unique_stable().implode(true),
            Kind::Gathered => input.drop_nulls().implode(true),
            Kind::Moments => {
                let x = input.cast(DataType::Float64);
                let n = x.clone().count().cast(DataType::Float64);
                return vec![
                    n.clone().alias(part(index, "n")),
                    x.clone().mean().alias(part(index, "m")),
                    (x.var(0) * n).alias(part(index, "s")),
                ];
            }
        };
        vec![one.alias(column(index))]
    }

    /// Over the rows that several partitions made of one group, in partition order.
    pub fn combine(&self, index: usize) -> Vec<Expr> {
        let state = col(column(index));
        let one = match self.kind {
            Kind::Sum | Kind::FloatSum | Kind::Count | Kind::NullCount | Kind::Len => state.sum(),
            Kind::Min(_) | Kind::Max(_) | Kind::First | Kind::Last | Kind::FirstValue | Kind::LastValue => {
                return State { kind: self.kind, input: state }.partial(index);
            }
            Kind::Values | Kind::Gathered => {
                let values = state.explode(ExplodeOptions { empty_as_null: false, keep_nulls: false });
                return State { kind: self.kind, input: values }.partial(index);
            }
            Kind::Product | Kind::Any(_) | Kind::All(_) => return State { kind: self.kind, input: state }.partial(index),
            Kind::Moments => {
                let (n, m, s) = (col(part(index, "n")), col(part(index, "m")), col(part(index, "s")));
                let all = n.clone().sum();
                let mean = (n.clone() * m.clone()).sum() / all.clone();
                let between = (n * (m - mean.clone()).pow(lit(2))).sum();
                return vec![
                    all.clone().alias(part(index, "n")),
                    when(all.gt(lit(0.0))).then(mean).otherwise(lit(NULL)).alias(part(index, "m")),
                    (s.sum() + between).alias(part(index, "s")),
                ];
            }
        };
        vec![one.alias(column(index))]
    }

    /// What plans print.
    pub fn show(&self) -> String {
        let kind = match self.kind {
            Kind::FloatSum => "sum".to_string(),
            Kind::Len => return "len".to_string(),
            Kind::FirstValue => "first value".to_string(),
            Kind::Gathered => "values".to_string(),
            Kind::LastValue => "last value".to_string(),
            other => format!("{other:?}").split('(').next().unwrap_or_default().to_lowercase(),
        };
        format!("{kind}({})", crate::frame::expr::show_one(&self.input))
    }
}

/// Aggregates in terms of states.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Decomposed {
    pub states: Vec<State>,
    /// One for each aggregate, over the columns of states.
    pub finish: Vec<Expr>,
}

/// Takes aggregates, of groups or of all rows, apart, or `None` when one of them has no states that can be combined.
pub(crate) fn decompose(aggs: &[Expr], schema: &Schema, grouped: bool) -> Option<Decomposed> {
    let mut states = Vec::new();
    let mut finish = Vec::new();
    for agg in aggs {
        let mut sound = true;
        let lifted = agg.clone().map_expr(|expr| lift(expr, schema, grouped, &mut states, &mut sound));
        let only_states = columns_of(&lifted).iter().all(|name| name.starts_with(PREFIX));
        if !sound || !only_states || !is_flat(&lifted) {
            return None;
        }
        finish.push(lifted);
    }
    // What stands above the states must look at one group at a time: a shift of sums would cross groups.
    let partials: Vec<Expr> = states.iter().enumerate().flat_map(|(index, state)| state.partial(index)).collect();
    let of_states = schema_after(schema, |frame| frame.select(partials)).ok()?;
    finish.iter().all(|expr| is_row_by_row(expr, &of_states)).then_some(Decomposed { states, finish })
}

/// Whether what is left above the states looks at one row of states at a time.
fn is_flat(expr: &Expr) -> bool {
    !expr.into_iter().any(|e| {
        matches!(
            e,
            Expr::Agg(_)
                | Expr::Len
                | Expr::Over { .. }
                | Expr::Sort { .. }
                | Expr::SortBy { .. }
                | Expr::Gather { .. }
                | Expr::Filter { .. }
                | Expr::Slice { .. }
                | Expr::Explode { .. }
                | Expr::AnonymousFunction { .. }
                | Expr::Eval { .. }
                | Expr::SubPlan(..)
        )
    })
}

/// Replaces one aggregate (bottom-up) by its states.
fn lift(expr: Expr, schema: &Schema, grouped: bool, states: &mut Vec<State>, sound: &mut bool) -> Expr {
    let Some((kinds, input)) = kinds_of(&expr) else { return expr };
    // A literal has one value however many rows there are, so its states would count partitions.
    let literal = expr != Expr::Len && columns_of(&input).is_empty();
    let nested = columns_of(&input).iter().any(|name| name.starts_with(PREFIX));
    if literal || nested || !is_row_by_row(&input, schema) || !suits(&expr, &input, schema, grouped) {
        *sound = false;
        return expr;
    }
    let mut state = |kind: Kind| {
        let wanted = State { kind, input: input.clone() };
        states.iter().position(|s| *s == wanted).unwrap_or_else(|| {
            states.push(wanted);
            states.len() - 1
        })
    };
    match kinds {
        Found::One(kind) => col(column(state(kind))),
        Found::Median => col(column(state(Kind::Gathered))).list().median(),
        Found::Different => col(column(state(Kind::Values))).list().len(),
        Found::Mean => {
            // The sum of floats is one as a float already, and may be wanted besides.
            let float = input.to_field(schema).is_ok_and(|field| field.dtype == DataType::Float64);
            let sum = state(if float { Kind::Sum } else { Kind::FloatSum });
            let count = col(column(state(Kind::Count)));
            when(count.clone().gt(lit(0))).then(col(column(sum)) / count.cast(DataType::Float64)).otherwise(lit(NULL))
        }
        Found::Var(ddof, root) => {
            let at = state(Kind::Moments);
            let freedom = col(part(at, "n")) - lit(f64::from(ddof));
            let var = when(freedom.clone().gt(lit(0.0))).then(col(part(at, "s")) / freedom).otherwise(lit(NULL));
            if root { var.pow(lit(0.5)) } else { var }
        }
    }
}

enum Found {
    One(Kind),
    /// The number of different values.
    Different,
    /// The middle of all values.
    Median,
    Mean,
    Var(u8, bool),
}

/// Means and moments are computed on floats; of dates and durations polars has its own idea, which needs all rows. Different values
/// travel in lists, and lists of lists or of categories are not compared here.
fn suits(expr: &Expr, input: &Expr, schema: &Schema, grouped: bool) -> bool {
    match expr {
        Expr::Agg(AggExpr::Mean(_) | AggExpr::Var(..) | AggExpr::Std(..)) => {
            input.to_field(schema).is_ok_and(|field| super::is_number(&field.dtype))
        }
        // Of a whole frame the middle is found without bringing its values together.
        Expr::Agg(AggExpr::Median(_)) => grouped && input.to_field(schema).is_ok_and(|field| super::gathered::suits(&field.dtype)),
        Expr::Agg(AggExpr::NUnique(_)) => input.to_field(schema).is_ok_and(|field| {
            let dtype = &field.dtype;
            dtype.is_primitive_numeric() || dtype.is_temporal() || matches!(dtype, DataType::Boolean | DataType::String)
        }),
        _ => true,
    }
}

fn kinds_of(expr: &Expr) -> Option<(Found, Expr)> {
    let one = |kind: Kind, input: &Expr| Some((Found::One(kind), input.clone()));
    match expr {
        Expr::Len => Some((Found::One(Kind::Len), lit(true))),
        Expr::Agg(agg) => match agg {
            AggExpr::Sum(e) => one(Kind::Sum, e),
            AggExpr::NUnique(e) => Some((Found::Different, (**e).clone())),
            AggExpr::Median(e) => Some((Found::Median, (**e).clone())),
            AggExpr::Mean(e) => Some((Found::Mean, (**e).clone())),
            AggExpr::Min { input, propagate_nans } => one(Kind::Min(*propagate_nans), input),
            AggExpr::Max { input, propagate_nans } => one(Kind::Max(*propagate_nans), input),
            AggExpr::First(e) => one(Kind::First, e),
            AggExpr::Last(e) => one(Kind::Last, e),
            AggExpr::FirstNonNull(e) => one(Kind::FirstValue, e),
            AggExpr::LastNonNull(e) => one(Kind::LastValue, e),
            AggExpr::Count { input, include_nulls: true } => one(Kind::Len, input),
            AggExpr::Count { input, include_nulls: false } => one(Kind::Count, input),
            AggExpr::Var(e, ddof) => Some((Found::Var(*ddof, false), (**e).clone())),
            AggExpr::Std(e, ddof) => Some((Found::Var(*ddof, true), (**e).clone())),
            _ => None,
        },
        Expr::Function { input, function } if input.len() == 1 => match function {
            FunctionExpr::Product => one(Kind::Product, &input[0]),
            FunctionExpr::NullCount => one(Kind::NullCount, &input[0]),
            FunctionExpr::Boolean(BooleanFunction::Any { ignore_nulls }) => one(Kind::Any(*ignore_nulls), &input[0]),
            FunctionExpr::Boolean(BooleanFunction::All { ignore_nulls }) => one(Kind::All(*ignore_nulls), &input[0]),
            _ => None,
        },
        _ => None,
    }
}
