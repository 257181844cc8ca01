//! What a client may order: to cancel, to try again, to spread what is kept.

use std::time::Duration;

use partita::graph::Annotations;
use partita::prelude::*;
use partita::{Code, Keyed, LocalCluster};

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

/// Five blocks, 400 MB where they were not the same everywhere, of each of which a few elements are wanted: a task reads all of them, where memory
/// allows it. Workers of 400 MiB have less than the current client has on most machines, whose keys were looked for once.
#[test]
fn an_array_is_asked_about_by_the_keys_that_it_has_on_the_client_that_is_asked() {
    let cluster = LocalCluster::builder().workers(1).threads_per_worker(1).program(env!("CARGO_BIN_EXE_partita"));
    let cluster = cluster.memory_limit("400MiB").start().expect("the worker starts");
    let client = cluster.connect().expect("the scheduler answers");
    client.wait_for_workers(1, Duration::from_secs(60)).expect("it joins");
    let array = DArray::<f64>::ones([50_000_000], 10_000_000).take([49_999_999, 7, 20_000_000, 10_000_001, 30_000_000], 0);
    let roomy = Client::builder().threads(1).memory_limit("8GiB").set_as_default(false).build().unwrap();
    assert_ne!(array.keys_on(&roomy).unwrap(), array.keys_on(&client).unwrap(), "the plans differ, or it shows nothing");
    let kept = client.persist(&array).unwrap();
    let holders = client.who_has(&array).unwrap();
    assert!(holders.len() == 1 && holders[0].1.len() == 1, "{holders:?}");
    let explained = client.explain_wait(&array).unwrap();
    assert!(explained.len() == 1 && explained[0].contains(": stored at worker "), "{explained:?}");
    assert!(client.story(&array).unwrap().iter().any(|line| line.contains("stored at worker ")));
    drop(kept);
    let sums = &array + 1.0;
    let nowhere = client.annotated(Annotations { resources: [("GPU".to_string(), 1000)].into(), ..Annotations::default() });
    let asked = {
        let sums = sums.clone();
        std::thread::spawn(move || nowhere.compute(&sums))
    };
    until("it waits", || {
        let lines = client.explain_wait(&sums).unwrap();
        lines.iter().any(|line| line.contains(": waits for ") || line.contains(": could run, but not now: "))
    });
    client.cancel(&sums).unwrap();
    let failure = asked.join().unwrap().expect_err("it was cancelled");
    assert_eq!(failure.code, Code::Cancelled, "{failure}");
    assert_eq!(client.retry(&sums).unwrap().sum(), 10.0);
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
