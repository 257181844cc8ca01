//! What a cell says before its type is asked: null, quoted, or plain. It refuses to know types.
//!
//! The invariant: a quoted cell is never null, and its text is what stood between the quotes with doubled ones halved; what
//! follows the closing quote belongs to the text as it stands.

use super::Dialect;

/// The cells that stand for null.
pub(super) struct NullValues {
    values: Vec<Vec<u8>>,
    /// Bit `n`: a value of `n` bytes exists; 63 stands for all longer ones.
    lengths: u64,
}

impl NullValues {
    pub fn new(dialect: &Dialect) -> Self {
        let values: Vec<_> = dialect.null_values.iter().map(|value| value.clone().into_bytes()).collect();
        let lengths = values.iter().fold(0, |bits, value| bits | bit(value.len()));
        Self { values, lengths }
    }

    /// Whether no text stands for null, so that no cell needs to be asked.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether an unquoted cell with this text is one of them.
    pub fn contains(&self, text: &[u8]) -> bool {
        self.lengths & bit(text.len()) != 0 && self.values.iter().any(|value| value == text)
    }
}

fn bit(length: usize) -> u64 {
    1 << length.min(63)
}

/// The text of a cell that starts with `quote`; `scratch` is used when it is not one piece of `cell`.
pub(super) fn unquote<'a>(cell: &'a [u8], quote: u8, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if let [_, text @ .., last] = cell
        && *last == quote
        && memchr::memchr(quote, text).is_none()
    {
        return text;
    }
    scratch.clear();
    let mut at = 1;
    while let Some(length) = memchr::memchr(quote, &cell[at..]) {
        scratch.extend_from_slice(&cell[at..at + length]);
        at += length + 1;
        if cell.get(at) != Some(&quote) {
            break;
        }
        scratch.push(quote);
        at += 1;
    }
    scratch.extend_from_slice(&cell[at..]);
    scratch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquoting() {
        for (cell, text) in [
            ("\"\"", ""),
            ("\"a\"", "a"),
            ("\"a,b\nc\"", "a,b\nc"),
            ("\"a\"\"b\"", "a\"b"),
            ("\"\"\"\"", "\""),
            ("\"\"\"\"\"\"", "\"\""),
            ("\"a\"b", "ab"),
            ("\"a\"b\"c\"", "ab\"c\""),
            ("\"a\"\"\"b", "a\"b"),
        ] {
            assert_eq!(unquote(cell.as_bytes(), b'"', &mut Vec::new()), text.as_bytes(), "{cell}");
        }
    }

    #[test]
    fn null_values() {
        let long = "x".repeat(70);
        let dialect = Dialect { null_values: vec!["NA".into(), long.clone()], ..Dialect::default() };
        let nulls = NullValues::new(&dialect);
        assert!(nulls.contains(b"NA") && nulls.contains(long.as_bytes()));
        assert!(!nulls.contains(b"na") && !nulls.contains(b"") && !nulls.contains("x".repeat(71).as_bytes()));
    }
}
