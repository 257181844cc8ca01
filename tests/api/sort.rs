//! Sorts, the first rows of a sort, rows by number, frames one below the other.

use super::check::{assert_close, check, check_frame, check_in_order, executors, failure, table};
use super::random_frames::{frame, rows};
use partita::Code;
use partita::polars::prelude::*;
use partita::prelude::{DFrame, SortMultipleOptions, col, len, lit};
use proptest::prelude::{ProptestConfig, proptest};

const KX: &str = "k,x
    b,1
    a,2
    ,3
    c,4
    a,5
    b,6
    a,7";

fn options() -> SortMultipleOptions {
    SortMultipleOptions::default()
}

#[test]
fn sorts() {
    check_in_order(KX, |t| t.sort(["k"]), "k,x\n,3\na,2\na,5\na,7\nb,1\nb,6\nc,4");
    check_in_order(KX, |t| t.sort_with(["k"], options().with_nulls_last(true)), "k,x\na,2\na,5\na,7\nb,1\nb,6\nc,4\n,3");
    check_in_order(KX, |t| t.sort_with(["k"], options().with_order_descending(true)), "k,x\n,3\nc,4\nb,1\nb,6\na,2\na,5\na,7");
    let mixed = || options().with_order_descending_multi([true, false]).with_nulls_last_multi([true, false]);
    check_in_order(KX, |t| t.sort_with(["k", "x"], mixed()), "k,x\nc,4\nb,1\nb,6\na,2\na,5\na,7\n,3");
    check_in_order(KX, |t| t.sort([col("x") % lit(3)]), "k,x\n,3\nb,6\nb,1\nc,4\na,7\na,2\na,5");
    check_in_order(KX, |t| t.sort(["k"]).filter(col("x").gt(lit(3))).select(["x"]), "x\n5\n7\n6\n4");
    check_in_order(KX, |t| t.filter(col("x").gt(lit(100))).sort(["k"]).agg([len().cast(DataType::Int64)]), "len\n0");
    assert_eq!(DFrame::from_polars(table(KX), 5).sort(["k"]).npartitions().unwrap(), 5);
}

/// Most rows have one key: they share partitions, in their order, and none has much more than its part.
#[test]
fn a_key_that_most_rows_have() {
    let n = 20_000i64;
    let keys: Vec<i64> = (0..n).map(|i| if i % 10 == 0 { i % 1000 } else { 500 }).collect();
    let whole = df!("k" => keys, "i" => (0..n).collect::<Vec<_>>()).unwrap();
    let expected = whole.sort(["k"], options().with_maintain_order(true)).unwrap();
    let sorted = DFrame::from_polars(whole, 8).sort(["k"]);
    assert_eq!(sorted.compute().unwrap(), expected);
    let heights: Vec<usize> = (0..8).map(|at| sorted.partitions([at]).compute().unwrap().height()).collect();
    assert!(heights.iter().all(|height| (1_500..3_500).contains(height)), "{heights:?}");
}

/// Categories are sorted by their text, whenever each was met first.
#[test]
fn categories_by_their_text() {
    let categories = DataType::from_categories(Categories::global());
    let texts = df!("t" => ["zebra", "ant", "mule", "bee", "ant"]).unwrap();
    let whole = texts.lazy().with_column(col("t").cast(categories)).collect().unwrap();
    for partitions in [1, 3] {
        let sorted = DFrame::from_polars(whole.clone(), partitions).sort(["t"]).cast([("t", DataType::String)]).compute().unwrap();
        assert_eq!(sorted, df!("t" => ["ant", "ant", "bee", "mule", "zebra"]).unwrap());
    }
}

