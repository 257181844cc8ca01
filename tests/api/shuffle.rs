//! Shuffles and what stands on them: one row a key, numbers of values.

use super::check::{assert_close, bits, check, check_frame, check_in_order, executors, failure, table};
use super::random_frames::{frame, rows};
use partita::Code;
use partita::polars::prelude::*;
use partita::prelude::{DFrame, col, len, lit};
use proptest::prelude::{ProptestConfig, proptest};

const KX: &str = "k,x
    a,1
    b,2
    ,3
    a,1
    c,4
    ,5
    b,6
    a,7";

#[test]
fn all_rows_of_a_key_come_into_one_partition() {
    for parts in [1, 2, 3, 7] {
        check(KX, |t| t.shuffle(["k"], parts), "k,x\na,1\nb,2\n,3\na,1\nc,4\n,5\nb,6\na,7");
        let counted = |t: &DFrame| {
            let count = |rows: DataFrame| rows.lazy().group_by_stable([col("k")]).agg([col("x").count().cast(DataType::Int64)]).collect();
            t.shuffle(["k"], parts).map_partitions(count)
        };
        check(KX, counted, "k,x\na,3\nb,2\n,2\nc,1");
        check(KX, |t| t.shuffle([col("x") % lit(2)], parts).filter(col("k").eq(lit("a"))), "k,x\na,1\na,1\na,7");
        assert_eq!(DFrame::from_polars(table(KX), 3).shuffle(["k"], parts).npartitions().unwrap(), parts);
    }
}

/// Where a row goes depends on its key's value alone: not on the partitioning before, not on the width of the number, not on other rows.
#[test]
fn keys_of_all_widths_go_to_the_same_partitions_and_rows_keep_their_order() {
    let whole = df!("k" => (0..60i64).map(|i| i * 7 % 13).collect::<Vec<_>>(), "i" => (0..60i64).collect::<Vec<_>>()).unwrap();
    let place = |frame: &DFrame| -> Vec<Vec<String>> {
        let part = |at: usize| bits(&frame.partitions([at]).cast([("k", DataType::Int64)]).compute().unwrap());
        (0..4).map(part).collect()
    };
    let expected = place(&DFrame::from_polars(whole.clone(), 1).shuffle(["k"], 4));
    for partitions in [2, 5, 60] {
        for dtype in [DataType::Int8, DataType::UInt16, DataType::Int32, DataType::UInt64, DataType::Int64] {
            let frame = DFrame::from_polars(whole.clone(), partitions).cast([("k", dtype.clone())]).shuffle(["k"], 4);
            assert_eq!(place(&frame), expected, "{partitions} partitions, {dtype}");
        }
    }
    for at in 0..4 {
        let part = DFrame::from_polars(whole.clone(), 5).shuffle(["k"], 4).partitions([at]).compute().unwrap();
        let order: Vec<i64> = part.column("i").unwrap().i64().unwrap().iter().flatten().collect();
        assert!(order.is_sorted() && !order.is_empty(), "{order:?}");
    }
}

#[test]
fn unique_rows() {
    check_in_order(KX, |t| t.unique(), "k,x\na,1\nb,2\n,3\nc,4\n,5\nb,6\na,7");
    check_in_order(KX, |t| t.unique_with(["k"], UniqueKeepStrategy::First), "k,x\na,1\nb,2\n,3\nc,4");
    check_in_order(KX, |t| t.unique_with(["k"], UniqueKeepStrategy::Last), "k,x\nc,4\n,5\nb,6\na,7");
    check(KX, |t| t.drop_duplicates(["k", "x"], UniqueKeepStrategy::None), "k,x\nb,2\n,3\nc,4\n,5\nb,6\na,7");
    check_in_order(KX, |t| t.unique_with(["k"], UniqueKeepStrategy::Any).select(["x"]), "x\n1\n2\n3\n4");
    check(KX, |t| t.unique_with(["k"], UniqueKeepStrategy::Last).filter(col("k").eq(lit("a"))).select(["x"]), "x\n7");
    check_in_order(KX, |t| t.unique_with(["k"], UniqueKeepStrategy::First).filter(col("x").gt(lit(2))).select(["x"]), "x\n3\n4");
    check("f,x\n0.5,1\n-0.0,2\n0.0,3\nNaN,4\nNaN,5", |t| t.unique_with(["f"], UniqueKeepStrategy::First).select(["x"]), "x\n1\n2\n4");
    check_in_order(KX, |t| t.filter(col("x").gt(lit(100))).unique().select(["x"]).cast([("x", DataType::Int64)]).sum(), "x\n0");
}

