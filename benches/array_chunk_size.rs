//! A chain of elementwise operations and its sum over sizes of chunks, from 13 KB to the whole array: where the cost of a task shows, and
//! where a chunk is too large to be shared out.
//!
//! `PARTITA_CHART=docs/array_chunk_size.svg cargo bench --bench array_chunk_size` draws the chart anew.

#[path = "chart.rs"]
mod chart;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use partita::{Random, prelude::*};

// As the program `partita` has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Elements along each axis of the array: 800 MB of `f64`.
const SIDE: usize = 10_000;
/// The same of a chunk.
const SIDES: [usize; 9] = [40, 80, 160, 320, 625, 1250, 2500, 5000, 10_000];

fn main() {
    let client = Client::builder().threads(2).build().expect("a local engine starts");
    let bytes = (SIDE * SIDE * 8) as u64;
    let array = |side: usize| Random::new(0).uniform([SIDE, SIDE], [side, side]).persist().expect("it fits");
    let job = |x: &DArray<f64>| ((x + 1.0) * 2.0 - x.pow(2.0)).sum().compute_scalar().expect("the job runs");

    let mut criterion = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500)).configure_from_args();
    let mut group = criterion.benchmark_group("array_chunk_size");
    group.throughput(Throughput::Bytes(bytes));
    for side in SIDES {
        let x = array(side);
        group.bench_with_input(BenchmarkId::from_parameter(side), &side, |b, _| b.iter(|| job(&x)));
    }
    group.finish();

    if let Some(path) = std::env::var_os("PARTITA_CHART") {
        let points: Vec<(u64, f64)> = SIDES.into_iter().map(|side| (chunk_bytes(side), median(&array(side), &job, bytes))).collect();
        points.iter().for_each(|(size, speed)| println!("{size:>10} {speed:.2} GB/s"));
        let title = "((x + 1) * 2 - x**2).sum() of 800 MB, 2 threads: GB/s over chunk size";
        let chart = chart::over_size(title, "chunk size in bytes (K = KiB, M = MiB)", &points, &label);
        std::fs::write(&path, chart).expect("the chart can be written");
        criterion.final_summary();
    }
    drop(client);
}

fn chunk_bytes(side: usize) -> u64 {
    (side * side * 8) as u64
}

fn label(size: u64) -> String {
    if size < 1 << 20 { format!("{}K", size >> 10) } else { format!("{}M", size >> 20) }
}

/// GB/s, the median of seven runs behind one that does not count.
fn median(x: &DArray<f64>, job: &impl Fn(&DArray<f64>) -> f64, bytes: u64) -> f64 {
    job(x);
    let mut seconds: Vec<f64> = (0..7)
        .map(|_| {
            let start = Instant::now();
            job(x);
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    bytes as f64 / 1e9 / seconds[3]
}
