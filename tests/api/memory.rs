//! Larger than memory: work whose intermediates are several times the limit ends, spills, and gives the same result.

use partita::prelude::*;

/// 12 partitions of 8 MB each, persisted and then reduced, under 32 MiB.
#[test]
fn persisted_partitions_of_three_times_the_limit() {
    let client = Client::builder().threads(2).memory_limit("32MiB").set_as_default(false).build().unwrap();
    let seeds = DFrame::from_polars(df!("seed" => (0..12i64).collect::<Vec<_>>()).unwrap(), 12);
    let schema = df!("x" => [0i64]).unwrap().schema().clone();
    let big = seeds.map_partitions_with(schema, |p| {
        let seed = p.column("seed")?.i64()?.get(0).unwrap_or(0);
        Ok(df!("x" => (0..1_000_000i64).map(|i| i * 31 % 1009 + seed).collect::<Vec<_>>())?)
    });
    let kept = big.persist_on(&client).unwrap();
    assert!(client.spilled_bytes() > 50_000_000, "spilled {}", client.spilled_bytes());
    let sum = client.compute(&kept.sum()).unwrap();
    let expected: i64 = (0..12).map(|seed| (0..1_000_000i64).map(|i| i * 31 % 1009 + seed).sum::<i64>()).sum();
    assert_eq!(sum, df!("x" => [expected]).unwrap());
}
