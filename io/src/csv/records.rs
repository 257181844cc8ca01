//! Groups the marks of a window into records and checks the number of fields of each. It refuses to know types and columns.
//!
//! The invariant: every record of [`Records`] is complete, starts before the limit, and has exactly `width` fields. Windows
//! without oddities go through [`super::structure`] at once; those with a comment, a blank line, a record of the wrong width or a
//! quote inside an unquoted field are walked field by field, and both ways mean the same.

use super::structure::{Eyes, Pattern};
use super::{Dialect, ReadSpec};
use memchr::{memchr, memchr2, memmem::Finder};

/// The complete records of a window.
#[derive(Default)]
pub(super) struct Records {
    /// Places after separators and newlines, and 0 at the front: a field is from one mark to one byte before the next.
    pub marks: Vec<u32>,
    /// From one record's marks to the next one's.
    pub stride: usize,
    /// Among a record's marks, where that at a field's start is, by the field's position; only for wanted fields.
    pub slots: Vec<usize>,
    /// How many.
    pub rows: usize,
    /// Whether any field may be quoted.
    pub quoted: bool,
}

/// What ended a window too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A record with another number of fields; its start.
    Ragged { start: usize, found: usize },
    /// A quoted field without an end; its start.
    Unclosed { start: usize },
}

/// Up to where a window was understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Bytes from the window's start; a record starts there, or the window ends.
    pub consumed: usize,
    /// What stands there instead of a good record.
    pub flaw: Option<Flaw>,
}

/// How to group.
pub(super) struct Scanner {
    eyes: Eyes,
    separator: u8,
    quote: Option<u8>,
    comment: Option<Finder<'static>>,
    width: usize,
    pattern: Pattern,
    /// How many marks the pattern keeps of a record, and [`Records::slots`] for them.
    kept: usize,
    slots: Vec<usize>,
}

/// One record, walked.
enum Walk {
    /// It needs more bytes.
    Open,
    /// The place after it.
    To(usize),
    Unclosed(usize),
}

impl Scanner {
    /// For the wanted fields of a spec.
    pub fn new(spec: &ReadSpec) -> Self {
        Self::of(&spec.dialect, spec.width.max(1), spec.fields.iter().map(|field| field.position))
    }

    fn of(dialect: &Dialect, width: usize, wanted: impl Iterator<Item = usize>) -> Self {
        // A field needs the mark at its end and the one before; the newline's mark says where the next record starts.
        let mut kept = vec![false; width];
        kept[width - 1] = true;
        for position in wanted {
            kept[position] = true;
            kept[position.saturating_sub(1)] |= position > 0;
        }
        let rank = |position: usize| kept[..position].iter().filter(|kept| **kept).count();
        let comment = dialect.comment.as_deref().filter(|prefix| !prefix.is_empty());
        Self {
            eyes: Eyes::best(),
            separator: dialect.separator,
            quote: dialect.quote,
            comment: comment.map(|prefix| Finder::new(prefix).into_owned()),
            width,
            pattern: Pattern::new(&kept),
            kept: rank(width),
            slots: (0..width).map(rank).collect(),
        }
    }

    /// The same, looking at the bytes without special instructions.
    #[cfg(test)]
    fn portable(self) -> Self {
        Self { eyes: Eyes::Portable, ..self }
    }

    /// Fills `records` with the complete records of `bytes`, which starts at a record, that start before `limit`. `last`: nothing
    /// follows `bytes`.
    pub fn scan(&self, bytes: &[u8], limit: usize, last: bool, records: &mut Records) -> Step {
        if self.comment.as_ref().is_none_or(|comment| comment.find(bytes).is_none())
            && let Some(step) = self.at_once(bytes, limit, last, records)
        {
            return step;
        }
        self.walk(bytes, limit, last, records)
    }

    /// `None`: something is odd. Nothing consumed: no record is complete.
    fn at_once(&self, bytes: &[u8], limit: usize, last: bool, records: &mut Records) -> Option<Step> {
        let marks = &mut records.marks;
        marks.clear();
        marks.push(0);
        let scan = self.eyes.scan(bytes, (self.separator, self.quote), &self.pattern, marks);
        if scan.odd || (last && scan.newlines == 0) {
            return None;
        }
        (records.stride, records.quoted) = (self.kept, scan.quoted);
        records.slots.clone_from(&self.slots);
        let mut rows = scan.newlines;
        while rows > 0 && marks[(rows - 1) * self.kept] as usize >= limit {
            rows -= 1;
        }
        records.rows = rows;
        Some(Step { consumed: marks[rows * self.kept] as usize, flaw: None })
    }

