//! TPC-H lineitem, 600,000 rows in four files, against polars on the same text.

use super::check::assert_close;
use partita::polars::prelude::*;
use partita::prelude::{CsvOptions, DFrame, col, len, lit};
use tpchgen::csv::LineItemCsv;
use tpchgen::generators::LineItemGenerator;

const SCALE: f64 = 0.1;
const PARTS: i32 = 4;

#[test]
fn lineitem_like_polars() {
    let folder = tempfile::tempdir().unwrap();
    let mut whole = format!("{}\n", LineItemCsv::header());
    for part in 1..=PARTS {
        let rows: String = LineItemGenerator::new(SCALE, part, PARTS).iter().map(|row| format!("{}\n", LineItemCsv::new(row))).collect();
        std::fs::write(folder.path().join(format!("lineitem-{part}.csv")), format!("{}\n{rows}", LineItemCsv::header())).unwrap();
        whole.push_str(&rows);
    }
    let reader = polars_io::csv::read::CsvReadOptions::default().into_reader_with_file_handle(std::io::Cursor::new(whole));
    let expected = polars_io::SerReader::finish(reader).unwrap().lazy();
    let aggs = || {
        [
            col("l_quantity").sum().alias("quantity"),
            col("l_extendedprice").mean().alias("price"),
            (col("l_extendedprice") * (lit(1.0) - col("l_discount"))).sum().alias("revenue"),
            col("l_comment").max().alias("comment"),
            len().alias("rows"),
        ]
    };
    let keys = [col("l_returnflag"), col("l_linestatus")];
    let late = || col("l_shipdate").gt_eq(lit("1995-01-01"));
    let frame = DFrame::read_csv_with(folder.path().join("*.csv"), CsvOptions::new().blocksize("1MB")).unwrap();
    let grouped = frame.filter(late()).group_by(keys.clone()).agg(aggs()).compute().unwrap();
    assert_close(&grouped, &expected.clone().filter(late()).group_by(keys.clone()).agg(aggs()).collect().unwrap(), false, "filtered");
    let grouped = frame.group_by(keys.clone()).agg(aggs()).compute().unwrap();
    assert_close(&grouped, &expected.clone().group_by(keys).agg(aggs()).collect().unwrap(), false, "all");
    let orders = frame.group_by(["l_orderkey"]).agg([col("l_quantity").sum(), len()]).compute().unwrap();
    assert_close(
        &orders,
        &expected.group_by([col("l_orderkey")]).agg([col("l_quantity").sum(), len()]).collect().unwrap(),
        false,
        "orders",
    );
}
