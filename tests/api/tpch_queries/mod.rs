//! The queries of examples/tpch against loops over the generator's rows ([`reference`]), from CSV and Parquet, in one and many partitions.

#[path = "../../../examples/tpch/queries.rs"]
mod queries;
mod reference;
#[path = "../../../examples/tpch/tables.rs"]
mod tables;

use std::path::PathBuf;
use std::sync::OnceLock;

use partita::polars::prelude::{AnyValue, DataFrame};
use partita::prelude::DFrame;
use queries::{QUERIES, Tables};
use reference::{Cell, Data, Rows};
use tables::Format;

/// 60,000 rows of lineitem.
const SCALE: f64 = 0.01;

/// What the loops give, once for all tests.
fn expected() -> &'static [Rows] {
    static EXPECTED: OnceLock<Vec<Rows>> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let data = Data::new(SCALE);
        let rows: Vec<Rows> = reference::ALL.iter().map(|query| query(&data)).collect();
        // Some queries find nothing in so little data; a generator that changed must not let all of them.
        let filled = rows.iter().filter(|rows| !rows.is_empty()).count();
        assert!(filled >= 17, "only {filled} of the queries find anything");
        rows
    })
}

/// The tables, written once for all tests.
fn folder(format: Format) -> PathBuf {
    static ROOT: OnceLock<tempfile::TempDir> = OnceLock::new();
    let root = ROOT.get_or_init(|| tempfile::tempdir().expect("a temporary folder"));
    tables::prepare(root.path(), format, SCALE).expect("the folder can be written")
}

fn cell(value: AnyValue<'_>) -> Cell {
    match value {
        AnyValue::String(text) => Cell::Text(text.to_string()),
        // A column of one row lends no text but hands it out.
        AnyValue::StringOwned(text) => Cell::Text(text.to_string()),
        AnyValue::Float64(number) => Cell::Float(number),
        value if value.is_integer() => Cell::Int(value.extract().expect("no count is that large")),
        // A date as it is written; a null as nothing that the loops give.
        other => Cell::Text(other.to_string()),
    }
}

fn rows(frame: &DataFrame) -> Rows {
    let row = |at: usize| frame.columns().iter().map(|column| cell(column.get(at).expect("in bounds"))).collect();
    (0..frame.height()).map(row).collect()
}

fn same(found: &Cell, expected: &Cell) -> bool {
    match (found, expected) {
        (Cell::Float(found), Cell::Float(expected)) => (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        _ => found == expected,
    }
}

fn check(format: Format, blocksize: Option<&str>) {
    let tables: Tables = tables::open(&folder(format), format, SCALE, blocksize).expect("the tables were written");
    if blocksize.is_some() {
        assert!(tables.lineitem.npartitions().expect("it was opened") > 3);
    }
    for (number, (query, expected)) in (1..).zip(QUERIES.iter().zip(expected())) {
        let plan: DFrame = (query.plan)(&tables);
        let found = plan.compute().unwrap_or_else(|e| panic!("query {number}, {format:?}, {blocksize:?}: {e}"));
        let found = rows(&found);
        assert_eq!(found.len(), expected.len(), "query {number}, {format:?}, {blocksize:?}: rows\n{found:?}\n{expected:?}");
        for (found, expected) in found.iter().zip(expected) {
            let equal = found.len() == expected.len() && found.iter().zip(expected).all(|(found, expected)| same(found, expected));
            assert!(equal, "query {number} ({}), {format:?}, {blocksize:?}:\n{found:?} instead of\n{expected:?}", query.name);
        }
    }
}

#[test]
fn from_csv() {
    check(Format::Csv, None);
}

#[test]
fn from_csv_in_partitions() {
    check(Format::Csv, Some("1MB"));
}

#[test]
fn from_parquet() {
    check(Format::Parquet, None);
}

#[test]
fn from_parquet_in_partitions() {
    check(Format::Parquet, Some("200KB"));
}

#[test]
fn tables_are_made_once() {
    let folder = folder(Format::Csv);
    let written = || std::fs::metadata(folder.join("lineitem")).and_then(|facts| facts.modified()).expect("the table is there");
    let before = written();
    assert_eq!((self::folder(Format::Csv), written()), (folder.clone(), before));
    assert_eq!(std::fs::read_dir(&folder).expect("it can be listed").count(), 8);
}
