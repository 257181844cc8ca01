//! The whole cluster under faults, one story for each seed.
//!
//! `PARTITA_SIM_SEED=123` runs one seed and tells its story when it fails; `PARTITA_SIM_SEEDS=10000` sets how many are tried,
//! `PARTITA_SIM_THREADS=2` on how many threads.

#[path = "sim/behaviours.rs"]
mod behaviours;
#[path = "sim/check.rs"]
mod check;
#[path = "sim/copies.rs"]
mod copies;
#[path = "sim/each.rs"]
mod each;
#[path = "sim/inside.rs"]
mod inside;
#[path = "sim/losing.rs"]
mod losing;
#[path = "sim/memory.rs"]
mod memory;
#[path = "sim/placement.rs"]
mod placement;
#[path = "sim/results.rs"]
mod results;
#[path = "sim/shuffle.rs"]
mod shuffle;
#[path = "sim/stealing.rs"]
mod stealing;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use partita_graph::{Chunk, Code, Edge, Executor, Failure, Graph, Layer, OpRef, Parts, Plain, Registry, Serial, Wiring};
use partita_sim::{Faults, Report, SimExecutor, SimFailure, run_seed};

/// Seeds that are tried when nothing else is asked for.
const SEEDS: u64 = 200;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, it is {text:?}")))
}

/// Runs the seeds on so many threads. The failure of the smallest seed that failed is told.
fn run_seeds(seeds: u64, threads: u64) -> Result<Report, SimFailure> {
    let next = AtomicU64::new(0);
    let worst: Mutex<Option<SimFailure>> = Mutex::new(None);
    let total = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || worst.lock().unwrap().is_some() {
                        return;
                    }
                    match run_seed(seed) {
                        Ok(report) => *total.lock().unwrap() += report,
                        Err(failure) => {
                            let mut worst = worst.lock().unwrap();
                            if worst.as_ref().is_none_or(|other| other.seed > seed) {
                                *worst = Some(failure);
                            }
                        }
                    }
                }
            });
        }
    });
    match worst.into_inner().unwrap() {
        Some(failure) => Err(failure),
        None => Ok(total.into_inner().unwrap()),
    }
}

#[test]
fn every_seed_gives_the_results_of_the_oracle() {
    if let Some(seed) = number("PARTITA_SIM_SEED") {
        let report = run_seed(seed).unwrap_or_else(|failure| panic!("{failure}"));
        println!("seed {seed}: {report:?}");
        return;
    }
    let seeds = number("PARTITA_SIM_SEEDS").unwrap_or(SEEDS);
    let began = Instant::now();
    let total = run_seeds(seeds, number("PARTITA_SIM_THREADS").unwrap_or(1)).unwrap_or_else(|failure| panic!("{failure}"));
    let hourly = seeds as f64 / began.elapsed().as_secs_f64() * 3600.0;
    println!("{seeds} seeds, {hourly:.0} an hour: {total:?}");
    let met = [
        (total.deaths, "deaths"),
        (total.spills, "chunks on disk"),
        (total.breaks, "links that break"),
        (total.half_open, "links that break in one direction"),
        (total.stops, "processes that are stopped and go on"),
        (total.reborn, "workers that come back under their names"),
        (total.restarts, "restarts of the cluster"),
        (total.pauses, "workers that pause for want of memory"),
        (total.full_disks, "disks that are full"),
        (total.steals, "tasks that are asked back for others"),
        (total.copies, "copies that are asked for"),
        (total.busy, "peers that are busy"),
        (total.given_up, "workers that are given up though they live"),
        (total.stayed, "workers that were to retire and stay"),
        (total.done_keys, "keys that end well by themselves"),
        (total.failed_keys, "keys that fail by themselves"),
        (total.forgotten_keys, "keys that are forgotten"),
        (total.waits, "operators that wait inside"),
        (total.named_layers, "layers that a client only names"),
        (total.agreed, "questions about locks, queues and topics that are answered"),
        (total.given_up_calls, "questions that are given up"),
        (total.freed, "locks and leases whose holder is gone"),
        (total.oversubscribed, "leases that have gone to another"),
        (total.put_back, "values that are put back into queues"),
        (total.messages, "messages that subscribers hear"),
        (total.calls, "calls of actors that are made"),
    ];
    for (count, what) in met {
        assert!(seeds < SEEDS || count > 0, "the seeds must meet {what}");
    }
}

#[test]
fn a_seed_is_a_story() {
    assert_eq!(run_seed(7).unwrap(), run_seed(7).unwrap());
}

