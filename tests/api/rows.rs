//! Operations that work row by row, and those that move partitions about.

use super::check::{check, check_frame, check_in_order, executors, failure, table};
use partita::Code;
use partita::prelude::*;

const ABC: &str = "a,b,c
    1,x,0.5
    2,y,
    3,x,1.5
    4,,2.5
    5,y,3.5
    6,x,-1.0";

#[test]
fn rows() {
    check_in_order(ABC, |t| t.select(["c", "a"]), "c,a\n0.5,1\n,2\n1.5,3\n2.5,4\n3.5,5\n-1.0,6");
    check_in_order(ABC, |t| t.select([(col("a") * lit(2)).alias("d")]), "d\n2\n4\n6\n8\n10\n12");
    check_in_order(ABC, |t| t.filter(col("a").gt(lit(4))), "a,b,c\n5,y,3.5\n6,x,-1.0");
    check_in_order(ABC, |t| t.filter(col("b").eq(lit("x"))).select(["a"]), "a\n1\n3\n6");
    check_in_order(ABC, |t| t.filter(col("b").is_null()).select(["a"]), "a\n4");
    check_in_order(
        ABC,
        |t| t.filter(col("a").is_between(lit(2), lit(3), partita::polars::prelude::ClosedInterval::Both)).drop(["c"]),
        "a,b\n2,y\n3,x",
    );
    check_in_order(ABC, |t| t.with_columns([(col("a") + lit(1)).alias("a")]).select(["a"]), "a\n2\n3\n4\n5\n6\n7");
    check_in_order(ABC, |t| t.with_column((col("a") * lit(10)).alias("d")).filter(col("d").gt(lit(40))).select(["d"]), "d\n50\n60");
    check_in_order(ABC, |t| t.drop(["b", "c"]), "a\n1\n2\n3\n4\n5\n6");
    check_in_order(ABC, |t| t.rename([("a", "z")]).filter(col("z").lt(lit(2))).select(["z"]), "z\n1");
    check_in_order(ABC, |t| t.cast([("a", DataType::Float64)]).select(["a"]).filter(col("a").gt(lit(5.5))), "a\n6.0");
    check_in_order(ABC, |t| t.select([all().as_expr()]).select(["a"]).filter(col("a").eq(lit(1))), "a\n1");
}

/// Rewrites must not change what comes out.
#[test]
fn rewrites_keep_rows_and_columns() {
    check_in_order(
        ABC,
        |t| t.with_columns([(col("c") * lit(2.0)).alias("a")]).select(["a", "b"]).filter(col("b").eq(lit("y"))),
        "a,b\n,y\n7.0,y",
    );
    check_in_order(ABC, |t| t.drop(["b"]).with_columns([(col("a") * lit(2)).name().keep()]).select(["a"]), "a\n2\n4\n6\n8\n10\n12");
    check(ABC, |t| t.select([col("a"), lit(1i64).alias("one")]).agg([col("one").sum().cast(DataType::Int64)]), "one\n6");
    let text = df!("s" => ["1", "n/a", "30"]).unwrap();
    let numbers = |t: &DFrame| t.filter(col("s").neq(lit("n/a"))).filter(col("s").strict_cast(DataType::Int64).gt(lit(5)));
    check_frame(&text, numbers, &df!("s" => ["30"]).unwrap(), true);
    let none = DFrame::from_polars(text, 2).partitions([]);
    assert_eq!((none.len().unwrap(), none.persist().unwrap().compute().unwrap().height()), (0, 0));
}

#[test]
fn partitions() {
    for n in [1, 2, 3, 4, 6, 7, 11] {
        check_in_order(ABC, |t| t.select(["a"]).repartition(n), "a\n1\n2\n3\n4\n5\n6");
        check_in_order(ABC, |t| t.repartition(n).filter(col("a").gt(lit(5))).select(["a"]), "a\n6");
    }
    check_in_order(ABC, |t| t.map_partitions(|p| p.select(["a"])), "a\n1\n2\n3\n4\n5\n6");
    let frame = DFrame::from_polars(table(ABC), 3);
    assert_eq!(frame.npartitions().unwrap(), 3);
    assert_eq!(frame.repartition(7).npartitions().unwrap(), 7);
    assert_eq!(frame.partitions([2]).select(["a"]).compute().unwrap(), df!("a" => [5i64, 6]).unwrap());
    assert_eq!(frame.partitions([]).compute().unwrap().height(), 0);
}

