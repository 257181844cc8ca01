//! Partitions that together need several times the memory allowed: what does not fit goes to disk and comes back.

use partita::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder().threads(2).memory_limit("256MiB").build()?;
    // 64 partitions of 16 MB: 1 GB, four times the limit.
    let seeds = DFrame::from_polars(df!("seed" => (0..64i64).collect::<Vec<_>>())?, 64);
    let schema = df!("x" => [0i64], "k" => [0i64])?.schema().clone();
    let big = seeds.map_partitions_with(schema, |partition| {
        let seed = partition.column("seed")?.i64()?.get(0).unwrap_or(0);
        df!("x" => (0..1_000_000).map(|i| i + seed).collect::<Vec<i64>>(), "k" => (0..1_000_000).map(|i| i % 7).collect::<Vec<i64>>())
    });
    let kept = big.persist()?;
    let sums = kept.group_by(["k"]).sum().compute()?;
    let total: i64 = sums.column("x")?.i64()?.iter().flatten().sum();
    println!("{sums}\nspilled {} MB under a limit of {} MB", client.spilled_bytes() / 1_000_000, client.memory_limit() / 1_000_000);

    assert_eq!(total, (0..64).map(|seed| (0..1_000_000i64).map(|i| i + seed).sum::<i64>()).sum::<i64>());
    assert!(client.spilled_bytes() > 500_000_000);
    Ok(())
}
