//! Joins in which one key has most of the rows: no partition gets them all, and every pair meets once.

use super::check::{assert_close, check_frame, executors};
use partita::polars::prelude::*;
use partita::prelude::{DFrame, Join, JoinValidation, ParquetOptions, ParquetWriteOptions, col, lit};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

/// Nine of ten rows have the key 7; some keys are null, some are on this side only.
fn skewed(rows: i64) -> DataFrame {
    let key = |i: i64| match i % 20 {
        0 => Some(i),
        1 if i % 40 == 1 => None,
        1 => Some(-i),
        _ => Some(7),
    };
    df!("k" => (0..rows).map(key).collect::<Vec<_>>(), "x" => (0..rows).collect::<Vec<_>>()).unwrap()
}

/// Each key of the other side once, 7 three times, a null, and keys that only this side has.
fn keys(rows: i64) -> DataFrame {
    let mut keys: Vec<Option<i64>> = (0..rows / 20).map(|i| Some(i * 20)).collect();
    keys.extend([Some(7), None, Some(7), Some(1_000_001), Some(7)]);
    let y: Vec<i64> = (0..keys.len() as i64).collect();
    df!("k" => keys, "y" => y).unwrap()
}

fn kinds() -> Vec<Join> {
    let plain = [Join::inner(["k"]), Join::left(["k"]), Join::right(["k"]), Join::full(["k"]), Join::semi(["k"]), Join::anti(["k"])];
    plain.into_iter().flat_map(|join| [join.clone(), join.nulls_equal(true)]).collect()
}

#[test]
fn every_pair_meets_once() {
    let (left, right) = (skewed(400), keys(400));
    for join in kinds() {
        let whole = |a: &DataFrame, b: &DataFrame| DFrame::from_polars(a.clone(), 1).join(&DFrame::from_polars(b.clone(), 1), join.clone());
        let shuffled = join.clone().broadcast(false);
        // By the sample that is at hand, and by what the tasks find.
        let (near, far) = (DFrame::from_polars(right.clone(), 3), DFrame::from_polars(right.clone(), 2).repartition(3));
        let expected = whole(&left, &right).compute().unwrap();
        check_frame(&left, |left| left.join(&near, shuffled.clone()), &expected, false);
        check_frame(&left, |left| left.repartition(4).join(&far, shuffled.clone()), &expected, false);
        // The other way round.
        let expected = whole(&right, &left).compute().unwrap();
        let (near, far) = (DFrame::from_polars(left.clone(), 3), DFrame::from_polars(left.clone(), 2).repartition(3));
        check_frame(&right, |right| right.join(&near, shuffled.clone()), &expected, false);
        check_frame(&right, |right| right.repartition(4).join(&far, shuffled.clone()), &expected, false);
    }
}

/// Rows of each partition.
fn heights(frame: &DFrame) -> Vec<u64> {
    (0..frame.npartitions().unwrap()).map(|at| frame.partitions([at]).len().unwrap()).collect()
}

#[test]
fn no_partition_gets_all_rows_of_a_key() {
    const ROWS: i64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    DFrame::from_polars(skewed(ROWS), 8).to_parquet(&path, ParquetWriteOptions::new()).unwrap();
    // Of the one there is a sample, of the other only the tasks know.
    let given = DFrame::from_polars(skewed(ROWS), 8);
    let read = DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(1000u64)).unwrap();
    let other = DFrame::from_polars(keys(ROWS), 8);
    for t in [given, read] {
        for join in [Join::inner(["k"]), Join::left(["k"]), Join::semi(["k"])] {
            let joined = t.join(&other, join.clone().broadcast(false));
            assert!(joined.explain().contains("frequent keys dealt out"), "{}", joined.explain());
            let heights = heights(&joined);
            let (all, most) = (heights.iter().sum::<u64>(), heights.iter().max().copied().unwrap());
            assert_eq!(all, t.join(&other, join.broadcast(true)).len().unwrap());
            assert!(heights.len() >= 8 && most * (heights.len() as u64) < all * 3 / 2, "{heights:?}");
        }
    }
    // The larger side is the right one.
    let joined = other.join(&DFrame::from_polars(skewed(ROWS), 8), Join::inner(["k"]).broadcast(false));
    assert!(heights(&joined).iter().max().unwrap() * 8 < joined.len().unwrap() * 3 / 2, "{:?}", heights(&joined));
}