#[test]
fn first_rows_and_length() {
    let frame = DFrame::from_polars(table(ABC), 5);
    assert_eq!(frame.head(3).unwrap().column("a").unwrap().i64().unwrap().to_vec_null_aware().left().unwrap(), [1, 2, 3]);
    assert_eq!(frame.head(100).unwrap().height(), 6);
    assert_eq!(frame.head(0).unwrap().height(), 0);
    assert_eq!(frame.len().unwrap(), 6);
    assert_eq!(frame.filter(col("a").gt(lit(100))).len().unwrap(), 0);
    assert_eq!(frame.filter(col("a").gt(lit(100))).head(5).unwrap().height(), 0);
}

#[test]
fn reductions() {
    check(ABC, |t| t.select(["a", "c"]).sum(), "a,c\n21,7.0");
    check(ABC, |t| t.select(["a", "c"]).mean(), "a,c\n3.5,1.4");
    check(ABC, |t| t.min(), "a,b,c\n1,x,-1.0");
    check(ABC, |t| t.max(), "a,b,c\n6,y,3.5");
    check(ABC, |t| t.select([col("c").product()]), "c\n-6.5625");
    check(ABC, |t| t.select(["a", "c"]).var(), "a,c\n3.5,3.05");
    check(ABC, |t| t.first().select(["a"]), "a\n1");
    check(ABC, |t| t.last().select(["a"]), "a\n6");
    check(ABC, |t| t.agg([(col("a").max() - col("a").min()).alias("range"), col("c").mean().alias("m")]), "range,m\n5,1.4");
    check(ABC, |t| t.agg([col("a").median()]), "a\n3.5");
}

#[test]
fn a_reduction_of_no_rows_is_polars_own() {
    let none = DFrame::from_polars(table(ABC), 4).filter(col("a").gt(lit(100))).agg([
        col("a").sum().alias("sum"),
        col("a").mean().alias("mean"),
        col("a").first().alias("first"),
        len().alias("len"),
    ]);
    for (name, executor) in executors() {
        let found = none.compute_on(&*executor).unwrap().frame;
        let text = format!("{:?}", found.get_row(0).unwrap().0);
        assert_eq!(text, "[Int64(0), Null, Null, UInt32(0)]", "{name}");
    }
}

#[test]
fn rows_are_dealt_out_by_chance() {
    let whole = df!("x" => (0..3000i64).collect::<Vec<_>>()).unwrap();
    for partitions in [1, 4] {
        let frame = DFrame::from_polars(whole.clone(), partitions);
        for (name, executor) in executors() {
            let rows = |frame: &DFrame| frame.compute_on(&*executor).unwrap().frame;
            let parts = frame.random_split([0.5, 0.2, 0.0, 0.3], 7).map(|part| rows(&part));
            assert_eq!(parts[0], rows(&frame.sample(0.5, 7)), "{name}");
            let heights = [&parts[0], &parts[1], &parts[2], &parts[3]].map(DataFrame::height);
            assert!(heights[0].abs_diff(1500) < 150 && heights[1].abs_diff(600) < 120 && heights[2] == 0, "{name}: {heights:?}");
            let mut all: Vec<i64> = Vec::new();
            for part in &parts {
                let own: Vec<i64> = part.column("x").unwrap().i64().unwrap().iter().flatten().collect();
                assert!(own.is_sorted(), "{name}");
                all.extend(own);
            }
            all.sort_unstable();
            assert!(all.into_iter().eq(0..3000), "{name}: every row once");
        }
    }
    let t = DFrame::from_polars(whole, 2);
    for fractions in [[0.5, 0.4], [1.5, -0.5], [f64::NAN, 1.0]] {
        for part in t.random_split(fractions, 1) {
            assert!(failure(&part, Code::InvalidOption).contains("rows.rs:"));
        }
    }
}

#[test]
fn a_persisted_frame_is_not_made_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let client = Client::builder().threads(2).set_as_default(false).build().unwrap();
    let schema = table(ABC).schema().clone();
    let frame = DFrame::from_polars(table(ABC), 3).map_partitions_with(schema, move |p| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(p)
    });
    let kept = frame.persist_on(&client).unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert_eq!(kept.select([col("a").sum()]).compute_on(&client).unwrap().frame, df!("a" => [21i64]).unwrap());
    assert_eq!(kept.filter(col("a").gt(lit(4))).select(["a"]).compute_on(&client).unwrap().frame, df!("a" => [5i64, 6]).unwrap());
    assert_eq!(calls.load(Ordering::SeqCst), 3, "the function ran again");
}
