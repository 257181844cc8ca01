//! The main job over block sizes from 64 KiB to 256 MiB: where the cost of a task shows, and where lost parallelism does.
//!
//! Reads `$PARTITA_BENCH_DATA/G1_1e7_1e2_0_0.csv` (made by `benches/peers/generate.py`) when it is there, else writes a table of the same
//! form with 2 million rows. `PARTITA_CHART=docs/chunk_size.svg cargo bench --bench chunk_size` draws the chart anew.

#[path = "chart.rs"]
mod chart;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use partita::prelude::*;

const SIZES: [u64; 13] =
    [64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20, 32 << 20, 64 << 20, 128 << 20, 256 << 20];

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = data(folder.path());
    let bytes = std::fs::metadata(&file).expect("the data is there").len();
    let client = Client::builder().threads(2).build().expect("a local engine starts");
    let job = |size: u64| {
        let options = CsvOptions::new().blocksize(size);
        let frame = DFrame::read_csv_with(&file, options).expect("the data opens").groupby(["id1"]).select(["v3"]).mean();
        assert_eq!(client.compute(&frame).expect("the job runs").height(), 100);
    };
    job(1 << 20);

    let mut criterion = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500)).configure_from_args();
    let mut group = criterion.benchmark_group("chunk_size");
    group.throughput(Throughput::Bytes(bytes));
    for size in SIZES.into_iter().filter(|size| *size < bytes) {
        group.bench_with_input(BenchmarkId::from_parameter(size), &size, |b, size| b.iter(|| job(*size)));
    }
    group.finish();

    if let Some(path) = std::env::var_os("PARTITA_CHART") {
        let points = medians(&job, bytes);
        let label = |size: u64| if size < 1 << 20 { format!("{}K", size >> 10) } else { format!("{}M", size >> 20) };
        let title = "mean of v3 by id1 from CSV, 2 threads: GB/s over block size";
        let chart = chart::over_size(title, "block size in bytes (K = KiB, M = MiB)", &points, &label);
        std::fs::write(&path, chart).expect("the chart can be written");
        criterion.final_summary();
    }
}

/// GB/s of each size, the median of seven runs. Sizes take turns, so that a slow minute of the machine meets all of them.
fn medians(job: &impl Fn(u64), bytes: u64) -> Vec<(u64, f64)> {
    let sizes: Vec<u64> = SIZES.into_iter().filter(|size| *size < bytes).collect();
    let mut seconds = vec![Vec::new(); sizes.len()];
    for _ in 0..7 {
        for (size, seconds) in sizes.iter().zip(&mut seconds) {
            let start = Instant::now();
            job(*size);
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let median = |mut seconds: Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        bytes as f64 / 1e9 / seconds[3]
    };
    sizes.into_iter().zip(seconds.into_iter().map(median)).inspect(|(size, speed)| println!("{size:>10} {speed:.2} GB/s")).collect()
}

fn data(folder: &Path) -> PathBuf {
    if let Some(given) = std::env::var_os("PARTITA_BENCH_DATA") {
        let file = Path::new(&given).join("G1_1e7_1e2_0_0.csv");
        if file.exists() {
            return file;
        }
    }
    let path = folder.join("G1_2e6.csv");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).expect("the folder can be written"));
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = |below: u64| {
        // xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators" (2016).
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % below
    };
    writeln!(file, "id1,id2,id3,id4,id5,id6,v1,v2,v3").expect("the folder can be written");
    for _ in 0..2_000_000 {
        let (id1, id2, id3) = (random(100) + 1, random(100) + 1, random(20_000) + 1);
        let (id4, id5, id6) = (random(100) + 1, random(100) + 1, random(20_000) + 1);
        let (v1, v2, v3) = (random(5) + 1, random(15) + 1, random(100_000_000));
        writeln!(file, "id{id1:03},id{id2:03},id{id3:010},{id4},{id5},{id6},{v1},{v2},{}.{:06}", v3 / 1_000_000, v3 % 1_000_000)
            .expect("the folder can be written");
    }
    path
}
