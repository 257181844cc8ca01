//! Which rows of one side have the keys of which rows of the other.
//!
//! It refuses to know columns of results and kinds of joins. Invariant: what it finds depends on the keys alone, in order of rows,
//! whichever side the table is built of.

use std::sync::OnceLock;

use polars::prelude::row_encode::_get_rows_encoded_ca_unordered;
use polars::prelude::*;
use polars_arrow::array::PrimitiveArray;

use super::table::{END, Table};
use crate::frame::shuffle::hash::{is_integral, row_hashes};

/// The keys of the rows of one side.
pub(crate) struct Keys {
    columns: Vec<Column>,
    rows: usize,
    /// For each row whether one of its keys is null; `None` when there are no nulls.
    null: Option<Vec<bool>>,
    /// The values of all columns, when all are whole numbers.
    whole: Option<Vec<PrimitiveArray<i64>>>,
    /// What every type has. Tables of whole numbers rarely need it.
    hashed: OnceLock<Hashed>,
}

/// A hash for each row, and what tells keys of equal hash apart.
struct Hashed {
    hashes: Vec<u64>,
    exact: Exact,
}

enum Exact {
    /// Nothing: of one number the hash is one to one.
    Hash,
    /// One column of text.
    Text(<StringType as PolarsDataType>::Array),
    /// All key columns of a row as bytes.
    Rows(<BinaryOffsetType as PolarsDataType>::Array),
}

impl Hashed {
    fn of(columns: &[Column]) -> PolarsResult<Self> {
        let hashes = row_hashes(columns)?;
        let exact = match columns {
            // A join without keys: nothing is ever looked up.
            [] => Exact::Hash,
            // Nor in no rows; arrays without rows may come without a piece of memory, which polars takes for granted.
            [first, ..] if first.is_empty() => Exact::Hash,
            [one] if is_number(one.dtype()) => Exact::Hash,
            [one] if is_text(one.dtype()) => Exact::Text(one.cast(&DataType::String)?.str()?.rechunk().downcast_as_array().clone()),
            several => {
                let plain = several.iter().map(|column| match is_text(column.dtype()) {
                    true => column.cast(&DataType::String),
                    false => Ok(column.clone()),
                });
                let rows = _get_rows_encoded_ca_unordered(PlSmallStr::EMPTY, &plain.collect::<PolarsResult<Vec<_>>>()?)?;
                Exact::Rows(rows.downcast_as_array().clone())
            }
        };
        Ok(Self { hashes, exact })
    }

    fn nbytes(&self) -> usize {
        let exact = match &self.exact {
            Exact::Hash => 0,
            Exact::Text(texts) => texts.total_bytes_len() + 16 * texts.len(),
            Exact::Rows(rows) => rows.values().len() + 8 * rows.len(),
        };
        8 * self.hashes.len() + exact
    }
}

impl Keys {
    /// The keys in these columns. Both sides of a join must have the same types.
    pub fn of(columns: &[Column]) -> PolarsResult<Self> {
        let rows = columns.first().map_or(0, Column::len);
        let whole = whole(columns)?;
        let hashed = OnceLock::new();
        if whole.is_none() {
            // Now, because there are types that cannot be hashed.
            let _ = hashed.set(Hashed::of(columns)?);
        }
        Ok(Self { null: nulls(columns, rows), columns: columns.to_vec(), rows, whole, hashed })
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// About how many bytes they take.
    pub fn nbytes(&self) -> u64 {
        let whole: usize = self.whole.iter().flatten().map(|values| 8 * values.len()).sum();
        (whole + self.hashed.get().map_or(0, Hashed::nbytes) + self.null.as_ref().map_or(0, Vec::len)) as u64
    }

    /// The values of the columns, when all are whole numbers; what stands in the place of a null is no key.
    pub(super) fn whole(&self) -> Option<&[PrimitiveArray<i64>]> {
        self.whole.as_deref()
    }

    /// For each row whether one of its keys is null, if there are such rows.
    pub(super) fn null(&self) -> Option<&[bool]> {
        self.null.as_deref()
    }

    fn hashed(&self) -> &Hashed {
        self.hashed.get_or_init(|| Hashed::of(&self.columns).expect("whole numbers can be hashed"))
    }

    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashed().hashes
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.null.as_ref().is_some_and(|null| null[row])
    }

