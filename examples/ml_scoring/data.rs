//! The data of the example: any feature of any row, computed alone, and CSV files of many rows.
//!
//! It refuses to know models and frames, and uses the standard library only. The invariant: `generate.py` beside this file makes the
//! same numbers and the same bytes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// The number of features of a row: columns `f0` to `f15`.
pub const COLUMNS: u32 = 16;

/// The seed of the data that is scored; the model was trained on others. `sample.csv` is its first thousand rows.
pub const SEED: u64 = 42;

/// Features are the multiples of 0.0001 from -3 on, this many of them.
const STEPS: u64 = 60_000;

/// Rows are written to files in pieces of about this size.
const BUFFER_BYTES: usize = 1 << 20;

/// Feature `column` of `row`, evenly spread over -3.0000 to 2.9999 in steps of 0.0001.
///
/// All arithmetic is on unsigned 64-bit integers, modulo 2^64:
///
/// ```text
/// draw(seed, n):      z = seed + (n + 1) * 0x9E3779B97F4A7C15        output n + 1 of SplitMix64 started at `seed`
///                     z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
///                     z = (z ^ (z >> 27)) * 0x94D049BB133111EB
///                     draw = z ^ (z >> 31)
/// step(seed, i, j):   ((draw(seed, 16 * i + j) >> 32) * 60000) >> 32     evenly in 0..60000
/// feature(seed, i, j) = (step(seed, i, j) - 30000) / 10000               as f32
/// ```
pub fn feature(seed: u64, row: u64, column: u32) -> f32 {
    // Both operands are exact in f32, so the quotient is the f32 that is nearest to the decimal number, which is also what reading
    // its text gives.
    (step(seed, row, column) as i32 - STEPS as i32 / 2) as f32 / 10_000.0
}

fn step(seed: u64, row: u64, column: u32) -> usize {
    let n = row.wrapping_mul(u64::from(COLUMNS)).wrapping_add(u64::from(column));
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (((z >> 32) * STEPS) >> 32) as usize
}

/// Writes `rows` in `parts` files `part-000.csv`, `part-001.csv`, … of `folder`, with all threads of this machine, and returns their
/// paths in order: one after another they are the table. Ten million rows are 1.2 GB.
///
/// # Errors
/// What the file system says. Files of an earlier call with more parts stay where they are.
pub fn write_csv_parts(folder: &Path, rows: u64, parts: u64, seed: u64) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let paths: Vec<_> = (0..parts).map(|part| folder.join(format!("part-{part:03}.csv"))).collect();
    let next = AtomicU64::new(0);
    let work = || -> io::Result<()> {
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(part as usize) else { return Ok(()) };
            write_csv(path, share(rows, part, parts), seed)?;
        }
    };
    let threads = thread::available_parallelism().map_or(1, |count| count.get());
    thread::scope(|scope| {
        let writers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        writers.into_iter().try_for_each(|writer| writer.join().expect("a writer does not panic"))
    })?;
    Ok(paths)
}

/// The rows of one of `parts` parts of a table of `rows` rows.
fn share(rows: u64, part: u64, parts: u64) -> Range<u64> {
    rows * part / parts..rows * (part + 1) / parts
}

/// Writes one file: a header and `rows`, with four decimals each.
///
/// # Errors
/// What the file system says.
pub fn write_csv(path: &Path, rows: Range<u64>, seed: u64) -> io::Result<()> {
    write_rows(&mut File::create(path)?, rows, seed)
}

fn write_rows(out: &mut impl Write, rows: Range<u64>, seed: u64) -> io::Result<()> {
    let texts: Vec<Text> = (0..STEPS as i32).map(|step| Text::of(step - STEPS as i32 / 2)).collect();
    let names: Vec<_> = (0..COLUMNS).map(|column| format!("f{column}")).collect();
    let mut buffer = names.join(",").into_bytes();
    buffer.push(b'\n');
    for row in rows {
        for column in 0..COLUMNS {
            let text = &texts[step(seed, row, column)];
            buffer.extend_from_slice(&text.bytes[..usize::from(text.length)]);
            buffer.push(if column + 1 == COLUMNS { b'\n' } else { b',' });
        }
        if buffer.len() >= BUFFER_BYTES {
            out.write_all(&buffer)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer)
}

/// The text of a feature. There are so few features that all their texts stay in the cache, and none is made twice.
struct Text {
    bytes: [u8; 7],
    length: u8,
}

impl Text {
    /// The text of `value` ten-thousandths, at most 7 characters.
    fn of(value: i32) -> Self {
        let sign = if value < 0 { "-" } else { "" };
        let written = format!("{sign}{}.{:04}", value.abs() / 10_000, value.abs() % 10_000);
        let mut bytes = [0; 7];
        bytes[..written.len()].copy_from_slice(written.as_bytes());
        Self { bytes, length: written.len() as u8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rows: Range<u64>, seed: u64) -> String {
        let mut out = Vec::new();
        write_rows(&mut out, rows, seed).expect("memory takes everything");
        String::from_utf8(out).expect("numbers are ASCII")
    }

    /// The same five stand in generate.py.
    #[test]
    fn numbers_are_those_of_python() {
        let check = |seed, row, column, expected: f32| assert_eq!(feature(seed, row, column), expected, "{seed} {row} {column}");
        check(42, 0, 0, 1.4493);
        check(42, 0, 15, -1.7794);
        check(42, 9_999_999, 7, 0.701);
        check(0, 0, 0, 2.2998);
        check(u64::MAX, 123_456_789_012, 3, 1.1117);
    }

    /// generate.py wrote the sample.
    #[test]
    fn bytes_are_those_of_python() {
        assert_eq!(written(0..1000, SEED), include_str!("sample.csv"));
    }

    #[test]
    fn texts_read_back_as_the_feature() {
        for value in -30_000..30_000 {
            let text = Text::of(value);
            let text = str::from_utf8(&text.bytes[..usize::from(text.length)]).expect("numbers are ASCII");
            let expected = value as f32 / 10_000.0;
            assert_eq!(text.parse::<f32>(), Ok(expected), "{text}");
            assert_eq!(text.parse::<f64>().map(|wide| wide as f32), Ok(expected), "{text}");
        }
    }

    #[test]
    fn rows_are_those_that_can_be_computed_alone() {
        let text = written(70..73, 5);
        for (at, line) in text.lines().skip(1).enumerate() {
            let found: Vec<f32> = line.split(',').map(|cell| cell.parse().expect("a cell is a number")).collect();
            let expected: Vec<f32> = (0..COLUMNS).map(|column| feature(5, 70 + at as u64, column)).collect();
            assert_eq!(found, expected);
        }
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn parts_are_the_table_in_order() {
        let check = |rows: u64, parts: u64| {
            let shares: Vec<_> = (0..parts).flat_map(|part| share(rows, part, parts)).collect();
            assert_eq!(shares, (0..rows).collect::<Vec<_>>(), "{rows} rows in {parts} parts");
        };
        check(0, 3);
        check(1, 8);
        check(10, 3);
        check(1000, 7);
    }

    #[test]
    fn files_hold_the_parts() {
        let folder = std::env::temp_dir().join(format!("ml_scoring_data_{}", std::process::id()));
        let paths = write_csv_parts(&folder, 10, 3, SEED).expect("the temporary folder takes 10 rows");
        let texts: Vec<_> = paths.iter().map(|path| fs::read_to_string(path).expect("the file is there")).collect();
        fs::remove_dir_all(&folder).expect("the folder is ours");
        assert_eq!(texts, [written(0..3, SEED), written(3..6, SEED), written(6..10, SEED)]);
    }
}
