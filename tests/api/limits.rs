//! What `limit`, `head` and `top_k` spare: what only later rows need is neither read nor sorted. Proved by files whose later part is damaged.

use super::check::{assert_close, check_in_order, executors, file};
use super::files::damage;
use partita::polars::prelude::*;
use partita::prelude::{
    DFrame, IpcOptions, IpcWriteOptions, JsonOptions, NULL, ParquetOptions, ParquetWriteOptions, SortMultipleOptions, col, lit, when,
};
use partita::{IpcCodec, ParquetCodec};

const ROWS: i64 = 1000;

fn numbers() -> DataFrame {
    df!("i" => (0..ROWS).collect::<Vec<_>>(), "k" => (0..ROWS).map(|i| i % 7).collect::<Vec<_>>()).unwrap()
}

/// The same rows in all formats, in partitions of several pieces.
fn readers(folder: &str) -> Vec<DFrame> {
    let frame = DFrame::from_polars(numbers(), 10);
    let path = |name: &str| format!("{folder}/{name}");
    frame.to_parquet(path("p"), ParquetWriteOptions::new().row_group_rows(30)).unwrap();
    frame.to_ipc(path("i"), IpcWriteOptions::new()).unwrap();
    frame.to_json(path("j"), partita::JsonWriteOptions::new()).unwrap();
    vec![
        DFrame::read_parquet_with(path("p"), ParquetOptions::new().blocksize(1500u64)).unwrap(),
        DFrame::read_ipc_with(path("i"), IpcOptions::new().blocksize(5000u64)).unwrap(),
        DFrame::read_json_with(path("j"), JsonOptions::new().blocksize(4000u64)).unwrap(),
    ]
}

#[test]
fn every_reader_stops_at_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    for t in readers(&folder.path().to_string_lossy()) {
        let doubled = t.select([(col("i") * lit(2)).alias("d"), col("k")]);
        let plan = doubled.limit(5).explain();
        assert!(plan.contains("at most 5 rows of each partition"), "{plan}");
        assert!(t.npartitions().unwrap() > 2, "{plan}");
        assert_eq!(doubled.limit(5).npartitions().unwrap(), t.npartitions().unwrap());
        for (offset, length) in [(0i64, 5usize), (3, 4), (130, 20), (990, 50), (0, 0)] {
            let expected: Vec<i64> = (0..ROWS).skip(offset as usize).take(length).map(|i| i * 2).collect();
            let sliced = doubled.select(["d"]).slice(offset, length);
            for (name, executor) in executors() {
                let found = sliced.compute_on(&*executor).unwrap_or_else(|e| panic!("{name}: {e}")).frame;
                assert_eq!(found, df!("d" => &expected).unwrap(), "{name}, {offset}, {length}");
            }
            assert_eq!(sliced.len().unwrap(), expected.len() as u64);
        }
        // Rows that a filter takes away do not count, and a filter above a limit does not go below it.
        let kept = t.filter(col("k").eq(lit(3))).limit(3);
        assert!(kept.explain().contains("where [(k) == (dyn int: 3)], at most 3 rows"), "{}", kept.explain());
        assert_eq!(kept.compute().unwrap(), df!("i" => [3i64, 10, 17], "k" => [3i64, 3, 3]).unwrap());
        assert_eq!(t.limit(12).filter(col("k").eq(lit(3))).compute().unwrap(), df!("i" => [3i64, 10], "k" => [3i64, 3]).unwrap());
        assert_eq!(t.filter(col("k").eq(lit(3))).head(30).unwrap().height(), 30);
        assert_eq!(t.head(250).unwrap(), numbers().head(Some(250)));
        // Whoever else reads the same rows gets all of them.
        let both = DFrame::concat([t.limit(2), t.clone(), t.limit(700)]);
        assert_eq!(both.len().unwrap(), 1702);
        let of_both = DFrame::concat([t.filter(col("i").gt(lit(990))), t.select(["k", "i"])]).limit(12);
        assert_eq!(of_both.agg([col("i").sum()]).compute().unwrap(), df!("i" => [(991..1000).sum::<i64>() + 3]).unwrap());
    }
}

/// Overwrites all of an Arrow file but its footer.
fn damage_arrow(name: &str) {
    let mut bytes = std::fs::read(name).unwrap();
    let end = bytes.len() - 10;
    let footer = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
    bytes[8..end - footer].fill(0);
    std::fs::write(name, bytes).unwrap();
}

