//! The 22 TPC-H queries at a small scale, from Parquet and from CSV: both give the same rows.
//!
//! `partita tpch` runs the same functions on tables of any size and prints times.

#[path = "queries.rs"]
mod queries;
#[path = "tables.rs"]
mod tables;

use queries::QUERIES;
use tables::Format;

const SCALE: f64 = 0.02;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = tempfile::tempdir()?;
    let parquet = tables::open(&tables::prepare(root.path(), Format::Parquet, SCALE)?, Format::Parquet, SCALE, None)?;
    let csv = tables::open(&tables::prepare(root.path(), Format::Csv, SCALE)?, Format::Csv, SCALE, None)?;
    for (number, query) in (1..).zip(&QUERIES) {
        let found = (query.plan)(&parquet).compute()?;
        let from_csv = (query.plan)(&csv).compute()?;
        println!("query {number}: {}\n{found}", query.name);
        assert_eq!((found.schema(), found.height()), (from_csv.schema(), from_csv.height()), "query {number}");
    }
    Ok(())
}
