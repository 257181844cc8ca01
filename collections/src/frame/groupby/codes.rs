//! Partial aggregation over key columns that are codes: groups are array indices, so no key is hashed or compared.
//!
//! Takes plain number columns and the kinds below; everything else goes the general way ([`super::partial`]), which is also
//! what tests compare this with. Rows are added in row order, so results do not depend on anything but the partition.

use partita_io::csv::{Codes, DecodedColumn};
use polars::prelude::*;

use super::plain::{self, ByGroup};
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
    let inputs = states.iter().map(|state| input_of(coded, state)).collect::<Option<Vec<Option<&Series>>>>()?;
    let groups = groups(&key_codes)?;
    let by_group = ByGroup::new(&groups.of_row, groups.count);
    let key_columns = key_codes.iter().zip(&groups.keys).map(|(codes, of_group)| {
        let values = of_group.iter().map(|code| codes.values[*code as usize].as_deref());
        StringChunked::from_iter_options(codes.name.as_str().into(), values).into_column()
    });
    let mut columns: Vec<Column> = key_columns.collect();
    for (index, (state, input)) in states.iter().zip(inputs).enumerate() {
        let series = match input.map_or_else(|| Ok(Some(plain::lens(&by_group))), |input| plain::state(state.kind, input, &by_group)) {
            Ok(series) => series?,
            Err(error) => return Some(Err(error)),
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

/// The column that a state is of: none for a number of rows. `None` for what goes the general way.
fn input_of<'a>(coded: &'a Coded, state: &State) -> Option<Option<&'a Series>> {
    let plain = |column: &'a DecodedColumn| match column {
        DecodedColumn::Plain(column) => Some(column.as_materialized_series()),
        _ => None,
    };
    if state.kind == Kind::Len {
        return Some(None);
    }
    let name = as_column(&state.input)?;
    let input = coded.columns.iter().filter_map(plain).find(|series| series.name() == name)?;
    // Moments have three columns.
    (state.kind != Kind::Moments && plain::suits(state.kind, input.dtype())).then_some(Some(input))
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
