//! Parquet, Arrow and JSON files end to end: every type in every partitioning, on every executor, written and read back.

use super::check::{assert_close, executors, failure, file};
use partita::graph::{Chunk, Executor, NamedOperator, Operator, TaskContext};
use partita::polars::prelude::*;
use partita::prelude::{
    CsvOptions, CsvWriteOptions, DFrame, IpcOptions, IpcWriteOptions, JsonOptions, JsonWriteOptions, ParquetOptions, ParquetWriteOptions,
};
use partita::{Code, Error, IpcCodec, ParquetCodec, Partition, Written};
use serde::{Deserialize, Serialize};

/// Columns of every type, with nulls, NaN, both zeros, empty texts and lists.
pub fn every_type(rows: usize) -> DataFrame {
    let some = |row: usize| row % 5 != 3;
    let each = |of: fn(usize) -> i64| (0..rows).map(|row| some(row).then(|| of(row))).collect::<Vec<_>>();
    let floats = [0.0, -0.0, f64::NAN, f64::INFINITY, 1.5e-300, -2.25];
    let texts = ["", "a", "a text of more than twelve bytes", "\u{fc}\"\n,", "z"];
    let blobs: [&[u8]; 3] = [b"", b"\x00\xff", b"abc"];
    let plain = df!(
        "row" => (0..rows as i64).collect::<Vec<_>>(),
        "f64" => (0..rows).map(|row| some(row).then(|| floats[row % 6])).collect::<Vec<_>>(),
        "text" => (0..rows).map(|row| some(row).then(|| texts[row % 5])).collect::<Vec<_>>(),
        "bool" => (0..rows).map(|row| some(row).then_some(row % 3 == 0)).collect::<Vec<_>>(),
        "bytes" => (0..rows).map(|row| some(row).then(|| blobs[row % 3])).collect::<Vec<_>>(),
        "none" => vec![None::<i64>; rows]
    );
    let mut columns = plain.unwrap().into_columns();
    let whole = each(|row| row as i64 % 100);
    for (name, dtype) in [
        ("i8", DataType::Int8),
        ("i16", DataType::Int16),
        ("i32", DataType::Int32),
        ("i64", DataType::Int64),
        ("u8", DataType::UInt8),
        ("u16", DataType::UInt16),
        ("u32", DataType::UInt32),
        ("u64", DataType::UInt64),
        ("f32", DataType::Float32),
        ("date", DataType::Date),
        ("ms", DataType::Datetime(TimeUnit::Milliseconds, None)),
        ("us", DataType::Datetime(TimeUnit::Microseconds, None)),
        ("ns", DataType::Datetime(TimeUnit::Nanoseconds, None)),
        ("span", DataType::Duration(TimeUnit::Milliseconds)),
    ] {
        columns.push(Series::new(name.into(), &whole).cast(&dtype).unwrap().into_column());
    }
    let category = columns[2].cast(&DataType::from_categories(Categories::global())).unwrap();
    columns.push(category.with_name("category".into()));
    let list = |row: usize| {
        some(row).then(|| Series::new(PlSmallStr::EMPTY, (0..row as i64 % 4).map(|i| (i != 1).then_some(i)).collect::<Vec<_>>()))
    };
    let list = Series::new("list".into(), (0..rows).map(list).collect::<Vec<Option<Series>>>());
    columns.push(list.cast(&DataType::List(Box::new(DataType::Int64))).unwrap().into_column());
    let pair = [columns[0].clone(), columns[2].clone()];
    columns.push(StructChunked::from_columns("pair".into(), rows, &pair).unwrap().into_series().into_column());
    DataFrame::new(rows, columns).unwrap()
}

/// Equal in types and in every cell, floats bit by bit.
#[track_caller]
pub fn same(found: &DataFrame, expected: &DataFrame, case: &str) {
    assert_eq!(found.schema(), expected.schema(), "{case}");
    assert!(found.equals_missing(expected), "{case}\n{found}\n{expected}");
    let bits = |column: &Column| column.f64().unwrap().iter().map(|value| value.map(f64::to_bits)).collect::<Vec<_>>();
    for (found, expected) in found.columns().iter().zip(expected.columns()).filter(|(found, _)| found.dtype() == &DataType::Float64) {
        assert_eq!(bits(found), bits(expected), "{case}: {}", found.name());
    }
}