fn sums(len: u32) -> Graph {
    let number = OpRef::closure("number", 1, |ctx, _| Ok(Chunk::new(Plain(i64::from(ctx.key.index)))));
    let sum = OpRef::closure("sum", 2, |_, inputs| {
        let numbers = inputs.iter().filter_map(|chunk| chunk.get::<Plain<i64>>());
        Ok(Chunk::new(Plain(numbers.map(|n| n.0).sum::<i64>())))
    });
    let mut graph = Graph::default();
    let numbers = graph.add(Layer::single("numbers", len, number, vec![]));
    let groups = graph.add(Layer::single("groups", len.div_ceil(8), sum.clone(), vec![Edge { layer: numbers, wiring: Wiring::Group(8) }]));
    let total = graph.add(Layer::single("total", 1, sum, vec![Edge { layer: groups, wiring: Wiring::Every }]));
    graph.want_all(total);
    graph
}

/// Each of `n` chunks is cut into `n` pieces, and piece `j` of all is put together again; then their sum is taken.
fn transposed(n: u32) -> Graph {
    let cut = OpRef::closure("cut", 3, move |ctx, _| {
        let pieces = (0..n).map(|piece| Chunk::new(Plain(i64::from(ctx.key.index * 1000 + piece)))).collect();
        Ok(Chunk::new(Parts(pieces)))
    });
    // The order of what is read counts.
    let fold = OpRef::closure("fold", 4, |_, inputs| {
        let numbers = inputs.iter().filter_map(|chunk| chunk.get::<Plain<i64>>());
        Ok(Chunk::new(Plain(numbers.fold(7, |hash: i64, n| hash.wrapping_mul(31).wrapping_add(n.0)))))
    });
    let mut graph = Graph::default();
    let cut = graph.add(Layer::single("cut", n, cut, vec![]));
    let put = graph.add(Layer::single("put", n, fold.clone(), vec![Edge { layer: cut, wiring: Wiring::Part }]));
    let all = graph.add(Layer::single("all", 1, fold, vec![Edge { layer: put, wiring: Wiring::Every }]));
    graph.want_all(all);
    graph
}

fn first(executor: &dyn Executor, graph: Graph) -> i64 {
    let chunks = executor.submit(graph).and_then(|run| run.wait()).unwrap();
    chunks[0].get::<Plain<i64>>().unwrap().0
}

#[test]
fn the_executor_gives_the_results_of_the_oracle() {
    let expected = first(&Serial::default(), sums(100));
    assert_eq!(expected, 4950);
    for seed in 0..20 {
        assert_eq!(first(&SimExecutor::new(seed, Registry::default()), sums(100)), expected, "seed {seed}");
    }
    let quiet = SimExecutor::new(1, Registry::default()).faults(Faults::none()).workers(3, 2);
    assert_eq!(quiet.threads(), 6);
    assert_eq!(first(&quiet, sums(3000)), 4_498_500);
}

#[test]
fn the_executor_gives_each_key_its_end() {
    let picky = OpRef::closure("picky", 5, |ctx, _| match ctx.key.index % 3 {
        1 => Err(Failure::new(Code::UserFunction, format!("not {}", ctx.key.index))),
        _ => Ok(Chunk::new(Plain(i64::from(ctx.key.index)))),
    });
    let mut graph = sums(20);
    let picky = graph.add(Layer::single("picky", 7, picky, vec![]));
    graph.want_all(picky);
    let plain = |result: Result<Chunk, Failure>| match result {
        Ok(chunk) => Ok(chunk.get::<Plain<i64>>().unwrap().0),
        Err(failure) => Err((failure.code, failure.what.clone())),
    };
    let expected: Vec<_> = Serial::default().run_each(&graph).into_iter().map(plain).collect();
    assert_eq!((expected[0].clone(), expected[2].clone()), (Ok(190), Err((Code::UserFunction, "not 1".into()))));
    let all: Vec<usize> = (0..graph.wanted.len()).collect();
    for seed in 0..20 {
        let run = SimExecutor::new(seed, Registry::default()).submit_each(graph.clone()).unwrap();
        let found: Vec<_> = run.wait_keys(&all).into_iter().map(plain).collect();
        assert_eq!(found, expected, "seed {seed}");
    }
}

#[test]
fn the_executor_reports_failures_and_progress() {
    let broken = OpRef::closure("broken", 3, |_, _| Err(Failure::new(Code::UserFunction, "it is broken")));
    let mut graph = Graph::default();
    let layer = graph.add(Layer::single("broken", 2, broken, vec![]));
    graph.want_all(layer);
    let executor = SimExecutor::new(5, Registry::default());
    let failure = executor.submit(graph).unwrap().wait().unwrap_err();
    assert_eq!((failure.code, failure.what.as_str()), (Code::UserFunction, "it is broken"));

    let progress = executor.submit(sums(20)).unwrap().progress();
    assert_eq!(progress.layers, [("numbers".to_string(), 20, 20), ("groups".to_string(), 3, 3), ("total".to_string(), 1, 1)]);
}
