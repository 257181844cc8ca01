//! What arrays are made of: random numbers over chunk sizes, and the graph of many small chunks, of which building, fusing and scheduling are most of
//! what there is to measure. It takes less than 1 GiB.
//!
//! `cargo bench --bench array_make`; with `-- --test` each case runs once.

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
/// Chunks along each of two axes; the last are the 100,000 of the speed table.
const GRIDS: [usize; 4] = [10, 32, 100, 316];

type Made = (&'static str, fn(&Random, usize) -> DArray<f64>);

const MADE: [Made; 3] = [
    ("random.uniform", |random, chunk| random.uniform([SIDE, SIDE], chunk)),
    ("random.normal", |random, chunk| random.normal([SIDE, SIDE], chunk)),
    ("random.exponential", |random, chunk| random.exponential(1.0, [SIDE, SIDE], chunk)),
];

fn random(criterion: &mut Criterion) {
    let client = Client::builder().threads(2).set_as_default(false).build().expect("a local engine starts");
    for (name, make) in MADE {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes((SIDE * SIDE * 8) as u64));
        group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
        for chunk in CHUNKS {
            let made = make(&Random::new(1), chunk);
            group.bench_with_input(BenchmarkId::from_parameter(chunk), &made, |bench, made| {
                bench.iter(|| black_box(made.persist_on(&client).expect("random numbers")));
            });
        }
        group.finish();
    }
}

/// From the first call to the sum: in chunks of ten by ten elements there is next to nothing to calculate.
fn graph(criterion: &mut Criterion) {
    let client = Client::builder().threads(2).set_as_default(false).build().expect("a local engine starts");
    let mut group = criterion.benchmark_group("(x + x.t() - x.mean(0)).sum() in chunks of 10 x 10");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(3));
    for grid in GRIDS {
        group.throughput(Throughput::Elements((grid * grid) as u64));
        group.bench_function(BenchmarkId::from_parameter(grid * grid), |bench| {
            bench.iter(|| {
                let x = DArray::<f64>::ones([grid * 10, grid * 10], 10);
                black_box((&x + x.t() - x.mean_axis(0)).sum().compute_on(&client).expect("the job runs"))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, random, graph);
criterion_main!(benches);