/// Only the first row groups, batches or files are read: the others are damaged.
#[test]
fn what_only_later_rows_need_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_string_lossy().into_owned();
    let frame = DFrame::from_polars(numbers(), 4);
    let path = |name: &str| format!("{folder}/{name}");
    frame.to_parquet(path("p"), ParquetWriteOptions::new()).unwrap();
    frame.to_ipc(path("i"), IpcWriteOptions::new().compression(IpcCodec::Lz4)).unwrap();
    let whole = 1u64 << 30;
    let readers = [
        DFrame::read_parquet_with(path("p"), ParquetOptions::new().blocksize(whole)).unwrap(),
        DFrame::read_ipc_with(path("i"), IpcOptions::new().blocksize(whole)).unwrap(),
    ];
    for (t, ending) in readers.iter().zip(["p/part-00001.parquet", "i/part-00001.arrow"]) {
        assert_eq!(t.npartitions().unwrap(), 1);
        if ending.ends_with(".arrow") {
            damage_arrow(&path(ending))
        } else {
            damage(&path(ending))
        }
        assert_eq!(t.head(5).unwrap(), numbers().head(Some(5)), "{ending}");
        assert_eq!(t.limit(250).sum().compute().unwrap().column("i").unwrap().get(0).unwrap(), AnyValue::Int64((0..250).sum()));
        assert!(t.head(251).is_err() && t.compute().is_err(), "{ending}");
    }
    // In several partitions: where it is known how many rows they have, what comes after enough of them is left out, and its partitions stay.
    let t = DFrame::read_parquet_with(path("p"), ParquetOptions::new().blocksize(1500u64)).unwrap();
    let limited = t.select([(col("i") * lit(2)).alias("d")]).limit(250);
    let partitions = t.npartitions().unwrap();
    assert!(partitions >= 4 && limited.npartitions().unwrap() == partitions, "{partitions}");
    assert_eq!(limited.compute().unwrap(), df!("d" => (0..250i64).map(|i| i * 2).collect::<Vec<_>>()).unwrap());
    assert_eq!((limited.len().unwrap(), t.slice(240, 10).compute().unwrap()), (250, numbers().slice(240, 10)));
    assert!(t.limit(251).compute().is_err());
    // Of two frames one below the other the first rows of each may be needed.
    let both = DFrame::concat([limited.limit(2), limited]).limit(100);
    assert_eq!(both.agg([col("d").sum()]).compute().unwrap(), df!("d" => [2 + (0..98i64).map(|i| i * 2).sum::<i64>()]).unwrap());
    // Between the samples, in one block.
    let lines = |broken: &str| format!("{}{broken}\n{}", "{\"i\":1}\n".repeat(3000), "{\"i\":1}\n".repeat(9000));
    let (_guard, path) = file("t.jsonl", lines("no line of JSON"));
    let t = DFrame::read_json_with(&path, JsonOptions::new().sample_bytes(2048u64).blocksize(whole)).unwrap();
    assert_eq!(t.npartitions().unwrap(), 1);
    assert_eq!(t.head(3000).unwrap().height(), 3000);
    assert!(t.head(3001).is_err());
}

/// Of one large row group the beginnings of its columns are read.
#[test]
fn a_few_rows_of_a_large_row_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t").to_string_lossy().into_owned();
    let rows = 1_500_000i64;
    // Numbers that no codec and no dictionary makes small.
    let mixed = |i: i64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)).rotate_left(23) ^ i;
    let frame = df!("x" => (0..rows).map(mixed).collect::<Vec<_>>()).unwrap();
    let options = ParquetWriteOptions::new().row_group_rows(rows as u64).compression(ParquetCodec::Uncompressed);
    DFrame::from_polars(frame.clone(), 1).to_parquet(&path, options).unwrap();
    let t = DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(1u64 << 30)).unwrap();
    assert_eq!(t.head(1_000_000).unwrap(), frame.head(Some(1_000_000)));
    let part = format!("{path}/part-00000.parquet");
    let mut bytes = std::fs::read(&part).unwrap();
    let (half, end) = (bytes.len() / 2, bytes.len() - 4096);
    bytes[half..end].fill(0xff);
    std::fs::write(&part, bytes).unwrap();
    assert_eq!(t.head(5).unwrap(), frame.head(Some(5)));
    assert!(t.head(1_499_000).is_err());
}

