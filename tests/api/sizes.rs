//! What is known of how large frames are: counted where their partitions exist, guessed by what steps do to rows elsewhere.

use super::check::executors;
use partita::polars::prelude::*;
use partita::prelude::{Client, DFrame, Join, col, lit};
use partita::{delayed_fn, graph::Failure};

const ROWS: i64 = 300_000;

fn numbers(name: &str) -> DFrame {
    let rows = df!("k" => (0..ROWS).map(|row| row * 7919 % ROWS).collect::<Vec<_>>(), name => (0..ROWS).collect::<Vec<_>>());
    DFrame::from_polars(rows.unwrap(), 4)
}

/// Three rows, of which nobody can know before.
fn three(frame: &DFrame) -> DFrame {
    frame.filter((col("k") % lit(100_000)).eq(lit(0)))
}

fn client() -> Client {
    Client::builder().threads(2).set_as_default(false).build().unwrap()
}

fn says(frame: &DFrame, what: &str) {
    assert!(frame.explain().contains(what), "{what}\n{}", frame.explain());
}

#[test]
fn persisted_rows_are_counted_on_every_executor() {
    let few = three(&numbers("x"));
    for (name, executor) in executors() {
        let kept = few.persist_on(&*executor).unwrap();
        says(&kept, "persisted 4 partitions  (about 3 rows, 48 B)");
        assert_eq!(kept.compute_on(&*executor).unwrap().frame, few.compute_on(&*executor).unwrap().frame, "{name}");
        assert_eq!((kept.npartitions().unwrap(), kept.filter(col("k").lt(lit(0))).persist_on(&*executor).unwrap().len().unwrap()), (4, 0));
    }
}

#[test]
fn joins_of_persisted_frames_go_by_what_was_counted() {
    let client = client();
    let (left, right) = (numbers("x"), numbers("y"));
    // A function may do anything with the rows; its result is taken to be as large as what it was given.
    let few = left.map_partitions(|rows| rows.lazy().filter((col("k") % lit(100_000)).eq(lit(0))).collect());
    says(&few, "map_partitions  (perhaps 300000 rows, 4.6 MiB)");
    says(&few.select(["k"]).sort(["k"]), "sort by k  (perhaps 300000 rows,");
    assert_eq!(few.len().unwrap(), 3, "rows are counted where a function makes them");
    let guessed = few.join(&right, Join::inner(["k"]));
    says(&guessed, "split by k into");
    let counted = few.persist_on(&client).unwrap().join(&right, Join::inner(["k"]));
    says(&counted, "table of k");
    assert!(!counted.explain().contains("split by k into"), "{}", counted.explain());
    says(&counted, "persisted 4 partitions  (about 3 rows,");
    let rows = |joined: &DFrame| client.compute(&joined.sort(["k"])).unwrap();
    assert_eq!(rows(&counted), rows(&guessed));
}

#[test]
fn frames_of_delayed_partitions_know_what_was_counted() -> Result<(), Failure> {
    let client = client();
    let kept = three(&numbers("x")).persist_on(&client)?;
    let parts = kept.to_delayed()?;
    says(&DFrame::from_delayed(parts.clone(), kept.schema()?), "from_delayed 4 partitions  (about 3 rows, 48 B)");
    // Partitions are taken to be equal.
    says(&DFrame::from_delayed(parts[..2].to_vec(), kept.schema()?), "from_delayed 2 partitions  (about 1 rows, 16 B)");
    let call = delayed_fn(|| Ok(df!("x" => [1i64, 2]).expect("one column")));
    let schema = Schema::from_iter([("x".into(), DataType::Int64)]);
    let plan = DFrame::from_delayed(vec![call.clone()], schema.clone()).explain();
    assert!(!plan.contains("about"), "{plan}");
    let made = DFrame::from_delayed(vec![call.persist_on(&client)?], schema);
    says(&made, "from_delayed 1 partitions  (about 2 rows, 16 B)");
    assert_eq!(client.compute(&made.sum())?, df!("x" => [3i64]).expect("one column"));
    Ok(())
}

#[test]
fn lists_become_as_many_rows_as_they_have_items() {
    let rows = df!("k" => (0..400i64).map(|row| row / 4).collect::<Vec<_>>(), "x" => (0..400i64).collect::<Vec<_>>()).unwrap();
    let lists = rows.lazy().group_by_stable([col("k")]).agg([col("x")]).collect().unwrap();
    let frame = DFrame::from_polars(lists, 3);
    says(&frame.explode(["x"]), "explode x  (about 400 rows,");
    // Of other rows nothing is at hand.
    says(&frame.sort(["k"]).explode(["x"]), "explode x  (about 800 rows,");
    let fours = frame.sort(["k"]).with_column(col("x").cast(DataType::Array(Box::new(DataType::Int64), 4)));
    says(&fours.explode(["x"]), "explode x  (about 400 rows,");
}