    /// The general way.
    fn walk(&self, bytes: &[u8], limit: usize, last: bool, records: &mut Records) -> Step {
        records.marks.clear();
        records.slots.clear();
        records.slots.extend(0..self.width);
        (records.stride, records.rows, records.quoted) = (self.width + 1, 0, true);
        let mut at = 0;
        while at < bytes.len() && at < limit {
            match self.passed_over(bytes, at, last) {
                Walk::To(next) if next > at => {
                    at = next;
                    continue;
                }
                Walk::Open => break,
                _ => {}
            }
            let length = records.marks.len();
            records.marks.push(at as u32);
            match self.record(bytes, at, last, &mut records.marks) {
                Walk::To(next) => {
                    let found = records.marks.len() - length - 1;
                    if found != self.width {
                        records.marks.truncate(length);
                        return Step { consumed: at, flaw: Some(Flaw::Ragged { start: at, found }) };
                    }
                    records.rows += 1;
                    at = next.min(bytes.len());
                }
                Walk::Open => {
                    records.marks.truncate(length);
                    break;
                }
                Walk::Unclosed(start) => {
                    records.marks.truncate(length);
                    return Step { consumed: at, flaw: Some(Flaw::Unclosed { start }) };
                }
            }
        }
        Step { consumed: at, flaw: None }
    }

    /// The place after a blank line or comment at `at`, or `at` itself where a record starts.
    fn passed_over(&self, bytes: &[u8], at: usize, last: bool) -> Walk {
        let rest = &bytes[at..];
        if let Some(comment) = &self.comment {
            let prefix = comment.needle();
            if rest.starts_with(prefix) {
                return match memchr(b'\n', rest) {
                    Some(newline) => Walk::To(at + newline + 1),
                    None if last => Walk::To(bytes.len()),
                    None => Walk::Open,
                };
            }
        }
        match rest {
            [b'\n', ..] if self.width > 1 => Walk::To(at + 1),
            [b'\r', b'\n', ..] if self.width > 1 => Walk::To(at + 2),
            _ => Walk::To(at),
        }
    }

    /// Appends the place after each field of the record at `at`.
    fn record(&self, bytes: &[u8], mut at: usize, last: bool, marks: &mut Vec<u32>) -> Walk {
        loop {
            let start = at;
            if self.quote.is_some() && bytes.get(at).copied() == self.quote {
                match self.closing(bytes, at + 1) {
                    Some(closing) => at = closing + 1,
                    None if last => return Walk::Unclosed(start),
                    None => return Walk::Open,
                }
            }
            let Some(end) = memchr2(self.separator, b'\n', &bytes[at..]).map(|length| at + length) else {
                if !last {
                    return Walk::Open;
                }
                marks.push(bytes.len() as u32 + 1);
                return Walk::To(bytes.len());
            };
            marks.push(end as u32 + 1);
            at = end + 1;
            if bytes[end] == b'\n' {
                return Walk::To(at);
            }
        }
    }

    /// The quote that closes a field whose content starts at `at`.
    fn closing(&self, bytes: &[u8], mut at: usize) -> Option<usize> {
        let quote = self.quote?;
        loop {
            let found = at + memchr(quote, &bytes[at..])?;
            if bytes.get(found + 1) != Some(&quote) {
                return Some(found);
            }
            at = found + 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Spans = Vec<Vec<(u32, u32)>>;

    fn spans(records: &Records, wanted: &[usize]) -> Spans {
        let field = |row: usize, column: &usize| {
            let at = row * records.stride + records.slots[*column];
            (records.marks[at], records.marks[at + 1] - 1)
        };
        (0..records.rows).map(|row| wanted.iter().map(|column| field(row, column)).collect()).collect()
    }

    proptest! {
        #[test]
        fn at_once_means_what_the_walk_means(
            cells in prop::collection::vec(prop_oneof![9 => "a{0,5}|\"[a,\n]{0,5}(\"\")?\"", 1 => "[a,\n\"\r]{0,3}"], 0..60),
            width in 1usize..6,
            wanted in prop::collection::vec(any::<bool>(), 6),
            limit in 0usize..220,
            last: bool,
        ) {
            let bytes = cells.chunks(width).map(|record| record.join(",")).collect::<Vec<_>>().join("\n").into_bytes();
            let wanted: Vec<_> = (0..width).filter(|&column| wanted[column]).collect();
            let scanner = || Scanner::of(&Dialect::default(), width, wanted.iter().copied());
            let (mut quick, mut slow) = (Records::default(), Records::default());
            if let Some(step) = scanner().at_once(&bytes, limit, last, &mut quick) {
                // With `last`, the walk goes on to a record that no newline ends; the quick way leaves it for another turn.
                prop_assert_eq!(step, scanner().walk(&bytes[..step.consumed], limit, false, &mut slow));
                prop_assert_eq!(spans(&quick, &wanted), spans(&slow, &wanted));
                let mut portable = Records::default();
                prop_assert_eq!(Some(step), scanner().portable().at_once(&bytes, limit, last, &mut portable));
                prop_assert_eq!(spans(&quick, &wanted), spans(&portable, &wanted));
            }
        }
    }
}