type Write = fn(&DFrame, &dyn Executor, &str) -> Result<Written, Error>;
type Read = fn(&str) -> Result<DFrame, Error>;

/// Writes the frame in 1, 2 and 5 partitions on every executor, and reads it there.
fn round_trip(name: &str, frame: &DataFrame, write: Write, read: Read) {
    for partitions in [1, 2, 5] {
        let input = DFrame::from_polars(frame.clone(), partitions);
        for (executor_name, executor) in executors() {
            let case = format!("{name}, {executor_name}, {partitions} partitions");
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("out").to_string_lossy().into_owned();
            let written = write(&input, &*executor, &path).unwrap_or_else(|e| panic!("{case}: {e}"));
            assert_eq!((written.rows, written.files), (frame.height() as u64, partitions as u64), "{case}");
            let found = read(&path).and_then(|found| found.compute_on(&*executor)).unwrap_or_else(|e| panic!("{case}: {e}"));
            same(&found.frame, frame, &case);
        }
    }
}

#[test]
fn every_type_comes_back() {
    let frame = every_type(23);
    round_trip(
        "parquet",
        &frame,
        |frame, executor, path| frame.to_parquet_on(executor, path, ParquetWriteOptions::new().row_group_rows(3)),
        |path| DFrame::read_parquet_with(path, ParquetOptions::new().blocksize(2000u64)),
    );
    round_trip(
        "arrow",
        &frame,
        |frame, executor, path| frame.to_ipc_on(executor, path, IpcWriteOptions::new().compression(IpcCodec::Lz4)),
        |path| DFrame::read_ipc_with(path, IpcOptions::new().blocksize(1u64)),
    );
    let texts = frame.select(["row", "i64", "text", "bool", "list", "pair"]).unwrap();
    round_trip(
        "json",
        &texts,
        |frame, executor, path| frame.to_json_on(executor, path, JsonWriteOptions::new()),
        |path| DFrame::read_json_with(path, JsonOptions::new().blocksize(100u64)),
    );
    let flat = frame.select(["row", "i64", "text", "bool", "date"]).unwrap();
    round_trip(
        "csv",
        &flat,
        |frame, executor, path| frame.to_csv_on(executor, path, CsvWriteOptions::new()),
        |path| DFrame::read_csv_with(format!("{path}/*.csv"), CsvOptions::new().dtype("date", DataType::Date)),
    );
}

#[test]
fn every_way_of_packing() {
    let frame = every_type(40);
    let input = DFrame::from_polars(frame.clone(), 2);
    let folder = tempfile::tempdir().unwrap();
    for codec in [ParquetCodec::Uncompressed, ParquetCodec::Snappy, ParquetCodec::Gzip, ParquetCodec::Lz4, ParquetCodec::Brotli] {
        let path = folder.path().join(format!("{codec:?}"));
        input.to_parquet(&path, ParquetWriteOptions::new().compression(codec)).unwrap();
        same(&DFrame::read_parquet(&path).unwrap().compute().unwrap(), &frame, &format!("{codec:?}"));
    }
}

