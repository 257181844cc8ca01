//! `take_array` and `vindex_arrays`: elements at places that an array has, which are known only when it was made.

pub(crate) mod asked;
pub(crate) mod pairs;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::alike::Alike;
use crate::array::assemble::joined;
use crate::array::block::{Block, block_of};
use crate::array::broadcast::broadcast;
use crate::array::element::{DType, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, axis_of, bounds};
use crate::array::ops::slice::place_of;
use crate::array::pick::listed;
use crate::array::wiring::follow;
use crate::array::{DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// The parts at places along an axis that another array has; negative ones count from the back. The axis is replaced by those of
    /// `places`. Where places are known when the plan is made, [`DArray::take`] reads less: here each block of places asks all blocks of an
    /// array of one axis; of others it reads all blocks along the axis, or is met with each of them by itself where these are more than 64 MiB or a quarter of
    /// the memory for each thread.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1, 2, 3], [4, 5, 6]], 2);
    /// let order = DArray::from_array(array![2i64, 0, -1], 2);
    /// assert_eq!(x.take_array(&order, 1).compute()?, array![[3, 1, 3], [6, 4, 6]].into_dyn());
    /// let line = x.index_axis(0, 1);
    /// assert_eq!(line.take_array(&line.argsort(0).flip(0), 0).compute()?, array![6, 5, 4].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, places of several axes whose sizes are not known; while it runs: a place that does not
    /// exist.
    #[track_caller]
    pub fn take_array(&self, places: &DArray<i64>, axis: isize) -> DArray<T> {
        match places.ndim() {
            Ok(ndim) if ndim != 1 => {}
            _ => return DArray::then(TakeArray { axis }, vec![self.to_any(), places.to_any()], ".take_array(…)"),
        }
        let shape = || -> Result<Vec<isize>, Failure> {
            let (own, at) = (self.shape()?, axis_of(axis, self.ndim()?)?);
            let lens = own[..at].iter().copied().chain(places.shape()?).chain(own[at + 1..].iter().copied());
            Ok(lens.map(|len| len as isize).collect())
        };
        match shape() {
            Ok(shape) => self.take_array(&places.ravel(), axis).reshape(shape),
            Err(failure) => DArray::failed(failure, ".take_array(…)"),
        }
    }

    /// The elements at places that other arrays have, one array for each axis; these fit together as those of elementwise operations do, and
    /// the result has their shape. Negative places count from the back. Where places are known when the plan is made, [`DArray::vindex`] reads less.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1, 2, 3], [4, 5, 6]], 2);
    /// let (rows, columns) = (DArray::from_array(array![[0i64], [1]], 1), DArray::from_array(array![2i64, -3], 1));
    /// assert_eq!(x.vindex_arrays(&[&rows, &columns]).compute()?, array![[3, 1], [6, 4]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: arrays for another number of axes, shapes that do not fit together, sizes of chunks that are not known; while it runs: a
    /// place that does not exist.
    #[track_caller]
    pub fn vindex_arrays(&self, places: &[&DArray<i64>]) -> DArray<T> {
        let shape = match self.shape() {
            Ok(shape) if shape.len() == places.len() && !shape.is_empty() => shape,
            Ok(shape) => {
                let what = format!("places along {} axes, for an array of {}", places.len(), shape.len());
                return DArray::failed(Failure::new(Code::ShapeMismatch, what).help("one array for each axis"), ".vindex_arrays(…)");
            }
            Err(failure) => return DArray::failed(failure, ".vindex_arrays(…)"),
        };
        let inputs = places.iter().map(|places| places.to_any()).collect();
        let flat: DArray<i64> = DArray::then(FlatPlaces { shape, from_back: true }, inputs, ".vindex_arrays(…)");
        self.ravel().take_array(&flat, 0)
    }
}

struct TakeArray {
    axis: isize,
}

