//! `quantile`, `percentile` and `median`: exact order statistics. The axes that they go over are brought into one chunk first, unless these are all
//! axes of a large array, which is sorted where it is.

use std::cmp::Ordering;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::axes::Axes;
use super::step::reduced_cuts;
use crate::array::block::{Block, block_of};
use crate::array::budget::Budget;
use crate::array::element::{DType, Held, with_dtype, with_ordered};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::rechunk::rechunk;
use crate::array::tile::Rank;
use crate::array::{Along, Chunks, DArray, Float, Node, Ordered, Step};

/// What a quantile is that lies between two elements. The first five lay the shares 0 to 1 from the least to the greatest element; the others are those
/// of Hyndman and Fan, by which an array is a sample of something larger, with NumPy's names.
///
/// ```
/// use partita::{Between, prelude::*};
/// let x = DArray::from_array(partita::ndarray::array![1.0f64, 2.0, 4.0, 8.0], 2);
/// let median = |between: Between| x.quantile_with(0.5, 0, between).compute_scalar();
/// assert_eq!((median(Between::Linear)?, median(Between::Lower)?, median(Between::InvertedCdf)?), (3.0, 2.0, 2.0));
/// assert_eq!(x.quantile_with(0.25, 0, Between::Weibull).compute_scalar()?, 1.25);
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Between {
    /// Between them, in proportion.
    #[default]
    Linear,
    /// The lower one.
    Lower,
    /// The higher one.
    Higher,
    /// The nearer one; where both are as near, the one of even rank.
    Nearest,
    /// Half-way.
    Midpoint,
    /// The first element that is not exceeded by more than what is left of the share.
    InvertedCdf,
    /// The same; where the share is met exactly, half-way to the next.
    AveragedInvertedCdf,
    /// The element whose share is nearest; of two the one of even rank, counted from 1.
    ClosestObservation,
    /// Between the shares at which [`Between::InvertedCdf`] goes up, in proportion.
    InterpolatedInvertedCdf,
    /// Between the middles of these steps.
    Hazen,
    /// As if there were one element more: each stands for its expected share.
    Weibull,
    /// So that each stands for about the median of its shares, whatever the distribution.
    MedianUnbiased,
    /// So that quantiles of normal numbers are right on average, about.
    NormalUnbiased,
}

impl Between {
    /// The ranks, from 0 on, of the two of so many elements between which a share lies, and how far it is on the way to the second. There is at
    /// least one element.
    pub(super) fn ranks(self, q: f64, count: usize) -> (usize, usize, f64) {
        let count = count as f64;
        let rank = |place: f64| place.clamp(0.0, count - 1.0) as usize;
        let one = |place: f64| (rank(place), rank(place), 0.0);
        let line = |place: f64| (rank(place.floor()), rank(place.ceil()), place - place.floor());
        let sample = |alpha: f64, beta: f64| line(count * q + (alpha + q * (1.0 - alpha - beta)) - 1.0);
        let (place, met) = (q * (count - 1.0), count * q - 1.0);
        match self {
            Between::Linear => line(place),
            Between::Lower => one(place.floor()),
            Between::Higher => one(place.ceil()),
            Between::Nearest => one(place.round_ties_even()),
            Between::Midpoint => (rank(place.floor()), rank(place.ceil()), 0.5),
            Between::AveragedInvertedCdf if met >= 0.0 && met == met.floor() => (rank(met), rank(met + 1.0), 0.5),
            Between::InvertedCdf | Between::AveragedInvertedCdf => one(met.ceil()),
            Between::ClosestObservation => {
                let (place, below) = (met - 0.5, (met - 0.5).floor());
                one(if place == below && below.rem_euclid(2.0) == 1.0 { below } else { below + 1.0 })
            }
            Between::InterpolatedInvertedCdf => sample(0.0, 1.0),
            Between::Hazen => sample(0.5, 0.5),
            Between::Weibull => sample(0.0, 0.0),
            Between::MedianUnbiased => sample(1.0 / 3.0, 1.0 / 3.0),
            Between::NormalUnbiased => sample(3.0 / 8.0, 3.0 / 8.0),
        }
    }

