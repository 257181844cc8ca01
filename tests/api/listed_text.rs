//! Parquet whose text lists its values: conditions and group-bys against polars on the same rows, on every executor.

use super::check::{assert_close, executors};
use partita::polars::prelude::*;
use partita::prelude::{DFrame, Join, ParquetOptions, ParquetWriteOptions, col, len, lit};

/// So many that expressions beside codes are computed piece by piece.
const ROWS: usize = 70_000;

fn rows() -> DataFrame {
    let text = |values: &[Option<&'static str>], step: usize| (0..ROWS).map(|row| values[row / step % values.len()]).collect::<Vec<_>>();
    let number = |of: fn(usize) -> usize| (0..ROWS).map(|row| of(row) as f64 / 8.0).collect::<Vec<f64>>();
    let frame = df!(
        "flag" => text(&[Some("A"), Some("N"), None, Some("R")], 7),
        "mode" => text(&[Some("AIR"), Some("a mode of more than twelve bytes"), Some("SHIP")], 1),
        "name" => (0..ROWS).map(|row| format!("name {}", row * 7919 % 50_000)).collect::<Vec<_>>(),
        "id" => (0..ROWS as i64).map(|row| row * 31 % 17).collect::<Vec<_>>(),
        "x" => number(|row| row * 37 % 1000),
        "y" => number(|row| row * 11 % 8),
    );
    frame.expect("columns of one length")
}

fn written(frame: &DataFrame) -> (tempfile::TempDir, DFrame) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("rows");
    DFrame::from_polars(frame.clone(), 1).to_parquet(&path, ParquetWriteOptions::new().row_group_rows(40_000)).expect("it can be written");
    let read = DFrame::read_parquet_with(&path, ParquetOptions::new()).expect("it can be read");
    (folder, read)
}

#[test]
fn conditions_and_groups_like_polars() {
    let frame = rows();
    let (_folder, read) = written(&frame);
    let is = |name: &str, value: &str| col(name).eq(lit(value));
    let conditions = [
        None,
        Some(col("x").gt(lit(3.0))),
        Some(is("mode", "AIR").or(is("mode", "SHIP")).and(col("x").lt(lit(50.0))).and(col("y").lt(col("x")))),
        Some(col("flag").is_null().or(is("flag", "R")).and(col("id").lt(lit(16)))),
        Some(is("flag", "R").and(is("mode", "nowhere"))),
        Some(col("name").str().starts_with(lit("name 1")).and(col("id").neq(lit(3)))),
    ];
    let volume = || col("x") * (lit(1.0) - col("y"));
    let aggs = || {
        [
            col("x").sum().alias("sum"),
            col("x").mean().alias("mean"),
            volume().sum().alias("volume"),
            (volume() * (lit(1.0) + col("y"))).sum().alias("charge"),
            col("name").min().alias("name"),
            len().alias("rows"),
        ]
    };
    for (name, executor) in executors() {
        for (at, condition) in conditions.iter().enumerate() {
            let kept = condition.clone().map_or(read.clone(), |condition| read.filter(condition));
            let lazy = condition.clone().map_or(frame.clone().lazy(), |condition| frame.clone().lazy().filter(condition));
            // All of them on one executor, one of them on each of the others.
            let all_keys = [&["flag"][..], &["mode", "flag"], &["flag", "id"]];
            for keys in if name == "Serial" { &all_keys[..] } else { &all_keys[at % 3..=at % 3] } {
                let case = format!("{name}: condition {at} by {keys:?}");
                let keys: Vec<Expr> = keys.iter().map(|key| col(*key)).collect();
                let found = kept.group_by(keys.clone()).agg(aggs()).compute_on(&*executor).unwrap_or_else(|e| panic!("{case}: {e}")).frame;
                assert_close(&found, &lazy.clone().group_by(keys).agg(aggs()).collect().expect("it fits"), false, &case);
            }
            let found = kept.select(["name", "mode", "x"]).compute_on(&*executor).unwrap_or_else(|e| panic!("{name}: {at}: {e}")).frame;
            let expected = lazy.select([col("name"), col("mode"), col("x")]).collect().expect("it fits");
            assert_close(&found, &expected, true, &format!("{name}: rows of condition {at}"));
        }
    }
}

/// What two group-bys read is read once, and not by each of them as codes.
#[test]
fn two_group_bys_share_a_reader() {
    let (folder, read) = written(&rows());
    let sums = read.group_by(["flag"]).agg([col("x").sum().alias("sum")]);
    let largest = read.group_by(["flag"]).agg([col("x").max().alias("largest")]);
    let reads = |frame: &DFrame| {
        let plan = frame.explain();
        let layers = plan.split_once("layers\n").expect("a plan has layers").1;
        layers.matches(&format!("read_parquet {}", folder.path().display())).count()
    };
    assert_eq!((reads(&sums), reads(&sums.join(&largest, Join::inner(["flag"])))), (1, 1));
}
