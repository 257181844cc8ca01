//! The operator that makes a block of random elements.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::angles::vonmises;
use super::discrete::{binomial, hypergeometric, poisson};
use super::draws::{Draws, each, unit};
use super::normal::fill;
use super::philox::{Stream, words};
use super::series::{logseries, zipf};
use crate::array::block::Block;
use crate::array::element::{DType, Held, with_dtype};
use crate::array::meta::{Place, advance};

/// How elements are spread.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) enum Distribution {
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
    Integers {
        low: i64,
        high: i64,
    },
    Bits,
    Exponential {
        scale: f64,
    },
    Gamma {
        form: f64,
        scale: f64,
    },
    Beta {
        a: f64,
        b: f64,
    },
    Poisson {
        rate: f64,
    },
    Binomial {
        count: u64,
        chance: f64,
    },
    Geometric {
        chance: f64,
    },
    NegativeBinomial {
        count: f64,
        chance: f64,
    },
    Hypergeometric {
        good: u64,
        bad: u64,
        sample: u64,
    },
    LogSeries {
        p: f64,
    },
    Zipf {
        a: f64,
    },
    VonMises {
        mean: f64,
        concentration: f64,
    },
    NoncentralChiSquare {
        freedom: f64,
        shift: f64,
    },
    /// One of these, given as bits; with the sums of all weights up to each.
    Choice {
        values: Vec<u128>,
        shares: Option<Vec<f64>>,
    },
}

/// Makes the block at a place.
#[derive(Serialize, Deserialize)]
pub(crate) struct RandomBlock {
    pub(super) stream: Stream,
    pub(super) distribution: Distribution,
    /// Of the whole array: elements are numbered in its row-major order.
    pub(super) shape: Vec<usize>,
    pub(super) dtype: DType,
}

impl Operator for RandomBlock {
    fn run(&self, ctx: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        let place: Place = ctx.arg()?.decode()?;
        if place.shape.len() != self.shape.len() || place.start.len() != self.shape.len() {
            return Err(Failure::internal("random: a place of another number of axes"));
        }
        let stretches = Stretches::of(&place, &self.shape);
        let count: usize = place.shape.iter().product();
        with_dtype!(self.dtype, T => {
            let mut values: Vec<T> = Vec::with_capacity(count);
            for first in stretches.firsts {
                ctx.check_cancelled()?;
                self.stretch(first, stretches.len, &mut values);
            }
            Ok(Chunk::new(Block::from_vec(place.shape, values)))
        })
    }
}

impl NamedOperator for RandomBlock {
    const NAME: &'static str = "array_random";
}

/// The pieces of a block that lie together in the whole array.
pub(super) struct Stretches {
    /// The numbers of their first elements.
    pub firsts: Vec<u64>,
    pub len: usize,
}

impl Stretches {
    pub fn of(place: &Place, shape: &[usize]) -> Self {
        if place.shape.contains(&0) {
            return Self { firsts: Vec::new(), len: 0 };
        }
        // Axes from this one on are one stretch: all behind it are whole.
        let whole = (0..shape.len()).rev().take_while(|axis| place.shape[*axis] == shape[*axis]).count();
        let axis = (shape.len() - whole).saturating_sub(1);
        let steps: Vec<u64> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().map(|len| *len as u64).product()).collect();
        let start: u64 = place.start.iter().zip(&steps).map(|(start, step)| *start as u64 * step).sum();
        let grid = &place.shape[..axis];
        let mut position = vec![0; axis];
        let mut firsts = Vec::with_capacity(grid.iter().product());
        loop {
            firsts.push(start + position.iter().zip(&steps).map(|(at, step)| *at as u64 * step).sum::<u64>());
            if !advance(&mut position, grid) {
                break;
            }
        }
        Self { firsts, len: place.shape[axis..].iter().product() }
    }
}

/// Elements that are drawn as floats first.
const BATCH: usize = 1024;

impl RandomBlock {
    /// Elements that lie together.
    fn stretch<T: Held>(&self, first: u64, len: usize, out: &mut Vec<T>) {
        let stream = &self.stream;
        match &self.distribution {
            Distribution::Normal { mean, deviation } => {
                batches(len, |at, numbers| fill(stream, first + at, numbers), |x| T::of_f64(mean + deviation * x), out)
            }
            Distribution::Uniform { low, high } => {
                let width = high - low;
                // Rounding may reach the bound that no number reaches.
                let number = |word: u64| if low == high { *low } else { (low + width * unit(word)).min(high.next_down()) };
                batches(len, |at, found| words(stream, first + at, found), |word| T::of_f64(number(word)), out);
            }
            Distribution::Bits => batches(len, |at, found| words(stream, first + at, found), |word: u64| T::of_bits(word.into()), out),
            other => out.extend(each(stream, first, len, |draws| other.number::<T>(draws))),
        }
    }
}