    /// What lies so far on the way from one element to another.
    fn on_the_way(self, low: f64, high: f64, share: f64) -> f64 {
        // From the nearer end, so that the ends themselves come out exactly; of two equal infinities there is no difference.
        if low == high {
            low
        } else if share < 0.5 || self == Between::Midpoint {
            low + (high - low) * share
        } else {
            high - (high - low) * (1.0 - share)
        }
    }
}

impl<T: Ordered> DArray<T> {
    /// The element below which the share `q` (0 to 1) of all elements lies, between elements in proportion. NaN where one of them is, and
    /// where there are none.
    ///
    /// The result is exact, so the axes that it goes over are brought into one chunk. Over all axes that would be the whole array: one of several chunks,
    /// and of more than 256 MiB or a quarter of the memory for each thread, is sorted instead, chunk by chunk.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[4i64, 1, 3], [8, 6, 7]], 2);
    /// assert_eq!(x.quantile(0.25, 1).compute()?, array![2.0, 6.5].into_dyn());
    /// assert_eq!(x.median(Axes::all()).compute_scalar()?, 5.0);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a share that is not between 0 and 1, an axis that does not exist or whose sizes are not known.
    #[track_caller]
    pub fn quantile(&self, q: f64, axes: impl Into<Axes>) -> DArray<T::Mean> {
        self.quantile_with(q, axes, Between::Linear)
    }

    /// [`DArray::quantile`] with another choice between two elements.
    ///
    /// # Errors
    /// As [`DArray::quantile`].
    #[track_caller]
    pub fn quantile_with(&self, q: f64, axes: impl Into<Axes>, between: Between) -> DArray<T::Mean> {
        self.ordered(vec![q], false, axes.into(), between, false, ".quantile(…)")
    }

    /// Several quantiles at once, along a new first axis.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![4.0f64, 1.0, 3.0], 2);
    /// assert_eq!(x.quantiles(&[0.0, 0.5, 1.0], 0).compute()?.into_iter().collect::<Vec<_>>(), [1.0, 3.0, 4.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::quantile`].
    #[track_caller]
    pub fn quantiles(&self, q: &[f64], axes: impl Into<Axes>) -> DArray<T::Mean> {
        self.ordered(q.to_vec(), true, axes.into(), Between::Linear, false, ".quantiles(…)")
    }

    /// Several quantiles at once, with another choice between two elements.
    ///
    /// # Errors
    /// As [`DArray::quantile`].
    #[track_caller]
    pub fn quantiles_with(&self, q: &[f64], axes: impl Into<Axes>, between: Between) -> DArray<T::Mean> {
        self.ordered(q.to_vec(), true, axes.into(), between, false, ".quantiles(…)")
    }

    /// [`DArray::quantile`] with the share in percent.
    ///
    /// # Errors
    /// As [`DArray::quantile`].
    #[track_caller]
    pub fn percentile(&self, percent: f64, axes: impl Into<Axes>) -> DArray<T::Mean> {
        self.ordered(vec![percent / 100.0], false, axes.into(), Between::Linear, false, ".percentile(…)")
    }

    /// The element in the middle, or the mean of both; see [`DArray::quantile`].
    ///
    /// # Errors
    /// As [`DArray::quantile`].
    #[track_caller]
    pub fn median(&self, axes: impl Into<Axes>) -> DArray<T::Mean> {
        self.ordered(vec![0.5], false, axes.into(), Between::Linear, false, ".median(…)")
    }

    #[track_caller]
    fn ordered(&self, q: Vec<f64>, several: bool, axes: Axes, between: Between, skip_nan: bool, method: &str) -> DArray<T::Mean> {
        let budget = Budget::planned();
        if let Ok(meta) = self.untyped().meta()
            && is_sorted(meta, &axes, budget)
            && q.iter().all(|q| (0.0..=1.0).contains(q))
        {
            let found = self.quantiles_by_sorting(&q, between, skip_nan, method).cast::<T::Mean>();
            let ones = if axes.are_kept() { meta.ndim() } else { 0 };
            let shape = if several { vec![q.len() as isize] } else { Vec::new() };
            return found.reshape([shape, vec![1; ones]].concat());
        }
        let out = <T::Mean as Held>::DTYPE;
        DArray::then(Quantiles { q, several, axes, between, skip_nan, out, budget }, vec![self.to_any()], method)
    }
}