#[test]
fn what_may_not_be_dealt_out_is_not() {
    let (t, other) = (DFrame::from_polars(skewed(2000), 4), DFrame::from_polars(keys(2000), 4));
    let dealt = |left: &DFrame, right: &DFrame, join: Join| left.join(right, join.broadcast(false)).explain().contains("dealt out");
    assert!(dealt(&t, &other, Join::inner(["k"])) && dealt(&other, &t, Join::right(["k"])));
    // Rows that left it would be known of no single partition that they meet nobody; where rows are kept for that, `skew_outer.rs`.
    assert!(!dealt(&other, &t, Join::anti(["k"])) && !dealt(&t, &other, Join::full(["k"]).nulls_equal(true)));
    // Keys that must be unique come together, so that it is seen when they are not.
    assert!(!dealt(&t, &other, Join::inner(["k"]).validate(JoinValidation::OneToMany)));
    // Keys of which each has few rows stay in one partition each.
    let even = DFrame::from_polars(df!("k" => (0..2000i64).collect::<Vec<_>>(), "x" => (0..2000i64).collect::<Vec<_>>()).unwrap(), 4);
    assert!(!dealt(&even, &other, Join::inner(["k"])) && !dealt(&even.filter(col("x").gt(lit(3))), &other, Join::left(["k"])));
    let once = t.join(&other, Join::inner(["k"]).validate(JoinValidation::OneToMany).broadcast(false));
    for (name, executor) in executors() {
        assert!(once.compute_on(&*executor).is_err(), "{name}");
    }
}

#[test]
fn keys_that_fill_one_partition_alone_are_not_sent_to_all() {
    // Sorted by the key, so that each partition has two keys and nobody else has them.
    let keys = |each: i64| (0..16 * each).map(|i| i / each).collect::<Vec<i64>>();
    let sorted = DFrame::from_polars(df!("k" => keys(500)).unwrap(), 2).repartition(8);
    let other = DFrame::from_polars(df!("k" => keys(100), "y" => keys(100)).unwrap(), 4);
    let joined = sorted.join(&other, Join::inner(["k"]).broadcast(false));
    let told = joined.explain_analyze().unwrap();
    let words: Vec<&str> = told.lines().find(|line| line.contains("frequent keys to all")).unwrap().split(' ').collect();
    let sent: u64 = words[words.iter().position(|word| word.starts_with("rows")).unwrap() - 1].parse().unwrap();
    assert!(sent <= 3 * 1600, "{told}");
    assert_eq!(joined.len().unwrap(), 16 * 500 * 100);
}

/// Rows of which that many in a hundred have the key 7, wherever they lie; the others have one of forty keys, or none.
fn random(rows: &[u32], heavy: u32) -> DataFrame {
    let key = |row: &u32| match row % 100 < heavy {
        true => Some(7i64),
        false if (row / 100).is_multiple_of(11) => None,
        false => Some(i64::from(row / 100 % 40)),
    };
    df!("k" => rows.iter().map(key).collect::<Vec<_>>(), "x" => (0..rows.len() as i64).collect::<Vec<_>>()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Enough rows that tasks find frequent keys by themselves, in partitions of any number.
    #[test]
    fn random_skew_changes_no_row(
        left in vec(any::<u32>(), 200..800), right in vec(any::<u32>(), 20..90), heavy in 60u32..96, turned: bool, known: bool, kind in 0usize..12,
        cut in 2usize..7, other_cut in 1usize..5,
    ) {
        let (large, small) = (random(&left, heavy), random(&right, 10).lazy().rename(["x"], ["y"], true).collect().unwrap());
        // With a sample of its rows at hand, and without one, because what a shuffle by another column gives has none.
        let whole = |frame: &DataFrame| DFrame::from_polars(frame.clone(), 1);
        let large_cut = match known {
            true => DFrame::from_polars(large.clone(), cut),
            false => DFrame::from_polars(large.clone(), cut).shuffle(["x"], cut),
        };
        let small_cut = DFrame::from_polars(small.clone(), other_cut);
        let join = kinds().swap_remove(kind);
        let joined = |large: &DFrame, small: &DFrame, join: Join| match turned {
            true => small.join(large, join),
            false => large.join(small, join),
        };
        let expected = joined(&whole(&large), &whole(&small), join.clone()).compute().unwrap();
        let ours = joined(&large_cut, &small_cut, join.broadcast(false));
        // Which side may be dealt out is not known here, but of an inner join with a sample it is the large one.
        if known && kind < 2 {
            assert!(ours.explain().contains("frequent keys dealt out"), "{}", ours.explain());
        }
        for (name, executor) in executors().into_iter().take(3) {
            assert_close(&ours.compute_on(&*executor).unwrap_or_else(|e| panic!("{name}: {e}")).frame, &expected, false, &name);
        }
    }
}