    /// Whether a row may have an equal at all.
    pub(super) fn takes_part(&self, row: usize, nulls_equal: bool) -> bool {
        nulls_equal || !self.is_null(row)
    }

    pub(super) fn equal(&self, row: usize, other: &Keys, at: usize) -> bool {
        let (own, others) = (self.hashed(), other.hashed());
        if own.hashes[row] != others.hashes[at] || self.is_null(row) != other.is_null(at) {
            return false;
        }
        match (&own.exact, &others.exact) {
            (Exact::Hash, Exact::Hash) => true,
            // Both are null or none is.
            (Exact::Text(these), Exact::Text(those)) => self.is_null(row) || these.value(row) == those.value(at),
            (Exact::Rows(these), Exact::Rows(those)) => these.value(row) == those.value(at),
            (Exact::Hash | Exact::Text(_) | Exact::Rows(_), _) => false,
        }
    }
}

/// Types of which no two values have one hash.
pub(super) fn is_number(dtype: &DataType) -> bool {
    is_integral(dtype) || matches!(dtype, DataType::Boolean | DataType::UInt64 | DataType::Float32 | DataType::Float64)
}

/// Categories are compared by their text, because their codes differ from process to process.
fn is_text(dtype: &DataType) -> bool {
    matches!(dtype, DataType::String | DataType::Categorical(..) | DataType::Enum(..))
}

fn whole(columns: &[Column]) -> PolarsResult<Option<Vec<PrimitiveArray<i64>>>> {
    if columns.is_empty() || !columns.iter().all(|column| is_integral(column.dtype())) {
        return Ok(None);
    }
    let values = |column: &Column| -> PolarsResult<PrimitiveArray<i64>> {
        let numbers = column.as_materialized_series().to_physical_repr().cast(&DataType::Int64)?;
        Ok(numbers.i64()?.rechunk().downcast_as_array().clone())
    };
    columns.iter().map(values).collect::<PolarsResult<Vec<_>>>().map(Some)
}

fn nulls(columns: &[Column], rows: usize) -> Option<Vec<bool>> {
    if columns.iter().all(|column| column.null_count() == 0) {
        return None;
    }
    let mut null = vec![false; rows];
    for column in columns.iter().filter(|column| column.null_count() > 0) {
        null.iter_mut().zip(column.is_null().iter()).for_each(|(null, this)| *null |= this == Some(true));
    }
    Some(null)
}

/// For each row of one side the rows of the other with an equal key, ascending.
pub(crate) struct Matches {
    /// Where the matches of each row end; those of the next begin there.
    ends: Vec<usize>,
    rows: Vec<IdxSize>,
}

impl Matches {
    /// The matches of each row of `keys` among the rows that the table was built of.
    pub fn of(keys: &Keys, built: &Keys, table: &Table) -> Self {
        let mut matches = Self { ends: Vec::with_capacity(keys.rows()), rows: Vec::new() };
        table.each(built, keys, |_, first| {
            let mut at = first;
            while at != END {
                matches.rows.push(at);
                at = table.after(built, at);
            }
            matches.ends.push(matches.rows.len());
        });
        matches
    }

