//! What a client may order: to cancel, to try again, to spread what is kept.

use std::time::Duration;

use partita::Code;
use partita::prelude::*;

use crate::start::{cluster, files, here, job, until};

#[test]
fn what_waits_is_cancelled_by_its_keys() {
    let (cluster, client) = cluster(1);
    cluster.scale(0);
    until("the worker is gone", || client.scheduler_info().unwrap().workers.is_empty());
    let frame = DFrame::from_polars(df!("x" => [1i64, 2, 3]).unwrap(), 3).sum();
    let other = DFrame::from_polars(df!("x" => [4i64, 5, 6]).unwrap(), 3).sum();
    let wait_for = |frame: &DFrame| {
        let (client, frame) = (client.clone(), frame.clone());
        std::thread::spawn(move || client.compute(&frame))
    };
    let (cancelled, kept) = (wait_for(&frame), wait_for(&other));
    let array = DArray::arange(0i64, 6, 1, 2) + 1;
    let blocks = {
        let (client, array) = (client.clone(), array.clone());
        std::thread::spawn(move || client.compute(&array))
    };
    let runs = || client.scheduler_info().unwrap().clients.iter().map(|client| client.runs).sum::<u32>();
    until("all wait", || runs() == 3);
    client.cancel(&frame.keys().unwrap()).unwrap();
    let failure = cancelled.join().unwrap().expect_err("it was cancelled");
    assert_eq!(failure.code, Code::Cancelled, "{failure}");
    client.cancel(&array).unwrap();
    let failure = blocks.join().unwrap().expect_err("it was cancelled");
    assert_eq!(failure.code, Code::Cancelled, "{failure}");
    cluster.scale(1);
    assert_eq!(kept.join().unwrap().expect("nobody cancelled it"), df!("x" => [15i64]).unwrap());
}

#[test]
fn a_frame_that_failed_is_tried_again() {
    let (folder, pattern) = files(2, 5_000);
    let (_cluster, client) = cluster(1);
    let frame = job(&pattern);
    let expected = here(&frame);
    let rows = DFrame::read_csv_with(&pattern, CsvOptions::new().blocksize("64KiB")).expect("the files are there");
    let (file, away) = (folder.path().join("1.csv"), folder.path().join("away"));
    std::fs::rename(&file, &away).unwrap();
    let failure = client.compute(&frame).expect_err("a file is missing");
    assert!(matches!(failure.code, Code::NoSuchFile | Code::Unreadable), "{failure}");
    assert!(failure.to_string().contains("1.csv"), "{failure}");
    let parts = rows.to_delayed().unwrap();
    let (first, last) = (&parts[0], parts.last().unwrap());
    let failure = client.compute(&(first, last)).expect_err("a file is missing");
    assert!(failure.to_string().contains("1.csv"), "{failure}");
    std::fs::rename(&away, &file).unwrap();
    assert!(client.retry(&frame).expect("the file is back").equals_missing(&expected));
    assert!(client.retry(last).expect("the file is back").height() > 0);
}

#[test]
fn what_is_kept_is_spread_over_workers_that_come_later() {
    // 160 MB, for small differences are left alone.
    let (_folder, pattern) = files(4, 5_000);
    let (cluster, client) = cluster(1);
    let small = DFrame::read_csv_with(&pattern, CsvOptions::new().blocksize("16KiB")).unwrap();
    let kept = small.with_columns([(col("k") + lit("abcdefgh".repeat(1_000))).alias("t")]).persist_on(&client).unwrap();
    let bytes = || client.nbytes().unwrap().iter().map(|(_, _, bytes)| bytes).sum::<u64>();
    let sums = |frame: &DFrame| frame.group_by(["k"]).agg([col("x").sum()]).sort(["k"]);
    let (before, expected) = (bytes(), here(&sums(&small)));
    cluster.scale(2);
    client.wait_for_workers(2, Duration::from_secs(60)).unwrap();
    let holders = || client.has_what(None).unwrap().iter().filter(|(_, held)| !held.is_empty()).count();
    assert_eq!(holders(), 1);
    client.rebalance().unwrap();
    until("both hold something", || holders() == 2);
    assert_eq!(bytes(), before, "copies are not counted, and nothing is lost");
    assert!(client.compute(&sums(&kept)).unwrap().equals_missing(&expected));
}
