//! Clients of a scheduler in another process: what they get, from wherever it is, and what they are told when there is nothing
//! to get.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use partita_graph::{Arg, Chunk, Code, Edge, Executor, Failure, Graph, Layer, OpRef, Plain, Run, Wiring};
use partita_local::ThreadPool;
use partita_net::client::{Options, Remote};
use partita_net::scheduler::Server;
use partita_net::security::ServerSecurity;
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

fn numbers(run: &Run) -> Vec<i64> {
    run.wait().expect("it ends well").iter().map(number).collect()
}

fn sizes(chunks: &[Chunk]) -> Vec<(usize, u8)> {
    chunks.iter().map(|chunk| chunk.get::<Plain<Vec<u8>>>().expect("bytes")).map(|bytes| (bytes.0.len(), bytes.0[0])).collect()
}

#[test]
fn calls_may_be_made_inside_any_runtime() {
    let (server, store) = (server(), Store::default());
    let _worker = Fake::join(&server.client_address(), Ways::new("a"), &store).expect("let in");
    let address = server.join_link();
    let work = async || {
        let client = Remote::connect(&address, Options::default(), registry()).expect("let in");
        client.wait_for_workers(1, PATIENCE).expect("it is there");
        let run = client.submit(graph(Act::Number, 4)).expect("sound");
        let (sender, receiver) = tokio::sync::oneshot::channel();
        run.on_end(Box::new(move || sender.send(()).expect("somebody waits")));
        receiver.await.expect("called back");
        assert_eq!(numbers(&run), [0, 1, 2, 3]);
        // Everything is dropped here, inside the runtime.
    };
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work());
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime").block_on(work());
}

#[test]
fn large_results_are_read_from_the_workers_and_also_encrypted() {
    for security in [ServerSecurity::plain(Some([7; 32])), ServerSecurity::new_cluster(None).expect("an authority")] {
        let mut wishes = options();
        wishes.security = security;
        let server = Server::start(wishes).expect("a free port");
        let _workers = [real_worker(&server, "a"), real_worker(&server, "b")];
        let client = client(&server);
        client.wait_for_workers(2, PATIENCE).expect("both come");
        let run = client.submit(graph(Act::Large, 9)).expect("sound");
        let expected: Vec<(usize, u8)> = (0..9).map(|index| (1 << 20, index)).collect();
        assert_eq!(sizes(&run.wait().expect("it ends well")), expected);
        assert_eq!(sizes(&[run.result(7).expect("it is there")]), [(1 << 20, 7)]);
        assert_eq!(numbers(&client.submit(merge(30)).expect("sound")), [(0..30).sum::<i64>()]);
        assert_eq!(client.nbytes().expect("answered").iter().map(|(_, _, nbytes)| nbytes).sum::<u64>(), 9 << 20);
    }
}

#[test]
fn a_result_whose_holder_is_gone_is_made_again_and_a_moved_one_is_found() {
    let server = server();
    let first = real_worker(&server, "first");
    let client = client(&server);
    let run = client.submit(graph(Act::Large, 4)).expect("sound");
    assert_eq!(sizes(&run.wait().expect("it ends well")).len(), 4);
    let second = real_worker(&server, "second");
    client.wait_for_workers(2, PATIENCE).expect("it comes");
    // The handle still knows the old places.
    assert_eq!(client.retire_workers(&["first"]).expect("the second takes over"), ["first"]);
    drop(first);
    assert_eq!(sizes(&run.wait().expect("moved")).len(), 4);
    second.close();
    drop(second);
    let reading = {
        let run = run.clone();
        std::thread::spawn(move || run.result(2))
    };
    until("nobody is left", || server.info().workers.is_empty());
    let _third = real_worker(&server, "third");
    assert_eq!(sizes(&[reading.join().expect("no panic").expect("made again")]), [(1 << 20, 2)]);
}

#[test]
fn a_holder_that_cannot_be_reached_is_named_when_the_patience_is_over() {
    let (server, store) = (server(), Store::default());
    // Nothing listens at a fake's data port.
    let _worker = Fake::join(&server.client_address(), Ways::new("a"), &store).expect("let in");
    let impatient = Options { patience: Duration::from_millis(300), ..Options::default() };
    let client = Remote::connect_to(server.client_address(), impatient, registry()).expect("let in");
    let run = client.submit(graph(Act::Large, 1)).expect("sound");
    run.wait_stored().expect("it was made");
    let failure = refused(run.wait(), Code::Unreachable);
    assert!(failure.to_string().contains("127.0.0.1:1"), "{failure}");
}

