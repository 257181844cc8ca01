//! Runs whose keys end one by one: each key is what the serial executor says, is told once, and can be forgotten by itself.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};

use partita_graph::{Chunk, Code, Edge, Executor, Failure, Graph, KeyStatus, Layer, OpRef, Plain, Registry, RunEach, Serial, Wiring};
use partita_local::{Local, Options};

use crate::graphs::{checked, digest, empty, local, mixer, numbers, random, until};

/// `len` numbers, of which each third cannot be made, and a copy of each.
fn picky(token: u64, len: u32) -> Graph {
    let op = OpRef::closure("picky", token, |ctx, _| match ctx.key.index % 3 {
        1 => Err(Failure::new(Code::UserFunction, format!("not {}", ctx.key.index))),
        _ => Ok(Chunk::new(Plain(i64::from(ctx.key.index)))),
    });
    let mut graph = Graph::default();
    let numbers = graph.add(Layer::single("picky", len, op, vec![]));
    let copies = graph.add(Layer::single("copies", len, mixer(token), vec![Edge { layer: numbers, wiring: Wiring::Each }]));
    graph.want_all(copies);
    graph.want_all(numbers);
    graph
}

/// How a key ended: its content, or what was said.
fn plain(result: Result<Chunk, Failure>) -> Result<i64, (Code, String)> {
    result.map(|chunk| digest(&chunk)).map_err(|failure| (failure.code, failure.what.clone()))
}

fn check(local: &Local, graph: Graph) {
    let expected: Vec<_> = Serial::new(Registry::default()).run_each(&graph).into_iter().map(plain).collect();
    let run = local.submit_each(graph).expect("sound");
    let told = Arc::new(Mutex::new(vec![0; run.keys()]));
    let counts = told.clone();
    run.on_key_end(Box::new(move |at, _| counts.lock().expect("nobody panics")[at] += 1));
    let all: Vec<usize> = (0..run.keys()).collect();
    let found: Vec<_> = run.wait_keys(&all).into_iter().map(plain).collect();
    assert_eq!(found, expected);
    run.wait_all().expect("it is no task that waits");
    until(|| told.lock().expect("nobody panics").iter().all(|count| *count == 1));
    for (at, end) in expected.iter().enumerate() {
        assert_eq!(run.status(at) == KeyStatus::Done, end.is_ok());
    }
    drop(run);
    until(|| empty(local));
}

#[test]
fn each_key_ends_as_for_the_serial_executor() {
    for threads in [1, 2, 4] {
        let local = checked(threads);
        for len in [1, 7, 40] {
            check(&local, picky(u64::from(len), len));
        }
        for seed in 1..40 {
            check(&local, random(seed));
        }
        check(&local, Graph::default());
    }
}

#[test]
fn many_keys_are_told_while_they_end() {
    let local = local(4, Options::default());
    let mut graph = Graph::default();
    let many = numbers(&mut graph, 3, 20_000);
    graph.want_all(many);
    let run = local.submit_each(graph).expect("sound");
    let (sender, receiver) = std::sync::mpsc::channel();
    run.on_key_end(Box::new(move |at, end| sender.send((at, end.is_ok())).expect("heard")));
    let mut seen: Vec<usize> = receiver.iter().take(20_000).map(|(at, well)| if well { at } else { usize::MAX }).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..20_000).collect::<Vec<_>>());
    assert_eq!(run.progress().layers, [("numbers".to_owned(), 20_000, 20_000)]);
}

