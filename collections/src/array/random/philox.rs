//! Philox4x32-10: random words that are a function of a key and a counter (J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel
//! random numbers: as easy as 1, 2, 3", 2011).
//!
//! It refuses to know distributions. The invariant: a word depends on seed, call, place and attempt, and on nothing else; no two of these
//! share a counter.

use serde::{Deserialize, Serialize};

use crate::array::tile::wide::wide;

/// What one call draws from: a word for each place, and as many more for it as are needed.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// Given by the user.
    pub seed: u64,
    /// Which call of a generator.
    pub call: u32,
}

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// Counters that are worked on side by side, so that the processor does several at a time.
const LANES: usize = 8;

/// Both halves of a product.
#[inline(always)]
fn product(a: u32, b: u32) -> (u32, u32) {
    let product = u64::from(a) * u64::from(b);
    ((product >> 32) as u32, product as u32)
}

/// The function itself, on several counters.
#[inline(always)]
fn philox<const N: usize>(mut counter: [[u32; N]; 4], mut key: [u32; 2]) -> [[u32; N]; 4] {
    for _ in 0..ROUNDS {
        let mut next = [[0; N]; 4];
        for lane in 0..N {
            let (high_0, low_0) = product(MULTIPLIERS[0], counter[0][lane]);
            let (high_1, low_1) = product(MULTIPLIERS[1], counter[2][lane]);
            next[0][lane] = high_1 ^ counter[1][lane] ^ key[0];
            next[1][lane] = low_1;
            next[2][lane] = high_0 ^ counter[3][lane] ^ key[1];
            next[3][lane] = low_0;
        }
        counter = next;
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// Two words of each of several counters, which follow each other.
#[inline(always)]
fn blocks<const N: usize>(stream: &Stream, first: u64, attempt: u32) -> [[u64; 2]; N] {
    let number = |lane: usize| first.wrapping_add(lane as u64);
    let counter = [
        std::array::from_fn(|lane| number(lane) as u32),
        std::array::from_fn(|lane| (number(lane) >> 32) as u32),
        [stream.call; N],
        [attempt; N],
    ];
    let found = philox(counter, [stream.seed as u32, (stream.seed >> 32) as u32]);
    let mut words = [[0; 2]; N];
    for (lane, pair) in words.iter_mut().enumerate() {
        let word = |at: usize| u64::from(found[at][lane]) | (u64::from(found[at + 1][lane]) << 32);
        *pair = [word(0), word(2)];
    }
    words
}

/// Two more words for one place; attempts count from 1.
pub fn more(stream: &Stream, place: u64, attempt: u32) -> [u64; 2] {
    blocks::<1>(stream, place, attempt)[0]
}

wide! {
    /// A word for each place from `first` on.
    pub fn words<>(stream: &Stream, first: u64, out: &mut [u64]) {
        // Places share counters in pairs, so an odd first one begins in the middle.
        let (mut place, mut rest) = (first, out);
        while !rest.is_empty() {
            let skipped = (place % 2) as usize;
            let found = blocks::<LANES>(stream, place / 2, 0);
            let count = rest.len().min(2 * LANES - skipped);
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(&found.as_flattened()[skipped..][..count]);
            (place, rest) = (place + count as u64, later);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers that the authors publish with their code.
    #[test]
    fn known_answers() {
        let check = |counter: [u32; 4], key: [u32; 2], expected: [u32; 4]| {
            assert_eq!(philox(counter.map(|word| [word]), key).map(|word| word[0]), expected);
        };
        check([0; 4], [0; 2], [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]);
        check([u32::MAX; 4], [u32::MAX; 2], [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]);
        check(
            [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344],
            [0xA409_3822, 0x299F_31D0],
            [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1],
        );
    }

    #[test]
    fn a_word_depends_on_its_place_alone() {
        let stream = Stream { seed: 0x0123_4567_89AB_CDEF, call: 3 };
        let mut all = vec![0; 100];
        words(&stream, 0, &mut all);
        for first in 0..40 {
            for len in [0, 1, 2, 15, 16, 17, 33, 60] {
                let mut some = vec![0; len];
                words(&stream, first as u64, &mut some);
                assert_eq!(some, all[first..first + len]);
            }
        }
        let mut others = all.clone();
        words(&Stream { call: 4, ..stream }, 0, &mut others);
        assert!(all.iter().zip(&others).all(|(a, b)| a != b));
        assert!(all.iter().all(|word| !more(&stream, 0, 1).contains(word)));
    }
}