impl<T: Float> DArray<T> {
    /// [`DArray::quantile`] of the elements that are not NaN.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![4.0f64, f64::NAN, 3.0], 2);
    /// assert!(x.median(0).compute_scalar()?.is_nan());
    /// assert_eq!(x.nanmedian(0).compute_scalar()?, 3.5);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::quantile`].
    #[track_caller]
    pub fn nanquantile(&self, q: f64, axes: impl Into<Axes>) -> DArray<T::Mean> {
        self.ordered(vec![q], false, axes.into(), Between::Linear, true, ".nanquantile(…)")
    }

    /// [`DArray::quantile_with`] of the elements that are not NaN.
    ///
    /// # Errors
    /// As [`DArray::quantile`].
    #[track_caller]
    pub fn nanquantile_with(&self, q: f64, axes: impl Into<Axes>, between: Between) -> DArray<T::Mean> {
        self.ordered(vec![q], false, axes.into(), between, true, ".nanquantile(…)")
    }

    /// [`DArray::quantiles`] of the elements that are not NaN.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![4.0f64, f64::NAN, 3.0], 2);
    /// assert_eq!(x.nanquantiles(&[0.0, 0.5], 0).compute()?.into_iter().collect::<Vec<_>>(), [3.0, 3.5]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::quantile`].
    #[track_caller]
    pub fn nanquantiles(&self, q: &[f64], axes: impl Into<Axes>) -> DArray<T::Mean> {
        self.nanquantiles_with(q, axes, Between::Linear)
    }

    /// [`DArray::quantiles_with`] of the elements that are not NaN.
    ///
    /// # Errors
    /// As [`DArray::quantile`].
    #[track_caller]
    pub fn nanquantiles_with(&self, q: &[f64], axes: impl Into<Axes>, between: Between) -> DArray<T::Mean> {
        self.ordered(q.to_vec(), true, axes.into(), between, true, ".nanquantiles(…)")
    }

    /// [`DArray::percentile`] of the elements that are not NaN.
    ///
    /// # Errors
    /// As [`DArray::quantile`].
    #[track_caller]
    pub fn nanpercentile(&self, percent: f64, axes: impl Into<Axes>) -> DArray<T::Mean> {
        self.ordered(vec![percent / 100.0], false, axes.into(), Between::Linear, true, ".nanpercentile(…)")
    }

    /// [`DArray::median`] of the elements that are not NaN.
    ///
    /// # Errors
    /// As [`DArray::quantile`].
    #[track_caller]
    pub fn nanmedian(&self, axes: impl Into<Axes>) -> DArray<T::Mean> {
        self.ordered(vec![0.5], false, axes.into(), Between::Linear, true, ".nanmedian(…)")
    }
}

/// Whether an array is sorted for quantiles over these axes: all of them, of known lengths, in several chunks, with more elements than should be
/// brought into one.
fn is_sorted(meta: &Meta, axes: &Axes, budget: Budget) -> bool {
    let is_all = axes.of_array(meta.ndim()).is_ok_and(|reduced| reduced.iter().all(|reduced| *reduced));
    is_all && meta.ndim() > 0 && meta.nbytes().is_some_and(|bytes| bytes > budget.block()) && meta.blocks().is_ok_and(|blocks| blocks > 1)
}

struct Quantiles {
    q: Vec<f64>,
    /// Whether they are along an axis of their own.
    several: bool,
    axes: Axes,
    between: Between,
    skip_nan: bool,
    out: DType,
    /// What a task may hold.
    budget: Budget,
}

