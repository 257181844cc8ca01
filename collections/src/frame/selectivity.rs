//! Which share of rows a predicate is likely to keep, from what is known of columns and without looking at rows.
//!
//! Parts that are joined by `and` are taken to be independent, but for bounds of one column, which are one range (Selinger, Astrahan,
//! Chamberlin, Lorie and Price, "Access path selection in a relational database management system", SIGMOD 1979). It refuses to be exact: a
//! wrong share costs time and never changes a row.

use std::collections::BTreeMap;

use polars::prelude::*;
use polars_plan::dsl::{BooleanFunction, FunctionExpr, StringFunction};
use polars_plan::plans::{DynLiteralValue, LiteralValue};

use super::expr::as_column;

/// Of rows of which nothing is known one guess is as good as another, and this one shows that a filter makes frames smaller.
const UNKNOWN: f64 = 0.5;
/// Rows with one of the values of a column whose values nobody has counted.
const EQUAL: f64 = 0.1;
/// No share is less: parts of a predicate often say the same thing twice.
const LEAST: f64 = 0.005;

/// What is known of a column.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    /// Between which values all others lie: whole numbers, floats, and days and times in microseconds.
    pub bounds: Option<(f64, f64)>,
    /// How far the next value is at least, as for whole numbers and days; 0 where that is not known.
    pub step: f64,
    /// How many different values it has at most.
    pub values: Option<u64>,
}

/// The share of rows that pass a predicate, between 0 and 1; `facts` says what is known of a column.
pub(crate) fn share(predicate: &Expr, facts: &dyn Fn(&PlSmallStr) -> Facts) -> f64 {
    Guess { facts }.share(predicate).clamp(LEAST, 1.0)
}

/// So many rows of these; one is left, because nobody knows.
pub(crate) fn kept(rows: u64, share: f64) -> u64 {
    ((rows as f64 * share) as u64).max(rows.min(1))
}

struct Guess<'a> {
    facts: &'a dyn Fn(&PlSmallStr) -> Facts,
}

