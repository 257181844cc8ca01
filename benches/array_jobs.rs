//! The rows of the speed table of arrays for partita: one line of JSON for each, in the form of `benches/peers/arrays.py`, which prints the same
//! rows for NumPy, numexpr and Dask.
//!
//!     cargo run --release --example array_jobs            all rows but the largest, on 2 threads
//!     cargo run --release --example array_jobs -- chain_sum_20k rechunk_20k
//!
//! Each row is run several times on arrays that are in memory; the least and the median of the seconds are printed. The rows `copy_kept`
//! and `copy_fresh` are no work of partita's: they say how fast the machine copies as many bytes, into memory that is used again and into
//! memory that the system hands out anew. `rechunk_20k_1gib` and `rechunk_10k_256mib` have a third of the memory that their array takes, and
//! say how much was spilled; they need as much room on disk as both arrays. `graph_100k_planned` makes the graph of `graph_100k_chunks`, fuses it and
//! prints it, and runs nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use partita::graph::Failure;
use partita::ndarray::{ArrayD, ArrayViewD, s};
use partita::{Boundary, Random, prelude::*};

// As the program `partita` has it: the system's allocator hands large blocks out anew each time, page by page.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const THREADS: usize = 2;
const RUNS: usize = 5;
/// Rows that need more than 8 GiB of memory; they are run when they are named.
const LARGE: [&str; 4] = ["chain_sum_20k", "rechunk_20k", "rechunk_20k_1gib", "rechunk_10k_256mib"];

const ROWS: [&str; 17] = [
    "copy_kept_10k",
    "copy_fresh_10k",
    "chain_sum_10k",
    "chain_sum_20k",
    "sum_10k",
    "mean_axis0_10k",
    "std_10k",
    "add_transposed_10k",
    "matmul_4k",
    "svd_1e6x50",
    "rechunk_20k",
    "rechunk_20k_1gib",
    "rechunk_10k_256mib",
    "normal_10k",
    "graph_100k_planned",
    "graph_100k_chunks",
    "moving_average_10k",
];

fn main() -> Result<(), Failure> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    for row in ROWS {
        let wanted = if asked.is_empty() { !LARGE.contains(&row) } else { asked.iter().any(|name| name == row) };
        if !wanted {
            continue;
        }
        match row {
            "rechunk_20k_1gib" => out_of_core(row, 20_000, 1 << 30)?,
            "rechunk_10k_256mib" => out_of_core(row, 10_000, 256 << 20)?,
            _ => {
                let _client = Client::builder().threads(THREADS).build()?;
                run(row)?;
            }
        }
    }
    Ok(())
}

/// Uniform numbers that are in memory.
fn uniform(rows: usize, columns: usize, chunks: [usize; 2]) -> Result<DArray<f64>, Failure> {
    Random::new(0).uniform([rows, columns], chunks).persist()
}

fn run(row: &str) -> Result<(), Failure> {
    let square = |side: usize| uniform(side, side, [1000, 1000]);
    let chain = |x: &DArray<f64>| ((x + 1.0) * 2.0 - x.pow(2.0)).sum();
    match row {
        "copy_kept_10k" => copy(row, true),
        "copy_fresh_10k" => copy(row, false),
        "chain_sum_10k" => scalar(row, &chain(&square(10_000)?)),
        "chain_sum_20k" => scalar(row, &chain(&square(20_000)?)),
        "sum_10k" => scalar(row, &square(10_000)?.sum()),
        "mean_axis0_10k" => scalar(row, &square(10_000)?.mean_axis(0).sum()),
        "std_10k" => scalar(row, &square(10_000)?.std(0.0)),
        "add_transposed_10k" => {
            let x = square(10_000)?;
            kept(row, || x.clone() + x.t())
        }
        "matmul_4k" => {
            let x = square(4000)?;
            kept(row, || x.matmul(&x))
        }
        "svd_1e6x50" => {
            let x = uniform(1_000_000, 50, [62_500, 50])?;
            // The left vectors need all the others.
            kept(row, || x.svd().0)
        }
        "rechunk_20k" => {
            let x = uniform(20_000, 20_000, [500, 20_000])?;
            kept(row, || x.rechunk([20_000, 500]))
        }
        "normal_10k" => timed(row, || {
            let made = Random::new(1).normal([10_000, 10_000], 1000).persist()?;
            made.index_axis(0, 0).sum().compute_scalar()
        }),
        "graph_100k_planned" => timed(row, || Ok(small_chunks().explain().len() as f64)),
        "graph_100k_chunks" => timed(row, || small_chunks().compute_scalar()),
        "moving_average_10k" => {
            let x = square(10_000)?;
            kept(row, || x.map_overlap(&[1, 0], Boundary::Nearest, |block, _| averaged(block)))
        }
        other => unreachable!("{other} is no row"),
    }
}

