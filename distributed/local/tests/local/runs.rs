//! Handles: waiting, cancelling, failing, dropping.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::time::Duration;

use partita_graph::{Chunk, Code, Edge, Executor, Failure, Graph, Layer, OpRef, Plain, Run, Wiring};

use crate::graphs::{checked, empty, mixer, numbers, random, until};
use crate::layers::{endless, one_layer};

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
