//! What one task costs inside the two machines: each message is handed over at once, and operators take no time.
//! `cargo run --release -p partita-core --example machines`; with `growth` the scheduler alone with 24 to 1,512 workers that
//! answer at once, with `pending` what ten million waiting tasks cost in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use partita_core::protocol::{
    About, ClientId, Ending, RunId, SchedulerAction, SchedulerEvent, ToScheduler, ToWorker, WorkerAction, WorkerEvent, WorkerId,
};
use partita_core::{scheduler, worker};
use partita_graph::{Chunk, Edge, Graph, Layer, OpRef, Plain, Wiring};

fn layer(name: &str, token: u64, len: u32, edges: Vec<Edge>) -> Layer {
    Layer::single(name, len, OpRef::closure("nothing", token, |_, _| Ok(Chunk::new(Plain(0)))), edges)
}

fn independent(n: u32) -> Graph {
    let mut graph = Graph::default();
    let tasks = graph.add(layer("tasks", 1, n, vec![]));
    graph.want_all(tasks);
    graph
}

fn merge(n: u32) -> Graph {
    let mut graph = Graph::default();
    let tasks = graph.add(layer("tasks", 1, n, vec![]));
    let merge = graph.add(layer("merge", 2, 1, vec![Edge { layer: tasks, wiring: Wiring::Every }]));
    graph.want_all(merge);
    graph
}

fn tree(n: u32) -> Graph {
    let mut graph = Graph::default();
    let mut last = graph.add(layer("leaves", 1, n, vec![]));
    let (mut len, mut level) = (n, 2);
    while len > 1 {
        len = len.div_ceil(8);
        last = graph.add(layer("level", level, len, vec![Edge { layer: last, wiring: Wiring::Group(8) }]));
        level += 1;
    }
    graph.want_all(last);
    graph
}

fn chains(n: u32) -> Graph {
    let mut graph = Graph::default();
    let mut last = graph.add(layer("read", 1, n / 4, vec![]));
    for level in 2..=4 {
        last = graph.add(layer("map", level, n / 4, vec![Edge { layer: last, wiring: Wiring::Each }]));
    }
    graph.want_all(last);
    graph
}

fn shuffle(n: u32) -> Graph {
    let side = f64::from(n).sqrt() as u32;
    let mut graph = Graph::default();
    let split = graph.add(layer("split", 1, side, vec![]));
    let concat = graph.add(layer("concat", 2, side, vec![Edge { layer: split, wiring: Wiring::Part }]));
    graph.want_all(concat);
    graph
}

/// A chain of layers of one task each, as delayed calls make them.
fn delayed(n: u32) -> Graph {
    let mut graph = Graph::default();
    let mut last: Option<Arc<Layer>> = None;
    for at in 0..n {
        let edges = last.iter().map(|layer| Edge { layer: layer.id, wiring: Wiring::Each }).collect();
        let next = Arc::new(layer("call", u64::from(at), 1, edges));
        graph.layers.push(next.clone());
        last = Some(next);
    }
    graph.wanted.extend(last.map(|layer| partita_graph::Key::new(layer.id, 0)));
    graph
}

/// The first run, of this graph.
fn submit(graph: Arc<Graph>, ending: Ending) -> SchedulerEvent {
    SchedulerEvent::Submit { run: RunId(1), client: ClientId(0), graph, ending }
}

/// Runs the graph on one worker of `threads` threads; returns the tasks that ran.
fn run(graph: Graph, ending: Ending, threads: u32, memory_limit: u64) -> u64 {
    let mut scheduler = scheduler::Scheduler::new(scheduler::Config::default());
    let mut machine = worker::Worker::new(worker::Config::new(threads, memory_limit));
    let (mut said, mut asked) = (Vec::new(), Vec::new());
    let mut running = VecDeque::new();
    let mut ran = 0;
    let id = WorkerId(1);
    scheduler.handle(0, SchedulerEvent::Joined { worker: id, about: About::plain("w", threads) }, &mut said);
    scheduler.handle(0, submit(Arc::new(graph), ending), &mut said);
    loop {
        for action in said.drain(..) {
            match action {
                SchedulerAction::Send(_, message) => machine.handle(0, WorkerEvent::Heard(message), &mut asked),
                SchedulerAction::KeyDone { .. } => {}
                SchedulerAction::RunDone(_) => return ran,
                other => panic!("{other:?}"),
            }
        }
        for action in asked.drain(..) {
            match action {
                WorkerAction::Execute(assignment) => running.push_back(assignment),
                WorkerAction::Send(message) => scheduler.handle(0, SchedulerEvent::Said(id, message), &mut said),
                _ => {}
            }
        }
        if said.is_empty() {
            let task = running.pop_front().expect("something runs");
            ran += 1;
            let done = WorkerEvent::Ran {
                key: task.key,
                attempt: task.attempt,
                nbytes: 8,
                spillable: true,
                micros: 1,
                notes: Vec::new(),
                value: None,
            };
            machine.handle(0, done, &mut asked);
        }
    }
}

/// Nanoseconds that this process was on a processor: other work on the machine does not count.
fn on_processor() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("this example needs Linux");
    text.split(' ').next().and_then(|first| first.parse().ok()).expect("the kernel writes numbers")
}

