//! Tasks on the partitions and groups of frames.

use partita::polars::prelude::*;
use partita::{Code, DFrame};

use crate::Case;
use crate::everywhere::{check, clients, cluster};
use crate::functions::*;

pub const CASES: &[Case] = &[
    ("partitions_are_given_to_tasks", partitions_are_given_to_tasks),
    ("neighbours_come_along", neighbours_come_along),
    ("groups_are_given_whole", groups_are_given_whole),
    ("frames_are_reduced_to_a_value", frames_are_reduced_to_a_value),
    ("closures_are_told_what_to_use", closures_are_told_what_to_use),
];

fn frame(partitions: usize) -> DFrame {
    let k = (0..12i64).map(|i| i % 3).collect::<Vec<_>>();
    DFrame::from_polars(df!("k" => k, "x" => (0..12i64).collect::<Vec<_>>()).expect("columns"), partitions)
}

/// Computes on every client; rows in order of `by`.
fn same_everywhere(found: &DFrame, expected: &DataFrame, by: &str) {
    for (name, client) in clients() {
        let computed = found.compute_on(&client).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert_eq!(computed.frame.sort([by], SortMultipleOptions::default()).expect("it is a column"), *expected, "{name}");
    }
}

fn partitions_are_given_to_tasks() {
    for partitions in [1, 2, 5] {
        let frame = frame(partitions);
        let found = frame.map_partitions_task(evens, frame.schema().expect("sound"));
        let expected = df!("k" => [0i64, 2, 1, 0, 2, 1], "x" => [0i64, 2, 4, 6, 8, 10]).expect("columns");
        same_everywhere(&found, &expected, "x");
    }
    let announced = Schema::from_iter([("y".into(), DataType::Int64)]);
    let failure = frame(2).map_partitions_task(evens, announced).compute_on(cluster()).expect_err("it is k and x");
    assert_eq!(failure.code, Code::SchemaMismatch);
}

fn neighbours_come_along() {
    let expected = df!("x" => (0..12i64).map(|x| (x >= 3).then_some(3)).collect::<Vec<_>>()).expect("a column");
    for partitions in [1, 2, 5, 12] {
        let x = frame(partitions).select(["x"]);
        let found = x.map_overlap_task(3, 0, steps_of_three, x.schema().expect("sound"));
        for (name, client) in clients() {
            assert_eq!(found.compute_on(&client).expect("sound").frame, expected, "{name}, {partitions} partitions");
        }
        let shorter = x.map_overlap_task(1, 1, evens, x.schema().expect("sound")).compute_on(cluster()).expect_err("half of the rows");
        assert_eq!(shorter.code, Code::UserFunction);
    }
}

fn groups_are_given_whole() {
    for partitions in [1, 2, 5] {
        let frame = frame(partitions);
        let schema = Schema::from_iter([("k".into(), DataType::Int64), ("rows".into(), DataType::Int64)]);
        let found = frame.group_by(["k"]).apply(counted, schema);
        same_everywhere(&found, &df!("k" => [0i64, 1, 2], "rows" => [4i64, 4, 4]).expect("columns"), "k");
    }
    let none = frame(3).filter(partita::polars::prelude::col("x").gt(lit(100)));
    let schema = Schema::from_iter([("k".into(), DataType::Int64), ("rows".into(), DataType::Int64)]);
    assert_eq!(none.group_by(["k"]).apply(counted, schema).compute_on(cluster()).expect("sound").frame.shape(), (0, 2));
}

fn frames_are_reduced_to_a_value() {
    // More partitions than are combined at a time.
    for partitions in [1, 2, 12] {
        check(&frame(partitions).reduce(sum_of_x, total, double), &132);
    }
    let many = DFrame::from_polars(df!("x" => (0..300i64).collect::<Vec<_>>()).expect("a column"), 300);
    check(&many.reduce(sum_of_x, total, double), &(299 * 300));
}

fn closures_are_told_what_to_use() {
    let refused = frame(2).map_overlap(1, 0, Ok).compute_on(cluster()).expect_err("it cannot be sent");
    assert_eq!(refused.code, Code::ClosureOnCluster);
    assert_eq!(frame(3).map_overlap(1, 2, Ok).compute_on(&clients()[0].1).expect("sound").frame.height(), 12);
}
