//! Records and cells one at a time, for samples and headers. Plain and slow; the decoder has its own way through large data.
//!
//! It refuses to know files and types. Invariant: quotes mean what they mean to the decoder: one opens a quoted field only where a
//! field starts, a doubled one inside is text, and whatever follows the closing one up to the separator is text too.

use std::borrow::Cow;

use super::Dialect;
use super::nulls::unquote;

/// A cell as it stands in the file, quotes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    raw: &'a [u8],
    quote: Option<u8>,
}

impl<'a> Cell<'a> {
    /// Whether it starts with a quote.
    pub(super) fn quoted(&self) -> bool {
        self.quote.is_some() && self.raw.first().copied() == self.quote
    }

    /// Its text without quotes.
    pub(super) fn text(&self) -> Cow<'a, [u8]> {
        match self.quote {
            Some(quote) if self.quoted() => Cow::Owned(unquote(self.raw, quote, &mut Vec::new()).to_vec()),
            _ => Cow::Borrowed(self.raw),
        }
    }

    /// Its text; bytes that are not UTF-8 become U+FFFD.
    pub(super) fn string(&self) -> String {
        String::from_utf8_lossy(&self.text()).into_owned()
    }
}

/// A record of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Its first byte.
    pub(super) start: usize,
    /// The byte after its newline.
    pub(super) end: usize,
    pub(super) cells: Vec<Cell<'a>>,
    /// Whether a newline stands in one of its cells.
    pub(super) newline_inside: bool,
}

/// Walks over the records of a sample. Comments and blank lines are passed over.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    dialect: &'a Dialect,
    /// Whether the file ends where the sample does; if not, the last record may be cut and is left out.
    ended: bool,
}

impl<'a> Records<'a> {
    /// From `at`, where a record must start.
    pub(super) fn new(bytes: &'a [u8], at: usize, dialect: &'a Dialect, ended: bool) -> Self {
        Self { bytes, at, dialect, ended }
    }

    /// Where the record starts that is not whole, after the iteration has ended.
    pub(super) fn unfinished(&self) -> Option<usize> {
        (self.at < self.bytes.len()).then_some(self.at)
    }

    /// The byte after a field that starts at `at` (where its separator or newline stands), and whether a newline is inside.
    fn field_end(&self, at: usize) -> Option<(usize, bool)> {
        let mut end = at;
        if let Some(quote) = self.dialect.quote
            && self.bytes.get(at) == Some(&quote)
        {
            end = at + 1;
            loop {
                end += memchr::memchr(quote, &self.bytes[end..])?;
                if self.bytes.get(end + 1) != Some(&quote) {
                    break;
                }
                end += 2;
            }
        }
        let inside = self.bytes[at..end].contains(&b'\n');
        match memchr::memchr2(self.dialect.separator, b'\n', &self.bytes[end..]) {
            Some(length) => Some((end + length, inside)),
            None => self.ended.then_some((self.bytes.len(), inside)),
        }
    }

    /// Comments and blank lines at the current place; `None` when the sample ends inside.
    fn pass_over(&mut self) -> Option<()> {
        loop {
            let rest = &self.bytes[self.at..];
            let comment = self.dialect.comment.as_ref().is_some_and(|prefix| rest.starts_with(prefix.as_bytes()));
            let blank = rest.starts_with(b"\n") || rest.starts_with(b"\r\n");
            if !comment && !blank {
                return Some(());
            }
            self.at += match memchr::memchr(b'\n', rest) {
                Some(newline) => newline + 1,
                None if self.ended => rest.len(),
                None => return None,
            };
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        self.pass_over()?;
        let start = self.at;
        if start >= self.bytes.len() {
            return None;
        }
        let mut record = Record { start, end: start, cells: Vec::new(), newline_inside: false };
        loop {
            let (end, inside) = self.field_end(record.end)?;
            record.newline_inside |= inside;
            let last = self.bytes.get(end) != Some(&self.dialect.separator);
            let mut raw = &self.bytes[record.end..end];
            if last && end < self.bytes.len() {
                raw = raw.strip_suffix(b"\r").unwrap_or(raw);
            }
            record.cells.push(Cell { raw, quote: self.dialect.quote });
            record.end = (end + 1).min(self.bytes.len());
            if last {
                self.at = record.end;
                return Some(record);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Vec<String>> {
        let dialect = Dialect { comment: Some("#".to_owned()), ..Dialect::default() };
        Records::new(text.as_bytes(), 0, &dialect, true).map(|record| record.cells.iter().map(Cell::string).collect()).collect()
    }

    macro_rules! reads {
        ($($name:ident: $text:expr => $expected:expr;)*) => {$(
            #[test]
            fn $name() {
                let expected: &[&[&str]] = &$expected;
                assert_eq!(read($text), expected);
            }
        )*};
    }

    reads! {
        plain: "a,b\n1,2\n" => [&["a", "b"], &["1", "2"]];
        no_last_newline: "a,b\n1," => [&["a", "b"], &["1", ""]];
        carriage_returns: "a,b\r\n1,2\r\n" => [&["a", "b"], &["1", "2"]];
        blank_lines: "\n\r\na\n\nb\n" => [&["a"], &["b"]];
        comments: "# x,\"y\na,b\n#\n1,#2\n" => [&["a", "b"], &["1", "#2"]];
        quoted: "\"a,\"\"b\n\",c\n" => [&["a,\"b\n", "c"]];
        quote_in_the_middle: "5\" pipe,x\n" => [&["5\" pipe", "x"]];
        text_after_a_quote: "\"a\"b,c\n" => [&["ab", "c"]];
        empty_text: "" => [];
        one_empty_quoted: "\"\"" => [&[""]];
    }

    #[test]
    fn a_cut_record_is_left_out() {
        let dialect = Dialect::default();
        assert_eq!(Records::new(b"a,b\n1,2", 0, &dialect, false).count(), 1);
        assert_eq!(Records::new(b"a,b\n1,2", 0, &dialect, true).count(), 2);
    }
}
