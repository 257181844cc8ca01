//! Products, factors and equations over chunk sizes. Matrices are kept in memory; what is measured is working on them and keeping the result.
//!
//! `cargo bench --bench array_linalg`; with `-- --test` each case runs once.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use partita::{Element, Random, prelude::*};

// As the program `partita` has it: the system's allocator clears large blocks page by page each time, which would be most of what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows and columns of square matrices.
const SIDE: usize = 2000;
const CHUNKS: [usize; 5] = [125, 250, 500, 1000, 2000];
/// Rows and columns of tall matrices: 200 MB of `f64`.
const TALL: [usize; 2] = [500_000, 50];
const TALL_CHUNKS: [usize; 5] = [2_000, 8_000, 31_250, 125_000, 500_000];

/// Makes an array and says how many multiplications and additions that takes, about.
type Job = (&'static str, fn(&DArray<f64>) -> DArray<f64>, f64);

const SQUARE: [Job; 9] = [
    ("x.matmul(x)", |x| x.matmul(x), 2.0),
    ("x.matmul(x.t())", |x| x.matmul(&x.t()), 2.0),
    ("x.t().matmul(x)", |x| x.t().matmul(x), 2.0),
    ("cholesky", |x| x.cholesky(), 1.0 / 3.0),
    ("solve", |x| x.solve(&x.slice_axis(1, ..100)), 2.0 / 3.0),
    ("lu", |x| x.lu().2, 2.0 / 3.0),
    ("qr", |x| x.qr().1, 4.0 / 3.0),
    ("columns at right angles", |x| x.qr().0, 8.0 / 3.0),
    ("singular values", |x| x.svdvals(), 8.0 / 3.0),
];

const TALL_JOBS: [Job; 5] = [
    ("tall qr", |x| x.qr().0, 4.0),
    ("tall triangle", |x| x.qr().1, 2.0),
    ("tall svd", |x| x.svd().0, 4.0),
    ("tall singular values", |x| x.svdvals(), 2.0),
    ("tall x.t().matmul(x)", |x| x.t().matmul(x), 2.0),
];

fn client() -> Client {
    Client::builder().threads(2).set_as_default(false).build().expect("a local engine starts")
}

fn group<'a>(criterion: &'a mut Criterion, name: &str, operations: f64) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(operations as u64));
    group
}

fn case<T: Element>(group: &mut BenchmarkGroup<'_, WallTime>, client: &Client, chunk: usize, made: &DArray<T>) {
    group.bench_function(BenchmarkId::from_parameter(chunk), |bench| {
        bench.iter(|| black_box(made.persist_on(client).expect("the job runs")));
    });
}

fn square(criterion: &mut Criterion) {
    let client = client();
    for (name, job, operations) in SQUARE {
        let mut group = group(criterion, name, operations * (SIDE as f64).powi(3));
        for chunk in CHUNKS {
            let x = Random::new(1).uniform([SIDE, SIDE], chunk);
            // A large diagonal makes it positive definite.
            let x = (&x + x.t() + DArray::<f64>::eye(SIDE, chunk) * SIDE as f64).persist_on(&client).expect("random numbers");
            case(&mut group, &client, chunk, &job(&x));
        }
        group.finish();
    }
}

fn singles(criterion: &mut Criterion) {
    let client = client();
    let mut group = group(criterion, "x.matmul(x) of f32", 2.0 * (SIDE as f64).powi(3));
    for chunk in CHUNKS {
        let x = Random::new(1).uniform([SIDE, SIDE], chunk).cast::<f32>().persist_on(&client).expect("random numbers");
        case(&mut group, &client, chunk, &x.matmul(&x));
    }
    group.finish();
}

fn tall(criterion: &mut Criterion) {
    let client = client();
    let [rows, columns] = TALL;
    for (name, job, operations) in TALL_JOBS {
        let mut group = group(criterion, name, operations * rows as f64 * (columns as f64).powi(2));
        for chunk in TALL_CHUNKS {
            let x = Random::new(1).uniform([rows, columns], [chunk, columns]).persist_on(&client).expect("random numbers");
            case(&mut group, &client, chunk, &job(&x));
        }
        group.finish();
    }
}

criterion_group!(benches, square, singles, tall);
criterion_main!(benches);
