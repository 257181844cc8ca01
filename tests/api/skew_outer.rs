//! Joins that keep rows which meet nobody, where most rows of the side whose rows may be missing have one key: these are dealt out all the
//! same, and a row that was sent to several partitions and meets nobody is in the result once.

use super::check::{assert_close, check_frame, executors};
use partita::polars::prelude::*;
use partita::prelude::{Client, DFrame, Join, JoinValidation};

/// Nine of ten rows have the key 7; some keys are null, some are on this side only.
fn skewed(rows: i64) -> DataFrame {
    let key = |row: i64| match row % 10 {
        0 if row % 40 == 0 => None,
        0 => Some(row),
        _ => Some(7),
    };
    df!("k" => (0..rows).map(key).collect::<Vec<_>>(), "x" => (0..rows).collect::<Vec<_>>()).unwrap()
}

/// Keys that are there twice, some of them on this side only, and two nulls; with 7 or without it.
fn keys(rows: i64, seven: bool) -> DataFrame {
    let mut keys: Vec<Option<i64>> = (0..rows).map(|row| Some(row / 2 * 30)).collect();
    keys.extend([None, None]);
    keys.extend(seven.then_some(Some(7)));
    df!("k" => keys.clone(), "y" => (0..keys.len() as i64).collect::<Vec<_>>()).unwrap()
}

fn outer() -> [Join; 3] {
    [Join::left(["k"]), Join::right(["k"]), Join::full(["k"])].map(|join| join.broadcast(false))
}

#[test]
fn rows_that_meet_nobody_come_once() {
    let whole = |frame: &DataFrame| DFrame::from_polars(frame.clone(), 1);
    for seven in [true, false] {
        let (large, small) = (skewed(400), keys(60, seven));
        for join in outer() {
            let other = DFrame::from_polars(small.clone(), 3);
            let expected = whole(&large).join(&whole(&small), join.clone()).compute().unwrap();
            check_frame(&large, |large| large.join(&other, join.clone()), &expected, false);
            let other = DFrame::from_polars(large.clone(), 4);
            let expected = whole(&small).join(&whole(&large), join.clone()).compute().unwrap();
            check_frame(&small, |small| small.join(&other, join.clone()), &expected, false);
        }
    }
}

/// Numbers of other widths are the same keys.
#[test]
fn keys_of_two_types() {
    let (large, small) = (skewed(400), keys(60, true).lazy().with_columns([col("k").cast(DataType::Int32)]).collect().unwrap());
    let [_, _, full] = outer();
    let whole = DFrame::from_polars(large.clone(), 1).join(&DFrame::from_polars(small.clone(), 1), full.clone()).compute().unwrap();
    let joined = DFrame::from_polars(large, 4).join(&DFrame::from_polars(small, 3), full);
    for (name, executor) in executors() {
        assert_close(&joined.compute_on(&*executor).unwrap().frame, &whole, false, &name);
    }
}

#[test]
fn no_partition_gets_all_rows_of_a_key() {
    let (large, small) = (DFrame::from_polars(skewed(20_000), 8), DFrame::from_polars(keys(60, true), 8));
    let [left, right, full] = outer();
    for (name, joined) in [
        ("right of left", small.join(&large, left)),
        ("left of right", large.join(&small, right)),
        ("left of full", large.join(&small, full.clone())),
        ("right of full", small.join(&large, full)),
    ] {
        assert!(joined.explain().contains("frequent keys dealt out"), "{name}\n{}", joined.explain());
        let heights: Vec<u64> = (0..joined.npartitions().unwrap()).map(|at| joined.partitions([at]).len().unwrap()).collect();
        let (all, most) = (heights.iter().sum::<u64>(), heights.iter().max().copied().unwrap());
        assert!(heights.len() >= 8 && most * (heights.len() as u64) < all * 3 / 2, "{name}: {heights:?}");
    }
}

#[test]
fn what_is_not_dealt_out_is_told() {
    let client = Client::builder().threads(2).set_as_default(false).build().unwrap();
    let (large, small) = (DFrame::from_polars(skewed(4000), 4), DFrame::from_polars(keys(60, true), 4));
    let told = |joined: DFrame| client.run(&joined).unwrap().notes.join("; ");
    let full = || Join::full(["k"]).broadcast(false);
    assert!(told(large.join(&small, full().nulls_equal(true))).contains("left frame of the full join on k"));
    assert!(told(small.join(&large, Join::semi(["k"]).broadcast(false))).contains("right frame of the semi join on k"));
    assert_eq!(told(large.join(&small, full())), "");
    let once = small.unique_with(["k"], UniqueKeepStrategy::First);
    assert_eq!(told(once.join(&large, full().validate(JoinValidation::OneToMany))), "");
}
