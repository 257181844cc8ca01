//! `histogram` and `bincount`: how many elements fall into each bin.

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::tree::tree_within;
use crate::array::alike::FIND_SIZES;
use crate::array::block::{Block, block_of};
use crate::array::broadcast::broadcast;
use crate::array::element::{DType, Held, with_ordered};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::{DArray, Integer, Node, Real, Step};

/// The bins of a histogram: so many of equal width between two bounds, `(10, 0.0, 1.0)`, or between edges, `vec![0.0, 0.5, 2.0]`. Each has
/// its lower edge, the last also its upper one.
///
/// ```
/// use partita::Bins;
/// assert_eq!(Bins::from((2, 0.0, 1.0)).edges(), [0.0, 0.5, 1.0]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bins {
    edges: Vec<f64>,
    /// Whether all are of the same width, so that the bin of an element can be calculated.
    even: bool,
}

impl Bins {
    /// Where bins begin and end.
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    pub(super) fn count(&self) -> usize {
        self.edges.len().saturating_sub(1)
    }

    /// Fails unless there are bins and their edges go up.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let goes_up = self.edges.windows(2).all(|pair| pair[0] < pair[1] || (!self.even && pair[0] == pair[1]));
        if self.count() == 0 || !goes_up || self.edges.iter().any(|edge| !edge.is_finite()) {
            let what = "a histogram needs at least one bin, and finite edges that go up";
            return Err(Failure::new(Code::InvalidOption, what).detail("edges", format!("{:?}", self.edges)));
        }
        Ok(())
    }

    /// The bin of an element, if there is one.
    pub(super) fn of(&self, value: f64) -> Option<usize> {
        let (first, last) = (*self.edges.first()?, *self.edges.last()?);
        if !(first..=last).contains(&value) {
            return None;
        }
        let top = self.count() - 1;
        if !self.even {
            return Some(self.edges.partition_point(|edge| *edge <= value).saturating_sub(1).min(top));
        }
        // The calculation may round to a neighbour; the edges decide.
        let near = (((value - first) / (last - first)) * self.count() as f64) as usize;
        let near = near.min(top);
        if value < self.edges[near] {
            Some(near - 1)
        } else if near < top && value >= self.edges[near + 1] {
            Some(near + 1)
        } else {
            Some(near)
        }
    }
}

impl From<(usize, f64, f64)> for Bins {
    fn from((count, low, high): (usize, f64, f64)) -> Self {
        // In steps from the lowest one, as NumPy counts them: on which side of an edge an element lies is a matter of the last digit.
        let step = (high - low) / count as f64;
        let edge = |at: usize| if at == count { high } else { at as f64 * step + low };
        Self { edges: (0..=count).map(edge).collect(), even: true }
    }
}

impl From<Vec<f64>> for Bins {
    fn from(edges: Vec<f64>) -> Self {
        Self { edges, even: false }
    }
}

impl<T: Real> DArray<T> {
    /// How many elements fall into each bin; see [`Bins`]. NaN and what lies outside fall into none.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![0.1, 0.4, 0.5, 1.0, 7.0], 2);
    /// assert_eq!(x.histogram((2, 0.0, 1.0)).compute()?.into_iter().collect::<Vec<_>>(), [2, 2]);
    /// let weights = DArray::from_array(partita::ndarray::array![1.0, 2.0, 4.0, 8.0, 16.0], 5);
    /// assert_eq!(x.histogram_weighted(vec![0.0, 0.5, 9.0], &weights).compute()?.into_iter().collect::<Vec<_>>(), [3.0, 28.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no bins, edges that do not go up.
    #[track_caller]
    pub fn histogram(&self, bins: impl Into<Bins>) -> DArray<i64> {
        DArray::then(Counting { bins: Count::Bins(bins.into()), weighted: false }, vec![self.to_any()], ".histogram(…)")
    }

    /// The sums of the weights of the elements in each bin.
    ///
    /// # Errors
    /// At `compute`: no bins, edges that do not go up, weights of another shape.
    #[track_caller]
    pub fn histogram_weighted(&self, bins: impl Into<Bins>, weights: &DArray<f64>) -> DArray<f64> {
        let step = Counting { bins: Count::Bins(bins.into()), weighted: true };
        DArray::then(step, vec![self.to_any(), weights.to_any()], ".histogram_weighted(…)")
    }

    /// The share of elements in each bin by its width, so that the area under it is 1.
    ///
    /// # Errors
    /// At `compute`: no bins, edges that do not go up.
    #[track_caller]
    pub fn histogram_density(&self, bins: impl Into<Bins>) -> DArray<f64> {
        let bins = bins.into();
        let widths: Vec<f64> = bins.edges().windows(2).map(|pair| pair[1] - pair[0]).collect();
        let counts = self.histogram(bins).cast::<f64>();
        let widths = DArray::from_array(ndarray::Array::from_vec(widths), -1);
        &counts / counts.sum() / widths
    }
}

