//! Rows of counts, one for each of several kinds: the multinomial and the multivariate hypergeometric distribution. Kind after kind is drawn of
//! what those before it left over.
//!
//! It refuses to know how single counts are drawn. The invariant: a row is drawn from one stream, that of its place among the rows, so that no
//! row depends on how the array is cut or on how many kinds other rows have left.

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::discrete::{binomial, hypergeometric};
use super::draws::{Draws, each};
use super::operator::Stretches;
use super::philox::Stream;
use super::{MOST, Random};
use crate::array::block::Block;
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, Place};
use crate::array::{Chunks, DArray, Node, Shape, Step};

impl Random {
    /// How many of `count` trials come to each of several kinds, with these chances, which are 1 together: along a new last axis, which is in one
    /// chunk. Shape and chunks are those of the axes before it.
    ///
    /// ```
    /// use partita::{Random, prelude::*};
    /// let throws = Random::new(1).multinomial(20, &[0.5, 0.3, 0.2], [1000], 300);
    /// assert_eq!((throws.shape()?, throws.chunksize()?), (vec![1000, 3], vec![300, 3]));
    /// assert!(throws.sum_axis(1).eq(20i64).all().compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: chances that are none or are not 1 together, more than 2^60 trials, chunks that do not fit the shape.
    #[track_caller]
    pub fn multinomial(&self, count: u64, chances: &[f64], shape: impl Into<Shape>, chunks: impl Into<Chunks>) -> DArray<i64> {
        self.rows("multinomial", Rows::Multinomial { count, chances: chances.to_vec() }, &shape.into(), &chunks.into())
    }

    /// How many of each kind are among `sample` that are taken out of so many of each kind, without putting any back: along a new last axis, which is
    /// in one chunk. Shape and chunks are those of the axes before it.
    ///
    /// ```
    /// use partita::{Random, prelude::*};
    /// let hands = Random::new(1).multivariate_hypergeometric(&[4, 4, 24], 5, [1000], 300);
    /// assert_eq!(hands.shape()?, [1000, 3]);
    /// assert!(hands.sum_axis(1).eq(5i64).all().compute_scalar()?);
    /// assert!(hands.max_axis(0).compute()?[[0]] <= 4);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no kinds, more than 1e9 of all kinds, a sample of more than there are, chunks that do not fit the shape.
    #[track_caller]
    pub fn multivariate_hypergeometric(
        &self,
        kinds: &[u64],
        sample: u64,
        shape: impl Into<Shape>,
        chunks: impl Into<Chunks>,
    ) -> DArray<i64> {
        let rows = Rows::Hypergeometric { kinds: kinds.to_vec(), sample };
        self.rows("multivariate_hypergeometric", rows, &shape.into(), &chunks.into())
    }

    #[track_caller]
    fn rows(&self, name: &'static str, rows: Rows, shape: &Shape, chunks: &Chunks) -> DArray<i64> {
        let method = format!("random.{name}(…)");
        let stream = self.stream();
        match rows.check().and_then(|()| chunks.of_new_rows(shape, rows.kinds(), DType::I64)) {
            Ok(meta) => DArray::then(DrawnRows { name, meta, stream, rows }, Vec::new(), &method),
            Err(failure) => DArray::failed(failure, &method),
        }
    }
}

/// How the counts of a row are spread.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Rows {
    Multinomial { count: u64, chances: Vec<f64> },
    Hypergeometric { kinds: Vec<u64>, sample: u64 },
}

/// How far chances may be from 1 together, for those who wrote them with few digits.
const ROUNDED: f64 = 1e-6;

impl Rows {
    /// How many counts a row has.
    fn kinds(&self) -> usize {
        match self {
            Rows::Multinomial { chances, .. } => chances.len(),
            Rows::Hypergeometric { kinds, .. } => kinds.len(),
        }
    }

    /// Fails for parameters that no distribution has.
    fn check(&self) -> Result<(), Failure> {
        let (fits, asked) = match self {
            Rows::Multinomial { count, chances } => {
                let are_chances = chances.iter().all(|chance| (0.0..=1.0).contains(chance));
                let together = (chances.iter().sum::<f64>() - 1.0).abs() <= ROUNDED;
                (are_chances && together && *count <= 1 << 60, "chances between 0 and 1 that are 1 together, and at most 2^60 trials")
            }
            Rows::Hypergeometric { kinds, sample } => {
                let all = kinds.iter().fold(0u64, |all, kind| all.saturating_add(*kind));
                let fits = !kinds.is_empty() && all <= MOST && *sample <= all;
                (fits, "at least one kind, at most 1e9 of all kinds, and a sample of no more than there are")
            }
        };
        if fits {
            return Ok(());
        }
        Err(Failure::new(Code::InvalidOption, format!("random rows need {asked}")).detail("given", format!("{self:?}")))
    }

    /// The share that each kind has of what it and those behind it have together.
    fn shares(&self) -> Vec<f64> {
        let Rows::Multinomial { chances, .. } = self else { return Vec::new() };
        let mut rest = 0.0;
        let mut shares: Vec<f64> = Vec::with_capacity(chances.len());
        for chance in chances.iter().rev() {
            rest += chance;
            shares.push(if rest > 0.0 { chance / rest } else { 0.0 });
        }
        shares.reverse();
        shares
    }

