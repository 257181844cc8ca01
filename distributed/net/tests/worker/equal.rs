//! Results are those of the serial executor, whatever moves between workers.

use partita_graph::{Chunk, Code, Edge, Executor, Failure, Graph, Layer, OpRef, Serial, Wiring};
use partita_net::security::ServerSecurity;

use crate::cluster::{Cluster, tls};
use crate::graphs::{checked, digest, digests, empty, numbers, random, until};
use crate::operators::{Panic, Shy, Work, named, registry, work};

fn expected(graph: &Graph) -> Vec<i64> {
    digests(&Serial::new(registry()).run(graph).0.expect("no task fails"))
}

fn results(cluster: &Cluster, graph: &Graph) -> Vec<i64> {
    digests(&cluster.client.submit(graph.clone()).expect("sound").wait().expect("no task fails"))
}

fn random_graphs(security: ServerSecurity, seeds: std::ops::Range<u64>) {
    let cluster = Cluster::new(security, 2, 2);
    for seed in seeds {
        let graph = named(&random(seed));
        assert_eq!(results(&cluster, &graph), expected(&graph), "seed {seed}");
    }
    until(|| cluster.workers.iter().all(|worker| worker.worker.usage().memory == 0));
}

#[test]
fn random_graphs_plain() {
    random_graphs(ServerSecurity::plain_with_secret(), 1..60);
}

#[test]
fn random_graphs_encrypted() {
    random_graphs(tls(), 60..100);
}

#[test]
fn each_key_of_random_graphs_is_that_of_the_serial_executor() {
    let cluster = Cluster::new(ServerSecurity::plain_with_secret(), 2, 2);
    // Among those that the tests above submit, none of which is larger than a scheduler takes.
    for seed in 60..90 {
        let mut graph = named(&random(seed));
        let bad = graph.add(Layer::single("panic", 1, OpRef::new(Panic, "panic"), vec![]));
        graph.want_all(bad);
        let plain = |result: Result<Chunk, Failure>| result.map(|chunk| digest(&chunk)).map_err(|failure| failure.code);
        let expected: Vec<_> = Serial::new(registry()).run_each(&graph).into_iter().map(plain).collect();
        let run = cluster.client.submit_each(graph).expect("sound");
        let all: Vec<usize> = (0..run.keys()).collect();
        let found: Vec<_> = run.wait_keys(&all).into_iter().map(plain).collect();
        assert_eq!(found, expected, "seed {seed}");
        assert_eq!(found.last(), Some(&Err(Code::Panicked)));
    }
    until(|| cluster.workers.iter().all(|worker| worker.worker.usage().memory == 0));
}

#[test]
fn named_graphs_are_those_of_the_local_tests() {
    let local = checked(2);
    let mut graph = random(31);
    let more = numbers(&mut graph, 5, 3);
    graph.want_all(more);
    let here = digests(&local.submit(graph.clone()).expect("sound").wait().expect("fine"));
    assert_eq!(here, expected(&named(&graph)));
    until(|| empty(&local));
}

/// A shuffle whose parts are large enough to be moved, not told.
fn shuffle(test: u64, from: u32, to: u32, bytes: u32) -> Graph {
    let mut graph = Graph::default();
    let made = graph.add(work("made", from, Work { test, stage: 0, millis: 0, bytes, parts: 0 }, vec![]));
    let split = Work { test, stage: 1, millis: 0, bytes: bytes / to, parts: to };
    let split = graph.add(work("split", from, split, vec![Edge { layer: made, wiring: Wiring::Each }]));
    let joined = Work { test, stage: 2, millis: 0, bytes, parts: 0 };
    let joined = graph.add(work("joined", to, joined, vec![Edge { layer: split, wiring: Wiring::Part }]));
    graph.want_all(joined);
    graph
}

#[test]
fn large_chunks_move_between_workers_and_to_the_client() {
    for (test, security) in [(11, ServerSecurity::plain_with_secret()), (12, tls())] {
        let cluster = Cluster::new(security, 3, 1);
        let graph = shuffle(test, 12, 9, 1 << 20);
        assert_eq!(results(&cluster, &graph), expected(&graph));
    }
}

