//! Partial aggregation over key columns that are codes: groups are array indices, so no key is hashed or compared.
//!
//! Takes the kinds of [`plain::suits`], of columns and of what is computed of them; everything else goes the general way
//! ([`super::partial`]), which is also what tests compare this with. Rows are added in row order, so results do not depend on anything but
//! the partition. Rows that a reader found not to be wanted and left where they were have a slot of their own, which no group is.

use std::borrow::Cow;

use partita_io::Coded;
use partita_io::csv::{Codes, DecodedColumn};
use polars::prelude::*;
use polars_arrow::bitmap::Bitmap;

use super::hashed::evaluated;
use super::plain::{self, ByGroup};
use super::states::{Kind, State, column};
use crate::frame::can_fail::can_fail_beside_decimals;
use crate::frame::expr::{as_column, columns_of};

/// More combinations of codes than this would cost more to clear than to hash.
const MOST_GROUPS: usize = 1 << 16;
/// Expressions take about as long to prepare as to compute of so many rows, so of fewer rows they are computed together with others.
const PREPARED: usize = 1 << 15;
/// A combination that no row had so far.
const NEW: u32 = u32::MAX;

/// The groups of a partition: for each row its slot, and for each group the codes of its keys.
struct Groups<'a> {
    of_row: Cow<'a, [u32]>,
    keys: Vec<Vec<u32>>,
    count: usize,
    /// Slots before those of the groups: none, or that of the rows that are not wanted.
    before: usize,
}

/// States of a coded partition, or `None` when keys or states are not of the plain kind.
pub(super) fn aggregate(coded: &Coded, keys: &[Expr], states: &[State]) -> Option<PolarsResult<DataFrame>> {
    if keys.is_empty() {
        return None;
    }
    let key_codes = keys.iter().map(|key| codes_of(coded, key)).collect::<Option<Vec<&Codes>>>()?;
    let inputs = match inputs_of(coded, states)? {
        Ok(inputs) => inputs,
        // Arithmetic of decimals can fail too, perhaps on a row that is not wanted: the general way sees only the others.
        Err(_) if coded.kept.is_some() => return None,
        Err(error) => return Some(Err(error)),
    };
    let suited = |(state, input): (&State, &Option<Column>)| input.as_ref().is_none_or(|input| plain::suits(state.kind, input.dtype()));
    if !states.iter().zip(&inputs).all(suited) {
        return None;
    }
    Some(of_groups(&groups(&key_codes, coded.kept.as_ref())?, &key_codes, states, &inputs))
}

fn of_groups(groups: &Groups<'_>, keys: &[&Codes], states: &[State], inputs: &[Option<Column>]) -> PolarsResult<DataFrame> {
    let by_group = ByGroup::new(&groups.of_row, groups.before + groups.count);
    let key_columns = keys.iter().zip(&groups.keys).map(|(codes, of_group)| {
        let values = of_group.iter().map(|code| codes.values[*code as usize].as_deref());
        StringChunked::from_iter_options(codes.name.as_str().into(), values).into_column()
    });
    let mut columns: Vec<Column> = key_columns.collect();
    for (index, (state, input)) in states.iter().zip(inputs).enumerate() {
        let series = match input {
            None => plain::lens(&by_group),
            Some(input) => plain::state(state.kind, input.as_materialized_series(), &by_group)?.expect("the kind suits the type"),
        };
        columns.push(series.slice(groups.before as i64, groups.count).with_name(column(index).into()).into_column());
    }
    DataFrame::new(groups.count, columns)
}

fn codes_of<'a>(coded: &'a Coded, key: &Expr) -> Option<&'a Codes> {
    let name = as_column(key)?;
    coded.columns.iter().find_map(|column| match column {
        DecodedColumn::Codes(codes) if codes.name == name.as_str() => Some(codes),
        _ => None,
    })
}

/// The values that each state is of: none for a number of rows. `None` for what goes the general way.
fn inputs_of(coded: &Coded, states: &[State]) -> Option<PolarsResult<Vec<Option<Column>>>> {
    let plain = coded.columns.iter().filter_map(|column| match column {
        DecodedColumn::Plain(column) => Some(column.clone()),
        DecodedColumn::Codes(_) => None,
    });
    let frame = match DataFrame::new(coded.rows, plain.collect()) {
        Ok(frame) => frame,
        Err(error) => return Some(Err(error)),
    };
    let inputs = || states.iter().filter(|state| state.kind != Kind::Len).map(|state| &state.input);
    let known = inputs().all(|input| columns_of(input).iter().all(|name| frame.column(name).is_ok()));
    let computed = inputs().any(|input| as_column(input).is_none());
    // Nothing may fail on a row that is not wanted.
    let fails = coded.kept.is_some() && inputs().any(|input| can_fail_beside_decimals(input, frame.schema()));
    // Moments have three columns.
    if !known || fails || (computed && coded.rows < PREPARED) || states.iter().any(|state| state.kind == Kind::Moments) {
        return None;
    }
    let values = evaluated(&frame, inputs()).map(|values| {
        let mut values = values.into_iter();
        states.iter().map(|state| if state.kind == Kind::Len { None } else { values.next() }).collect()
    });
    Some(values)
}

