//! Keys: expressions by whose values rows are brought together.
//!
//! It refuses to know for what. Invariant: keys that pass [`check_keys`] give one value a row, and equal values have equal hashes.

use partita_graph::{Code, Failure};
use polars::prelude::*;

use crate::frame::expr::{as_column, check_columns, check_row_by_row, columns_of, polars_failure, schema_after, show_one};

/// The name of key `at` where keys stand beside columns. Users cannot have such a name by accident.
pub(crate) fn key_name(at: usize) -> PlSmallStr {
    format!("\u{1}k{at}").into()
}

/// The keys under names of their own, so that two keys may be one column.
fn numbered(keys: &[Expr]) -> Vec<Expr> {
    keys.iter().enumerate().map(|(at, key)| key.clone().alias(key_name(at))).collect()
}

/// Fails unless these can be keys of frames with this schema; else their types.
pub(crate) fn check_keys(keys: &[Expr], schema: &Schema, method: &str) -> Result<Vec<DataType>, Failure> {
    if keys.is_empty() {
        return Err(Failure::new(Code::InvalidOption, format!("{method} needs at least one key")).help("name a column: [\"k\"]"));
    }
    check_columns(keys, schema)?;
    check_row_by_row(keys, schema, method)?;
    if let Some(constant) = keys.iter().find(|key| columns_of(key).is_empty()) {
        return Err(Failure::new(Code::Unsupported, format!("`{}` reads no column, so it is no key for {method}", show_one(constant))));
    }
    let types = schema_after(schema, |frame| frame.select(numbered(keys)))?;
    let types: Vec<DataType> = types.iter_values().cloned().collect();
    match keys.iter().zip(&types).find(|(_, dtype)| dtype.is_nested() && dtype.contains_categoricals()) {
        None => Ok(types),
        Some((key, dtype)) => {
            // The codes of categories differ from process to process, and inside lists and structs they are not looked at one by one.
            let what = format!("`{}` is of type {dtype}, which is no key for {method}", show_one(key));
            Err(Failure::new(Code::Unsupported, what).help("make the categories inside it text: .cast([(\"k\", …)])"))
        }
    }
}

/// The values of keys over the rows of a partition.
pub(crate) fn key_columns(frame: &DataFrame, keys: &[Expr]) -> Result<Vec<Column>, Failure> {
    let names: Option<Vec<&PlSmallStr>> = keys.iter().map(as_column).collect();
    let columns = match names {
        // Picking alone needs no engine.
        Some(names) => names.into_iter().map(|name| frame.column(name).cloned()).collect::<PolarsResult<_>>(),
        None => frame.clone().lazy().select(numbered(keys)).collect().map(DataFrame::into_columns),
    };
    columns.map_err(|e| polars_failure(e, None))
}
