//! `histogram2d` and `histogramdd`: how many points fall into each bin of several axes.

use ndarray::{ArrayD, IxDyn};
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::histogram::{AddBlocks, Bins};
use super::tree::tree_within;
use crate::array::alike::FIND_SIZES;
use crate::array::block::{Block, block_of};
use crate::array::broadcast::broadcast;
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::{AnyArray, DArray, Node, Real, Step};

impl<T: Real> DArray<T> {
    /// How many points fall into each bin of two axes, where this array has the first place of each point and `other` the second; see
    /// [`Bins`]. The result has a row for each bin of the first axis.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let (x, y) = (DArray::from_array(array![0.1, 0.2, 0.9, 0.8], 2), DArray::from_array(array![0.0, 3.0, 3.0, 9.0], 2));
    /// let counts = x.histogram2d(&y, (2, 0.0, 1.0), vec![0.0, 1.0, 4.0]);
    /// assert_eq!(counts.compute()?, array![[1, 1], [0, 1]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: arrays of different shapes, no bins, edges that do not go up.
    #[track_caller]
    pub fn histogram2d(&self, other: &DArray<T>, bins: impl Into<Bins>, other_bins: impl Into<Bins>) -> DArray<i64> {
        histogramdd(&[self, other], &[bins.into(), other_bins.into()])
    }

    /// The sums of the weights of the points in each bin; see [`DArray::histogram2d`].
    ///
    /// # Errors
    /// At `compute`: arrays of different shapes, no bins, edges that do not go up.
    #[track_caller]
    pub fn histogram2d_weighted(
        &self,
        other: &DArray<T>,
        bins: impl Into<Bins>,
        other_bins: impl Into<Bins>,
        weights: &DArray<f64>,
    ) -> DArray<f64> {
        histogramdd_weighted(&[self, other], &[bins.into(), other_bins.into()], weights)
    }

    /// The share of points in each bin by its area, so that the volume below it is 1; see [`DArray::histogram2d`].
    ///
    /// # Errors
    /// At `compute`: arrays of different shapes, no bins, edges that do not go up.
    #[track_caller]
    pub fn histogram2d_density(&self, other: &DArray<T>, bins: impl Into<Bins>, other_bins: impl Into<Bins>) -> DArray<f64> {
        histogramdd_density(&[self, other], &[bins.into(), other_bins.into()])
    }
}

/// How many points fall into each bin of several axes: one array with the places of all points, and one choice of bins, for each axis.
///
/// ```
/// use partita::{Bins, Random, histogramdd, prelude::*};
/// let random = Random::new(1);
/// let [x, y, z] = [0, 1, 2].map(|_| random.uniform([1000], 300));
/// let counts = histogramdd(&[&x, &y, &z], &[0, 1, 2].map(|_| Bins::from((2, 0.0, 1.0))));
/// assert_eq!((counts.shape()?, counts.sum().compute_scalar()?), (vec![2, 2, 2], 1000));
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// At `compute`: other than one choice of bins for each array, arrays of different shapes, no bins, edges that do not go up.
#[track_caller]
pub fn histogramdd<T: Real>(places: &[&DArray<T>], bins: &[Bins]) -> DArray<i64> {
    DArray::then(Counting { bins: bins.to_vec(), weighted: false }, inputs(places), "histogramdd(…)")
}

/// The sums of the weights of the points in each bin; see [`histogramdd`].
///
/// # Errors
/// As [`histogramdd`]; weights of another shape.
#[track_caller]
pub fn histogramdd_weighted<T: Real>(places: &[&DArray<T>], bins: &[Bins], weights: &DArray<f64>) -> DArray<f64> {
    let mut inputs = inputs(places);
    inputs.push(weights.to_any());
    DArray::then(Counting { bins: bins.to_vec(), weighted: true }, inputs, "histogramdd_weighted(…)")
}

/// The share of points in each bin by its volume; see [`histogramdd`].
///
/// # Errors
/// As [`histogramdd`].
#[track_caller]
pub fn histogramdd_density<T: Real>(places: &[&DArray<T>], bins: &[Bins]) -> DArray<f64> {
    let counts = histogramdd(places, bins).cast::<f64>();
    let shape: Vec<usize> = bins.iter().map(Bins::count).collect();
    let width = |(bins, at): (&Bins, usize)| bins.edges()[at + 1] - bins.edges()[at];
    let volumes = ArrayD::from_shape_fn(IxDyn(&shape), |at| (0..shape.len()).map(|axis| width((&bins[axis], at[axis]))).product::<f64>());
    &counts / counts.sum() / DArray::from_array(volumes, -1)
}

