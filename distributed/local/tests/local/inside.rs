//! Tasks that submit graphs and wait: their slots are given up, results are shared, and whoever stops them stops what they submitted.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, OnceLock};

use partita_graph::{Chunk, Code, Executor, Failure, Graph, OpRef, Plain, Registry, Run, RunEach, Serial};
use partita_local::{Local, Options, current_cancelled, try_while_waiting, wait_inside, while_waiting};

use crate::graphs::{checked, digest, digests, empty, local, mixer, numbers, random, until};
use crate::layers::{endless, one_layer};

/// An executor that its own tasks find.
#[derive(Clone)]
struct Reach(Arc<OnceLock<Local>>);

impl Reach {
    fn new(local: Local) -> Self {
        let cell = Arc::new(OnceLock::new());
        assert!(cell.set(local).is_ok());
        Self(cell)
    }

    fn local(&self) -> &Local {
        self.0.get().expect("set when it was made")
    }

    /// Runs a graph in whose tasks it is reached.
    fn run(&self, graph: Graph) -> Result<Vec<i64>, Failure> {
        let results = self.local().submit(graph)?.wait()?;
        Ok(digests(&results))
    }
}

/// A number for whatever the task gets by running a graph.
fn total(results: &[i64]) -> Chunk {
    Chunk::new(Plain(results.iter().fold(0i64, |sum, n| sum.wrapping_add(*n))))
}

/// Shut until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    bell: Condvar,
}

impl Gate {
    fn wait(&self) {
        let open = self.open.lock().expect("nobody panics");
        drop(self.bell.wait_while(open, |open| !*open).expect("nobody panics"));
    }

    fn open(&self) {
        *self.open.lock().expect("nobody panics") = true;
        self.bell.notify_all();
    }
}

/// A task that computes a graph of its own, `depth` times nested.
fn nest(reach: Reach, depth: u64) -> OpRef {
    OpRef::closure("nest", depth, move |ctx, _| {
        let token = depth << 32 | u64::from(ctx.key.index);
        let mut graph = if depth == 0 { Graph::default() } else { one_layer(3, nest(reach.clone(), depth - 1)) };
        let numbers = numbers(&mut graph, token, 5);
        graph.want_all(numbers);
        Ok(total(&reach.run(graph)?))
    })
}

#[test]
fn tasks_may_compute_graphs_of_their_own() {
    let mut seen = Vec::new();
    for threads in [1, 2, 4] {
        let reach = Reach::new(checked(threads));
        seen.push(reach.run(one_layer(6, nest(reach.clone(), 2))).expect("fine"));
        until(|| empty(reach.local()));
    }
    assert_eq!(seen[0].len(), 6);
    assert!(seen.iter().all(|other| *other == seen[0]));
}

#[test]
fn random_graphs_inside_tasks_give_what_the_serial_executor_gives() {
    for threads in [1, 2, 4] {
        let reach = Reach::new(checked(threads));
        for round in 1..20 {
            let of = move |index: u32| random(round * 100 + u64::from(index % 4));
            let inner = reach.clone();
            let op = OpRef::closure("inner", round, move |ctx, _| Ok(total(&inner.run(of(ctx.key.index))?)));
            let serial = |index| Serial::new(Registry::default()).run(&of(index)).0.expect("no task fails");
            let expected: Vec<i64> = (0..6).map(|index| digest(&total(&digests(&serial(index))))).collect();
            assert_eq!(reach.run(one_layer(6, op)).expect("no task fails"), expected, "round {round}, {threads} threads");
        }
        until(|| empty(reach.local()));
    }
}

/// Counts the levels below.
fn chain(reach: Reach, depth: u64) -> OpRef {
    OpRef::closure("chain", depth, move |_, _| {
        let below = if depth == 0 { vec![-1] } else { reach.run(one_layer(1, chain(reach.clone(), depth - 1)))? };
        Ok(Chunk::new(Plain(below[0] + 1)))
    })
}

#[test]
fn fifty_levels_need_no_more_than_one_thread() {
    for threads in [1, 2] {
        let reach = Reach::new(checked(threads));
        assert_eq!(reach.run(one_layer(1, chain(reach.clone(), 50))).expect("fine"), [50]);
        until(|| empty(reach.local()));
    }
}

