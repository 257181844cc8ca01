//! The scheduler as a process: who is let in, who goes, what is kept, what is answered; over real links with workers that are
//! small enough to be told what to do wrong.

#[path = "scheduler/client.rs"]
mod client_side;
#[path = "scheduler/each.rs"]
mod each;
#[path = "scheduler/fake.rs"]
mod fake;
#[path = "scheduler/large.rs"]
mod large;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fake::*;
use partita_core::protocol::ToScheduler;
use partita_graph::{Code, Executor, Failure, Registry, Run};
use partita_net::client::{self, Remote};
use partita_net::message::{MOST_SHARED, NannyToScheduler, SchedulerToNanny, WorkerToScheduler};
use partita_net::scheduler::{Server, read_file};

const PATIENCE: Duration = Duration::from_secs(20);

fn client(server: &Server) -> Arc<Remote> {
    Remote::connect_to(server.client_address(), client::Options::default(), registry()).expect("a client is let in")
}

fn worker(server: &Server, name: &str, store: &Store) -> Fake {
    Fake::join(&server.client_address(), Ways::new(name), store).expect("a worker is let in")
}

fn numbers(run: &Run) -> Vec<i64> {
    run.wait().expect("it ends well").iter().map(number).collect()
}

fn events(server: &Server) -> String {
    server.snapshot().events.iter().map(|entry| entry.what.clone() + "\n").collect()
}

#[test]
fn a_graph_runs_on_several_workers_and_small_results_come_with_the_answer() {
    let (server, store) = (server(), Store::default());
    let workers = [worker(&server, "a", &store), worker(&server, "b", &store)];
    let client = client(&server);
    client.wait_for_workers(2, PATIENCE).expect("both come");
    assert_eq!(client.threads(), 4);
    let run = client.submit(graph(Act::Number, 100)).expect("sound");
    assert_eq!(numbers(&run), (0..100).collect::<Vec<i64>>());
    assert_eq!(numbers(&client.submit(merge(50)).expect("sound")), [(0..50).sum::<i64>()]);
    assert!(workers.iter().all(|worker| worker.seen.executed.load(Ordering::SeqCst) > 0), "both had work");
    // Reading each other's chunks takes addresses.
    assert!(workers.iter().any(|worker| worker.seen.peers.load(Ordering::SeqCst) > 0));
    drop(run);
    until("what nobody wants is dropped", || client.nbytes().expect("answered").is_empty());
}

#[test]
fn five_that_close_at_once_close_it_once_and_wait_for_that() {
    let (server, store) = (server(), Store::default());
    let worker = worker(&server, "a", &store);
    let client = client(&server);
    client.wait_for_workers(1, PATIENCE).expect("it comes");
    let (place, together) = (server.socket(), std::sync::Barrier::new(5));
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                together.wait();
                server.close();
                assert!(std::net::TcpStream::connect(place).is_err(), "it is closed for whoever closed it");
            });
        }
    });
    assert_eq!(server.wait_timeout(Duration::ZERO).expect("it has ended").expect("it ended well"), "it was closed");
    until("the worker is told", || worker.seen.ended.load(Ordering::SeqCst));
    until("the client is told", || client.is_over());
}

#[test]
fn arguments_that_are_large_together_travel_in_several_messages() {
    let (server, store) = (server(), Store::default());
    let mut ways = Ways::new("a");
    // As many threads as tasks: all are given at once.
    ways.threads = 6;
    let worker = Fake::join(&server.client_address(), ways, &store).expect("let in");
    let client = client(&server);
    client.wait_for_workers(1, PATIENCE).expect("it comes");
    // This worker ends its link when a message has more than 64 MiB.
    let run = client.submit(heavy(6, 12 << 20)).expect("sound");
    assert_eq!(numbers(&run), [12 << 20; 6]);
    assert_eq!(worker.seen.executed.load(Ordering::SeqCst), 6);
    assert!(!worker.seen.ended.load(Ordering::SeqCst));
}

#[test]
fn one_argument_may_be_larger_than_most_messages() {
    let server = server();
    let options = partita_net::worker::Options { name: Some("real".into()), ..partita_net::worker::Options::default() };
    let pool = Arc::new(partita_local::ThreadPool::new(1));
    let worker = partita_net::worker::Worker::start(&server.client_address(), options, pool, registry(), None).expect("it joins");
    let client = client(&server);
    client.wait_for_workers(1, PATIENCE).expect("it comes");
    let before = server.info().workers[0].id;
    assert_eq!(numbers(&client.submit(heavy(1, 70 << 20)).expect("sound")), [70 << 20]);
    assert_eq!(server.info().workers[0].id, before, "it is the same worker still");
    drop(worker);
}

