//! What moves elements between blocks, over chunk sizes: rows to columns, squares to rows, and each block with what lies around it. The array is
//! kept in memory, and so is the result, which is let go before the next one is made: it takes less than 1 GiB.
//!
//! `cargo bench --bench array_moves`; with `-- --test` each case runs once.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use partita::ndarray::{ArrayD, ArrayViewD, Axis, Slice, Zip};
use partita::{Boundary, Random, prelude::*};

// As the program `partita` has it: the system's allocator clears large blocks page by page each time, which would be most of what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows and columns: 128 MiB of `f64`.
const SIDE: usize = 4096;
/// Rows, columns or both of a chunk.
const CHUNKS: [usize; 5] = [64, 128, 256, 512, 1024];

/// A name, the chunks before, and what is done.
struct Job {
    name: &'static str,
    before: fn(usize) -> [usize; 2],
    job: fn(&DArray<f64>, usize) -> DArray<f64>,
}

const JOBS: [Job; 4] = [
    Job { name: "rows to columns", before: |chunk| [chunk, SIDE], job: |x, chunk| x.rechunk([SIDE, chunk]) },
    Job { name: "squares to rows", before: |chunk| [chunk, chunk], job: |x, chunk| x.rechunk([chunk, SIDE]) },
    Job { name: "squares to squares that do not fit", before: |chunk| [chunk, chunk], job: |x, chunk| x.rechunk([chunk * 3 / 4; 2]) },
    Job {
        name: "map_overlap, mean of three rows",
        before: |chunk| [chunk, chunk],
        job: |x, _| x.map_overlap(&[1, 0], Boundary::Nearest, |block, _| mean_of_three(block)),
    },
];

/// The mean of each element and its neighbours above and below; the first and last rows are surroundings. In one pass without arrays between, so
/// that what is measured is how blocks come to their surroundings.
fn mean_of_three(block: ArrayViewD<'_, f64>) -> ArrayD<f64> {
    let (mut means, rows) = (block.to_owned(), block.len_of(Axis(0)));
    let [above, here, below] = [0, 1, 2].map(|first| block.slice_axis(Axis(0), Slice::from(first..rows - 2 + first)));
    let inner = means.slice_axis_mut(Axis(0), Slice::from(1..rows - 1));
    let mean = |mean: &mut f64, above: &f64, here: &f64, below: &f64| *mean = (above + here + below) / 3.0;
    Zip::from(inner).and(above).and(here).and(below).for_each(mean);
    means
}

fn moves(criterion: &mut Criterion) {
    let client = Client::builder().threads(2).set_as_default(false).build().expect("a local engine starts");
    for Job { name, before, job } in JOBS {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes((SIDE * SIDE * 8) as u64));
        group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
        for chunk in CHUNKS {
            let x = Random::new(1).uniform([SIDE, SIDE], before(chunk)).persist_on(&client).expect("random numbers");
            let moved = job(&x, chunk);
            group.bench_with_input(BenchmarkId::from_parameter(chunk), &moved, |bench, moved| {
                bench.iter(|| black_box(moved.persist_on(&client).expect("the job runs")));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, moves);
criterion_main!(benches);
