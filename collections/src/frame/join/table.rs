//! The table of one side's keys: where the rows of a key begin, and which row of the same key comes next.
//!
//! Keys that are whole numbers of a narrow range have a bit each in a map of the range, and are found by their rank among the bits that are
//! set; those of a wide range are hashed as one word, whatever the number of columns; all others by the hash of the row. What is found is the
//! same. It refuses to know kinds of joins.

use super::matches::Keys;

/// No row: the end of a chain.
pub(super) const END: u32 = u32::MAX;

/// Stands for keys that are not in the range of a table. No range reaches it.
const OUTSIDE: u64 = u64::MAX;
/// A map of a range has up to so many bits for each row of the table, or as many as are always few.
const BITS_PER_ROW: u64 = 32;
const FEW_BITS: u64 = 1 << 24;
/// Rows whose words are computed together, so that they stay in the first cache.
const BLOCK: usize = 1024;

/// Rows by their keys: chains of ascending rows.
pub(crate) struct Table {
    by: By,
    /// The next row of a chain. Empty when each chain is one row.
    next: Vec<u32>,
    nulls_equal: bool,
}

enum By {
    /// All rows of a chain have one key.
    Rank {
        range: Range,
        ranks: Vec<Rank>,
        heads: Vec<u32>,
    },
    /// Words of all rows, and chains of those that share a slot.
    Word {
        range: Range,
        words: Vec<u64>,
        heads: Vec<u32>,
    },
    Hash {
        heads: Vec<u32>,
    },
}

/// Sixty-four keys of a range: which are there, and how many are before them.
#[derive(Clone, Copy, Default)]
struct Rank {
    bits: u64,
    before: u32,
}

/// Whole numbers in several columns as one: digits that count from the least value of their column.
struct Range {
    columns: Vec<(i64, u64)>,
    /// How many words there are.
    words: u64,
}

impl Range {
    /// That of the rows without nulls; `None` without whole numbers, and when the digits do not fit into a word.
    fn of(keys: &Keys) -> Option<Self> {
        let mut columns = Vec::new();
        let mut words = 1u64;
        for column in keys.whole()? {
            let wider = |(least, most): (i64, i64), x: &i64| (least.min(*x), most.max(*x));
            let values = column.values().iter();
            let (least, most) = match keys.null() {
                None => values.fold((i64::MAX, i64::MIN), wider),
                Some(null) => values.zip(null).filter(|(_, null)| !**null).map(|(x, _)| x).fold((i64::MAX, i64::MIN), wider),
            };
            // Without rows there is one word, which nothing has.
            let (least, values) = if least > most { (0, 1) } else { (least, (most.wrapping_sub(least) as u64).checked_add(1)?) };
            words = words.checked_mul(values).filter(|words| *words < OUTSIDE)?;
            columns.push((least, values));
        }
        Some(Self { columns, words })
    }

    /// The words of rows from `from` on; of the same types as those that the range is of.
    fn words(&self, keys: &Keys, from: usize, out: &mut [u64]) {
        let columns = keys.whole().unwrap_or_default();
        for (at, (column, (least, values))) in columns.iter().zip(&self.columns).enumerate() {
            let rows = out.iter_mut().zip(&column.values().as_slice()[from..]);
            let digit = |x: i64| x.wrapping_sub(*least) as u64;
            match at {
                0 => rows.for_each(|(out, x)| *out = if digit(*x) < *values { digit(*x) } else { OUTSIDE }),
                _ => rows.for_each(|(out, x)| {
                    *out = if digit(*x) < *values && *out != OUTSIDE { *out * *values + digit(*x) } else { OUTSIDE };
                }),
            }
        }
        if let Some(null) = keys.null() {
            out.iter_mut().zip(&null[from..]).filter(|(_, null)| **null).for_each(|(out, _)| *out = OUTSIDE);
        }
    }

    fn each(&self, keys: &Keys, mut each: impl FnMut(usize, u64)) {
        let mut words = [0u64; BLOCK];
        for from in (0..keys.rows()).step_by(BLOCK) {
            let words = &mut words[..BLOCK.min(keys.rows() - from)];
            self.words(keys, from, words);
            words.iter().enumerate().for_each(|(at, word)| each(from + at, *word));
        }
    }
}

impl Table {
    /// A table of all rows that may have an equal.
    pub fn of(keys: &Keys, nulls_equal: bool) -> Self {
        // A null that may equal another one is no number.
        let range = if nulls_equal && keys.null().is_some() { None } else { Range::of(keys) };
        match range {
            Some(range) if range.words <= FEW_BITS.max(BITS_PER_ROW * keys.rows() as u64) => Self::ranked(range, keys, nulls_equal),
            Some(range) => Self::of_words(range, keys, nulls_equal),
            None => Self::hashed(keys, nulls_equal),
        }
    }