/// Partitions without rows are files, and frames without rows are frames.
#[test]
fn no_rows() {
    let frame = every_type(20);
    for (name, executor) in executors() {
        let folder = tempfile::tempdir().unwrap();
        for (last, rows) in [(18i64, 1usize), (100, 0)] {
            let some = DFrame::from_polars(frame.clone(), 5).filter(col("row").gt(lit(last)));
            let expected = frame.clone().lazy().filter(col("row").gt(lit(last))).collect().unwrap();
            let case = format!("{name}, {rows} rows");
            let (parquet, arrow) = (folder.path().join(format!("parquet {last}")), folder.path().join(format!("arrow {last}")));
            let written = some.to_parquet_on(&*executor, &parquet, ParquetWriteOptions::new()).unwrap();
            assert_eq!((written.rows, written.files), (rows as u64, 5), "{case}");
            same(&DFrame::read_parquet(&parquet).unwrap().compute_on(&*executor).unwrap().frame, &expected, &case);
            some.to_ipc_on(&*executor, &arrow, IpcWriteOptions::new()).unwrap();
            same(&DFrame::read_ipc(&arrow).unwrap().compute_on(&*executor).unwrap().frame, &expected, &case);
            assert_eq!(DFrame::read_parquet(&parquet).unwrap().len().unwrap(), rows as u64);
        }
    }
}

#[test]
fn steps_on_files_are_those_of_polars() {
    let frame = every_type(60);
    let folder = tempfile::tempdir().unwrap();
    let (parquet, arrow) = (folder.path().join("parquet"), folder.path().join("arrow"));
    DFrame::from_polars(frame.clone(), 3).to_parquet(&parquet, ParquetWriteOptions::new().row_group_rows(7)).unwrap();
    DFrame::from_polars(frame.clone(), 3).to_ipc(&arrow, IpcWriteOptions::new()).unwrap();
    let sums = || vec![col("i64").sum(), col("u8").max(), len().alias("n")];
    let grouped = frame.clone().lazy().group_by([col("text")]).agg(sums()).collect().unwrap();
    let picked = frame.clone().lazy().filter(col("bool").and(col("i32").gt(lit(10)))).select([col("list"), col("row")]).collect().unwrap();
    let made = frame.lazy().with_column((col("i64") * lit(2)).alias("twice")).select([col("twice").sum()]).collect().unwrap();
    for read in [DFrame::read_parquet(&parquet).unwrap(), DFrame::read_ipc(&arrow).unwrap()] {
        for (name, executor) in executors() {
            let compute = |frame: DFrame| frame.compute_on(&*executor).unwrap_or_else(|e| panic!("{name}: {e}")).frame;
            assert_close(&compute(read.group_by(["text"]).agg(sums())), &grouped, false, &name);
            same(&compute(read.filter(col("bool").and(col("i32").gt(lit(10)))).select(["list", "row"])), &picked, &name);
            assert_close(&compute(read.with_column((col("i64") * lit(2)).alias("twice")).agg([col("twice").sum()])), &made, true, &name);
        }
    }
}

#[test]
fn partitions_follow_the_block_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let frame = df!("x" => (0..1000i64).collect::<Vec<_>>()).unwrap();
    DFrame::from_polars(frame.clone(), 2).to_parquet(&path, ParquetWriteOptions::new().row_group_rows(100)).unwrap();
    let read = |blocksize: u64| DFrame::read_parquet_with(&path, ParquetOptions::new().blocksize(blocksize)).unwrap();
    let partitions: Vec<usize> = [1, 1 << 30].into_iter().map(|blocksize| read(blocksize).npartitions().unwrap()).collect();
    assert_eq!(partitions, [1000, 1]);
    assert_eq!(read(300).compute().unwrap(), frame);
    assert_eq!(read(300).len().unwrap(), 1000);
}

