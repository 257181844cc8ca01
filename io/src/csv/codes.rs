//! Text with few distinct values as numbers into a list of them: a group-by then never hashes a text again. It refuses to know
//! what the text means.
//!
//! The invariant: `values` are distinct and stand in order of first appearance; every code is an index into them.

use super::columns::{Cell, OnTrouble, Trouble, Window};
use super::text::Texts;
use std::collections::HashMap;

/// More distinct values than this, and a column goes on as plain text.
const MOST_VALUES: usize = 4096;
/// Longer texts are looked up in a common hash map.
const LONGEST_KEY: usize = 15;

/// A column of codes under way.
pub(super) struct Coder {
    pub codes: Vec<u32>,
    pub values: Vec<Option<String>>,
    table: Table,
    long: HashMap<Box<[u8]>, u32>,
    null: Option<u32>,
    bytes: usize,
}

impl Default for Coder {
    fn default() -> Self {
        Self { codes: Vec::new(), values: Vec::new(), table: Table::new(512), long: HashMap::new(), null: None, bytes: 0 }
    }
}

impl Coder {
    /// Appends a column of the window.
    pub fn decode(&mut self, window: &Window<'_>, column: usize, on_trouble: OnTrouble<'_>) {
        let mut codes = std::mem::take(&mut self.codes);
        let try_quick = window.rules.nulls.is_empty() && !window.records.quoted;
        codes.extend(window.spans(column).map(|(start, end)| {
            let length = end - start;
            let code = if try_quick && (1..=LONGEST_KEY).contains(&length) {
                window.bytes[start..].first_chunk::<16>().and_then(|chunk| self.table.find(key(*chunk, length)))
            } else {
                None
            };
            code.unwrap_or_else(|| self.slowly(window, (start, end), on_trouble))
        }));
        self.codes = codes;
    }

    #[cold]
    #[inline(never)]
    fn slowly(&mut self, window: &Window<'_>, (start, end): (usize, usize), on_trouble: OnTrouble<'_>) -> u32 {
        let mut scratch = Vec::new();
        match window.cell(start, end, &mut scratch) {
            Cell::Text(text, quoted) if quoted || !text.is_empty() || !window.rules.empty_is_null => {
                self.code(text, window.rules.lossy).unwrap_or_else(|| {
                    on_trouble(start, text, Trouble::NotUtf8);
                    self.null()
                })
            }
            _ => self.null(),
        }
    }

    /// The code of a text, new or known. `None`: it is not UTF-8, and that is not allowed.
    fn code(&mut self, text: &[u8], lossy: bool) -> Option<u32> {
        let key = short_key(text);
        let known = key.map_or_else(|| self.long.get(text).copied(), |key| self.table.find(key));
        if known.is_some() {
            return known;
        }
        let code = match std::str::from_utf8(text) {
            Ok(text) => self.add(Some(text.to_owned())),
            // Other broken bytes may have become the same text already.
            Err(_) if lossy => self.code(String::from_utf8_lossy(text).as_bytes(), false)?,
            Err(_) => return None,
        };
        match key {
            Some(key) => self.table.insert(key, code),
            None => {
                self.long.insert(text.into(), code);
            }
        }
        Some(code)
    }

    fn null(&mut self) -> u32 {
        match self.null {
            Some(code) => code,
            None => {
                let code = self.add(None);
                self.null = Some(code);
                code
            }
        }
    }

    fn add(&mut self, value: Option<String>) -> u32 {
        self.bytes += value.as_ref().map_or(0, String::len) + size_of::<Option<String>>();
        self.values.push(value);
        self.values.len() as u32 - 1
    }

    /// Whether codes no longer pay.
    pub fn is_too_diverse(&self) -> bool {
        self.values.len() > MOST_VALUES
    }

    /// The same as text.
    pub fn to_texts(&self) -> Texts {
        let mut texts = Texts::default();
        for &code in &self.codes {
            match &self.values[code as usize] {
                Some(text) => texts.push(text),
                None => texts.push_null(),
            }
        }
        texts
    }

