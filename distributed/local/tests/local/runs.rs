//! Handles: waiting, cancelling, failing, dropping, submitting inside a task.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use partita_graph::{Chunk, Code, Edge, Executor, Failure, Graph, Layer, OpRef, Plain, Run, Wiring};
use partita_local::{Local, Options};

use crate::graphs::{checked, digests, empty, local, mixer, numbers, random, until};

fn one_layer(len: u32, op: OpRef) -> Graph {
    let mut graph = Graph::default();
    let id = graph.add(Layer::single("layer", len, op, vec![]));
    graph.want_all(id);
    graph
}

/// Operators of this kind run until somebody cancels them.
fn endless(started: Arc<AtomicU32>) -> OpRef {
    OpRef::closure("endless", 1, move |ctx, _| {
        started.fetch_add(1, SeqCst);
        loop {
            ctx.check_cancelled()?;
            std::thread::sleep(Duration::from_millis(1));
        }
    })
}

#[test]
fn cancelling_stops_what_runs_and_what_waits() {
    let local = checked(2);
    let started = Arc::new(AtomicU32::new(0));
    let run = local.submit(one_layer(100, endless(started.clone()))).expect("sound");
    until(|| started.load(SeqCst) == 2);
    run.cancel();
    assert_eq!(run.wait().expect_err("cancelled").code, Code::Cancelled);
    until(|| local.snapshot().worker.running == 0);
    assert_eq!(started.load(SeqCst), 2);
    drop(run);
    until(|| empty(&local));
    let graph = random(3);
    assert!(local.submit(graph).expect("sound").wait().is_ok());
}

#[test]
fn all_runs_can_be_cancelled_at_once() {
    let local = checked(2);
    let started = Arc::new(AtomicU32::new(0));
    let runs: Vec<Run> = (0..3).map(|_| local.submit(one_layer(4, endless(started.clone()))).expect("sound")).collect();
    until(|| started.load(SeqCst) >= 2);
    local.cancel_all();
    for run in &runs {
        assert_eq!(run.wait().expect_err("cancelled").code, Code::Cancelled);
    }
    drop(runs);
    until(|| empty(&local));
}

#[test]
fn dropping_the_handle_stops_and_releases() {
    let local = checked(2);
    let started = Arc::new(AtomicU32::new(0));
    drop(local.submit(one_layer(50, endless(started.clone()))).expect("sound"));
    until(|| empty(&local));
    let run = local.submit(random(5)).expect("sound");
    run.wait_stored().expect("fine");
    assert!(local.usage().memory > 0);
    drop(run);
    assert!(empty(&local), "{:?}", local.snapshot());
}

#[test]
fn a_panic_is_a_failure_with_its_message_and_spares_other_runs() {
    let local = checked(2);
    let panics = OpRef::closure("panics", 1, |ctx, _| {
        assert!(ctx.key.index != 7, "seven is not liked here");
        Ok(Chunk::new(Plain(0)))
    });
    let bad = local.submit(one_layer(20, panics)).expect("sound");
    let good = local.submit(random(11)).expect("sound");
    let failure = bad.wait().expect_err("one task panics");
    assert_eq!(failure.code, Code::Panicked);
    assert!(failure.what.contains("seven is not liked here"), "{failure}");
    assert!(failure.task.is_some());
    assert!(good.wait().is_ok());
    assert_eq!(bad.result(0).expect_err("the run failed").code, Code::Panicked);
    drop((bad, good));
    until(|| empty(&local));
}

#[test]
fn a_failure_comes_through_unchanged() {
    let fails = OpRef::closure("fails", 1, |_, _| Err(Failure::new(Code::Parse, "not a number").help("declare the type")));
    let failure = checked(2).submit(one_layer(3, fails)).expect("sound").wait().expect_err("it fails");
    assert_eq!((failure.code, failure.what.as_str(), failure.help.as_deref()), (Code::Parse, "not a number", Some("declare the type")));
}

#[test]
fn callbacks_come_once_before_and_after_the_end() {
    let local = checked(2);
    let run = local.submit(random(21)).expect("sound");
    let (sender, receiver) = channel();
    let early = sender.clone();
    run.on_end(Box::new(move || early.send("early").expect("heard")));
    run.wait_stored().expect("fine");
    assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Ok("early"));
    run.on_end(Box::new(move || sender.send("late").expect("heard")));
    assert_eq!(receiver.try_recv(), Ok("late"));
    assert!(receiver.try_recv().is_err());
}

