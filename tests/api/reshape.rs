//! Other shapes of the same values: lists as rows, columns below each other, values as columns, windows of time.

use super::check::{assert_close, check, check_frame, check_in_order, executors, failure, table};
use super::random_frames::{frame, rows};
use partita::polars::prelude::*;
use partita::prelude::{DFrame, col, len, lit};
use partita::{Aggregation, Code};
use proptest::prelude::{ProptestConfig, proptest};

const KOX: &str = "k,on,x
    a,p,1
    b,q,2
    a,q,3
    a,p,4
    c,,5
    ,p,";

fn lists() -> DataFrame {
    let flat = df!("k" => ["a", "b", "a", "c", "b"], "x" => [1i64, 2, 3, 4, 5], "y" => ["p", "q", "r", "s", "t"]).unwrap();
    flat.lazy().group_by_stable([col("k")]).agg([col("x"), col("y")]).collect().unwrap()
}

#[test]
fn frames_with_other_columns_one_below_the_other() {
    let second = df!("y" => [0.5, 1.5], "k" => ["c", "d"]).unwrap();
    let expected = df!("k" => ["a", "b", "c", "d"], "x" => [Some(1i64), Some(2), None, None], "y" => [None, None, Some(0.5), Some(1.5)]);
    let both = |t: &DFrame| DFrame::concat_diagonal([t.clone(), DFrame::from_polars(second.clone(), 2)]);
    let first = df!("k" => ["a", "b"], "x" => [1i64, 2]).unwrap();
    check_frame(&first, both, expected.as_ref().unwrap(), true);
    // Of the second frame nothing is read but how many rows there are.
    check_frame(&first, |t| both(t).select(["x"]), &expected.as_ref().unwrap().select(["x"]).unwrap(), true);
    check_frame(&first, |t| both(t).filter(col("y").gt(lit(1.0))), &expected.as_ref().unwrap().slice(3, 1), true);
    let t = DFrame::from_polars(first, 2);
    assert!(failure(&DFrame::concat_diagonal([t.clone(), t.cast([("x", DataType::String)])]), Code::SchemaMismatch).contains("`x`"));
    failure(&DFrame::concat_diagonal([]), Code::InvalidOption);
    failure(&DFrame::concat_diagonal([t.select(["z"]), t]), Code::ColumnNotFound);
}

#[test]
fn lists_as_rows() {
    let one = df!("k" => ["a", "a", "b", "b", "c"], "x" => [1i64, 3, 2, 5, 4]).unwrap();
    check_frame(&lists(), |t| t.select(["k", "x"]).explode(["x"]), &one, true);
    let both = df!("k" => ["b", "b"], "x" => [2i64, 5], "y" => ["q", "t"]).unwrap();
    check_frame(&lists(), |t| t.explode(["x", "y"]).filter(col("k").eq(lit("b"))), &both, true);
    check_frame(&lists(), |t| t.explode(["x"]).filter(col("x").gt(lit(3))).select(["x"]), &df!("x" => [5i64, 4]).unwrap(), true);
}

#[test]
fn columns_below_each_other() {
    let wide = "k,x,y\na,1,0.5\nb,2,\nc,3,1.5";
    check(wide, |t| t.unpivot(["x", "y"], ["k"]), "k,variable,value\na,x,1.0\nb,x,2.0\nc,x,3.0\na,y,0.5\nb,y,\nc,y,1.5");
    check(wide, |t| t.melt(["x"], ["k"]).filter(col("k").neq(lit("b"))).select(["value", "k"]), "value,k\n1,a\n3,c");
    check(wide, |t| t.unpivot(["x", "y"], Vec::<String>::new()).group_by(["variable"]).sum(), "variable,value\nx,6.0\ny,2.0");
}

#[test]
fn values_as_columns() {
    let known = || Series::new("on".into(), ["p", "q"]);
    let sums = "k,p,q\na,5,3\nb,,2\nc,,\n,0,";
    check(KOX, |t| t.pivot_known(["k"], "on", known(), "x", |x| x.sum()), sums);
    check(KOX, |t| t.pivot_known(["k"], "on", known(), "x", |x| x.max()).select(["k", "q"]), "k,q\na,3\nb,2\nc,\n,");
    let found = df!("k" => [Some("a"), Some("b"), Some("c"), None],
        "null" => [None, None, Some(5i64), None],
        "p" => [Some(5i64), None, None, Some(0)],
        "q" => [Some(3i64), Some(2), None, None]);
    check_frame(&table(KOX), |t| t.pivot(["k"], "on", "x", |x| x.sum()).unwrap(), &found.unwrap(), false);
    let numbers = |t: &DFrame| t.pivot(["on"], "x", "x", |x| x.count().cast(DataType::Int64)).unwrap().select(["on", "4", "1"]);
    check(KOX, numbers, "on,4,1\np,1,1\nq,,\n,,");
}