#[test]
fn folders_become_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let frame = df!(
        "x" => (0..12i64).collect::<Vec<_>>(),
        "year" => (0..12i64).map(|i| 2020 + i % 3).collect::<Vec<_>>(),
        "place" => (0..12).map(|i| (i % 4 != 3).then(|| format!("a/{}", i % 4))).collect::<Vec<_>>()
    )
    .unwrap();
    for (name, executor) in executors() {
        let options = ParquetWriteOptions::new().partition_by(["year", "place"]).overwrite(true);
        let written = DFrame::from_polars(frame.clone(), 2).to_parquet_on(&*executor, &path, options).unwrap();
        assert_eq!((written.rows, written.files), (12, 12), "{name}");
        let all = DFrame::read_parquet(&path).unwrap();
        assert_close(&all.compute_on(&*executor).unwrap().frame, &frame, false, &name);
        let some = all.filter(col("year").eq(lit(2021)).and(col("place").is_null()));
        assert!(some.explain().contains("1 of 12 pieces"), "{}", some.explain());
        let expected = df!("x" => [7i64], "year" => [2021i64], "place" => [None::<&str>]).unwrap();
        same(&some.compute_on(&*executor).unwrap().frame, &expected, &name);
    }
    // Every format has its rows back, by a filter on the folders too, and where nothing but they is wanted.
    let place = |format: &str| folder.path().join(format);
    let (by, pattern) = (["year", "place"], place("csv").join("*/*/*.csv"));
    let rows = DFrame::from_polars(frame.clone(), 2);
    for (name, executor) in executors() {
        rows.to_csv_on(&*executor, place("csv"), CsvWriteOptions::new().partition_by(by).overwrite(true)).unwrap();
        rows.to_ipc_on(&*executor, place("ipc"), IpcWriteOptions::new().partition_by(by).overwrite(true)).unwrap();
        rows.to_json_on(&*executor, place("json"), JsonWriteOptions::new().partition_by(by).overwrite(true)).unwrap();
        let read = [DFrame::read_csv(&pattern), DFrame::read_ipc(place("ipc")), DFrame::read_json(place("json"))];
        for read in read.map(Result::unwrap) {
            assert_close(&read.compute_on(&*executor).unwrap().frame, &frame, false, &name);
            let some = read.filter(col("place").is_null().and(col("x").gt(lit(3)))).select(["year", "x"]);
            let expected = df!("year" => [2021i64, 2022], "x" => [7i64, 11]).unwrap();
            assert_close(&some.compute_on(&*executor).unwrap().frame, &expected, false, &name);
            let counts = read.group_by(["place"]).len().compute_on(&*executor).unwrap().frame;
            let expected = df!("place" => [Some("a/0"), Some("a/1"), Some("a/2"), None], "len" => [3u32; 4]).unwrap();
            assert_close(&counts, &expected, false, &name);
        }
    }
    let declared = DFrame::read_csv_with(&pattern, CsvOptions::new().dtype("year", DataType::String).usecols(["year"])).unwrap();
    assert_eq!((declared.dtypes().unwrap(), declared.len().unwrap()), (vec![DataType::String], 12));
    assert_eq!(DFrame::read_csv_with(&pattern, CsvOptions::new().hive(false)).unwrap().columns().unwrap(), ["x"]);
    let unfit = DFrame::read_csv_with(&pattern, CsvOptions::new().dtype("place", DataType::Int64)).map(drop).unwrap_err();
    assert_eq!(unfit.code, Code::Parse);
    let text = ParquetOptions::new().hive_dtype("year", DataType::String);
    assert_eq!(DFrame::read_parquet_with(&path, text).unwrap().dtypes().unwrap()[1], DataType::String);
    let unfit = DFrame::read_parquet_with(&path, ParquetOptions::new().hive_dtype("place", DataType::Int64)).map(drop).unwrap_err();
    assert_eq!(unfit.code, Code::Parse);
    assert_eq!(DFrame::read_parquet_with(&path, ParquetOptions::new().hive(false)).unwrap().columns().unwrap(), ["x"]);
}

