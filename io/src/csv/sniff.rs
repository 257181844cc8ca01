//! What a file looks like, from its first bytes: separator, quote, header.
//!
//! It refuses to read files and to know types. Invariant: what the options say is never guessed. A guess needs the same number of
//! fields in nearly all records; without that, it is a comma.

use super::cells::{Cell, Records};
use super::infer::{Seen, seen};
use super::options::{CsvOptions, first_twice};
use super::{Dialect, nulls::NullValues};
use crate::error::{Error, ErrorKind, Result};

/// Records looked at.
const RECORDS: usize = 200;
/// By preference; a space only when nothing else divides the records.
const SEPARATORS: [u8; 5] = [b',', b';', b'\t', b'|', b' '];
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The first bytes of a file.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
    /// Whether that is all of it.
    pub(super) ended: bool,
}

impl<'a> Head<'a> {
    /// Where text starts: after a byte order mark.
    pub(super) fn text_start(&self) -> usize {
        if self.bytes.starts_with(BOM) { BOM.len() } else { 0 }
    }

    /// Where the record starts that these bytes do not hold whole, if more of the file is needed to say what it looks like: the first
    /// record, which may name the columns, and one below it, without which nothing is known of their types.
    pub(super) fn unfinished(&self, dialect: &Dialect) -> Option<usize> {
        let mut records = self.records(dialect);
        let whole = records.by_ref().take(2).count();
        let enough = if self.ended { 1 } else { 2 };
        if whole >= enough { None } else { records.unfinished().or((!self.ended).then_some(self.bytes.len())) }
    }

    /// Whether the record that starts at `at` has a quote that these bytes do not close.
    pub(super) fn is_unclosed(&self, at: usize, dialect: &Dialect) -> bool {
        // At the end of a file only a quote keeps a record from being whole.
        let mut rest = Records::new(self.bytes, at, dialect, true);
        rest.next().is_none() && rest.unfinished().is_some()
    }

    fn records<'b>(&self, dialect: &'b Dialect) -> Records<'b>
    where
        'a: 'b,
    {
        Records::new(self.bytes, self.text_start(), dialect, self.ended)
    }
}

/// The first record of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Top {
    /// Names of the columns: the header's, or made up.
    pub(super) names: Vec<String>,
    /// First byte after the header (or the byte order mark).
    pub(super) data_start: u64,
}

/// Finds out what the options do not say. `head` holds at least one whole record.
pub(super) fn dialect(head: Head<'_>, options: &CsvOptions) -> Dialect {
    let mut dialect = Dialect {
        comment: options.comment.clone(),
        encoding: options.encoding,
        null_values: options.null_values.clone(),
        empty_is_null: options.empty_is_null.unwrap_or(true),
        ..Dialect::default()
    };
    let quotes: &[Option<u8>] = match options.quote {
        Some(quote) => &[quote.map(|quote| quote as u8)],
        // Apostrophes are letters in most files; they are asked about only where no ordinary quote is in sight.
        None if head.bytes.contains(&b'"') || !head.bytes.contains(&b'\'') => &[Some(b'"')],
        None => &[Some(b'"'), Some(b'\'')],
    };
    let mut best = 0.0;
    (dialect.separator, dialect.quote) = (options.separator.map_or(b',', |separator| separator as u8), quotes[0]);
    for &quote in quotes {
        let chosen = options.separator.map(|separator| separator as u8);
        for separator in SEPARATORS.into_iter().filter(|&separator| chosen.is_none_or(|chosen| chosen == separator)) {
            let tried = Dialect { separator, quote, ..dialect.clone() };
            let score = score(head, &tried);
            // A later guess must be clearly better, and the space must divide all records alike.
            if score > best + 0.02 && (separator != b' ' || score >= 1.0) {
                (best, dialect) = (score, tried);
            }
        }
    }
    dialect.has_header = options.has_header.unwrap_or_else(|| options.columns.is_none() && looks_like_header(head, &dialect));
    dialect
}