impl Guess<'_> {
    fn share(&self, predicate: &Expr) -> f64 {
        match predicate {
            Expr::Alias(inner, _) => self.share(inner),
            Expr::BinaryExpr { left, op: Operator::Or | Operator::LogicalOr, right } => {
                1.0 - (1.0 - self.share(left)) * (1.0 - self.share(right))
            }
            Expr::BinaryExpr { op: Operator::And | Operator::LogicalAnd, .. } => self.all(predicate),
            Expr::BinaryExpr { left, op, right } => self.compared(left, *op, right),
            Expr::Function { input, function: FunctionExpr::Boolean(function) } => self.function(input, function),
            Expr::Function { function: FunctionExpr::StringExpr(StringFunction::StartsWith | StringFunction::EndsWith), .. }
            | Expr::Function { function: FunctionExpr::StringExpr(StringFunction::Contains { .. }), .. } => EQUAL,
            _ => UNKNOWN,
        }
    }

    /// All parts of a conjunction, those that bound one column from both sides taken together.
    fn all(&self, predicate: &Expr) -> f64 {
        let mut parts = Vec::new();
        flatten(predicate, &mut parts);
        let mut outside: BTreeMap<&PlSmallStr, f64> = BTreeMap::new();
        let mut share = 1.0;
        for part in &parts {
            match self.bound(part) {
                Some((name, inside)) => *outside.entry(name).or_default() += 1.0 - inside,
                None => share *= self.share(part),
            }
        }
        outside.values().fold(share, |share, outside| share * (1.0 - outside).max(LEAST))
    }

    /// A comparison of a column with a constant between its bounds: the column, and the share that is on the right side.
    fn bound<'e>(&self, part: &'e Expr) -> Option<(&'e PlSmallStr, f64)> {
        let Expr::BinaryExpr { left, op, right } = part else { return None };
        let (name, constant, mirrored) = match (as_column(left), as_column(right)) {
            (Some(name), None) => (name, number(right)?, false),
            (None, Some(name)) => (name, number(left)?, true),
            _ => return None,
        };
        // Whether those below pass, and whether the constant itself counts as one below.
        let (below, with) = match op {
            Operator::Lt => (!mirrored, mirrored),
            Operator::LtEq => (!mirrored, !mirrored),
            Operator::Gt => (mirrored, !mirrored),
            Operator::GtEq => (mirrored, mirrored),
            _ => return None,
        };
        let Facts { bounds, step, .. } = (self.facts)(name);
        let (low, high) = bounds?;
        // A whole number takes up the place up to the next one.
        let (edge, width) = (if with { constant + step } else { constant }, high + step - low);
        // Between infinite bounds everything is equally far from both, and what is no number is nowhere.
        if !width.is_finite() || edge.is_nan() {
            return None;
        }
        let under = match width > 0.0 {
            true => ((edge - low) / width).clamp(0.0, 1.0),
            // One value, which is on one side.
            false => f64::from(u8::from(low < constant || (with && low == constant))),
        };
        Some((name, if below { under } else { 1.0 - under }))
    }

    fn compared(&self, left: &Expr, op: Operator, right: &Expr) -> f64 {
        let equal = || match (as_column(left), as_column(right)) {
            (Some(name), None) | (None, Some(name)) => self.equal(name),
            _ => EQUAL,
        };
        match op {
            Operator::Eq | Operator::EqValidity => equal(),
            Operator::NotEq | Operator::NotEqValidity => 1.0 - equal(),
            _ => {
                let whole = Expr::BinaryExpr { left: Arc::new(left.clone()), op, right: Arc::new(right.clone()) };
                self.bound(&whole).map_or(UNKNOWN, |(_, inside)| inside)
            }
        }
    }

    /// Rows with one value of a column.
    fn equal(&self, name: &PlSmallStr) -> f64 {
        (self.facts)(name).values.map_or(EQUAL, |values| 1.0 / values.max(1) as f64)
    }

    fn function(&self, input: &[Expr], function: &BooleanFunction) -> f64 {
        match (function, input) {
            (BooleanFunction::Not, [inner]) => 1.0 - self.share(inner),
            (BooleanFunction::IsBetween { .. }, [inner, low, high]) => {
                self.all(&inner.clone().gt_eq(low.clone()).and(inner.clone().lt_eq(high.clone())))
            }
            (BooleanFunction::IsIn { .. }, [inner, list]) => match (as_column(inner), listed(list)) {
                (Some(name), Some(values)) => (values as f64 * self.equal(name)).min(1.0),
                (None, Some(values)) => (values as f64 * EQUAL).min(UNKNOWN),
                _ => UNKNOWN,
            },
            (BooleanFunction::IsNull, _) => EQUAL,
            (BooleanFunction::IsNotNull, _) => 1.0 - EQUAL,
            _ => UNKNOWN,
        }
    }
}

pub(crate) fn flatten<'e>(predicate: &'e Expr, parts: &mut Vec<&'e Expr>) {
    match predicate {
        Expr::BinaryExpr { left, op: Operator::And | Operator::LogicalAnd, right } => {
            flatten(left, parts);
            flatten(right, parts);
        }
        part => parts.push(part),
    }
}

/// How many values a list has that is written out.
fn listed(list: &Expr) -> Option<usize> {
    let Expr::Literal(LiteralValue::Series(series)) = list else { return None };
    match series.dtype() {
        DataType::List(_) => series.list().ok()?.get_as_series(0).map(|values| values.len()),
        _ => Some(series.len()),
    }
}

/// A constant as a number.
fn number(constant: &Expr) -> Option<f64> {
    match constant {
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Int(value))) => Some(*value as f64),
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Float(value))) => Some(*value),
        Expr::Literal(LiteralValue::Scalar(scalar)) => {
            scalar.value().clone().to_physical().extract::<f64>().map(|value| value * unit(scalar.dtype()))
        }
        Expr::Alias(inner, _) => number(inner),
        _ => None,
    }
}