impl Step for TakeArray {
    fn line(&self) -> String {
        format!("take at places of an array along axis {}", self.axis)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let axis = axis_of(self.axis, inputs[0].ndim())?;
        let mut cuts = inputs[0].cuts.clone();
        cuts[axis] = inputs[1].cuts[0].clone();
        Ok(Meta { dtype: inputs[0].dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (from, places, to) = (node.inputs[0].meta()?, node.inputs[1].meta()?, node.known()?);
        let axis = axis_of(self.axis, from.ndim())?;
        let inputs = [lowering.of(&node.inputs[0]), lowering.of(&node.inputs[1])];
        if let Some(asked) = asked::lower(from, places, inputs, node, lowering)? {
            return Ok(asked);
        }
        let blocks = from.cuts[axis].count() as u64;
        if blocks > 1 && from.largest_block().is_some_and(|block| block.saturating_mul(blocks) > lowering.budget.short()) {
            return pairs::lower([from, to], axis, inputs, node, lowering);
        }
        let all: Vec<Option<usize>> = (0..from.ndim()).map(|at| (at != axis).then_some(at)).collect();
        let edges =
            vec![inputs[0].edge(follow(&from.grid(), &to.grid(), &all)), inputs[1].edge(follow(&places.grid(), &to.grid(), &[Some(axis)]))];
        let op = OpRef::new(TakePlaces { axis }, self.line());
        Ok(lowering.add(Layer::single("take_array", to.blocks()?, op, edges), node))
    }
}

/// The parts of blocks that lie beside each other along an axis, at places that the last block has.
#[derive(Serialize, Deserialize)]
pub(crate) struct TakePlaces {
    axis: usize,
}

impl Operator for TakePlaces {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (places, blocks) = inputs.split_last().ok_or_else(|| Failure::internal("take_array: no blocks"))?;
        let places = block_of(places)?.to_vec::<i64>()?;
        let blocks = blocks.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
        let lens = blocks.iter().map(|block| block.shape().get(self.axis).copied()).collect::<Option<Vec<usize>>>();
        let ends = bounds(&lens.ok_or_else(|| Failure::internal("take_array: a block of fewer axes"))?);
        let len = ends[ends.len() - 1];
        // Of each block at once what is wanted of it; then in the order of the places.
        let mut drawn: Vec<Vec<usize>> = vec![Vec::new(); blocks.len()];
        let mut targets: Vec<(usize, usize)> = Vec::with_capacity(places.len());
        for place in places {
            let place = place_of(place as isize, len, self.axis)?;
            let block = ends.partition_point(|end| *end <= place).saturating_sub(1);
            targets.push((block, drawn[block].len()));
            drawn[block].push(place - ends[block]);
        }
        let pieces =
            blocks.iter().zip(&drawn).map(|(block, drawn)| listed(block, self.axis, drawn)).collect::<Result<Vec<_>, Failure>>()?;
        let starts = bounds(&drawn.iter().map(Vec::len).collect::<Vec<usize>>());
        let order: Vec<usize> = targets.into_iter().map(|(block, at)| starts[block] + at).collect();
        let first = pieces.first().ok_or_else(|| Failure::internal("take_array: no blocks"))?;
        let grid: Vec<usize> = (0..first.shape().len()).map(|at| if at == self.axis { pieces.len() } else { 1 }).collect();
        let all = with_dtype!(first.dtype(), T => Block::from_array(joined::<T>(&grid, &pieces)?));
        Ok(Chunk::new(listed(&all, self.axis, &order)?))
    }
}

impl NamedOperator for TakePlaces {
    const NAME: &'static str = "array_take_places";
}

/// Places along each axis as places in row-major order.
pub(super) struct FlatPlaces {
    pub shape: Vec<usize>,
    /// Whether negative places count from the back.
    pub from_back: bool,
}

impl Step for FlatPlaces {
    fn line(&self) -> String {
        "places in row-major order".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: DType::I64, cuts: broadcast(inputs)? })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.known()?;
        let edges = lowering.aligned(&node.inputs, &meta.cuts, node)?;
        let alike = Alike::of_arrays(&node.inputs, &meta.cuts)?;
        let op = OpRef::new(FlattenPlaces { shape: self.shape.clone(), from_back: self.from_back, alike }, self.line());
        Ok(lowering.add(Layer::single("places", meta.blocks()?, op, edges), node))
    }
}

/// Places along each axis, one block for each, as places in row-major order.
#[derive(Serialize, Deserialize)]
pub(crate) struct FlattenPlaces {
    shape: Vec<usize>,
    from_back: bool,
    alike: Alike,
}

impl Operator for FlattenPlaces {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let blocks = inputs.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
        if blocks.len() != self.shape.len() {
            return Err(Failure::internal("places along other axes than those of the shape"));
        }
        self.alike.check(&blocks)?;
        let ndim = blocks.iter().map(|block| block.shape().len()).max().unwrap_or(0);
        let mut shape = vec![1; ndim];
        for block in &blocks {
            let ahead = ndim - block.shape().len();
            block.shape().iter().zip(&mut shape[ahead..]).filter(|(len, _)| **len != 1).for_each(|(len, known)| *known = *len);
        }
        let mut flat = vec![0i64; shape.iter().product()];
        for (axis, (block, len)) in blocks.iter().zip(&self.shape).enumerate() {
            for (flat, place) in flat.iter_mut().zip(block.repeated(&shape).to_vec::<i64>()?) {
                if place < 0 && !self.from_back {
                    let what = format!("the place {place} along axis {axis}, which has {len} elements, is negative");
                    return Err(Failure::new(Code::IndexOutOfRange, what).help("here places are counted from 0"));
                }
                *flat = *flat * *len as i64 + place_of(place as isize, *len, axis)? as i64;
            }
        }
        Ok(Chunk::new(Block::from_vec(shape, flat)))
    }
}

impl NamedOperator for FlattenPlaces {
    const NAME: &'static str = "array_flatten_places";
}