/// Times in minutes.
fn timed(minutes: &[i64]) -> DataFrame {
    let n = minutes.len() as i64;
    let times = df!("t" => minutes, "k" => (0..n).map(|i| i % 2).collect::<Vec<_>>(), "x" => (1..=n).collect::<Vec<_>>()).unwrap();
    let exact = DataType::Datetime(TimeUnit::Milliseconds, None);
    times.lazy().with_columns([(col("t") * lit(60_000i64)).cast(exact)]).collect().unwrap()
}

#[test]
fn windows_of_time() {
    let rows = timed(&[70, 5, 130, 65, 200, 3]);
    let hour = |hours: &[i64]| timed(&hours.iter().map(|hour| hour * 60).collect::<Vec<_>>()).column("t").unwrap().clone();
    let sums = |hours: &[i64], sums: &[i64]| DataFrame::new(sums.len(), vec![hour(hours), Column::new("x".into(), sums)]).unwrap();
    check_frame(&rows, |t| t.select(["t", "x"]).resample("t", "1h").sum(), &sums(&[0, 1, 2, 3], &[8, 5, 3, 5]), true);
    let counted = |t: &DFrame| t.resample("t", "2h").agg([col("x").count().cast(DataType::Int64)]);
    check_frame(&rows, counted, &sums(&[0, 2], &[4, 2]), true);
    let later = |t: &DFrame| t.select(["t", "x"]).resample("t", "2h").offset("1h").sum();
    check_frame(&rows, later, &sums(&[-1, 1, 3], &[8, 8, 5]), true);
    let keyed = |t: &DFrame| t.resample("t", "4h").by(["k"]).agg([col("x").max()]).select(["k", "x"]);
    check_frame(&rows, keyed, &df!("k" => [0i64, 1], "x" => [5i64, 6]).unwrap(), true);
    // Two hours long, one every hour: rows are in two of them, and the first is that of the row looked at, not of its time.
    let long = |t: &DFrame| t.resample("t", "1h").period("2h").agg([col("x").sum(), col("x").first().alias("first")]).select(["t", "x"]);
    check_frame(&rows, long, &sums(&[-1, 0, 1, 2, 3], &[8, 13, 8, 8, 5]), true);
    let firsts = |t: &DFrame| t.resample("t", "1h").period("2h").agg([col("x").first()]);
    check_frame(&rows, firsts, &sums(&[-1, 0, 1, 2, 3], &[2, 1, 1, 3, 5]), true);
    let gaps = |t: &DFrame| t.resample("t", "1h").period("6m").label(Label::Right).agg([col("x").sum()]).select([col("x")]);
    check_frame(&rows, gaps, &df!("x" => [8i64, 4]).unwrap(), true);
    let keyed = |t: &DFrame| t.resample("t", "4h").by(["k"]).include_boundaries(true).agg([col("x").max()]);
    let ends = DFrame::from_polars(rows.clone(), 2);
    assert_eq!(keyed(&ends).columns().unwrap(), ["k", "_lower_boundary", "_upper_boundary", "t", "x"]);
    let days = rows.clone().lazy().select([col("t").cast(DataType::Date), col("x")]).collect().unwrap();
    let months = DFrame::from_polars(days, 3).resample("t", "1mo").sum().compute().unwrap();
    assert_eq!(months.column("x").unwrap().i64().unwrap().get(0), Some(21));
}

#[test]
fn aggregations_of_ones_own() {
    let spread = || {
        Aggregation::new("spread")
            .chunk([col("x").max().alias("high"), col("x").min().alias("low")])
            .combine([col("low").min(), col("high").max()])
            .finish(col("high") - col("low"))
    };
    let longest = || Aggregation::new("total").chunk([col("x").sum().alias("high")]).combine([col("high").sum()]);
    check(KOX, |t| t.group_by(["k"]).aggregate([spread(), longest()]), "k,spread,total\na,3,8\nb,0,2\nc,0,5\n,,0");
    check(KOX, |t| t.group_by(["k"]).split_out(3).aggregate([spread()]).filter(col("k").eq(lit("a"))), "k,spread\na,3");
    check(KOX, |t| t.group_by(["on"]).aggregate([spread(), longest()]).select(["total"]), "total\n5\n5\n5");
    let odd = |t: &DFrame| t.group_by([(col("x") % lit(2)).alias("odd")]).aggregate([longest()]).filter(col("odd").eq(lit(1)));
    check(KOX, odd, "odd,total\n1,9");
}

#[test]
fn columns_within_groups() {
    let within = |t: &DFrame| t.group_by(["k"]).transform([col("x").sum().alias("all"), col("x").shift(lit(1)).fill_null(lit(0))]);
    check_in_order(KOX, within, "k,on,x,all\na,p,0,8\nb,q,0,2\na,q,1,8\na,p,3,8\nc,,0,5\n,p,0,0");
}