#[test]
fn a_name_belongs_to_one_worker_and_a_reborn_one_gets_it_back() {
    let (server, store) = (server(), Store::default());
    let first = worker(&server, "a", &store);
    let failure = refused(Fake::join(&server.client_address(), Ways::new("a"), &store), Code::DuplicateName);
    assert!(failure.what.contains("`a`"), "{failure}");
    drop(first);
    // As a supervisor would: it tries until the old connection is known to be broken.
    let mut reborn = None;
    until("the name is given to the new process", || {
        reborn = Fake::join(&server.client_address(), Ways::new("a"), &store).ok();
        reborn.is_some()
    });
    let info = server.info();
    assert_eq!(info.workers.iter().map(|worker| worker.about.name.as_str()).collect::<Vec<_>>(), ["a"]);
    assert!(info.workers[0].id.0 > 1, "numbers are not used again");
    assert_eq!(numbers(&client(&server).submit(graph(Act::Number, 3)).expect("sound")), [0, 1, 2]);
}

#[test]
fn a_worker_without_an_operator_and_a_graph_are_kept_apart_and_both_are_named() {
    let (server, store) = (server(), Store::default());
    let mut ways = Ways::new("stock");
    ways.operators = vec!["other".into()];
    let stock = Fake::join(&server.client_address(), ways.clone(), &store).expect("nothing is needed yet");
    let client = client(&server);
    client.wait_for_workers(1, PATIENCE).expect("it comes");
    let failure = refused(client.submit(graph(Act::Number, 1)).expect("sent").wait(), Code::UnknownOperator);
    assert!(failure.what.contains("`stock`") && failure.what.contains("`test.act`"), "{failure}");
    drop(stock);
    until("it is gone", || server.info().workers.is_empty());
    let run = client.submit(graph(Act::Number, 1)).expect("sent");
    until("the graph is there", || server.info().clients[0].runs == 1);
    refused(Fake::join(&server.client_address(), ways, &store), Code::UnknownOperator);
    let _able = worker(&server, "able", &store);
    assert_eq!(numbers(&run), [0]);
}

#[test]
fn garbage_ends_its_own_link_and_nobody_elses() {
    let (server, store) = (server(), Store::default());
    let good = worker(&server, "good", &store);
    let bad = worker(&server, "bad", &store);
    bad.link.send(bytes::Bytes::from_static(&[0xff; 40]));
    until("the bad one is let go", || bad.seen.ended.load(Ordering::SeqCst));
    until("and is not counted any more", || server.info().workers.len() == 1);
    assert!(events(&server).contains("bad"), "{}", events(&server));
    assert_eq!(numbers(&client(&server).submit(graph(Act::Number, 3)).expect("sound")), [0, 1, 2]);
    assert!(!good.seen.ended.load(Ordering::SeqCst));
}

#[test]
fn a_worker_that_dies_without_a_nanny_is_replaced_after_a_moment() {
    let (server, store) = (server(), Store::default());
    let dying = Fake::holding(&server.client_address(), "dying", &store);
    let client = client(&server);
    let run = client.submit(graph(Act::Number, 4)).expect("sound");
    dying.until_it_has(1);
    let _heir = worker(&server, "heir", &store);
    drop(dying);
    let start = Instant::now();
    assert_eq!(numbers(&run), [0, 1, 2, 3]);
    assert!(start.elapsed() < Duration::from_secs(10), "a closed connection is not a silent one");
    until("it is gone", || server.info().workers.len() == 1);
}

#[test]
fn a_nanny_that_saw_the_death_is_believed_at_once() {
    let (server, store) = (server(), Store::default());
    let nanny = FakeNanny::join(&server.client_address(), 7, "watched");
    let mut ways = Ways::new("watched");
    (ways.hold, ways.nanny) = (true, Some(7));
    let incarnation = ways.incarnation;
    let watched = Fake::join(&server.client_address(), ways, &store).expect("let in");
    let client = client(&server);
    let run = client.submit(graph(Act::Number, 4)).expect("sound");
    watched.until_it_has(1);
    let _heir = worker(&server, "heir", &store);
    nanny.say(&NannyToScheduler::Died { incarnation, why: "signal 9".into(), executing: None });
    let start = Instant::now();
    assert_eq!(numbers(&run), [0, 1, 2, 3]);
    assert!(start.elapsed() < Duration::from_millis(1500), "took {:?}", start.elapsed());
    assert!(events(&server).contains("signal 9"), "{}", events(&server));
    // The process lives after all: it learns that it is not counted on.
    until("its link is closed", || watched.seen.ended.load(Ordering::SeqCst));
}

