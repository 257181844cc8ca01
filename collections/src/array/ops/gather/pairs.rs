//! Places along an axis of an array whose blocks along that axis are too large to be held together: each block of places meets each block along
//! the axis by itself and takes what it wants of that; what it took of all is put in order.
//!
//! It refuses to know how long arrays are. The invariant: what a task has taken is never more than what its block of places asks for.

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::Node;
use crate::array::assemble::joined;
use crate::array::block::{Block, block_of};
use crate::array::element::with_dtype;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Meta, bounds};
use crate::array::ops::slice::place_of;
use crate::array::pick::listed;
use crate::array::reductions::state::{State, state_of};
use crate::array::reductions::tree::tree;
use crate::array::wiring::follow;

/// The layers that take and put together. Lengths along the axis are known.
pub(super) fn lower(
    [from, to]: [&Meta; 2],
    axis: usize,
    [elements, places]: [Lowered; 2],
    node: &Node,
    lowering: &mut Lowering,
) -> Result<Lowered, Failure> {
    let sizes = from.cuts[axis].sizes().ok_or_else(|| Failure::internal("take_array: lengths are not known"))?;
    let (ends, out) = (bounds(sizes), to.grid());
    // The blocks of the result, each with each block along the axis.
    let grid = [&out[..], &[sizes.len()]].concat();
    let tasks = u32::try_from(u64::from(to.blocks()?) * sizes.len() as u64).map_err(|_| {
        let what = "blocks of places and blocks along the axis are more pairs than can be numbered";
        Failure::new(Code::InvalidOption, what).help("larger chunks: .rechunk(\"auto\")")
    })?;
    let met: Vec<Option<usize>> = (0..out.len()).map(|at| Some(if at == axis { out.len() } else { at })).collect();
    let edges = vec![elements.edge(follow(&from.grid(), &grid, &met)), places.edge(follow(&out[axis..=axis], &grid, &[Some(axis)]))];
    let firsts: Vec<Arg> = ends[..sizes.len()].iter().map(Arg::encode).collect();
    let args = firsts.iter().cycle().take(tasks as usize).cloned().collect();
    let take = OpRef::new(TakeSome { axis, len: ends[sizes.len()] }, "take of a block");
    let level = lowering.add(Layer::with_args("take", take, args, edges), node);
    let reduced: Vec<bool> = (0..grid.len()).map(|at| at == out.len()).collect();
    let together = OpRef::new(PutSome { axis, end: false }, "what was taken");
    let end = OpRef::new(PutSome { axis, end: true }, node.step.line());
    Ok(tree(lowering, level, &grid, &reduced, (&together, end), node))
}

/// What a block of places wants of one block along the axis, whose first place is the argument, and where that belongs among the places.
#[derive(Serialize, Deserialize)]
pub(crate) struct TakeSome {
    axis: usize,
    /// Of the axis.
    len: usize,
}

impl Operator for TakeSome {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [block, places] = inputs else { return Err(Failure::internal("take_array: a block and places")) };
        let (block, first): (&Block, usize) = (block_of(block)?, ctx.arg()?.decode()?);
        let own = *block.shape().get(self.axis).ok_or_else(|| Failure::internal("take_array: a block of fewer axes"))?;
        let (mut drawn, mut targets) = (Vec::new(), Vec::new());
        for (target, place) in block_of(places)?.to_vec::<i64>()?.into_iter().enumerate() {
            let place = place_of(place as isize, self.len, self.axis)?;
            if (first..first + own).contains(&place) {
                drawn.push(place - first);
                targets.push(target as i64);
            }
        }
        let taken = listed(block, self.axis, &drawn)?;
        Ok(Chunk::new(State { count: 0, numbers: vec![Block::from_vec(vec![targets.len()], targets), taken] }))
    }
}

impl NamedOperator for TakeSome {
    const NAME: &'static str = "array_take_some";
}

