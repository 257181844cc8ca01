//! Writes under faults: tasks that run twice, die or come too late leave each part once; a write that fails leaves what was there.

use super::check::executors;
use super::files::{every_type, same};
use partita::graph::Executor;
use partita::polars::prelude::*;
use partita::prelude::{CsvWriteOptions, DFrame, IpcWriteOptions, JsonWriteOptions, ParquetWriteOptions};
use partita::{Client, Code, Compression, operator_registry};
use partita_sim::SimExecutor;

/// What is in a folder, at any depth, without hidden names; sorted.
fn visible(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(std::path::Path::new(folder), "", &mut found);
    found.sort();
    found
}

fn walk(folder: &std::path::Path, below: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') {
            walk(&entry.path(), &format!("{below}{name}/"), found);
        } else if !name.starts_with('.') {
            found.push(format!("{below}{name}"));
        }
    }
}

fn hidden(folder: &str) -> usize {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'))
        .count()
}

fn parts(count: usize, ending: &str) -> Vec<String> {
    (0..count).map(|part| format!("part-{part:05}.{ending}")).collect()
}

fn folder() -> (tempfile::TempDir, String) {
    let guard = tempfile::tempdir().unwrap();
    let path = guard.path().join("out").to_string_lossy().into_owned();
    (guard, path)
}

/// Each seed has its own workers, deaths, delays, doubled messages: tasks run again and at the same time.
#[test]
fn faults_leave_each_part_once() {
    let frame = every_type(40);
    let input = DFrame::from_polars(frame.clone(), 6).filter(col("row").lt(lit(35)));
    let expected = frame.slice(0, 35);
    for seed in 0..40 {
        let executor = SimExecutor::new(seed, operator_registry());
        let (_guard, path) = folder();
        for (round, overwrite) in [false, true].into_iter().enumerate() {
            let case = format!("seed {seed}, round {round}");
            let options = ParquetWriteOptions::new().row_group_rows(3).overwrite(overwrite);
            let written = input.to_parquet_on(&executor, &path, options).unwrap_or_else(|e| panic!("{case}: {e}"));
            assert_eq!((written.rows, written.files), (35, 6), "{case}");
            assert_eq!(visible(&path), parts(6, "parquet"), "{case}");
            same(&DFrame::read_parquet(&path).unwrap().compute().unwrap(), &expected, &case);
        }
    }
}

