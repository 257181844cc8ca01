//! Pieces that are not read: those in which, by what is known of their values, no row can pass a predicate.
//!
//! It refuses to look at rows. Invariant: a piece is left out only when the predicate is true for none of its rows, whatever the values
//! between the bounds are; what cannot be told is read. NaN is above every number and in no bounds.

use std::sync::Arc;

use partita_io::{FileTable, ROWS, greatest, least, nulls};
use polars::prelude::*;
use polars_plan::dsl::{BooleanFunction, FunctionExpr};
use polars_plan::plans::LiteralValue;

use crate::frame::expr::{as_column, columns_of, on_polars_thread};
use crate::frame::passing::{ends, mirrored};
use crate::frame::selectivity::unit;

/// A longer list of values is compared by its least and greatest value only.
const LISTED: usize = 64;

/// The partitions without the pieces in which no row can pass the predicate; partitions without pieces are left out.
pub(super) fn prune(partitions: &Arc<[Vec<u32>]>, predicate: &Expr, table: &dyn FileTable) -> Arc<[Vec<u32>]> {
    let columns: Vec<PlSmallStr> = columns_of(predicate).into_iter().collect();
    let Some(skip) = without_rows(predicate, table.schema(), &table.statistics(&columns)) else { return partitions.clone() };
    let read = |piece: &u32| skip.get(*piece as usize) != Some(true);
    let left = partitions.iter().map(|pieces| pieces.iter().copied().filter(|piece| read(piece)).collect::<Vec<u32>>());
    left.filter(|pieces| !pieces.is_empty()).collect()
}

/// For each piece of which something is known whether no row in it can pass the predicate; null where that cannot be told.
pub(crate) fn without_rows(predicate: &Expr, schema: &Schema, statistics: &DataFrame) -> Option<BooleanChunked> {
    let impossible = Judge { schema, known: statistics.schema() }.impossible(predicate, false)?;
    let mask = on_polars_thread(|| statistics.clone().lazy().select([impossible.alias("skip")]).collect());
    mask.ok()?.column("skip").ok()?.bool().ok().cloned()
}

/// At most how many different values a column of whole numbers has: those between its bounds.
pub(super) fn values(column: &PlSmallStr, table: &dyn FileTable) -> Option<u64> {
    let dtype = table.schema().get(column)?;
    if !(dtype.is_integer() || matches!(dtype, DataType::Date | DataType::Boolean)) {
        return None;
    }
    let known = table.statistics(std::slice::from_ref(column));
    let bound = |name: String| known.column(&name).ok()?.as_materialized_series().cast(&DataType::Int64).ok();
    let (low, high) = (bound(least(column))?, bound(greatest(column))?);
    if low.null_count() + high.null_count() > 0 {
        return None;
    }
    let (low, high) = (low.min::<i64>().ok()??, high.max::<i64>().ok()??);
    u64::try_from(i128::from(high) - i128::from(low) + 1).ok()
}

/// Between which whole numbers the values of a column lie in each of these partitions, if that is known of all and none has nulls.
pub(super) fn ranges(column: &PlSmallStr, table: &dyn FileTable, partitions: &[Vec<u32>]) -> Option<Vec<(i64, i64)>> {
    let dtype = table.schema().get(column)?;
    if !dtype.is_signed_integer() && *dtype != DataType::Date {
        return None;
    }
    let known = table.statistics(std::slice::from_ref(column));
    let numbers = |name: String| known.column(&name).ok()?.as_materialized_series().to_physical_repr().cast(&DataType::Int64).ok();
    let all = [numbers(nulls(column))?, numbers(least(column))?, numbers(greatest(column))?];
    let [missing, low, high] = all.each_ref().map(|series| series.i64().ok());
    let (missing, low, high) = (missing?, low?, high?);
    let of_piece = |piece: &u32| {
        let at = *piece as usize;
        (missing.get(at)? == 0).then_some((low.get(at)?, high.get(at)?))
    };
    let of_partition = |pieces: &Vec<u32>| {
        let bounds = pieces.iter().map(of_piece).collect::<Option<Vec<(i64, i64)>>>()?;
        bounds.into_iter().reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)))
    };
    partitions.iter().map(of_partition).collect()
}

