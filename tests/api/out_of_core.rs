//! Out of core: a sort, a group-by with very many groups, a join of two large frames and `unique`, each on four times the memory limit, end,
//! spill, say what they spilled, and stay within the limit and a quarter.
//!
//! Each runs in a process of its own, because the memory that is measured is the process's: a test starts this program again with its own
//! name and reads the line that it prints. The pages of the program itself, which is a quarter of this limit when it is built without
//! optimizations, are not counted; mapped files of spilled partitions are.

use std::process::Command;

use partita::polars::prelude::*;
use partita::prelude::*;

const LIMIT: u64 = 256 << 20;
/// Bytes of text in a row: rows are few, so that it is quick without optimizations too.
const TEXT: usize = 4000;
const PER_PARTITION: u64 = 2_048;
const PARTITIONS: u64 = 132;
const ROWS: u64 = PARTITIONS * PER_PARTITION;
/// Says that this process is the one that is measured.
const MEASURED: &str = "PARTITA_TEST_OUT_OF_CORE";

/// Numbers in no order, each once: the finalizer of splitmix64.
fn mixed(x: u64) -> i64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) as i64
}

/// Rows of a key, the row's number and a text, made while they are asked for.
fn rows(partitions: u64, key: fn(u64) -> u64) -> DFrame {
    let schema = df!("k" => [0i64], "x" => [0i64], "t" => [""]).unwrap().schema().clone();
    let text: String = (0..TEXT + 64).map(|at| char::from(b'a' + (at * 7 % 26) as u8)).collect();
    DFrame::from_map(schema, 0..partitions, move |partition| {
        let rows = || partition * PER_PARTITION..(partition + 1) * PER_PARTITION;
        df!(
            "k" => rows().map(|row| mixed(key(row))).collect::<Vec<_>>(),
            "x" => rows().map(|row| row as i64).collect::<Vec<_>>(),
            "t" => rows().map(|row| &text[(row % 64) as usize..][..TEXT]).collect::<Vec<_>>(),
        )
    })
}

/// One line for each partition: rows, the sum of `x`, bytes of text, the first and the last key, and whether keys ascend.
fn facts(frame: &DFrame) -> DFrame {
    let schema = df!("rows" => [0u64], "x" => [0i64], "bytes" => [0u64], "first" => [0i64], "last" => [0i64], "ascends" => [true]);
    frame.map_partitions_with(schema.unwrap().schema().clone(), |part| {
        let keys: Vec<i64> = part.column("k")?.i64()?.into_no_null_iter().collect();
        let texts = part.columns().iter().filter_map(|column| column.str().ok());
        let bytes: u64 = texts.flat_map(|texts| texts.iter().flatten().map(|text| text.len() as u64)).sum();
        df!(
            "rows" => [keys.len() as u64], "x" => [part.column("x")?.i64()?.sum().unwrap_or(0)], "bytes" => [bytes],
            "first" => [keys.first().copied().unwrap_or(0)], "last" => [keys.last().copied().unwrap_or(0)], "ascends" => [keys.is_sorted()],
        )
    })
}

fn total(facts: &DataFrame, name: &str) -> u64 {
    facts.column(name).unwrap().cast(&DataType::UInt64).unwrap().u64().unwrap().sum().unwrap_or(0)
}

/// The sum of the first numbers.
const fn sum_below(rows: u64) -> u64 {
    rows * (rows - 1) / 2
}

#[test]
fn sort() {
    measured(
        "sort",
        ROWS,
        |facts| {
            assert_eq!((total(facts, "rows"), total(facts, "x"), total(facts, "bytes")), (ROWS, sum_below(ROWS), ROWS * TEXT as u64));
            let keys = |name: &str| facts.column(name).unwrap().i64().unwrap().into_no_null_iter().collect::<Vec<_>>();
            assert!(facts.column("ascends").unwrap().bool().unwrap().all());
            assert!(keys("last").iter().zip(&keys("first")[1..]).all(|(last, next)| last <= next));
        },
        || facts(&rows(PARTITIONS, |row| row).sort(["k"])),
    );
}

#[test]
fn group_by_of_many_groups() {
    measured(
        "group_by_of_many_groups",
        ROWS,
        |facts| {
            assert_eq!(
                (total(facts, "rows"), total(facts, "x"), total(facts, "bytes")),
                (ROWS / 2, sum_below(ROWS), ROWS / 2 * TEXT as u64)
            );
        },
        || facts(&rows(PARTITIONS, |row| row % (ROWS / 2)).group_by(["k"]).agg([col("x").sum(), col("t").first()])),
    );
}

