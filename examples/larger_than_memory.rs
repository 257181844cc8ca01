//! Partitions that together need four times the memory allowed: what does not fit goes to disk and comes back.
//!
//! `cargo run --release --example larger_than_memory -- 1024` does it under 1 GiB instead of 256 MiB.

use partita::prelude::*;

/// Rows of a partition, of two columns of 8 bytes.
const ROWS: i64 = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let limit = std::env::args().nth(1).map_or(Ok(256), |text| text.parse::<u64>())? << 20;
    let client = Client::builder().threads(2).memory_limit(limit).build()?;
    let partitions = (4 * limit / (16 * ROWS as u64)) as i64;

    let seeds = DFrame::from_polars(df!("seed" => (0..partitions).collect::<Vec<_>>())?, partitions as usize);
    let schema = df!("x" => [0i64], "k" => [0i64])?.schema().clone();
    let big = seeds.map_partitions_with(schema, |partition| {
        let seed = partition.column("seed")?.i64()?.get(0).unwrap_or(0);
        df!("x" => (0..ROWS).map(|i| i + seed).collect::<Vec<i64>>(), "k" => (0..ROWS).map(|i| i % 7).collect::<Vec<i64>>())
    });
    let kept = big.persist()?;
    let sums = kept.group_by(["k"]).sum().compute()?;
    let total: i64 = sums.column("x")?.i64()?.iter().flatten().sum();

    println!("{sums}");
    println!("limit {} MB, partitions {} MB, spilled {} MB", limit / 1_000_000, 16 * partitions, client.spilled_bytes() / 1_000_000);
    if let Some(peak) = peak() {
        println!("peak resident memory {} MB: {:.2} of the limit", peak / 1_000_000, peak as f64 / limit as f64);
        assert!(peak as f64 <= 1.25 * limit as f64, "more than the limit and a quarter");
    }
    assert_eq!(total, (0..partitions).map(|seed| ROWS * (ROWS - 1) / 2 + seed * ROWS).sum::<i64>());
    assert!(client.spilled_bytes() > limit);
    Ok(())
}

/// The most memory that this process had, in bytes, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
