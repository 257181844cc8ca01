//! Between arrays and delayed values: blocks as delayed values, delayed values as blocks, and arrays as arguments of calls.
//!
//! It refuses to copy elements where blocks are handed on; only a whole array of several blocks is put together in memory of its own.

use std::sync::Arc;

use ndarray::{Array, ArrayD, Dimension, IxDyn};
use partita_graph::{
    Arg, Chunk, Code, Executor, Failure, Key, Layer, LayerId, NamedOperator, OpRef, Operator, Origin, TaskContext, Wiring,
};
use serde::{Deserialize, Serialize};

use super::argument::{Argument, Given, IntoArgument};
use super::compute::{Computable, Results, Wanted};
use super::node::{Lowerer, Node as Call, What, check_edges, one_each};
use super::value::TaskValue;
use super::{DFuture, Delayed, lost_result};
use crate::array::assemble::joined;
use crate::array::block::{Block, block_of};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, advance, tuple};
use crate::array::{AnyArray, ArrayBlock, DArray, DType, Element, Node, Step, with_dtype};

impl<T: Element> DArray<T> {
    /// The blocks as delayed arrays, in an array of the grid's shape: the one at a position is the block there.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1, 2, 3], [4, 5, 6]], [1, 2]);
    /// let blocks = x.to_delayed()?;
    /// assert_eq!(blocks.shape(), [2, 2]);
    /// assert_eq!(blocks[[1, 0]].compute()?, array![[4, 5]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// The failure of the first step that does not fit.
    #[track_caller]
    pub fn to_delayed(&self) -> Result<ArrayD<Delayed<ArrayD<T>>>, Failure>
    where
        ArrayD<T>: TaskValue,
    {
        let origin = Origin::here(".to_delayed()");
        let meta = self.untyped().meta()?;
        let block = |index| Delayed::of(Call::new(What::Block(self.to_any(), index), origin.clone()));
        let blocks = (0..meta.blocks()?).map(block).collect();
        ArrayD::from_shape_vec(IxDyn(&meta.grid()), blocks).map_err(|e| Failure::internal(format!("blocks of a grid: {e}")))
    }

    /// An array whose blocks are these delayed arrays, in row-major order of their grid; `chunks` says how long the blocks are, axis by
    /// axis. Nothing is copied. Delayed values may be `Array`s of any number of axes and [`ArrayBlock`]s.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::{Array1, array};
    /// use partita::{delayed, task};
    ///
    /// #[task]
    /// fn count_from(first: i64, len: i64) -> Array1<i64> {
    ///     (first..first + len).collect()
    /// }
    ///
    /// let parts = [delayed(count_from)(0, 3), delayed(count_from)(10, 2)];
    /// let x = DArray::from_delayed(parts, vec![vec![3, 2]]);
    /// assert_eq!((&x + 1).compute()?, array![1, 2, 3, 11, 12].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: another number of blocks than chunks (E0121), a block of another shape than was announced (E0121).
    #[track_caller]
    pub fn from_delayed<A: BlockValue<T>>(blocks: impl IntoIterator<Item = Delayed<A>>, chunks: Vec<Vec<usize>>) -> DArray<T> {
        let nodes: Vec<Arc<Call>> = blocks.into_iter().map(|block| block.node).collect();
        let meta = Meta { dtype: T::DTYPE, cuts: chunks.iter().map(|sizes| Cuts::Known(sizes.as_slice().into())).collect() };
        match announced(&nodes, &meta, A::AXES) {
            Ok(()) => DArray::then(FromDelayed { nodes, meta }, Vec::new(), "from_delayed(…)"),
            Err(failure) => DArray::failed(failure, "from_delayed(…)"),
        }
    }
}

/// What a block of a [`DArray`] can be made of: arrays of ndarray's with any number of axes, and [`ArrayBlock`]s.
#[diagnostic::on_unimplemented(message = "`{Self}` is no block of an array", note = "blocks are `Array`s of ndarray's and `ArrayBlock`s")]
pub trait BlockValue<T>: TaskValue {
    /// How many axes it has, where its type says so.
    #[doc(hidden)]
    const AXES: Option<usize>;
}

