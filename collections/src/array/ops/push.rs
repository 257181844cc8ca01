//! `push`: NaN as the last number before it along an axis.
//!
//! Every block says what its lanes end with; then each block is gone through with what all blocks before it on its line ended with.

use partita_graph::{Arg, Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use crate::array::block::{Block, block_of};
use crate::array::element::{Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, advance, axis_of};
use crate::array::reductions::scan::Form;
use crate::array::reductions::state::{State, state_of};
use crate::array::tile::Arith;
use crate::array::wiring::follow;
use crate::array::{DArray, Float, Node, Step};

impl<T: Float> DArray<T> {
    /// NaN replaced by the last number before it along an axis, at most `limit` in a row. NaN without a number before it stays.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let nan = f64::NAN;
    /// let x = DArray::from_array(array![1.0, nan, nan, 4.0, nan], 2);
    /// assert_eq!(x.push(0, None).compute()?, array![1.0, 1.0, 1.0, 4.0, 4.0].into_dyn());
    /// assert_eq!(x.push(0, Some(1)).is_nan().compute()?, array![false, false, true, false, false].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist.
    #[doc(alias = "ffill")]
    #[track_caller]
    pub fn push(&self, axis: isize, limit: Option<usize>) -> DArray<T> {
        let limit = limit.map_or(u64::MAX, |limit| limit as u64);
        DArray::then(Push { axis, limit }, vec![self.to_any()], ".push(…)")
    }
}

struct Push {
    axis: isize,
    limit: u64,
}

impl Step for Push {
    fn line(&self) -> String {
        format!("push along axis {}", self.axis)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        axis_of(self.axis, inputs[0].ndim())?;
        Ok(inputs[0].clone())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let axis = axis_of(self.axis, meta.ndim())?;
        let (grid, blocks, input) = (meta.grid(), meta.blocks()?, lowering.of(&node.inputs[0]));
        let ends = Layer::single("ends", blocks, OpRef::new(EndOfBlock { axis }, "what lanes end with"), vec![input.edge(Wiring::Each)]);
        let ends = lowering.add(ends, node);
        let mut args = Vec::with_capacity(blocks as usize);
        let mut position = vec![0; grid.len()];
        loop {
            args.push(Arg::encode(&(position[axis] as u64)));
            if !advance(&mut position, &grid) {
                break;
            }
        }
        let line: Vec<Option<usize>> = (0..grid.len()).map(|at| (at != axis).then_some(at)).collect();
        let edges = vec![input.edge(Wiring::Each), ends.edge(follow(&grid, &grid, &line))];
        let op = OpRef::new(PushBlock { axis, limit: self.limit }, self.line());
        Ok(lowering.add(Layer::with_args("push", op, args, edges), node))
    }
}

/// The form of a block around an axis.
fn form_of(block: &Block, axis: usize) -> Result<Form, Failure> {
    if axis >= block.shape().len() {
        return Err(Failure::internal("push: a block of fewer axes"));
    }
    Ok(Form::of(block.shape(), axis))
}

/// What each lane of a block ends with: its last number, or NaN, and how many NaN stand behind that.
#[derive(Serialize, Deserialize)]
pub(crate) struct EndOfBlock {
    axis: usize,
}

impl Operator for EndOfBlock {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("push: no block"))??;
        let form = form_of(block, self.axis)?;
        with_dtype!(block.dtype(), T => {
            let values = block.to_vec::<T>()?;
            let (mut last, mut behind) = (Vec::with_capacity(form.lanes()), Vec::with_capacity(form.lanes()));
            for lane in 0..form.lanes() {
                let (mut end, mut since) = (T::of_f64(f64::NAN), 0i64);
                for value in form.lane(&values, lane) {
                    (end, since) = if value.is_missing() { (end, since + 1) } else { (value, 0) };
                }
                last.push(end);
                behind.push(since);
            }
            let shape = vec![last.len()];
            Ok(Chunk::new(State { count: 0, numbers: vec![Block::from_vec(shape.clone(), last), Block::from_vec(shape, behind)] }))
        })
    }
}

impl NamedOperator for EndOfBlock {
    const NAME: &'static str = "array_push_end";
}

/// A block with NaN replaced. It reads what all blocks of its line end with, of which those before it count.
#[derive(Serialize, Deserialize)]
pub(crate) struct PushBlock {
    axis: usize,
    limit: u64,
}

impl Operator for PushBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (block, line) = inputs.split_first().ok_or_else(|| Failure::internal("push: no block"))?;
        let block = block_of(block)?;
        let before = line.get(..ctx.arg()?.decode::<u64>()? as usize).ok_or_else(|| Failure::internal("push: a shorter line"))?;
        let form = form_of(block, self.axis)?;
        with_dtype!(block.dtype(), T => {
            let mut values = block.to_vec::<T>()?;
            let known = ended::<T>(before, form.lanes())?;
            for (lane, (last, since)) in known.into_iter().enumerate() {
                let start = lane / form.inner * form.len * form.inner + lane % form.inner;
                let lane = values.iter_mut().skip(start).step_by(form.inner).take(form.len);
                pushed(lane, last, since, self.limit);
            }
            Ok(Chunk::new(Block::from_vec(block.shape().to_vec(), values)))
        })
    }
}

impl NamedOperator for PushBlock {
    const NAME: &'static str = "array_push";
}

/// What each lane ended with in the blocks before: the last number, if there is one, and how many NaN came after it.
fn ended<T: Arith>(before: &[Chunk], lanes: usize) -> Result<Vec<(Option<T>, u64)>, Failure> {
    let mut known = vec![(None, 0); lanes];
    for state in before {
        let [last, behind] = &state_of(state)?.numbers[..] else { return Err(Failure::internal("push: ends without numbers")) };
        let ends = last.to_vec::<T>()?.into_iter().zip(behind.to_vec::<i64>()?);
        for ((known, since), (last, behind)) in known.iter_mut().zip(ends) {
            if last.is_missing() {
                *since += behind as u64;
            } else {
                (*known, *since) = (Some(last), behind as u64);
            }
        }
    }
    Ok(known)
}

/// Goes through one lane.
fn pushed<'a, T: Arith>(lane: impl Iterator<Item = &'a mut T>, mut last: Option<T>, mut since: u64, limit: u64) {
    for value in lane {
        if !value.is_missing() {
            (last, since) = (Some(*value), 0);
            continue;
        }
        since += 1;
        if let Some(last) = last.filter(|_| since <= limit) {
            *value = last;
        }
    }
}
