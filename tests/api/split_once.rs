//! Rows that a join brought together by a key are not split by it again, whatever they were read from; keys that most rows have are still
//! dealt out.

use partita::polars::prelude::*;
use partita::prelude::{
    Client, DFrame, IpcOptions, IpcWriteOptions, Join, JsonOptions, JsonWriteOptions, ParquetOptions, ParquetWriteOptions, col, lit,
};

const ROWS: i64 = 300_000;
const FILES: usize = 4;

/// Keys that are there once each, in no order.
fn even(name: &str) -> DataFrame {
    df!("k" => (0..ROWS).map(|row| row * 7919 % ROWS).collect::<Vec<_>>(), name => (0..ROWS).collect::<Vec<_>>()).unwrap()
}

/// One key that nine of ten rows have.
fn skewed(name: &str) -> DataFrame {
    let key = |row: i64| if row % 10 == 0 { row } else { 1 };
    df!("k" => (0..ROWS).map(key).collect::<Vec<_>>(), name => (0..ROWS).collect::<Vec<_>>()).unwrap()
}

/// The frame out of files of each format, and persisted; in several partitions each.
fn kept(frame: &DataFrame, client: &Client, folder: &std::path::Path) -> Vec<(&'static str, DFrame)> {
    let parts = || DFrame::from_polars(frame.clone(), FILES);
    let path = |format: &str| folder.join(format);
    parts().to_parquet(path("parquet"), ParquetWriteOptions::new()).unwrap();
    parts().to_ipc(path("ipc"), IpcWriteOptions::new()).unwrap();
    parts().to_json(path("json"), JsonWriteOptions::new()).unwrap();
    let size = |format: &str| std::fs::read_dir(path(format)).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap();
    let parquet = DFrame::read_parquet_with(path("parquet"), ParquetOptions::new().blocksize(size("parquet"))).unwrap();
    let all = vec![
        ("persisted", parquet.persist_on(client).unwrap()),
        ("parquet", parquet),
        ("ipc", DFrame::read_ipc_with(path("ipc"), IpcOptions::new().blocksize(size("ipc"))).unwrap()),
        ("json", DFrame::read_json_with(path("json"), JsonOptions::new().blocksize(size("json"))).unwrap()),
    ];
    assert!(all.iter().all(|(_, frame)| frame.npartitions().unwrap() > 1));
    all
}

fn splits(frame: &DFrame) -> usize {
    frame.explain().matches("split by k into").count()
}

#[test]
fn what_a_join_brought_together_stays_together() {
    let client = Client::builder().threads(2).set_as_default(false).build().unwrap();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [left, right] = [("x", &folders[0]), ("y", &folders[1])].map(|(name, folder)| kept(&even(name), &client, folder.path()));
    for ((format, left), (_, right)) in left.iter().zip(&right) {
        let joined = left.join(right, Join::inner(["k"]));
        let plan = joined.explain();
        assert!(splits(&joined) == 2 && !plan.contains("dealt out"), "{format}\n{plan}");
        // Medians need all rows of a key in one place.
        let groups = joined.group_by(["k"]).agg([col("x").sum(), col("y").median()]);
        assert_eq!(splits(&groups), 2, "{format}\n{}", groups.explain());
        let more = joined.join(&right.rename([("y", "z")]), Join::inner(["k"]).broadcast(false));
        assert_eq!(splits(&more), 3, "{format}\n{}", more.explain());
        let sums = client.compute(&groups.agg([col("k").sum(), col("x").sum(), col("y").sum()])).unwrap();
        let sum = ROWS * (ROWS - 1) / 2;
        assert_eq!(sums, df!("k" => [sum], "x" => [sum], "y" => [sum as f64]).unwrap(), "{format}");
    }
}

#[test]
fn keys_that_most_rows_have_are_seen_before_anything_runs() {
    let client = Client::builder().threads(2).set_as_default(false).build().unwrap();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let skewed = kept(&skewed("x"), &client, folders[0].path());
    let even = kept(&even("y"), &client, folders[1].path());
    for ((format, skewed), (_, even)) in skewed.iter().zip(&even) {
        let joined = skewed.join(even, Join::inner(["k"]));
        assert!(joined.explain().contains("frequent keys dealt out"), "{format}\n{}", joined.explain());
        // The filter is asked of the rows that were looked at: those that are left have a key each.
        let few = skewed.filter(col("k").neq(lit(1i64))).join(even, Join::inner(["k"]).broadcast(false));
        assert!(!few.explain().contains("dealt out"), "{format}\n{}", few.explain());
        assert_eq!(client.compute(&joined.agg([col("y").count()])).unwrap(), df!("y" => [ROWS as u32]).unwrap(), "{format}");
    }
}

#[test]
fn through_joins_the_rows_of_one_side_are_looked_at() {
    let [x, y, z] = ["x", "y", "z"].map(|name| DFrame::from_polars(even(name), FILES));
    // By one key first, then by another, which nothing but the first join's left side has.
    let first = x.join(&y, Join::inner(["k"]).broadcast(false));
    let second = first.join(&z.rename([("k", "x")]), Join::inner(["x"]).broadcast(false));
    assert!(!second.explain().contains("dealt out"), "{}", second.explain());
    let groups = second.group_by(["x"]).agg([col("z").median()]);
    assert_eq!(groups.explain().matches("split by x into").count(), 2, "{}", groups.explain());
}
