//! Bounds of values as a frame: a row for each piece of a table, and for each column what is known of it there.
//!
//! It refuses to know where bounds come from. Invariant: columns are named as [`crate::FileTable::statistics`] says, and have a value, or
//! null, for each piece.

use polars::prelude::{Column, DataFrame, DataType, IntoColumn, PlSmallStr, Series};

use crate::hive::Hive;
use crate::table::{ROWS, greatest, least, nulls};

/// A piece as far as the names of folders tell about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit {
    pub(crate) file: u32,
    pub(crate) rows: Option<u64>,
}

/// The frame of all columns.
pub(crate) fn frame(rows: Vec<Option<u64>>, columns: Vec<Column>) -> DataFrame {
    let height = rows.len();
    let all = std::iter::once(Column::new(ROWS.into(), rows)).chain(columns).collect();
    DataFrame::new(height, all).expect("a value for each piece, and names that differ")
}

/// What is known of one column; `None` when the bounds are not of its type.
pub(crate) fn of(name: &str, dtype: &DataType, low: Vec<Series>, high: Vec<Series>, missing: Vec<Option<u64>>) -> Option<Vec<Column>> {
    Some(vec![
        joined(low, dtype)?.with_name(least(name).into()).into_column(),
        joined(high, dtype)?.with_name(greatest(name).into()).into_column(),
        Column::new(nulls(name).into(), missing),
    ])
}

/// All rows of a file have the value that its folders name.
pub(crate) fn of_folders(units: &[Unit], hive: &Hive, at: usize) -> Option<Vec<Column>> {
    let (name, dtype) = &hive.columns[at];
    let (mut values, mut missing) = (Vec::with_capacity(units.len()), Vec::with_capacity(units.len()));
    for unit in units {
        let scalar = hive.scalar(unit.file as usize, at).ok()?;
        missing.push(if scalar.is_null() { unit.rows } else { Some(0) });
        values.push(scalar.into_series(PlSmallStr::EMPTY));
    }
    of(name, dtype, values.clone(), values, missing)
}

/// What the names of folders tell about these columns, where files tell nothing.
pub(crate) fn of_folders_only(units: &[Unit], columns: &[PlSmallStr], hive: &Hive) -> DataFrame {
    let known = columns.iter().filter_map(|name| of_folders(units, hive, hive.position(name)?)).flatten().collect();
    frame(units.iter().map(|unit| unit.rows).collect(), known)
}

/// A bound that is not known.
pub(crate) fn unknown(dtype: &DataType) -> Series {
    Series::full_null(PlSmallStr::EMPTY, 1, dtype)
}

fn joined(values: Vec<Series>, dtype: &DataType) -> Option<Series> {
    let mut all = Series::new_empty(PlSmallStr::EMPTY, dtype);
    for value in values {
        all.append(&value).ok()?;
    }
    Some(all.rechunk())
}
