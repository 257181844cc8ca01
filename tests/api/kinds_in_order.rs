//! All kinds of columns in what knows an order of rows: sorts, neighbours, windows, slices, frames below each other.

use super::check::executors;
use super::kinds::{random_kinds, rows_of_any};
use partita::DFrame;
use partita::polars::prelude::*;
use partita::polars::series::ops::NullBehavior;
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, any, prop_oneof, proptest};

/// Kinds before this one have an order: those after it are lists, pairs and structs, which polars does not sort by.
const ORDERED: usize = 26;
/// Kinds before this one have differences: numbers, dates, times.
const DISTANT: usize = 21;

/// Whether a window may add up, or compare, the values of a kind: whole numbers of at most 64 bits.
fn is_whole(kind: usize) -> bool {
    kind != 4 && kind < 9
}

fn window() -> RollingOptionsFixedWindow {
    RollingOptionsFixedWindow { window_size: 3, min_periods: 2, weights: None, center: false, fn_params: None }
}

/// Every column of its kind under `expr`.
fn each(expr: impl Fn(Expr) -> Expr) -> Vec<Expr> {
    (0..29).map(|kind| expr(col(format!("c{kind}")))).collect()
}

/// What the rows of a kind become of a look at others, in the order of the frame.
fn looks(kind: usize, by: i64, limit: u32) -> Vec<(&'static str, Vec<Expr>)> {
    let own = || col(format!("c{kind}"));
    let over = |expr: Expr, key: Expr| expr.over([key]).expect("a key");
    let odd = || col("row") % lit(2);
    let mut looks = vec![
        ("shift", each(|x| x.shift(lit(by)))),
        ("forward", each(|x| x.fill_null_with_strategy(FillNullStrategy::Forward(Some(limit))))),
        ("backward", each(|x| x.fill_null_with_strategy(FillNullStrategy::Backward(None)))),
        ("windows of a kind", vec![over(col("row").sum(), own()), over(col("row").shift(lit(1)), own()).alias("before")]),
        ("a kind in windows", vec![over(own().first(), odd()), over(own().count(), odd()).alias("count")]),
    ];
    if kind < DISTANT {
        looks.push(("diff", vec![own().diff(lit(by), NullBehavior::Ignore)]));
    }
    if is_whole(kind) {
        looks.push(("rolling", vec![own().rolling_max(window()), own().rolling_sum(window()).alias("sum")]));
    }
    looks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn every_kind_in_order_like_polars(
        rows in vec(prop_oneof![1 => Just(7u64), 5 => any::<u64>()], 0..24), partitions in 1usize..7, bound in 0i64..12, kind in 0usize..29,
        by in -3i64..4, limit in 1u32..3, offset in -20i64..20, length in 0u32..12, down: bool, last: bool,
    ) {
        let whole = random_kinds(&rows);
        // Some partitions lose all rows.
        let frame = DFrame::from_polars(whole.clone(), partitions).filter(col("row").gt_eq(lit(bound)));
        let left = whole.lazy().filter(col("row").gt_eq(lit(bound)));
        let key = format!("c{kind}");
        let twice = concat([left.clone(), left.clone()], UnionArgs::default()).unwrap();
        let mut cases = vec![
            ("slice", frame.slice(offset, length as usize), left.clone().slice(offset, length)),
            ("concat", DFrame::concat([frame.clone(), frame.clone()]), twice),
        ];
        if kind < ORDERED {
            let options = SortMultipleOptions::default().with_order_descending(down).with_nulls_last(last).with_maintain_order(true);
            let sorted = left.clone().sort_by_exprs([col(&key), col("row")], options.clone());
            cases.push(("sort", frame.sort_with([key.as_str(), "row"], options), sorted));
        }
        cases.extend(looks(kind, by, limit).into_iter().map(|(case, exprs)| (case, frame.select(exprs.clone()), left.clone().select(exprs))));
        for (case, ours, expected) in cases {
            let expected = expected.collect().unwrap_or_else(|e| panic!("{case} of {key}: polars: {e}"));
            for (name, executor) in executors().into_iter().take(3) {
                let found = ours.compute_on(&*executor).unwrap_or_else(|e| panic!("{case} of {key}, {name}: {e}")).frame;
                assert_eq!(found.schema(), expected.schema(), "{case} of {key}, {name}");
                assert_eq!(rows_of_any(&found, true), rows_of_any(&expected, true), "{case} of {key}, {name}");
            }
        }
    }
}
