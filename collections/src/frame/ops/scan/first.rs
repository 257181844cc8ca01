//! Pieces that hold none of the first rows in an order: by what is known of their values, others have enough that come before.
//!
//! It refuses to look at rows. Invariant: a piece is left out only if at least as many rows as are wanted come strictly before each of its
//! own, by the first key alone; what cannot be told is read.

use std::sync::Arc;

use partita_io::{FileTable, ROWS, greatest, least, nulls};
use polars::prelude::*;

use crate::frame::sort::order::First;

/// What is known of a piece: its rows that are not null, its nulls, and the bounds of its values.
struct Known {
    values: u64,
    nulls: u64,
    low: i64,
    high: i64,
}

/// The partitions without the pieces that hold none of the first rows; partitions without pieces are left out. `None` when nothing can be
/// left out.
pub(super) fn prune(partitions: &[Vec<u32>], by: &First, rows: u64, table: &dyn FileTable) -> Option<Arc<[Vec<u32>]>> {
    // Floats may hide a NaN, which comes after all bounds, and text is compared otherwise.
    let dtype = table.schema().get(&by.column)?;
    if !(dtype.is_integer() || matches!(dtype, DataType::Date | DataType::Datetime(..) | DataType::Duration(_)))
        || *dtype == DataType::UInt64
    {
        return None;
    }
    let known = known(table, &by.column)?;
    // From best to worst, what each piece has at least.
    let sign = |value: i64| if by.descending { -i128::from(value) } else { i128::from(value) };
    let surely = |piece: &Known| sign(if by.descending { piece.low } else { piece.high });
    let mut best: Vec<(i128, u64)> =
        partitions.iter().flatten().filter_map(|piece| known[*piece as usize].as_ref()).map(|k| (surely(k), k.values)).collect();
    best.sort_unstable();
    let mut before = 0u64;
    let (last, _) = best.into_iter().find(|(_, values)| {
        before = before.saturating_add(*values);
        before >= rows.max(1)
    })?;
    let needed = |piece: &u32| match &known[*piece as usize] {
        None => true,
        Some(piece) if piece.nulls > 0 && !by.nulls_last => true,
        Some(piece) => piece.values > 0 && sign(if by.descending { piece.high } else { piece.low }) <= last,
    };
    let left = partitions.iter().map(|pieces| pieces.iter().copied().filter(|piece| needed(piece)).collect::<Vec<u32>>());
    let left: Vec<Vec<u32>> = left.filter(|pieces| !pieces.is_empty()).collect();
    let count = |partitions: &[Vec<u32>]| partitions.iter().map(Vec::len).sum::<usize>();
    (count(&left) < count(partitions)).then(|| left.into())
}

/// What is known of each piece; `None` for pieces of which something is not.
fn known(table: &dyn FileTable, column: &PlSmallStr) -> Option<Vec<Option<Known>>> {
    let statistics = table.statistics(std::slice::from_ref(column));
    let numbers = |name: &str| statistics.column(name).ok()?.as_materialized_series().cast(&DataType::Int64).ok();
    let all = [numbers(ROWS)?, numbers(&nulls(column))?, numbers(&least(column))?, numbers(&greatest(column))?];
    let [rows, nulls, low, high] = all.each_ref().map(|series| series.i64().ok());
    let (rows, nulls, low, high) = (rows?, nulls?, low?, high?);
    let one = |at: usize| {
        let (rows, nulls) = (u64::try_from(rows.get(at)?).ok()?, u64::try_from(nulls.get(at)?).ok()?);
        let values = rows.checked_sub(nulls)?;
        // Without values there are no bounds, and none are needed.
        let bound = |bound: Option<i64>| if values == 0 { Some(0) } else { bound };
        Some(Known { values, nulls, low: bound(low.get(at))?, high: bound(high.get(at))? })
    };
    Some((0..statistics.height()).map(one).collect())
}