#[test]
fn a_long_chain_is_cancelled_from_its_head() {
    let reach = Reach::new(local(1, Options::default()));
    let (started, inner) = (Arc::new(AtomicU32::new(0)), reach.clone());
    fn link(reach: Reach, started: Arc<AtomicU32>, left: u64) -> OpRef {
        OpRef::closure("link", left, move |_, _| {
            let next = if left == 0 { endless(started.clone()) } else { link(reach.clone(), started.clone(), left - 1) };
            Ok(total(&reach.run(one_layer(1, next))?))
        })
    }
    let run = reach.local().submit(one_layer(1, link(inner, started.clone(), 300))).expect("sound");
    until(|| started.load(SeqCst) == 1);
    assert_eq!(reach.local().snapshot().worker.waiting, 301);
    run.cancel();
    drop(run);
    until(|| empty(reach.local()) && reach.local().snapshot().worker.waiting == 0);
}

#[test]
fn hundreds_of_tasks_may_wait_at_once() {
    let local = checked(2);
    let (gate, started) = (Arc::new(Gate::default()), Arc::new(AtomicU32::new(0)));
    let (closed, counts) = (gate.clone(), started.clone());
    let op = OpRef::closure("waits", 1, move |ctx, _| {
        counts.fetch_add(1, SeqCst);
        while_waiting(|| closed.wait());
        Ok(Chunk::new(Plain(i64::from(ctx.key.index))))
    });
    let run = local.submit(one_layer(500, op)).expect("sound");
    until(|| local.snapshot().worker.waiting == 500);
    assert_eq!(started.load(SeqCst), 500);
    // Both threads are there for others.
    assert!(local.submit(random(9)).expect("sound").wait().is_ok());
    assert_eq!(local.snapshot().scheduler.workers[0].waiting, 500);
    gate.open();
    assert_eq!(digests(&run.wait().expect("fine")), (0..500).collect::<Vec<i64>>());
    drop(run);
    until(|| empty(&local) && local.snapshot().worker.waiting == 0);
}

#[test]
fn thousands_of_tasks_that_submit_do_not_all_wait_at_once() {
    // A task whose child has ended waits until the system gives its thread a processor, so there may be more than two at a time.
    let reach = Reach::new(local(2, Options { most_waiting: 400, ..Options::default() }));
    let inner = reach.clone();
    let op = OpRef::closure("submits", 1, move |ctx, _| Ok(total(&inner.run(one_layer(1, mixer(u64::from(ctx.key.index))))?)));
    let results = reach.run(one_layer(3_000, op)).expect("few wait at a time");
    assert_eq!(results, (0..3_000).map(|index| index * 31).collect::<Vec<i64>>());
}

#[test]
fn what_is_there_is_not_made_again_inside_a_task() {
    let (made, reach) = (Arc::new(AtomicU32::new(0)), Reach::new(checked(2)));
    let (counts, inner) = (made.clone(), reach.clone());
    let kept = one_layer(
        5,
        OpRef::closure("counted", 1, move |ctx, _| {
            counts.fetch_add(1, SeqCst);
            Ok(Chunk::new(Plain(i64::from(ctx.key.index))))
        }),
    );
    let persisted = reach.local().submit(kept.clone()).expect("sound");
    persisted.wait_stored().expect("fine");
    let op = OpRef::closure("reads", 1, move |_, _| Ok(total(&inner.run(kept.clone())?)));
    assert_eq!(reach.run(one_layer(4, op)).expect("fine"), [10; 4]);
    assert_eq!(made.load(SeqCst), 5);
}

#[test]
fn the_limit_of_memory_is_one_for_all() {
    const BLOCK: usize = 1 << 19;
    let limit = 64 << 20;
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { memory_limit: limit, local_directory: Some(folder.path().into()), check: true, ..Options::default() };
    let reach = Reach::new(local(2, options));
    let blocks = |token: u8| one_layer(60, OpRef::closure("block", token.into(), move |_, _| Ok(Chunk::new(Plain(vec![token; BLOCK])))));
    let persisted = reach.local().submit(blocks(1)).expect("sound");
    persisted.wait_stored().expect("fine");
    let inner = reach.clone();
    let op = OpRef::closure("makes more", 1, move |_, _| {
        let more = inner.local().submit(blocks(2))?;
        more.wait_stored()?;
        let usage = inner.local().usage();
        Ok(Chunk::new(Plain((usage.memory + usage.spilled) as i64)))
    });
    let seen = reach.run(one_layer(1, op)).expect("fine");
    assert!(seen[0] >= 110 * BLOCK as i64, "{seen:?}");
    let usage = reach.local().usage();
    assert!(usage.peak <= limit && usage.spilled_total > 0, "{usage:?}");
}