/// The share of records with the most common number of fields; 0 when that is one field.
fn score(head: Head<'_>, dialect: &Dialect) -> f64 {
    let widths: Vec<usize> = head.records(dialect).take(RECORDS).map(|record| record.cells.len()).collect();
    let Some((count, width)) = widths.iter().map(|width| (widths.iter().filter(|other| *other == width).count(), *width)).max() else {
        return 0.0;
    };
    let share = count as f64 / widths.len() as f64;
    if width < 2 || share < 0.8 { 0.0 } else { share }
}

/// Whether the first record names columns. Only data that shows itself is taken for data: below at least one column of numbers, and
/// a number (or nothing) above each of them, at least one number among those. Numbers that look like different years, over a column
/// that does not hold years, are names.
fn looks_like_header(head: Head<'_>, dialect: &Dialect) -> bool {
    let nulls = NullValues::new(dialect);
    let mut records = head.records(dialect).take(RECORDS);
    let Some(first) = records.next() else { return true };
    let mut below = vec![Seen::Nothing; first.cells.len()];
    let mut years_below = vec![true; first.cells.len()];
    for record in records.filter(|record| record.cells.len() == first.cells.len()) {
        for (column, cell) in record.cells.iter().enumerate() {
            below[column] = below[column].or(seen(cell, &nulls));
            years_below[column] &= is_year(cell);
        }
    }
    let numeric = |seen: Seen| matches!(seen, Seen::Int64 | Seen::Float64);
    let above = |column: usize| seen(&first.cells[column], &nulls);
    let columns: Vec<usize> = (0..first.cells.len()).filter(|&column| numeric(below[column])).collect();
    let numbers: Vec<usize> = columns.iter().copied().filter(|&column| numeric(above(column))).collect();
    if below.iter().all(|seen| *seen == Seen::Nothing) {
        // A single record, or nothing below it: data only if it is all numbers.
        return !(0..first.cells.len()).all(|column| numeric(above(column)));
    }
    if numbers.is_empty() || columns.iter().any(|&column| !numeric(above(column)) && above(column) != Seen::Nothing) {
        return true;
    }
    let mut years: Vec<String> = numbers.iter().map(|&column| first.cells[column].string()).collect();
    years.sort();
    years.dedup();
    years.len() == numbers.len() && numbers.iter().all(|&column| is_year(&first.cells[column]) && !years_below[column])
}

fn is_year(cell: &Cell<'_>) -> bool {
    let text = cell.text();
    text.len() == 4 && text.iter().all(u8::is_ascii_digit) && (text.starts_with(b"1") || text.starts_with(b"20"))
}

/// Reads the header, or makes names up. `None`: not one whole record is in `head`.
pub(super) fn top(head: Head<'_>, dialect: &Dialect, options: &CsvOptions) -> Result<Option<Top>> {
    let Some(first) = head.records(dialect).next() else { return Ok(None) };
    let data_start = if dialect.has_header { first.end } else { head.text_start() } as u64;
    let names = match &options.columns {
        Some(names) if names.len() != first.cells.len() => {
            let accepted = format!("{} names, one for each column of {}; there are {}", first.cells.len(), head.name, names.len());
            return Err(Error::new(ErrorKind::InvalidOption { accepted }, "columns"));
        }
        Some(names) => names.clone(),
        None if dialect.has_header => header_names(&first.cells),
        None => (1..=first.cells.len()).map(|number| format!("column_{number}")).collect(),
    };
    if let Some(twice) = first_twice(&names) {
        let mut error = Error::new(ErrorKind::DuplicateColumn, head.name);
        error.place_mut().column = Some(twice.to_owned());
        return Err(error);
    }
    Ok(Some(Top { names, data_start }))
}

