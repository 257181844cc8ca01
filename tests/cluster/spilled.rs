//! What workers spill is told where the run was asked for.

use std::time::Duration;

use partita::LocalCluster;
use partita::prelude::*;

use crate::start::{files, here};

#[test]
fn what_workers_spilled_is_in_the_reports() {
    let (_folder, pattern) = files(20, 2_000);
    let cluster = LocalCluster::builder().workers(1).threads_per_worker(1).program(env!("CARGO_BIN_EXE_partita"));
    let cluster = cluster.memory_limit("400MiB").start().expect("the worker starts");
    let client = cluster.connect().expect("the scheduler answers");
    client.wait_for_workers(1, Duration::from_secs(60)).expect("it joins");
    // Forty thousand rows of eight thousand letters.
    let small = DFrame::read_csv_with(&pattern, CsvOptions::new().blocksize("1MiB")).expect("the files are there");
    let large = small.with_columns([(col("k") + lit("abcdefgh".repeat(1_000))).alias("t")]);
    let frame = large.sort(["x", "y"]).group_by(["k"]).agg([col("t").last().alias("t"), len().alias("n")]);
    let computed = client.run(&frame).expect("it fits on the disk");
    assert_eq!(computed.frame.height(), 17);
    assert!(computed.spilled_bytes > 50 << 20, "{}", computed.spilled_bytes);
    assert!(client.spilled_bytes() >= computed.spilled_bytes);
    let told = client.explain_analyze(&frame).expect("it runs once more");
    assert!(told.contains("spilled to disk for want of memory: "), "{told}");
    // What spills nothing says nothing.
    let plain = small.group_by(["k"]).agg([col("x").sum()]);
    let computed = client.run(&plain).expect("it runs");
    assert_eq!((computed.frame.sort(["k"], Default::default()).unwrap(), computed.spilled_bytes), (here(&plain.sort(["k"])), 0));
    assert!(!client.explain_analyze(&plain).expect("it runs").contains("spilled"));
}