/// Runs until it is told to stop, but for the first task, which gives a number.
fn endless(started: Arc<AtomicU32>) -> Graph {
    let op = OpRef::closure("endless", 1, move |ctx, _| {
        started.fetch_add(1, SeqCst);
        if ctx.key.index == 0 {
            return Ok(Chunk::new(Plain(7)));
        }
        loop {
            ctx.check_cancelled()?;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
    let mut graph = Graph::default();
    let layer = graph.add(Layer::single("endless", 6, op, vec![]));
    graph.want_all(layer);
    graph
}

fn cancelled(run: &RunEach, index: usize) -> bool {
    run.status(index) == KeyStatus::Cancelled && run.wait_key(index).is_err_and(|failure| failure.code == Code::Cancelled)
}

#[test]
fn single_keys_are_forgotten_and_the_rest_is_cancelled() {
    let local = checked(2);
    let started = Arc::new(AtomicU32::new(0));
    let run = local.submit_each(endless(started.clone())).expect("sound");
    assert_eq!(digest(&run.wait_key(0).expect("it gives a number")), 7);
    until(|| started.load(SeqCst) == 3);
    assert_eq!(run.status(1), KeyStatus::Pending);
    // One that runs and one that waits: another one takes the thread.
    run.forget(&[1, 3]);
    until(|| started.load(SeqCst) == 4);
    assert!(cancelled(&run, 1) && cancelled(&run, 3));
    run.cancel();
    assert!((1..6).all(|index| cancelled(&run, index)));
    run.wait_all().expect("all have an end");
    // What was there before stays.
    assert_eq!(digest(&run.wait_key(0).expect("it is there")), 7);
    until(|| local.snapshot().worker.running == 0);
    assert_eq!(started.load(SeqCst), 4);
    run.forget(&[0]);
    until(|| local.usage().memory == 0);
    drop(run);
    until(|| empty(&local));
}

#[test]
fn all_runs_can_be_cancelled_at_once_and_dropping_releases() {
    let local = checked(2);
    let started = Arc::new(AtomicU32::new(0));
    let run = local.submit_each(endless(started.clone())).expect("sound");
    run.wait_stored(0).expect("it gives a number");
    local.cancel_all();
    assert!(cancelled(&run, 5));
    drop(run);
    drop(local.submit_each(endless(started)).expect("sound"));
    until(|| empty(&local));
}

#[test]
fn the_first_of_several_is_waited_for() {
    let local = checked(2);
    let run = local.submit_each(endless(Arc::default())).expect("sound");
    assert_eq!(run.wait_any(&[5, 4, 0]).expect("one ends"), 0);
    assert_eq!(run.wait_any(&[9]).expect_err("there is none").code, Code::Internal);
    // Its endless tasks have both threads.
    drop(run);
    let failing = local.submit_each(picky(5, 3)).expect("sound");
    assert_eq!(failing.wait_any(&[4]).expect("it fails"), 4);
    assert_eq!(failing.wait_stored(4).expect_err("it fails").what, "not 1");
}

#[test]
fn a_key_that_is_wanted_twice_ends_twice() {
    let local = checked(1);
    let mut graph = Graph::default();
    let layer = numbers(&mut graph, 2, 3);
    graph.want_all(layer);
    graph.wanted.push(graph.wanted[1]);
    let run = local.submit_each(graph).expect("sound");
    run.forget(&[1]);
    assert_eq!(digest(&run.wait_key(3).expect("it is wanted still")), 2 * 31 + 1);
    assert!(cancelled(&run, 1));
}

#[test]
fn tasks_may_wait_for_keys_of_their_own() {
    for threads in [1, 3] {
        let cell: Arc<OnceLock<Local>> = Arc::default();
        let local = cell.get_or_init(|| checked(threads)).clone();
        let inner = cell.clone();
        let outer = OpRef::closure("outer", 1, move |ctx, _| {
            let run = inner.get().expect("set").submit_each(picky(u64::from(ctx.key.index), 6))?;
            run.wait_all()?;
            let first = run.wait_any(&[1, 2])?;
            let sum: i64 = run.wait_keys(&[6, 8, 9]).into_iter().filter_map(Result::ok).map(|chunk| digest(&chunk)).sum();
            Ok(Chunk::new(Plain(sum * 10 + first as i64)))
        });
        let mut graph = Graph::default();
        let layer = graph.add(Layer::single("outer", 4, outer, vec![]));
        graph.want_all(layer);
        let results = local.submit(graph).expect("sound").wait().expect("fine");
        assert_eq!(results.iter().map(digest).collect::<Vec<_>>(), [51; 4]);
    }
}

#[test]
fn a_spilled_key_whose_file_is_gone_is_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let limit = 64 << 20;
    let local = local(2, Options { memory_limit: limit, local_directory: Some(folder.path().into()), check: true, ..Options::default() });
    let block = |index: u32| (0..1u32 << 19).map(|at| (at.wrapping_mul(index + 3) >> 3) as u8).collect::<Vec<u8>>();
    let op = OpRef::closure("block", 1, move |ctx, _| Ok(Chunk::new(Plain(block(ctx.key.index)))));
    let mut graph = Graph::default();
    let kept = graph.add(Layer::single("kept", 150, op, vec![]));
    graph.want_all(kept);
    let run = local.submit_each(graph).expect("sound");
    run.wait_all().expect("it is no task that waits");
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
        for file in std::fs::read_dir(entry.path()).expect("a folder").flatten() {
            files += u32::from(file.file_name() != "lock" && std::fs::remove_file(file.path()).is_ok());
        }
    }
    assert!(files > 20);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for index in 0..150 {
                    let chunk = run.wait_key(index).expect("made again");
                    assert!(chunk.get::<Plain<Vec<u8>>>().is_some_and(|bytes| bytes.0 == block(index as u32)), "{index}");
                }
            });
        }
    });
}