impl<T: Integer> DArray<T> {
    /// How often each number from 0 up to and without `length` occurs.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![1, 3, 1, 0], 2);
    /// assert_eq!(x.bincount(5).compute()?.into_iter().collect::<Vec<_>>(), [1, 2, 0, 1, 0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// While it runs: a number that is negative or not less than `length`.
    #[track_caller]
    pub fn bincount(&self, length: usize) -> DArray<i64> {
        DArray::then(Counting { bins: Count::Numbers(length), weighted: false }, vec![self.to_any()], ".bincount(…)")
    }

    /// How often each number occurs, from 0 up to the greatest that does, and at least below `least`: as NumPy's with `minlength`. How long the result is
    /// is known only after it was made; see [`DArray::compute_chunk_sizes`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![1, 3, 1, 0], 2);
    /// assert_eq!(x.bincount_at_least(0).compute()?.into_iter().collect::<Vec<_>>(), [1, 2, 0, 1]);
    /// assert_eq!(x.bincount_at_least(6).compute()?.into_iter().collect::<Vec<_>>(), [1, 2, 0, 1, 0, 0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// While it runs: a number that is negative, or too great to count up to.
    #[doc(alias = "minlength")]
    #[track_caller]
    pub fn bincount_at_least(&self, least: usize) -> DArray<i64> {
        DArray::then(Counting { bins: Count::AtLeast(least), weighted: false }, vec![self.to_any()], ".bincount_at_least(…)")
    }

    /// The sums of the weights of each number from 0 up to and without `length`.
    ///
    /// # Errors
    /// At `compute`: weights of another shape; while it runs: a number that is negative or not less than `length`.
    #[track_caller]
    pub fn bincount_weighted(&self, length: usize, weights: &DArray<f64>) -> DArray<f64> {
        let step = Counting { bins: Count::Numbers(length), weighted: true };
        DArray::then(step, vec![self.to_any(), weights.to_any()], ".bincount_weighted(…)")
    }
}

/// What is counted.
#[derive(Clone, Serialize, Deserialize)]
enum Count {
    Bins(Bins),
    /// Numbers up to and without this one.
    Numbers(usize),
    /// Numbers up to the greatest, and at least up to and without this one.
    AtLeast(usize),
}

impl Count {
    fn len(&self) -> usize {
        match self {
            Count::Bins(bins) => bins.count(),
            Count::Numbers(length) | Count::AtLeast(length) => *length,
        }
    }

    /// The place that an element is counted at, if there is one.
    fn of<T: Held>(&self, element: T) -> Result<Option<usize>, Failure> {
        match self {
            Count::Bins(bins) => Ok(bins.of(element.to_f64())),
            Count::Numbers(length) => match usize::try_from(element.to_i64()) {
                Ok(number) if number < *length => Ok(Some(number)),
                _ => {
                    let what = format!("bincount of length {length}: the element {element:?} is not counted");
                    Err(Failure::new(Code::InvalidOption, what).help("a length above all numbers, none of which is negative"))
                }
            },
            Count::AtLeast(_) => usize::try_from(element.to_i64()).map(Some).map_err(|_| {
                let what = format!("bincount: the element {element:?} is not counted");
                Failure::new(Code::InvalidOption, what).help("numbers none of which is negative")
            }),
        }
    }
}

struct Counting {
    bins: Count,
    weighted: bool,
}

