//! What calls of user functions cost on a cluster of this host, two worker processes of one thread each: 100,000 calls that do nothing,
//! gathered; one call's way there and back; futures one by one as they end; a chain in which each call reads the one before; many
//! calls that read one large value.
//!
//! `cargo bench --bench tasks -- [--tasks N] [--runs N] [--only map,latency,...]` prints one JSON object for each measure, with the seconds of
//! each run. `benches/peers/tasks_dask.py` measures the same of Dask. Without arguments, as `cargo bench` calls it, all of it is done.
//!
//! It refuses to measure the start of the cluster and a first round that warms it up. Invariant: no call has been made before, so that
//! nothing is found instead of made, and every result is checked.

use std::time::{Duration, Instant};

use partita::prelude::*;
use partita::{LocalCluster, as_completed, gather, task};

const WORKERS: usize = 2;
/// Calls of `latency`, one after the other.
const TRIPS: u64 = 1_000;
/// Calls of `chain`, and of `scatter`.
const LINKS: u64 = 10_000;
const READERS: u64 = 1_000;
/// Bytes of the value that `scatter` brings.
const LARGE: usize = 64 << 20;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[task]
fn nothing(x: u64) -> u64 {
    x
}

#[task]
fn next(x: u64) -> u64 {
    x + 1
}

#[task]
fn byte_at(bytes: &[u8], at: u64) -> u8 {
    bytes[at as usize]
}

/// Numbers that no call has had.
struct Fresh(u64);

impl Fresh {
    fn take(&mut self, count: u64) -> std::ops::Range<u64> {
        self.0 += count;
        self.0 - count..self.0
    }
}

/// What is to be measured.
struct Asked {
    tasks: u64,
    runs: usize,
    only: Option<String>,
    fresh: Fresh,
}

impl Asked {
    fn measure(&mut self, what: &str, unit: &str, once: impl Fn(&mut Fresh) -> Outcome<f64>) -> Outcome<()> {
        if self.only.as_ref().is_some_and(|only| !only.split(',').any(|one| one == what)) {
            return Ok(());
        }
        let seconds = (0..self.runs).map(|_| once(&mut self.fresh)).collect::<Outcome<Vec<f64>>>()?;
        let middle = median(&seconds);
        eprintln!("{what}: {middle:.6} s {unit}");
        println!("{}", serde_json::json!({ "what": what, "seconds": seconds, "median": middle, "tasks": self.tasks }));
        Ok(())
    }
}

fn main() -> Outcome<()> {
    // Worker processes of this program begin here too; for them this call does not return.
    partita::run();

    let tasks: u64 = option("--tasks").map_or(Ok(100_000), |text| text.parse())?;
    let runs: usize = option("--runs").map_or(Ok(5), |text| text.parse())?;
    let cluster = LocalCluster::builder().workers(WORKERS).threads_per_worker(1).start()?;
    let client = cluster.client()?;
    client.wait_for_workers(WORKERS, Duration::from_secs(60))?;

    let mut asked = Asked { tasks, runs, only: option("--only"), fresh: Fresh(1) };
    map(&client, &mut asked.fresh, 1_000)?;
    asked.measure("map", "for all, gathered", |fresh| map(&client, fresh, tasks))?;
    asked.measure("latency", "there and back, the median of one run", |fresh| latency(&client, fresh))?;
    asked.measure("completed_tenth", "for a tenth of them as they end", |fresh| completed(&client, fresh, tasks / 10))?;
    asked.measure("completed", "for all as they end", |fresh| completed(&client, fresh, tasks))?;
    asked.measure("chain", "for 10,000 calls, each of which reads the one before", |fresh| chain(&client, fresh))?;
    asked.measure("scatter", "for 64 MiB and 1,000 calls that read them", |fresh| scatter(&client, fresh))
}

fn map(client: &Client, fresh: &mut Fresh, tasks: u64) -> Outcome<f64> {
    let items = fresh.take(tasks);
    let begun = Instant::now();
    let results = gather(&client.map(nothing, items.clone())?)?;
    let seconds = begun.elapsed().as_secs_f64();
    assert!(results.into_iter().eq(items), "the results are the items");
    Ok(seconds)
}

fn latency(client: &Client, fresh: &mut Fresh) -> Outcome<f64> {
    let mut trips = Vec::with_capacity(TRIPS as usize);
    for x in fresh.take(TRIPS) {
        let begun = Instant::now();
        assert_eq!(client.submit(nothing, (x,))?.result()?, x);
        trips.push(begun.elapsed().as_secs_f64());
    }
    Ok(median(&trips))
}

fn completed(client: &Client, fresh: &mut Fresh, tasks: u64) -> Outcome<f64> {
    let items = fresh.take(tasks);
    let begun = Instant::now();
    let futures = client.map(nothing, items.clone())?;
    let mut sum = 0u64;
    for (_, future) in as_completed(&futures) {
        sum = sum.wrapping_add(future.result()?);
    }
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(sum, items.fold(0, u64::wrapping_add), "each of them ends once");
    Ok(seconds)
}

fn chain(client: &Client, fresh: &mut Fresh) -> Outcome<f64> {
    // Chains that begin at one number would share their links.
    let first = fresh.take(LINKS + 1).start;
    let begun = Instant::now();
    let mut last = client.submit(nothing, (first,))?;
    for _ in 0..LINKS {
        last = client.submit(next, (&last,))?;
    }
    assert_eq!(last.result()?, first + LINKS);
    Ok(begun.elapsed().as_secs_f64())
}

fn scatter(client: &Client, fresh: &mut Fresh) -> Outcome<f64> {
    let seed = fresh.take(1).start as u8;
    let bytes: Vec<u8> = (0..LARGE).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect();
    let expected: Vec<u8> = bytes[..READERS as usize].to_vec();
    let begun = Instant::now();
    let bytes = client.scatter(bytes)?;
    let futures: Vec<DFuture<u8>> = (0..READERS).map(|at| client.submit(byte_at, (&bytes, at))).collect::<Result<_, _>>()?;
    let found = gather(&futures)?;
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(found, expected, "each of them read its byte");
    Ok(seconds)
}

fn median(seconds: &[f64]) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The text after this argument.
fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