#[test]
fn a_task_that_is_cancelled_takes_what_it_submitted_along() {
    for threads in [1, 2] {
        let (started, reach) = (Arc::new(AtomicU32::new(0)), Reach::new(checked(threads)));
        let (counts, inner) = (started.clone(), reach.clone());
        let op = OpRef::closure("outer", 1, move |_, _| Ok(total(&inner.run(one_layer(1, endless(counts.clone())))?)));
        let run = reach.local().submit(one_layer(1, op)).expect("sound");
        until(|| started.load(SeqCst) == 1);
        drop(run);
        until(|| empty(reach.local()) && reach.local().snapshot().worker.waiting == 0);
    }
}

#[test]
fn keys_that_a_task_submitted_are_cancelled_with_it() {
    let (started, reach) = (Arc::new(AtomicU32::new(0)), Reach::new(checked(2)));
    let (counts, inner) = (started.clone(), reach.clone());
    let op = OpRef::closure("outer", 1, move |_, _| {
        let run = inner.local().submit_each(one_layer(3, endless(counts.clone())))?;
        run.wait_any(&[2, 1])?;
        Ok(Chunk::new(Plain(0)))
    });
    let run = reach.local().submit(one_layer(1, op)).expect("sound");
    until(|| started.load(SeqCst) == 2);
    run.cancel();
    drop(run);
    until(|| empty(reach.local()) && reach.local().snapshot().worker.waiting == 0);
}

