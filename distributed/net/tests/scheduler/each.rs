//! Runs whose keys end one by one, over real links: each key has its own end and its own interest, and many of them are few
//! messages.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use partita_core::protocol::Ending;
use partita_graph::{Annotations, Chunk, Code, Edge, Executor, Failure, Graph, KeyStatus, Layer, OpRef, Plain, RunEach, Wiring};
use partita_local::ThreadPool;
use partita_net::client::{Options, Remote};
use partita_net::link::LinkEvent;
use partita_net::message::{ClientToScheduler, Hello, PeerInfo, SchedulerToClient};
use partita_net::scheduler::Server;
use partita_net::security::{Role, Security};
use partita_net::wire;
use partita_net::worker::{self, Worker};

use crate::fake::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn client(server: &Server) -> Arc<Remote> {
    Remote::connect_to(server.client_address(), Options::default(), registry()).expect("a client is let in")
}

fn real_worker(server: &Server, name: &str) -> Worker {
    let options = worker::Options { name: Some(name.into()), threads: 2, check: true, ..worker::Options::default() };
    Worker::start(&server.client_address(), options, Arc::new(ThreadPool::new(2)), registry(), None).expect("a worker is let in")
}

/// `len` numbers; a task that panics; and one that reads it.
fn mixed(len: u32) -> Graph {
    let mut graph = graph(Act::Number, len);
    let bad = graph.add(layer(Act::Panic, 1));
    let edge = Edge { layer: bad, wiring: Wiring::Each };
    let reader = graph.add(Layer::single("sum", 1, OpRef::new(Act::Sum, "sum"), vec![edge]));
    graph.want_all(bad);
    graph.want_all(reader);
    graph
}

/// A layer that no worker may run.
fn nobodys() -> Layer {
    let wishes = Annotations { workers: vec!["nobody".into()], ..Annotations::default() };
    Layer { annotations: Some(Arc::new(wishes)), ..Layer::single("nobody's", 2, OpRef::new(Act::Large, "act"), vec![]) }
}

fn numbers(results: Vec<Result<Chunk, Failure>>) -> Vec<i64> {
    results.iter().map(|result| number(result.as_ref().expect("it ends well"))).collect()
}

fn size(result: Result<Chunk, Failure>) -> (usize, u8) {
    let chunk = result.expect("it ends well");
    let bytes = &chunk.get::<Plain<Vec<u8>>>().expect("bytes").0;
    (bytes.len(), bytes[0])
}

fn cancelled(run: &RunEach, index: usize) -> bool {
    run.status(index) == KeyStatus::Cancelled && run.wait_key(index).is_err_and(|failure| failure.code == Code::Cancelled)
}

#[test]
fn each_key_has_its_own_end() {
    let (server, store) = (server(), Store::default());
    let _worker = Fake::join(&server.client_address(), Ways::new("a"), &store).expect("let in");
    let client = client(&server);
    let run = client.submit_each(mixed(5)).expect("sound");
    let (sender, receiver) = mpsc::channel();
    run.on_key_end(Box::new(move |at, end| sender.send((at, end.is_ok())).expect("heard")));
    let mut told: Vec<(usize, bool)> = (0..7).map(|_| receiver.recv_timeout(PATIENCE).expect("each is told")).collect();
    told.sort_unstable();
    assert_eq!(told, [(0, true), (1, true), (2, true), (3, true), (4, true), (5, false), (6, false)]);
    run.wait_all().expect("all have ended");
    assert_eq!(numbers(run.wait_keys(&[4, 0, 2])), [4, 0, 2]);
    assert_eq!((run.status(3), run.wait_any(&[6, 3]).expect("both have ended")), (KeyStatus::Done, 6));
    for index in [5, 6] {
        assert!(refused(run.wait_key(index), Code::Panicked).what.contains("as asked"));
    }
    refused(run.wait_key(7), Code::Internal);
    assert!(receiver.try_recv().is_err(), "nothing is told twice");
    drop(run);
    until("what nobody wants is dropped", || client.nbytes().expect("answered").is_empty());
}

