//! Partial aggregation over key columns that are codes: groups are array indices, so no key is hashed or compared.
//!
//! Takes plain number columns and the kinds below; everything else goes the general way ([`super::partial`]), which is also
//! what tests compare this with. Rows are added in row order, so results do not depend on anything but the partition.

use partita_io::csv::{Codes, DecodedColumn};
use polars::prelude::*;

use super::states::{Kind, State, column};
use crate::frame::expr::as_column;
use crate::frame::value::Coded;

/// More combinations of codes than this would cost more to clear than to hash.
const MOST_GROUPS: usize = 1 << 16;

/// The groups of a partition: for each row its group, and for each group the codes of its keys.
struct Groups<'a> {
    of_row: std::borrow::Cow<'a, [u32]>,
    keys: Vec<Vec<u32>>,
    count: usize,
}

/// States of a coded partition, or `None` when keys or states are not of the plain kind.
pub(super) fn aggregate(coded: &Coded, keys: &[Expr], states: &[State]) -> Option<PolarsResult<DataFrame>> {
    if keys.is_empty() {
        return None;
    }
    let key_codes = keys.iter().map(|key| codes_of(coded, key)).collect::<Option<Vec<&Codes>>>()?;
    let inputs = states.iter().map(|state| input_of(coded, state)).collect::<Option<Vec<Input<'_>>>>()?;
    let groups = groups(&key_codes)?;
    let rows = rows_of_groups(&groups);
    let key_columns = key_codes.iter().zip(&groups.keys).map(|(codes, of_group)| {
        let values = of_group.iter().map(|code| codes.values[*code as usize].as_deref());
        StringChunked::from_iter_options(codes.name.as_str().into(), values).into_column()
    });
    let mut columns: Vec<Column> = key_columns.collect();
    for (index, (state, input)) in states.iter().zip(inputs).enumerate() {
        let series = match input {
            Input::Rows => counts(&rows),
            Input::Float(values) => float_state(state.kind, values, &groups, &rows),
            Input::Int(values) => int_state(state.kind, values, &groups, &rows),
        };
        columns.push(series.with_name(column(index).into()).into_column());
    }
    Some(DataFrame::new(groups.count, columns))
}

fn codes_of<'a>(coded: &'a Coded, key: &Expr) -> Option<&'a Codes> {
    let name = as_column(key)?;
    coded.columns.iter().find_map(|column| match column {
        DecodedColumn::Codes(codes) if codes.name == name.as_str() => Some(codes),
        _ => None,
    })
}

enum Input<'a> {
    /// The rows themselves.
    Rows,
    Float(&'a Float64Chunked),
    Int(&'a Int64Chunked),
}

fn input_of<'a>(coded: &'a Coded, state: &State) -> Option<Input<'a>> {
    if state.kind == Kind::Len {
        return Some(Input::Rows);
    }
    if !matches!(state.kind, Kind::Sum | Kind::FloatSum | Kind::Count | Kind::Min(false) | Kind::Max(false)) {
        return None;
    }
    let name = as_column(&state.input)?;
    let series = coded.columns.iter().find_map(|column| match column {
        DecodedColumn::Plain(column) if column.name() == name => Some(column.as_materialized_series()),
        _ => None,
    })?;
    series.try_f64().map(Input::Float).or_else(|| series.try_i64().map(Input::Int))
}

/// Groups in order of first appearance; `None` for too many combinations.
fn groups<'a>(keys: &[&'a Codes]) -> Option<Groups<'a>> {
    if let [one] = keys {
        let count = one.values.len();
        return Some(Groups { of_row: (&one.codes[..]).into(), keys: vec![(0..count as u32).collect()], count });
    }
    let combinations = keys.iter().try_fold(1usize, |all, codes| all.checked_mul(codes.values.len().max(1)))?;
    if combinations > MOST_GROUPS {
        return None;
    }
    let mut number = vec![u32::MAX; combinations];
    let mut of_group: Vec<Vec<u32>> = vec![Vec::new(); keys.len()];
    let rows = keys.first().map_or(0, |codes| codes.codes.len());
    let mut of_row = Vec::with_capacity(rows);
    for row in 0..rows {
        let at = keys.iter().fold(0, |at, codes| at * codes.values.len() + codes.codes[row] as usize);
        if number[at] == u32::MAX {
            number[at] = of_group[0].len() as u32;
            for (of_group, codes) in of_group.iter_mut().zip(keys) {
                of_group.push(codes.codes[row]);
            }
        }
        of_row.push(number[at]);
    }
    let count = of_group[0].len();
    Some(Groups { of_row: of_row.into(), keys: of_group, count })
}