/// Of five files only those are read that can hold one of the first rows: the others are damaged.
#[test]
fn bounds_tell_where_the_first_rows_are() {
    let table = numbers().lazy().with_column(when(col("i").lt(lit(200))).then(lit(NULL)).otherwise(col("i")).alias("n")).collect().unwrap();
    type Asked = fn(&DFrame) -> DFrame;
    let descending = SortMultipleOptions::default().with_order_descending(true).with_nulls_last(true);
    let cases: [(Asked, &[usize]); 7] = [
        (|t| t.top_k(3, ["i"]), &[4]),
        (|t| t.top_k(201, ["i", "k"]), &[3, 4]),
        (|t| t.bottom_k(3, ["i"]), &[0]),
        (|t| t.select([(col("k") * lit(2)).alias("m"), col("i").alias("j")]).bottom_k(200, ["j"]), &[0]),
        (|t| t.sort(["i"]).limit(7), &[0]),
        // How many nulls there are is not known of this writer, only that there are none.
        (|t| t.bottom_k(5, ["n"]), &[0, 1]),
        (|t| t.sort(["n"]).limit(5), &[0, 1]),
    ];
    for (asked, needed) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t").to_string_lossy().into_owned();
        DFrame::from_polars(table.clone(), 5).to_parquet(&path, ParquetWriteOptions::new()).unwrap();
        let t = DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(1u64 << 30)).unwrap();
        let expected = asked(&DFrame::from_polars(table.clone(), 1)).compute().unwrap();
        for number in (0..5).filter(|number| !needed.contains(number)) {
            damage(&format!("{path}/part-{number:05}.parquet"));
        }
        for (name, executor) in executors() {
            let found =
                asked(&t).compute_on(&*executor).unwrap_or_else(|e| panic!("{name}, {needed:?}: {e}\n{}", asked(&t).explain())).frame;
            assert_eq!(found, expected, "{name}, {needed:?}");
        }
    }
    // Whoever else reads the file, and whoever filters it before, reads what is needed there.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t").to_string_lossy().into_owned();
    DFrame::from_polars(table.clone(), 5).to_parquet(&path, ParquetWriteOptions::new()).unwrap();
    let t = DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(1u64 << 30)).unwrap();
    assert_eq!(DFrame::concat([t.top_k(3, ["i"]), t.clone()]).len().unwrap(), 3 + ROWS as u64);
    let beside = DFrame::concat([t.with_columns([(col("k") * lit(2)).alias("k")]).top_k(3, ["i"]), t.clone()]);
    assert!(!beside.explain().contains(" of 5 pieces"), "{}", beside.explain());
    let found = t.filter(col("k").eq(lit(1))).top_k(2, ["i"]).select(["i"]).compute().unwrap();
    assert_eq!(found, df!("i" => [995i64, 988]).unwrap());
    let sorted = t.sort_with(["i"], descending).select(["i"]).head(2).unwrap();
    assert_eq!(sorted, df!("i" => [999i64, 998]).unwrap());
}

#[test]
fn the_first_rows_of_a_sort_are_found_without_it() {
    const T: &str = "k,x\nb,1\na,2\n,3\nc,4\na,5\nb,6";
    check_in_order(T, |t| t.sort(["k"]).limit(3), "k,x\n,3\na,2\na,5");
    check_in_order(T, |t| t.sort(["k"]).slice(2, 3), "k,x\na,5\nb,1\nb,6");
    check_in_order(T, |t| t.sort(["k"]).select([(col("x") * lit(10)).alias("y")]).limit(2), "y\n30\n20");
    check_in_order(T, |t| t.sort(["k"]).filter(col("x").gt(lit(2))).limit(2), "k,x\n,3\na,5");
    let descending = || SortMultipleOptions::default().with_order_descending(true).with_nulls_last(true);
    check_in_order(T, |t| t.sort_with(["k"], descending()).limit(2), "k,x\nc,4\nb,1");
    let t = DFrame::from_polars(numbers(), 5);
    let sorted = t.sort_with(["k", "i"], descending());
    let plan = sorted.limit(4).explain();
    assert!(plan.contains("first 4 by") && !plan.contains("split by ranges"), "{plan}");
    assert_eq!(sorted.head(2).unwrap(), sorted.compute().unwrap().head(Some(2)));
    // As many partitions whoever else reads the sorted rows.
    let few = sorted.limit(4);
    let all = DFrame::concat([few.partitions(0..few.npartitions().unwrap()), sorted.clone()]);
    assert_eq!(all.len().unwrap(), 4 + ROWS as u64);
    // Too many rows for one task.
    assert!(t.sort(["i"]).limit(200_000).explain().contains("split by ranges"));
    assert!(t.sort(["i"]).slice(-3, 3).explain().contains("split by ranges"));
}

#[test]
fn limits_of_empty_and_short_frames() {
    for (name, executor) in executors() {
        let none = DFrame::from_polars(numbers(), 3).filter(col("i").lt(lit(0)));
        let found = none.sort(["i"]).limit(5).compute_on(&*executor).unwrap().frame;
        assert_close(&found, &numbers().head(Some(0)), true, &name);
    }
    assert_eq!(DFrame::from_polars(numbers(), 3).limit(0).compute().unwrap(), numbers().head(Some(0)));
    assert_eq!(DFrame::from_polars(numbers(), 3).head(0).unwrap(), numbers().head(Some(0)));
}
