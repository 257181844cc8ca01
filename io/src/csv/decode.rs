//! Bytes to columns: windows of a few ten kilobytes are grouped into records and then decoded column by column, so that marks,
//! bytes and the ends of the builders stay in the cache. It refuses to know where the bytes come from and where a file is cut.
//!
//! The invariant: whatever pieces the bytes arrive in, the rows are the same, and so are the kind and the byte of an error: the
//! flaw with the lowest byte wins.

use super::columns::{Rules, Trouble, Window};
use super::decoded::{Decoded, DecodedColumn};
use super::records::{Records, Scanner};
use super::{ReadSpec, builder::Builder, troubles::Troubles};
use crate::error::Result;
use std::sync::Arc;

/// Rows that room is made for after a batch; whole blocks come once, so they reserve nothing of note.
const MOST_RESERVED: usize = 1 << 16;

/// Bytes that are looked at together. Their marks and cells fit into the second-level cache.
const WINDOW: usize = 32 << 10;
/// A record must end within this many bytes.
const LONGEST_RECORD: usize = 1 << 31;

/// What [`Decoder::push`] did with its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumed {
    /// So many bytes are decoded (or passed over); a record starts after them.
    pub bytes: usize,
    /// Nothing more is to be decoded: the limit is reached, or these were the last bytes.
    pub done: bool,
}

/// Turns the bytes of one file, from the start of a record on, into columns. An error ends it.
pub struct Decoder {
    spec: Arc<ReadSpec>,
    rules: Rules,
    scanner: Scanner,
    records: Records,
    builders: Vec<Builder>,
    rows: usize,
    /// For so many bytes there is room in the builders.
    reserved: usize,
    troubles: Troubles,
}

impl Decoder {
    /// A decoder without rows.
    pub fn new(spec: Arc<ReadSpec>) -> Self {
        Self {
            rules: Rules::new(&spec.dialect),
            scanner: Scanner::new(&spec),
            records: Records::default(),
            builders: spec.fields.iter().map(|field| Builder::new(field, false)).collect(),
            rows: 0,
            reserved: 0,
            troubles: Troubles::new(spec.fields.len()),
            spec,
        }
    }

    /// Decodes the complete records of `bytes` that start before `limit` (an index into `bytes`; `usize::MAX` for none). `bytes`
    /// must start at a record (or at its file's end); `offset` is the place of its first byte in the file, for errors. `last`:
    /// nothing follows, so a record needs no newline at its end.
    ///
    /// The caller keeps the bytes that were not consumed and hands them in again with more behind them. If none were consumed and
    /// it is not done, a record is longer than `bytes`.
    ///
    /// # Errors
    /// `RaggedRow`, `UnclosedQuote`, `InvalidUtf8`; `Parse` for a cell of a declared column, `WrongInference` for those of inferred
    /// columns, all that are in `bytes` at once. The file's name is left empty.
    pub fn push(&mut self, bytes: &[u8], offset: u64, limit: usize, last: bool) -> Result<Consumed> {
        let (mut at, mut size) = (0, WINDOW);
        while at < bytes.len() && at < limit {
            let end = at.saturating_add(size).min(bytes.len());
            let is_last = (last && end == bytes.len()) || size > LONGEST_RECORD;
            let step = self.scanner.scan(&bytes[at..end], limit - at, is_last, &mut self.records);
            if self.records.rows > 0 {
                self.reserve(step.consumed, bytes.len().min(limit) - at);
                self.decode(&bytes[at..], step.consumed, offset + at as u64);
            }
            if let Some(flaw) = step.flaw {
                self.troubles.flawed(flaw, offset + at as u64, self.spec.width);
            }
            self.troubles.hard(&self.spec)?;
            if step.consumed > 0 {
                at += step.consumed;
                size = WINDOW;
            } else if end == bytes.len() {
                break;
            } else {
                size *= 4;
            }
        }
        self.troubles.soft(&self.spec)?;
        Ok(Consumed { bytes: at, done: at >= limit || (last && at == bytes.len()) })
    }

    /// Makes room for the rows of `all` bytes, if they are like those of the first `used`: growing step by step would copy every
    /// column several times.
    fn reserve(&mut self, used: usize, all: usize) {
        if all > self.reserved {
            let rows = (self.records.rows as u128 * all as u128 / used as u128) as usize;
            self.builders.iter_mut().for_each(|builder| builder.reserve(rows + rows / 64 + 1));
        }
        self.reserved = all.saturating_sub(used);
    }

    /// Decodes `self.records`; `bytes` starts with them and `offset` is its place in the file.
    fn decode(&mut self, bytes: &[u8], used: usize, offset: u64) {
        let window = Window::new(bytes, used, offset, &self.records, self.spec.width.max(1), &self.rules);
        for (index, (field, builder)) in self.spec.fields.iter().zip(&mut self.builders).enumerate() {
            let troubles = &mut self.troubles;
            let mut on_trouble = |start: usize, text: &[u8], trouble| troubles.cell(index, field, offset + start as u64, text, trouble);
            builder.decode(&window, field.position, &mut on_trouble);
            if let Builder::Codes(coder) = builder
                && coder.is_too_diverse()
            {
                *builder = Builder::Texts(coder.to_texts());
            }
        }
        self.rows += self.records.rows;
    }

    /// Rows decoded and not yet taken.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of the columns so far, roughly.
    pub fn nbytes(&self) -> usize {
        self.builders.iter().map(Builder::nbytes).sum()
    }

    /// Takes what was decoded so far, as columns in the order of the wanted fields. The decoder goes on empty; a column that was
    /// too diverse for codes stays plain text.
    ///
    /// # Errors
    /// `Parse` or `WrongInference` for a cell that cannot be cast to a type that is not parsed directly.
    pub fn take(&mut self) -> Result<Decoded> {
        let rows = std::mem::take(&mut self.rows);
        self.reserved = 0;
        let mut columns = Vec::with_capacity(self.builders.len());
        for (index, (field, builder)) in self.spec.fields.iter().zip(&mut self.builders).enumerate() {
            let gave_up_codes = matches!(builder, Builder::Texts(_));
            let built = std::mem::replace(builder, Builder::new(field, gave_up_codes));
            let troubles = &mut self.troubles;
            let mut on_misfit = |byte, text: &str| troubles.cell(index, field, byte, text.as_bytes(), Trouble::Misfit);
            columns.push(DecodedColumn::new(field, built, &mut on_misfit));
        }
        self.troubles.hard(&self.spec)?;
        self.troubles.soft(&self.spec)?;
        // Batches are alike, and growing step by step would copy each of them.
        self.builders.iter_mut().for_each(|builder| builder.reserve(rows.min(MOST_RESERVED)));
        Ok(Decoded { rows, columns })
    }
}