impl Quantiles {
    /// The cuts of the input with which each result is made from one block. Blocks that would become large are cut along other axes.
    fn input_cuts(&self, meta: &Meta) -> Result<Vec<Cuts>, Failure> {
        let reduced = self.axes.of_array(meta.ndim())?;
        let cuts = Chunks::whole_along(&reduced, &Along::Keep).cut(&meta.lens(), meta.dtype, Some(&meta.cuts))?;
        Chunks::held(Meta { dtype: meta.dtype, cuts }, &reduced, self.budget)
    }
}

impl Step for Quantiles {
    fn line(&self) -> String {
        format!("quantile {:?} over {}", self.q, self.axes.show())
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        if let Some(q) = self.q.iter().find(|q| !(0.0..=1.0).contains(*q)) {
            let what = format!("a quantile is a share between 0 and 1, not {q}");
            return Err(Failure::new(Code::InvalidOption, what).help("in percent: .percentile(25.0, axis)"));
        }
        let reduced = self.axes.of_array(inputs[0].ndim())?;
        let mut cuts = reduced_cuts(&self.input_cuts(inputs[0])?, &reduced, self.axes.are_kept());
        if self.several {
            cuts.insert(0, Cuts::whole(self.q.len()));
        }
        Ok(Meta { dtype: self.out, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let reduced = self.axes.of_array(meta.ndim())?;
        let input = lowering.of(&node.inputs[0]);
        let input = rechunk(lowering, input, meta, &self.input_cuts(meta)?, node);
        let op = QuantilesOfBlock {
            q: self.q.clone(),
            several: self.several,
            reduced,
            keepdims: self.axes.are_kept(),
            between: self.between,
            skip_nan: self.skip_nan,
            out: self.out,
        };
        let layer = Layer::single("quantile", node.known()?.blocks()?, OpRef::new(op, self.line()), vec![input.edge(Wiring::Each)]);
        Ok(lowering.add(layer, node))
    }
}

/// The quantiles of each lane of a block.
#[derive(Serialize, Deserialize)]
pub(crate) struct QuantilesOfBlock {
    q: Vec<f64>,
    several: bool,
    reduced: Vec<bool>,
    keepdims: bool,
    between: Between,
    skip_nan: bool,
    out: DType,
}

impl Operator for QuantilesOfBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("quantile: no block"))??;
        if block.shape().len() != self.reduced.len() {
            return Err(Failure::internal("quantile: a block of another number of axes"));
        }
        // Lanes side by side: kept axes first, then those that are reduced.
        let axes = |wanted: bool| (0..self.reduced.len()).filter(move |axis| self.reduced[*axis] == wanted);
        let order: Vec<usize> = axes(false).chain(axes(true)).collect();
        let turned = block.permuted(&order);
        let product = |wanted: bool| axes(wanted).map(|axis| block.shape()[axis]).product::<usize>();
        let (lanes, len) = (product(false), product(true));
        let results = with_ordered!(block.dtype(), T => {
            let mut values = turned.to_vec::<T>()?;
            let mut results = Vec::with_capacity(lanes * self.q.len());
            for lane in 0..lanes {
                ctx.check_cancelled()?;
                self.lane(&mut values[lane * len..(lane + 1) * len], &mut results);
            }
            results
        });
        let lens = block.shape().iter().zip(&self.reduced).filter(|(_, reduced)| !**reduced || self.keepdims);
        let mut shape: Vec<usize> = lens.map(|(len, reduced)| if *reduced { 1 } else { *len }).collect();
        // The results of a lane stand side by side; the axis of several quantiles comes first.
        let count = self.q.len();
        let results: Vec<f64> = (0..count).flat_map(|at| results.iter().skip(at).step_by(count.max(1)).copied()).collect();
        if self.several {
            shape.insert(0, count);
        }
        with_dtype!(self.out, U => Ok(Chunk::new(Block::from_vec(shape, results.into_iter().map(U::of_f64).collect::<Vec<U>>()))))
    }
}

