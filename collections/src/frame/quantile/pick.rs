//! Which values a quantile is made of, and how values are counted in buckets until those are found.
//!
//! It refuses to know frames and partitions. Invariant: what comes out is what polars computes of all values at once; NaN is the greatest.

use polars::prelude::QuantileMethod;
use serde::{Deserialize, Serialize};

/// Between which ranks (from 0) a quantile lies.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Ranks {
    pub low: u64,
    pub high: u64,
    /// How far it is on the way from the lower to the upper.
    share: f64,
    method: QuantileMethod,
}

impl Ranks {
    /// Of the quantile of `count` values; there is at least one.
    pub fn of(quantile: f64, count: u64, method: QuantileMethod) -> Self {
        let last = count - 1;
        let exact = last as f64 * quantile;
        let (low, high) = match method {
            QuantileMethod::Nearest => (exact.round(), exact.round()),
            QuantileMethod::Lower => (exact.floor(), exact.floor()),
            QuantileMethod::Higher => (exact.ceil(), exact.ceil()),
            QuantileMethod::Equiprobable => {
                let rank = ((count as f64 * quantile).ceil() - 1.0).max(0.0);
                (rank, rank)
            }
            QuantileMethod::Midpoint | QuantileMethod::Linear => (exact.floor(), exact.ceil()),
        };
        let (low, high) = ((low as u64).min(last), (high as u64).min(last));
        Self { low, high, share: exact - low as f64, method }
    }

    /// The quantile, from the values at its ranks.
    pub fn value(&self, low: f64, high: f64) -> f64 {
        if self.low == self.high || low == high {
            return low;
        }
        match self.method {
            QuantileMethod::Midpoint => (low + high) / 2.0,
            _ => self.share * (high - low) + low,
        }
    }
}

/// One value for all that are equal, so that they compare as equal.
pub(super) fn canonical(value: f64) -> f64 {
    // Adding zero takes the sign off a negative zero.
    if value.is_nan() { f64::NAN.abs() } else { value + 0.0 }
}

/// At most `most` of these values, about equally far apart in rank, each once and ascending: what buckets are cut by.
pub(super) fn cuts(mut weighed: Vec<(f64, f64)>, most: usize) -> Vec<f64> {
    weighed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let all: f64 = weighed.iter().map(|(_, weight)| weight).sum();
    let mut cuts: Vec<f64> = Vec::new();
    let (mut before, mut next) = (0.0, 1);
    for (value, weight) in weighed {
        let reached = before >= all * f64::from(next) / (most + 1) as f64;
        before += weight;
        if !reached {
            continue;
        }
        while before >= all * f64::from(next) / (most + 1) as f64 && (next as usize) <= most {
            next += 1;
        }
        if cuts.last().is_none_or(|last| last.total_cmp(&value).is_lt()) && cuts.len() < most {
            cuts.push(value);
        }
    }
    cuts
}

/// Which bucket a value belongs to: even ones lie between cuts, odd ones are the cuts themselves, so that a value that most rows have
/// needs to be counted only.
pub(super) fn bucket(cuts: &[f64], value: f64) -> usize {
    let at = cuts.partition_point(|cut| cut.total_cmp(&value).is_lt());
    let is_cut = cuts.get(at).is_some_and(|cut| cut.total_cmp(&value).is_eq());
    2 * at + usize::from(is_cut)
}

/// How many buckets there are between and on cuts.
pub(super) fn buckets(cuts: &[f64]) -> usize {
    2 * cuts.len() + 1
}

/// Where the value of a rank is to be found.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(super) enum Found {
    /// It is this.
    Value(f64),
    /// It is the value of that rank within a bucket, from 0.
    Within { bucket: u32, rank: u64 },
}

/// Where the value of `rank` is, given how many values each bucket has.
pub(super) fn find(cuts: &[f64], counts: &[u64], mut rank: u64) -> Option<Found> {
    for (bucket, count) in counts.iter().enumerate() {
        if rank < *count {
            let cut = cuts.get(bucket / 2).filter(|_| bucket % 2 == 1);
            return Some(cut.map_or(Found::Within { bucket: bucket as u32, rank }, |cut| Found::Value(*cut)));
        }
        rank -= count;
    }
    None
}

/// A quantile and where its values are.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Pick {
    pub ranks: Ranks,
    pub low: Found,
    pub high: Found,
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{Float64Chunked, IntoSeries, NewChunkedArray};

    const METHODS: [QuantileMethod; 6] = [
        QuantileMethod::Nearest,
        QuantileMethod::Lower,
        QuantileMethod::Higher,
        QuantileMethod::Midpoint,
        QuantileMethod::Linear,
        QuantileMethod::Equiprobable,
    ];

    #[test]
    fn values_are_those_of_polars() {
        let all = [3.0, -1.0, 7.5, 2.0, 2.0, 11.0, -4.25, 0.5];
        for count in 1..=all.len() {
            let mut values = all[..count].to_vec();
            let whole = Float64Chunked::from_slice("x".into(), &values).into_series();
            values.sort_unstable_by(f64::total_cmp);
            for method in METHODS {
                for quantile in [0.0, 0.1, 0.25, 0.5, 0.61, 0.75, 0.9, 1.0] {
                    let expected = whole.quantile_reduce(quantile, method).expect("a quantile of numbers").value().extract::<f64>();
                    let ranks = Ranks::of(quantile, count as u64, method);
                    let found = ranks.value(values[ranks.low as usize], values[ranks.high as usize]);
                    assert_eq!(Some(found), expected, "{quantile} of {values:?} by {method:?}");
                }
            }
        }
    }

    #[test]
    fn every_rank_is_found_whatever_the_cuts() {
        let mut values: Vec<f64> = (0..200).map(|i| canonical(f64::from(i * 37 % 50) / 4.0)).collect();
        values.extend([f64::NAN, -0.0, 0.0, f64::INFINITY, -f64::INFINITY].map(canonical));
        values.extend([5.0; 100]);
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        for most in [1, 2, 7, 30, 1000] {
            let cuts = cuts(values.iter().step_by(3).map(|value| (*value, 3.0)).collect(), most);
            assert!(cuts.len() <= most && cuts.is_sorted_by(|a, b| a.total_cmp(b).is_lt()), "{cuts:?}");
            let mut in_buckets = vec![Vec::new(); buckets(&cuts)];
            sorted.iter().for_each(|value| in_buckets[bucket(&cuts, *value)].push(*value));
            let counts: Vec<u64> = in_buckets.iter().map(|bucket| bucket.len() as u64).collect();
            for (rank, expected) in sorted.iter().enumerate() {
                let found = match find(&cuts, &counts, rank as u64).expect("the rank exists") {
                    Found::Value(value) => value,
                    Found::Within { bucket, rank } => in_buckets[bucket as usize][rank as usize],
                };
                assert!(found.total_cmp(expected).is_eq(), "rank {rank}: {found}, not {expected}");
            }
            assert_eq!(find(&cuts, &counts, sorted.len() as u64), None);
        }
    }

    #[test]
    fn cuts_divide_the_rows() {
        let even = |n: u32| (0..n).map(|i| (f64::from(i), 1.0)).collect::<Vec<_>>();
        assert_eq!(cuts(even(100), 3), [25.0, 50.0, 75.0]);
        assert!(cuts(Vec::new(), 3).is_empty());
        assert_eq!(cuts(vec![(1.0, 1.0); 100], 3), [1.0]);
    }
}
