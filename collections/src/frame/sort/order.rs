//! The order of rows: keys as bytes that compare as the rows do.
//!
//! It refuses to know partitions. Invariant: the order is total (equal keys in row order), the same on every machine, and the same for
//! sorting within a partition and for telling which range a row belongs to, because both compare the same bytes.

use partita_graph::{Code, Failure};
use polars::prelude::row_encode::_get_rows_encoded;
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::expr::{as_column, polars_failure, show_one};
use crate::frame::shuffle::keys::{check_keys, key_columns};

/// Keys, and for each whether it descends and where nulls come.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct By {
    pub keys: Vec<Expr>,
    descending: Vec<bool>,
    nulls_last: Vec<bool>,
}

/// The first of several keys, which is a column.
pub(crate) struct First {
    pub column: PlSmallStr,
    pub descending: bool,
    pub nulls_last: bool,
}

impl By {
    /// The first key, if it is a column.
    pub fn first(&self) -> Option<First> {
        let column = as_column(self.keys.first()?)?.clone();
        Some(First { column, descending: *self.descending.first()?, nulls_last: *self.nulls_last.first()? })
    }

    /// One flag stands for all keys.
    pub fn new(keys: Vec<Expr>, options: &SortMultipleOptions) -> Result<Self, Failure> {
        let spread = |name: &str, flags: &[bool]| match flags {
            [all] => Ok(vec![*all; keys.len()]),
            each if each.len() == keys.len() => Ok(each.to_vec()),
            other => {
                let what = format!("{} keys to sort by and {} values of `{name}`", keys.len(), other.len());
                Err(Failure::new(Code::InvalidOption, what).help("give one for all keys or one for each"))
            }
        };
        let (descending, nulls_last) = (spread("descending", &options.descending)?, spread("nulls_last", &options.nulls_last)?);
        Ok(Self { keys, descending, nulls_last })
    }

    /// All keys in one direction.
    pub fn all(keys: Vec<Expr>, descending: bool, nulls_last: bool) -> Self {
        let n = keys.len();
        Self { keys, descending: vec![descending; n], nulls_last: vec![nulls_last; n] }
    }

    /// The same order by keys that are written otherwise.
    pub fn with_keys(&self, keys: Vec<Expr>) -> Self {
        Self { keys, descending: self.descending.clone(), nulls_last: self.nulls_last.clone() }
    }

    /// The only key and whether it descends, when it is a column.
    pub fn one_column(&self) -> Option<(&PlSmallStr, bool)> {
        match &self.keys[..] {
            [key] => Some((as_column(key)?, self.descending[0])),
            _ => None,
        }
    }

    /// Fails unless frames of this schema can be sorted so.
    pub fn check(&self, schema: &Schema, method: &str) -> Result<(), Failure> {
        check_keys(&self.keys, schema, method).map(drop)
    }

    /// The order of the rows of a frame.
    pub fn order(&self, frame: &DataFrame) -> Result<Order, Failure> {
        let keys = key_columns(frame, &self.keys)?;
        Order::of(&keys, &self.descending, &self.nulls_last).map_err(|e| polars_failure(e, None))
    }

    /// As plans show it.
    pub fn show(&self) -> String {
        let flags = self.descending.iter().zip(&self.nulls_last);
        let key = |(key, (descending, nulls_last)): (&Expr, (&bool, &bool))| {
            let down = if *descending { " descending" } else { "" };
            let last = if *nulls_last { " nulls last" } else { "" };
            format!("{}{down}{last}", show_one(key))
        };
        self.keys.iter().zip(flags).map(key).collect::<Vec<_>>().join(", ")
    }
}

/// The keys of the rows of a frame.
pub(crate) struct Order {
    rows: <BinaryOffsetType as PolarsDataType>::Array,
    /// The first bytes of each, which decide most comparisons without a look at memory elsewhere.
    prefixes: Vec<u128>,
    /// All keys are of one length and within their prefixes.
    short: bool,
}

impl Order {
    fn of(keys: &[Column], descending: &[bool], nulls_last: &[bool]) -> PolarsResult<Self> {
        // Categories are sorted by their text; those of an enumeration by their place in it.
        let plain = keys.iter().map(|key| match key.dtype() {
            DataType::Categorical(..) => key.cast(&DataType::String),
            // Arrays without rows may come without a piece of memory, which polars takes for granted.
            DataType::Array(..) if key.is_empty() => Ok(Column::new_empty(key.name().clone(), &DataType::Boolean)),
            _ => Ok(key.clone()),
        });
        let plain = plain.collect::<PolarsResult<Vec<_>>>()?;
        let rows = _get_rows_encoded(&plain, descending, nulls_last)?.into_array();
        let prefixes = rows.values_iter().map(prefix).collect();
        let length = rows.values_iter().next().map_or(0, <[u8]>::len);
        let short = length <= size_of::<u128>() && rows.values_iter().all(|row| row.len() == length);
        Ok(Self { rows, prefixes, short })
    }

