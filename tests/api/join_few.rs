//! Joins of few rows with many: how few is guessed from bounds of columns, and semi and anti joins leave the large side where it is.

use super::check::check_frame;
use partita::polars::prelude::*;
use partita::prelude::{DFrame, Join, ParquetOptions, ParquetWriteOptions, col, lit};

/// Larger than what is handed to all partitions.
const MANY: i64 = 600_000;

fn few() -> DataFrame {
    let keys = [Some(7), None, Some(-1), Some(2 * (MANY - 1)), Some(7), Some(8), Some(2 * MANY), Some(100)];
    df!("k" => keys, "t" => ["a", "b", "c", "d", "e", "f", "g", "h"]).unwrap()
}

/// The even numbers, and a null.
fn many() -> DataFrame {
    let keys = (0..MANY).map(|row| if row == 17 { None } else { Some(2 * row) });
    df!("k" => keys.collect::<Vec<Option<i64>>>()).unwrap()
}

#[test]
fn a_small_left_side_is_marked_by_a_large_right_one() {
    for partitions in [2, 3] {
        let right = DFrame::from_polars(many(), partitions);
        let plan = DFrame::from_polars(few(), 2).join(&right, Join::semi(["k"])).explain();
        assert!(plan.contains("rows met by k"), "{plan}");
        let expected = |kept: &[&str]| {
            few().lazy().filter(col("t").is_in(lit(Series::new("t".into(), [Series::new("t".into(), kept)])), false)).collect()
        };
        let semi = expected(&["d", "f", "h"]).unwrap();
        check_frame(&few(), |left| left.join(&right, Join::semi(["k"])), &semi, true);
        let anti = expected(&["a", "b", "c", "e", "g"]).unwrap();
        check_frame(&few(), |left| left.join(&right, Join::anti(["k"])), &anti, true);
        let anti = expected(&["a", "c", "e", "g"]).unwrap();
        check_frame(&few(), |left| left.join(&right, Join::anti(["k"]).nulls_equal(true)), &anti, true);
    }
}

#[test]
fn bounds_in_footers_say_how_many_rows_a_filter_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers");
    let numbers = df!("k" => (0..10_000i64).collect::<Vec<_>>())
        .unwrap()
        .lazy()
        .with_column(col("k").cast(DataType::Int32).cast(DataType::Date).alias("d"));
    DFrame::from_polars(numbers.collect().unwrap(), 1).to_parquet(&path, ParquetWriteOptions::new()).unwrap();
    let about = |predicate: Expr| {
        let plan = DFrame::read_parquet(&path).unwrap().filter(predicate).explain();
        let line = plan.lines().rfind(|line| line.contains("read_parquet") && line.contains("about")).unwrap().to_owned();
        line.split("about ").nth(1).and_then(|rest| rest.split(' ').next()).and_then(|rows| rows.parse::<u64>().ok()).unwrap()
    };
    for (predicate, rows) in [
        (col("k").lt(lit(1000)), 1000),
        (col("k").gt_eq(lit(2000)).and(col("k").lt(lit(3000))), 1000),
        (col("d").gt_eq(lit("1970-01-01").cast(DataType::Date)).and(col("d").lt(lit("1971-05-16").cast(DataType::Date))), 500),
        (col("k").eq(lit(5)), 50),
    ] {
        let found = about(predicate.clone());
        assert!(found.abs_diff(rows) <= 2, "{predicate}: about {found} rows");
    }
}

/// A reader decodes only the rows that meet some: found by whole rows, by values that the file lists, behind a filter, in partitions without any.
#[test]
fn readers_are_asked_for_the_rows_that_meet_some() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many");
    let rows = 40_000i64;
    let many = df!(
        "k" => (0..rows).map(|row| if row % 101 == 5 { None } else { Some(row * 7 % rows) }).collect::<Vec<_>>(),
        "few" => (0..rows).map(|row| row / 9_000 * 10 + row % 3).collect::<Vec<_>>(),
        "t" => (0..rows).map(|row| format!("text of {}", row % 50)).collect::<Vec<_>>(),
        "x" => (0..rows).map(|row| row as f64 / 4.0).collect::<Vec<_>>(),
    )
    .unwrap();
    DFrame::from_polars(many.clone(), 4).to_parquet(&path, ParquetWriteOptions::new().row_group_rows(3_000)).unwrap();
    let few = df!(
        "k" => [Some(14i64), None, Some(14), Some(39_999), Some(21), Some(-3)],
        "few" => [0i64, 1, 2, 41, 0, 7],
        "y" => [1, 2, 3, 4, 5, 6],
    );
    let few = few.unwrap();
    let after = || col("x").gt(lit(700.5));
    for keys in [vec!["k"], vec!["few"], vec!["k", "few"]] {
        let table = few.select(keys.iter().copied().chain(["y"])).unwrap();
        for filtered in [false, true] {
            let read = DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize("64KiB")).unwrap();
            let (read, polars) = match filtered {
                true => (read.filter(after()), many.clone().lazy().filter(after())),
                false => (read, many.clone().lazy()),
            };
            let on: Vec<Expr> = keys.iter().map(|key| col(*key)).collect();
            for (join, order) in [(Join::inner(keys.as_slice()), vec!["x", "y"]), (Join::semi(keys.as_slice()), vec!["x"])] {
                let sorted = |frame: DataFrame| frame.sort(order.clone(), SortMultipleOptions::new()).unwrap();
                let inner = |table: DataFrame| polars.clone().join(table.lazy(), on.clone(), on.clone(), JoinType::Inner.into());
                let expected = match order.len() {
                    1 => inner(table.select(keys.clone()).unwrap().unique_stable(None, UniqueKeepStrategy::First, None).unwrap()),
                    _ => inner(table.clone()),
                };
                let expected = expected.collect().unwrap();
                let found = read.join(&DFrame::from_polars(table.clone(), 1), join).compute().unwrap();
                assert_eq!(sorted(found), sorted(expected), "{keys:?}, filtered: {filtered}");
            }
        }
    }
}
