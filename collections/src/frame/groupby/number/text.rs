//! Rows of a text column by their distinct values.

use polars::prelude::*;
use polars_arrow::array::{Array, Utf8ViewArray};
use xxhash_rust::xxh3::xxh3_64;

use super::Numbering;
use super::table::{Table, mix};

/// Text of at most this many bytes lies in the column itself, so it is compared as one number.
const INLINE: u32 = 12;

/// Numbers the rows of one array by value; null is a value.
pub(super) fn number(array: &Utf8ViewArray) -> Numbering {
    let mut table = Table::new();
    let mut known: Vec<u128> = Vec::new();
    let mut out = Numbering::with_capacity(array.len());
    let mut null = None;
    let valid = array.validity().filter(|valid| valid.unset_bits() > 0);
    for (row, view) in array.views().iter().enumerate() {
        let next = out.first.len() as u32;
        let whole = view.as_u128();
        let group = if valid.is_some_and(|valid| !valid.get_bit(row)) {
            *null.get_or_insert(next)
        } else if view.length <= INLINE {
            let word = mix(whole as u64) ^ mix((whole >> 64) as u64).rotate_left(32);
            table.group(word, next, |group| known[group as usize] == whole)
        } else {
            // The lower half is the length and the first bytes; the upper half is a place, which equal texts need not share.
            let text = array.value(row);
            let same = |group: u32| known[group as usize] as u64 == whole as u64 && array.value(out.first[group as usize] as usize) == text;
            table.group(xxh3_64(text.as_bytes()), next, same)
        };
        if group == next {
            known.push(whole);
            out.first.push(row as IdxSize);
        }
        out.of_row.push(group);
    }
    out
}
