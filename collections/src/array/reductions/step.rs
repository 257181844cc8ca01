//! A reduction as a step: its shape rule, its layers, and its three operators. Each task folds one block, with the elementwise program
//! that gives it, to states; a tree brings states together, by tasks that read no more of them than they may hold; the last task of each result makes it.

use std::sync::atomic::AtomicBool;

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::axes::Axes;
use super::batch::Batches;
use super::fold::{Fold, Folded, Folding};
use super::state::{Finish, State, finished, joined, state_of};
use super::tree::tree_within;
use crate::array::alike::Alike;
use crate::array::block::{Block, block_of, row_major};
use crate::array::element::{DType, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::tile::{Evaluator, Program};
use crate::array::{DArray, Element, Node, Step};

/// Reduces axes to one element.
pub(super) struct Reduction {
    pub name: &'static str,
    pub axes: Axes,
    pub fold: Fold,
    pub finish: Finish,
    pub out: DType,
}

impl<T: Element> DArray<T> {
    /// A reduction to elements of `U`, at the caller's line.
    #[track_caller]
    pub(super) fn reduced<U: Element>(&self, name: &'static str, axes: Axes, fold: Fold, finish: Finish) -> DArray<U> {
        let reduction = Reduction { name, axes, fold, finish, out: U::DTYPE };
        DArray::then(reduction, vec![self.to_any()], &format!(".{name}(…)"))
    }
}

/// The cuts of the result of a reduction over some axes.
pub(super) fn reduced_cuts(cuts: &[Cuts], reduced: &[bool], keepdims: bool) -> Vec<Cuts> {
    let axes = cuts.iter().zip(reduced).filter(|(_, reduced)| !**reduced || keepdims);
    axes.map(|(cuts, reduced)| if *reduced { Cuts::whole(1) } else { cuts.clone() }).collect()
}

impl Step for Reduction {
    fn line(&self) -> String {
        format!("{} over {}", self.name, self.axes.show())
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let reduced = self.axes.of_array(inputs[0].ndim())?;
        if matches!(self.fold, Fold::Extreme { .. } | Fold::Place { .. }) {
            let over = |wanted: bool| inputs[0].lens().into_iter().zip(&reduced).filter(move |(_, reduced)| **reduced == wanted);
            if over(true).any(|(len, _)| len == Some(0)) && !over(false).any(|(len, _)| len == Some(0)) {
                let what = format!("`{}` over an axis without elements, of an array of shape {}", self.name, inputs[0].show_shape());
                return Err(Failure::new(Code::EmptyReduction, what));
            }
        }
        if matches!(self.fold, Fold::Place { .. }) {
            // Places are counted in the whole array.
            inputs[0].sizes()?;
        }
        Ok(Meta { dtype: self.out, cuts: reduced_cuts(&inputs[0].cuts, &reduced, self.axes.are_kept()) })
    }

    fn absorbs(&self) -> bool {
        true
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let reduced = self.axes.of_array(meta.ndim())?;
        let (program, inputs) = lowering.groups.program_for(&node.inputs[0])?;
        let (fold, dtype) = (self.fold, meta.dtype);
        let combine = OpRef::new(Combine { fold, dtype }, format!("combine {}", self.name));
        let keepdims = self.axes.are_kept();
        let end = End { fold, dtype, finish: self.finish, out: self.out, dropped: reduced.iter().map(|r| *r && !keepdims).collect() };
        let end = OpRef::new(end, format!("{} over {}", self.name, self.axes.show()));
        let label = format!("{} of {}", self.name, program.show());
        let lanes = node.known()?.largest_block().map_or(0, |bytes| bytes / self.out.size() as u64);
        let state = lanes.saturating_mul(fold.state_bytes(dtype));
        let places = matches!(fold, Fold::Place { .. });
        if !places && let Some(batches) = Batches::of(lowering, &inputs, meta, &reduced, node)? {
            let grid = batches.grid;
            let level = lowering.add(batches.layer(Reduce::plain(program, fold, reduced), label), node);
            return Ok(tree_within(lowering, level, &grid, &[false, true], state, (&combine, end), node));
        }
        let edges = lowering.aligned(&inputs, &meta.cuts, node)?;
        let alike = Alike::of_arrays(&inputs, &meta.cuts)?;
        let level = if places {
            let steps = name_steps(&meta.shape()?, &reduced);
            let first = |start: &[usize]| start.iter().zip(&steps).map(|(start, step)| *start as i64 * step).sum::<i64>();
            let args = meta.places()?.iter().map(|place| Arg::encode(&first(&place.start))).collect();
            let op = OpRef::new(Reduce::with_places(program, fold, reduced.clone(), steps).alike(alike), label);
            Layer::with_args("reduce", op, args, edges)
        } else {
            let op = OpRef::new(Reduce::plain(program, fold, reduced.clone()).alike(alike), label);
            Layer::single("reduce", meta.blocks()?, op, edges)
        };
        let level = lowering.add(level, node);
        Ok(tree_within(lowering, level, &meta.grid(), &reduced, state, (&combine, end), node))
    }
}

/// How much the name of an element grows along each axis: elements are numbered in row-major order of the reduced axes.
pub(super) fn name_steps(shape: &[usize], reduced: &[bool]) -> Vec<i64> {
    let mut step = 1i64;
    let mut steps = vec![0; shape.len()];
    for axis in (0..shape.len()).rev().filter(|axis| reduced[*axis]) {
        steps[axis] = step;
        step = step.saturating_mul(shape[axis] as i64);
    }
    steps
}

/// Folds one block to states.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reduce {
    program: Program,
    fold: Fold,
    reduced: Vec<bool>,
    /// How names grow along each axis, where places are wanted.
    names: Option<Vec<i64>>,
    alike: Alike,
}