    /// Puts out the counts of a row.
    fn draw(&self, shares: &[f64], draws: &mut Draws, out: &mut Vec<i64>) {
        match self {
            Rows::Multinomial { count, .. } => {
                let mut left = *count;
                for share in &shares[..shares.len().saturating_sub(1)] {
                    let here = binomial(draws, left, *share);
                    out.push(here);
                    left = left.saturating_sub(here as u64);
                }
                out.push(left as i64);
            }
            Rows::Hypergeometric { kinds, sample } => {
                let (mut left, mut others) = (*sample, kinds.iter().sum::<u64>());
                for kind in kinds {
                    others -= kind;
                    let here = hypergeometric(draws, *kind, others, left);
                    out.push(here);
                    left = left.saturating_sub(here as u64);
                }
            }
        }
    }
}

struct DrawnRows {
    name: &'static str,
    meta: Meta,
    stream: Stream,
    rows: Rows,
}

impl Step for DrawnRows {
    fn line(&self) -> String {
        format!("random {} {}, seed {}", self.name, self.meta.show_shape(), self.stream.seed)
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Ok(self.meta.clone())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = RandomRows { stream: self.stream, rows: self.rows.clone(), shape: self.meta.shape()? };
        let args = self.meta.places()?.iter().map(Arg::encode).collect();
        Ok(lowering.add(Layer::with_args("random", OpRef::new(op, self.line()), args, Vec::new()), node))
    }
}

/// Makes the block at a place.
#[derive(Serialize, Deserialize)]
pub(crate) struct RandomRows {
    stream: Stream,
    rows: Rows,
    /// Of the whole array. Its last axis are the counts of a row; rows are numbered in row-major order.
    shape: Vec<usize>,
}

impl Operator for RandomRows {
    fn run(&self, ctx: &TaskContext<'_>, _: &[Chunk]) -> Result<Chunk, Failure> {
        let place: Place = ctx.arg()?.decode()?;
        let (Some((kinds, outer)), Some((own, lens))) = (self.shape.split_last(), place.shape.split_last()) else {
            return Err(Failure::internal("random: rows without an axis of kinds"));
        };
        if kinds != own || *kinds != self.rows.kinds() || lens.len() != outer.len() || place.start.len() != self.shape.len() {
            return Err(Failure::internal("random: a place that is not one of whole rows"));
        }
        let rows = Place { start: place.start[..outer.len()].to_vec(), shape: lens.to_vec() };
        let stretches = Stretches::of(&rows, outer);
        let shares = self.rows.shares();
        let mut counts = Vec::with_capacity(place.shape.iter().product());
        for first in stretches.firsts {
            ctx.check_cancelled()?;
            each(&self.stream, first, stretches.len, |draws| self.rows.draw(&shares, draws, &mut counts));
        }
        Ok(Chunk::new(Block::from_vec(place.shape, counts)))
    }
}

impl NamedOperator for RandomRows {
    const NAME: &'static str = "array_random_rows";
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 50_000;

    /// Each row adds up; each kind, and each two together, have the mean and the variance that they should have: so the covariances are right too.
    fn check(rows: &Rows, all: u64, moments: impl Fn(&[usize]) -> (f64, f64)) {
        let (shares, kinds) = (rows.shares(), rows.kinds());
        let mut counts = Vec::new();
        each(&Stream { seed: 5, call: 1 }, 3, ROWS, |draws| rows.draw(&shares, draws, &mut counts));
        assert_eq!(counts.len(), ROWS * kinds);
        assert!(counts.chunks(kinds).all(|row| row.iter().sum::<i64>() == all as i64 && row.iter().all(|count| *count >= 0)));
        let some = (0..kinds).flat_map(|a| (a..kinds).map(move |b| if a == b { vec![a] } else { vec![a, b] }));
        for some in some {
            let sums: Vec<f64> = counts.chunks(kinds).map(|row| some.iter().map(|kind| row[*kind] as f64).sum()).collect();
            let mean = sums.iter().sum::<f64>() / ROWS as f64;
            let spread = sums.iter().map(|sum| (sum - mean).powi(2)).sum::<f64>() / ROWS as f64;
            let (expected, variance) = moments(&some);
            assert!((mean - expected).abs() <= 5.0 * (variance / ROWS as f64).sqrt(), "{rows:?}, {some:?}: mean {mean}, not {expected}");
            assert!((spread - variance).abs() <= 0.05 * variance, "{rows:?}, {some:?}: variance {spread}, not {variance}");
        }
    }

    #[test]
    fn counts_have_their_means_and_covariances() {
        for (count, chances) in [
            (0, vec![0.5, 0.5]),
            (7, vec![1.0]),
            (12, vec![0.1, 0.2, 0.3, 0.4]),
            (1000, vec![0.7, 0.0, 0.05, 0.25]),
            (5, vec![0.0, 1.0, 0.0]),
        ] {
            let n = count as f64;
            let moments = |some: &[usize]| {
                let share: f64 = some.iter().map(|kind| chances[*kind]).sum();
                (n * share, (n * share * (1.0 - share)).max(0.0))
            };
            check(&Rows::Multinomial { count, chances: chances.clone() }, count, moments);
        }
        for (kinds, sample) in
            [(vec![3], 2), (vec![5, 0, 7], 4), (vec![10, 20, 30, 40], 60), (vec![0, 3], 3), (vec![100_000, 50_000, 25_000], 900)]
        {
            let (all, n) = (kinds.iter().sum::<u64>() as f64, sample as f64);
            let moments = |some: &[usize]| {
                let share = some.iter().map(|kind| kinds[*kind] as f64).sum::<f64>() / all;
                (n * share, (n * share * (1.0 - share) * (all - n) / (all - 1.0).max(1.0)).max(0.0))
            };
            check(&Rows::Hypergeometric { kinds: kinds.clone(), sample }, sample, moments);
        }
    }
}