#[test]
fn first_rows_of_a_sort() {
    check_in_order(KX, |t| t.top_k(3, ["x"]), "k,x\na,7\nb,6\na,5");
    check_in_order(KX, |t| t.bottom_k(2, ["k"]), "k,x\na,2\na,5");
    check_in_order(KX, |t| t.bottom_k(100, ["k"]), "k,x\na,2\na,5\na,7\nb,1\nb,6\nc,4\n,3");
    check_in_order(KX, |t| t.nlargest(2, ["k", "x"]), "k,x\nc,4\nb,6");
    check_in_order(KX, |t| t.nsmallest(2, [col("x") * lit(-1)]), "k,x\na,7\nb,6");
    check_in_order(KX, |t| t.top_k(3, ["x"]).filter(col("k").eq(lit("a"))), "k,x\na,7\na,5");
    check(KX, |t| t.top_k(0, ["x"]).agg([len().cast(DataType::Int64)]), "len\n0");
    let whole = df!("x" => (0..600i64).map(|i| i * 7919 % 601).collect::<Vec<_>>()).unwrap();
    let first = DFrame::from_polars(whole.clone(), 300).top_k(5, ["x"]).compute().unwrap();
    assert_eq!(first, whole.sort(["x"], options().with_order_descending(true)).unwrap().head(Some(5)));
}

#[test]
fn rows_by_number() {
    check_in_order(KX, |t| t.slice(2, 3), "k,x\n,3\nc,4\na,5");
    check_in_order(KX, |t| t.slice(-2, 5).select(["x"]), "x\n6\n7");
    check_in_order(KX, |t| t.slice(1, 3).filter(col("x").gt(lit(2))).select(["x"]), "x\n3\n4");
    check_in_order(KX, |t| t.slice(7, 3).agg([len().cast(DataType::Int64)]), "len\n0");
    let frame = DFrame::from_polars(table(KX), 4);
    assert_eq!(frame.tail(2).unwrap(), table(KX).tail(Some(2)));
    assert_eq!(frame.tail(100).unwrap(), table(KX));
    assert_eq!(frame.tail(0).unwrap().height(), 0);
    assert_eq!(frame.filter(col("x").lt(lit(3))).tail(5).unwrap(), table("k,x\nb,1\na,2"));
}

#[test]
fn frames_below_each_other() {
    let other = DFrame::from_polars(table("x,k\n8,z\n9,"), 2);
    check_in_order(KX, |t| DFrame::concat([t.clone(), other.clone()]), "k,x\nb,1\na,2\n,3\nc,4\na,5\nb,6\na,7\nz,8\n,9");
    check_in_order(KX, |t| DFrame::concat([other.clone(), t.clone()]).filter(col("x").gt(lit(6))).select(["x"]), "x\n8\n9\n7");
    check_in_order(KX, |t| DFrame::concat([t.clone(), t.filter(col("k").eq(lit("c")))]).agg([col("x").sum()]), "x\n32");
    check_in_order(KX, |t| DFrame::concat([t.clone(), other.clone()]).agg([len().cast(DataType::Int64)]), "len\n9");
    let one = DFrame::from_polars(df!("x" => [1i64]).unwrap(), 1);
    let many = DFrame::concat((0..1200).map(|_| one.clone()));
    assert_eq!((many.npartitions().unwrap(), many.len().unwrap()), (1200, 1200));
    let t = DFrame::from_polars(table(KX), 2);
    failure(&DFrame::concat([]), Code::InvalidOption);
    assert!(failure(&DFrame::concat([t.clone(), t.select(["k"])]), Code::ColumnNotFound).contains("frame 2 of the concat"));
    assert!(failure(&DFrame::concat([t.select(["k"]), t.clone()]), Code::SchemaMismatch).contains("`x`"));
    let floats = t.cast([("x", DataType::Float64)]);
    assert!(failure(&DFrame::concat([t.clone(), floats]), Code::SchemaMismatch).contains("sort.rs:"));
}