/// The header's texts without spaces around; a column without a name is called by its place.
fn header_names(cells: &[Cell<'_>]) -> Vec<String> {
    let written: Vec<String> = cells.iter().map(|cell| cell.string().trim().to_owned()).collect();
    let mut names = written.clone();
    for (position, name) in names.iter_mut().enumerate().filter(|(_, name)| name.is_empty()) {
        *name = format!("column_{}", position + 1);
        while written.contains(name) {
            name.push('_');
        }
    }
    names
}

/// What differs between two headers, in words.
pub(super) fn difference(first: &[String], other: &[String]) -> Option<String> {
    if first == other {
        return None;
    }
    let listed = |names: Vec<&String>| names.into_iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let missing: Vec<&String> = first.iter().filter(|name| !other.contains(name)).collect();
    let added: Vec<&String> = other.iter().filter(|name| !first.contains(name)).collect();
    let mut words = Vec::new();
    if !missing.is_empty() {
        words.push(format!("without {}", listed(missing)));
    }
    if !added.is_empty() {
        words.push(format!("with {} besides", listed(added)));
    }
    if words.is_empty() {
        words.push(format!("in another order: {}", listed(other.iter().collect())));
    }
    Some(words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniff(text: &str) -> (Dialect, Top) {
        let head = Head { name: "t.csv", bytes: text.as_bytes(), ended: true };
        let options = CsvOptions::new();
        let dialect = dialect(head, &options);
        let top = top(head, &dialect, &options).unwrap().unwrap();
        (dialect, top)
    }

    macro_rules! sniffs {
        ($($name:ident: $text:expr => $separator:literal, $header:literal, $names:expr;)*) => {$(
            #[test]
            fn $name() {
                let (dialect, top) = sniff($text);
                assert_eq!((dialect.separator as char, dialect.has_header), ($separator, $header));
                assert_eq!(top.names, $names);
            }
        )*};
    }

    sniffs! {
        comma: "a,b\n1,2\n" => ',', true, ["a", "b"];
        semicolon_with_decimal_commas: "a;b\n1,5;2,5\n3,5;4,5\n" => ';', true, ["a", "b"];
        tab: "a\tb\n1\tx, y\n2\tz\n" => '\t', true, ["a", "b"];
        bar: "a|b c\n1|2 3\n" => '|', true, ["a", "b c"];
        space: "a b\n1 2\n3 4\n" => ' ', true, ["a", "b"];
        sentences_are_one_column: "text\nhello you there\nbye\n" => ',', true, ["text"];
        quoted_separators: "a,b\n\"x;y;z\",2\n\"u;v;w\",4\n" => ',', true, ["a", "b"];
        only_numbers: "1,2\n3,4\n" => ',', false, ["column_1", "column_2"];
        data_row: "France,12\nItaly,13\n" => ',', false, ["column_1", "column_2"];
        years_are_names: "country,2019,2020\nFrance,1,2\n" => ',', true, ["country", "2019", "2020"];
        pandas_index: ",a\n0,1\n1,2\n" => ',', true, ["column_1", "a"];
        all_text: "a,b\nx,y\n" => ',', true, ["a", "b"];
        header_only: "a,b\n" => ',', true, ["a", "b"];
        header_without_newline: "a,b" => ',', true, ["a", "b"];
        taken_name: ",column_1\nx,y\n" => ',', true, ["column_1_", "column_1"];
        byte_order_mark: "\u{feff}a,b\n1,2\n" => ',', true, ["a", "b"];
        quoted_names: "\"a,1\",\"b\"\n1,2\n" => ',', true, ["a,1", "b"];
        spaces_around_names: "a , b\n1,2\n" => ',', true, ["a", "b"];
        apostrophes: "a,b\n'x,y',1\n'z',2\n" => ',', true, ["a", "b"];
    }

    #[test]
    fn apostrophes_quote_where_they_must() {
        assert_eq!(sniff("a,b\n'x,y',1\n'z,u',2\n").0.quote, Some(b'\''));
        assert_eq!(sniff("a,b\nit's,1\nfine,2\n").0.quote, Some(b'"'));
    }

    #[test]
    fn differences_in_words() {
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(difference(&names("a b"), &names("a b")), None);
        assert_eq!(difference(&names("a b"), &names("a c")).unwrap(), "without \"b\", with \"c\" besides");
        assert_eq!(difference(&names("a b"), &names("b a")).unwrap(), "in another order: \"b\", \"a\"");
    }
}