/// How many microseconds one is, of days, times and durations: they are compared whatever they are counted in. Other numbers are what they are.
pub(crate) fn unit(dtype: &DataType) -> f64 {
    match dtype {
        DataType::Date => 86_400e6,
        DataType::Datetime(TimeUnit::Nanoseconds, _) | DataType::Duration(TimeUnit::Nanoseconds) => 1e-3,
        DataType::Datetime(TimeUnit::Milliseconds, _) | DataType::Duration(TimeUnit::Milliseconds) => 1e3,
        _ => 1.0,
    }
}

/// [`Facts::step`] of a type.
pub(crate) fn step(dtype: &DataType) -> f64 {
    if dtype.is_integer() || *dtype == DataType::Date { unit(dtype) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(predicate: Expr) -> f64 {
        let facts = |name: &PlSmallStr| match name.as_str() {
            "k" => Facts { bounds: Some((0.0, 100.0)), step: 0.0, values: Some(50) },
            "d" => Facts { bounds: Some((0.0, 99.0 * 86_400e6)), step: 86_400e6, values: None },
            "year" => Facts { bounds: Some((2023.0, 2024.0)), step: 1.0, values: Some(2) },
            "one" => Facts { bounds: Some((7.0, 7.0)), step: 0.0, values: None },
            "wide" => Facts { bounds: Some((f64::NEG_INFINITY, f64::INFINITY)), step: 0.0, values: None },
            "above" => Facts { bounds: Some((0.0, f64::INFINITY)), step: 0.0, values: None },
            _ => Facts::default(),
        };
        (share(&predicate, &facts) * 1000.0).round() / 1000.0
    }

    #[test]
    fn bounds_of_one_column_are_one_range() {
        let k = || col("k");
        let words = lit(Series::new(PlSmallStr::EMPTY, ["a", "b"]));
        let cases = [
            (k().lt(lit(25)), 0.25),
            (lit(25.0).lt(k()), 0.75),
            (k().gt_eq(lit(40)).and(k().lt(lit(60))), 0.2),
            (k().is_between(lit(40), lit(60), ClosedInterval::Both), 0.2),
            (k().gt(lit(200)), 0.005),
            (k().eq(lit(7)), 0.02),
            (k().neq(lit(7)), 0.98),
            (k().lt(lit(50)).or(k().lt(lit(50))), 0.75),
            (col("t").eq(lit("a")), 0.1),
            (col("t").eq(lit("a")).not(), 0.9),
            (col("t").is_in(words, false), 0.2),
            (col("x").gt(lit(3)), 0.5),
            (col("x").lt(col("y")).and(k().lt(lit(10))), 0.05),
            (col("t").is_null(), 0.1),
            (col("b"), 0.5),
            (col("year").gt_eq(lit(2024)), 0.5),
            (lit(2023).lt(col("year")), 0.5),
            (col("year").lt_eq(lit(2024)), 1.0),
            (col("one").gt_eq(lit(7)).and(col("one").lt_eq(lit(7))), 1.0),
            (col("one").gt(lit(7)), 0.005),
            (col("wide").gt(lit(0.0)), 0.5),
            (col("above").lt(lit(5.0)), 0.5),
            (k().lt(lit(f64::NAN)), 0.5),
        ];
        for (predicate, expected) in cases {
            assert_eq!(of(predicate.clone()), expected, "{predicate}");
        }
    }

    #[test]
    fn days_are_numbers() {
        let day = |day: i32| Expr::Literal(LiteralValue::Scalar(Scalar::new(DataType::Date, AnyValue::Date(day))));
        assert_eq!(of(col("d").lt(day(30))), 0.3);
        let time = |value, unit| lit(Scalar::new_datetime(value, unit, None));
        assert_eq!(of(col("d").lt(time(30 * 86_400_000, TimeUnit::Milliseconds))), 0.3);
        assert_eq!(of(col("d").lt(time(30 * 86_400_000_000_000, TimeUnit::Nanoseconds))), 0.3);
    }
}