#[test]
fn faults_leave_folders_of_values_and_single_files_whole() {
    let frame = df!("x" => (0..40i64).collect::<Vec<_>>(), "k" => (0..40).map(|i| format!("k{}", i % 3)).collect::<Vec<_>>()).unwrap();
    let input = DFrame::from_polars(frame.clone(), 4);
    let lines = |rows: std::ops::Range<i64>| rows.map(|x| format!("{x},k{}\n", x % 3)).collect::<String>();
    for seed in 100..120 {
        let executor = SimExecutor::new(seed, operator_registry());
        let (guard, path) = folder();
        let written = input.to_parquet_on(&executor, &path, ParquetWriteOptions::new().partition_by(["k"])).unwrap();
        assert_eq!((written.rows, written.files), (40, 12), "seed {seed}");
        let names: Vec<String> = (0..3).flat_map(|k| parts(4, "parquet").into_iter().map(move |part| format!("k=k{k}/{part}"))).collect();
        assert_eq!(visible(&path), names, "seed {seed}");
        let found = DFrame::read_parquet(&path).unwrap().compute().unwrap();
        same(&found.sort(["x"], SortMultipleOptions::default()).unwrap(), &frame, &format!("seed {seed}"));

        let file = guard.path().join("one.csv");
        let written = input.to_csv_on(&executor, &file, CsvWriteOptions::new().single_file(true)).unwrap();
        assert_eq!((written.rows, written.files), (40, 1), "seed {seed}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("x,k\n{}", lines(0..40)), "seed {seed}");
    }
}

/// The function fails for some rows; by then other parts are written.
#[test]
fn a_write_that_fails_leaves_what_was_there() {
    let old = df!("x" => [1i64, 2, 3]).unwrap();
    let new = DFrame::from_polars(df!("x" => (0..8i64).collect::<Vec<_>>()).unwrap(), 8);
    let broken = new.map_partitions_with(new.schema().unwrap(), |part| {
        let row = part.column("x")?.i64()?.get(0);
        match row {
            Some(5) => Err(PolarsError::NoData("row five is missing".into())),
            Some(6) => panic!("row six is worse"),
            _ => Ok(part),
        }
    });
    // Closures do not reach other processes.
    for (name, executor) in executors().into_iter().filter(|(name, _)| !name.starts_with("Cluster")) {
        let (_guard, path) = folder();
        DFrame::from_polars(old.clone(), 3).to_parquet_on(&*executor, &path, ParquetWriteOptions::new()).unwrap();
        let failed = broken.to_parquet_on(&*executor, &path, ParquetWriteOptions::new().overwrite(true)).unwrap_err();
        assert!(matches!(failed.code, Code::UserFunction | Code::Panicked), "{name}: {failed}");
        assert_eq!(visible(&path), parts(3, "parquet"), "{name}");
        same(&DFrame::read_parquet(&path).unwrap().compute().unwrap(), &old, &name);
        // The next write removes what the failed one left.
        assert!(hidden(&path) > 0, "{name}: the failed write should have begun");
        new.to_parquet_on(&*executor, &path, ParquetWriteOptions::new().overwrite(true)).unwrap();
        assert_eq!(visible(&path), parts(8, "parquet"), "{name}");
        // Elsewhere a task of the failed run may still be writing, in vain.
        assert!(name != "Serial" || hidden(&path) == 0, "{name}: {} hidden names", hidden(&path));
        assert_eq!(DFrame::read_parquet(&path).unwrap().len().unwrap(), 8);
    }
}

#[test]
fn a_write_that_is_cancelled_leaves_what_was_there() {
    let client = Client::builder().threads(2).set_as_default(false).build().unwrap();
    let (_guard, path) = folder();
    let old = df!("x" => [1i64, 2, 3]).unwrap();
    DFrame::from_polars(old.clone(), 1).to_parquet_on(&client, &path, ParquetWriteOptions::new()).unwrap();
    let input = DFrame::from_polars(df!("x" => (0..200i64).collect::<Vec<_>>()).unwrap(), 200);
    let slow = input.map_partitions_with(input.schema().unwrap(), |part| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        Ok(part)
    });
    let canceller = client.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        canceller.cancel_all();
    });
    let failure = slow.to_parquet_on(&client, &path, ParquetWriteOptions::new().overwrite(true)).unwrap_err();
    thread.join().unwrap();
    assert_eq!(failure.code, Code::Cancelled);
    same(&DFrame::read_parquet(&path).unwrap().compute().unwrap(), &old, "after the end of a cancelled write");
}

#[test]
fn a_frame_may_be_written_over_the_files_that_it_reads() {
    for (name, executor) in executors() {
        let (_guard, path) = folder();
        let frame = DFrame::from_polars(df!("x" => (0..20i64).collect::<Vec<_>>()).unwrap(), 4);
        frame.to_parquet_on(&*executor, &path, ParquetWriteOptions::new()).unwrap();
        let again = DFrame::read_parquet(&path).unwrap().filter(col("x").gt(lit(9))).repartition(2);
        match again.to_parquet_on(&*executor, &path, ParquetWriteOptions::new().overwrite(true)) {
            Ok(written) => {
                assert_eq!((written.rows, written.files), (10, 2), "{name}");
                assert_eq!(visible(&path), parts(2, "parquet"), "{name}");
            }
            // A worker died with the answer after all was published, and what it was made of is replaced.
            Err(failure) => assert!(name.starts_with("Sim") && failure.code == Code::NoSuchFile, "{name}: {failure}"),
        }
        let found = DFrame::read_parquet(&path).unwrap().compute().unwrap();
        assert_eq!(found, df!("x" => (10..20i64).collect::<Vec<_>>()).unwrap(), "{name}");
    }
}