    /// How many rows have matches or could have some.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The matches of a row.
    pub fn of_row(&self, row: usize) -> &[IdxSize] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.rows[start..self.ends[row]]
    }

    /// The same seen from the other side, which has `others` rows.
    pub fn turned(&self, others: usize) -> Self {
        let mut ends = vec![0; others];
        for other in &self.rows {
            ends[*other as usize] += 1;
        }
        let mut start = 0;
        for end in &mut ends {
            // For now where each begins; each row that is put in moves it on, to where it ends.
            start += std::mem::replace(end, start);
        }
        let mut rows = vec![0; self.rows.len()];
        for row in 0..self.len() {
            for other in self.of_row(row) {
                let place = &mut ends[*other as usize];
                rows[*place] = row as IdxSize;
                *place += 1;
            }
        }
        Self { ends, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(columns: &[Column]) -> Keys {
        Keys::of(columns).expect("the types can be keys")
    }

    fn numbers(values: &[Option<i64>]) -> Column {
        Column::new("k".into(), values)
    }

    fn texts(values: &[Option<&str>]) -> Column {
        Column::new("t".into(), values)
    }

    /// From the left, by a table of the right side and by one of the left.
    fn found(left: &[Column], right: &[Column], nulls_equal: bool) -> Vec<Vec<IdxSize>> {
        let (left, right) = (keys(left), keys(right));
        let by_right = Matches::of(&left, &right, &Table::of(&right, nulls_equal));
        let by_left = Matches::of(&right, &left, &Table::of(&left, nulls_equal)).turned(left.rows());
        let list = |matches: &Matches| (0..matches.len()).map(|row| matches.of_row(row).to_vec()).collect::<Vec<_>>();
        assert_eq!(list(&by_right), list(&by_left));
        list(&by_right)
    }

    #[test]
    fn matches_come_in_order_of_rows_whichever_side_is_built() {
        let left = numbers(&[Some(2), Some(1), None, Some(2), Some(7)]);
        let right = numbers(&[Some(1), Some(2), Some(2), None, Some(9), Some(1)]);
        let (left, right) = ([left], [right]);
        assert_eq!(found(&left, &right, false), [vec![1, 2], vec![0, 5], vec![], vec![1, 2], vec![]]);
        assert_eq!(found(&left, &right, true), [vec![1, 2], vec![0, 5], vec![3], vec![1, 2], vec![]]);
        assert_eq!(found(&left, &[numbers(&[])], true), vec![Vec::<IdxSize>::new(); 5]);
        assert!(found(&[numbers(&[])], &right, true).is_empty());
    }

    #[test]
    fn text_and_several_keys() {
        let t = |values: &[Option<&str>]| [texts(values)];
        assert_eq!(found(&t(&[Some("a"), None, Some("")]), &t(&[Some(""), Some("a"), None]), false), [vec![1], vec![], vec![0]]);
        assert_eq!(found(&t(&[Some("a"), None, Some("")]), &t(&[Some(""), Some("a"), None]), true), [vec![1], vec![2], vec![0]]);
        let left = [numbers(&[Some(1), Some(1), None, None]), texts(&[Some("a"), None, Some("a"), None])];
        let right = [numbers(&[None, Some(1), Some(1), None]), texts(&[Some("a"), None, Some("a"), None])];
        assert_eq!(found(&left, &right, false), [vec![2], vec![], vec![], vec![]]);
        assert_eq!(found(&left, &right, true), [vec![2], vec![1], vec![0], vec![3]]);
    }

    #[test]
    fn floats_are_equal_as_polars_has_them() {
        let floats = |values: &[f64]| [Column::new("f".into(), values)];
        let found = found(&floats(&[0.0, -0.0, f64::NAN]), &floats(&[-0.0, -f64::NAN, 1.0]), false);
        assert_eq!(found, [vec![0], vec![0], vec![1]]);
    }

    #[test]
    fn repeated_keys_are_found() {
        let repeated = |values: &[Option<i64>], nulls_equal| {
            let keys = keys(&[numbers(values)]);
            Table::of(&keys, nulls_equal).repeated(&keys)
        };
        assert_eq!(repeated(&[Some(1), Some(2), Some(1)], false), Some(2));
        assert_eq!(repeated(&[Some(1), None, None], false), None);
        assert_eq!(repeated(&[Some(1), None, None], true), Some(2));
    }
}