#[test]
fn what_cannot_be_sent_is_refused_before_it_is_sent() {
    let server = server();
    let client = client(&server);
    let mut closure = Graph::default();
    let id = closure.add(Layer::single("mine", 1, OpRef::closure("mine", 1, |_, _| Ok(Chunk::new(Plain(1i64)))), vec![]));
    closure.want_all(id);
    let failure = refused(client.submit(closure), Code::ClosureOnCluster);
    assert!(failure.to_string().contains("mine"), "{failure}");
    let mut chunk = Graph::default();
    let bad = Arg::Chunk { token: 1, chunk: Chunk::new(partita_graph::Parts(vec![])) };
    let id = chunk.add(Layer::with_args("of parts", OpRef::new(Act::Number, "act"), vec![bad], vec![]));
    chunk.want_all(id);
    assert!(client.submit(chunk).is_err());
    let mut unsound = graph(Act::Number, 1);
    unsound.wanted[0].index = 5;
    assert!(client.submit(unsound).is_err());
    assert!(server.info().clients.iter().all(|client| client.runs == 0));
}

#[test]
fn a_graph_that_is_not_sound_fails_alone() {
    let (server, store) = (server(), Store::default());
    let _worker = Fake::join(&server.client_address(), Ways::new("a"), &store).expect("let in");
    let client = client(&server);
    let honest = client.submit(graph(Act::Number, 2)).expect("sound");
    // Another layer under the identity of the first: the scheduler's books would be wrong.
    let mut forged = layer(Act::Number, 3);
    forged.id = graph(Act::Number, 2).layers[0].id;
    let mut liar = Graph::default();
    let id = liar.add(forged);
    liar.want_all(id);
    assert!(client.submit(liar).expect("it is sound by itself").wait().is_err());
    assert_eq!(numbers(&honest), [0, 1]);
}

#[test]
fn interest_and_cancellation_are_each_clients_own() {
    let (server, store) = (server(), Store::default());
    let worker = Fake::holding(&server.client_address(), "a", &store);
    let clients = [client(&server), client(&server)];
    let runs = clients.each_ref().map(|client| client.submit(graph(Act::Number, 2)).expect("sound"));
    worker.until_it_has(2);
    until("both are counted", || server.info().clients.iter().all(|client| client.runs == 1));
    runs[0].cancel();
    refused(runs[0].wait(), Code::Cancelled);
    worker.let_run();
    assert_eq!(numbers(&runs[1]), [0, 1]);
    let [cancelled, kept] = runs;
    drop((cancelled, clients));
    assert_eq!(worker.seen.freed.load(Ordering::SeqCst), 0, "one still wants it");
    drop(kept);
    until("nobody does", || worker.seen.freed.load(Ordering::SeqCst) == 2);
}

#[test]
fn a_failure_is_a_result_until_it_is_forgotten() {
    let (server, store) = (server(), Store::default());
    let worker = Fake::join(&server.client_address(), Ways::new("a"), &store).expect("let in");
    let client = client(&server);
    let executed = || worker.seen.executed.load(Ordering::SeqCst);
    let first = client.submit(graph(Act::Panic, 1)).expect("sound");
    refused(first.wait(), Code::Panicked);
    refused(client.submit(graph(Act::Panic, 1)).expect("sound").wait(), Code::Panicked);
    assert_eq!(executed(), 1, "asked again, not run again");
    client.forget_failures(&graph(Act::Panic, 1).wanted);
    refused(client.submit(graph(Act::Panic, 1)).expect("sound").wait(), Code::Panicked);
    assert_eq!(executed(), 2);
    refused(first.wait(), Code::Panicked);
    // What reads a failed task fails with it.
    let mut reader = Graph::default();
    let bad = reader.add(layer(Act::Panic, 1));
    let id = reader.add(Layer::single("sum", 1, OpRef::new(Act::Sum, "sum"), vec![Edge { layer: bad, wiring: Wiring::Each }]));
    reader.want_all(id);
    let failure = refused(client.submit(reader).expect("sound").wait(), Code::Panicked);
    assert!(failure.what.contains("as asked"), "{failure}");
}

#[test]
fn progress_is_told_while_tasks_run() {
    let (server, store) = (server(), Store::default());
    let worker = Fake::holding(&server.client_address(), "a", &store);
    let client = client(&server);
    let run = client.submit(graph(Act::Number, 2)).expect("sound");
    until("it is told", || run.progress().layers == [("tasks".to_owned(), 0, 2)] && run.progress().running == 2);
    client.cancel_keys(&graph(Act::Number, 2).wanted);
    refused(run.wait(), Code::Cancelled);
    until("the tries are stopped", || worker.seen.abandoned.load(Ordering::SeqCst) == 2);
    let run = client.submit(graph(Act::Number, 2)).expect("sound");
    client.cancel_all();
    refused(run.wait(), Code::Cancelled);
}