impl Reduce {
    /// Where places do not matter.
    pub(super) fn plain(program: Program, fold: Fold, reduced: Vec<bool>) -> Self {
        Self { program, fold, reduced, names: None, alike: Alike::default() }
    }

    /// Where places are wanted: how names grow along each axis, see [`name_steps`].
    pub(super) fn with_places(program: Program, fold: Fold, reduced: Vec<bool>, names: Vec<i64>) -> Self {
        Self { program, fold, reduced, names: Some(names), alike: Alike::default() }
    }

    /// The same of several inputs, whose blocks must be of the same lengths along some axes.
    fn alike(self, alike: Alike) -> Self {
        Self { alike, ..self }
    }

    /// The states of the lanes of blocks. `first` is the name of their first element, where places are wanted.
    pub(super) fn state(&self, blocks: &[&Block], first: Option<i64>, cancelled: &AtomicBool) -> Result<State, Failure> {
        self.alike.check(blocks)?;
        let mut evaluator = Evaluator::new(&self.program, blocks)?.until(cancelled);
        let shape = evaluator.shape().to_vec();
        if shape.len() != self.reduced.len() {
            return Err(Failure::internal("reduce: a block of another number of axes"));
        }
        let lens = |wanted: bool| shape.iter().zip(&self.reduced).filter(move |(_, reduced)| **reduced == wanted).map(|(len, _)| *len);
        let (count, lanes) = (lens(true).product::<usize>(), lens(false).product::<usize>());
        let kept: Vec<usize> = shape.iter().zip(&self.reduced).map(|(len, reduced)| if *reduced { 1 } else { *len }).collect();
        let mut beside = vec![lane_strides(&kept, &self.reduced)];
        if let Some(names) = &self.names {
            beside.push(names.iter().map(|step| *step as isize).collect());
        }
        let numbers = with_dtype!(self.program.dtype()?, T => {
            let mut folding = Folding::<T>::new(T::folder(self.fold, lanes)?, blocks.len(), first);
            evaluator.fold::<T>(beside, 0, &mut folding)?;
            folding.end(&kept)
        });
        Ok(State { count: count as u64, numbers })
    }

    /// Such states of several blocks, in order, as one.
    pub(super) fn joined(&self, states: &[&State]) -> Result<State, Failure> {
        joined(self.fold, self.program.dtype()?, states)
    }
}