#[test]
fn several_files_and_stores() {
    let folder = tempfile::tempdir().unwrap();
    let frame = |from: i64| DFrame::from_polars(df!("x" => [from, from + 1]).unwrap(), 1);
    for (place, name) in [(folder.path().to_string_lossy().into_owned(), "local"), ("memory://api-files".to_owned(), "store")] {
        for part in 0..3i64 {
            frame(part * 2).to_parquet(format!("{place}/{part}"), ParquetWriteOptions::new()).unwrap();
        }
        let numbers = |frame: DFrame| frame.compute().unwrap().column("x").unwrap().i64().unwrap().iter().flatten().collect::<Vec<_>>();
        assert_eq!(numbers(DFrame::read_parquet(&place).unwrap()), [0, 1, 2, 3, 4, 5], "{name}");
        assert_eq!(numbers(DFrame::read_parquet(format!("{place}/*/part-*.parquet")).unwrap()), [0, 1, 2, 3, 4, 5], "{name}");
        let listed = [format!("{place}/2/part-00000.parquet"), format!("{place}/0")];
        assert_eq!(numbers(DFrame::read_parquet(listed).unwrap()), [4, 5, 0, 1], "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_said_with_the_users_line() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    let write = |name: &str, frame: DataFrame| {
        let path = format!("{root}/{name}");
        DFrame::from_polars(frame, 1).to_parquet(&path, ParquetWriteOptions::new()).unwrap();
    };
    write("a", df!("x" => [1i64], "y" => ["t"]).unwrap());
    write("b", df!("x" => [1.5], "y" => ["t"]).unwrap());
    std::fs::write(format!("{root}/text.parquet"), "this is no Parquet file").unwrap();
    std::fs::write(format!("{root}/array.json"), "[{\"x\": 1}]").unwrap();
    let refused = |opened: Result<DFrame, Error>, code: Code, words: &[&str]| {
        let error = opened.map(drop).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        let text = error.to_string();
        assert!(words.iter().chain(&["files.rs:"]).all(|word| text.contains(word)), "{words:?} are not in:\n{text}");
    };
    refused(DFrame::read_parquet([format!("{root}/a"), format!("{root}/b")]), Code::SchemaMismatch, &["\"x\"", "f64", "i64", "/b/"]);
    refused(DFrame::read_parquet(format!("{root}/text.parquet")), Code::Damaged, &["text.parquet", "PAR1"]);
    refused(DFrame::read_ipc(format!("{root}/text.parquet")), Code::Damaged, &["text.parquet", "ARROW1"]);
    refused(DFrame::read_json(format!("{root}/array.json")), Code::Damaged, &["array.json", "one object a line"]);
    refused(DFrame::read_parquet(format!("{root}/none")), Code::NoSuchFile, &["none"]);
    refused(DFrame::read_ipc(format!("{root}/a")), Code::NoMatch, &["a/"]);
    let options = ParquetOptions::new().blocksize("much");
    refused(DFrame::read_parquet_with(format!("{root}/a"), options), Code::InvalidOption, &["blocksize", "read_parquet"]);
}

#[test]
fn damage_that_is_met_while_running_names_file_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t").to_string_lossy().into_owned();
    let frame = df!("x" => (0..100i64).collect::<Vec<_>>(), "y" => vec!["a"; 100]).unwrap();
    DFrame::from_polars(frame, 1).to_parquet(&path, ParquetWriteOptions::new()).unwrap();
    let name = format!("{path}/part-00000.parquet");
    damage(&name);
    let line = line!() + 1;
    let read = DFrame::read_parquet(&path).unwrap();
    let text = failure(&read.select(["y"]), Code::Damaged);
    for part in [name.as_str(), "`y`", "byte", &format!("files.rs:{line}:")] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    // What is known from the footer needs no pages.
    assert_eq!(read.len().unwrap(), 100);
    let counted = read.agg([len().alias("n")]);
    assert!(counted.explain().contains("0 of 2 columns"), "{}", counted.explain());
    for (name, executor) in executors() {
        assert_eq!(counted.compute_on(&*executor).unwrap().frame, df!("n" => [100u32]).unwrap(), "{name}");
    }
}

/// Overwrites all pages of a Parquet file; its footer stays.
pub fn damage(name: &str) {
    let mut bytes = std::fs::read(name).unwrap();
    let end = bytes.len() - 8;
    let footer = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
    bytes[4..end - footer].fill(0);
    std::fs::write(name, bytes).unwrap();
}

