//! Where quantiles lie, from some hundred means: a t-digest.
//!
//! It refuses to know columns. Invariant: the weights add up to the number of values; means ascend; the fewer values lie beyond a mean, the
//! fewer stand behind it, so that extreme quantiles are exact.
//!
//! Dunning and Ertl, "Computing extremely accurate quantiles using t-digests", 2019; the merging digest, with the scale of 4 q (1 − q).

use serde::{Deserialize, Serialize};

/// How fine it is: about so many means for a thousand values, some more for more.
const FINENESS: f64 = 200.0;

/// Values that lie together.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Centroid {
    mean: f64,
    weight: f64,
}

/// A sketch of numbers.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Digest {
    centroids: Vec<Centroid>,
    /// Values that are no number. They are greater than all others.
    nans: u64,
}

impl Digest {
    /// Of these values.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let (mut digest, mut all) = (Self::default(), Vec::new());
        for value in values {
            match value.is_nan() {
                true => digest.nans += 1,
                false => all.push(Centroid { mean: value, weight: 1.0 }),
            }
        }
        digest.centroids = compressed(all);
        digest
    }

    /// Of the values of several.
    pub fn merged(digests: Vec<Self>) -> Self {
        let nans = digests.iter().map(|digest| digest.nans).sum();
        Self { centroids: compressed(digests.into_iter().flat_map(|digest| digest.centroids).collect()), nans }
    }

    /// About the quantile, between values in a line; `None` for no values.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let numbers: f64 = self.centroids.iter().map(|centroid| centroid.weight).sum();
        let all = numbers + self.nans as f64;
        if all == 0.0 {
            return None;
        }
        // Each value takes the place of one; a mean stands in the middle of the places of its values.
        let place = quantile * (all - 1.0) + 0.5;
        if self.nans > 0 && place > numbers - 0.5 {
            return Some(f64::NAN);
        }
        let mut before: Option<(f64, f64)> = None;
        let mut weight = 0.0;
        for centroid in &self.centroids {
            let (border, middle) = (weight, weight + centroid.weight / 2.0);
            weight += centroid.weight;
            if place <= middle {
                return Some(match before {
                    // There is no line between them: the values on either side of the border are what their mean is.
                    Some((mean, _)) if mean != centroid.mean && !(centroid.mean - mean).is_finite() => {
                        if place < border {
                            mean
                        } else {
                            centroid.mean
                        }
                    }
                    Some((mean, at)) if mean != centroid.mean && place < middle => {
                        mean + (centroid.mean - mean) * (place - at) / (middle - at)
                    }
                    _ => centroid.mean,
                });
            }
            before = Some((centroid.mean, middle));
        }
        before.map(|(mean, _)| mean)
    }
}

/// The same values behind fewer means.
fn compressed(mut centroids: Vec<Centroid>) -> Vec<Centroid> {
    centroids.sort_by(|a, b| a.mean.total_cmp(&b.mean));
    let all: f64 = centroids.iter().map(|centroid| centroid.weight).sum();
    let scale = |places: f64| 4.0 * places / all * (1.0 - places / all) * all / FINENESS;
    let mut kept: Vec<Centroid> = Vec::new();
    let mut before = 0.0;
    for next in centroids {
        let Some(last) = kept.last_mut() else {
            kept.push(next);
            continue;
        };
        let weight = last.weight + next.weight;
        // Infinite means stay what they are when they meet their like, and have no mean with others.
        let have_mean = last.mean == next.mean || (next.mean - last.mean).is_finite();
        if have_mean && weight <= scale(before).min(scale(before + weight)) {
            if last.mean != next.mean {
                last.mean += (next.mean - last.mean) * next.weight / weight;
            }
            last.weight = weight;
        } else {
            before += last.weight;
            kept.push(next);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(values: &[f64], quantile: f64) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let place = quantile * (sorted.len() - 1) as f64;
        let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        if low == high { low } else { low + (high - low) * (place - place.floor()) }
    }

    #[test]
    fn few_values_give_quantiles_exactly() {
        let values = [3.0, -1.0, 7.5, 2.0, 2.0, 11.0, -4.25, 0.5];
        for quantile in [0.0, 0.1, 0.25, 0.5, 0.61, 0.9, 1.0] {
            let parts = vec![Digest::of(values[..3].iter().copied()), Digest::default(), Digest::of(values[3..].iter().copied())];
            let found = Digest::merged(parts).quantile(quantile).expect("there are values");
            assert!((found - exact(&values, quantile)).abs() < 1e-12, "{quantile}: {found}");
        }
        assert_eq!(Digest::default().quantile(0.5), None);
    }

    #[test]
    fn many_values_give_ranks_within_a_hundredth() {
        let values: Vec<f64> = (0..100_000u32).map(|i| f64::from(i.wrapping_mul(2_654_435_761) % 99_991).powi(2)).collect();
        let digest = Digest::merged(values.chunks(7_000).map(|part| Digest::of(part.iter().copied())).collect());
        assert!(digest.centroids.len() < 2_000, "{}", digest.centroids.len());
        assert!(digest.centroids.is_sorted_by(|a, b| a.mean <= b.mean));
        for quantile in [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999] {
            let found = digest.quantile(quantile).expect("there are values");
            let rank = values.iter().filter(|value| **value <= found).count() as f64 / values.len() as f64;
            assert!((rank - quantile).abs() < 0.01 * (4.0 * quantile * (1.0 - quantile)).sqrt() + 1e-4, "{quantile}: rank {rank}");
        }
        assert_eq!(digest.quantile(1.0), values.iter().copied().reduce(f64::max));
    }

    #[test]
    fn values_that_are_no_numbers_are_the_greatest() {
        let digest = Digest::of([f64::NAN, 1.0, f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY].into_iter());
        assert_eq!(
            (digest.quantile(0.0), digest.quantile(0.25), digest.quantile(0.5)),
            (Some(f64::NEG_INFINITY), Some(1.0), Some(f64::INFINITY))
        );
        assert!(digest.quantile(1.0).is_some_and(f64::is_nan));
    }

    #[test]
    fn infinite_values_do_not_reach_others() {
        for (low, high) in [(f64::NEG_INFINITY, 1.0), (1.0, f64::INFINITY), (f64::NEG_INFINITY, f64::INFINITY), (-1.2e308, 1.2e308)] {
            let part = || Digest::of([[low; 500], [high; 500]].concat().into_iter());
            let digest = Digest::merged(vec![part(), part()]);
            let found = [0.0, 0.001, 0.4, 0.499, 0.501, 0.6, 0.999, 1.0].map(|quantile| digest.quantile(quantile));
            assert_eq!(found, [[Some(low); 4], [Some(high); 4]].concat()[..], "{low} and {high}");
        }
    }
}