#[test]
fn chunks_that_were_spilled_are_served_from_their_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let limited = |name: &str| {
        let options = crate::cluster::options(name);
        // Chunks may take 32 MiB, while the process may take what it likes: all tests share it.
        (
            1,
            partita_net::worker::Options {
                memory_limit: 8 << 30,
                target: 1.0 / 256.0,
                spill: 1.0 / 256.0,
                local_directory: Some(folder.path().into()),
                ..options
            },
        )
    };
    let cluster = Cluster::with(ServerSecurity::plain(None), vec![limited("a"), limited("b")]);
    let graph = shuffle(13, 40, 8, 2 << 20);
    assert_eq!(results(&cluster, &graph), expected(&graph));
    let spilled: u64 = cluster.workers.iter().map(|worker| worker.worker.usage().spilled_total).sum();
    assert!(spilled > 40 << 20, "{spilled}");
    // What was written before the run was done is known; the rest comes within a moment.
    let known = || cluster.client.spilled_bytes_total().expect("answered");
    assert!(known() > 40 << 20, "{}", known());
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while known() < cluster.workers.iter().map(|worker| worker.worker.usage().spilled_total).sum::<u64>() {
        assert!(std::time::Instant::now() < end, "the rest is never heard of");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let before = known();
    cluster.workers[0].worker.retire();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let gone = || cluster.client.info().expect("answered").workers.len() == 1;
    while !gone() {
        assert!(std::time::Instant::now() < end, "it never goes");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(known() >= before, "who is gone still counts");
    drop(cluster);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "the folders are gone");
}

#[test]
fn no_more_lies_on_a_disk_than_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let most: u64 = 8 << 20;
    let limited = |name: &str| {
        let mut options = crate::cluster::options(name);
        (options.memory_limit, options.target, options.spill) = (8 << 30, 1.0 / 512.0, 1.0 / 512.0);
        (options.max_spill, options.local_directory) = (most, Some(folder.path().into()));
        (1, options)
    };
    let cluster = Cluster::with(ServerSecurity::plain(None), vec![limited("a"), limited("b")]);
    let graph = shuffle(21, 40, 8, 2 << 20);
    let found = std::thread::scope(|scope| {
        let running = scope.spawn(|| results(&cluster, &graph));
        let mut found = 0;
        while !running.is_finished() {
            found = cluster.workers.iter().map(|worker| worker.worker.usage().spilled).fold(found, u64::max);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(running.join().expect("it ends well"), expected(&graph));
        found
    });
    assert!((1..=most).contains(&found), "{found}");
}

#[test]
fn a_folder_that_cannot_be_written_keeps_everything_in_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "").expect("written");
    let options = partita_net::worker::Options {
        memory_limit: 8 << 30,
        target: 1.0 / 512.0,
        spill: 1.0 / 512.0,
        local_directory: Some(blocked.join("below")),
        ..crate::cluster::options("blocked")
    };
    let cluster = Cluster::with(ServerSecurity::plain(None), vec![(2, options)]);
    let graph = shuffle(14, 40, 8, 1 << 20);
    assert_eq!(results(&cluster, &graph), expected(&graph));
    assert_eq!(cluster.workers[0].worker.usage().spilled_total, 0);
}

#[test]
fn a_value_that_cannot_be_sent_fails_its_reader_and_nobody_else() {
    let cluster = Cluster::new(ServerSecurity::plain(None), 2, 1);
    let mut graph = Graph::default();
    let shy = graph.add(Layer::single("shy", 4, OpRef::new(Shy, "shy"), vec![]));
    graph.want_all(shy);
    let run = cluster.client.submit(graph).expect("sound");
    assert_eq!(run.wait().map(|_: Vec<Chunk>| ()).expect_err("it cannot be read").code, Code::NotEncodable);

    // Reading all four takes those of the other worker.
    let mut graph = Graph::default();
    let shy = graph.add(Layer::single("shy", 4, OpRef::new(Shy, "shy"), vec![]));
    let reader = Work { test: 15, stage: 0, millis: 0, bytes: 10, parts: 0 };
    let reader = graph.add(work("reader", 1, reader, vec![Edge { layer: shy, wiring: Wiring::Every }]));
    graph.want_all(reader);
    let failure = cluster.client.submit(graph).expect("sound").wait().map(drop).expect_err("it cannot be read");
    assert_eq!(failure.code, Code::NotEncodable, "{failure}");
    assert!(failure.what.contains("`test.shy`"), "{failure}");

    let graph = named(&random(5));
    assert_eq!(results(&cluster, &graph), expected(&graph));
}

#[test]
fn a_panic_is_a_failure_with_its_message() {
    let cluster = Cluster::new(ServerSecurity::plain(None), 1, 1);
    let mut graph = Graph::default();
    let panic = graph.add(Layer::single("panic", 2, OpRef::new(Panic, "panic"), vec![]));
    graph.want_all(panic);
    let failure = cluster.client.submit(graph).expect("sound").wait().map(drop).expect_err("it panics");
    assert_eq!(failure.code, Code::Panicked);
    assert!(failure.what.contains("this operator always panics"), "{failure}");
    let graph = named(&random(6));
    assert_eq!(results(&cluster, &graph), expected(&graph));
}