#[test]
fn json_types_that_were_guessed_wrong_are_widened() {
    let lines = |last: &str| format!("{}{last}\n{}", "{\"a\":1,\"b\":2}\n".repeat(3000), "{\"a\":1,\"b\":2}\n".repeat(9000));
    for (line, dtype, word) in [("{\"a\":0.5}", DataType::Float64, "float"), ("{\"a\":\"t\"}", DataType::String, "text")] {
        let (_folder, path) = file("late.jsonl", lines(line));
        let options = JsonOptions::new().sample_bytes(2048u64).blocksize(20_000u64);
        let frame = DFrame::read_json_with(&path, options).unwrap();
        assert_eq!(frame.dtypes().unwrap(), [DataType::Int64, DataType::Int64]);
        for (name, executor) in executors() {
            let computed = frame.select(["a"]).compute_on(&*executor).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(computed.frame.column("a").unwrap().dtype(), &dtype, "{name}");
            assert_eq!(computed.frame.height(), 12_001, "{name}");
            assert!(computed.notes.iter().any(|note| note.contains(word)), "{name}: {:?}", computed.notes);
            // Nobody looks at it: nothing is planned again.
            assert!(frame.select(["b"]).compute_on(&*executor).unwrap().notes.is_empty(), "{name}");
        }
    }
    let (_folder, path) = file("key.jsonl", lines("{\"a\":1,\"c\":2}"));
    let text = failure(&DFrame::read_json_with(&path, JsonOptions::new().sample_bytes(2048u64)).unwrap(), Code::SchemaMismatch);
    assert!(text.contains("`c`") && text.contains(".dtype(\"c\""), "{text}");
    let declared = JsonOptions::new().dtype("a", DataType::Boolean);
    let text = failure(&DFrame::read_json_with(&path, declared).unwrap(), Code::Parse);
    assert!(text.contains("`a`") && text.contains("byte 0"), "{text}");
}

#[test]
fn partitions_from_a_function() {
    let schema = df!("x" => [0i64], "t" => [""]).unwrap().schema().clone();
    let part = |n: &i64| df!("x" => [*n, n * n], "t" => ["n", "n * n"]);
    let expected = df!("x" => [1i64, 1, 2, 4, 3, 9], "t" => ["n", "n * n", "n", "n * n", "n", "n * n"]).unwrap();
    let made = DFrame::from_map(schema.clone(), [1i64, 2, 3], part);
    assert_eq!(made.npartitions().unwrap(), 3);
    for (name, executor) in executors() {
        match made.compute_on(&*executor) {
            Ok(computed) => same(&computed.frame, &expected, &name),
            Err(e) => assert_eq!((e.code, name.starts_with("Cluster")), (Code::ClosureOnCluster, true), "{name}: {e}"),
        }
    }
    assert_eq!(DFrame::from_map(schema.clone(), Vec::<i64>::new(), part).compute().unwrap().height(), 0);
    let fails = DFrame::from_map(schema.clone(), [1i64], |_| Err(PolarsError::NoData("the source is dry".into())));
    assert!(failure(&fails, Code::UserFunction).contains("the source is dry"));
    failure(&DFrame::from_map(schema, [1i64], |n| df!("x" => [*n])), Code::SchemaMismatch);
}

/// Makes the numbers up to its argument.
#[derive(Serialize, Deserialize)]
struct Numbers {
    column: String,
}

impl Operator for Numbers {
    fn run(&self, ctx: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Error> {
        let upto: i64 = ctx.arg()?.decode()?;
        let frame = DataFrame::new(upto as usize, vec![Column::new(self.column.as_str().into(), (0..upto).collect::<Vec<_>>())]);
        Ok(Chunk::new(Partition(frame.expect("one column is a frame"))))
    }
}

impl NamedOperator for Numbers {
    const NAME: &'static str = "numbers_of_a_test";
}

#[test]
fn partitions_from_an_operator() {
    let schema = df!("x" => [0i64]).unwrap().schema().clone();
    let made = DFrame::from_operator(schema.clone(), [2i64, 0, 3], Numbers { column: "x".into() });
    assert_eq!(made.compute().unwrap(), df!("x" => [0i64, 1, 0, 1, 2]).unwrap());
    let other = DFrame::from_operator(schema, [2i64], Numbers { column: "y".into() });
    assert_eq!(other.compute().unwrap_err().code, Code::SchemaMismatch);
}