fn rows_of_groups(groups: &Groups<'_>) -> Vec<u64> {
    let mut rows = vec![0u64; groups.count];
    for group in &*groups.of_row {
        rows[*group as usize] += 1;
    }
    rows
}

fn counts(rows: &[u64]) -> Series {
    UInt64Chunked::from_slice(PlSmallStr::EMPTY, rows).into_series()
}

/// Calls `add` with the group and the value of each row that is not null.
fn for_each<T: PolarsNumericType>(values: &ChunkedArray<T>, groups: &Groups<'_>, mut add: impl FnMut(usize, T::Native)) {
    let mut from = 0;
    for chunk in values.downcast_iter() {
        let of_row = &groups.of_row[from..from + chunk.len()];
        from += chunk.len();
        match chunk.validity() {
            None => of_row.iter().zip(chunk.values().iter()).for_each(|(group, value)| add(*group as usize, *value)),
            Some(valid) => {
                let rows = of_row.iter().zip(chunk.values().iter()).zip(valid.iter());
                rows.filter(|(_, valid)| *valid).for_each(|((group, value), _)| add(*group as usize, *value));
            }
        }
    }
}

fn count_values<T: PolarsNumericType>(values: &ChunkedArray<T>, groups: &Groups<'_>, rows: &[u64]) -> Series {
    if values.null_count() == 0 {
        return counts(rows);
    }
    let mut count = vec![0u64; groups.count];
    for_each(values, groups, |group, _| count[group] += 1);
    counts(&count)
}

fn sums<T: PolarsNumericType, S: Copy + Default>(values: &ChunkedArray<T>, groups: &Groups<'_>, add: impl Fn(S, T::Native) -> S) -> Vec<S> {
    let mut sums = vec![S::default(); groups.count];
    for_each(values, groups, |group, value| sums[group] = add(sums[group], value));
    sums
}

fn extremes<T: PolarsNumericType>(
    values: &ChunkedArray<T>,
    groups: &Groups<'_>,
    better: impl Fn(T::Native, T::Native) -> T::Native,
) -> Vec<Option<T::Native>> {
    let mut best = vec![None; groups.count];
    for_each(values, groups, |group, value| best[group] = Some(best[group].map_or(value, |known| better(known, value))));
    best
}

fn float_state(kind: Kind, values: &Float64Chunked, groups: &Groups<'_>, rows: &[u64]) -> Series {
    let name = PlSmallStr::EMPTY;
    match kind {
        Kind::Count => count_values(values, groups, rows),
        Kind::Min(_) => Float64Chunked::from_iter_options(name, extremes(values, groups, f64::min).into_iter()).into_series(),
        Kind::Max(_) => Float64Chunked::from_iter_options(name, extremes(values, groups, f64::max).into_iter()).into_series(),
        _ => Float64Chunked::from_vec(name, sums(values, groups, |sum: f64, value| sum + value)).into_series(),
    }
}

fn int_state(kind: Kind, values: &Int64Chunked, groups: &Groups<'_>, rows: &[u64]) -> Series {
    let name = PlSmallStr::EMPTY;
    match kind {
        Kind::Count => count_values(values, groups, rows),
        Kind::Min(_) => Int64Chunked::from_iter_options(name, extremes(values, groups, i64::min).into_iter()).into_series(),
        Kind::Max(_) => Int64Chunked::from_iter_options(name, extremes(values, groups, i64::max).into_iter()).into_series(),
        Kind::Sum => Int64Chunked::from_vec(name, sums(values, groups, i64::wrapping_add)).into_series(),
        _ => Float64Chunked::from_vec(name, sums(values, groups, |sum: f64, value| sum + value as f64)).into_series(),
    }
}
