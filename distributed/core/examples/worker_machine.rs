//! What one task costs inside the worker's machine alone, and what gathering many inputs costs; operators and peers answer at once.
//! `cargo run --release -p partita-core --example worker_machine`

use std::sync::Arc;

use partita_core::protocol::{Assignment, Input, ToWorker, WorkerAction, WorkerEvent, WorkerId};
use partita_core::worker::{Config, Worker};
use partita_graph::{Chunk, Key, Layer, LayerId, OpRef, Plain};

fn layer(len: u32) -> Arc<Layer> {
    Arc::new(Layer::single("tasks", len, OpRef::closure("nothing", 1, |_, _| Ok(Chunk::new(Plain(0)))), vec![]))
}

/// Hands every action back as its answer until nothing is left to do. Returns how many operators ran.
fn settle(machine: &mut Worker, out: &mut Vec<WorkerAction>) -> u64 {
    let (mut ran, mut now) = (0, Vec::new());
    while !out.is_empty() {
        std::mem::swap(&mut now, out);
        for action in now.drain(..) {
            match action {
                WorkerAction::Execute(task) => {
                    ran += 1;
                    let (key, attempt, notes) = (task.key, task.attempt, Vec::new());
                    machine.handle(0, WorkerEvent::Ran { key, attempt, nbytes: 8, spillable: true, micros: 1, notes, value: None }, out);
                }
                WorkerAction::Fetch { pieces, .. } => {
                    for (key, part) in pieces {
                        machine.handle(0, WorkerEvent::Fetched { key, part, nbytes: 8 }, out);
                    }
                }
                _ => {}
            }
        }
    }
    ran
}

/// All tasks are given at once, then run.
fn queued(n: u32, limit: u64) -> u64 {
    let layer = layer(n);
    let mut machine = Worker::new(Config::new(4, limit));
    let mut out = Vec::new();
    for index in 0..n {
        let task = Assignment { priority: u64::from(index), ..Assignment::new(Key::new(layer.id, index), layer.clone(), vec![]) };
        machine.handle(0, WorkerEvent::Heard(ToWorker::Assign(task)), &mut out);
    }
    settle(&mut machine, &mut out)
}

/// One task is given, and runs, after the other.
fn one_by_one(n: u32, limit: u64) -> u64 {
    let layer = layer(n);
    let mut machine = Worker::new(Config::new(4, limit));
    let mut out = Vec::new();
    let mut ran = 0;
    for index in 0..n {
        let task = Assignment::new(Key::new(layer.id, index), layer.clone(), vec![]);
        machine.handle(0, WorkerEvent::Heard(ToWorker::Assign(task)), &mut out);
        ran += settle(&mut machine, &mut out);
        machine.handle(0, WorkerEvent::Heard(ToWorker::Free(vec![Key::new(layer.id, index)])), &mut out);
        out.clear();
    }
    ran
}

/// One task reads so many chunks, which two others have.
fn merge(n: u32, limit: u64) -> u64 {
    let layer = layer(1);
    let mut machine = Worker::new(Config::new(4, limit));
    let mut out = Vec::new();
    let input = |index| Input {
        key: Key::new(LayerId(7), index),
        part: None,
        nbytes: 8,
        holders: vec![WorkerId(2 + index % 2), WorkerId(3 - index % 2)],
    };
    let task = Assignment::new(Key::new(layer.id, 0), layer.clone(), vec![(0..n).map(input).collect()]);
    machine.handle(0, WorkerEvent::Heard(ToWorker::Assign(task)), &mut out);
    settle(&mut machine, &mut out)
}

/// So many tasks wait for the same chunk and are given up.
fn given_up(n: u32, limit: u64) -> u64 {
    let layer = layer(n);
    let mut machine = Worker::new(Config::new(4, limit));
    let mut out = Vec::new();
    let input = Input { key: Key::new(LayerId(7), 0), part: None, nbytes: 8, holders: vec![WorkerId(2)] };
    for index in 0..n {
        let task = Assignment::new(Key::new(layer.id, index), layer.clone(), vec![vec![input.clone()]]);
        machine.handle(0, WorkerEvent::Heard(ToWorker::Assign(task)), &mut out);
    }
    for index in 0..n {
        machine.handle(0, WorkerEvent::Heard(ToWorker::Abandon(Key::new(layer.id, index), 1)), &mut out);
    }
    assert_eq!(machine.snapshot().queued, 0, "all are given up");
    u64::from(n)
}

/// So many tasks or inputs under a limit of memory; returns the tasks that ran.
type Case = fn(u32, u64) -> u64;

/// Nanoseconds that this process was on a processor: other work on the machine does not count.
fn on_processor() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("this example needs Linux");
    text.split(' ').next().and_then(|first| first.parse().ok()).expect("the kernel writes numbers")
}

fn main() {
    let cases: [(&str, Case); 4] = [("queued", queued), ("one by one", one_by_one), ("merge (an input)", merge), ("given up", given_up)];
    for (name, case) in cases {
        for n in [10_000, 100_000, 1_000_000] {
            for limit in [0, 1 << 40] {
                let begin = on_processor();
                let ran = case(n, limit);
                let ns = (on_processor() - begin) as f64 / f64::from(n);
                println!("{name:>20} {n:>9}: {ran:>8} tasks, {ns:6.0} ns each{}", if limit > 0 { ", memory accounted" } else { "" });
            }
        }
    }
}
