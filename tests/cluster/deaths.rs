//! Workers die while they work; results stay the same bits.

use std::time::{Duration, Instant};

use partita::Code;
use partita::prelude::*;

use crate::start::{cluster, files, here, job, kill, until};

#[test]
fn a_worker_killed_half_way_changes_nothing() {
    let (_folder, pattern) = files(4, 60_000);
    let (cluster, client) = cluster(2);
    let frame = job(&pattern);
    let expected = here(&frame);
    for round in 0..3 {
        let victim = cluster.worker_pids()[round % 2];
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(15 * (round as u64 + 1)));
            kill(victim);
        });
        let found = client.compute(&frame).expect("the run survives a death");
        killer.join().unwrap();
        assert!(found.equals_missing(&expected), "round {round}: {found} is not {expected}");
        until("the worker is back", || cluster.worker_pids()[round % 2] != 0 && cluster.worker_pids()[round % 2] != victim);
        client.wait_for_workers(2, Duration::from_secs(60)).unwrap();
    }
}

#[test]
fn persisted_partitions_are_made_again_when_their_worker_dies() {
    let (_folder, pattern) = files(2, 30_000);
    let (cluster, client) = cluster(2);
    let frame = DFrame::read_csv_with(&pattern, CsvOptions::new().blocksize("64KiB")).unwrap();
    let kept = frame.persist_on(&client).unwrap();
    let sums = kept.group_by(["k"]).sum();
    let expected = here(&frame.group_by(["k"]).sum());
    assert!(client.compute(&sums).unwrap().equals_missing(&expected));
    kill(cluster.worker_pids()[0]);
    assert!(client.compute(&sums).unwrap().equals_missing(&expected));
}

#[test]
fn without_workers_a_run_waits_and_says_so() {
    let (cluster, client) = cluster(1);
    cluster.scale(0);
    until("the worker is gone", || client.scheduler_info().unwrap().workers.is_empty());
    let frame = DFrame::from_polars(df!("x" => [1i64, 2, 3]).unwrap(), 3).sum();
    let asked = {
        let (client, frame) = (client.clone(), frame.clone());
        std::thread::spawn(move || client.run(&frame))
    };
    std::thread::sleep(Duration::from_millis(5_700));
    cluster.scale(1);
    let computed = asked.join().unwrap().expect("it runs once a worker is there");
    assert_eq!(computed.frame, df!("x" => [6i64]).unwrap());
    assert!(computed.notes.iter().any(|note| note.contains("no worker")), "{:?}", computed.notes);
}

#[test]
fn all_workers_dead_at_once_is_no_end() {
    let (_folder, pattern) = files(2, 30_000);
    let (cluster, client) = cluster(2);
    let frame = job(&pattern);
    let expected = here(&frame);
    let pids = cluster.worker_pids();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        pids.into_iter().for_each(kill);
    });
    let found = client.compute(&frame).expect("their nannies start others");
    killer.join().unwrap();
    assert!(found.equals_missing(&expected));
}

#[test]
fn a_scheduler_that_is_gone_is_a_failure_and_no_hang() {
    let (cluster, client) = cluster(1);
    let frame = DFrame::from_polars(df!("x" => [1i64]).unwrap(), 1).sum();
    assert_eq!(client.compute(&frame).unwrap().height(), 1);
    drop(cluster);
    let begun = Instant::now();
    let failure = client.compute(&frame).expect_err("nobody is there to run it");
    assert_eq!(failure.code, Code::Disconnected, "{failure}");
    assert!(begun.elapsed() < Duration::from_secs(60), "it took {:?}", begun.elapsed());
}