#[test]
fn a_client_that_says_goodbye_releases_at_once_and_one_that_vanishes_after_its_grace() {
    let mut wishes = options();
    wishes.client_grace = Duration::from_millis(300);
    let (server, store) = (Server::start(wishes).expect("a free port"), Store::default());
    let worker = worker(&server, "a", &store);
    let polite = client(&server);
    let run = polite.submit(graph(Act::Number, 5)).expect("sound");
    run.wait_stored().expect("it ends well");
    drop((run, polite));
    until("five chunks are freed", || worker.seen.freed.load(Ordering::SeqCst) == 5);
    until("it is no client any more", || server.info().clients.is_empty());

    let vanishing = Vanishing::connect(&server);
    until("its graph is done", || server.snapshot().machine.runs.iter().any(|run| run.unstored == 0));
    drop(vanishing);
    until("five more are freed", || worker.seen.freed.load(Ordering::SeqCst) == 10);
    until("it is forgotten", || server.info().clients.is_empty());
}

/// A client whose process dies: its sockets close without a goodbye.
struct Vanishing(Option<tokio::runtime::Runtime>);

impl Vanishing {
    fn connect(server: &Server) -> Self {
        use partita_core::protocol::Ending;
        use partita_net::message::{ClientToScheduler, Hello, PeerInfo};
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread");
        let address = server.client_address();
        let (link, events, _) = runtime
            .block_on(async {
                let security = partita_net::security::Security::resolve(&address, partita_net::security::Role::Client, None).await?;
                partita_net::link::connect(&address, &security, Hello::new(PeerInfo::Client { name: "vanishing".into() })).await
            })
            .expect("let in");
        // Its own layer, so that nothing is shared with what was freed before.
        let submit = ClientToScheduler::Submit { run: 1, graph: graph(Act::Number, 5), ending: Ending::Together };
        link.send(partita_net::wire::encode_asked(&submit).expect("sound"));
        runtime.spawn(async move {
            let (_link, mut events) = (link, events);
            while events.recv().await.is_some() {}
        });
        Self(Some(runtime))
    }
}

impl Drop for Vanishing {
    fn drop(&mut self) {
        self.0.take().expect("dropped once").shutdown_background();
    }
}

#[test]
fn published_results_outlive_their_client() {
    let (server, store) = (server(), Store::default());
    let worker = worker(&server, "a", &store);
    let publisher = client(&server);
    let run = publisher.submit(graph(Act::Number, 3)).expect("sound");
    publisher.publish("three", &run, b"meta".to_vec()).expect("the name is free");
    refused(publisher.publish("three", &run, vec![]), Code::DuplicateName);
    run.wait_stored().expect("it ends well");
    drop((run, publisher));
    let reader = client(&server);
    assert_eq!(reader.datasets().expect("answered"), ["three"]);
    let (meta, graph) = reader.dataset("three").expect("it is there");
    assert_eq!(meta, b"meta");
    let run = reader.submit(graph).expect("sound");
    run.wait_stored().expect("it is there already");
    assert_eq!(worker.seen.executed.load(Ordering::SeqCst), 3, "nothing ran twice");
    let failure = refused(reader.dataset("four"), Code::InvalidOption);
    assert!(failure.to_string().contains("three"), "{failure}");
    reader.unpublish("three").expect("it is there");
    refused(reader.unpublish("three"), Code::InvalidOption);
    drop(run);
    until("nobody wants it now", || worker.seen.freed.load(Ordering::SeqCst) == 3);
}