/// More partitions than are combined at a time.
#[test]
fn unique_rows_of_many_partitions() {
    let whole = df!("k" => (0..600).map(|i| i % 7).collect::<Vec<i64>>(), "i" => (0..600i64).collect::<Vec<_>>()).unwrap();
    let frame = DFrame::from_polars(whole, 300);
    let first = frame.unique_with(["k"], UniqueKeepStrategy::First).compute().unwrap();
    assert_eq!(first.column("i").unwrap(), &Column::new("i".into(), (0..7i64).collect::<Vec<_>>()));
    let last = frame.unique_with(["k"], UniqueKeepStrategy::Last).compute().unwrap();
    assert_eq!(last.column("i").unwrap(), &Column::new("i".into(), (593..600i64).collect::<Vec<_>>()));
    assert_eq!(frame.n_unique().compute().unwrap(), df!("k" => [7u32], "i" => [600u32]).unwrap());
    // Of some partitions no size is known, so the rows are spread.
    let some = frame.partitions(0..40);
    assert_eq!(some.n_unique().compute().unwrap(), df!("k" => [7u32], "i" => [80u32]).unwrap());
    assert!(some.n_unique().explain().contains("count  40 tasks"), "{}", some.n_unique().explain());
    let mut spread = some.unique_with(["k"], UniqueKeepStrategy::Last);
    assert_eq!(spread.npartitions().unwrap(), 40);
    spread = spread.agg([col("i").min().alias("least"), col("i").max().alias("most"), len()]);
    assert_eq!(spread.compute().unwrap(), df!("least" => [73i64], "most" => [79i64], "len" => [7u32]).unwrap());
}

#[test]
fn numbers_of_values() {
    let counts = |k: u32, x: u32| df!("k" => [k], "x" => [x]).unwrap();
    check_frame(&table(KX), |t| t.n_unique(), &counts(4, 7), true);
    check_frame(&table(KX), |t| t.filter(col("x").gt(lit(100))).n_unique(), &counts(0, 0), true);
    check_frame(&table(KX), |t| t.n_unique().select(["x"]), &df!("x" => [7u32]).unwrap(), true);
    check_frame(&table(KX), |t| t.n_unique().agg([len().cast(DataType::UInt32)]), &df!("len" => [1u32]).unwrap(), true);
    let grouped = df!("k" => [Some("a"), Some("b"), None, Some("c")], "x" => [2u32, 2, 2, 1]).unwrap();
    check_frame(&table(KX), |t| t.group_by(["k"]).n_unique(), &grouped, false);
    let counted = df!("k" => [Some("a"), Some("b"), None, Some("c")], "count" => [3u32, 2, 2, 1]).unwrap();
    check_frame(&table(KX), |t| t.value_counts(["k"]), &counted, false);
}

#[test]
fn what_does_not_fit() {
    let t = DFrame::from_polars(table(KX), 2);
    assert!(failure(&t.shuffle(["kk"], 2), Code::ColumnNotFound).contains("did you mean: `k`?"));
    failure(&t.shuffle(["k"], 0), Code::InvalidOption);
    failure(&t.shuffle(Vec::<Expr>::new(), 2), Code::InvalidOption);
    failure(&t.shuffle([col("x").sum()], 2), Code::Unsupported);
    failure(&t.unique_with(["y"], UniqueKeepStrategy::First), Code::ColumnNotFound);
    failure(&t.unique_with(Vec::<String>::new(), UniqueKeepStrategy::First), Code::InvalidOption);
    failure(&t.rename([("x", "count")]).value_counts(["count"]), Code::DuplicateColumn);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn one_row_a_key_like_polars(rows in rows(40), partitions in 1usize..8, parts in 1usize..5, which in 0usize..5, keep in 0usize..3) {
        let whole = frame(&rows);
        let subset: &[&str] = [&["k"][..], &["f"], &["t", "b"], &["c"], &["d", "n"]][which];
        let keep = [UniqueKeepStrategy::First, UniqueKeepStrategy::Last, UniqueKeepStrategy::None][keep];
        let names: Vec<String> = subset.iter().map(|name| name.to_string()).collect();
        let expected = whole.unique_stable(Some(&names), keep, None).unwrap();
        let frame = DFrame::from_polars(whole, partitions);
        let ours = frame.unique_with(subset, keep);
        // Shuffled first, each partition has all rows of its keys, in their order.
        let apart = frame.shuffle(subset.to_vec(), parts).map_partitions(move |rows| rows.unique_stable(Some(&names), keep, None));
        for (name, executor) in executors() {
            assert_close(&ours.compute_on(&*executor).unwrap().frame, &expected, false, &name);
            match apart.compute_on(&*executor) {
                Ok(computed) => assert_close(&computed.frame, &expected, false, &name),
                Err(failure) => assert_eq!(failure.code, Code::ClosureOnCluster, "{name}: {failure}"),
            }
        }
    }

    #[test]
    fn numbers_of_values_like_polars(rows in rows(40), partitions in 1usize..8) {
        let whole = frame(&rows);
        let count = |column: &Column| {
            let alone = DataFrame::new(column.len(), vec![column.clone()]).unwrap();
            let different = alone.unique_stable(None, UniqueKeepStrategy::First, None).unwrap().height();
            Column::new(column.name().clone(), [different as u32])
        };
        let expected = DataFrame::new(1, whole.columns().iter().map(count).collect()).unwrap();
        let ours = DFrame::from_polars(whole, partitions).n_unique();
        for (name, executor) in executors() {
            assert_close(&ours.compute_on(&*executor).unwrap().frame, &expected, true, &name);
        }
    }
}
