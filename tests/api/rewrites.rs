//! Rewrites change no row: random chains of steps, planned as a whole, against the same steps each computed by itself.

use super::check::{assert_close, executors};
use super::random_frames::{frame, rows};
use partita::polars::prelude::*;
use partita::prelude::{DFrame, Join, ParquetOptions, ParquetWriteOptions, UniqueKeepStrategy, col, len, lit};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, proptest};

/// The columns that every step takes and gives.
const ALL: [&str; 4] = ["k", "n", "f", "i"];

/// Predicates on one column, on several, on none's value, and on what compares oddly.
fn predicate(which: usize) -> Expr {
    match which % 10 {
        0 => col("k").gt(lit(2)),
        1 => col("n").eq(lit(2)),
        2 => col("f").lt(lit(0.5)).and(col("k").is_not_null()),
        3 => col("i").gt_eq(lit(4)).or(col("k").eq(lit(1))),
        4 => col("k").is_null(),
        5 => col("k").neq_missing(lit(3)),
        6 => col("k").gt(col("n")).and(col("i").lt(lit(15))),
        7 => (col("k") + col("n")).lt(lit(6)),
        8 => col("k").eq(lit(1)).not().and(col("n").is_not_null()).and(col("f").gt(lit(-1.0))),
        _ => lit(true),
    }
}

/// A step of a chain; `other` is a frame with a column `y` beside the others. Steps that leave the order of rows open are followed by a sort,
/// because later steps may take the first rows.
fn step(t: &DFrame, other: &DFrame, which: u8, with: usize) -> DFrame {
    let joined = |join: Join| t.join(&other.select(["k", "y"]), join);
    let filtered = |joined: DFrame| joined.filter(predicate(with)).filter(col("y").gt(lit(3))).select(ALL);
    match which {
        0..=3 => t.filter(predicate(with)),
        4 => t.with_columns([(col("k") + lit(1)).alias("k"), (col("f") * lit(2.0)).alias("f")]),
        5 => t.select([col("n").cast(DataType::Int64).alias("k"), col("k").alias("n"), col("f"), col("i")]).cast([("n", DataType::Int64)]),
        6 => t.limit(with + 1),
        7 => t.slice(with as i64 - 3, with + 2),
        8 => t.sort([col("k"), col("i")]),
        9 => t.top_k(with + 1, [col("f"), col("i")]),
        10 => t.unique_with(["k"], UniqueKeepStrategy::First).sort(ALL),
        11 => t.group_by(["k", "n"]).agg([col("f").min(), col("i").max()]),
        12 => joined(Join::inner(["k"])).filter(predicate(with)).select(ALL),
        13 => filtered(joined(Join::left(["k"]))),
        14 => joined(Join::left(["k"])).filter(predicate(with)).select(ALL),
        15 => filtered(joined(Join::right(["k"]))),
        16 => joined(Join::right(["k"])).filter(predicate(with)).select(ALL),
        17 => joined(Join::full(["k"])).filter(predicate(with)).select(ALL).sort(ALL),
        18 => joined(Join::full(["k"]).nulls_equal(true)).filter(predicate(with)).select(ALL).sort(ALL),
        19 => joined(Join::semi(["k"])).filter(predicate(with)),
        20 => joined(Join::anti(["k"])).filter(predicate(with)),
        21 => DFrame::concat([t.filter(predicate(with)), t.select(ALL)]),
        22 => DFrame::concat([t.limit(with), t.filter(predicate(with))]).limit(with + 2),
        23 => t.shuffle(["k"], 3),
        24 => {
            let totals = t.filter(predicate(with)).group_by(["k"]).agg([len().alias("rows")]);
            t.join(&totals, Join::left(["k"]).nulls_equal(true)).filter(col("rows").gt(lit(1))).select(ALL)
        }
        25 => t.repartition(2).filter(predicate(with)),
        _ => t.sort([col("f"), col("i")]).select([col("k"), col("n"), (col("f") + lit(1.0)).alias("f"), col("i")]).limit(with + 3),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn steps_planned_together_give_what_they_give_one_by_one(
        given in rows(24), others in rows(12), cut in 1usize..5, from_files: bool, steps in vec((0u8..27, 0usize..10), 1..6),
    ) {
        let pick = |rows| frame(rows).lazy().select([col("k"), col("n").cast(DataType::Int64), col("f"), col("i")]).collect().unwrap();
        let given = pick(&given);
        let other = pick(&others).lazy().with_column(col("i").alias("y")).collect().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let source = |frame: &DataFrame, name: &str| {
            let made = DFrame::from_polars(frame.clone(), cut);
            if !from_files || frame.height() == 0 {
                return made;
            }
            let path = folder.path().join(name);
            made.to_parquet(&path, ParquetWriteOptions::new().row_group_rows(3)).unwrap();
            DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(400u64)).unwrap()
        };
        let (mut whole, mut expected) = (source(&given, "t"), given);
        let lazy_other = source(&other, "other");
        for (which, with) in &steps {
            whole = step(&whole, &lazy_other, *which, *with);
            let alone = DFrame::from_polars(expected, 1);
            expected = step(&alone, &DFrame::from_polars(other.clone(), 1), *which, *with).compute().unwrap();
        }
        for (name, executor) in executors().into_iter().take(3) {
            let found = whole.compute_on(&*executor).unwrap_or_else(|e| panic!("{name}: {e}\n{}", whole.explain())).frame;
            assert_close(&found, &expected, true, &format!("{name}, {steps:?}\n{}", whole.explain()));
        }
    }
}