#[test]
fn retired_workers_hand_over_and_are_told_to_end() {
    let (server, store) = (server(), Store::default());
    let workers = [worker(&server, "a", &store), worker(&server, "b", &store)];
    let client = client(&server);
    client.wait_for_workers(2, PATIENCE).expect("both come");
    let run = client.submit(graph(Act::Number, 20)).expect("sound");
    run.wait_stored().expect("it ends well");
    let failure = refused(client.retire_workers(&["c"]), Code::InvalidOption);
    assert!(failure.to_string().contains("a, b"), "{failure}");
    assert_eq!(client.retire_workers(&["a"]).expect("b takes over"), ["a"]);
    // The client may hear of it first.
    until("it is told to end", || workers[0].seen.closed.lock().unwrap().is_some());
    assert_eq!(workers[0].seen.closed.lock().unwrap().as_ref().map(|(_, restart)| *restart), Some(false));
    let held: Vec<(String, usize)> = client.has_what(None).expect("answered").into_iter().map(|(name, keys)| (name, keys.len())).collect();
    assert_eq!(held, [("b".to_owned(), 20)]);
    assert_eq!(workers.iter().map(|worker| worker.seen.executed.load(Ordering::SeqCst)).sum::<usize>(), 20, "nothing ran twice");
    refused(client.retire_workers(&["b"]), Code::NoWorkers);
    assert_eq!(numbers(&run).len(), 20);
}

#[test]
fn a_retirement_has_its_time_and_who_stays_serves_again() {
    let (server, store) = (server(), Store::default());
    let slow = Fake::holding(&server.client_address(), "slow", &store);
    let client = client(&server);
    client.wait_for_workers(1, PATIENCE).expect("it comes");
    let run = client.submit(graph(Act::Number, 1)).expect("sound");
    slow.until_it_has(1);
    let key = slow.seen.held.lock().unwrap()[0].key;
    let _other = worker(&server, "other", &store);
    client.wait_for_workers(2, PATIENCE).expect("it comes");
    let failure = refused(client.retire_workers_within(&["slow"], Duration::from_millis(200)), Code::NoWorkers);
    for piece in ["`slow`", "its time is over", "still runs 1 task", &key.to_string()] {
        assert!(failure.to_string().contains(piece), "{piece} is not in {failure}");
    }
    let retiring = || server.info().workers.iter().any(|worker| worker.retiring);
    assert!(!retiring(), "it serves again");
    // Who has more patience keeps the worker going when another's is over.
    let patient = {
        let client = client.clone();
        std::thread::spawn(move || client.retire_workers(&["slow"]))
    };
    until("it is asked to go", retiring);
    let failure = refused(client.retire_workers_within(&["slow"], Duration::from_millis(100)), Code::NoWorkers);
    assert!(failure.to_string().contains("its time is over"), "{failure}");
    assert!(retiring(), "somebody waits for it still");
    slow.let_run();
    assert_eq!(patient.join().expect("no panic").expect("it goes"), ["slow"]);
    assert_eq!(numbers(&run), [0]);
}

