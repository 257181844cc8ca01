//! How many different hashes there were, from 16,384 numbers: HyperLogLog.
//!
//! It refuses to know what was hashed. Invariant: sketches merge to the sketch of all hashes, whatever came where and how often.
//!
//! Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm", AofA 2007; the
//! estimator without tables of corrections is of Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017, algorithm 6.

use serde::{Deserialize, Serialize};

/// Bits of a hash that choose a register. The standard error is 1.04 divided by the root of the number of registers.
const CHOOSING: u32 = 14;
const REGISTERS: usize = 1 << CHOOSING;
/// The bits that are left, whose leading zeros are counted.
const COUNTED: u32 = 64 - CHOOSING;

/// A sketch of hashes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct HyperLogLog {
    /// The longest run of leading zeros that each register saw, and one; zero for those that saw nothing.
    registers: Vec<u8>,
}

impl Default for HyperLogLog {
    fn default() -> Self {
        Self { registers: vec![0; REGISTERS] }
    }
}

impl HyperLogLog {
    pub fn add(&mut self, hash: u64) {
        let register = (hash >> COUNTED) as usize;
        // One bit below those that are counted ends the run.
        let rest = (hash << CHOOSING) | (1 << (CHOOSING - 1));
        let rank = rest.leading_zeros() as u8 + 1;
        self.registers[register] = self.registers[register].max(rank);
    }

    pub fn merge(&mut self, other: &Self) {
        self.registers.iter_mut().zip(&other.registers).for_each(|(mine, its)| *mine = (*mine).max(*its));
    }

    /// About how many different hashes were added.
    pub fn estimate(&self) -> f64 {
        let mut counts = [0u32; COUNTED as usize + 2];
        self.registers.iter().for_each(|rank| counts[usize::from(*rank).min(COUNTED as usize + 1)] += 1);
        let all = REGISTERS as f64;
        let mut z = all * tau(1.0 - f64::from(counts[COUNTED as usize + 1]) / all);
        for count in counts[1..=COUNTED as usize].iter().rev() {
            z = 0.5 * (z + f64::from(*count));
        }
        z += all * sigma(f64::from(counts[0]) / all);
        all * all / (2.0 * std::f64::consts::LN_2 * z)
    }
}

/// What registers that saw nothing add.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// What registers that are full add.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    fn sketch(values: std::ops::Range<u64>) -> HyperLogLog {
        let mut sketch = HyperLogLog::default();
        values.for_each(|value| sketch.add(xxh3_64(&value.to_le_bytes())));
        sketch
    }

    #[test]
    fn numbers_of_all_sizes_are_estimated() {
        assert_eq!(HyperLogLog::default().estimate(), 0.0);
        for count in [1u64, 10, 100, 1_000, 10_000, 50_000, 100_000, 1_000_000] {
            let error = (sketch(0..count).estimate() - count as f64).abs() / count as f64;
            // Four times the standard error.
            assert!(error < 0.033, "{count}: {error}");
        }
    }

    #[test]
    fn sketches_merge_to_that_of_all() {
        let mut merged = sketch(0..3_000);
        merged.merge(&sketch(2_000..5_000));
        merged.merge(&HyperLogLog::default());
        assert_eq!(merged, sketch(0..5_000));
    }

    #[test]
    fn registers_that_are_full_do_no_harm() {
        let mut full = HyperLogLog::default();
        (0..REGISTERS as u64).for_each(|register| full.add(register << COUNTED));
        assert!(full.estimate() > 1e15);
    }
}
