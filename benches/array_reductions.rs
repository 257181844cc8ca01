//! Reductions over chunk sizes: sums, means along either axis, deviations, places, and a chain that goes into its sum. The array is kept in
//! memory, so that what is measured is reading it once.
//!
//! `cargo bench --bench array_reductions`; with `-- --test` each case runs once.

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

const JOBS: [Job; 6] = [
    ("sum", |x| x.sum()),
    ("mean(0)", |x| x.mean_axis(0)),
    ("mean(1)", |x| x.mean_axis(1)),
    ("std", |x| x.std(0.0)),
    ("argmax", |x| x.argmax().cast::<f64>()),
    ("((x + 1) * 2 - x**2).sum()", |x| ((x + 1.0) * 2.0 - x.pow(2.0)).sum()),
];

fn reductions(criterion: &mut Criterion) {
    let client = Client::builder().threads(2).set_as_default(false).build().expect("a local engine starts");
    for (name, job) in JOBS {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
        group.throughput(Throughput::Bytes((SIDE * SIDE * 8) as u64));
        for chunk in CHUNKS {
            let x = Random::new(1).uniform([SIDE, SIDE], chunk).persist_on(&client).expect("random numbers");
            let made = job(&x);
            group.bench_function(BenchmarkId::from_parameter(chunk), |bench| {
                bench.iter(|| black_box(made.compute_on(&client).expect("the job runs")));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, reductions);
criterion_main!(benches);