/// The scheduler alone: workers of one thread that answer a little later, each task after `micros`, in the order in which they
/// were given. Returns nanoseconds for accepting the graph and for everything after that.
fn zero_workers(graph: Graph, workers: u32, micros: u64) -> (u64, u64) {
    let tasks = graph.tasks();
    let graph = Arc::new(graph);
    let mut scheduler = scheduler::Scheduler::new(scheduler::Config::default());
    let mut said = Vec::new();
    for worker in 1..=workers {
        let about = About::plain(&format!("w{worker}"), 1);
        scheduler.handle(0, SchedulerEvent::Joined { worker: WorkerId(worker), about }, &mut said);
    }
    let begin = on_processor();
    scheduler.handle(0, submit(graph, Ending::Together), &mut said);
    let accepted = on_processor();
    let mut given = VecDeque::new();
    let (mut ran, mut now) = (0, 0);
    loop {
        for action in said.drain(..) {
            match action {
                SchedulerAction::Send(worker, ToWorker::Assign(task)) => given.push_back((worker, task.key, task.attempt)),
                SchedulerAction::Send(..) => {}
                SchedulerAction::RunDone(_) => {
                    assert_eq!(ran, tasks, "each task runs once");
                    return (accepted - begin, on_processor() - accepted);
                }
                other => panic!("{other:?}"),
            }
        }
        if let Some(at) = scheduler.wakes().filter(|at| *at <= now || given.is_empty()) {
            now = now.max(at);
            scheduler.handle(now, SchedulerEvent::Wake, &mut said);
            continue;
        }
        let (worker, key, attempt) = given.pop_front().expect("something is given");
        (ran, now) = (ran + 1, now + 1);
        let done = ToScheduler::Finished { key, attempt, nbytes: 8, micros, notes: Vec::new(), value: None };
        scheduler.handle(now, SchedulerEvent::Said(worker, done), &mut said);
    }
}

/// Makes a graph of about so many tasks.
type Make = fn(u32) -> Graph;

/// How often each case is measured.
const ROUNDS: usize = 5;

/// What a task costs with few and with many workers, short tasks (given ahead) and long ones (one round trip each).
fn growth() {
    let cases: [(&str, Make, u32); 4] =
        [("independent", independent, 1_000_000), ("merge", merge, 100_000), ("tree", tree, 1 << 15), ("chains of 4", chains, 1_000_000)];
    for (name, make, n) in cases {
        for micros in [5, 100_000] {
            let mut costs = Vec::new();
            for workers in [24, 168, 1512] {
                // Other work on the machine only ever adds: the least of several is what the scheduler costs.
                let measured = (0..ROUNDS).map(|_| zero_workers(make(n), workers, micros));
                let (accepting, running) = measured.min_by_key(|(accepting, running)| accepting + running).expect("some rounds");
                let each = (accepting + running) as f64 / make(n).tasks() as f64;
                costs.push(each);
                let accepting = accepting as f64 / 1e6;
                println!("{name:>12} {n:>8}, {micros:>6} us, {workers:>5} workers: accepted in {accepting:6.1} ms, {each:6.0} ns a task");
            }
            println!("{:>12} growth from 24 to 1512 workers: {:+.0} %", "", (costs[2] / costs[0] - 1.0) * 100.0);
        }
    }
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("this example needs Linux");
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("the kernel writes numbers") * 4096
}

/// Ten million pending tasks, a map after a read, without any worker.
fn pending() {
    let before = resident();
    let mut scheduler = scheduler::Scheduler::new(scheduler::Config::default());
    let mut graph = Graph::default();
    let read = graph.add(layer("read", 1, 5_000_000, vec![]));
    let map = graph.add(layer("map", 2, 5_000_000, vec![Edge { layer: read, wiring: Wiring::Each }]));
    graph.want_all(map);
    let begin = on_processor();
    scheduler.handle(0, submit(Arc::new(graph), Ending::Together), &mut Vec::new());
    let accepted = on_processor() - begin;
    let bytes = resident() - before;
    let begin = on_processor();
    let seen = scheduler.snapshot();
    let asked = on_processor() - begin;
    println!(
        "10 M pending tasks: accepted in {:.2} s, {:.0} B each ({:.2} GiB), a snapshot of {} layers takes {} us",
        accepted as f64 / 1e9,
        bytes as f64 / 1e7,
        bytes as f64 / f64::from(1 << 30),
        seen.layers.len(),
        asked / 1000
    );
}

fn main() {
    let only = std::env::args().nth(1);
    match only.as_deref() {
        Some("growth") => return growth(),
        Some("pending") => return pending(),
        _ => {}
    }
    for (name, make, ending) in [
        ("independent", independent as Make, Ending::Together),
        ("futures", independent, Ending::Each),
        ("merge", merge, Ending::Together),
        ("tree", tree, Ending::Together),
        ("chains of 4", chains, Ending::Together),
        ("shuffle (ns a pair)", shuffle, Ending::Together),
        ("delayed calls", delayed, Ending::Together),
    ] {
        if only.as_deref().is_some_and(|only| !name.starts_with(only)) {
            continue;
        }
        for n in [10_000, 100_000, 1_000_000] {
            for limit in [0, 1 << 40] {
                let graph = make(n);
                let begin = on_processor();
                let ran = run(graph, ending, 4, limit);
                let ns = (on_processor() - begin) as f64 / f64::from(n);
                println!("{name:>20} {n:>9}: {ran:>8} tasks, {ns:6.0} ns each{}", if limit > 0 { ", memory accounted" } else { "" });
            }
        }
    }
}