#[test]
fn what_does_not_fit() {
    let t = DFrame::from_polars(table(KOX), 2);
    failure(&t.explode(["x"]), Code::TypeMismatch);
    failure(&t.explode(["y"]), Code::ColumnNotFound);
    failure(&t.explode(Vec::<String>::new()), Code::InvalidOption);
    failure(&t.unpivot(["y"], ["k"]), Code::ColumnNotFound);
    failure(&t.unpivot(Vec::<String>::new(), ["k"]), Code::InvalidOption);
    failure(&t.rename([("k", "value")]).unpivot(["x"], ["value"]), Code::DuplicateColumn);
    failure(&t.resample("x", "1h").sum(), Code::TypeMismatch);
    failure(&t.resample("y", "1h").sum(), Code::ColumnNotFound);
    let timed = DFrame::from_polars(timed(&[1, 2, 3]), 2);
    failure(&timed.resample("t", "1 hour").sum(), Code::InvalidOption);
    failure(&timed.resample("t", "0h").sum(), Code::InvalidOption);
    failure(&timed.resample("t", "10i").sum(), Code::InvalidOption);
    failure(&timed.resample("t", "1h").offset("1mo").sum(), Code::InvalidOption);
    failure(&timed.resample("t", "1h").period("-2h").sum(), Code::InvalidOption);
    failure(&timed.resample("t", "1s").period("1d").sum(), Code::InvalidOption);
    failure(&timed.cast([("t", DataType::Date)]).resample("t", "1d").period("36h").sum(), Code::InvalidOption);
    assert!(failure(&timed.resample("t", "1h").label(Label::DataPoint).sum(), Code::InvalidOption).contains("col(\"seen\").min()"));
    let states = Aggregation::new("a").chunk([col("x").sum().alias("s")]);
    assert!(failure(&t.group_by(["k"]).aggregate([states.clone()]), Code::InvalidOption).contains("reshape.rs:"));
    failure(&t.group_by(["k"]).aggregate([states.clone().combine([col("x").sum().alias("s")])]), Code::ColumnNotFound);
    failure(&t.group_by(["k"]).aggregate([states.clone().combine([col("s").mean()])]), Code::TypeMismatch);
    failure(&t.group_by(["k"]).aggregate([states.combine([col("s").sum()]).finish(col("s").shift(lit(1)))]), Code::Unsupported);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn wide_and_long_like_polars(rows in rows(40), partitions in 1usize..8) {
        let whole = frame(&rows);
        let value = |name: &'static str| {
            let (is_it, own) = (col("t").eq(lit(name)), when(col("t").eq(lit(name))).then(col("n")).otherwise(lit(NULL)));
            when(is_it.sum().gt(lit(0))).then(own.sum()).otherwise(lit(NULL)).alias(name)
        };
        let expected = whole.clone().lazy().group_by([col("b")]).agg([value("a"), value("ab, c")]).collect().unwrap();
        let frame = DFrame::from_polars(whole.clone(), partitions);
        let wide = frame.pivot_known(["b"], "t", Series::new("t".into(), ["a", "ab, c"]), "n", |n| n.sum());
        let below = |name: &str| {
            let rows = whole.clone().lazy().select([col("i"), lit(name).alias("variable"), col(name).cast(DataType::Float64).alias("value")]);
            rows.collect().unwrap()
        };
        let mut long = below("n");
        long.vstack_mut(&below("f")).unwrap();
        let ours = frame.unpivot(["n", "f"], ["i"]);
        for (name, executor) in executors() {
            assert_close(&wide.compute_on(&*executor).unwrap().frame, &expected, false, &name);
            let found = ours.compute_on(&*executor).unwrap().frame;
            let sorted = |rows: &DataFrame| rows.sort(["variable", "i"], SortMultipleOptions::default()).unwrap();
            assert_close(&sorted(&found), &sorted(&long), true, &name);
        }
    }

    #[test]
    fn own_aggregations_like_polars(rows in rows(40), partitions in 1usize..8, parts in 1usize..4) {
        let whole = frame(&rows);
        let expected = whole.clone().lazy().group_by([col("k"), col("t")]).agg([col("i").max() - col("i").min(), len()]).collect().unwrap();
        let spread = Aggregation::new("i")
            .chunk([col("i").max().alias("high"), col("i").min().alias("low")])
            .combine([col("high").max(), col("low").min()])
            .finish(col("high") - col("low"));
        let count = Aggregation::new("len").chunk([len()]).combine([col("len").sum()]);
        let ours = DFrame::from_polars(whole, partitions).group_by(["k", "t"]).split_out(parts).aggregate([spread, count]);
        for (name, executor) in executors() {
            assert_close(&ours.compute_on(&*executor).unwrap().frame, &expected, false, &name);
        }
    }
}
