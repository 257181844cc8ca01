//! Rows of a text column by their distinct values.

use polars::prelude::*;
use polars_arrow::array::{Array, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;
use xxhash_rust::xxh3::xxh3_64;

use super::table::{BLOCK, Table};

/// Text of at most this many bytes lies in the column itself, so it is compared as one number.
const INLINE: u128 = 12;

/// The distinct values of an array that were met so far, numbered in order of first appearance; null is a value.
pub(super) struct Texts<'a> {
    array: &'a Utf8ViewArray,
    valid: Option<&'a Bitmap>,
    table: Table,
    /// As the column has them: the text itself, or its length, its beginning and its place.
    known: Vec<u128>,
    /// The row of each value's first appearance.
    pub first: Vec<IdxSize>,
    null: Option<u32>,
    guesses: Vec<u32>,
}

/// The hash of text that lies in the column itself. Of other text it is a hash of where it lies, which nobody finds anything by.
fn hash_of(whole: u128) -> u64 {
    let (low, high) = (whole as u64 ^ 0x9E37_79B9_7F4A_7C15, (whole >> 64) as u64 ^ 0xD1B5_4A32_D192_ED03);
    let product = u128::from(low) * u128::from(high);
    (product >> 64) as u64 ^ product as u64
}

impl<'a> Texts<'a> {
    pub fn of(array: &'a Utf8ViewArray) -> Self {
        let valid = array.validity().filter(|valid| valid.unset_bits() > 0);
        let (rows, known, first) = (array.len(), Vec::new(), Vec::new());
        Self { array, valid, table: Table::new(rows), known, first, null: None, guesses: vec![0; BLOCK.min(rows)] }
    }

    /// The number of the value in each of these rows. Rows come in order, each once.
    pub fn numbers<T: From<u32>>(&mut self, from: usize, out: &mut [T]) {
        for (at, out) in out.chunks_mut(BLOCK).enumerate() {
            self.block(from + at * BLOCK, out);
        }
    }

    fn block<T: From<u32>>(&mut self, from: usize, out: &mut [T]) {
        let views = &self.array.views()[from..from + out.len()];
        self.table.announce(out.len());
        let table = &self.table;
        self.guesses.iter_mut().zip(views).for_each(|(guess, view)| *guess = table.guess(hash_of(view.as_u128())));
        let valid = self.valid;
        for (at, (out, view)) in out.iter_mut().zip(views).enumerate() {
            let (guess, whole) = (self.guesses[at], view.as_u128());
            let is_null = valid.is_some_and(|valid| !valid.get_bit(from + at));
            // What lies in the same place is the same text too.
            let found = !is_null && self.known.get(guess as usize) == Some(&whole);
            *out = T::from(if found { guess } else { self.number(from + at, whole, is_null) });
        }
    }

    #[inline(never)]
    fn number(&mut self, row: usize, whole: u128, is_null: bool) -> u32 {
        let number = if is_null {
            match self.null {
                Some(null) => null,
                None => *self.null.insert(self.table.leave_out()),
            }
        } else if whole & u128::from(u32::MAX) <= INLINE {
            self.table.number(hash_of(whole), |number| self.known[number as usize] == whole)
        } else {
            // The lower half is the length and the first bytes; the upper half is a place, which equal texts need not share.
            let text = self.array.value(row);
            let same = |number: u32| {
                let (known, first) = (self.known[number as usize], self.first[number as usize]);
                known as u64 == whole as u64 && self.array.value(first as usize) == text
            };
            self.table.number(xxh3_64(text.as_bytes()), same)
        };
        if number as usize == self.known.len() {
            self.known.push(whole);
            self.first.push(row as IdxSize);
        }
        number
    }
}