/// Gives a task the handle of a run that is submitted later.
fn handle<T: Clone>(cell: &OnceLock<T>) -> T {
    loop {
        if let Some(there) = cell.get() {
            return there.clone();
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_task_may_wait_for_a_run_from_outside() {
    let local = checked(1);
    let (cell, sees) = (Arc::new(OnceLock::<Run>::new()), Arc::new(AtomicBool::new(false)));
    let (inner, seen) = (cell.clone(), sees.clone());
    let waits = OpRef::closure("waits", 1, move |_, _| {
        let chunks = handle(&inner).wait()?;
        seen.store(true, SeqCst);
        Ok(chunks[0].clone())
    });
    let first = local.submit(one_layer(1, waits)).expect("sound");
    let second = local.submit(one_layer(1, mixer(5))).expect("sound");
    assert!(cell.set(second.clone()).is_ok());
    assert_eq!(digests(&first.wait().expect("fine")), digests(&second.wait().expect("fine")));
    assert!(sees.load(SeqCst));
}

#[test]
fn a_task_that_is_cancelled_stops_waiting_for_what_others_go_on_with() {
    let local = checked(2);
    let (started, cell) = (Arc::new(AtomicU32::new(0)), Arc::new(OnceLock::<Run>::new()));
    let inner = cell.clone();
    let waits = OpRef::closure("waits", 1, move |_, _| Ok(handle(&inner).wait()?[0].clone()));
    let first = local.submit(one_layer(1, waits)).expect("sound");
    let others = local.submit(one_layer(1, endless(started.clone()))).expect("sound");
    assert!(cell.set(others.clone()).is_ok());
    until(|| started.load(SeqCst) == 1 && local.snapshot().worker.waiting == 1);
    first.cancel();
    until(|| local.snapshot().worker.waiting == 0);
    assert_eq!(local.snapshot().scheduler.runs.iter().filter(|run| run.unstored == 1).count(), 1, "the others' run goes on");
    others.cancel();
    until(|| local.snapshot().worker.running == 0);
}

#[test]
fn a_task_that_would_wait_for_itself_is_told_so() {
    let local = checked(2);
    let cell = Arc::new(OnceLock::<Run>::new());
    let inner = cell.clone();
    let waits = OpRef::closure("waits", 1, move |_, _| Ok(handle(&inner).wait()?[0].clone()));
    let run = local.submit(one_layer(2, waits)).expect("sound");
    assert!(cell.set(run.clone()).is_ok());
    assert_eq!(run.wait().expect_err("it needs itself").code, Code::WaitsForItself);
}

#[test]
fn a_task_may_wait_for_another_key_of_its_own_run() {
    let local = checked(1);
    let cell = Arc::new(OnceLock::<RunEach>::new());
    let inner = cell.clone();
    let waits = OpRef::closure("waits", 1, move |ctx, _| match ctx.key.index {
        0 => handle(&inner).wait_key(2),
        1 => handle(&inner).wait_key(1),
        _ => Ok(Chunk::new(Plain(7))),
    });
    let run = local.submit_each(one_layer(3, waits)).expect("sound");
    assert!(cell.set(run.clone()).is_ok());
    assert_eq!(digest(&run.wait_key(0).expect("the third is made meanwhile")), 7);
    assert_eq!(run.wait_stored(1).expect_err("it needs itself").code, Code::WaitsForItself);
}

#[test]
fn what_fails_inside_is_the_tasks_to_judge() {
    let reach = Reach::new(checked(1));
    let fails = || OpRef::closure("fails", 1, |_, _| Err(Failure::new(Code::Parse, "not a number")));
    let inner = reach.clone();
    let passes_on = OpRef::closure("passes on", 1, move |_, _| Ok(total(&inner.run(one_layer(2, fails()))?)));
    let failure = reach.run(one_layer(1, passes_on)).expect_err("what it needs fails");
    assert_eq!((failure.code, failure.what.as_str()), (Code::Parse, "not a number"));
    let inner = reach.clone();
    let copes = OpRef::closure("copes", 1, move |_, _| Ok(Chunk::new(Plain(i64::from(inner.run(one_layer(2, fails())).is_err())))));
    assert_eq!(reach.run(one_layer(3, copes)).expect("fine"), [1; 3]);
    until(|| empty(reach.local()));
}

#[test]
fn more_tasks_than_may_wait_are_refused() {
    let local = local(1, Options { most_waiting: 3, check: true, ..Options::default() });
    let gate = Arc::new(Gate::default());
    let closed = gate.clone();
    let op = OpRef::closure("waits", 1, move |ctx, _| {
        match ctx.key.index {
            // It can do without.
            4 => assert_eq!(try_while_waiting(|| closed.wait()).expect_err("too many").code, Code::TooManyWaiting),
            _ => while_waiting(|| closed.wait()),
        }
        Ok(Chunk::new(Plain(i64::from(ctx.key.index))))
    });
    let run = local.submit_each(one_layer(5, op)).expect("sound");
    assert_eq!(run.wait_stored(3).expect_err("three wait already").code, Code::TooManyWaiting);
    assert_eq!(digest(&run.wait_key(4).expect("it goes on")), 4);
    gate.open();
    for index in 0..3 {
        assert_eq!(digest(&run.wait_key(index).expect("fine")), index as i64);
    }
    drop(run);
    until(|| empty(&local));
}

#[test]
fn a_panic_while_it_waits_takes_the_slot_back() {
    let local = checked(1);
    let panics = OpRef::closure("panics", 1, |_, _| while_waiting(|| panic!("woken badly")));
    assert_eq!(local.submit(one_layer(1, panics)).expect("sound").wait().expect_err("it panics").code, Code::Panicked);
    until(|| empty(&local) && local.snapshot().worker.waiting == 0);
    assert!(local.submit(random(4)).expect("sound").wait().is_ok());
}

#[test]
fn waits_of_any_kind_are_woken_when_the_task_is_cancelled() {
    let local = checked(1);
    let waits = OpRef::closure("waits", 1, |_, _| {
        let gate = Arc::new(Gate::default());
        let rung = gate.clone();
        assert!(current_cancelled().is_some_and(|cancelled| !cancelled.is_set()));
        wait_inside(
            move || rung.open(),
            |given_up| {
                gate.wait();
                (!given_up()).then_some(())
            },
        )?;
        Ok(Chunk::new(Plain(0)))
    });
    let run = local.submit(one_layer(1, waits)).expect("sound");
    until(|| local.snapshot().worker.waiting == 1);
    run.cancel();
    until(|| local.snapshot().worker.waiting == 0 && local.snapshot().worker.running == 0);
}

#[test]
fn outside_of_a_task_waiting_is_waiting() {
    assert_eq!(while_waiting(|| 7), 7);
    assert!(current_cancelled().is_none());
    assert_eq!(wait_inside(|| panic!("nobody is cancelled"), |given_up| (!given_up()).then_some(8)), Ok(8));
    let local = checked(2);
    let run = local.submit(one_layer(3, mixer(1))).expect("sound");
    let (sender, receiver) = std::sync::mpsc::channel();
    // Whoever ends a run calls back, perhaps a loop that has just run a task.
    run.on_end(Box::new(move || sender.send(current_cancelled().is_none()).expect("heard")));
    assert_eq!(receiver.recv(), Ok(true));
}