impl Step for Counting {
    fn line(&self) -> String {
        match &self.bins {
            Count::Bins(bins) => format!("histogram of {} bins", bins.count()),
            Count::Numbers(length) => format!("bincount of {length}"),
            Count::AtLeast(least) => format!("bincount of at least {least}"),
        }
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        if let Count::Bins(bins) = &self.bins {
            bins.check()?;
        }
        if self.weighted && (inputs[0].lens() != inputs[1].lens() || broadcast(inputs).is_err()) {
            let what = format!("weights of shape {} for an array of shape {}", inputs[1].show_shape(), inputs[0].show_shape());
            return Err(Failure::new(Code::ShapeMismatch, what));
        }
        let cuts = if matches!(self.bins, Count::AtLeast(_)) { Cuts::Unknown(1) } else { Cuts::whole(self.bins.len()) };
        Ok(Meta { dtype: if self.weighted { DType::F64 } else { DType::I64 }, cuts: vec![cuts] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let metas = node.inputs.iter().map(|input| input.meta()).collect::<Result<Vec<&Meta>, Failure>>()?;
        let cuts = broadcast(&metas)?;
        let edges = lowering.aligned(&node.inputs, &cuts, node)?;
        let meta = Meta { dtype: metas[0].dtype, cuts };
        let (grid, blocks) = (meta.grid(), meta.blocks()?);
        let op = OpRef::new(CountBlock { bins: self.bins.clone() }, self.line());
        let level = lowering.add(Layer::single("histogram", blocks, op, edges), node);
        let add = OpRef::new(AddBlocks { weighted: self.weighted }, "add counts");
        let counts = node.known()?.largest_block().unwrap_or(0);
        Ok(tree_within(lowering, level, &grid, &vec![true; grid.len()], counts, (&add, add.clone()), node))
    }
}

/// Counts the elements of one block.
#[derive(Serialize, Deserialize)]
pub(crate) struct CountBlock {
    bins: Count,
}

impl Operator for CountBlock {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("histogram: no block"))??;
        let weights = inputs.get(1).map(block_of).transpose()?;
        if weights.is_some_and(|weights| weights.shape() != block.shape()) {
            let what = "chunks of weights are of another shape than those that they belong to";
            return Err(Failure::new(Code::ShapeMismatch, what).help(FIND_SIZES));
        }
        let weights = weights.map(Block::to_vec::<f64>).transpose()?;
        let len = self.bins.len();
        with_ordered!(block.dtype(), T => {
            let elements = block.to_vec::<T>()?;
            Ok(Chunk::new(match weights {
                Some(weights) => {
                    let mut sums = vec![0.0; len];
                    for (element, weight) in elements.into_iter().zip(weights) {
                        if let Some(at) = self.bins.of(element)? {
                            sums[at] += weight;
                        }
                    }
                    Block::from_vec(vec![len], sums)
                }
                None => {
                    let mut counts = vec![0i64; len];
                    for element in elements {
                        if let Some(at) = self.bins.of(element)? {
                            make_room(&mut counts, at)?;
                            counts[at] += 1;
                        }
                    }
                    Block::from_vec(vec![counts.len()], counts)
                }
            }))
        })
    }
}

/// Zeros up to a place, where there are not so many.
fn make_room(counts: &mut Vec<i64>, at: usize) -> Result<(), Failure> {
    if at >= counts.len() {
        counts.try_reserve((at - counts.len()).saturating_add(1)).map_err(|_| {
            let what = format!("bincount: there is no memory to count up to {at}");
            Failure::new(Code::InvalidOption, what).help("of few great numbers: .unique_counts()")
        })?;
        counts.resize(at + 1, 0);
    }
    Ok(())
}

impl NamedOperator for CountBlock {
    const NAME: &'static str = "array_count";
}

/// Adds counts, or sums of weights, up.
#[derive(Serialize, Deserialize)]
pub(crate) struct AddBlocks {
    pub(super) weighted: bool,
}

impl Operator for AddBlocks {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let blocks = inputs.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
        Ok(Chunk::new(if self.weighted { added(&blocks, |a: f64, b| a + b)? } else { added(&blocks, i64::wrapping_add)? }))
    }
}

fn added<T: Held>(blocks: &[&Block], add: impl Fn(T, T) -> T) -> Result<Block, Failure> {
    let (first, rest) = blocks.split_first().ok_or_else(|| Failure::internal("no counts to add"))?;
    let mut sums = first.to_vec::<T>()?;
    for block in rest {
        let others = block.to_vec::<T>()?;
        // Of one axis, where lengths depend on what was counted.
        if others.len() > sums.len() {
            sums.resize(others.len(), T::default());
        }
        sums.iter_mut().zip(others).for_each(|(sum, other)| *sum = add(*sum, other));
    }
    let shape = if let [_] = first.shape() { vec![sums.len()] } else { first.shape().to_vec() };
    Ok(Block::from_vec(shape, sums))
}

impl NamedOperator for AddBlocks {
    const NAME: &'static str = "array_add_counts";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_fall_into_the_bins_of_their_edges() {
        for bins in [Bins::from((10, 0.0, 1.0)), Bins::from((0..=10).map(|i| f64::from(i) / 10.0).collect::<Vec<_>>())] {
            bins.check().expect("they go up");
            for value in (0..=1000).map(|i| f64::from(i) / 1000.0) {
                let found = bins.of(value).expect("inside");
                assert!(bins.edges[found] <= value, "{value} in {found}");
                assert!(value < bins.edges[found + 1] || (found == 9 && value == 1.0), "{value} in {found}");
            }
            assert_eq!((bins.of(-1e-9), bins.of(1.1), bins.of(f64::NAN)), (None, None, None));
        }
        assert!(Bins::from((0, 0.0, 1.0)).check().is_err());
        assert!(Bins::from((3, 1.0, 0.0)).check().is_err());
        assert!(Bins::from(vec![0.0, 2.0, 1.0]).check().is_err());
        assert!(Bins::from(vec![0.0, f64::NAN]).check().is_err());
    }
}
