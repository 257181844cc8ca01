//! Elementwise programs over chunk sizes: one input, two inputs of which one lies across, and a chain with a function that is dear. The array is
//! kept in memory; what is measured is reading it, working on it and keeping the result.
//!
//! `cargo bench --bench array_elementwise`; with `-- --test` each case runs once.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use partita::{Random, prelude::*};

// As the program `partita` has it: the system's allocator clears large blocks page by page each time, which would be most of what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows and columns: 128 MiB of `f64`.
const SIDE: usize = 4096;
const CHUNKS: [usize; 6] = [128, 256, 512, 1024, 2048, 4096];

type Job = (&'static str, fn(&DArray<f64>) -> DArray<f64>);

const JOBS: [Job; 4] = [
    ("(x + 1) * 2 - x**2", |x| (x + 1.0) * 2.0 - x.pow(2.0)),
    ("x + x.t()", |x| x + x.t()),
    ("x - x.mean(0)", |x| x - x.mean_axis(0)),
    ("exp(-x**2) / 2", |x| (-x.square()).exp() / 2.0),
];

fn elementwise(criterion: &mut Criterion) {
    let client = Client::builder().threads(2).set_as_default(false).build().expect("a local engine starts");
    for (name, job) in JOBS {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
        group.throughput(Throughput::Bytes((SIDE * SIDE * 8) as u64));
        for chunk in CHUNKS {
            let x = Random::new(1).uniform([SIDE, SIDE], chunk).persist_on(&client).expect("random numbers");
            let made = job(&x);
            group.bench_function(BenchmarkId::from_parameter(chunk), |bench| {
                bench.iter(|| black_box(made.persist_on(&client).expect("the job runs")));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, elementwise);
criterion_main!(benches);