/// A result of about 100,000 chunks of 10 by 10.
fn small_chunks() -> DArray<f64> {
    let x = DArray::<f64>::ones([3160, 3160], 10);
    (&x + x.t() - x.mean_axis(0)).sum()
}

/// Copies 100 blocks of 1000 by 1000 on as many threads as the other rows have.
fn copy(row: &str, kept: bool) -> Result<(), Failure> {
    const BLOCK: usize = 1_000_000;
    let blocks: Vec<Vec<f64>> = (0..100).map(|at| vec![f64::from(at); BLOCK]).collect();
    let room = || if kept { vec![1.0; BLOCK] } else { Vec::new() };
    let copies: Vec<Mutex<Vec<f64>>> = blocks.iter().map(|_| Mutex::new(room())).collect();
    let pairs: Vec<(&Vec<f64>, &Mutex<Vec<f64>>)> = blocks.iter().zip(&copies).collect();
    timed(row, || {
        let next = AtomicUsize::new(0);
        let one = || {
            while let Some((block, copy)) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut copy = copy.lock().unwrap_or_else(PoisonError::into_inner);
                if kept { copy.copy_from_slice(block) } else { *copy = block.to_vec() }
            }
        };
        std::thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(one))));
        Ok(copies[7].lock().unwrap_or_else(PoisonError::into_inner)[0])
    })
}

/// Rows to columns under a limit of memory: both arrays are mostly on disk. Run once.
fn out_of_core(row: &str, side: usize, limit: u64) -> Result<(), Failure> {
    let client = Client::builder().threads(THREADS).memory_limit(limit).build()?;
    let x = uniform(side, side, [side / 40, side])?;
    let start = Instant::now();
    let turned = x.rechunk([side, side / 40]).persist()?;
    let seconds = start.elapsed().as_secs_f64();
    let differ = (&x - &turned).abs().max().compute_scalar()?;
    assert_eq!(differ, 0.0, "cut anew, and not the same");
    let (spilled, peak) = (client.spilled_bytes(), peak().unwrap_or(0));
    println!(
        "{{\"row\": \"{row}\", \"engine\": \"partita\", \"threads\": {THREADS}, \"median\": {seconds:.1}, \"spilled\": {spilled}, \"peak\": {peak}}}"
    );
    Ok(())
}

/// The most memory that this process had, in bytes, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// The mean of each element and its neighbours above and below; what is made of the first and last rows belongs to the surroundings.
fn averaged(block: ArrayViewD<'_, f64>) -> ArrayD<f64> {
    let rows: Vec<&[f64]> = block.outer_iter().filter_map(|row| row.to_slice()).collect();
    let mut means = Vec::with_capacity(block.len());
    for at in 0..rows.len() {
        let (above, below) = (rows[at.saturating_sub(1)], rows[(at + 1).min(rows.len() - 1)]);
        means.extend(above.iter().zip(rows[at]).zip(below).map(|((a, b), c)| (a + b + c) / 3.0));
    }
    ArrayD::from_shape_vec(block.raw_dim(), means).expect("a mean for each element")
}

/// An array of one element, computed.
fn scalar(row: &str, array: &DArray<f64>) -> Result<(), Failure> {
    timed(row, || array.compute_scalar())
}

/// An array that is made and kept where it was made, as it is in the middle of a longer job. Its corner stands for its value.
fn kept(row: &str, make: impl Fn() -> DArray<f64>) -> Result<(), Failure> {
    timed(row, || {
        let made = make().persist()?;
        made.slice(s![0, 0]).compute_scalar()
    })
}

/// Runs a job several times and prints its line.
fn timed(row: &str, job: impl Fn() -> Result<f64, Failure>) -> Result<(), Failure> {
    let mut value = 0.0;
    let mut seconds = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        value = job()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    println!(
        "{{\"row\": \"{row}\", \"engine\": \"partita\", \"threads\": {THREADS}, \"least\": {:.4}, \"median\": {:.4}, \"value\": {value}}}",
        seconds[0],
        seconds[RUNS / 2]
    );
    Ok(())
}
