//! The rows of the speed table of arrays for partita: one line of JSON for each, in the form of `benches/peers/arrays.py`, which prints the same
//! rows for NumPy, numexpr and Dask.
//!
//!     cargo run --release --example array_jobs            all rows but the largest, on 2 threads
//!     cargo run --release --example array_jobs -- chain_sum_20k rechunk_20k
//!
//! Each row is run several times on arrays that are in memory; the least and the median of the seconds are printed. The rows `copy_kept`,
//! `copy_fresh` and `read` are no work of partita's: they say how fast the machine copies as many bytes, into memory that is used again and into
//! memory that the system hands out anew, and how fast it reads them. Rows that read an array once say how long its sum took beside them. `rechunk_20k_1gib` and `rechunk_10k_256mib` have a third of the memory that their array takes, and
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

const ROWS: [&str; 18] = [
    "copy_kept_10k",
    "copy_fresh_10k",
    "read_10k",
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
        "read_10k" => read(row),
        "chain_sum_10k" => beside_sum(row, &square(10_000)?, chain),
        "chain_sum_20k" => beside_sum(row, &square(20_000)?, chain),
        "sum_10k" => {
            let sum = square(10_000)?.sum();
            timed(row, || sum.compute_scalar())
        }
        "mean_axis0_10k" => beside_sum(row, &square(10_000)?, |x| x.mean_axis(0).sum()),
        "std_10k" => beside_sum(row, &square(10_000)?, |x| x.std(0.0)),
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

/// What a job makes of an array, computed; and, run by run beside it, the array's sum: how fast memory is read depends on where the system
/// found it, which changes from array to array.
fn beside_sum(row: &str, x: &DArray<f64>, job: impl Fn(&DArray<f64>) -> DArray<f64>) -> Result<(), Failure> {
    let (result, sum) = (job(x), x.sum());
    let (mut value, mut own, mut read) = (0.0, Vec::with_capacity(RUNS), Vec::with_capacity(RUNS));
    for _ in 0..RUNS {
        let start = Instant::now();
        value = result.compute_scalar()?;
        let between = Instant::now();
        std::hint::black_box(sum.compute_scalar()?);
        read.push(between.elapsed().as_secs_f64());
        own.push((between - start).as_secs_f64());
    }
    let [own, read] = [own, read].map(sorted);
    let (least, median, sum) = (own[0], own[RUNS / 2], read[RUNS / 2]);
    println!("{}, \"sum\": {sum:.4}, \"of_sum\": {:.2}}}", line(row, least, median, value), sum / median);
    Ok(())
}

/// Adds up 100 blocks of 1000 by 1000 on as many threads as the other rows have, without partita.
fn read(row: &str) -> Result<(), Failure> {
    let blocks: Vec<Vec<f64>> = (0..100).map(|at| vec![f64::from(at); 1_000_000]).collect();
    timed(row, || {
        let next = AtomicUsize::new(0);
        let one = || {
            let mut lanes = [0.0; 16];
            while let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
                for part in block.chunks_exact(16) {
                    lanes.iter_mut().zip(part).for_each(|(lane, element)| *lane += element);
                }
            }
            lanes.iter().sum::<f64>()
        };
        Ok(std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().expect("a thread that adds")).sum()
        }))
    })
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
    let seconds = sorted(seconds);
    println!("{}}}", line(row, seconds[0], seconds[RUNS / 2], value));
    Ok(())
}

fn sorted(mut seconds: Vec<f64>) -> Vec<f64> {
    seconds.sort_by(f64::total_cmp);
    seconds
}

/// What every row says, without its last brace.
fn line(row: &str, least: f64, median: f64, value: f64) -> String {
    format!(
        "{{\"row\": \"{row}\", \"engine\": \"partita\", \"threads\": {THREADS}, \"least\": {least:.4}, \"median\": {median:.4}, \"value\": {value}"
    )
}