/// Between which numbers the values of a column lie in these partitions, days and times in microseconds.
pub(super) fn bounds(column: &PlSmallStr, table: &dyn FileTable, partitions: &[Vec<u32>]) -> Option<(f64, f64)> {
    let dtype = table.schema().get(column)?;
    if !(dtype.is_primitive_numeric() || matches!(dtype, DataType::Date | DataType::Datetime(..) | DataType::Duration(_))) {
        return None;
    }
    let known = table.statistics(std::slice::from_ref(column));
    let read = IdxCa::from_iter_values(PlSmallStr::EMPTY, partitions.iter().flatten().copied());
    let bound = |name: String| {
        let bounds = known.column(&name).ok()?.as_materialized_series().take(&read).ok()?;
        bounds.to_physical_repr().cast(&DataType::Float64).ok().filter(|bounds| bounds.null_count() == 0)
    };
    let (low, high) = (bound(least(column))?, bound(greatest(column))?);
    Some((low.min::<f64>().ok()?? * unit(dtype), high.max::<f64>().ok()?? * unit(dtype)))
}

/// Turns a predicate over rows into one over bounds.
struct Judge<'a> {
    schema: &'a Schema,
    /// What is known.
    known: &'a Schema,
}

impl Judge<'_> {
    /// An expression over the bounds that is true only where `expr` is true for no row (where it is false for none, when `negated`).
    /// `None` where nothing can be told.
    fn impossible(&self, expr: &Expr, negated: bool) -> Option<Expr> {
        match expr {
            Expr::Alias(inner, _) => self.impossible(inner, negated),
            Expr::Column(name) if self.schema.get(name) == Some(&DataType::Boolean) => {
                self.compare(name, Operator::Eq, &lit(!negated), false)
            }
            Expr::BinaryExpr { left, op, right } => self.binary(left, *op, right, negated),
            Expr::Function { input, function: FunctionExpr::Boolean(function) } => self.function(input, function, negated),
            _ => None,
        }
    }

    fn binary(&self, left: &Expr, op: Operator, right: &Expr, negated: bool) -> Option<Expr> {
        match op {
            Operator::And | Operator::LogicalAnd => self.join(left, right, negated, !negated),
            Operator::Or | Operator::LogicalOr => self.join(left, right, negated, negated),
            _ => match (as_column(left), as_column(right)) {
                (Some(name), None) if is_constant(right) => self.compare(name, op, right, negated),
                (None, Some(name)) if is_constant(left) => self.compare(name, mirrored(op), left, negated),
                _ => None,
            },
        }
    }

    /// Two parts of which, when `either`, one that is impossible is enough.
    fn join(&self, left: &Expr, right: &Expr, negated: bool, either: bool) -> Option<Expr> {
        match (self.impossible(left, negated), self.impossible(right, negated)) {
            (Some(left), Some(right)) => Some(if either { left.or(right) } else { left.and(right) }),
            (Some(one), None) | (None, Some(one)) => either.then_some(one),
            (None, None) => None,
        }
    }

    fn function(&self, input: &[Expr], function: &BooleanFunction, negated: bool) -> Option<Expr> {
        match (function, input) {
            (BooleanFunction::Not, [inner]) => self.impossible(inner, !negated),
            (BooleanFunction::IsNull, [inner]) => self.nullness(inner, !negated),
            (BooleanFunction::IsNotNull, [inner]) => self.nullness(inner, negated),
            (BooleanFunction::IsBetween { closed }, [inner, low, high]) => {
                let (above, below) = ends(*closed);
                let part =
                    |op: Operator, bound: &Expr| Expr::BinaryExpr { left: Arc::new(inner.clone()), op, right: Arc::new(bound.clone()) };
                self.binary(&part(above, low), Operator::And, &part(below, high), negated)
            }
            (BooleanFunction::IsIn { nulls_equal }, [inner, list]) if !negated => self.member(as_column(inner)?, list, *nulls_equal),
            _ => None,
        }
    }

    /// No row is null (`null`), or every row is.
    fn nullness(&self, inner: &Expr, null: bool) -> Option<Expr> {
        let name = as_column(inner)?;
        let count = self.bound(nulls(name))?;
        Some(if null { count.eq(lit(0u64)) } else { count.eq(col(ROWS)) })
    }

    /// No value of a list lies between the bounds.
    fn member(&self, name: &PlSmallStr, list: &Expr, nulls_equal: bool) -> Option<Expr> {
        let values = values_of(list)?;
        if nulls_equal && values.null_count() > 0 {
            return None;
        }
        let values = values.drop_nulls();
        let literal = |value: Scalar| Expr::Literal(LiteralValue::Scalar(value));
        if values.len() > LISTED {
            let (low, high) = (literal(values.min_reduce().ok()?), literal(values.max_reduce().ok()?));
            let inside = |op, bound: Expr| Expr::BinaryExpr { left: Arc::new(col(name.clone())), op, right: Arc::new(bound) };
            return self.binary(&inside(Operator::GtEq, low), Operator::And, &inside(Operator::LtEq, high), false);
        }
        let mut all: Option<Expr> = None;
        for at in 0..values.len() {
            let value = literal(Scalar::new(values.dtype().clone(), values.get(at).ok()?.into_static()));
            let none = self.compare(name, Operator::Eq, &value, false)?;
            all = Some(match all {
                Some(before) => before.and(none),
                None => none,
            });
        }
        all
    }

    /// What compares with null is null, and passes no filter.
    fn all_null(&self, name: &str) -> Option<Expr> {
        Some(self.bound(nulls(name))?.eq(col(ROWS)))
    }

    fn bound(&self, name: String) -> Option<Expr> {
        self.known.contains(&name).then(|| col(name))
    }

    /// No row for which `column op constant` is true (false, when `negated`).
    fn compare(&self, name: &PlSmallStr, op: Operator, constant: &Expr, negated: bool) -> Option<Expr> {
        let op = if negated { inverse(op)? } else { op };
        let float = self.schema.get(name)?.is_float();
        let (low, high) = (self.bound(least(name))?, self.bound(greatest(name))?);
        let value = || constant.clone();
        let outside = match op {
            Operator::Eq | Operator::EqValidity => low.clone().gt(value()).or(high.clone().lt(value())),
            Operator::Lt => low.clone().gt_eq(value()),
            Operator::LtEq => low.clone().gt(value()),
            // NaN is unequal to and greater than any constant, and no bound tells of it.
            Operator::NotEq | Operator::Gt | Operator::GtEq if float => lit(false),
            Operator::NotEq => low.clone().eq(value()).and(high.clone().eq(value())),
            Operator::Gt => high.clone().lt_eq(value()),
            Operator::GtEq => high.clone().lt(value()),
            _ => return None,
        };
        let number = |expr: Expr| expr.cast(DataType::Float64).is_not_nan();
        let outside = if float { outside.and(number(low)).and(number(high)).and(number(value())) } else { outside };
        match (op, self.all_null(name)) {
            // Null is equal to null here.
            (Operator::EqValidity, _) | (_, None) => Some(outside),
            (_, Some(all_null)) => Some(outside.or(all_null)),
        }
    }
}

