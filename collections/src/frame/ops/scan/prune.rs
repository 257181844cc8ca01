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
                let (above, below) = match closed {
                    ClosedInterval::Both => (Operator::GtEq, Operator::LtEq),
                    ClosedInterval::Left => (Operator::GtEq, Operator::Lt),
                    ClosedInterval::Right => (Operator::Gt, Operator::LtEq),
                    ClosedInterval::None => (Operator::Gt, Operator::Lt),
                };
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

/// `a op b` as `b op' a`.
fn mirrored(op: Operator) -> Operator {
    match op {
        Operator::Lt => Operator::Gt,
        Operator::LtEq => Operator::GtEq,
        Operator::Gt => Operator::Lt,
        Operator::GtEq => Operator::LtEq,
        other => other,
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
mod tests {
    use std::ops::Range;

    use partita_io::{Piece, Recipe};
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_oneof, proptest};

    use super::*;

    /// Pieces whose bounds are exact, of floats without NaN; of some nothing is told.
    struct Known {
        schema: SchemaRef,
        pieces: Vec<DataFrame>,
        told: Vec<bool>,
    }

    impl Known {
        fn bounds(&self, name: &str, of: fn(&Series) -> PolarsResult<Scalar>) -> Series {
            let dtype = self.schema.get(name).unwrap();
            let bound = |(piece, told): (&DataFrame, &bool)| {
                let values = piece.column(name).unwrap().as_materialized_series();
                let numbers = if dtype.is_float() { values.filter(&values.is_not_nan().unwrap()).unwrap() } else { values.clone() };
                if *told { of(&numbers).unwrap().as_any_value().into_static() } else { AnyValue::Null }
            };
            let bounds: Vec<AnyValue<'static>> = self.pieces.iter().zip(&self.told).map(bound).collect();
            Series::from_any_values_and_dtype(PlSmallStr::EMPTY, &bounds, dtype, true).unwrap()
        }

        /// The pieces in which rows pass.
        fn needed(&self, predicate: &Expr) -> Vec<u32> {
            let passes = |piece: &DataFrame| piece.clone().lazy().filter(predicate.clone()).collect().unwrap().height() > 0;
            (0u32..).zip(&self.pieces).filter(|(_, piece)| passes(piece)).map(|(number, _)| number).collect()
        }

        /// The pieces that are read.
        fn read(&self, predicate: &Expr) -> Vec<u32> {
            let all: Arc<[Vec<u32>]> = (0..self.pieces.len() as u32).map(|piece| vec![piece]).collect();
            prune(&all, predicate, self).concat()
        }
    }

    impl FileTable for Known {
        fn format(&self) -> &'static str {
            "known"
        }

        fn schema(&self) -> &SchemaRef {
            &self.schema
        }

        fn files(&self) -> Vec<&str> {
            Vec::new()
        }

        fn partitions(&self) -> &[Range<u32>] {
            &[]
        }

        fn rows(&self, piece: u32) -> Option<u64> {
            Some(self.pieces[piece as usize].height() as u64)
        }

        fn bytes(&self, _: u32) -> u64 {
            0
        }

        fn statistics(&self, columns: &[PlSmallStr]) -> DataFrame {
            let rows: Vec<u64> = self.pieces.iter().map(|piece| piece.height() as u64).collect();
            let mut all = vec![Column::new(ROWS.into(), rows)];
            for name in columns {
                let missing = self.pieces.iter().zip(&self.told).map(|(piece, told)| {
                    let nulls = piece.column(name).unwrap().null_count() as u64;
                    told.then_some(nulls)
                });
                all.push(Column::new(nulls(name).into(), missing.collect::<Vec<_>>()));
                all.push(self.bounds(name, |values| values.min_reduce()).with_name(least(name).into()).into_column());
                all.push(self.bounds(name, |values| values.max_reduce()).with_name(greatest(name).into()).into_column());
            }
            DataFrame::new(self.pieces.len(), all).unwrap()
        }

        fn cheapest(&self) -> PlSmallStr {
            PlSmallStr::EMPTY
        }

        fn recipe(&self, _: &[PlSmallStr]) -> Recipe {
            unreachable!("nothing is read here")
        }

        fn piece(&self, _: u32, _: &[PlSmallStr]) -> Piece {
            unreachable!("nothing is read here")
        }
    }

    type Row = (Option<i64>, Option<f64>, Option<&'static str>, Option<bool>, Option<i32>);

    fn known(pieces: &[(Vec<Row>, bool)]) -> Known {
        let frame = |rows: &Vec<Row>| {
            let frame = df!(
                "k" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
                "f" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
                "t" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
                "b" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
                "d" => rows.iter().map(|row| row.4).collect::<Vec<_>>()
            );
            frame.unwrap().lazy().with_column(col("d").cast(DataType::Date)).collect().unwrap()
        };
        let frames: Vec<DataFrame> = pieces.iter().map(|(rows, _)| frame(rows)).collect();
        let schema = frame(&Vec::new()).schema().clone();
        Known { schema, pieces: frames, told: pieces.iter().map(|(_, told)| *told).collect() }
    }

    fn float() -> impl Strategy<Value = f64> {
        prop_oneof![4 => (-4i8..4).prop_map(|x| f64::from(x) / 2.0), 1 => Just(f64::NAN), 1 => Just(-0.0), 1 => Just(f64::INFINITY)]
    }

    fn text() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just(""), Just("a"), Just("ab"), Just("b")]
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (
            option::weighted(0.8, -3i64..6),
            option::weighted(0.8, float()),
            option::weighted(0.8, text()),
            option::weighted(0.8, any::<bool>()),
            option::weighted(0.8, 0i32..5),
        );
        vec(row, 0..4)
    }

    fn compared(column: &'static str, value: impl Strategy<Value = Expr>) -> impl Strategy<Value = Expr> {
        let all = [
            Operator::Eq,
            Operator::NotEq,
            Operator::Lt,
            Operator::LtEq,
            Operator::Gt,
            Operator::GtEq,
            Operator::EqValidity,
            Operator::NotEqValidity,
        ];
        (0..all.len(), any::<bool>(), value).prop_map(move |(op, swapped, value)| {
            let (left, right) = if swapped { (value, col(column)) } else { (col(column), value) };
            Expr::BinaryExpr { left: Arc::new(left), op: all[op], right: Arc::new(right) }
        })
    }

    fn listed(column: &'static str, values: Series, nulls_equal: bool) -> Expr {
        col(column).is_in(lit(Series::new(PlSmallStr::EMPTY, [values])), nulls_equal)
    }

    fn leaf() -> impl Strategy<Value = Expr> {
        let closed =
            prop_oneof![Just(ClosedInterval::Both), Just(ClosedInterval::Left), Just(ClosedInterval::Right), Just(ClosedInterval::None)];
        let name = prop_oneof![Just("k"), Just("f"), Just("t"), Just("b"), Just("d")];
        let integers = (vec(option::weighted(0.9, -5i64..8), 1..4), any::<bool>());
        let floats = (vec(option::weighted(0.9, float()), 1..4), any::<bool>());
        prop_oneof![
            compared(
                "k",
                prop_oneof![6 => (-5i64..8).prop_map(lit), 1 => Just(lit(NULL).cast(DataType::Int64)), 1 => float().prop_map(lit)]
            ),
            compared("f", prop_oneof![float().prop_map(lit), (-2i32..3).prop_map(lit)]),
            compared("t", text().prop_map(lit)),
            compared("d", (0i32..5).prop_map(|day| lit(day).cast(DataType::Date))),
            any::<bool>().prop_map(|value| col("b").eq(lit(value))),
            Just(col("b")),
            name.clone().prop_map(|name| col(name).is_null()),
            name.prop_map(|name| col(name).is_not_null()),
            (-5i64..8, -5i64..8, closed.clone()).prop_map(|(low, high, closed)| col("k").is_between(lit(low), lit(high), closed)),
            (float(), float(), closed).prop_map(|(low, high, closed)| col("f").is_between(lit(low), lit(high), closed)),
            integers.prop_map(|(values, nulls_equal)| listed("k", Series::new(PlSmallStr::EMPTY, values), nulls_equal)),
            floats.prop_map(|(values, nulls_equal)| listed("f", Series::new(PlSmallStr::EMPTY, values), nulls_equal)),
            Just((col("k") + lit(1)).gt(lit(3))),
        ]
    }

    fn predicate() -> impl Strategy<Value = Expr> {
        leaf().prop_recursive(4, 12, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(left, right)| left.and(right)),
                (inner.clone(), inner.clone()).prop_map(|(left, right)| left.or(right)),
                inner.prop_map(Expr::not),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn no_row_that_passes_is_left_out(pieces in vec((rows(), any::<bool>()), 1..6), predicate in predicate()) {
            let table = known(&pieces);
            let read = table.read(&predicate);
            prop_assert!(table.needed(&predicate).iter().all(|piece| read.contains(piece)), "{predicate} reads {read:?}");
        }
    }

    #[test]
    fn pieces_in_which_no_row_can_pass_are_left_out() {
        let row = |k: Option<i64>, f: f64, t: &'static str, b: bool| (k, Some(f), Some(t), Some(b), k.map(|k| k as i32));
        let table = known(&[
            (vec![row(Some(0), 0.5, "a", true), row(Some(2), 1.5, "b", true)], true),
            (vec![row(Some(3), f64::NAN, "c", true), row(Some(5), 2.0, "d", false)], true),
            (vec![row(Some(6), 9.0, "e", false), row(None, 9.5, "f", false)], true),
            (vec![row(None, f64::NAN, "a", true)], true),
        ]);
        let k = || col("k");
        let list = |values: &[i64]| listed("k", Series::new(PlSmallStr::EMPTY, values), false);
        let long: Vec<i64> = (6..6 + 2 * LISTED as i64).collect();
        let cases: [(Expr, &[u32]); 22] = [
            (k().gt(lit(5)), &[2]),
            (k().gt_eq(lit(5)), &[1, 2]),
            (lit(2).gt(k()), &[0]),
            (k().eq(lit(4)), &[1]),
            (k().neq(lit(4)), &[0, 1, 2]),
            (k().lt(lit(3)).not(), &[1, 2]),
            (k().lt(lit(3)).or(k().gt(lit(5))), &[0, 2]),
            (k().lt(lit(3)).and(k().gt(lit(5))), &[]),
            (k().lt(lit(3)).or(k().gt(lit(5))).not(), &[1]),
            (k().is_between(lit(3), lit(5), ClosedInterval::None), &[1]),
            (k().is_between(lit(0), lit(3), ClosedInterval::Left), &[0]),
            (k().is_between(lit(0), lit(5), ClosedInterval::Both).not(), &[2]),
            (list(&[1, 6]), &[0, 2]),
            (listed("k", Series::new(PlSmallStr::EMPTY, &long), false), &[2]),
            (k().is_null(), &[2, 3]),
            (k().is_not_null(), &[0, 1, 2]),
            // NaN is greater than any number, and no bound tells of it.
            (col("f").gt(lit(3.0)), &[0, 1, 2, 3]),
            (col("f").lt(lit(1.0)), &[0, 3]),
            (col("t").eq(lit("a")), &[0, 3]),
            (col("b"), &[0, 1, 3]),
            (col("b").not(), &[1, 2]),
            (col("d").eq(lit(4).cast(DataType::Date)).and(col("f").gt(lit(3.0))), &[1]),
        ];
        for (predicate, expected) in cases {
            assert_eq!(table.read(&predicate), expected, "{predicate}");
        }
    }
}