#[test]
fn a_retirement_has_its_time_though_who_wanted_it_has_left() {
    use partita_net::message::{ClientToScheduler, Hello, PeerInfo, Question};
    use partita_net::security::{Role, Security};
    let (server, store) = (server(), Store::default());
    let slow = Fake::holding(&server.client_address(), "slow", &store);
    let client = client(&server);
    client.wait_for_workers(1, PATIENCE).expect("it comes");
    let _run = client.submit(graph(Act::Number, 1)).expect("sound");
    slow.until_it_has(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread");
    let retiring = || server.info().workers.iter().any(|worker| worker.retiring);
    let _leaver = runtime.block_on(async {
        let address = server.client_address();
        let security = Security::resolve(&address, Role::Client, None).await.expect("plain");
        let hello = Hello::new(PeerInfo::Client { name: "leaver".into() });
        let (link, events, _) = partita_net::link::connect(&address, &security, hello).await.expect("let in");
        let what = Question::Retire { names: vec!["slow".into()], within: 1_000_000 };
        for said in [ClientToScheduler::Ask { query: 1, what }, ClientToScheduler::Goodbye] {
            link.send(partita_net::wire::encode_asked(&said).expect("sound"));
        }
        (link, events)
    });
    until("it is asked to go", retiring);
    until("it serves again", || !retiring());
}

#[test]
fn a_worker_that_may_go_in_the_middle_of_what_it_says_ends_nobody() {
    let (server, store) = (server(), Store::default());
    let leaver = Fake::holding(&server.client_address(), "leaver", &store);
    let client = client(&server);
    client.wait_for_workers(1, PATIENCE).expect("it comes");
    let run = client.submit(graph(Act::Number, 1)).expect("sound");
    leaver.until_it_has(1);
    let (key, attempt) = leaver.seen.held.lock().unwrap().first().map(|held| (held.key, held.attempt)).expect("just seen");
    let _other = worker(&server, "other", &store);
    client.wait_for_workers(2, PATIENCE).expect("it comes");
    let retiring = {
        let client = client.clone();
        std::thread::spawn(move || client.retire_workers(&["leaver"]))
    };
    until("it is asked to go", || server.info().workers.iter().any(|worker| worker.retiring));
    // With the first of these it may go, and the second comes from nobody.
    let failed = ToScheduler::Failed { key, attempt, failure: Failure::new(Code::UserFunction, "it cannot be done") };
    let memory = ToScheduler::Memory { managed: 0, spilled: 0, spilled_total: 0, paused: false, rss: 1 };
    leaver.say(&WorkerToScheduler::Machine(vec![failed, memory]));
    assert_eq!(retiring.join().expect("no panic").expect("it goes"), ["leaver"]);
    refused(run.wait(), Code::UserFunction);
    assert_eq!(numbers(&client.submit(graph(Act::Number, 3)).expect("sound")), [0, 1, 2]);
}

#[test]
fn what_clients_share_is_known_before_their_tasks() {
    let (server, store) = (server(), Store::default());
    let early = worker(&server, "early", &store);
    let client = client(&server);
    client.wait_for_workers(1, PATIENCE).expect("it comes");
    client.share("first", b"old".to_vec()).expect("small");
    client.share("first", b"new".to_vec()).expect("small");
    client.share("second", b"hush".to_vec()).expect("small");
    // Messages of one scheduler come in order, so with the result of a task everything said before it is there.
    let run = client.submit(graph(Act::Number, 1)).expect("sound");
    run.wait_stored().expect("it ends well");
    let late = worker(&server, "late", &store);
    client.wait_for_workers(2, PATIENCE).expect("it comes");
    client.submit(graph(Act::Number, 10)).expect("sound").wait_stored().expect("it ends well");
    until("the late one is told", || late.seen.shared.lock().unwrap().len() == 2);
    for worker in [&early, &late] {
        let shared = worker.seen.shared.lock().unwrap();
        assert_eq!((shared["first"].as_slice(), shared["second"].as_slice()), (b"new".as_slice(), b"hush".as_slice()));
    }
    refused(client.share("large", vec![0; MOST_SHARED + 1]), Code::TooLarge);
    refused(client.share(&"n".repeat(2_000), vec![]), Code::TooLarge);
}

#[test]
fn a_worker_that_asks_to_go_is_let_go() {
    let (server, store) = (server(), Store::default());
    let old = worker(&server, "old", &store);
    let _new = worker(&server, "new", &store);
    old.say(&WorkerToScheduler::Retire);
    until("it is told to end", || old.seen.closed.lock().unwrap().is_some());
    until("it is gone", || server.info().workers.len() == 1);
    let leaver = worker(&server, "leaver", &store);
    leaver.say(&WorkerToScheduler::Left);
    until("it is gone", || server.info().workers.len() == 1);
}

#[test]
fn restart_cancels_every_clients_runs_and_waits_for_nannies() {
    let (server, store) = (server(), Store::default());
    let nanny = FakeNanny::join(&server.client_address(), 9, "w");
    let mut ways = Ways::new("w");
    (ways.hold, ways.nanny) = (true, Some(9));
    let first = Fake::join(&server.client_address(), ways.clone(), &store).expect("let in");
    let clients = [client(&server), client(&server)];
    let runs: Vec<Run> = clients.iter().map(|client| client.submit(graph(Act::Number, 3)).expect("sound")).collect();
    first.until_it_has(1);
    let restarting = {
        let client = clients[0].clone();
        std::thread::spawn(move || client.restart())
    };
    for run in &runs {
        refused(run.wait(), Code::Cancelled);
    }
    let wanted = SchedulerToNanny::Restart { incarnation: ways.incarnation };
    until("the nanny is told", || nanny.told.lock().unwrap().contains(&wanted));
    assert!(!restarting.is_finished());
    nanny.say(&NannyToScheduler::Died { incarnation: ways.incarnation, why: "restarted".into(), executing: Some(vec![]) });
    drop(first);
    until("the name is free", || server.info().workers.is_empty());
    (ways.hold, ways.incarnation) = (false, 1);
    let _second = Fake::join(&server.client_address(), ways, &store).expect("let in");
    restarting.join().expect("no panic").expect("the worker is back");
    // Handles of before are dropped after the same work was submitted again: they must not take it away.
    let again = clients[1].submit(graph(Act::Number, 3)).expect("sound");
    drop(runs);
    assert_eq!(numbers(&again), [0, 1, 2]);
}

#[test]
fn workers_look_for_paths_and_those_that_are_silent_are_not_waited_for() {
    let (server, store) = (server(), Store::default());
    let mut ways = Ways::new("b");
    ways.missing = Some(vec!["/data/x".into()]);
    let _workers = [worker(&server, "a", &store), Fake::join(&server.client_address(), ways, &store).expect("let in")];
    let client = client(&server);
    client.wait_for_workers(2, PATIENCE).expect("both come");
    let paths = || vec!["/data/x".to_owned(), "/data/y".to_owned()];
    assert_eq!(client.check_paths(paths()).expect("answered"), (vec![("/data/x".to_owned(), vec!["b".to_owned()])], 2));
    let mut ways = Ways::new("mute");
    ways.missing = None;
    let _mute = Fake::join(&server.client_address(), ways, &store).expect("let in");
    client.wait_for_workers(3, PATIENCE).expect("it comes");
    let start = Instant::now();
    assert_eq!(client.check_paths(paths()).expect("answered").1, 2);
    assert!(start.elapsed() < Duration::from_secs(9));
}

#[test]
fn the_scheduler_file_is_there_while_the_scheduler_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scheduler.json");
    let mut wishes = options();
    wishes.scheduler_file = Some(path.clone());
    let server = Server::start(wishes).expect("a free port");
    let client = Remote::connect(&read_file(&path).expect("written"), client::Options::default(), registry()).expect("it leads there");
    assert_eq!(client.info().expect("answered").address, server.address());
    server.close();
    assert!(!path.exists());
    let failure = refused(client.info(), Code::Disconnected);
    assert!(failure.what.contains("it was closed"), "{failure}");
    refused(client.submit(graph(Act::Number, 1)), Code::Disconnected);
}