    pub fn reserve(&mut self, rows: usize) {
        self.codes.reserve(rows);
    }

    pub fn nbytes(&self) -> usize {
        size_of_val(&*self.codes) + self.bytes
    }
}

/// A short text as one number: its bytes, and its length above them.
#[inline(always)]
fn key(chunk: [u8; 16], length: usize) -> u128 {
    (u128::from_le_bytes(chunk) & MASKS[length]) | ((length as u128 + 1) << 120)
}

/// The lowest bytes of a 16-byte word.
const MASKS: [u128; LONGEST_KEY + 1] = {
    let mut masks = [0; LONGEST_KEY + 1];
    let mut length = 1;
    while length <= LONGEST_KEY {
        masks[length] = u128::MAX >> (128 - 8 * length);
        length += 1;
    }
    masks
};

fn short_key(text: &[u8]) -> Option<u128> {
    let mut chunk = [0; 16];
    chunk.get_mut(..text.len()).filter(|_| text.len() <= LONGEST_KEY)?.copy_from_slice(text);
    Some(key(chunk, text.len()))
}

/// Short texts to codes by open addressing. Keys are never 0, so 0 marks a free place.
struct Table {
    places: Vec<(u128, u32)>,
    used: usize,
}

impl Table {
    /// `size` is a power of two.
    fn new(size: usize) -> Self {
        Self { places: vec![(0, 0); size], used: 0 }
    }

    #[inline(always)]
    fn find(&self, key: u128) -> Option<u32> {
        let mask = self.places.len() - 1;
        let mut at = hash(key) as usize;
        loop {
            let (found, code) = self.places[at & mask];
            if found == key {
                return Some(code);
            }
            if found == 0 {
                return None;
            }
            at += 1;
        }
    }

    /// The key is not in the table.
    fn insert(&mut self, key: u128, code: u32) {
        if 4 * self.used >= self.places.len() {
            let mut larger = Table::new(4 * self.places.len());
            self.places.iter().filter(|(key, _)| *key != 0).for_each(|&(key, code)| larger.insert(key, code));
            *self = larger;
        }
        let mask = self.places.len() - 1;
        let mut at = hash(key) as usize & mask;
        while self.places[at].0 != 0 {
            at = (at + 1) & mask;
        }
        self.places[at] = (key, code);
        self.used += 1;
    }
}

/// Mixes all bytes of a key into the low bits.
#[inline(always)]
fn hash(key: u128) -> u64 {
    let folded = (key as u64) ^ ((key >> 64) as u64).rotate_left(29);
    let product = u128::from(folded) * 0x9E37_79B9_7F4A_7C15;
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_table_of_many_keys() {
        let mut table = Table::new(4);
        let keys: Vec<u128> =
            (0..5000u32).map(|n| short_key(format!("id{n:0width$}", width = n as usize % 9).as_bytes()).unwrap()).collect();
        for (code, &key) in keys.iter().enumerate() {
            if table.find(key).is_none() {
                table.insert(key, code as u32);
            }
        }
        for &key in &keys {
            let code = table.find(key).unwrap();
            assert_eq!(keys[code as usize], key);
        }
        assert_eq!(table.find(short_key(b"id").unwrap()), None);
    }

    proptest! {
        #[test]
        fn codes_stand_for_their_texts(texts in prop::collection::vec(prop::collection::vec(prop::sample::select(b"ab\0\xff\xfe".to_vec()), 0..20), 0..60)) {
            let mut coder = Coder::default();
            for text in &texts {
                let code = coder.code(text, true).unwrap();
                prop_assert_eq!(coder.values[code as usize].as_deref(), Some(&*String::from_utf8_lossy(text)));
            }
            let mut distinct = coder.values.clone();
            distinct.sort();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), coder.values.len());
            for text in &texts {
                let strict = Coder::default().code(text, false);
                prop_assert_eq!(strict.is_some(), std::str::from_utf8(text).is_ok());
            }
        }
    }
}