#[test]
fn copies_are_made_on_request() {
    let (server, store) = (server(), Store::default());
    let _workers = ["a", "b", "c"].map(|name| Fake::join(&server.client_address(), Ways::new(name), &store).expect("let in"));
    let client = client(&server);
    client.wait_for_workers(3, PATIENCE).expect("all come");
    let run = client.submit(graph(Act::Number, 6)).expect("sound");
    run.wait_stored().expect("it ends well");
    client.replicate(&run, 2).expect("it begins");
    let keys = graph(Act::Number, 6).wanted;
    until("two have each", || client.who_has(&keys).expect("answered").iter().all(|(_, names)| names.len() == 2));
    client.rebalance().expect("it begins");
    let other = Arc::new(partita_graph::Ended::new(Ok(vec![]), vec![], Default::default())) as Run;
    refused(client.replicate(&other, 2), Code::InvalidOption);
}

#[test]
fn one_that_asks_a_lot_holds_up_nobody() {
    let (server, store) = (server(), Store::default());
    let _worker = Fake::join(&server.client_address(), Ways::new("a"), &store).expect("let in");
    let (loud, quiet) = (client(&server), client(&server));
    let key = graph(Act::Number, 1).wanted[0];
    let asked = std::thread::spawn(move || (0..2_000).filter(|_| loud.story(key).is_ok()).count());
    for len in 1..20 {
        assert_eq!(numbers(&quiet.submit(graph(Act::Number, len)).expect("sound")).len(), len as usize);
    }
    assert_eq!(asked.join().expect("no panic"), 2_000);
}

#[test]
fn nothing_listens_there() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let quick = Options { timeout: Duration::from_millis(400), ..Options::default() };
    let start = Instant::now();
    let failure = refused(Remote::connect(&format!("tcp://{closed}"), quick.clone(), registry()).map(drop), Code::Unreachable);
    assert!(failure.what.contains(&closed.to_string()), "{failure}");
    assert!(start.elapsed() < Duration::from_secs(10));
    refused(Remote::connect("no address at all", quick, registry()).map(drop), Code::InvalidOption);
}

#[test]
fn a_connection_that_breaks_and_comes_back_is_not_seen_and_one_that_stays_away_is() {
    let (server, store) = (server(), Store::default());
    let worker = Fake::holding(&server.client_address(), "a", &store);
    let between = Between::start(server.socket());
    let options = Options { grace: Duration::from_secs(3), ..Options::default() };
    let client = Remote::connect(&format!("tcp://{}", between.address), options, registry()).expect("let in");
    let run = client.submit(graph(Act::Number, 2)).expect("sound");
    worker.until_it_has(2);
    let before = between.connections();
    between.cut();
    worker.let_run();
    assert_eq!(numbers(&run), [0, 1]);
    assert!(between.connections() > before, "it came back");
    let waiting = client.submit(graph(Act::Large, 1)).expect("sound");
    between.close();
    let failure: Failure = waiting.wait().expect_err("the scheduler is out of reach");
    assert_eq!(failure.code, Code::Disconnected, "{failure}");
    refused(client.info().map(drop), Code::Disconnected);
    assert_eq!(numbers(&run), [0, 1], "what came with the answer stays");
}

/// Passes bytes between a client and the scheduler, until it is told not to.
struct Between {
    address: SocketAddr,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    count: Arc<AtomicUsize>,
    open: Arc<Mutex<bool>>,
}

impl Between {
    fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let (streams, count, open) = (Arc::<Mutex<Vec<TcpStream>>>::default(), Arc::<AtomicUsize>::default(), Arc::new(Mutex::new(true)));
        let between = Self { address, streams: streams.clone(), count: count.clone(), open: open.clone() };
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // Held while streams are noted, so that a cut finds all of them.
                let open = open.lock().unwrap();
                if !*open {
                    continue;
                }
                let far = TcpStream::connect(target).expect("the scheduler listens");
                for stream in [&near, &far] {
                    streams.lock().unwrap().push(stream.try_clone().expect("a handle"));
                }
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
                    std::thread::spawn(move || pump(from, to));
                }
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        between
    }

    fn connections(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn close(&self) {
        *self.open.lock().unwrap() = false;
        self.cut();
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 8192];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
