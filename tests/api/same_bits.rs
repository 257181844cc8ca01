//! The operations that promise the same bits however rows are cut into partitions: all that docs/results.md names, on random frames.

use std::collections::BTreeSet;

use super::check::check_same_bits;
use super::random_frames::{Row, frame, rows};
use partita::polars::prelude::*;
use partita::polars::series::ops::NullBehavior;
use partita::prelude::{AsOf, DFrame, Join, QuantileMethod, col, len, lit};
use proptest::prelude::{ProptestConfig, proptest};

/// What operations work on, each cut into as many partitions. `g` is `f` without -0.0, which equals 0.0 and may be its group's key or its
/// least value in one partitioning and not in another.
struct Frames {
    t: DFrame,
    other: DFrame,
    /// Lists `i` and `n` of the rows with one `t`.
    lists: DFrame,
    /// Sorted by `d`, without nulls in it.
    timed: DFrame,
}

/// A name of the page, whether the order of rows is promised too, and an operation of that name.
struct Case(&'static str, bool, fn(&Frames) -> DFrame);

const ANY_ORDER: bool = false;
const IN_ORDER: bool = true;

fn all() -> Vec<Case> {
    [of_rows(), of_other_rows(), of_groups(), of_values(), of_two_frames()].into_iter().flatten().collect()
}

fn of_rows() -> Vec<Case> {
    vec![
        Case("filter", IN_ORDER, |f| f.t.filter(col("n").gt(lit(0)).or(col("t").is_null()))),
        Case("select", IN_ORDER, |f| f.t.select([(col("f") * lit(3)).alias("x"), col("t")])),
        Case("with_columns", IN_ORDER, |f| f.t.with_columns([(col("f") / col("i")).alias("x")])),
        Case("rename", IN_ORDER, |f| f.t.rename([("k", "key")])),
        Case("drop", IN_ORDER, |f| f.t.drop(["k", "c"])),
        Case("cast", IN_ORDER, |f| f.t.cast([("n", DataType::Float32)])),
        Case("drop_nulls", IN_ORDER, |f| f.t.drop_nulls()),
        Case("fill_null", IN_ORDER, |f| f.t.fill_null(lit(0))),
        Case("explode", IN_ORDER, |f| f.lists.explode(["i", "n"])),
        Case("repartition", IN_ORDER, |f| f.t.repartition(3)),
        Case("concat", IN_ORDER, |f| DFrame::concat([f.t.clone(), f.other.clone()])),
        Case("slice", IN_ORDER, |f| f.t.slice(-9, 5)),
        Case("slice", IN_ORDER, |f| f.t.slice(3, 11)),
        Case("limit", IN_ORDER, |f| f.t.limit(7)),
        Case("with_row_index", IN_ORDER, |f| f.t.with_row_index("row")),
        Case("sort", IN_ORDER, |f| f.t.sort(["f"])),
        Case("sort", IN_ORDER, |f| f.t.sort_with(["t", "b"], SortMultipleOptions::default().with_order_descending(true))),
        Case("top_k", IN_ORDER, |f| f.t.top_k(5, ["n"])),
        Case("bottom_k", IN_ORDER, |f| f.t.bottom_k(5, ["t", "f"])),
    ]
}

fn of_other_rows() -> Vec<Case> {
    fn within(expr: Expr) -> Expr {
        expr.over([col("t"), col("b")]).expect("keys")
    }
    vec![
        Case("shift", IN_ORDER, |f| f.t.shift(2)),
        Case("diff", IN_ORDER, |f| f.t.select([col("g").diff(lit(2), NullBehavior::Ignore)])),
        Case("forward_fill", IN_ORDER, |f| f.t.forward_fill(Some(2))),
        Case("backward_fill", IN_ORDER, |f| f.t.backward_fill(None)),
        Case("cum_sum", IN_ORDER, |f| f.t.select([col("n").cum_sum(false), col("i").cum_sum(true)])),
        Case("cum_min", IN_ORDER, |f| f.t.select([col("n").cum_min(false), col("d").cum_min(true)])),
        Case("cum_max", IN_ORDER, |f| f.t.select([col("n").cum_max(false), col("d").cum_max(true)])),
        Case("cum_count", IN_ORDER, |f| f.t.select([col("t").cum_count(false), col("f").cum_count(true)])),
        Case("rolling", IN_ORDER, |f| f.t.rolling(3).min_periods(1).select(["n"]).sum()),
        Case("rolling", IN_ORDER, |f| f.t.rolling(4).min_periods(2).center(true).select(["n", "i"]).max()),
        Case("rolling_by", IN_ORDER, |f| f.timed.rolling_by("d", "2500d").select(["n"]).sum()),
        Case("over", IN_ORDER, |f| f.t.select([within(col("n").sum()), within(col("f").first()), within(col("k").shift(lit(1)))])),
        Case("transform", IN_ORDER, |f| f.t.group_by(["k"]).transform([col("g").max().alias("most"), col("t").n_unique().alias("texts")])),
    ]
}

/// Those that add no floats.
fn aggregates() -> Vec<Expr> {
    vec![
        len(),
        col("n").sum(),
        col("i").sum(),
        col("n").null_count().alias("nulls"),
        col("t").count().alias("count"),
        col("t").n_unique().alias("texts"),
        col("g").min().alias("least"),
        col("g").max().alias("most"),
        col("t").min().alias("first text"),
        col("f").first().alias("first"),
        col("c").last().alias("last"),
        col("b").any(true).alias("any"),
        col("b").all(true).alias("all"),
        col("n").median().alias("median"),
        col("g").quantile(lit(0.3), QuantileMethod::Linear).alias("quantile"),
    ]
}

fn of_groups() -> Vec<Case> {
    vec![
        Case("group_by", ANY_ORDER, |f| f.t.group_by(["k"]).agg(aggregates())),
        Case("group_by", ANY_ORDER, |f| f.t.group_by(["d", "b"]).split_out(3).agg(aggregates())),
        Case("group_by", IN_ORDER, |f| f.t.group_by(["k", "b"]).sort(true).agg(aggregates())),
        Case("agg", IN_ORDER, |f| f.t.agg(aggregates())),
        Case("resample", IN_ORDER, |f| f.t.resample("d", "1y").agg(aggregates())),
        Case("pivot_known", ANY_ORDER, |f| f.t.pivot_known(["b"], "t", Series::new("t".into(), ["a", "ab, c"]), "i", |i| i.sum())),
        Case("GroupBy::top_k", ANY_ORDER, |f| f.t.group_by(["t"]).top_k(2, ["n"])),
        Case("GroupBy::top_k", ANY_ORDER, |f| f.t.group_by(["b"]).bottom_k(3, ["f"])),
    ]
}

fn of_values() -> Vec<Case> {
    vec![
        Case("value_counts", IN_ORDER, |f| f.t.value_counts(["t", "b"])),
        Case("mode", IN_ORDER, |f| f.t.mode("k")),
        Case("unique", ANY_ORDER, |f| f.t.select(["f", "b"]).unique()),
        Case("unique_with", ANY_ORDER, |f| f.t.unique_with(["f"], UniqueKeepStrategy::First)),
        Case("unique_with", ANY_ORDER, |f| f.t.unique_with(["t", "n"], UniqueKeepStrategy::Last)),
        Case("unique_with", ANY_ORDER, |f| f.t.unique_with(["k"], UniqueKeepStrategy::None)),
        Case("n_unique", IN_ORDER, |f| f.t.n_unique()),
        Case("shuffle", ANY_ORDER, |f| f.t.shuffle(["t"], 3)),
        Case("unpivot", ANY_ORDER, |f| f.t.unpivot(["n", "f"], ["i"])),
        Case("quantile", IN_ORDER, |f| f.t.select(["n", "g", "i"]).quantile(0.3, QuantileMethod::Linear)),
        Case("median", IN_ORDER, |f| f.t.select(["n", "g", "i"]).median()),
        Case("describe", IN_ORDER, |f| {
            let adds_no_floats = col("statistic").neq(lit("mean")).and(col("statistic").neq(lit("std")));
            f.t.select(["n", "g", "i"]).describe().filter(adds_no_floats)
        }),
    ]
}

fn of_two_frames() -> Vec<Case> {
    vec![
        Case("join", ANY_ORDER, |f| f.t.join(&f.other, Join::inner(["k"]).suffix("_r").broadcast(false))),
        Case("join", ANY_ORDER, |f| f.t.join(&f.other, Join::full(["t", "b"]).suffix("_r").nulls_equal(true))),
        Case("join", IN_ORDER, |f| f.t.join(&f.other, Join::left(["f"]).suffix("_r").broadcast(true))),
        Case("join", ANY_ORDER, |f| f.t.join(&f.other, Join::anti(["d"]).broadcast(false))),
        Case("is_in", IN_ORDER, |f| f.t.is_in(["k"], &f.other.select(["k"]), "there")),
        Case("join_asof", IN_ORDER, |f| f.t.join_asof(&f.other, AsOf::on("d").by(["t"]).suffix("_r"))),
        Case("join_asof", IN_ORDER, |f| f.t.join_asof(&f.other, AsOf::on("f").nearest().suffix("_r"))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn every_partitioning_gives_the_same_bits(left in rows(40), right in rows(20)) {
        // Adding 0.0 would do, and polars leaves it out.
        let one_zero = || when(col("f").eq(lit(0.0))).then(lit(0.0)).otherwise(col("f")).alias("g");
        let of = |rows: &[Row]| frame(rows).lazy().with_columns([one_zero()]).collect().unwrap();
        let (t, other) = (of(&left), of(&right));
        let lists = t.clone().lazy().group_by_stable([col("t")]).agg([col("i"), col("n")]).collect().unwrap();
        let timed = t.clone().lazy().filter(col("d").is_not_null()).sort(["d"], SortMultipleOptions::default()).collect().unwrap();
        let differ = all().into_iter().filter_map(|Case(name, in_order, operation)| {
            let made = |partitions: usize| {
                let cut = |frame: &DataFrame| DFrame::from_polars(frame.clone(), partitions);
                operation(&Frames { t: cut(&t), other: cut(&other), lists: cut(&lists), timed: cut(&timed) })
            };
            check_same_bits(name, made, in_order).err()
        });
        let differ: Vec<String> = differ.collect();
        assert!(differ.is_empty(), "{}", differ.join("\n"));
    }
}

#[test]
fn the_page_names_what_is_checked() {
    let page = include_str!("../../docs/results.md");
    let rows = page.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let named: BTreeSet<&str> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let checked: BTreeSet<&str> = all().iter().map(|case| case.0).collect();
    assert_eq!(named, checked);
}
