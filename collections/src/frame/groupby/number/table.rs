//! An open-addressing table from hashes to numbers, and the numbering of words by it.
//!
//! It refuses to know keys: whoever asks compares them. A slot is a number alone, so that the slots of many keys fit into a cache. Rows
//! come in blocks: first the slot of each is read, which waits for no comparison, then the keys are compared. A slot that was read is a
//! guess: it may be that of another key, and it is found out by comparing.

use polars::prelude::IdxSize;

/// Marks a slot that is free; no key has this number.
const FREE: u32 = u32::MAX;
/// Rows that are looked at together, so that what is known of them stays in the first cache.
pub(super) const BLOCK: usize = 2048;
/// Slots for each number where keys come again and again: nearly all are found in the first slot.
const ROOMY: usize = 8;
/// Slots for each number where most keys are new.
const NARROW: usize = 2;
/// Tables of up to so many slots grow in large steps.
const LARGE: usize = 1 << 18;

/// Spreads a word over all bits: both halves of its product with an odd constant.
pub(super) fn mix(word: u64) -> u64 {
    let product = u128::from(word) * 0x9E37_79B9_7F4A_7C15;
    (product >> 64) as u64 ^ product as u64
}

/// Numbers in order of first appearance, by hash.
pub(super) struct Table {
    slots: Vec<u32>,
    /// How far a hash is shifted so that it is the place of a slot.
    shift: u32,
    /// The upper half of each number's hash.
    hashes: Vec<u32>,
    /// A number that no hash leads to.
    left_out: Option<u32>,
    /// Rows that were announced, and how many there will be.
    rows: usize,
    all_rows: usize,
}

impl Table {
    /// A table for so many rows.
    pub fn new(rows: usize) -> Self {
        let slots = (rows.min(BLOCK) * NARROW).next_power_of_two().max(16);
        Self { slots: vec![FREE; slots], shift: 64 - slots.trailing_zeros(), hashes: Vec::new(), left_out: None, rows: 0, all_rows: rows }
    }

    /// How many keys have numbers.
    pub fn len(&self) -> u32 {
        self.hashes.len() as u32
    }

    /// Makes room for so many rows that are looked up next.
    pub fn announce(&mut self, rows: usize) {
        let count = self.hashes.len();
        let repeated = count * 2 < self.rows;
        let wanted = ((count + rows) * NARROW).max(if repeated { count * ROOMY } else { 0 });
        if wanted > self.slots.len() {
            let step = if self.slots.len() < LARGE { 4 } else { 2 };
            // Where nearly all keys were new, those of the other rows will be.
            let all_new = self.slots.len() >= LARGE && count * 10 > self.rows * 9;
            let expected = if all_new { self.all_rows * NARROW } else { 0 };
            self.grow(wanted.max(expected).max(self.slots.len() * step).next_power_of_two());
        }
        self.rows += rows;
    }

    /// A guess: the number that a key of this hash most likely has, if it has one.
    #[inline]
    pub fn guess(&self, hash: u64) -> u32 {
        self.slots[(hash >> self.shift) as usize]
    }

    /// The number that `same` accepts, or the next one. For no more rows than were announced.
    #[inline]
    pub fn number(&mut self, hash: u64, same: impl Fn(u32) -> bool) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = (hash >> self.shift) as usize;
        loop {
            let number = self.slots[at];
            if number == FREE {
                break;
            }
            if same(number) {
                return number;
            }
            at = (at + 1) & mask;
        }
        let number = self.len();
        self.slots[at] = number;
        self.hashes.push((hash >> 32) as u32);
        number
    }

    /// The next number, for a key that is known without a hash.
    pub fn leave_out(&mut self) -> u32 {
        let number = self.len();
        self.hashes.push(0);
        self.left_out = Some(number);
        number
    }

    #[cold]
    fn grow(&mut self, size: usize) {
        self.slots = vec![FREE; size];
        self.shift = 64 - size.trailing_zeros();
        for (number, hash) in self.hashes.iter().enumerate().filter(|(number, _)| self.left_out != Some(*number as u32)) {
            let mut at = ((u64::from(*hash) << 32) >> self.shift) as usize;
            while self.slots[at] != FREE {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = number as u32;
        }
    }
}

/// The distinct words that were met so far, numbered in order of first appearance.
pub(super) struct Words {
    table: Table,
    known: Vec<u64>,
    null: Option<u32>,
    guesses: Vec<u32>,
    /// The row of each word's first appearance.
    pub first: Vec<IdxSize>,
}

impl Words {
    /// For so many rows.
    pub fn new(rows: usize) -> Self {
        Self { table: Table::new(rows), known: Vec::new(), null: None, guesses: vec![0; BLOCK.min(rows)], first: Vec::new() }
    }

    /// The number of the word of each row from `from` on, at most a block of them.
    pub fn numbers<T: From<u32>>(&mut self, from: usize, words: impl Iterator<Item = u64> + Clone, out: &mut [T]) {
        self.table.announce(out.len());
        let table = &self.table;
        self.guesses.iter_mut().zip(words.clone()).for_each(|(guess, word)| *guess = table.guess(mix(word)));
        for (at, (out, word)) in out.iter_mut().zip(words).enumerate() {
            let guess = self.guesses[at];
            let number = if self.known.get(guess as usize) == Some(&word) { guess } else { self.number(from + at, word) };
            *out = T::from(number);
        }
    }

    /// The same where some rows have no word, which is one like any other.
    pub fn numbers_or_null<T: From<u32>>(&mut self, from: usize, words: impl Iterator<Item = Option<u64>>, out: &mut [T]) {
        self.table.announce(out.len());
        for (at, (out, word)) in out.iter_mut().zip(words).enumerate() {
            let number = match (word, self.null) {
                (Some(word), _) => self.number(from + at, word),
                (None, Some(null)) => null,
                (None, None) => {
                    let null = self.table.leave_out();
                    self.known.push(0);
                    self.first.push((from + at) as IdxSize);
                    *self.null.insert(null)
                }
            };
            *out = T::from(number);
        }
    }

    fn number(&mut self, row: usize, word: u64) -> u32 {
        let number = self.table.number(mix(word), |number| self.known[number as usize] == word);
        if number as usize == self.known.len() {
            self.known.push(word);
            self.first.push(row as IdxSize);
        }
        number
    }

    /// How many words were numbered.
    pub fn len(&self) -> u64 {
        self.known.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Tables that grow in small and large steps, at once to the size of all rows, and while keys come again.
    #[test]
    fn words_are_numbered_as_by_a_map() {
        for (rows, kinds) in [(400_000, 1 << 40), (400_000, 300_000), (200_000, 20_000), (200_000, 900)] {
            let words: Vec<u64> = (0..rows).map(|row| mix(row * 7 + 3) % kinds).collect();
            let (mut numbered, mut found) = (Words::new(words.len()), vec![0u32; words.len()]);
            for (at, (words, found)) in words.chunks(BLOCK).zip(found.chunks_mut(BLOCK)).enumerate() {
                numbered.numbers(at * BLOCK, words.iter().copied(), found);
            }
            let mut slowly: HashMap<u64, u32> = HashMap::new();
            for (row, word) in words.iter().enumerate() {
                let next = slowly.len() as u32;
                assert_eq!(found[row], *slowly.entry(*word).or_insert(next), "row {row} of {rows}, {kinds} kinds");
                assert!(found[row] != next || numbered.first[next as usize] as usize == row);
            }
            assert_eq!(numbered.len(), slowly.len() as u64);
        }
    }
}