/// What was taken of several blocks, together, or as the block of the result.
#[derive(Serialize, Deserialize)]
pub(crate) struct PutSome {
    axis: usize,
    end: bool,
}

impl Operator for PutSome {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (mut targets, mut pieces) = (Vec::new(), Vec::with_capacity(inputs.len()));
        for input in inputs {
            let [own, taken] = &state_of(input)?.numbers[..] else { return Err(Failure::internal("take_array: places without elements")) };
            targets.extend(own.to_vec::<i64>()?);
            pieces.push(taken.clone());
        }
        let first = pieces.first().ok_or_else(|| Failure::internal("take_array: nothing was taken"))?;
        let grid: Vec<usize> = (0..first.shape().len()).map(|at| if at == self.axis { pieces.len() } else { 1 }).collect();
        let all = with_dtype!(first.dtype(), T => Block::from_array(joined::<T>(&grid, &pieces)?));
        if !self.end {
            return Ok(Chunk::new(State { count: 0, numbers: vec![Block::from_vec(vec![targets.len()], targets), all] }));
        }
        // Each place was taken of one block.
        let mut order = vec![0; targets.len()];
        for (at, target) in targets.into_iter().enumerate() {
            let place = usize::try_from(target).ok().and_then(|target| order.get_mut(target));
            *place.ok_or_else(|| Failure::internal("take_array: elements for places that nobody asked for"))? = at;
        }
        Ok(Chunk::new(listed(&all, self.axis, &order)?))
    }
}

impl NamedOperator for PutSome {
    const NAME: &'static str = "array_put_some";
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, ArrayD, Axis, IxDyn};
    use partita_graph::{Executor, Graph, Run, RunEach, Serial};

    use super::*;
    use crate::array::DArray;
    use crate::client::operator_registry;

    /// An executor with hardly any memory.
    struct Narrow(Serial);

    impl Executor for Narrow {
        fn submit(&self, graph: Graph) -> Result<Run, Failure> {
            self.0.submit(graph)
        }

        fn submit_each(&self, graph: Graph) -> Result<RunEach, Failure> {
            self.0.submit_each(graph)
        }

        fn threads(&self) -> usize {
            1
        }

        fn memory_per_thread(&self) -> Option<u64> {
            Some(1)
        }
    }

    #[test]
    fn blocks_along_the_axis_are_met_one_by_one() {
        let narrow = Narrow(Serial::new(operator_registry()));
        let whole = ArrayD::from_shape_fn(IxDyn(&[40, 3, 5000]), |at| (100_000 * at[0] + 10_000 * at[1] + at[2]) as i32);
        let places: Vec<usize> = (0..33).map(|at| at * 7 % 40).collect();
        for chunks in [[40, 3, 5000], [3, 3, 5000], [20, 2, 2000], [1, 1, 5000]] {
            let x = DArray::from_array(whole.clone(), chunks);
            for (axis, chunk) in [(0, 5), (0, 40), (2, 20), (1, 10)] {
                let len = whole.shape()[axis];
                let own: Vec<usize> = places.iter().map(|place| place * 131 % len).collect();
                // Every other one is counted from the back.
                let said = own.iter().enumerate().map(|(at, place)| *place as i64 - if at % 2 == 1 { len as i64 } else { 0 });
                let found = x.take_array(&DArray::from_array(Array::from_iter(said), chunk), axis as isize);
                assert_eq!(found.compute_on(&narrow).expect("it runs"), whole.select(Axis(axis), &own), "{chunks:?} along {axis}");
            }
            let none = DArray::from_array(Array::from_vec(Vec::<i64>::new()), 3);
            assert_eq!(x.take_array(&none, 0).compute_on(&narrow).expect("it runs").shape(), [0, 3, 5000]);
            let wrong = DArray::from_array(Array::from_vec(vec![0i64, 40]), 1);
            assert_eq!(x.take_array(&wrong, 0).compute_on(&narrow).expect_err("no such place").code, Code::IndexOutOfRange);
        }
    }
}
