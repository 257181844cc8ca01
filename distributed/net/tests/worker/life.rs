//! How workers come and go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use partita_graph::{Code, Executor, Graph, Layer, OpRef, Registry};
use partita_local::ThreadPool;
use partita_net::address::Address;
use partita_net::security::ServerSecurity;
use partita_net::worker::recorder::Record;
use partita_net::worker::{Exit, Options, Worker};

use crate::cluster::{Cluster, connect, options, server, start};
use crate::graphs::{digests, until};
use crate::operators::{Trap, Work, ran, registry, work};

fn slow(test: u64, len: u32, millis: u64) -> Graph {
    let mut graph = Graph::default();
    let slow = graph.add(work("slow", len, Work { test, stage: 0, millis, bytes: 20_000, parts: 0 }, vec![]));
    graph.want_all(slow);
    graph
}

fn join(address: &Address, options: Options) -> Result<Worker, partita_graph::Failure> {
    Worker::start(address, options, Arc::new(ThreadPool::new(1)), registry(), None)
}

#[test]
fn a_worker_that_retires_leaves_its_data_behind() {
    let mut cluster = Cluster::new(ServerSecurity::plain(None), 2, 1);
    let run = cluster.client.submit(slow(201, 8, 5)).expect("sound");
    run.wait_stored().expect("fine");
    let going = cluster.workers.remove(0);
    going.worker.retire();
    assert_eq!(going.worker.wait(), Exit::Left);
    let results = digests(&run.wait().expect("the other one has everything"));
    assert_eq!(results.len(), 8);
    assert_eq!(ran(201).len(), 8, "nothing was made again");
}

#[test]
fn a_lifetime_ends() {
    let cluster = Cluster::with(ServerSecurity::plain(None), vec![(1, options("stays"))]);
    let short = start(&cluster.server, 1, Options { lifetime: Some(Duration::from_millis(300)), ..options("short") });
    assert_eq!(short.worker.wait(), Exit::LifetimeOver);
    assert_eq!(cluster.client.info().expect("answered").workers.len(), 1);
}

#[test]
fn the_scheduler_closes_its_workers() {
    let mut cluster = Cluster::new(ServerSecurity::plain(None), 1, 1);
    let worker = cluster.workers.remove(0);
    cluster.client.shutdown().expect("it ends");
    match worker.worker.wait() {
        Exit::Closed { restart: false, .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_worker_that_cannot_hear_any_more_ends_and_is_to_be_replaced() {
    let mut cluster = Cluster::new(ServerSecurity::plain(None), 1, 1);
    let worker = cluster.workers.remove(0);
    let mut graph = Graph::default();
    let trap = graph.add(Layer::single("trap", 1, OpRef::new(Trap, "trap"), vec![]));
    graph.want_all(trap);
    let _run = cluster.client.submit(graph).expect("sound");
    let (said, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || said.send(worker.worker.wait()));
    match heard.recv_timeout(Duration::from_secs(30)).expect("it ends") {
        Exit::Closed { reason, restart: true } => assert!(reason.contains("does not hear"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_scheduler_a_worker_gives_up_after_the_death_timeout() {
    let nobody = Address::new(partita_net::address::Scheme::Plain, "127.0.0.1", 1);
    let started = Instant::now();
    let failure =
        join(&nobody, Options { death_timeout: Duration::from_millis(400), ..options("lonely") }).map(drop).expect_err("nobody is there");
    assert_eq!(failure.code, Code::Unreachable);
    assert!(started.elapsed() >= Duration::from_millis(200) && started.elapsed() < Duration::from_secs(8));
}

#[test]
fn a_worker_waits_for_a_scheduler_that_starts_later() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(400));
        let options = partita_net::scheduler::Options { port, ..partita_net::scheduler::Options::new(ServerSecurity::plain(None)) };
        partita_net::scheduler::Server::start(options).expect("the port is free again")
    });
    let worker = join(&Address::new(partita_net::address::Scheme::Plain, "127.0.0.1", port), options("early")).expect("it waits");
    let server = later.join().expect("no panic");
    assert_eq!(connect(&server).info().expect("answered").workers.len(), 1);
    drop(worker);
}

#[test]
fn names_are_unique_and_a_refusal_is_final() {
    let server = server(ServerSecurity::plain(None));
    let _first = start(&server, 1, options("same"));
    let failure = join(&server.client_address(), options("same")).map(drop).expect_err("the name is taken");
    assert_eq!(failure.code, Code::DuplicateName, "{failure}");
}

#[test]
fn an_operator_that_a_worker_lacks_is_named() {
    let server = server(ServerSecurity::plain(None));
    let bare = Worker::start(&server.client_address(), options("bare"), Arc::new(ThreadPool::new(1)), Registry::default(), None);
    // Either it is not let in, or the task says what is missing.
    let failure = match bare {
        Err(failure) => failure,
        Ok(_worker) => connect(&server).submit(slow(202, 1, 0)).and_then(|run| run.wait().map(drop)).expect_err("it is not there"),
    };
    assert!(matches!(failure.code, Code::UnknownOperator | Code::VersionMismatch), "{failure}");
    assert!(failure.to_string().contains("test.work"), "{failure}");
}

#[test]
fn the_recorder_shows_what_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recorder");
    let cluster = Cluster::with(ServerSecurity::plain(None), vec![(1, Options { recorder: Some(path.clone()), ..options("seen") })]);
    let run = cluster.client.submit(slow(203, 1, 600)).expect("sound");
    until(|| Record::read(&path).is_ok_and(|record| !record.executing.is_empty() && record.beats > 1));
    let record = Record::read(&path).expect("read");
    assert_eq!((record.executing[0].name.as_str(), record.executing[0].attempt), ("slow", 1));
    assert!(record.rss > 0 && record.peak >= record.rss);
    run.wait().expect("fine");
    until(|| Record::read(&path).is_ok_and(|record| record.executing.is_empty()));
}

#[test]
fn paths_are_looked_up_where_tasks_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::new(ServerSecurity::plain(None), 2, 1);
    let there = folder.path().to_str().expect("text").to_owned();
    let missing = format!("{there}/missing.csv");
    let found = cluster.client.check_paths(vec![there, missing.clone(), "s3://bucket/key".into()]).expect("answered");
    assert_eq!(found.0.len(), 1, "{found:?}");
    assert_eq!((found.0[0].0.as_str(), found.0[0].1.len()), (missing.as_str(), 2));
}

#[test]
fn cancelling_reaches_tasks_that_run() {
    let cluster = Cluster::new(ServerSecurity::plain(None), 1, 1);
    let run = cluster.client.submit(slow(204, 3, 60_000)).expect("sound");
    until(|| ran(204).len() == 1);
    run.cancel();
    assert_eq!(run.wait().map(drop).expect_err("cancelled").code, Code::Cancelled);
    until(|| cluster.workers[0].worker.snapshot().running == 0);
    assert_eq!(ran(204).len(), 1);
}
