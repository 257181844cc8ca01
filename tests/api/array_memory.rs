//! Arrays larger than memory: work whose blocks are several times the limit ends, spills, and gives the same result.

use partita::Element;
use partita::prelude::*;

/// Two threads and 16 MiB.
fn small() -> Client {
    Client::builder().threads(2).memory_limit("16MiB").set_as_default(false).build().expect("a local engine starts")
}

fn one<T: Element>(array: &DArray<T>, client: &Client) -> T {
    array.compute_on(client).unwrap_or_else(|failure| panic!("{failure}\n{}", array.explain())).first().copied().expect("one element")
}

/// 64 MB in rows, cut into columns: every block of columns needs a piece of every block of rows.
#[test]
fn rows_become_columns() {
    let client = small();
    let x = Random::new(1).uniform([2000, 4000], [100, -1]);
    let columns = x.rechunk([-1, 200]).sum_axis(0).sum();
    let expected = one(&x.sum(), &client);
    assert!((one(&columns, &client) - expected).abs() < 1e-6 * expected);
    assert!(client.spilled_bytes() > 20_000_000, "spilled {}", client.spilled_bytes());
}

/// 16 MB of numbers, which take several times as much on their way to their places.
#[test]
fn what_is_sorted_stays_in_its_chunks() {
    let client = small();
    let order = Random::new(2).permutation(2_000_000, 250_000);
    // Each number is at its own place afterwards.
    let misplaced = order.sort(0).neq(DArray::arange(0i64, 2_000_000, 1, 250_000)).sum();
    assert_eq!(one(&misplaced, &client), 0);
}

/// 48 MB that are kept, and then read again.
#[test]
fn kept_blocks_come_back() {
    let client = small();
    let kept = Random::new(3).normal([2000, 3000], [100, -1]).persist_on(&client).expect("it fits on disk");
    assert!(client.spilled_bytes() > 20_000_000, "spilled {}", client.spilled_bytes());
    let again = Random::new(3).normal([2000, 3000], [100, -1]);
    assert_eq!(one(&kept.neq(&again).sum(), &client), 0);
}
