//! Tables of every type, written and read whole by the plainest means.

use std::sync::Arc;

use futures_util::TryStreamExt;
use object_store::path::Path;
use partita_io::write::{Format, Published, Target};
use partita_io::{Error, FileTable, Room, TableOptions, ipc, json, parquet};
use polars::prelude::*;

/// A machine with little of everything.
pub const ROOM: Room = Room { threads: 2, memory: 8 << 30 };

/// Columns of all types that files can hold, with nulls, NaN, both zeros, and the ends of ranges. The row numbers are in `row`.
pub fn every_type(rows: usize) -> DataFrame {
    let some = |row: usize| row % 5 != 3;
    let each = |of: &dyn Fn(usize) -> i64| (0..rows).map(|row| some(row).then(|| of(row))).collect::<Vec<Option<i64>>>();
    let floats = [0.0, -0.0, f64::NAN, f64::INFINITY, 1.5e-300, -2.25];
    let texts = ["", "a", "a text of more than twelve bytes", "\u{fc}\"\n,", "z"];
    let blobs: [&[u8]; 3] = [b"", b"\x00\xff", b"abc"];
    let mut columns = vec![
        Column::new("row".into(), (0..rows as i64).collect::<Vec<_>>()),
        Column::new("i64".into(), each(&|row| row as i64 * 7 - 3)),
        Column::new("f64".into(), (0..rows).map(|row| some(row).then(|| floats[row % 6])).collect::<Vec<_>>()),
        Column::new("text".into(), (0..rows).map(|row| some(row).then(|| texts[row % 5])).collect::<Vec<_>>()),
        Column::new("bool".into(), (0..rows).map(|row| some(row).then_some(row % 3 == 0)).collect::<Vec<_>>()),
        Column::new("bytes".into(), (0..rows).map(|row| some(row).then(|| blobs[row % 3])).collect::<Vec<Option<&[u8]>>>()),
        Column::new("none".into(), vec![None::<i64>; rows]),
    ];
    let small = each(&|row| row as i64 % 100);
    for (name, dtype) in [
        ("i8", DataType::Int8),
        ("i16", DataType::Int16),
        ("i32", DataType::Int32),
        ("u8", DataType::UInt8),
        ("u16", DataType::UInt16),
        ("u32", DataType::UInt32),
        ("u64", DataType::UInt64),
        ("f32", DataType::Float32),
        ("date", DataType::Date),
        ("ms", DataType::Datetime(TimeUnit::Milliseconds, None)),
        ("us", DataType::Datetime(TimeUnit::Microseconds, None)),
        ("ns", DataType::Datetime(TimeUnit::Nanoseconds, None)),
        ("span", DataType::Duration(TimeUnit::Microseconds)),
    ] {
        columns.push(Series::new(name.into(), &small).cast(&dtype).unwrap().into_column());
    }
    let category = Series::new("category".into(), (0..rows).map(|row| some(row).then(|| texts[row % 5])).collect::<Vec<_>>());
    columns.push(category.cast(&DataType::from_categories(Categories::global())).unwrap().into_column());
    let list = |row: usize| {
        some(row).then(|| Series::new(PlSmallStr::EMPTY, (0..row as i64 % 4).map(|i| (i != 1).then_some(i)).collect::<Vec<_>>()))
    };
    columns.push(
        Series::new("list".into(), (0..rows).map(list).collect::<Vec<Option<Series>>>())
            .cast(&DataType::List(Box::new(DataType::Int64)))
            .unwrap()
            .into_column(),
    );
    let pair = [columns[1].clone(), columns[3].clone()];
    columns.push(StructChunked::from_columns("pair".into(), rows, &pair).unwrap().into_series().into_column());
    DataFrame::new(rows, columns).unwrap()
}

/// Bit by bit: `-0.0` is not `0.0`, NaN is NaN.
#[track_caller]
pub fn same(found: &DataFrame, expected: &DataFrame) {
    assert_eq!(found.schema(), expected.schema());
    assert!(found.equals_missing(expected), "{found}\n{expected}");
    for (f, e) in found.columns().iter().zip(expected.columns()).filter(|(f, _)| f.dtype() == &DataType::Float64) {
        let bits = |column: &Column| column.f64().unwrap().iter().map(|value| value.map(f64::to_bits)).collect::<Vec<_>>();
        assert_eq!(bits(f), bits(e));
    }
}

/// Opens one name, by what its format is called.
pub fn open(format: &str, name: &str, options: TableOptions) -> Result<Arc<dyn FileTable>, Error> {
    let names = [name.to_owned()];
    match format {
        "parquet" => parquet::open(&names, &options, ROOM),
        "ipc" => ipc::open(&names, &options, ROOM),
        _ => json::open(&names, &json::JsonOptions::new(), ROOM),
    }
}

/// All rows of these columns, piece after piece.
pub fn read(table: &dyn FileTable, columns: &[&str]) -> Result<DataFrame, Error> {
    let names: Vec<PlSmallStr> = columns.iter().map(|name| (*name).into()).collect();
    let recipe = table.recipe(&names);
    let schema: Schema = names.iter().map(|name| (name.clone(), table.schema().get(name).unwrap().clone())).collect();
    let mut all = DataFrame::empty_with_schema(&schema);
    for piece in table.partitions().iter().flat_map(|partition| partition.clone()) {
        all.vstack_mut(&recipe.read(&table.piece(piece, &names), &[], &|| false)?).unwrap();
    }
    Ok(all)
}

/// All rows of all columns.
pub fn read_all(table: &dyn FileTable) -> DataFrame {
    let names: Vec<&str> = table.schema().iter_names().map(|name| name.as_str()).collect();
    read(table, &names).unwrap()
}

/// Writes a frame in so many parts and publishes them.
pub fn write(name: &str, token: &str, format: impl Into<Format>, frame: &DataFrame, parts: usize) -> Result<Published, Error> {
    let target = Target::prepare(name, token, format.into(), frame.schema())?;
    let cut = |part: usize| frame.height() * part / parts;
    let part = |part: usize| target.write_part(frame.slice(cut(part) as i64, cut(part + 1) - cut(part)), part as u32, 7, 1);
    let written: Vec<_> = (0..parts).map(part).collect::<Result<Vec<_>, _>>()?.concat();
    target.publish(&written)
}

/// All files in a folder, or below a prefix of the process's own store, hidden ones too, sorted.
pub fn files_in(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    match name.strip_prefix("memory://") {
        Some(prefix) => {
            let prefix = Path::from(prefix.trim_matches('/'));
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let listed = runtime.block_on(partita_io::memory_store().list(Some(&prefix)).try_collect::<Vec<_>>());
            let below = |key: &str| key.strip_prefix(prefix.as_ref()).unwrap().trim_start_matches('/').to_owned();
            found.extend(listed.unwrap().iter().map(|object| below(object.location.as_ref())));
        }
        None => walk(std::path::Path::new(name), "", &mut found),
    }
    found.sort();
    found
}

fn walk(folder: &std::path::Path, below: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push(name);
        }
    }
}