/// Places as `f64`, in which edges are.
#[track_caller]
fn inputs<T: Real>(places: &[&DArray<T>]) -> Vec<AnyArray> {
    places.iter().map(|places| places.cast::<f64>().to_any()).collect()
}

struct Counting {
    bins: Vec<Bins>,
    weighted: bool,
}

impl Step for Counting {
    fn line(&self) -> String {
        let counts: Vec<String> = self.bins.iter().map(|bins| bins.count().to_string()).collect();
        format!("histogram of {} bins", counts.join(" x "))
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let axes = inputs.len() - usize::from(self.weighted);
        if axes != self.bins.len() || axes == 0 {
            let what = format!("bins for {} axes, of points that have places along {axes}", self.bins.len());
            return Err(Failure::new(Code::InvalidOption, what).help("one choice of bins for each array, and at least one array"));
        }
        self.bins.iter().try_for_each(Bins::check)?;
        if inputs.iter().any(|meta| meta.lens() != inputs[0].lens()) || broadcast(inputs).is_err() {
            let shapes: Vec<String> = inputs.iter().map(|meta| meta.show_shape()).collect();
            let what = format!("places and weights of points in arrays of shapes {}", shapes.join(" and "));
            return Err(Failure::new(Code::ShapeMismatch, what).help("all of the same shape: one element for each point"));
        }
        let cuts = self.bins.iter().map(|bins| Cuts::whole(bins.count())).collect();
        Ok(Meta { dtype: if self.weighted { DType::F64 } else { DType::I64 }, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let metas = node.inputs.iter().map(|input| input.meta()).collect::<Result<Vec<&Meta>, Failure>>()?;
        let cuts = broadcast(&metas)?;
        let edges = lowering.aligned(&node.inputs, &cuts, node)?;
        let meta = Meta { dtype: metas[0].dtype, cuts };
        let (grid, blocks) = (meta.grid(), meta.blocks()?);
        let op = OpRef::new(CountPoints { bins: self.bins.clone(), weighted: self.weighted }, self.line());
        let level = lowering.add(Layer::single("histogram", blocks, op, edges), node);
        let add = OpRef::new(AddBlocks { weighted: self.weighted }, "add counts");
        let counts = node.known()?.largest_block().unwrap_or(0);
        Ok(tree_within(lowering, level, &grid, &vec![true; grid.len()], counts, (&add, add.clone()), node))
    }
}

/// Counts the points of one block.
#[derive(Serialize, Deserialize)]
pub(crate) struct CountPoints {
    bins: Vec<Bins>,
    weighted: bool,
}

impl CountPoints {
    /// Calls `visit` with each point that falls into a bin, and with the number of that in row-major order.
    fn each(&self, places: &[Vec<f64>], mut visit: impl FnMut(usize, usize)) {
        let points = places.first().map_or(0, Vec::len);
        for point in 0..points {
            let bin =
                self.bins.iter().zip(places).try_fold(0, |number, (bins, places)| Some(number * bins.count() + bins.of(places[point])?));
            if let Some(bin) = bin {
                visit(point, bin);
            }
        }
    }
}

impl Operator for CountPoints {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let blocks = inputs.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
        if blocks.len() != self.bins.len() + usize::from(self.weighted) {
            return Err(Failure::internal("histogram: other blocks than axes"));
        }
        if blocks.iter().any(|block| block.shape() != blocks[0].shape()) {
            return Err(Failure::new(Code::ShapeMismatch, "chunks of places and weights are of different shapes").help(FIND_SIZES));
        }
        ctx.check_cancelled()?;
        let mut places = blocks.iter().map(|block| block.to_vec::<f64>()).collect::<Result<Vec<_>, Failure>>()?;
        let weights = if self.weighted { places.pop() } else { None };
        let shape: Vec<usize> = self.bins.iter().map(Bins::count).collect();
        let count = shape.iter().product();
        Ok(Chunk::new(match weights {
            Some(weights) => {
                let mut sums = vec![0.0; count];
                self.each(&places, |point, bin| sums[bin] += weights[point]);
                Block::from_vec(shape, sums)
            }
            None => {
                let mut counts = vec![0i64; count];
                self.each(&places, |_, bin| counts[bin] += 1);
                Block::from_vec(shape, counts)
            }
        }))
    }
}

impl NamedOperator for CountPoints {
    const NAME: &'static str = "array_count_points";
}
