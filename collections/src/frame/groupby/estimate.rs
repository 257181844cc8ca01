//! How many groups there will be, from the sample that the reader took when it was opened.

use polars::prelude::*;

use crate::frame::DFrame;
use crate::frame::expr::{columns_of_all, on_polars_thread};
use crate::frame::ops::read_csv::ReadCsv;

/// The number of groups that keys over this frame will have, or `None` when nothing is known.
///
/// An upper bound, because too many parts cost little and one part for ten million groups costs the memory of all of them: each
/// value that the sample shows once stands for as many values as rows were left out for each row looked at. (The lower bound counts it
/// once; Charikar, Chaudhuri, Motwani and Narasayya, "Towards estimation error guarantees for distinct values", PODS 2000, prove that no
/// estimator is sure to come nearer than the mean of the two.)
pub(crate) fn groups(input: &DFrame, keys: &[Expr]) -> Option<u64> {
    match input.node().step.reader() {
        Some(reader) => of_sample(reader, keys),
        // Of joined frames the one that has the keys.
        None => input.node().inputs.iter().find_map(|input| groups(input, keys)),
    }
}

/// The same for one reader.
pub(crate) fn of_sample(reader: &ReadCsv, keys: &[Expr]) -> Option<u64> {
    let needed = columns_of_all(keys);
    let sample = reader.table.sample_frame();
    if sample.height() == 0 || needed.iter().any(|name| sample.column(name).is_err()) {
        return None;
    }
    let counts = on_polars_thread(|| sample.clone().lazy().group_by(keys).agg([len().alias("rows")]).collect()).ok()?;
    let once = counts.column("rows").ok()?.as_materialized_series().equal(1u32).ok()?.sum().unwrap_or(0) as f64;
    let inverse_rate = (reader.table.estimated_rows as f64 / sample.height() as f64).max(1.0);
    Some((once * inverse_rate + (counts.height() as f64 - once)) as u64)
}