    /// The key of a row.
    pub fn row(&self, at: usize) -> &[u8] {
        self.rows.value(at)
    }

    /// Where the key of a row stands to another key.
    pub fn compare(&self, at: usize, (key_prefix, key): (u128, &[u8])) -> std::cmp::Ordering {
        self.prefixes[at].cmp(&key_prefix).then_with(|| self.row(at).cmp(key))
    }

    /// Where the keys of two rows stand to each other.
    pub fn compare_rows(&self, a: usize, b: usize) -> std::cmp::Ordering {
        self.compare(a, (self.prefixes[b], self.row(b)))
    }

    /// The rows in order, or the first of them.
    pub fn sorted(&self, limit: Option<usize>) -> Vec<IdxSize> {
        let mut rows: Vec<(u128, IdxSize)> = self.prefixes.iter().zip(0..).map(|(prefix, row)| (*prefix, row)).collect();
        let compare = |a: &(u128, IdxSize), b: &(u128, IdxSize)| {
            let rest = || if self.short { std::cmp::Ordering::Equal } else { self.row(a.1 as usize).cmp(self.row(b.1 as usize)) };
            a.0.cmp(&b.0).then_with(rest).then(a.1.cmp(&b.1))
        };
        match limit {
            Some(0) => rows.clear(),
            Some(limit) if limit < rows.len() => {
                rows.select_nth_unstable_by(limit - 1, compare);
                rows.truncate(limit);
            }
            _ => {}
        }
        // No two rows are equal, so that nothing is left to chance.
        rows.sort_unstable_by(compare);
        rows.into_iter().map(|(_, row)| row).collect()
    }
}

/// The first bytes of a key as a number, zeros after its end.
pub(crate) fn prefix(key: &[u8]) -> u128 {
    let mut first = [0; size_of::<u128>()];
    let length = key.len().min(first.len());
    first[..length].copy_from_slice(&key[..length]);
    u128::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(frame: &DataFrame, keys: &[&str], options: SortMultipleOptions, limit: Option<usize>) -> Vec<IdxSize> {
        let keys = keys.iter().map(|key| col(*key)).collect();
        By::new(keys, &options).and_then(|by| by.order(frame)).expect("the keys are columns").sorted(limit)
    }

    #[test]
    fn rows_compare_as_polars_has_them() {
        let long = |end: &str| format!("a text that is longer than a prefix: {end}");
        let (b, c) = (long("b"), long("c"));
        let frame = df!(
            "n" => [Some(2i64), None, Some(-7), Some(2), Some(i64::MAX)],
            "f" => [f64::NAN, 1.0, -0.0, 0.0, f64::NEG_INFINITY],
            "t" => [Some(c.as_str()), Some(b.as_str()), None, Some(""), Some(b.as_str())],
        );
        let frame = frame.expect("columns of one length");
        let options = SortMultipleOptions::default;
        assert_eq!(sorted(&frame, &["n"], options(), None), [1, 2, 0, 3, 4]);
        assert_eq!(sorted(&frame, &["n"], options().with_nulls_last(true), Some(2)), [2, 0]);
        assert_eq!(sorted(&frame, &["n"], options().with_order_descending(true), None), [1, 4, 0, 3, 2]);
        assert_eq!(sorted(&frame, &["f"], options(), None), [4, 2, 3, 1, 0]);
        assert_eq!(sorted(&frame, &["t"], options(), None), [2, 3, 1, 4, 0]);
        assert_eq!(sorted(&frame, &["t", "n"], options().with_order_descending_multi([true, false]), None), [2, 0, 1, 4, 3]);
        assert_eq!(sorted(&frame, &["t"], options(), Some(0)), [0; 0]);
        assert_eq!(sorted(&frame, &["t"], options(), Some(9)), [2, 3, 1, 4, 0]);
    }

    #[test]
    fn flags_that_are_not_one_a_key_are_refused() {
        let refused = By::new(vec![col("a"), col("b")], &SortMultipleOptions::default().with_order_descending_multi([true, false, true]));
        assert_eq!(refused.expect_err("three flags for two keys").code, Code::InvalidOption);
    }
}