#[test]
fn refusals_name_the_users_line_and_write_nothing() {
    let (_guard, path) = folder();
    let frame =
        DFrame::from_polars(df!("x" => [1i64, 2], "list" => [Series::new("".into(), [1i64]), Series::new("".into(), [2i64])]).unwrap(), 2);
    let refused = |written: Result<partita::Written, partita::Error>, line: u32, code: Code, words: &[&str]| {
        let error = written.unwrap_err();
        assert_eq!(error.code, code, "{error}");
        let text = error.to_string();
        let place = format!("writes.rs:{line}:");
        assert!(words.iter().chain(&[place.as_str()]).all(|word| text.contains(word)), "{words:?} and {place} are not in:\n{text}");
    };
    refused(frame.to_csv(&path, CsvWriteOptions::new()), line!(), Code::Unsupported, &["`list`", "to_csv"]);
    let by = ParquetWriteOptions::new().partition_by(["y"]);
    refused(frame.to_parquet(&path, by), line!(), Code::ColumnNotFound, &["`y`"]);
    let by = ParquetWriteOptions::new().partition_by(["list"]);
    refused(frame.to_parquet(&path, by), line!(), Code::InvalidOption, &["partition_by"]);
    let separator = CsvWriteOptions::new().separator('\n');
    refused(frame.select(["x"]).to_csv(&path, separator), line!(), Code::InvalidOption, &["separator", "to_csv"]);
    let broken = frame.select([(col("x") + col("z")).alias("y")]);
    let error = broken.to_json(&path, JsonWriteOptions::new()).unwrap_err();
    assert_eq!(error.code, Code::ColumnNotFound, "{error}");
    assert!(!std::path::Path::new(&path).exists());
    frame.to_ipc(&path, IpcWriteOptions::new()).unwrap();
    refused(frame.to_ipc(&path, IpcWriteOptions::new()), line!(), Code::OutputExists, &["part-00000.arrow", "overwrite(true)"]);
    // Files of another format are in nobody's way.
    frame.select(["x"]).to_csv(&path, CsvWriteOptions::new().compression(Compression::Gzip)).unwrap();
    assert_eq!(visible(&path), ["part-00000.arrow", "part-00000.csv.gz", "part-00001.arrow", "part-00001.csv.gz"]);
    std::fs::write(format!("{path}/file"), "").unwrap();
    let below = format!("{path}/file/below");
    let error = frame.to_ipc(&below, IpcWriteOptions::new()).unwrap_err();
    assert!(matches!(error.code, Code::Unwritable | Code::Unreadable), "{error}");
}

#[test]
fn writes_into_the_store_of_the_process() {
    let frame = every_type(12);
    // Each process of a cluster has its own.
    for (number, (name, executor)) in executors().into_iter().filter(|(name, _)| !name.starts_with("Cluster")).enumerate() {
        let path = format!("memory://api-writes/{number}");
        for rows in [12usize, 7] {
            let input = DFrame::from_polars(frame.slice(0, rows), 3);
            let written = input.to_parquet_on(&*executor, &path, ParquetWriteOptions::new().overwrite(true)).unwrap();
            assert_eq!((written.rows, written.files), (rows as u64, 3), "{name}");
            same(&DFrame::read_parquet(&path).unwrap().compute().unwrap(), &frame.slice(0, rows), &name);
        }
        let refused = DFrame::from_polars(frame.clone(), 1).to_parquet_on(&*executor, &path, ParquetWriteOptions::new()).unwrap_err();
        assert_eq!(refused.code, Code::OutputExists, "{name}");
    }
}

/// One executor does not wait for another: writes to different places at the same time are all whole.
#[test]
fn writes_at_the_same_time() {
    let frame = df!("x" => (0..100i64).collect::<Vec<_>>()).unwrap();
    let (_guard, path) = folder();
    let client = Client::builder().threads(4).set_as_default(false).build().unwrap();
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (frame, path, client) = (&frame, &path, &client);
            scope.spawn(move || {
                let executor: &dyn Executor = client;
                let path = format!("{path}/{number}");
                DFrame::from_polars(frame.clone(), 5).to_parquet_on(executor, &path, ParquetWriteOptions::new()).unwrap();
                assert_eq!(DFrame::read_parquet(&path).unwrap().compute_on(executor).unwrap().frame, *frame);
            });
        }
    });
    assert_eq!(DFrame::read_parquet(&path).unwrap().len().unwrap(), 600);
}