impl Operator for Reduce {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let blocks = inputs.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
        let first = self.names.is_some().then(|| ctx.arg()?.decode::<i64>()).transpose()?;
        Ok(Chunk::new(self.state(&blocks, first, ctx.cancelled)?))
    }
}

impl NamedOperator for Reduce {
    const NAME: &'static str = "array_reduce";
}

/// How far the lane moves along each axis of a block: lanes are numbered in row-major order of the kept axes.
fn lane_strides(kept: &[usize], reduced: &[bool]) -> Vec<isize> {
    let strides = row_major(kept);
    strides.into_iter().zip(reduced).map(|(stride, reduced)| if *reduced { 0 } else { stride }).collect()
}

/// Brings states together.
#[derive(Serialize, Deserialize)]
pub(crate) struct Combine {
    fold: Fold,
    dtype: DType,
}

impl Operator for Combine {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let states = inputs.iter().map(state_of).collect::<Result<Vec<&State>, Failure>>()?;
        Ok(Chunk::new(joined(self.fold, self.dtype, &states)?))
    }
}

impl NamedOperator for Combine {
    const NAME: &'static str = "array_combine";
}

/// Brings the last states together and makes results of them.
#[derive(Serialize, Deserialize)]
pub(crate) struct End {
    fold: Fold,
    dtype: DType,
    finish: Finish,
    out: DType,
    /// The axes that the result does not have.
    dropped: Vec<bool>,
}

impl Operator for End {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let states = inputs.iter().map(state_of).collect::<Result<Vec<&State>, Failure>>()?;
        let state = joined(self.fold, self.dtype, &states)?;
        let block = finished(&state, self.fold, self.finish, self.dtype, self.out)?;
        Ok(Chunk::new(block.without(&self.dropped)))
    }
}

impl NamedOperator for End {
    const NAME: &'static str = "array_reduce_end";
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, IxDyn};
    use partita_graph::{Serial, Value};

    use super::*;
    use crate::array::budget::Budget;
    use crate::array::lower::plan_within;
    use crate::client::operator_registry;

    /// 40 blocks, the states of which are larger than the smallest budget.
    #[test]
    fn memory_changes_no_bit_of_a_reduction() {
        fn check<U: Element>(reduced: &DArray<U>) {
            let run = |memory_per_thread| {
                let graph = plan_within(Budget::within(memory_per_thread), reduced.untyped()).expect("it fits");
                let last = graph.layers.iter().filter(|layer| layer.name.contains("finish")).count();
                let chunks = Serial::new(operator_registry()).run(&graph).0.expect("it runs");
                let bytes = block_of(&chunks[0]).and_then(Block::encode).expect("a block").buffers;
                (bytes.iter().flat_map(|bytes| (**bytes).as_ref().to_vec()).collect::<Vec<u8>>(), last)
            };
            let (large, small) = (run(None), run(Some(1)));
            assert!(large.0 == small.0, "other bits");
            assert_eq!((large.1, small.1), (1, 2), "three states are brought together by one task or by two");
        }
        let value = |at: IxDyn| if at[0] * at[1] == 33 * 77 { f64::NAN } else { ((at[0] * 31 + at[1] * 17) % 97) as f64 * 0.37 - 11.0 };
        let x = DArray::from_array(Array::from_shape_fn(IxDyn(&[40, 70_000]), value), [1, -1]);
        check(&x.sum_axis(0));
        check(&x.var_axis(0, 1.0));
        check(&x.argmax_axis(0));
    }

    #[test]
    fn names_count_along_reduced_axes() {
        assert_eq!(name_steps(&[2, 3, 4], &[true, true, true]), [12, 4, 1]);
        assert_eq!(name_steps(&[2, 3, 4], &[false, true, false]), [0, 1, 0]);
        assert_eq!(name_steps(&[2, 3, 4], &[true, false, true]), [4, 0, 1]);
        assert_eq!(lane_strides(&[2, 1, 4], &[false, true, false]), [4, 0, 1]);
    }
}