impl QuantilesOfBlock {
    /// Pushes the quantiles of some elements, whose order it changes.
    fn lane<T: Rank>(&self, values: &mut [T], results: &mut Vec<f64>) {
        // NaN goes to the end.
        let mut there = 0;
        for at in 0..values.len() {
            if !values[at].is_missing() {
                values.swap(at, there);
                there += 1;
            }
        }
        let missing = there < values.len();
        for q in &self.q {
            let nothing = there == 0 || (missing && !self.skip_nan);
            results.push(if nothing { f64::NAN } else { quantile(&mut values[..there], *q, self.between) });
        }
    }
}

/// Of elements none of which is NaN.
fn order<T: Rank>(a: &T, b: &T) -> Ordering {
    a.partial_cmp(b).unwrap_or(Ordering::Equal)
}

/// The quantile of elements, of which there are some and none is NaN. It changes their order.
fn quantile<T: Rank>(values: &mut [T], q: f64, between: Between) -> f64 {
    let (rank, next, share) = between.ranks(q, values.len());
    let (_, low, above) = values.select_nth_unstable_by(rank, order);
    let low = low.to_f64();
    let high = if next > rank { above.iter().min_by(|a, b| order(*a, *b)).map_or(low, |high| high.to_f64()) } else { low };
    between.on_the_way(low, high, share)
}

impl NamedOperator for QuantilesOfBlock {
    const NAME: &'static str = "array_quantile";
}

/// Every choice.
#[cfg(test)]
pub(super) const ALL: [Between; 13] = [
    Between::Linear,
    Between::Lower,
    Between::Higher,
    Between::Nearest,
    Between::Midpoint,
    Between::InvertedCdf,
    Between::AveragedInvertedCdf,
    Between::ClosestObservation,
    Between::InterpolatedInvertedCdf,
    Between::Hazen,
    Between::Weibull,
    Between::MedianUnbiased,
    Between::NormalUnbiased,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_between_elements_are_numpys() {
        let of = |q: f64, choice: Between| quantile(&mut [8.0, 1.0, 4.0, 2.0], q, choice);
        assert_eq!((of(0.0, Between::Linear), of(0.5, Between::Linear), of(1.0, Between::Linear)), (1.0, 3.0, 8.0));
        assert_eq!(of(0.25, Between::Linear), 1.75);
        assert!((of(0.9, Between::Linear) - 6.8).abs() < 1e-12);
        let all = [Between::Lower, Between::Higher, Between::Nearest, Between::Midpoint];
        assert_eq!(all.map(|choice| of(0.5, choice)), [2.0, 4.0, 4.0, 3.0]);
        assert_eq!(all.map(|choice| of(0.2, choice)), [1.0, 2.0, 2.0, 1.5]);
        let sample = |q: f64| ALL[5..].iter().map(|choice| quantile(&mut [16.0, 1.0, 8.0, 2.0, 4.0], q, *choice)).collect::<Vec<f64>>();
        let near = |found: Vec<f64>, expected: [f64; 8]| {
            assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12), "{found:?}");
        };
        near(sample(0.1), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        near(sample(0.2), [1.0, 1.5, 1.0, 1.0, 1.5, 1.2, 1.4, 1.425]);
        near(sample(0.3), [2.0, 2.0, 2.0, 1.5, 2.0, 1.8, 29.0 / 15.0, 1.95]);
        near(sample(0.5), [4.0, 4.0, 2.0, 3.0, 4.0, 4.0, 4.0, 4.0]);
        near(sample(0.6), [4.0, 6.0, 4.0, 4.0, 6.0, 6.4, 92.0 / 15.0, 6.1]);
        near(sample(0.9), [16.0, 16.0, 8.0, 12.0, 16.0, 16.0, 16.0, 16.0]);
        for choice in ALL {
            assert_eq!(quantile(&mut [7], 0.3, choice), 7.0);
            assert_eq!((of(0.0, choice), of(1.0, choice)), (1.0, 8.0));
        }
        assert_eq!(quantile(&mut [f64::INFINITY, 1.0, f64::INFINITY], 0.75, Between::Linear), f64::INFINITY);
    }
}
