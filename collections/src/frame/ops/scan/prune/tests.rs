//! Predicates against bounds of pieces.

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
        compared("k", prop_oneof![6 => (-5i64..8).prop_map(lit), 1 => Just(lit(NULL).cast(DataType::Int64)), 1 => float().prop_map(lit)]),
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