#[test]
fn some_rows_by_chance() {
    let whole = df!("i" => (0..10_000i64).collect::<Vec<_>>()).unwrap();
    let frame = DFrame::from_polars(whole.clone(), 5);
    let kept = |fraction, seed| {
        let found = frame.sample(fraction, seed).compute().unwrap();
        found.column("i").unwrap().i64().unwrap().iter().flatten().collect::<Vec<i64>>()
    };
    assert_eq!((kept(0.0, 1).len(), kept(1.0, 1).len()), (0, 10_000));
    let (some, others) = (kept(0.2, 1), kept(0.2, 2));
    assert!((1_800..2_200).contains(&some.len()) && some.is_sorted() && some != others, "{}", some.len());
    // Independent samples have a fifth of a fifth of the rows in common.
    let both = some.iter().filter(|row| others.binary_search(row).is_ok()).count();
    assert!((300..500).contains(&both), "{both}");
    for (name, executor) in executors() {
        let found = frame.sample(0.2, 1).compute_on(&*executor).unwrap().frame;
        assert_eq!(found.column("i").unwrap(), &Column::new("i".into(), some.clone()), "{name}");
    }
    for fraction in [-0.1, 1.1, f64::NAN] {
        failure(&frame.sample(fraction, 1), Code::InvalidOption);
    }
}

#[test]
fn what_does_not_fit() {
    let t = DFrame::from_polars(table(KX), 2);
    assert!(failure(&t.sort(["kk"]), Code::ColumnNotFound).contains("sort.rs:"));
    failure(&t.sort(Vec::<Expr>::new()), Code::InvalidOption);
    failure(&t.sort([col("x").cum_sum(false)]), Code::Unsupported);
    failure(&t.sort_with(["k", "x"], options().with_order_descending_multi([true, false, true])), Code::InvalidOption);
    failure(&t.top_k(2, ["y"]), Code::ColumnNotFound);
}

#[test]
fn counts_come_most_frequent_first() {
    let counts = df!("k" => [Some("a"), Some("b"), Some("c"), None], "count" => [3u32, 2, 1, 1]).unwrap();
    check_frame(&table(KX), |t| t.value_counts(["k"]), &counts, true);
    check_in_order(KX, |t| t.mode("k"), "k\na");
    check_in_order(KX, |t| t.mode("x").select(["x"]), "x\n1\n2\n3\n4\n5\n6\n7");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn sorted_like_polars(rows in rows(60), partitions in 1usize..8, which in 0usize..6, down: [bool; 2], last: [bool; 2], k in 0usize..20) {
        let whole = frame(&rows);
        let keys: &[&str] = [&["k"][..], &["f"], &["t", "b"], &["d"], &["b", "f"], &["t"]][which];
        let flags = |flags: [bool; 2]| flags[..keys.len()].to_vec();
        let options = || options().with_order_descending_multi(flags(down)).with_nulls_last_multi(flags(last)).with_maintain_order(true);
        let expected = whole.sort(keys.iter().copied(), options()).unwrap();
        let frame = DFrame::from_polars(whole.clone(), partitions);
        let sorted = frame.sort_with(keys, options());
        let first = whole.sort(keys.iter().copied(), self::options().with_order_descending(true).with_nulls_last(true).with_maintain_order(true));
        let first = first.unwrap().head(Some(k));
        let top = frame.top_k(k, keys);
        for (name, executor) in executors() {
            assert_close(&sorted.compute_on(&*executor).unwrap().frame, &expected, true, &name);
            assert_close(&top.compute_on(&*executor).unwrap().frame, &first, true, &name);
        }
    }

    #[test]
    fn slices_like_polars(rows in rows(40), partitions in 1usize..8, offset in -50i64..50, length in 0usize..50) {
        let whole = frame(&rows);
        let expected = whole.slice(offset, length);
        let ours = DFrame::from_polars(whole, partitions).slice(offset, length);
        for (name, executor) in executors() {
            assert_close(&ours.compute_on(&*executor).unwrap().frame, &expected, true, &name);
        }
    }
}
