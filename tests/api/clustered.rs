//! Group-bys of files whose rows lie in the order of a key: partitions are split where they end, and no key's rows are parted.

use std::path::Path;

use super::check::executors;
use partita::polars::prelude::*;
use partita::prelude::{DFrame, ParquetOptions, ParquetWriteOptions, col, len, lit};

/// Runs of one to five rows of a key, some of which go on in the next partition, and one key that fills partitions.
fn rows() -> DataFrame {
    let mut keys: Vec<i64> = (0..90_000i64).flat_map(|key| std::iter::repeat_n(4 * key, 1 + (key * key % 7) as usize)).collect();
    keys.extend(std::iter::repeat_n(400_000, 90_000));
    keys.extend((0..1_000i64).map(|row| 400_000 + row / 3));
    let rows = keys.len() as i64;
    df!("k" => keys, "x" => (0..rows).collect::<Vec<i64>>(), "u" => (0..rows).map(|row| row % 2).collect::<Vec<_>>()).unwrap()
}

/// Writes a frame as so many files, and reads it with a partition for each, as far as they are large.
fn in_files(frame: DataFrame, files: usize, path: &Path) -> DFrame {
    DFrame::from_polars(frame, files).to_parquet(path, ParquetWriteOptions::new()).unwrap();
    let bytes = std::fs::read_dir(path).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap();
    let read = DFrame::read_parquet_with(path, ParquetOptions::new().blocksize(bytes)).unwrap();
    // Two files that are small together are one partition.
    let partitions = read.npartitions().unwrap();
    assert!(partitions == files || partitions + 1 == files, "{partitions}");
    read
}

#[test]
fn groups_of_a_clustered_key_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let days = col("k").cast(DataType::Int32).cast(DataType::Date);
    let days = rows().lazy().with_column(days).collect().unwrap();
    for (name, rows, keys) in [("numbers", rows(), vec!["k"]), ("days", days, vec!["u", "k"])] {
        let read = in_files(rows.clone(), 9, &folder.path().join(name)).filter(col("x").gt(lit(100)));
        let aggs = [col("x").sum(), len().alias("n")];
        let groups = read.group_by(keys.clone()).agg(aggs.clone());
        let plan = groups.explain();
        let expected = format!("split by k where partitions end, into {}", read.npartitions().unwrap());
        assert!(plan.contains(&expected), "{plan}");
        let by: Vec<Expr> = keys.iter().map(|key| col(*key)).collect();
        let sorted = |groups: LazyFrame| groups.sort_by_exprs(by.clone(), SortMultipleOptions::default()).collect().unwrap();
        let expected = sorted(rows.lazy().filter(col("x").gt(lit(100))).group_by(by.clone()).agg(aggs));
        for (name, executor) in executors() {
            let found = sorted(groups.compute_on(&*executor).unwrap().frame.lazy());
            assert!(found.equals_missing(&expected), "{name}: by {keys:?}");
        }
    }
}

/// All of them say where to split, not the first alone, whose borders would leave all rows of the others to one part.
#[test]
fn files_one_below_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let keys = |from: i64| df!("k" => (from..from + 400_000).collect::<Vec<_>>()).unwrap();
    let read = |from: i64, files, name: &str| in_files(keys(from), files, &folder.path().join(name));
    let both = DFrame::concat([read(0, 2, "first"), read(400_000, 7, "second")]);
    // As many columns as make groups large, so that there are several parts.
    let sums: Vec<Expr> = (0..60).map(|at| (col("k") + lit(at)).sum().alias(format!("s{at}"))).collect();
    let plan = both.group_by(["k"]).agg(sums).explain();
    assert!(plan.contains("split by k where partitions end, into 9"), "{plan}");
}

#[test]
fn other_orders_are_spread_by_hash() {
    let folder = tempfile::tempdir().unwrap();
    let keys = df!("k" => (0..500_000i64).map(|row| row * 7919 % 500_000).collect::<Vec<_>>()).unwrap();
    let read = in_files(keys, 4, &folder.path().join("keys"));
    let groups = read.group_by(["k"]).agg([len()]);
    let plan = groups.explain();
    assert!(plan.contains("split by k into") && !plan.contains("where partitions end"), "{plan}");
    assert_eq!(groups.len().unwrap(), 500_000);
    // Few rows are guessed to pass, and that is no bound of how many groups there are.
    let guessed = read.filter((col("k") % lit(2)).eq(lit(0))).group_by(["k"]).agg([len()]);
    assert!(guessed.explain().contains("split by k into"), "{}", guessed.explain());
}
