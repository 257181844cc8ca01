//! The first rows of each group: against sorting all, for all types of keys, ties, nulls and any number of rows.

use super::check::{check, check_frame, check_in_order, failure, table};
use partita::polars::prelude::*;
use partita::prelude::{DFrame, col, lit};
use partita::{Client, Code};

const KXT: &str = "k,x,t
    a,1,p
    b,9,q
    a,3,r
    ,2,s
    a,3,t
    b,,u
    ,5,v
    a,,w";

#[test]
fn greatest_and_least() {
    check_in_order(KXT, |t| t.group_by("k").top_k(2, ["x"]), "k,x,t\na,3,r\na,3,t\nb,9,q\nb,,u\n,5,v\n,2,s");
    check_in_order(KXT, |t| t.group_by("k").bottom_k(2, ["x"]), "k,x,t\na,1,p\na,3,r\nb,9,q\nb,,u\n,2,s\n,5,v");
    check_in_order(KXT, |t| t.group_by("k").nlargest(1, ["t"]), "k,x,t\na,,w\nb,,u\n,5,v");
    check_in_order(KXT, |t| t.group_by("k").nsmallest(1, [col("x"), col("t")]), "k,x,t\na,1,p\nb,9,q\n,2,s");
    check_in_order(KXT, |t| t.group_by("k").select(["x"]).top_k(1, ["t"]), "k,x\na,\nb,\n,5");
    check(KXT, |t| t.group_by(["k", "x"]).top_k(1, ["t"]).filter(col("k").eq(lit("a"))), "k,x,t\na,1,p\na,3,t\na,,w");
    check(KXT, |t| t.group_by("k").split_out(3).top_k(1, ["x"]), "k,x,t\na,3,r\nb,9,q\n,5,v");
    check(KXT, |t| t.group_by("k").top_k(9, [col("x") * lit(-1)]), KXT);
    check(KXT, |t| t.group_by("k").top_k(2, ["x"]).group_by("k").agg([col("x").sum()]), "k,x\na,6\nb,9\n,7");
}

#[test]
fn none_and_nothing() {
    let empty = df!("k" => ["a"], "x" => [1i64]).unwrap().clear();
    check_frame(&empty, |t| t.group_by("k").top_k(2, ["x"]), &empty, true);
    check_frame(&df!("k" => ["a"], "x" => [1i64]).unwrap(), |t| t.group_by("k").top_k(0, ["x"]), &empty, true);
}

/// Many rows of each group, ties among them, in an order that no formula of the operator knows.
#[test]
fn like_sorting_all() {
    let rows = 5_000i64;
    let keys: Vec<i64> = (0..rows).map(|row| row * 7919 % 61).collect();
    let values: Vec<f64> = (0..rows).map(|row| ((row * row * 31) % 997) as f64 / 4.0 - 100.0).collect();
    let frame = df!("k" => &keys, "x" => &values, "row" => (0..rows).collect::<Vec<_>>()).unwrap();
    for wanted in [3, 40, usize::MAX] {
        let mut expected: Vec<i64> = Vec::new();
        for key in 0..61 {
            let mut of_group: Vec<i64> = (0..rows).filter(|row| keys[*row as usize] == key).collect();
            of_group.sort_by(|a, b| values[*b as usize].total_cmp(&values[*a as usize]).then(a.cmp(b)));
            expected.extend(of_group.iter().take(wanted));
        }
        let taken: Vec<IdxSize> = expected.iter().map(|row| *row as IdxSize).collect();
        let expected = frame.take(&IdxCa::from_vec("rows".into(), taken)).unwrap();
        check_frame(&frame, |t| t.group_by("k").top_k(wanted, ["x"]), &expected, false);
    }
}

/// Rows that are in memory are not moved with all their columns.
#[test]
fn of_persisted_rows_only_the_wanted_columns() {
    let client = Client::builder().threads(2).set_as_default(false).build().unwrap();
    let written = DFrame::from_polars(table(KXT), 3);
    let persisted = written.persist_on(&client).unwrap();
    let cases: [fn(&DFrame) -> DFrame; 3] = [
        |t| t.group_by("k").select(["x"]).top_k(2, ["x"]),
        |t| t.filter(col("x").gt(lit(1))).group_by("k").agg([col("x").sum()]),
        |t| t.unique_with(["k"], UniqueKeepStrategy::First).select(["k"]),
    ];
    for case in cases {
        assert_eq!(client.compute(&case(&persisted)).unwrap(), client.compute(&case(&written)).unwrap());
    }
    for case in &cases[..2] {
        let plan = case(&persisted).explain();
        assert!(plan.split("rewritten").nth(1).is_some_and(|rewritten| rewritten.contains("select k, x")), "{plan}");
    }
}

#[test]
fn what_cannot_be_asked() {
    let frame = DFrame::from_polars(df!("k" => ["a"], "x" => [1]).unwrap(), 1);
    assert!(failure(&frame.group_by(["k"]).top_k(1, ["y"]), Code::ColumnNotFound).contains("`y`"));
    assert!(failure(&frame.group_by([col("x") + lit(1)]).top_k(1, ["x"]), Code::InvalidOption).contains("is no column"));
    let none: [&str; 0] = [];
    assert!(failure(&frame.group_by(["k"]).top_k(1, none), Code::InvalidOption).contains("at least one key"));
}
