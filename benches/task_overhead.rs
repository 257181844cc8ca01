//! What a task costs when it does nothing: submit, schedule, run, keep the chunk, wait, release; end to end, by the
//! number of tasks. The inverse of the printed throughput is the time a task takes.
//!
//! `cargo bench -p partita-local`; with `-- --test` each case runs once.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use partita_graph::{Chunk, Edge, Executor, Graph, Layer, LayerId, OpRef, Plain, Registry, Wiring};
use partita_local::{Local, Options, ThreadPool};

/// An operator that does nothing but make a chunk.
fn nothing(token: u64) -> OpRef {
    OpRef::closure("nothing", token, |_, inputs| Ok(Chunk::new(Plain(inputs.len() as i64))))
}

/// Appends without looking for the same work: a chain of a million layers would look a million times.
fn append(graph: &mut Graph, len: u32, token: u64, edges: Vec<Edge>) -> LayerId {
    let layer = Layer::single("nothing", len, nothing(token), edges);
    let id = layer.id;
    graph.layers.push(Arc::new(layer));
    id
}

/// `tasks` tasks that have nothing to do with each other.
fn independent(tasks: u32) -> Graph {
    let mut graph = Graph::default();
    let id = append(&mut graph, tasks, 0, vec![]);
    graph.want_all(id);
    graph
}

/// One task reads all others.
fn merge(tasks: u32) -> Graph {
    let mut graph = Graph::default();
    let leaves = append(&mut graph, tasks - 1, 0, vec![]);
    let root = append(&mut graph, 1, 1, vec![Edge { layer: leaves, wiring: Wiring::Every }]);
    graph.want_all(root);
    graph
}

/// Eight tasks into one, until one is left.
fn tree(tasks: u32) -> Graph {
    let mut graph = Graph::default();
    // Of n leaves and their tree, the leaves are seven eighths.
    let mut len = tasks - tasks / 8;
    let mut layer = append(&mut graph, len, 0, vec![]);
    for depth in 1.. {
        if len == 1 {
            break;
        }
        len = len.div_ceil(8);
        layer = append(&mut graph, len, depth, vec![Edge { layer, wiring: Wiring::Group(8) }]);
    }
    graph.want_all(layer);
    graph
}

/// Each task reads the one before it.
fn chain(tasks: u32) -> Graph {
    let mut graph = Graph::default();
    let mut layer = append(&mut graph, 1, 0, vec![]);
    for depth in 1..tasks {
        layer = append(&mut graph, 1, u64::from(depth), vec![Edge { layer, wiring: Wiring::Each }]);
    }
    graph.wanted.push(partita_graph::Key::new(layer, 0));
    graph
}

fn run(local: &Local, graph: Graph) {
    let run = local.submit(graph).expect("the graph is sound");
    run.wait_stored().expect("no task fails");
    black_box(run);
}

type Shape = (&'static str, fn(u32) -> Graph);

fn task_overhead(criterion: &mut Criterion) {
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get());
    let local = Local::new(Options::default(), Arc::new(ThreadPool::new(threads)), Registry::default()).expect("the options are sound");
    let shapes: [Shape; 4] = [("independent", independent), ("merge", merge), ("tree", tree), ("chain", chain)];
    for (name, shape) in shapes {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).warm_up_time(Duration::from_millis(300));
        for tasks in [1_000, 10_000, 100_000, 1_000_000] {
            group.throughput(Throughput::Elements(tasks.into()));
            group.measurement_time(Duration::from_millis(if tasks > 10_000 { 4_000 } else { 1_000 }));
            group.bench_function(BenchmarkId::from_parameter(tasks), |bench| {
                let graph = shape(tasks);
                bench.iter_batched(|| graph.clone(), |graph| run(&local, graph), BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

criterion_group!(benches, task_overhead);
criterion_main!(benches);