    fn ranked(range: Range, keys: &Keys, nulls_equal: bool) -> Self {
        let mut ranks = vec![Rank::default(); (range.words / 64 + 1) as usize];
        let mut rows = 0;
        range.each(keys, |_, word| {
            if word != OUTSIDE {
                ranks[(word / 64) as usize].bits |= 1 << (word % 64);
                rows += 1;
            }
        });
        let mut distinct = 0;
        for rank in &mut ranks {
            rank.before = distinct;
            distinct += rank.bits.count_ones();
        }
        let mut heads = vec![END; distinct as usize];
        let mut next = Vec::new();
        if distinct as usize == rows {
            range.each(keys, |row, word| {
                if let Some(rank) = rank_of(&ranks, word) {
                    heads[rank] = row as u32;
                }
            });
        } else {
            // Each row at the end of its chain.
            next = vec![END; keys.rows()];
            let mut last = vec![END; distinct as usize];
            range.each(keys, |row, word| {
                let Some(rank) = rank_of(&ranks, word) else { return };
                match last[rank] {
                    END => heads[rank] = row as u32,
                    before => next[before as usize] = row as u32,
                }
                last[rank] = row as u32;
            });
        }
        Self { by: By::Rank { range, ranks, heads }, next, nulls_equal }
    }

    fn of_words(range: Range, keys: &Keys, nulls_equal: bool) -> Self {
        let mut words = Vec::with_capacity(keys.rows());
        range.each(keys, |_, word| words.push(word));
        let slots = |word: u64, heads: usize| if word == OUTSIDE { None } else { Some(slot(mixed(word), heads)) };
        let (heads, next) = chains(keys.rows(), |row, heads| slots(words[row], heads));
        Self { by: By::Word { range, words, heads }, next, nulls_equal }
    }

    fn hashed(keys: &Keys, nulls_equal: bool) -> Self {
        let hashes = keys.hashes();
        let (heads, next) =
            chains(keys.rows(), |row, heads| if keys.takes_part(row, nulls_equal) { Some(slot(hashes[row], heads)) } else { None });
        Self { by: By::Hash { heads }, next, nulls_equal }
    }

    /// Bytes that it takes.
    pub fn nbytes(&self) -> u64 {
        let by = match &self.by {
            By::Rank { ranks, heads, .. } => std::mem::size_of_val(&ranks[..]) + 4 * heads.len(),
            By::Word { words, heads, .. } => 8 * words.len() + 4 * heads.len(),
            By::Hash { heads } => 4 * heads.len(),
        };
        (by + 4 * self.next.len()) as u64
    }

    /// Calls `each` for each row of `keys` with the first row of the table that equals it, or [`END`].
    pub(super) fn each(&self, built: &Keys, keys: &Keys, mut each: impl FnMut(usize, u32)) {
        match &self.by {
            By::Rank { range, ranks, heads } => {
                range.each(keys, |row, word| each(row, rank_of(ranks, word).map_or(END, |rank| heads[rank])));
            }
            By::Word { range, words, heads } => range.each(keys, |row, word| each(row, self.with_word(words, heads, word))),
            By::Hash { heads } => (0..keys.rows()).for_each(|row| each(row, self.with_hash(built, heads, keys, row))),
        }
    }

    /// Whether each row of `keys` has an equal in the table.
    pub(super) fn meets(&self, built: &Keys, keys: &Keys, mut each: impl FnMut(usize, bool)) {
        match &self.by {
            By::Rank { range, ranks, .. } => range.each(keys, |row, word| each(row, is_there(ranks, word))),
            By::Word { .. } | By::Hash { .. } => self.each(built, keys, |row, first| each(row, first != END)),
        }
    }

    fn with_word(&self, words: &[u64], heads: &[u32], word: u64) -> u32 {
        if word == OUTSIDE {
            return END;
        }
        let mut at = heads[slot(mixed(word), heads.len())];
        while at != END && words[at as usize] != word {
            at = self.next[at as usize];
        }
        at
    }

    fn with_hash(&self, built: &Keys, heads: &[u32], keys: &Keys, row: usize) -> u32 {
        if !keys.takes_part(row, self.nulls_equal) {
            return END;
        }
        let mut at = heads[slot(keys.hashes()[row], heads.len())];
        while at != END && !keys.equal(row, built, at as usize) {
            at = self.next[at as usize];
        }
        at
    }

    /// The next row of the table that equals this one of it.
    pub(super) fn after(&self, built: &Keys, row: u32) -> u32 {
        let Some(next) = self.next.get(row as usize) else { return END };
        let mut at = *next;
        match &self.by {
            By::Rank { .. } => {}
            By::Word { words, .. } => {
                while at != END && words[at as usize] != words[row as usize] {
                    at = self.next[at as usize];
                }
            }
            By::Hash { .. } => {
                while at != END && !built.equal(row as usize, built, at as usize) {
                    at = self.next[at as usize];
                }
            }
        }
        at
    }

    /// The first row of the table that equals each row of `keys`.
    pub fn firsts(&self, built: &Keys, keys: &Keys) -> Vec<Option<usize>> {
        let mut firsts = Vec::with_capacity(keys.rows());
        self.each(built, keys, |_, first| firsts.push((first != END).then_some(first as usize)));
        firsts
    }

