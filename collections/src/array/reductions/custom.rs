//! `reduction`: a reduction of the user's own, by closures in process and by tasks anywhere.

use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::axes::Axes;
use super::step::reduced_cuts;
use super::tree::tree;
use crate::array::block::{Block, block_of};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, tuple};
use crate::array::{DArray, DType, Element, Node, Step};
use crate::delayed::BlockValue;
use crate::delayed::call::{Slot, given};
use crate::delayed::takes::MayTake;
use crate::delayed::task_support::{Task, TaskOf, TaskValue};
use crate::frame::ops::token;

impl<T: Element> DArray<T> {
    /// A reduction of your own, over some axes, in three functions; each also gets the numbers of the axes.
    ///
    /// `chunk` makes a state of a block, which it sees in row-major order, `combine` one state of several, in the order of their blocks, and `aggregate` the result of the
    /// last states. Results have the length of the block along kept axes and 1 along the others; states may have any shape.
    ///
    /// Closures run in this process only; on a cluster they are refused with the fix, [`DArray::reduction_task`].
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
        let axes = axes.into();
        let numbers = match self.numbers_of(&axes) {
            Ok(numbers) => numbers,
            Err(failure) => return DArray::failed(failure, ".reduction(…)"),
        };
        let (of_chunk, of_states): (Arc<[usize]>, Arc<[usize]>) = (numbers.clone().into(), numbers.clone().into());
        let chunk = OpRef::closure("reduction", token(), move |_, inputs| {
            let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("reduction: no block"))??;
            Ok(Chunk::new(Block::from_array(chunk(block.view::<T>()?, &of_chunk))))
        });
        let combine = OpRef::closure("combine", token(), move |_, inputs| {
            Ok(Chunk::new(Block::from_array(combine(&arrays::<S>(inputs)?, &of_states))))
        });
        let aggregate = OpRef::closure("aggregate", token(), move |_, inputs| {
            Ok(Chunk::new(Block::from_array(aggregate(&arrays::<S>(inputs)?, &numbers))))
        });
        let step = Custom { dtype: U::DTYPE, axes, chunk, combine, aggregate };
        DArray::then(step, vec![self.to_any()], ".reduction(…)")
    }

    /// The same with three `#[task]`s, which run anywhere. `chunk` takes a block, as an `ArrayBlock<T>` or an ndarray, and gives a state, which
    /// may be any value that tasks give; `combine` and `aggregate` take a list of states. Each takes the numbers of the axes behind that, as a
    /// `&[usize]`, if it wants them.
    ///
    /// ```
    /// use partita::ndarray::{ArrayD, Axis, array};
    /// use partita::{prelude::*, task};
    ///
    /// // The greatest and the least of each column, and how far they lie apart in the end.
    /// type Ends = (ArrayD<f64>, ArrayD<f64>);
    ///
    /// fn fold(x: &ArrayD<f64>, axis: usize, better: fn(f64, f64) -> f64) -> ArrayD<f64> {
    ///     x.map_axis(Axis(axis), |lane| lane.iter().copied().reduce(better).unwrap_or(f64::NAN)).insert_axis(Axis(axis))
    /// }
    ///
    /// #[task]
    /// fn ends(x: &ArrayD<f64>, axes: &[usize]) -> Ends {
    ///     (fold(x, axes[0], f64::max), fold(x, axes[0], f64::min))
    /// }
    ///
    /// #[task]
    /// fn ends_of(states: &[Ends]) -> Ends {
    ///     let (mut most, mut least) = states[0].clone();
    ///     for (greatest, smallest) in &states[1..] {
    ///         most.zip_mut_with(greatest, |a, b| *a = a.max(*b));
    ///         least.zip_mut_with(smallest, |a, b| *a = a.min(*b));
    ///     }
    ///     (most, least)
    /// }
    ///
    /// #[task]
    /// fn distance(states: &[Ends]) -> ArrayD<f64> {
    ///     let (most, least) = ends_of(states);
    ///     most - least
    /// }
    ///
    /// let x = DArray::from_array(array![[1.0, -5.0], [3.0, 2.0], [-4.0, 0.5]], 1);
    /// assert_eq!(x.reduction_task(0, ends, ends_of, distance).compute()?, array![7.0, 7.0].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist; while it runs: a task's own failure, or a result of another shape.
    #[track_caller]
    pub fn reduction_task<S, U, A, B, C, OfBlock, OfStates, OfLast>(
        &self,
        axes: impl Into<Axes>,
        chunk: A,
        combine: B,
        aggregate: C,
    ) -> DArray<U>
    where
        S: TaskValue,
        U: Element,
        OfBlock: MayTake<DArray<T>, Vec<usize>>,
        OfStates: MayTake<Vec<S>, Vec<usize>>,
        OfLast: MayTake<Vec<S>, Vec<usize>>,
        A: TaskOf<OfBlock> + Task<Output = S>,
        B: TaskOf<OfStates> + Task<Output = S>,
        C: TaskOf<OfLast> + Task<Output: BlockValue<U>>,
    {
        // They have no fields: their types say which functions they are.
        let _ = (chunk, combine, aggregate);
        let axes = axes.into();
        let numbers = match self.numbers_of(&axes) {
            Ok(numbers) => Slot::plain(&numbers),
            Err(failure) => return DArray::failed(failure, ".reduction_task(…)"),
        };
        let slots = |first: Slot, both: bool| std::iter::once(first).chain(both.then(|| numbers.clone())).collect::<Vec<Slot>>();
        let step = Custom {
            dtype: U::DTYPE,
            axes,
            chunk: given::<A>(slots(Slot::Input, OfBlock::BOTH)),
            combine: given::<B>(slots(Slot::Rest, OfStates::BOTH)),
            aggregate: given::<C>(slots(Slot::Rest, OfLast::BOTH)),
        };
        DArray::then(step, vec![self.to_any()], ".reduction_task(…)")
    }

    /// The numbers of these axes.
    fn numbers_of(&self, axes: &Axes) -> Result<Vec<usize>, Failure> {
        let reduced = axes.of_array(self.ndim()?)?;
        Ok((0..reduced.len()).filter(|axis| reduced[*axis]).collect())
    }
}

