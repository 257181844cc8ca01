//! Column types from samples of records.
//!
//! It refuses to know files. Invariant: a type is the narrowest of boolean, int64, float64, string that holds every sampled cell that
//! is not null; cells are judged by the same words as the decoder's. A column of nulls is text.

use polars::prelude::DataType;

use super::Dialect;
use super::cells::{Cell, Record, Records};
use super::columns::truth;
use super::nulls::NullValues;
use super::number::Number;
use super::walk::Walker;

/// What a column's cells were so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    /// Only nulls.
    Nothing,
    Boolean,
    Int64,
    Float64,
    String,
}

impl Seen {
    /// The narrowest that holds both.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, seen) | (seen, Self::Nothing) => seen,
            (one, same) if one == same => one,
            (Self::Int64, Self::Float64) | (Self::Float64, Self::Int64) => Self::Float64,
            _ => Self::String,
        }
    }

    pub(super) fn dtype(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Nothing | Self::String => DataType::String,
        }
    }
}

/// What one cell is.
pub(super) fn seen(cell: &Cell<'_>, nulls: &NullValues) -> Seen {
    let text = cell.text();
    if !cell.quoted() && (text.is_empty() || nulls.contains(&text)) {
        return Seen::Nothing;
    }
    if i64::thorough(&text).is_some() {
        Seen::Int64
    } else if f64::thorough(&text).is_some() {
        Seen::Float64
    } else if truth(&text).is_some() {
        Seen::Boolean
    } else {
        Seen::String
    }
}

/// What samples say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Findings {
    pub(super) seen: Vec<Seen>,
    pub(super) records: u64,
    /// Bytes that these records take.
    pub(super) bytes: u64,
    pub(super) quoted_newlines: bool,
}

impl Findings {
    pub(super) fn none(width: usize) -> Self {
        Self { seen: vec![Seen::Nothing; width], records: 0, bytes: 0, quoted_newlines: false }
    }

    /// Both.
    pub(super) fn join(&mut self, other: &Self) {
        for (seen, more) in self.seen.iter_mut().zip(&other.seen) {
            *seen = seen.or(*more);
        }
        self.records += other.records;
        self.bytes += other.bytes;
        self.quoted_newlines |= other.quoted_newlines;
    }

    fn add(&mut self, record: &Record<'_>, nulls: &NullValues) {
        self.records += 1;
        self.bytes += (record.end - record.start) as u64;
        self.quoted_newlines |= record.newline_inside;
        for (seen_so_far, cell) in self.seen.iter_mut().zip(&record.cells) {
            if *seen_so_far != Seen::String {
                *seen_so_far = seen_so_far.or(seen(cell, nulls));
            }
        }
    }
}

/// Looks at the records of `bytes` from `at` on, where a record starts. Also gives the byte after the last whole record. Records of
/// another width say nothing here; reading will name them.
pub(super) fn look(bytes: &[u8], at: usize, dialect: &Dialect, width: usize, ended: bool) -> (Findings, usize) {
    let nulls = NullValues::new(dialect);
    let (mut findings, mut end) = (Findings::none(width), at);
    for record in Records::new(bytes, at, dialect, ended) {
        end = record.end;
        if record.cells.len() == width {
            findings.add(&record, &nulls);
        }
    }
    (findings, end)
}

/// Where the first record starts in a piece out of the middle of a file. A piece may start inside quotes; both ways are tried, and the
/// one that gives more records of the right width is taken. `None` when neither gives mostly such records.
pub(super) fn first_record(bytes: &[u8], dialect: &Dialect, width: usize, ended: bool) -> Option<usize> {
    let share = |start: usize| {
        let (mut good, mut all) = (0usize, 0usize);
        for record in Records::new(bytes, start, dialect, ended) {
            good += usize::from(record.cells.len() == width);
            all += 1;
        }
        (good * 2 > all).then(|| (good * 1000 / all, good))
    };
    let try_from = |mut walker: Walker| {
        let start = walker.next_line(bytes, 0)?;
        Some((share(start)?, start))
    };
    let (outside, inside) = (try_from(Walker::new(dialect)), try_from(Walker::inside(dialect)));
    match (outside, inside) {
        (Some(outside), Some(inside)) => Some(if inside.0.0 > outside.0.0 { inside.1 } else { outside.1 }),
        (one, other) => one.or(other).map(|(_, start)| start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn infer(text: &str) -> Seen {
        let dialect = Dialect { null_values: vec!["NA".to_owned()], ..Dialect::default() };
        look(text.as_bytes(), 0, &dialect, 2, true).0.seen[0]
    }

    macro_rules! infers {
        ($($name:ident: $text:expr => $seen:ident;)*) => {$(
            #[test]
            fn $name() {
                assert_eq!(infer($text), Seen::$seen);
            }
        )*};
    }

    infers! {
        whole_numbers: "1,\n-2,\n+3,\n" => Int64;
        fractions: "1,\n2.5,\n" => Float64;
        exponents: "1e3,\n" => Float64;
        too_large_for_int64: "99999999999999999999,\n" => Float64;
        truth_values: "true,\nFALSE,\n" => Boolean;
        truth_and_numbers: "true,\n1,\n" => String;
        text: "1,\nx,\n" => String;
        nulls_are_passed_over: ",\nNA,\n7,\n" => Int64;
        only_nulls: ",x\nNA,x\n" => Nothing;
        quoted_numbers: "\"1\",\n" => Int64;
        a_quoted_nothing_is_text: "\"\",\n1,\n" => String;
        a_quoted_null_value_is_text: "\"NA\",\n1,\n" => String;
        spaces_around: " 1 ,\n" => Int64;
        other_widths_say_nothing: "x\n1,\n" => Int64;
    }

    #[test]
    fn pieces_out_of_quotes() {
        let dialect = Dialect::default();
        let text = b"1,\"x\ny\"\n2,\"z,u\nv\"\n3,w\n";
        for cut in 0..text.len() {
            let expected = [8, 18].into_iter().find(|start| cut < *start);
            assert_eq!(first_record(&text[cut..], &dialect, 2, true).map(|start| cut + start), expected, "cut {cut}");
        }
        assert_eq!(first_record(b"no newline", &dialect, 2, false), None);
    }
}
