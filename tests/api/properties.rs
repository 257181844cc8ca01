//! Random frames, random partitionings, random steps: equal to polars on the whole.

use super::check::{assert_close, executors};
use partita::polars::prelude::*;
use partita::prelude::{DFrame, col, len, lit};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

#[derive(Clone, Debug)]
struct Row(Option<u8>, Option<i16>, Option<f64>, Option<bool>, Option<String>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let float = prop_oneof![any::<i16>().prop_map(|x| f64::from(x) / 8.0), Just(0.0), Just(-0.0)];
    let text = prop_oneof![Just(""), Just("a"), Just("ab, c"), Just("a text of more than twelve bytes"), Just("ü\"\n")];
    let row = (
        proptest::option::of(0u8..5),
        proptest::option::of(any::<i16>()),
        proptest::option::weighted(0.8, float),
        proptest::option::of(any::<bool>()),
        proptest::option::of(text.prop_map(String::from)),
    );
    vec(row.prop_map(|(a, b, c, d, e)| Row(a, b, c, d, e)), 0..60)
}

fn frame(rows: &[Row]) -> DataFrame {
    df!(
        "k" => rows.iter().map(|r| r.0.map(i64::from)).collect::<Vec<_>>(),
        "i" => rows.iter().map(|r| r.1.map(i64::from)).collect::<Vec<_>>(),
        "f" => rows.iter().map(|r| r.2).collect::<Vec<_>>(),
        "b" => rows.iter().map(|r| r.3).collect::<Vec<_>>(),
        "t" => rows.iter().map(|r| r.4.clone()).collect::<Vec<_>>()
    )
    .unwrap()
}

fn aggregates() -> Vec<Expr> {
    vec![
        col("i").sum().alias("sum"),
        col("i").mean().alias("mean"),
        col("f").min().alias("min"),
        col("f").max().alias("max"),
        col("f").var(1).alias("var"),
        col("f").std(0).alias("std"),
        col("t").count().alias("count"),
        col("t").first().alias("first"),
        col("t").last().alias("last"),
        col("b").any(true).alias("any"),
        col("b").all(true).alias("all"),
        col("i").null_count().alias("nulls"),
        len().alias("len"),
        (col("f") * lit(2.0)).sum().alias("twice"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn group_by_equals_polars(rows in rows(), partitions in 1usize..8, split in 1usize..4, two_keys: bool) {
        let whole = frame(&rows);
        let keys: Vec<Expr> = if two_keys { vec![col("k"), col("t").alias("u")] } else { vec![col("k")] };
        let expected = whole.clone().lazy().group_by(keys.clone()).agg(aggregates()).collect().unwrap();
        let ours = DFrame::from_polars(whole, partitions).group_by(keys).split_out(split).agg(aggregates());
        for (name, executor) in executors() {
            assert_close(&ours.compute_on(&*executor).unwrap().frame, &expected, false, &name);
        }
    }

    #[test]
    fn reductions_equal_polars(rows in rows(), partitions in 1usize..8) {
        let whole = frame(&rows);
        let expected = whole.clone().lazy().select(aggregates()).collect().unwrap();
        let ours = DFrame::from_polars(whole, partitions).agg(aggregates());
        for (name, executor) in executors() {
            assert_close(&ours.compute_on(&*executor).unwrap().frame, &expected, true, &name);
        }
    }

    #[test]
    fn rows_equal_polars(rows in rows(), partitions in 1usize..8, again in 1usize..8, bound in any::<i16>()) {
        let whole = frame(&rows);
        let made = || vec![(col("i") + lit(1)).alias("j"), col("t").is_null().alias("n")];
        let kept = || col("j").gt(lit(i64::from(bound))).or(col("n"));
        let expected = whole.clone().lazy().with_columns(made()).filter(kept()).select([col("j"), col("f"), col("t")]).collect().unwrap();
        let ours = DFrame::from_polars(whole, partitions).with_columns(made()).repartition(again).filter(kept()).select(["j", "f", "t"]);
        for (name, executor) in executors() {
            assert_close(&ours.compute_on(&*executor).unwrap().frame, &expected, true, &name);
        }
    }
}