impl<T: Element, D: Dimension> BlockValue<T> for Array<T, D>
where
    Array<T, D>: TaskValue,
{
    const AXES: Option<usize> = D::NDIM;
}

impl<T: Element> BlockValue<T> for ArrayBlock<T>
where
    ArrayBlock<T>: TaskValue,
{
    const AXES: Option<usize> = None;
}

/// Fails when so many values of so many axes cannot be the blocks.
fn announced(nodes: &[Arc<Call>], meta: &Meta, axes: Option<usize>) -> Result<(), Failure> {
    let (grid, blocks) = (meta.grid(), meta.blocks()? as usize);
    if blocks == 0 {
        let what = format!("chunks of {} along the axes are no blocks, and an array has at least one", tuple(&grid));
        return Err(Failure::new(Code::ShapeMismatch, what).help("say an empty axis as vec![0]"));
    }
    if blocks != nodes.len() {
        let what = format!("{} delayed values are given, and chunks of {} along the axes are {blocks} blocks", nodes.len(), tuple(&grid));
        return Err(Failure::new(Code::ShapeMismatch, what).help("one delayed value for each block, in row-major order"));
    }
    if axes.is_some_and(|axes| axes != grid.len()) {
        let what = format!("the delayed arrays have {} axes, and chunks are given for {}", axes.unwrap_or(0), grid.len());
        return Err(Failure::new(Code::ShapeMismatch, what));
    }
    Ok(())
}

struct FromDelayed {
    nodes: Vec<Arc<Call>>,
    meta: Meta,
}

impl Step for FromDelayed {
    fn line(&self) -> String {
        format!("from_delayed {} blocks", self.nodes.len())
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Ok(self.meta.clone())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let mut calls = Lowerer::within(Some(lowering.budget));
        let keys = self.nodes.iter().map(|call| calls.node(call)).collect::<Result<Vec<Key>, _>>()?;
        calls.lowering.graph.layers.iter().for_each(|layer| lowering.graph.add_shared(layer.clone()));
        let edges = one_each(&keys, &lowering.graph);
        check_edges(edges.len(), Some(&node.origin))?;
        let grid = self.meta.grid();
        let mut position = vec![0; grid.len()];
        let mut args = Vec::with_capacity(keys.len());
        for place in self.meta.places()? {
            args.push(Arg::encode(&(&position, place.shape)));
            advance(&mut position, &grid);
        }
        let op = OpRef::new(AnnouncedBlock { dtype: self.meta.dtype }, "from_delayed");
        Ok(lowering.add(Layer::with_args("from_delayed", op, args, edges), node))
    }
}

/// Hands on a block that is as it was announced.
#[derive(Serialize, Deserialize)]
pub(crate) struct AnnouncedBlock {
    dtype: DType,
}

impl Operator for AnnouncedBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (position, shape): (Vec<usize>, Vec<usize>) = ctx.arg()?.decode()?;
        let chunk = inputs.first().ok_or_else(|| Failure::internal("from_delayed: a block without its value"))?;
        let block = block_of(chunk)?;
        if block.dtype() != self.dtype || block.shape() != shape {
            let found = format!("{} of shape {}", block.dtype(), tuple(block.shape()));
            let what = format!("the delayed block at {} is {found}, where shape {} was announced", tuple(position), tuple(shape));
            return Err(Failure::new(Code::ShapeMismatch, what).help("announce the lengths that blocks have, in row-major order"));
        }
        Ok(chunk.clone())
    }
}

impl NamedOperator for AnnouncedBlock {
    const NAME: &'static str = "array_from_delayed";
}

/// All blocks of an array, or all of a part of it, as one.
#[derive(Serialize, Deserialize)]
pub(crate) struct WholeArray {
    /// The kind of its elements.
    pub dtype: DType,
    /// Blocks along each axis.
    pub grid: Vec<usize>,
}

impl Operator for WholeArray {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let blocks = inputs.iter().map(|chunk| block_of(chunk).cloned()).collect::<Result<Vec<Block>, _>>()?;
        with_dtype!(self.dtype, T => Ok(Chunk::new(Block::of_array(joined::<T>(&self.grid, &blocks)?))))
    }
}