/// One value, the same for all rows.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(LiteralValue::Dyn(_) | LiteralValue::Scalar(_)) => true,
        Expr::Alias(inner, _) | Expr::Cast { expr: inner, .. } => is_constant(inner),
        Expr::BinaryExpr { left, right, .. } => is_constant(left) && is_constant(right),
        _ => false,
    }
}

/// The values of a list that is written out.
fn values_of(list: &Expr) -> Option<Series> {
    let written = |part: &Expr| matches!(part, Expr::Literal(_) | Expr::Alias(..) | Expr::Cast { .. } | Expr::Agg(AggExpr::Implode { .. }));
    if !list.into_iter().all(written) {
        return None;
    }
    let evaluated = on_polars_thread(|| DataFrame::empty().lazy().select([list.clone().alias("list")]).collect()).ok()?;
    let values = evaluated.column("list").ok()?.as_materialized_series().clone();
    match values.dtype() {
        DataType::List(_) => values.list().ok()?.get_as_series(0),
        _ => Some(values),
    }
}

/// The comparison that is true where this one is false.
fn inverse(op: Operator) -> Option<Operator> {
    Some(match op {
        Operator::Eq => Operator::NotEq,
        Operator::NotEq => Operator::Eq,
        Operator::NotEqValidity => Operator::EqValidity,
        Operator::Lt => Operator::GtEq,
        Operator::LtEq => Operator::Gt,
        Operator::Gt => Operator::LtEq,
        Operator::GtEq => Operator::Lt,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
