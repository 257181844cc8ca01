//! The cells of one window, column by column, and the builders of numbers and truth values. It refuses to know files and errors:
//! a cell that does not fit is handed to the caller with its place.
//!
//! The invariant: after each window every builder of a decoder has the same number of rows (a misfit cell counts as null).

use super::{Dialect, Encoding, nulls::NullValues, nulls::unquote, number::Number, number::trim, records::Records};
use polars_arrow::bitmap::{Bitmap, MutableBitmap};
use std::cell::OnceCell;

/// Why a cell is handed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Its text is not of the column's type.
    Misfit,
    /// Its bytes are not UTF-8.
    NotUtf8,
}

/// Receives where a cell starts in the window, its text, and what is wrong with it.
pub(super) type OnTrouble<'a> = &'a mut dyn FnMut(usize, &[u8], Trouble);

/// What the cells of all columns have in common.
pub(super) struct Rules {
    pub quote: Option<u8>,
    pub nulls: NullValues,
    pub empty_is_null: bool,
    pub lossy: bool,
    /// Whether fields are cut at ASCII bytes only: then each cell of a UTF-8 window is UTF-8.
    pub ascii_cuts: bool,
}

impl Rules {
    pub fn new(dialect: &Dialect) -> Self {
        Self {
            quote: dialect.quote,
            nulls: NullValues::new(dialect),
            empty_is_null: dialect.empty_is_null,
            lossy: dialect.encoding == Encoding::Lossy,
            ascii_cuts: dialect.separator.is_ascii() && dialect.quote.is_none_or(|quote| quote.is_ascii()),
        }
    }
}

/// The records of a window with their bytes.
pub(super) struct Window<'a> {
    /// From the first record on; more than the records, so that loads may reach beyond the last.
    pub bytes: &'a [u8],
    /// How many bytes the records take.
    pub used: usize,
    /// Place of the first byte in the file.
    pub offset: u64,
    pub records: &'a Records,
    pub width: usize,
    pub rules: &'a Rules,
    utf8: OnceCell<bool>,
}

/// What stands in a cell.
pub(super) enum Cell<'a> {
    /// An unquoted cell of the null values.
    Null,
    /// Its text, unquoted; and whether it was quoted.
    Text(&'a [u8], bool),
}

impl<'a> Window<'a> {
    pub fn new(bytes: &'a [u8], used: usize, offset: u64, records: &'a Records, width: usize, rules: &'a Rules) -> Self {
        Self { bytes, used, offset, records, width, rules, utf8: OnceCell::new() }
    }

    /// Start and end of each cell of a column, quotes included.
    #[inline(always)]
    pub fn spans(&self, column: usize) -> impl Iterator<Item = (usize, usize)> {
        let (marks, stride) = (&self.records.marks[self.records.slots[column]..], self.records.stride);
        let (bytes, is_last) = (self.bytes, column + 1 == self.width);
        (0..self.records.rows).map(move |row| {
            let start = marks[row * stride] as usize;
            let mut end = marks[row * stride + 1] as usize - 1;
            // A carriage return belongs to the newline after it, not to the cell.
            if is_last && end > start && bytes[end - 1] == b'\r' && end < bytes.len() {
                end -= 1;
            }
            (start, end)
        })
    }

    /// What stands between `start` and `end`.
    #[inline(always)]
    pub fn cell<'b>(&self, start: usize, end: usize, scratch: &'b mut Vec<u8>) -> Cell<'b>
    where
        'a: 'b,
    {
        let raw = &self.bytes[start..end];
        if self.records.quoted
            && let Some(quote) = self.rules.quote
            && raw.first() == Some(&quote)
        {
            return Cell::Text(unquote(raw, quote, scratch), true);
        }
        if !self.rules.nulls.is_empty() && self.rules.nulls.contains(raw) {
            return Cell::Null;
        }
        Cell::Text(raw, false)
    }

    /// Whether each cell is known to be UTF-8; looked up once.
    pub fn is_utf8(&self) -> bool {
        let check = || self.rules.ascii_cuts && std::str::from_utf8(&self.bytes[..self.used]).is_ok();
        *self.utf8.get_or_init(check)
    }
}

/// Null rows as a bitmap; most columns have few.
pub(super) fn validity(nulls: &[u32], rows: usize) -> Option<Bitmap> {
    if nulls.is_empty() {
        return None;
    }
    let mut bits = MutableBitmap::from_len_set(rows);
    for &row in nulls {
        bits.set(row as usize, false);
    }
    Some(bits.into())
}

/// A column of numbers.
#[derive(Default)]
pub(super) struct Numbers<T> {
    pub values: Vec<T>,
    pub nulls: Vec<u32>,
}

impl<T: Number> Numbers<T> {
    /// Appends a column of the window.
    pub fn decode(&mut self, window: &Window<'_>, column: usize, on_trouble: OnTrouble<'_>) {
        let Self { values, nulls } = self;
        let before = values.len();
        let try_quick = window.rules.nulls.is_empty();
        // Its length is known beforehand, so the loop writes without asking for room.
        values.extend(window.spans(column).enumerate().map(|(row, (start, end))| {
            match if try_quick { T::quick(window.bytes, start, end - start) } else { None } {
                Some(value) => value,
                None => slowly(window, (start, end), on_trouble).unwrap_or_else(|| {
                    nulls.push((before + row) as u32);
                    T::default()
                }),
            }
        }));
    }

    pub fn reserve(&mut self, rows: usize) {
        self.values.reserve(rows);
    }

    pub fn nbytes(&self) -> usize {
        size_of_val(&*self.values) + size_of_val(&*self.nulls)
    }
}

/// Any cell of a column of numbers; `None` for null.
#[cold]
#[inline(never)]
fn slowly<T: Number>(window: &Window<'_>, (start, end): (usize, usize), on_trouble: OnTrouble<'_>) -> Option<T> {
    let mut scratch = Vec::new();
    let Cell::Text(text, quoted) = window.cell(start, end, &mut scratch) else { return None };
    if text.is_empty() && !quoted {
        return None;
    }
    let value = T::quick(text, 0, text.len()).or_else(|| T::thorough(text));
    if value.is_none() {
        on_trouble(start, text, Trouble::Misfit);
    }
    value
}

/// A column of truth values.
#[derive(Default)]
pub(super) struct Booleans {
    pub values: MutableBitmap,
    pub nulls: Vec<u32>,
}

impl Booleans {
    /// Appends a column of the window.
    pub fn decode(&mut self, window: &Window<'_>, column: usize, on_trouble: OnTrouble<'_>) {
        let mut scratch = Vec::new();
        for (start, end) in window.spans(column) {
            let value = match window.cell(start, end, &mut scratch) {
                Cell::Text(text, quoted) if quoted || !text.is_empty() => {
                    let value = truth(text);
                    if value.is_none() {
                        on_trouble(start, text, Trouble::Misfit);
                    }
                    value
                }
                _ => None,
            };
            if value.is_none() {
                self.nulls.push(self.values.len() as u32);
            }
            self.values.push(value == Some(true));
        }
    }

    pub fn reserve(&mut self, rows: usize) {
        self.values.reserve(rows);
    }

    pub fn nbytes(&self) -> usize {
        self.values.len() / 8 + size_of_val(&*self.nulls)
    }
}

/// `true` and `false`, in any case.
pub(super) fn truth(text: &[u8]) -> Option<bool> {
    let text = trim(text);
    if text.eq_ignore_ascii_case(b"true") { Some(true) } else { text.eq_ignore_ascii_case(b"false").then_some(false) }
}