impl NamedOperator for WholeArray {
    const NAME: &'static str = "array_whole";
}

/// A layer whose only task gives an array in one block.
pub(super) fn whole(array: &AnyArray, blocks: LayerId) -> Result<Option<Layer>, Failure> {
    let meta = array.meta()?;
    if meta.blocks()? == 1 {
        return Ok(None);
    }
    let op = OpRef::new(WholeArray { dtype: meta.dtype, grid: meta.grid() }, "whole array");
    let edges = vec![partita_graph::Edge { layer: blocks, wiring: Wiring::Every }];
    Ok(Some(Layer::single("whole array", 1, op, edges)))
}

/// An array for a parameter with so many axes.
fn argument<T: Element>(array: &DArray<T>, axes: Option<usize>) -> Argument {
    let misfit = |ndim: usize| {
        let what = format!("a task takes an array with {} axes, and one with {ndim} was given", axes.unwrap_or(0));
        Failure::new(Code::ShapeMismatch, what).help("take an ArrayD, which has any number of axes")
    };
    Argument(match array.ndim() {
        Err(failure) => Given::Broken(failure),
        Ok(ndim) if axes.is_some_and(|axes| axes != ndim) => Given::Broken(misfit(ndim)),
        Ok(_) => Given::Array(array.to_any()),
    })
}

impl<T: Element, D: Dimension> IntoArgument<Array<T, D>> for DArray<T> {
    fn into_argument(self) -> Argument {
        argument(&self, D::NDIM)
    }
}

impl<T: Element, D: Dimension> IntoArgument<Array<T, D>> for &DArray<T> {
    fn into_argument(self) -> Argument {
        argument(self, D::NDIM)
    }
}

impl<T: Element> IntoArgument<ArrayBlock<T>> for DArray<T> {
    fn into_argument(self) -> Argument {
        argument(&self, None)
    }
}

impl<T: Element> IntoArgument<ArrayBlock<T>> for &DArray<T> {
    fn into_argument(self) -> Argument {
        argument(self, None)
    }
}

impl<T: Element, D: Dimension> IntoArgument<ArrayBlock<T>> for Delayed<Array<T, D>> {
    fn into_argument(self) -> Argument {
        Argument(Given::Node(self.node))
    }
}

impl<T: Element, D: Dimension> IntoArgument<ArrayBlock<T>> for &Delayed<Array<T, D>> {
    fn into_argument(self) -> Argument {
        Argument(Given::Node(self.node.clone()))
    }
}

impl<T: Element, D: Dimension> IntoArgument<ArrayBlock<T>> for &DFuture<Array<T, D>> {
    fn into_argument(self) -> Argument {
        Argument(Given::Node(self.node()))
    }
}

impl<T: Element, D: Dimension + 'static> IntoArgument<ArrayBlock<T>> for Array<T, D>
where
    ArrayBlock<T>: TaskValue,
{
    fn into_argument(self) -> Argument {
        ArrayBlock::from(self).into_argument()
    }
}

impl<T: Element> Computable for DArray<T> {
    type Output = ArrayD<T>;

    fn want(&self, wanted: &mut Wanted) -> Result<(), Failure> {
        let layer = wanted.lowerer.array(self.untyped())?;
        let blocks = self.untyped().meta()?.blocks()?;
        wanted.keys.extend((0..blocks).map(|index| Key::new(layer, index)));
        wanted.counts.push(blocks as usize);
        Ok(())
    }

    fn computed_on(&self, executor: &dyn Executor) -> Result<ArrayD<T>, Failure> {
        self.compute_on(executor)
    }

    fn read(&self, results: &mut Results<'_>) -> Result<ArrayD<T>, Failure> {
        let count = results.counts.next().ok_or_else(lost_result)?;
        let blocks = (0..count).map(|_| Ok(block_of(&results.chunk()?)?.clone())).collect::<Result<Vec<Block>, Failure>>()?;
        match &blocks[..] {
            [one] => one.to_array(),
            several => joined(&self.untyped().meta()?.grid(), several),
        }
    }
}
