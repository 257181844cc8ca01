//! Rows of a text column by their distinct values.

use polars::prelude::*;
use polars_arrow::array::{Array, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;
use xxhash_rust::xxh3::xxh3_64;

use super::table::{Table, mix};

/// Text of at most this many bytes lies in the column itself, so it is compared as one number.
const INLINE: u32 = 12;

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
}

impl<'a> Texts<'a> {
    pub fn of(array: &'a Utf8ViewArray) -> Self {
        let valid = array.validity().filter(|valid| valid.unset_bits() > 0);
        Self { array, valid, table: Table::new(), known: Vec::new(), first: Vec::new(), null: None }
    }

    /// The number of the value in each of these rows. Rows come in order, each once.
    pub fn numbers<T: From<u32>>(&mut self, from: usize, out: &mut [T]) {
        for (at, (out, view)) in out.iter_mut().zip(&self.array.views()[from..]).enumerate() {
            let row = from + at;
            let next = self.first.len() as u32;
            let whole = view.as_u128();
            let number = if self.valid.is_some_and(|valid| !valid.get_bit(row)) {
                *self.null.get_or_insert(next)
            } else if view.length <= INLINE {
                let word = mix(whole as u64) ^ mix((whole >> 64) as u64).rotate_left(32);
                self.table.group(word, next, |group| self.known[group as usize] == whole)
            } else {
                // The lower half is the length and the first bytes; the upper half is a place, which equal texts need not share.
                let text = self.array.value(row);
                let same = |group: u32| {
                    let (known, first) = (self.known[group as usize], self.first[group as usize]);
                    known as u64 == whole as u64 && self.array.value(first as usize) == text
                };
                self.table.group(xxh3_64(text.as_bytes()), next, same)
            };
            if number == next {
                self.known.push(whole);
                self.first.push(row as IdxSize);
            }
            *out = T::from(number);
        }
    }
}