#[test]
fn a_taken_port_is_an_error() {
    let server = server();
    let mut wishes = options();
    wishes.port = server.socket().port();
    refused(Server::start(wishes), Code::PortTaken);
}

#[test]
fn a_client_can_end_the_cluster_and_idleness_does() {
    let (server, store) = (server(), Store::default());
    let worker = worker(&server, "a", &store);
    let client = client(&server);
    let run = client.submit(graph(Act::Number, 1)).expect("sound");
    run.wait_stored().expect("it ends well");
    client.shutdown().expect("answered");
    assert_eq!(server.wait().expect("nothing broke"), "a client asked for it");
    until("the worker is told", || worker.seen.closed.lock().unwrap().is_some());
    assert_eq!(numbers(&run), [0], "what came with the answer stays");

    let mut wishes = options();
    wishes.idle_timeout = Some(Duration::from_millis(200));
    let idle = Server::start(wishes).expect("a free port");
    assert!(idle.wait().expect("nothing broke").contains("idle timeout"));
}

#[test]
fn what_is_asked_about_workers_that_are_not_there() {
    let server = server();
    let client = client(&server);
    assert_eq!(client.threads(), 1, "work can be planned before workers come");
    let failure = refused(client.wait_for_workers(2, Duration::from_millis(50)), Code::NoWorkers);
    assert!(failure.what.contains("0 of 2"), "{failure}");
    let run = client.submit(graph(Act::Number, 1)).expect("sound");
    let key = graph(Act::Number, 1).wanted[0];
    until("the question is understood", || client.explain_wait(key).expect("answered").join("\n").contains("no worker"));
    until("a run without workers says so", || !run.notes().is_empty());
    let _worker = worker(&server, "late", &Store::default());
    assert_eq!(numbers(&run), [0]);
    assert!(client.story(key).expect("answered").join("\n").contains("late"), "{:?}", client.story(key));
    refused(client.has_what(Some("nobody")), Code::InvalidOption);
}

#[test]
fn a_panic_in_a_task_and_a_value_that_cannot_be_decoded_end_one_run_only() {
    let (server, store) = (server(), Store::default());
    let _worker = worker(&server, "a", &store);
    let client = client(&server);
    let good = client.submit(graph(Act::Number, 10)).expect("sound");
    refused(client.submit(graph(Act::Panic, 1)).expect("sound").wait(), Code::Panicked);
    let alien = client.submit(graph(Act::Alien, 1)).expect("sound");
    alien.wait_stored().expect("it was made");
    let failure: Failure = alien.wait().expect_err("nobody can read it");
    assert!(failure.to_string().contains("alien"), "{failure}");
    assert_eq!(numbers(&good).len(), 10);
    let stranger = Remote::connect_to(server.client_address(), client::Options::default(), Registry::default()).expect("let in");
    assert_eq!(stranger.submit(graph(Act::Number, 2)).expect("sound").wait().expect("graph's own kinds").len(), 2);
}
