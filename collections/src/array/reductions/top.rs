//! `topk` and `argtopk`: the greatest or the least few elements along an axis, or their places.

use std::cmp::Ordering;

use partita_graph::{Arg, Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::scan::Form;
use super::state::{State, state_of};
use super::tree::tree;
use crate::array::assemble::joined;
use crate::array::block::{Block, block_of};
use crate::array::element::{DType, with_ordered};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, axis_of, bounds, unknown_sizes};
use crate::array::tile::Rank;
use crate::array::{DArray, Node, Ordered, Step};

impl<T: Ordered> DArray<T> {
    /// The `k` greatest elements along an axis, the greatest first; with a negative `k` the least, the least first. Fewer where the axis
    /// is shorter. NaN is greater than every number.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[5, 1, 3, 4], [2, 8, 6, 7]], 2);
    /// assert_eq!(x.topk(2, 1).compute()?, array![[5, 4], [8, 7]].into_dyn());
    /// assert_eq!(x.argtopk(-2, 1).compute()?, array![[1, 2], [0, 2]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or whose sizes are not known.
    #[track_caller]
    pub fn topk(&self, k: isize, axis: isize) -> DArray<T> {
        DArray::then(Top { k, axis, places: false }, vec![self.to_any()], ".topk(…)")
    }

    /// The places of those elements along the axis; of equal ones the first come first.
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or whose sizes are not known.
    #[track_caller]
    pub fn argtopk(&self, k: isize, axis: isize) -> DArray<i64> {
        DArray::then(Top { k, axis, places: true }, vec![self.to_any()], ".argtopk(…)")
    }
}

struct Top {
    k: isize,
    axis: isize,
    places: bool,
}

impl Step for Top {
    fn line(&self) -> String {
        format!("{} {} along axis {}", if self.places { "argtopk" } else { "topk" }, self.k, self.axis)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let axis = axis_of(self.axis, inputs[0].ndim())?;
        let len = inputs[0].cuts[axis].len().ok_or_else(|| unknown_sizes(axis))?;
        let mut cuts = inputs[0].cuts.clone();
        cuts[axis] = Cuts::whole(len.min(self.k.unsigned_abs()));
        Ok(Meta { dtype: if self.places { DType::I64 } else { inputs[0].dtype }, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let axis = axis_of(self.axis, meta.ndim())?;
        let sizes = meta.cuts[axis].sizes().ok_or_else(|| unknown_sizes(axis))?;
        let starts = bounds(sizes);
        let grid = meta.grid();
        let behind: usize = grid[axis + 1..].iter().product();
        let args = (0..meta.blocks()? as usize).map(|block| Arg::encode(&(starts[block / behind % grid[axis]] as i64))).collect();
        let best = TopOfBlock { k: self.k as i64, axis, dtype: meta.dtype };
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        let level = lowering.add(Layer::with_args("topk", OpRef::new(best, self.line()), args, edges), node);
        let of_states = |last: Option<bool>| TopOfStates { k: self.k as i64, axis, dtype: meta.dtype, last };
        let combine = OpRef::new(of_states(None), "combine topk");
        let end = OpRef::new(of_states(Some(self.places)), self.line());
        let reduced: Vec<bool> = (0..grid.len()).map(|at| at == axis).collect();
        Ok(tree(lowering, level, &grid, &reduced, (&combine, end), node))
    }
}

/// Which of two elements with their places comes first.
fn order<T: Rank>(a: &(T, i64), b: &(T, i64), greatest: bool) -> Ordering {
    let by_value = match (a.0.is_missing(), b.0.is_missing()) {
        (false, false) => a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal),
        (a, b) => a.cmp(&b),
    };
    let by_value = if greatest { by_value.reverse() } else { by_value };
    by_value.then(a.1.cmp(&b.1))
}

/// The best few of each lane, with their places, in order. Values and places are those of one block, in row-major order.
fn best<T: Rank>(values: &[T], places: &[i64], shape: &[usize], axis: usize, k: i64) -> State {
    let form = Form::of(shape, axis);
    let count = form.len.min(k.unsigned_abs() as usize);
    let mut found: Vec<Vec<(T, i64)>> = Vec::with_capacity(form.lanes());
    for lane in 0..form.lanes() {
        let mut all: Vec<(T, i64)> = form.lane(values, lane).zip(form.lane(places, lane)).collect();
        if count < all.len() {
            all.select_nth_unstable_by(count, |a, b| order(a, b, k > 0));
            all.truncate(count);
        }
        all.sort_unstable_by(|a, b| order(a, b, k > 0));
        found.push(all);
    }
    let mut best = (Vec::with_capacity(count * form.lanes()), Vec::with_capacity(count * form.lanes()));
    for group in found.chunks(form.inner.max(1)) {
        for at in 0..count {
            best.0.extend(group.iter().map(|lane| lane[at].0));
            best.1.extend(group.iter().map(|lane| lane[at].1));
        }
    }
    let mut shape = shape.to_vec();
    shape[axis] = count;
    State { count: 0, numbers: vec![Block::from_vec(shape.clone(), best.0), Block::from_vec(shape, best.1)] }
}

/// The best few of a block.
#[derive(Serialize, Deserialize)]
pub(crate) struct TopOfBlock {
    k: i64,
    axis: usize,
    dtype: DType,
}

impl Operator for TopOfBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("topk: no block"))??;
        let first: i64 = ctx.arg()?.decode()?;
        let form = Form::of(block.shape(), self.axis);
        // The place of each element along the axis, in row-major order of the block.
        let line = (first..first + form.len as i64).flat_map(|place| std::iter::repeat_n(place, form.inner));
        let places: Vec<i64> = std::iter::repeat_n(line, form.outer).flatten().collect();
        with_ordered!(self.dtype, T => Ok(Chunk::new(best(&block.to_vec::<T>()?, &places, block.shape(), self.axis, self.k))))
    }
}

impl NamedOperator for TopOfBlock {
    const NAME: &'static str = "array_topk";
}

/// The best few of several best few.
#[derive(Serialize, Deserialize)]
pub(crate) struct TopOfStates {
    k: i64,
    axis: usize,
    dtype: DType,
    /// Whether this is the result, and of places.
    last: Option<bool>,
}

impl Operator for TopOfStates {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let states = inputs.iter().map(state_of).collect::<Result<Vec<&State>, Failure>>()?;
        let number = |at: usize| {
            let blocks = states.iter().map(|state| state.numbers.get(at).cloned()).collect::<Option<Vec<Block>>>();
            blocks.ok_or_else(|| Failure::internal("topk: a state without one of its numbers"))
        };
        let ndim = states.first().map_or(0, |state| state.shape().len());
        let grid: Vec<usize> = (0..ndim).map(|at| if at == self.axis { states.len() } else { 1 }).collect();
        let state = with_ordered!(self.dtype, T => {
            let values = joined::<T>(&grid, &number(0)?)?;
            let places = joined::<i64>(&grid, &number(1)?)?;
            let shape = values.shape().to_vec();
            let (values, places) = (Block::from_array(values).to_vec::<T>()?, Block::from_array(places).to_vec::<i64>()?);
            best(&values, &places, &shape, self.axis, self.k)
        });
        match self.last {
            None => Ok(Chunk::new(state)),
            Some(places) => Ok(Chunk::new(state.numbers[usize::from(places)].clone())),
        }
    }
}

impl NamedOperator for TopOfStates {
    const NAME: &'static str = "array_topk_combine";
}
