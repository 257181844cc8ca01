//! Workers die while they work; results stay the same bits.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use partita::graph::Key;
use partita::prelude::*;
use partita::{Client, Code, Error};

use crate::start::{Stopped, assert_same, cluster, files, here, job, kill, tries, until, until_replaced};

/// So many chunks are made before somebody dies.
const PART: usize = 8;

/// A run that is half-way: one of two workers has done its part, and the other, which was given something too, stands still, so that the
/// run cannot end meanwhile.
struct HalfWay {
    asked: JoinHandle<Result<DataFrame, Error>>,
    /// The worker that does not work.
    stopped: Stopped,
    /// The process of the one that does.
    working: u32,
    /// What it holds, and nobody else.
    held: Vec<Key>,
    /// How often that was given to a worker.
    tries: usize,
}

impl HalfWay {
    fn reach(client: &Client, frame: &DFrame, round: usize) -> Self {
        let workers = client.scheduler_info().unwrap().workers;
        let (working, other) = (&workers[round % 2], &workers[(round + 1) % 2]);
        let stopped = Stopped::new(other.pid);
        let asked = {
            let (client, frame) = (client.clone(), frame.clone());
            std::thread::spawn(move || client.compute(&frame))
        };
        let mut held = Vec::new();
        until("a part of it is done", || {
            let holding = client.has_what(Some(&working.about.name)).unwrap();
            held = holding.into_iter().flat_map(|(_, chunks)| chunks).map(|(key, _)| key).collect();
            held.len() >= PART
        });
        let tries = tries(client, &held);
        Self { asked, stopped, working: working.pid, held, tries }
    }

    /// The result, after somebody was killed: the run had not ended by then, and what the dead held is made again.
    fn end(self, client: &Client) -> DataFrame {
        assert!(!self.asked.is_finished(), "one worker stands still, and still the run has ended");
        drop(self.stopped);
        let found = self.asked.join().unwrap().expect("the run survives a death");
        let again = tries(client, &self.held) - self.tries;
        assert!(again >= self.held.len(), "{} chunks were lost, and tasks of them were given out {again} times", self.held.len());
        found
    }
}

#[test]
fn a_worker_killed_half_way_changes_nothing() {
    let (_folder, pattern) = files(4, 60_000);
    let (_cluster, client) = cluster(2);
    let frame = job(&pattern);
    let expected = here(&frame);
    for round in 0..3 {
        let run = HalfWay::reach(&client, &frame, round);
        let victim = run.working;
        kill(victim);
        assert_same(&run.end(&client), &expected, &format!("round {round}"));
        until_replaced(&client, victim, 2);
    }
}

#[test]
fn persisted_partitions_are_made_again_when_their_worker_dies() {
    let (_folder, pattern) = files(2, 30_000);
    let (_cluster, client) = cluster(2);
    let frame = DFrame::read_csv_with(&pattern, CsvOptions::new().blocksize("64KiB")).unwrap();
    let kept = frame.persist_on(&client).unwrap();
    let sums = kept.group_by(["k"]).sum();
    let expected = here(&frame.group_by(["k"]).sum());
    assert_same(&client.compute(&sums).unwrap(), &expected, "before");
    let victim = client.scheduler_info().unwrap().workers[0].clone();
    let holders = client.who_has(&kept.keys().unwrap()).unwrap();
    let lost: Vec<Key> = holders.into_iter().filter(|(_, names)| *names == [victim.about.name.clone()]).map(|(key, _)| key).collect();
    let before = tries(&client, &lost);
    assert!(!lost.is_empty(), "both hold some");
    kill(victim.pid);
    assert_same(&client.compute(&sums).unwrap(), &expected, "after");
    until("what it alone held is made again", || tries(&client, &lost) >= before + lost.len());
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
    let (_folder, pattern) = files(2, 60_000);
    let (_cluster, client) = cluster(2);
    let frame = job(&pattern);
    let expected = here(&frame);
    let run = HalfWay::reach(&client, &frame, 0);
    [run.working, run.stopped.pid].into_iter().for_each(kill);
    assert_same(&run.end(&client), &expected, "their nannies start others");
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
