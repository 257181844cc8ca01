//! How many groups there will be, from the sample that the reader took when it was opened, from some rows of a frame in memory, or from the
//! bounds of columns in footers.

use polars::prelude::*;

use super::partial::by_keys;
use crate::frame::DFrame;
use crate::frame::expr::{Names, as_column, columns_of_all, on_polars_thread};
use crate::frame::ops::read_csv::ReadCsv;
use crate::frame::size::{size_of, whole_of};

/// The number of groups that keys over this frame will have, or `None` when nothing is known.
///
/// An upper bound, because too many parts cost little and one part for ten million groups costs the memory of all of them: each
/// value that the sample shows once stands for as many values as rows were left out for each row looked at. (The lower bound counts it
/// once; Charikar, Chaudhuri, Motwani and Narasayya, "Towards estimation error guarantees for distinct values", PODS 2000, prove that no
/// estimator is sure to come nearer than the mean of the two.) Where there is no sample, whole numbers have no more values than lie between
/// their bounds.
pub(crate) fn groups(input: &DFrame, keys: &[Expr]) -> Option<u64> {
    match sample_of(input, &columns_of_all(keys), true) {
        Some((sample, rows)) => of_rows(&sample, rows, keys),
        None => of_bounds(input, keys),
    }
}

fn of_bounds(input: &DFrame, keys: &[Expr]) -> Option<u64> {
    // How many rows filters leave is a guess, and no upper bound.
    let rows = size_of(input)?.rows.max(whole_of(input).unwrap_or(0));
    let values = keys.iter().map(|key| input.different(as_column(key)?)).collect::<Option<Vec<u64>>>()?;
    Some(values.into_iter().fold(1, u64::saturating_mul).min(rows))
}

/// The same for one reader.
pub(crate) fn of_sample(reader: &ReadCsv, keys: &[Expr]) -> Option<u64> {
    of_rows(&reader.table.sample_frame(), reader.table.estimated_rows, keys)
}

/// Rows with these columns below a frame, and how many they stand for. `same_rows` says that none of the steps above makes other rows: those
/// of users often make many out of few that were in memory.
fn sample_of(frame: &DFrame, needed: &Names, same_rows: bool) -> Option<(DataFrame, u64)> {
    let step = &frame.node().step;
    let found = match step.reader() {
        Some(reader) => Some((reader.table.sample_frame(), reader.table.estimated_rows)),
        None => {
            if same_rows {
                step.sample(needed)
            } else {
                None
            }
        }
    };
    if let Some((sample, rows)) = found {
        return needed.iter().all(|name| sample.column(name).is_ok()).then_some((sample, rows));
    }
    let same_rows = same_rows && (step.is_row_by_row() || step.predicate().is_some() || step.persisted().is_some());
    // Partitions that exist have the rows of the frame that they were made of.
    if let Some(persisted) = step.persisted()
        && let Some(made_of) = persisted.made_of()
    {
        let (sample, rows) = sample_of(made_of, needed, same_rows)?;
        return Some((sample, persisted.counted().map_or(rows, |counted| counted.min(rows))));
    }
    // Of joined frames the one that has the keys.
    frame.node().inputs.iter().find_map(|input| sample_of(input, needed, same_rows))
}

fn of_rows(sample: &DataFrame, rows: u64, keys: &[Expr]) -> Option<u64> {
    if sample.height() == 0 || columns_of_all(keys).iter().any(|name| sample.column(name).is_err()) {
        return None;
    }
    let counts = on_polars_thread(|| by_keys(sample.clone(), keys, vec![len().alias("rows")]).collect()).ok()?;
    let once = counts.column("rows").ok()?.as_materialized_series().equal(1u32).ok()?.sum().unwrap_or(0) as f64;
    let inverse_rate = (rows as f64 / sample.height() as f64).max(1.0);
    Some((once * inverse_rate + (counts.height() as f64 - once)) as u64)
}