#[test]
fn remarks_are_told_once() {
    let notes = OpRef::closure("notes", 1, |ctx, _| {
        ctx.notes.lock().expect("nobody panics").push("a column was widened".into());
        Ok(Chunk::new(Plain(1)))
    });
    let run = checked(2).submit(one_layer(30, notes)).expect("sound");
    run.wait().expect("fine");
    assert_eq!(run.notes(), ["a column was widened"]);
}

#[test]
fn progress_counts_to_the_end() {
    let local = checked(2);
    let mut graph = Graph::default();
    let numbers = numbers(&mut graph, 1, 30);
    let total = graph.add(Layer::single("total", 1, mixer(2), vec![Edge { layer: numbers, wiring: Wiring::Every }]));
    graph.want_all(total);
    let run = local.submit(graph).expect("sound");
    run.wait_stored().expect("fine");
    let progress = run.progress();
    assert_eq!(progress.layers, [("numbers".to_owned(), 30, 30), ("total".to_owned(), 1, 1)]);
    assert_eq!((progress.running, progress.memory), (0, 8));
}

/// A task that computes a graph of its own, `depth` times nested.
fn nest(executor: Arc<OnceLock<Local>>, depth: u64) -> OpRef {
    OpRef::closure("nest", depth, move |ctx, _| {
        let local = executor.get().expect("it is set before the first submit");
        let token = depth << 32 | u64::from(ctx.key.index);
        let mut graph = if depth == 0 { Graph::default() } else { one_layer(3, nest(executor.clone(), depth - 1)) };
        let numbers = numbers(&mut graph, token, 5);
        graph.want_all(numbers);
        let sum = digests(&local.submit(graph)?.wait()?).into_iter().fold(0i64, i64::wrapping_add);
        Ok(Chunk::new(Plain(sum)))
    })
}

#[test]
fn tasks_may_compute_graphs_of_their_own() {
    let mut seen = Vec::new();
    for threads in [1, 2, 4] {
        let cell = Arc::new(OnceLock::new());
        let local = cell.get_or_init(|| checked(threads));
        let run = local.submit(one_layer(6, nest(cell.clone(), 2))).expect("sound");
        seen.push(digests(&run.wait().expect("fine")));
    }
    assert_eq!(seen[0].len(), 6);
    assert!(seen.iter().all(|other| *other == seen[0]));
}

#[test]
fn cancelling_reaches_graphs_inside_tasks() {
    let cell = Arc::new(OnceLock::new());
    let local = cell.get_or_init(|| checked(1)).clone();
    let started = Arc::new(AtomicU32::new(0));
    let (inner_started, inner) = (started.clone(), cell.clone());
    let outer = OpRef::closure("outer", 1, move |_, _| {
        let local = inner.get().expect("set");
        local.submit(one_layer(1, endless(inner_started.clone())))?.wait().map(|mut chunks| chunks.remove(0))
    });
    let run = local.submit(one_layer(1, outer)).expect("sound");
    until(|| started.load(SeqCst) == 1);
    drop(run);
    // The inner operator runs in the outer task's own thread, so it is told through the outer task.
    until(|| empty(&local));
}

#[test]
fn a_task_that_waits_for_a_run_from_outside_is_told_why_it_cannot() {
    let local = local(1, Options::default());
    let handle: Arc<Mutex<Option<Run>>> = Arc::default();
    let inner = handle.clone();
    let waits = OpRef::closure("waits", 1, move |_, _| {
        let run = loop {
            if let Some(run) = inner.lock().expect("nobody panics").take() {
                break run;
            }
            std::thread::yield_now();
        };
        run.wait().map(|mut chunks| chunks.remove(0))
    });
    let first = local.submit(one_layer(1, waits)).expect("sound");
    let second = local.submit(one_layer(1, mixer(5))).expect("sound");
    *handle.lock().expect("nobody panics") = Some(second);
    assert_eq!(first.wait().expect_err("it would wait for ever").code, Code::BlockingInAsync);
}
