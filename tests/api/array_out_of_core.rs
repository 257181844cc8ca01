//! Arrays out of core: work on four times the memory limit ends, is right and stays within the limit and a quarter, because plans are made for
//! the limit: each has a task that would hold more than all of it if it read at once what it needs.
//!
//! Each runs in a process of its own, as those of frames do (`out_of_core`). The pages of the program itself are not counted; mapped files of spilled
//! blocks are.

use partita::prelude::*;

use crate::out_of_core::{memory, stays_within};

const LIMIT: u64 = 128 << 20;
/// For what takes long for each element without optimizations.
const LOW: u64 = 64 << 20;
/// Elements of eight bytes that are four times the limit.
const ELEMENTS: usize = elements(LIMIT);

const fn elements(limit: u64) -> usize {
    (4 * limit / 8) as usize
}

/// Counts in how many places two arrays differ: in none, found within the limit, with so many bytes spilled at least.
fn check(name: &str, limit: u64, least_spilled: u64, job: impl FnOnce() -> (DArray<f64>, DArray<f64>)) {
    stays_within(&format!("array_out_of_core::{name}"), limit, least_spilled, || {
        let client = Client::builder().threads(2).memory_limit(limit).build().unwrap();
        let (found, expected) = job();
        let differences = found.neq(&expected).sum();
        let counted = client.compute(&differences).unwrap_or_else(|failure| panic!("{failure}\n{}", differences.explain()));
        assert_eq!(counted.first(), Some(&0), "{}", differences.explain());
        let spilled = client.spilled_bytes();
        drop(client);
        // Now that nothing is mapped any more the files are those of the program.
        (memory("VmHWM:") - memory("RssFile:"), spilled)
    });
}

/// Pairs of blocks that together are more than the limit are added up one after the other. Blocks that are made and used up one by one need not be spilled.
#[test]
fn matmul() {
    const LONG: usize = ELEMENTS / 32;
    check("matmul", LIMIT, 0, || {
        let a = DArray::from_fn([16, LONG], [-1, 1 << 16], |at| ((at[0] + at[1]) % 7) as f64);
        let b = DArray::from_fn([LONG, 16], [1 << 16, -1], |at| ((at[0] + at[1]) % 5) as f64);
        // Both repeat after 35 places.
        let sum = |row: usize, column: usize, len: usize| (0..len).map(|k| ((row + k) % 7) * ((k + column) % 5)).sum::<usize>();
        let expected = DArray::from_fn([16, 16], 16, move |at| (LONG / 35 * sum(at[0], at[1], 35) + sum(at[0], at[1], LONG % 35)) as f64);
        (a.matmul(&b), expected)
    });
}

/// Every new block of 16 rows needs one of each of 16 blocks, which are twice the limit.
#[test]
fn places_far_apart() {
    const ROWS: usize = 512;
    check("places_far_apart", LIMIT, LIMIT, || {
        let columns = ELEMENTS / ROWS;
        let row = |row: usize| row * 101 % ROWS;
        let x = DArray::from_fn([ROWS, columns], [16, -1], move |at| (at[0] * columns + at[1]) as f64);
        let taken = x.take((0..ROWS).map(|at| row(at) as isize), 0);
        (taken, DArray::from_fn([ROWS, columns], [16, -1], move |at| (row(at[0]) * columns + at[1]) as f64))
    });
}

/// 512 blocks of rows and as many of columns have 262,144 pieces in common, which steps by way of larger blocks save.
#[test]
fn thin_rows_become_columns() {
    const SIDE: usize = 8192;
    check("thin_rows_become_columns", LIMIT, LIMIT, || {
        assert_eq!(SIDE * SIDE, ELEMENTS);
        let along = |chunks: i32| DArray::arange(0.0, SIDE as f64, 1.0, chunks);
        let numbered = |chunks: [i32; 2]| along(chunks[0]).expand_dims(1) * SIDE as f64 + along(chunks[1]);
        let columns = numbered([16, -1]).rechunk([-1, 16]);
        let plan = columns.explain();
        assert!(plan.matches("rechunk (").count() > 2, "{plan}");
        (columns, numbered([-1, 16]))
    });
}

/// Blocks that ascend. Two at a time have the same elements between them, and those that come first have the greatest.
#[test]
fn sort() {
    const LEN: usize = elements(LOW);
    const BLOCK: usize = LEN / 64;
    check("sort", LOW, LOW, || {
        let x = DArray::from_fn(LEN, BLOCK, |at| {
            let (pair, within) = (at[0] / (2 * BLOCK), at[0] % (2 * BLOCK));
            (LEN - (pair + 1) * 2 * BLOCK + within % BLOCK * 2 + within / BLOCK) as f64
        });
        (x.sort(0), DArray::arange(0.0, LEN as f64, 1.0, BLOCK))
    });
}

/// The axis that it goes over is cut, and the whole of it in one block would be four times the limit.
#[test]
fn median_along_an_axis() {
    const ROWS: usize = 4096;
    const COLUMNS: usize = elements(LOW) / ROWS;
    check("median_along_an_axis", LOW, LOW, || {
        let row = DArray::from_fn(ROWS, 64, |at| (at[0] * 4099 % ROWS) as f64);
        let first = || DArray::arange(0.0, COLUMNS as f64, 1.0, -1) * ROWS as f64;
        let x = row.expand_dims(1) + first();
        (x.median(0), first() + (ROWS - 1) as f64 / 2.0)
    });
}