#[test]
fn join_of_two_large_frames() {
    let joined = || {
        let left = rows(PARTITIONS / 2, |row| row);
        let right = rows(PARTITIONS / 2, |row| ROWS / 2 - 1 - row).select([col("k"), col("t").alias("u")]);
        facts(&left.join(&right, Join::inner(["k"])))
    };
    measured(
        "join_of_two_large_frames",
        ROWS,
        |facts| {
            assert_eq!(
                (total(facts, "rows"), total(facts, "x"), total(facts, "bytes")),
                (ROWS / 2, sum_below(ROWS / 2), ROWS * TEXT as u64)
            );
        },
        joined,
    );
}

#[test]
fn unique() {
    measured(
        "unique",
        ROWS,
        |facts| {
            let first = sum_below(ROWS / 2);
            assert_eq!((total(facts, "rows"), total(facts, "x"), total(facts, "bytes")), (ROWS / 2, first, ROWS / 2 * TEXT as u64));
        },
        || facts(&rows(PARTITIONS, |row| row % (ROWS / 2)).unique_with(["k"], UniqueKeepStrategy::First)),
    );
}

/// Sorting them reads them twice, because it would be dearer to keep all their rows until it is known where each belongs.
#[test]
fn files_that_do_not_fit_are_read_for_their_keys_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let rows = 12_000u64;
    let line = |row: u64| format!("{},{row},{}\n", mixed(row % (rows / 2)), "abcdefgh".repeat(125));
    std::fs::write(&path, "k,x,t\n".to_string() + &(0..rows).map(line).collect::<String>()).unwrap();
    let sorted = || DFrame::read_csv_with(path.clone(), CsvOptions::new().blocksize("1MiB")).unwrap().sort(["k", "x"]);
    let job = || {
        // The plan is made for the current client, and this process has no other.
        let client = Client::builder().threads(2).memory_limit("16MiB").build().unwrap();
        let plan = sorted().explain();
        assert!(plan.contains("2 of 3 columns") && plan.contains("3 of 3 columns"), "{plan}");
        let found = client.compute(&sorted()).unwrap().select(["k", "x"]).unwrap();
        let mut expected: Vec<(i64, i64)> = (0..rows).map(|row| (mixed(row % (rows / 2)), row as i64)).collect();
        expected.sort_unstable();
        let column = |at: fn(&(i64, i64)) -> i64| expected.iter().map(at).collect::<Vec<_>>();
        assert_eq!(found, df!("k" => column(|row| row.0), "x" => column(|row| row.1)).unwrap());
    };
    match std::env::var_os(MEASURED) {
        Some(_) => job(),
        None => drop(again("out_of_core::files_that_do_not_fit_are_read_for_their_keys_first")),
    }
}

/// Runs the job where this process is measured; else starts this program again for this test, and looks at what it says of itself.
fn measured(name: &str, rows: u64, check: fn(&DataFrame), job: impl FnOnce() -> DFrame) {
    assert!(rows * TEXT as u64 >= 4 * LIMIT, "not four times the limit");
    stays_within(&format!("out_of_core::{name}"), LIMIT, LIMIT, || {
        let program = memory("RssFile:");
        let client = Client::builder().threads(2).memory_limit(LIMIT).build().unwrap();
        let computed = client.run(&job()).unwrap();
        check(&computed.frame);
        (memory("VmHWM:") - program, computed.spilled_bytes)
    });
}

/// Runs a job, which gives the most bytes that it had and those that it spilled, in a process of its own: it stays within the limit and a quarter, and
/// spills at least so much. That is 0 for a job that can end without: whether such a one spills is a matter of which tasks happen to end first.
pub(crate) fn stays_within(test: &str, limit: u64, least_spilled: u64, job: impl FnOnce() -> (u64, u64)) {
    if std::env::var_os(MEASURED).is_some() {
        let (peak, spilled) = job();
        println!("measured {peak} {spilled}");
        return;
    }
    let text = again(test);
    let line = text.lines().find_map(|line| line.split_once("measured ")).unwrap_or_else(|| panic!("{test} said nothing: {text}")).1;
    let figures: Vec<u64> = line.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
    let [peak, spilled] = figures[..] else { panic!("{test}: {line}") };
    eprintln!("{test}: peak {:.2} of the limit, spilled {:.2}", peak as f64 / limit as f64, spilled as f64 / limit as f64);
    assert!(spilled >= least_spilled, "{test} spilled {spilled} bytes only");
    assert!(peak <= limit + limit / 4, "{test}: a peak of {peak} bytes under a limit of {limit}");
}

/// Starts this program again for this test; what it prints.
fn again(test: &str) -> String {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args([test, "--exact", "--nocapture"]).env(MEASURED, "1").env("PARTITA_PROGRESS", "off");
    let output = again.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{test}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// What the system says of this process's memory, in bytes: `VmHWM:` the most there was, `RssFile:` pages of files now. 0 where it does not tell.
pub(crate) fn memory(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(what));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
