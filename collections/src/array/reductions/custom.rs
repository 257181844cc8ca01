//! `reduction`: a reduction of the user's own, in process.

use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};
use partita_graph::{Chunk, Code, Failure, Layer, OpRef, Wiring};

use super::axes::Axes;
use super::step::reduced_cuts;
use super::tree::tree;
use crate::array::block::{Block, block_of};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, tuple};
use crate::array::{DArray, Element, Node, Step};
use crate::frame::ops::token;

type ChunkFunction<T, S> = Arc<dyn Fn(ArrayViewD<'_, T>, &[usize]) -> ArrayD<S> + Send + Sync>;
type CombineFunction<S> = Arc<dyn Fn(&[ArrayD<S>], &[usize]) -> ArrayD<S> + Send + Sync>;
type AggregateFunction<S, U> = Arc<dyn Fn(&[ArrayD<S>], &[usize]) -> ArrayD<U> + Send + Sync>;

impl<T: Element> DArray<T> {
    /// A reduction of your own, over some axes, in three functions; each also gets the numbers of the axes.
    ///
    /// `chunk` makes a state of a block, which it sees in row-major order, `combine` one state of several, in the order of their blocks, and `aggregate` the result of the
    /// last states. Results have the length of the block along kept axes and 1 along the others; states may have any shape.
    ///
    /// A closure runs in this process only; on a cluster it is refused with the fix.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::{ArrayD, Axis, array, concatenate};
    /// // The greatest size in each column.
    /// let size = |x: partita::ndarray::ArrayViewD<'_, f64>, axes: &[usize]| {
    ///     x.map_axis(Axis(axes[0]), |lane| lane.iter().fold(0.0f64, |size, x| size.max(x.abs()))).insert_axis(Axis(axes[0]))
    /// };
    /// let greatest = |states: &[ArrayD<f64>], axes: &[usize]| {
    ///     let views: Vec<_> = states.iter().map(|state| state.view()).collect();
    ///     let all = concatenate(Axis(axes[0]), &views).expect("states of one row");
    ///     all.map_axis(Axis(axes[0]), |lane| lane.iter().fold(0.0f64, |a, b| a.max(*b))).insert_axis(Axis(axes[0]))
    /// };
    /// let x = DArray::from_array(array![[1.0, -5.0], [3.0, 2.0], [-4.0, 0.5]], 1);
    /// assert_eq!(x.reduction(0, size, greatest, greatest).compute()?, array![4.0, 5.0].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist; while it runs: a function that panics or gives another shape.
    #[track_caller]
    pub fn reduction<S: Element, U: Element>(
        &self,
        axes: impl Into<Axes>,
        chunk: impl Fn(ArrayViewD<'_, T>, &[usize]) -> ArrayD<S> + Send + Sync + 'static,
        combine: impl Fn(&[ArrayD<S>], &[usize]) -> ArrayD<S> + Send + Sync + 'static,
        aggregate: impl Fn(&[ArrayD<S>], &[usize]) -> ArrayD<U> + Send + Sync + 'static,
    ) -> DArray<U> {
        let step = Custom::<T, S, U> {
            axes: axes.into(),
            chunk: Arc::new(chunk),
            combine: Arc::new(combine),
            aggregate: Arc::new(aggregate),
            token: [token(), token(), token()],
        };
        DArray::then(step, vec![self.to_any()], ".reduction(…)")
    }
}

struct Custom<T, S, U> {
    axes: Axes,
    chunk: ChunkFunction<T, S>,
    combine: CombineFunction<S>,
    aggregate: AggregateFunction<S, U>,
    token: [u64; 3],
}

/// The arrays in chunks.
fn arrays<S: Element>(inputs: &[Chunk]) -> Result<Vec<ArrayD<S>>, Failure> {
    inputs.iter().map(|input| block_of(input)?.to_array()).collect()
}

impl<T: Element, S: Element, U: Element> Step for Custom<T, S, U> {
    fn line(&self) -> String {
        format!("reduction over {}", self.axes.show())
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let reduced = self.axes.of_array(inputs[0].ndim())?;
        Ok(Meta { dtype: U::DTYPE, cuts: reduced_cuts(&inputs[0].cuts, &reduced, self.axes.are_kept()) })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let reduced = self.axes.of_array(meta.ndim())?;
        let axes: Arc<[usize]> = (0..reduced.len()).filter(|axis| reduced[*axis]).collect();
        let (function, numbers) = (self.chunk.clone(), axes.clone());
        let op = OpRef::closure("reduction", self.token[0], move |_, inputs| {
            let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("reduction: no block"))??;
            // Sums of ndarray's go the shortest way through memory, and memory is another one after a block was on disk.
            Ok(Chunk::new(Block::from_array(function(block.in_order()?.view::<T>()?, &numbers))))
        });
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        let level = lowering.add(Layer::single("reduction", meta.blocks()?, op, edges), node);
        let (function, numbers) = (self.combine.clone(), axes.clone());
        let combine = OpRef::closure("combine", self.token[1], move |_, inputs| {
            Ok(Chunk::new(Block::from_array(function(&arrays::<S>(inputs)?, &numbers))))
        });
        let (function, keepdims, dropped) = (self.aggregate.clone(), self.axes.are_kept(), reduced.clone());
        let end = OpRef::closure("aggregate", self.token[2], move |_, inputs| {
            let result = function(&arrays::<S>(inputs)?, &axes);
            if result.ndim() != dropped.len() || result.shape().iter().zip(&dropped).any(|(len, dropped)| *dropped && *len != 1) {
                let what =
                    format!("the last function of a reduction gave shape {}, where reduced axes have length 1", tuple(result.shape()));
                return Err(Failure::new(Code::UserFunction, what).help("keep the axes: .insert_axis(Axis(axis))"));
            }
            let dropped: Vec<bool> = dropped.iter().map(|dropped| *dropped && !keepdims).collect();
            Ok(Chunk::new(Block::from_array(result).without(&dropped)))
        });
        Ok(tree(lowering, level, &meta.grid(), &reduced, (&combine, end), node))
    }
}