/// The arrays in chunks.
fn arrays<S: Element>(inputs: &[Chunk]) -> Result<Vec<ArrayD<S>>, Failure> {
    inputs.iter().map(|input| block_of(input)?.to_array()).collect()
}

struct Custom {
    /// The kind of the result's elements.
    dtype: DType,
    axes: Axes,
    /// From a block to a state.
    chunk: OpRef,
    /// From states to one.
    combine: OpRef,
    /// From the last states to a result.
    aggregate: OpRef,
}

impl Step for Custom {
    fn line(&self) -> String {
        format!("reduction over {}", self.axes.show())
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let reduced = self.axes.of_array(inputs[0].ndim())?;
        Ok(Meta { dtype: self.dtype, cuts: reduced_cuts(&inputs[0].cuts, &reduced, self.axes.are_kept()) })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let reduced = self.axes.of_array(meta.ndim())?;
        let input = lowering.of(&node.inputs[0]);
        let in_order = OpRef::new(LineUp, "in row-major order");
        let lined_up = lowering.add(Layer::single("in order", meta.blocks()?, in_order, vec![input.edge(Wiring::Each)]), node);
        let chunk = Layer::single("reduction", meta.blocks()?, self.chunk.clone(), vec![lined_up.edge(Wiring::Each)]);
        let level = lowering.add(chunk, node);
        let made = tree(lowering, level, &meta.grid(), &reduced, (&self.combine, self.aggregate.clone()), node);
        let check = OpRef::new(CheckReduced { dtype: self.dtype, reduced, keepdims: self.axes.are_kept() }, "check what was given");
        let blocks = node.known()?.blocks()?;
        Ok(lowering.add(Layer::single("announced", blocks, check, vec![made.edge(Wiring::Each)]), node))
    }
}

/// A block in row-major order. Sums of ndarray's go the shortest way through memory, and memory is another one after a block was on disk.
#[derive(Serialize, Deserialize)]
pub(crate) struct LineUp;

impl Operator for LineUp {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("reduction: no block"))??;
        Ok(Chunk::new(block.in_order()?))
    }
}

impl NamedOperator for LineUp {
    const NAME: &'static str = "array_in_order";
}

/// Takes the reduced axes, which have length 1, off a result.
#[derive(Serialize, Deserialize)]
pub(crate) struct CheckReduced {
    dtype: DType,
    reduced: Vec<bool>,
    keepdims: bool,
}

impl Operator for CheckReduced {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let result = inputs.first().map(block_of).ok_or_else(|| Failure::internal("reduction: no result"))??;
        let shape = result.shape();
        if shape.len() != self.reduced.len() || shape.iter().zip(&self.reduced).any(|(len, reduced)| *reduced && *len != 1) {
            let what = format!("the last function of a reduction gave shape {}, where reduced axes have length 1", tuple(shape));
            return Err(Failure::new(Code::UserFunction, what).help("keep the axes: .insert_axis(Axis(axis))"));
        }
        if result.dtype() != self.dtype {
            return Err(Failure::internal(format!("a reduction gave {} where {} was announced", result.dtype(), self.dtype)));
        }
        let dropped: Vec<bool> = self.reduced.iter().map(|reduced| *reduced && !self.keepdims).collect();
        Ok(Chunk::new(result.without(&dropped)))
    }
}

impl NamedOperator for CheckReduced {
    const NAME: &'static str = "array_reduced";
}