/// Fills a buffer again and again, and puts out what becomes of what is in it.
fn batches<A: Copy + Default, T>(len: usize, fill: impl Fn(u64, &mut [A]), number: impl Fn(A) -> T, out: &mut Vec<T>) {
    let mut buffer = [A::default(); BATCH];
    for at in (0..len).step_by(BATCH) {
        let now = &mut buffer[..BATCH.min(len - at)];
        fill(at as u64, now);
        out.extend(now.iter().map(|a| number(*a)));
    }
}

impl Distribution {
    /// An element.
    fn number<T: Held>(&self, draws: &mut Draws) -> T {
        match self {
            Distribution::Uniform { low, high } => T::of_f64(low + (high - low) * draws.uniform()),
            Distribution::Normal { mean, deviation } => T::of_f64(mean + deviation * super::normal::normal(draws)),
            Distribution::Bits => T::of_bits(draws.word().into()),
            Distribution::Integers { low, high } => T::of_i64(low.wrapping_add(draws.below(high.wrapping_sub(*low) as u64) as i64)),
            Distribution::Exponential { scale } => T::of_f64(scale * draws.exponential()),
            Distribution::Gamma { form, scale } => T::of_f64(scale * draws.gamma(*form)),
            Distribution::Beta { a, b } => {
                let (a, b) = (draws.gamma(*a), draws.gamma(*b));
                T::of_f64(if a + b > 0.0 { a / (a + b) } else { 0.5 })
            }
            Distribution::Poisson { rate } => T::of_i64(poisson(draws, *rate)),
            Distribution::Binomial { count, chance } => T::of_i64(binomial(draws, *count, *chance)),
            Distribution::Geometric { chance } if *chance >= 1.0 => T::of_i64(1),
            Distribution::Geometric { chance } => {
                T::of_i64(((draws.above_zero().ln() / (-chance).ln_1p()).floor() as i64).saturating_add(1))
            }
            Distribution::NegativeBinomial { count, chance } => {
                let rate = draws.gamma(*count) * (1.0 - chance) / chance;
                T::of_i64(poisson(draws, rate))
            }
            Distribution::Hypergeometric { good, bad, sample } => T::of_i64(hypergeometric(draws, *good, *bad, *sample)),
            Distribution::LogSeries { p } => T::of_i64(logseries(draws, *p)),
            Distribution::Zipf { a } => T::of_i64(zipf(draws, *a)),
            Distribution::VonMises { mean, concentration } => T::of_f64(vonmises(draws, *mean, *concentration)),
            Distribution::NoncentralChiSquare { freedom, shift } => {
                let more = poisson(draws, shift / 2.0);
                T::of_f64(2.0 * draws.gamma(freedom / 2.0 + more as f64))
            }
            Distribution::Choice { values, shares: None } => T::of_bits(values[draws.below(values.len() as u64) as usize]),
            Distribution::Choice { values, shares: Some(shares) } => {
                let place = draws.uniform() * shares.last().copied().unwrap_or(0.0);
                let at = shares.partition_point(|share| *share <= place);
                T::of_bits(values[at.min(values.len() - 1)])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_cut_into_what_lies_together() {
        let of = |start: &[usize], len: &[usize], shape: &[usize]| {
            let found = Stretches::of(&Place { start: start.to_vec(), shape: len.to_vec() }, shape);
            (found.firsts, found.len)
        };
        assert_eq!(of(&[1, 0, 0], &[2, 3, 4], &[5, 3, 4]), (vec![12], 24));
        assert_eq!(of(&[1, 1, 0], &[2, 2, 4], &[5, 3, 4]), (vec![16, 28], 8));
        assert_eq!(of(&[0, 1, 2], &[2, 1, 2], &[5, 3, 4]), (vec![6, 18], 2));
        assert_eq!(of(&[], &[], &[]), (vec![0], 1));
        assert_eq!(of(&[0], &[0], &[0]), (vec![], 0));
        assert_eq!(of(&[0, 0], &[5, 4], &[5, 4]), (vec![0], 20));
    }
}
