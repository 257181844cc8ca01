//! The builder of text columns: polars' views, written directly. It refuses to know what the text means.
//!
//! The invariant: every view either holds its text (12 bytes and fewer) or points at UTF-8 bytes inside a buffer; so the last step
//! needs no validation.

use super::columns::{Cell, OnTrouble, Trouble, Window, validity};
use polars_arrow::array::{Utf8ViewArray, View};
use polars_arrow::datatypes::ArrowDataType;

/// The first buffer for long text; later ones double up to the largest.
const SMALLEST: usize = 64 << 10;
const LARGEST: usize = 16 << 20;

/// A column of text.
#[derive(Default)]
pub(super) struct Texts {
    views: Vec<View>,
    /// Finished buffers.
    full: Vec<Vec<u8>>,
    /// The one being filled; never grown, so that filling it moves nothing.
    filling: Vec<u8>,
    nulls: Vec<u32>,
    bytes: usize,
}

impl Texts {
    /// Appends a column of the window.
    pub fn decode(&mut self, window: &Window<'_>, column: usize, on_trouble: OnTrouble<'_>) {
        self.decode_as(window, column, window.rules.empty_is_null, on_trouble);
    }

    fn decode_as(&mut self, window: &Window<'_>, column: usize, empty_is_null: bool, on_trouble: OnTrouble<'_>) {
        let mut scratch = Vec::new();
        let known = window.is_utf8();
        self.views.reserve(window.records.rows);
        for (start, end) in window.spans(column) {
            let Cell::Text(text, quoted) = window.cell(start, end, &mut scratch) else {
                self.push_null();
                continue;
            };
            if text.is_empty() && !quoted && empty_is_null {
                self.push_null();
            } else if known {
                // SAFETY: the whole window is UTF-8 and fields are cut at ASCII bytes, so no character is cut.
                let text = unsafe { std::str::from_utf8_unchecked(text) };
                if quoted { self.push(text) } else { self.push_at(text, window.bytes, start) }
            } else {
                match std::str::from_utf8(text) {
                    Ok(text) => self.push(text),
                    Err(_) if window.rules.lossy => self.push(&String::from_utf8_lossy(text)),
                    Err(_) => {
                        on_trouble(start, text, Trouble::NotUtf8);
                        self.push_null();
                    }
                }
            }
        }
    }

    /// Appends `text`, which stands in `bytes` at `start`.
    #[inline(always)]
    fn push_at(&mut self, text: &str, bytes: &[u8], start: usize) {
        let length = text.len();
        if cfg!(target_endian = "little")
            && length <= View::MAX_INLINE_SIZE as usize
            && let Some(chunk) = bytes.get(start..).and_then(|rest| rest.first_chunk::<16>())
        {
            // One load and one mask instead of a copy whose length is unknown.
            let word = u128::from_le_bytes(*chunk) & !(u128::MAX << (8 * length));
            let (prefix, buffer_idx, offset) = (word as u32, (word >> 32) as u32, (word >> 64) as u32);
            self.bytes += length;
            self.views.push(View { length: length as u32, prefix, buffer_idx, offset });
        } else {
            self.push(text);
        }
    }

    /// Appends a text.
    pub fn push(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.bytes += bytes.len();
        if bytes.len() <= View::MAX_INLINE_SIZE as usize {
            self.views.push(View::new_inline(bytes));
            return;
        }
        if self.filling.capacity() - self.filling.len() < bytes.len() {
            let capacity = (2 * self.filling.capacity()).clamp(SMALLEST, LARGEST).max(bytes.len());
            let full = std::mem::replace(&mut self.filling, Vec::with_capacity(capacity));
            if !full.is_empty() {
                self.full.push(full);
            }
        }
        let offset = self.filling.len() as u32;
        self.filling.extend_from_slice(bytes);
        self.views.push(View::new_from_bytes(bytes, self.full.len() as u32, offset));
    }

    /// Appends a null.
    pub fn push_null(&mut self) {
        self.nulls.push(self.views.len() as u32);
        self.views.push(View::default());
    }

    pub fn reserve(&mut self, rows: usize) {
        self.views.reserve(rows);
    }

    pub fn nbytes(&self) -> usize {
        let full: usize = self.full.iter().map(Vec::len).sum();
        size_of_val(&*self.views) + full + self.filling.len() + size_of_val(&*self.nulls)
    }

    /// The column.
    pub fn finish(mut self) -> Utf8ViewArray {
        if !self.filling.is_empty() {
            self.full.push(self.filling);
        }
        let validity = validity(&self.nulls, self.views.len());
        let held = self.full.iter().map(Vec::len).sum();
        let buffers = self.full.into_iter().map(Into::into).collect();
        // SAFETY: `push` and `push_at` take `str`s only, and write views that point at what they appended to the buffer of that
        // number; buffers are shorter than 4 GiB because a window is.
        unsafe { Utf8ViewArray::new_unchecked(ArrowDataType::Utf8View, self.views.into(), buffers, validity, Some(self.bytes), held) }
    }
}

/// Text that is cast in the end, with the place of each cell for the error.
#[derive(Default)]
pub(super) struct Dated {
    pub texts: Texts,
    pub starts: Vec<u64>,
}

impl Dated {
    /// Appends a column of the window. Empty cells are null, as in all columns that are not text.
    pub fn decode(&mut self, window: &Window<'_>, column: usize, on_trouble: OnTrouble<'_>) {
        self.starts.extend(window.spans(column).map(|(start, _)| window.offset + start as u64));
        self.texts.decode_as(window, column, true, on_trouble);
    }

    pub fn reserve(&mut self, rows: usize) {
        self.texts.reserve(rows);
        self.starts.reserve(rows);
    }

    pub fn nbytes(&self) -> usize {
        self.texts.nbytes() + size_of_val(&*self.starts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_through_both_ways() {
        let source = "abcdefghijklmnopqrstuvwxyzäöü€abcdefghijklmnopqrstuvwxyz".repeat(3);
        let mut texts = Texts::default();
        let mut expected = Vec::new();
        for start in 0..source.len() {
            for end in start..source.len() {
                if let Some(text) = source.get(start..end) {
                    texts.push(text);
                    texts.push_at(text, source.as_bytes(), start);
                    expected.extend([Some(text); 2]);
                }
            }
            texts.push_null();
            expected.push(None);
        }
        let array = texts.finish();
        array.to_binview().validate_utf8().unwrap();
        assert_eq!(array.len(), expected.len());
        assert!(array.iter().eq(expected));
    }
}