#[test]
fn many_keys_are_few_messages() {
    const KEYS: u32 = 20_000;
    let mut wishes = options();
    wishes.check = false;
    let (server, store) = (Server::start(wishes).expect("a free port"), Store::default());
    let _worker = Fake::join(&server.client_address(), Ways::new("a"), &store).expect("let in");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread");
    let address = server.client_address();
    let (messages, values, done) = runtime.block_on(async {
        let security = Security::resolve(&address, Role::Client, None).await.expect("plain");
        let hello = Hello::new(PeerInfo::Client { name: "raw".into() });
        let (link, mut events, _) = partita_net::link::connect(&address, &security, hello).await.expect("let in");
        let submit = ClientToScheduler::Submit { run: 1, graph: graph(Act::Number, KEYS), ending: Ending::Each };
        link.send(wire::encode_asked(&submit).expect("sound"));
        let (mut messages, mut values, mut done) = (0, 0, 0);
        loop {
            let event = tokio::time::timeout(PATIENCE, events.recv()).await.expect("it goes on").expect("the link is there");
            let LinkEvent::Message(bytes) = event else { continue };
            messages += 1;
            for told in wire::decode_told(bytes).expect("the scheduler encodes well") {
                match told {
                    SchedulerToClient::Keys(1, news) => (values, done) = (values + news.values.len(), done + news.done.len()),
                    SchedulerToClient::Done(1) => return (messages, values, done),
                    SchedulerToClient::Progress(..) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    });
    assert_eq!((values, done), (KEYS as usize, KEYS as usize));
    assert!(messages < KEYS / 10, "{messages} messages");
}

#[test]
fn large_results_are_read_by_themselves_and_go_by_themselves() {
    let server = server();
    let _workers = [real_worker(&server, "a"), real_worker(&server, "b")];
    let client = client(&server);
    client.wait_for_workers(2, PATIENCE).expect("both come");
    let mut graph = graph(Act::Large, 6);
    let alien = graph.add(layer(Act::Alien, 1));
    graph.want_all(alien);
    let run = client.submit_each(graph).expect("sound");
    assert_eq!(size(run.wait_key(3)), (1 << 20, 3));
    let mut results = run.wait_keys(&[5, 6, 0, 5]);
    assert!(results.remove(1).expect_err("nobody can read it").to_string().contains("alien"));
    assert_eq!(results.into_iter().map(size).collect::<Vec<_>>(), [(1 << 20, 5), (1 << 20, 0), (1 << 20, 5)]);
    let stored = || client.nbytes().expect("answered").iter().map(|(_, _, nbytes)| nbytes >> 20).sum::<u64>();
    run.wait_all().expect("all have ended");
    until("all are stored", || stored() == 6);
    run.forget(&[5, 0]);
    until("two are dropped", || stored() == 4);
    assert!(cancelled(&run, 5));
    assert_eq!(size(run.wait_key(1)), (1 << 20, 1));
}

#[test]
fn a_key_whose_holder_is_gone_is_made_again() {
    let server = server();
    let first = real_worker(&server, "first");
    let client = client(&server);
    let run = client.submit_each(graph(Act::Large, 4)).expect("sound");
    run.wait_all().expect("all have ended");
    assert_eq!(size(run.wait_key(1)), (1 << 20, 1));
    let _second = real_worker(&server, "second");
    client.wait_for_workers(2, PATIENCE).expect("it comes");
    first.close();
    drop(first);
    assert_eq!(size(run.wait_key(2)), (1 << 20, 2));
    assert_eq!(run.wait_keys(&[0, 1, 3]).into_iter().map(size).map(|(_, first)| first).collect::<Vec<_>>(), [0, 1, 3]);
}

#[test]
fn forgetting_stops_what_runs_and_cancelling_is_for_what_has_no_end() {
    let (server, store) = (server(), Store::default());
    let worker = Fake::holding(&server.client_address(), "a", &store);
    let client = client(&server);
    let run = client.submit_each(graph(Act::Number, 2)).expect("sound");
    worker.until_it_has(2);
    run.forget(&[0]);
    assert!(cancelled(&run, 0));
    until("the try is stopped", || worker.seen.abandoned.load(Ordering::SeqCst) == 1);
    worker.let_run();
    assert_eq!(numbers(run.wait_keys(&[1])), [1]);
    run.cancel();
    assert_eq!(numbers(run.wait_keys(&[1])), [1]);
    let wanted = graph(Act::Large, 2).wanted;
    let other = client.submit_each(graph(Act::Large, 2)).expect("sound");
    client.cancel_keys(&wanted[..1]);
    assert_eq!((cancelled(&other, 0), other.status(1)), (true, KeyStatus::Pending));
    client.cancel_all();
    assert!(cancelled(&other, 1));
    assert_eq!(run.status(1), KeyStatus::Done);
    until("nothing is left of it", || server.snapshot().machine.layers.iter().all(|layer| layer.assigned == 0 && layer.ready == 0));
}

#[test]
fn a_failure_is_a_result_until_it_is_forgotten() {
    let (server, store) = (server(), Store::default());
    let worker = Fake::join(&server.client_address(), Ways::new("a"), &store).expect("let in");
    let client = client(&server);
    let executed = || worker.seen.executed.load(Ordering::SeqCst);
    let submit = || client.submit_each(graph(Act::Panic, 1)).expect("sound");
    let runs = [submit(), submit()];
    for run in &runs {
        refused(run.wait_key(0), Code::Panicked);
    }
    assert_eq!(executed(), 1, "asked again, not run again");
    client.forget_failures(&graph(Act::Panic, 1).wanted);
    let third = submit();
    refused(third.wait_key(0), Code::Panicked);
    assert_eq!(executed(), 2);
    // The handles keep their failures, until somebody forgets those too.
    refused(runs[0].wait_key(0), Code::Panicked);
    runs.iter().chain([&third]).for_each(|run| run.forget(&[0]));
    refused(submit().wait_key(0), Code::Panicked);
    assert_eq!(executed(), 3);
}

#[test]
fn when_the_scheduler_is_gone_keys_without_an_end_have_one() {
    let (server, store) = (server(), Store::default());
    let _worker = Fake::join(&server.client_address(), Ways::new("a"), &store).expect("let in");
    let client = client(&server);
    let mut graph = graph(Act::Number, 2);
    let nobodys = graph.add(nobodys());
    graph.want_all(nobodys);
    let run = client.submit_each(graph).expect("sound");
    assert_eq!(numbers(run.wait_keys(&[0, 1])), [0, 1]);
    assert_eq!(run.status(2), KeyStatus::Pending);
    server.close();
    for index in [2, 3] {
        refused(run.wait_key(index), Code::Disconnected);
    }
    assert_eq!(numbers(run.wait_keys(&[1])), [1], "what came with its end stays");
    refused(client.submit_each(mixed(1)), Code::Disconnected);
}

#[test]
fn a_restart_ends_what_has_no_end() {
    let (server, store) = (server(), Store::default());
    let _worker = Fake::join(&server.client_address(), Ways::new("a"), &store).expect("let in");
    let client = client(&server);
    let mut graph = graph(Act::Number, 1);
    let nobodys = graph.add(nobodys());
    graph.want_all(nobodys);
    let run = client.submit_each(graph).expect("sound");
    run.wait_stored(0).expect("it ends well");
    client.restart().expect("nobody has a nanny");
    refused(run.wait_key(1), Code::Cancelled);
    assert_eq!(numbers(run.wait_keys(&[0])), [0], "what came with its end stays");
    assert_eq!(numbers(client.submit_each(mixed(2)).expect("sound").wait_keys(&[0, 1])), [0, 1]);
}