    /// A row that has an equal before it, if there is one.
    pub fn repeated(&self, built: &Keys) -> Option<usize> {
        if self.next.is_empty() {
            return None;
        }
        self.firsts(built, built).into_iter().enumerate().find(|(row, first)| first.is_some_and(|first| first < *row)).map(|(row, _)| row)
    }
}

/// The place of a word among those that are there.
fn rank_of(ranks: &[Rank], word: u64) -> Option<usize> {
    let rank = ranks.get((word / 64) as usize)?;
    let bit = 1u64 << (word % 64);
    (rank.bits & bit != 0).then(|| (rank.before + (rank.bits & (bit - 1)).count_ones()) as usize)
}

fn is_there(ranks: &[Rank], word: u64) -> bool {
    ranks.get((word / 64) as usize).is_some_and(|rank| rank.bits >> (word % 64) & 1 == 1)
}

/// Chains of the rows that share a slot, ascending.
fn chains(rows: usize, slot: impl Fn(usize, usize) -> Option<usize>) -> (Vec<u32>, Vec<u32>) {
    let (mut heads, mut next) = (vec![END; rows.max(1).next_power_of_two()], vec![END; rows]);
    // From the last row to the first, each in front of its chain.
    for row in (0..rows).rev() {
        if let Some(slot) = slot(row, heads.len()) {
            next[row] = std::mem::replace(&mut heads[slot], row as u32);
        }
    }
    (heads, next)
}

/// The lower bits of the hash: the upper ones are the same for all rows of one part of a shuffle.
fn slot(hash: u64, heads: usize) -> usize {
    hash as usize & (heads - 1)
}

/// The lower bits of a word are those of its last column alone.
fn mixed(word: u64) -> u64 {
    let x = (word ^ (word >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^ (x >> 32)
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn keys(rows: &[(Option<i64>, Option<i32>)], several: bool) -> Keys {
        let first = Column::new("a".into(), rows.iter().map(|row| row.0).collect::<Vec<_>>());
        let second = Column::new("b".into(), rows.iter().map(|row| row.1).collect::<Vec<_>>()).cast(&DataType::Date).expect("days");
        Keys::of(&if several { vec![first, second] } else { vec![first] }).expect("whole numbers")
    }

    /// For each row the rows of the table that equal it.
    fn found(table: &Table, built: &Keys, keys: &Keys) -> Vec<Vec<u32>> {
        let (mut found, mut meets) = (Vec::new(), Vec::new());
        table.each(built, keys, |row, first| {
            assert_eq!(row, found.len());
            let chain = std::iter::successors(Some(first), |at| Some(table.after(built, *at)));
            found.push(chain.take_while(|at| *at != END).collect());
        });
        table.meets(built, keys, |_, one| meets.push(one));
        assert_eq!(meets, found.iter().map(|rows: &Vec<u32>| !rows.is_empty()).collect::<Vec<_>>());
        found
    }

    fn rows() -> impl Strategy<Value = Vec<(Option<i64>, Option<i32>)>> {
        let number = prop_oneof![-3i64..60, -3i64..4, any::<i64>(), (0i64..5).prop_map(|x| x << 32), (0i64..3).prop_map(|x| i64::MAX - x)];
        vec((option::weighted(0.9, number), option::weighted(0.9, -1i32..3)), 0..70)
    }

    proptest! {
        #[test]
        fn the_three_kinds_of_tables_find_the_same(built in rows(), looked in rows(), several in any::<bool>()) {
            let (built, looked) = (keys(&built, several), keys(&looked, several));
            let expected = Table::hashed(&built, false);
            let of_expected = found(&expected, &built, &looked);
            if let Some(range) = Range::of(&built) {
                let table = Table::of_words(range, &built, false);
                prop_assert_eq!(&found(&table, &built, &looked), &of_expected);
                prop_assert_eq!(table.repeated(&built), expected.repeated(&built));
            }
            if let Some(range) = Range::of(&built).filter(|range| range.words <= FEW_BITS) {
                let table = Table::ranked(range, &built, false);
                prop_assert_eq!(&found(&table, &built, &looked), &of_expected);
                prop_assert_eq!(table.repeated(&built), expected.repeated(&built));
            }
            let (equal, plain) = (Table::of(&built, true), Table::hashed(&built, true));
            prop_assert_eq!(found(&equal, &built, &looked), found(&plain, &built, &looked));
        }
    }

    #[test]
    fn the_range_decides_the_kind() {
        let of = |rows: &[i64]| Table::of(&keys(&rows.iter().map(|x| (Some(*x), Some(0))).collect::<Vec<_>>(), false), false).by;
        assert!(matches!(of(&[]), By::Rank { .. }));
        assert!(matches!(of(&[5, -3, 5]), By::Rank { .. }));
        assert!(matches!(of(&[0, 1 << 40]), By::Word { .. }));
        assert!(matches!(of(&[i64::MIN, i64::MAX]), By::Hash { .. }));
    }
}