/// Groups in order of first appearance; `None` for too many combinations.
fn groups<'a>(keys: &[&'a Codes], kept: Option<&Bitmap>) -> Option<Groups<'a>> {
    if let ([one], None) = (keys, kept) {
        let count = one.values.len();
        return Some(Groups { of_row: (&one.codes[..]).into(), keys: vec![(0..count as u32).collect()], count, before: 0 });
    }
    let combinations = keys.iter().try_fold(1usize, |all, codes| all.checked_mul(codes.values.len().max(1)))?;
    if combinations > MOST_GROUPS {
        return None;
    }
    let (first, others) = keys.split_first()?;
    let mut of_row = first.codes.clone();
    for codes in others {
        let base = codes.values.len() as u32;
        of_row.iter_mut().zip(&codes.codes).for_each(|(word, code)| *word = *word * base + code);
    }
    let before = usize::from(kept.is_some());
    let mut slots = vec![NEW; combinations];
    let mut of_group: Vec<Vec<u32>> = vec![Vec::new(); keys.len()];
    let mut slot_of = |row: usize, word: u32| {
        let slot = &mut slots[word as usize];
        if *slot == NEW {
            *slot = (before + of_group[0].len()) as u32;
            of_group.iter_mut().zip(keys).for_each(|(of_group, codes)| of_group.push(codes.codes[row]));
        }
        *slot
    };
    match kept {
        None => of_row.iter_mut().enumerate().for_each(|(row, word)| *word = slot_of(row, *word)),
        Some(kept) => {
            let rows = of_row.iter_mut().enumerate().zip(kept.iter());
            rows.for_each(|((row, word), keep)| *word = if keep { slot_of(row, *word) } else { 0 });
        }
    }
    let count = of_group[0].len();
    Some(Groups { of_row: of_row.into(), keys: of_group, count, before })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::groupby::hashed::{self, Work};

    fn coded(kept: Option<Bitmap>, rows: usize) -> Coded {
        let codes = |name: &str, values: &[Option<&str>], step: usize| Codes {
            name: name.into(),
            codes: (0..rows).map(|row| (row / step % values.len()) as u32).collect(),
            values: values.iter().map(|value| value.map(str::to_owned)).collect(),
        };
        let number = |name: &str, of: fn(usize) -> Option<f64>| {
            DecodedColumn::Plain(Column::new(name.into(), (0..rows).map(of).collect::<Vec<_>>()))
        };
        let columns = vec![
            DecodedColumn::Codes(codes("k", &[Some("a"), None, Some("b")], 1)),
            DecodedColumn::Codes(codes("l", &[Some("x"), Some("y")], 3)),
            number("u", |row| (row % 7 != 3).then_some(row as f64 / 4.0)),
            number("v", |row| Some((row % 13) as f64)),
        ];
        Coded { rows, columns, kept }
    }

    /// Groups of codes are those of the text, of all rows and of those that are wanted, whichever rows come first.
    #[test]
    fn codes_are_grouped_as_their_text() {
        let kinds = [Kind::Sum, Kind::Count, Kind::NullCount, Kind::Min(false), Kind::Max(false), Kind::First, Kind::LastValue];
        let inputs = [col("u"), col("v") * lit(2.0) + col("u")];
        let mut states: Vec<State> = kinds.into_iter().flat_map(|kind| inputs.clone().map(|input| State { kind, input })).collect();
        states.push(State { kind: Kind::Len, input: lit(true) });
        let work: Vec<Work<'_>> = states.iter().map(Work::Rows).collect();
        let rows = PREPARED + 100;
        let bits = |wanted: &dyn Fn(usize) -> bool| Some((0..rows).map(wanted).collect::<Bitmap>());
        let kept = [None, bits(&|row| row % 100 != 0), bits(&|row| row > 5 && row % 3 != 1), bits(&|row| row == 4)];
        for (at, kept) in kept.into_iter().enumerate() {
            for keys in [&[col("k")][..], &[col("k"), col("l")], &[col("l"), col("k")]] {
                let found = aggregate(&coded(kept.clone(), rows), keys, &states).expect("plain states").expect("columns");
                let frame = coded(kept.clone(), rows).into_frame().expect("columns of one length");
                let expected = hashed::aggregate(&frame, keys, &work).expect("columns").expect("plain states");
                assert_eq!(found.schema(), expected.schema());
                assert!(found.equals_missing(&expected), "{at} {keys:?}: {found} {expected}");
            }
        }
    }

    /// What can fail must not see rows that are not wanted, and few rows are not worth preparing an expression.
    #[test]
    fn what_goes_the_general_way() {
        let strict = [State { kind: Kind::Sum, input: col("u").strict_cast(DataType::Int8) }];
        let computed = [State { kind: Kind::Sum, input: col("u") + col("v") }];
        let all = |rows: usize| Some(Bitmap::new_with_value(true, rows));
        assert!(aggregate(&coded(all(PREPARED), PREPARED), &[col("k")], &strict).is_none());
        assert!(aggregate(&coded(all(PREPARED), PREPARED), &[col("k")], &computed).is_some());
        assert!(aggregate(&coded(None, 10), &[col("k")], &computed).is_none());
        assert!(aggregate(&coded(None, 10), &[col("u")], &computed).is_none());
    }
}
