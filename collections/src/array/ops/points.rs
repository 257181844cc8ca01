//! `vindex`: single elements, each named by its place along every axis.

use std::collections::BTreeMap;

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::block::{Block, block_of};
use crate::array::element::{DType, Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::ops::slice::{known_bounds, place_of};
use crate::array::rechunk::{Lists, by_source};
use crate::array::{DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// The elements at these places, one list of places for each axis: the first element is that at the first place of every list. Negative
    /// places count from the back.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1, 2, 3], [4, 5, 6]], 2);
    /// assert_eq!(x.vindex(&[&[0, 1, -1], &[2, 0, 1]]).compute()?, array![3, 4, 5].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: lists for another number of axes or of different lengths, a place that does not exist, sizes of chunks that are not
    /// known.
    #[track_caller]
    pub fn vindex(&self, places: &[&[isize]]) -> DArray<T> {
        DArray::then(Points { places: places.iter().map(|places| places.to_vec()).collect() }, vec![self.to_any()], ".vindex(…)")
    }
}

/// Elements that one task gathers.
const TOGETHER: usize = 1 << 20;

struct Points {
    places: Vec<Vec<isize>>,
}

/// Where the elements that one block has come to lie, and their places in the block, point by point.
type Found = (Vec<usize>, Vec<Vec<usize>>);

impl Points {
    fn len(&self) -> usize {
        self.places.first().map_or(0, Vec::len)
    }

    /// For each point its block, and its place in it.
    fn found(&self, meta: &Meta) -> Result<Vec<(usize, Vec<usize>)>, Failure> {
        if self.places.len() != meta.ndim() || self.places.iter().any(|places| places.len() != self.len()) {
            let lens: Vec<String> = self.places.iter().map(|places| places.len().to_string()).collect();
            let what = format!("lists of {} places for an array of {} axes", lens.join(", "), meta.ndim());
            return Err(Failure::new(Code::ShapeMismatch, what).help("one list for each axis, all of the same length"));
        }
        let mut found = vec![(0, Vec::with_capacity(meta.ndim())); self.len()];
        for (axis, places) in self.places.iter().enumerate() {
            let bounds = known_bounds(meta, axis)?;
            for (place, (block, within)) in places.iter().zip(&mut found) {
                let place = place_of(*place, bounds[bounds.len() - 1], axis)?;
                let chunk = bounds.partition_point(|bound| *bound <= place).saturating_sub(1);
                *block = *block * meta.cuts[axis].count() + chunk;
                within.push(place - bounds[chunk]);
            }
        }
        Ok(found)
    }
}

impl Step for Points {
    fn line(&self) -> String {
        format!("{} points", self.len())
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        self.found(inputs[0])?;
        Ok(Meta { dtype: inputs[0].dtype, cuts: vec![Cuts::even(self.len(), TOGETHER)] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let found = self.found(meta)?;
        let mut tasks: Vec<&[(usize, Vec<usize>)]> = found.chunks(TOGETHER).collect();
        if tasks.is_empty() {
            tasks.push(&[]);
        }
        let by_block: Vec<BTreeMap<usize, Found>> = tasks.iter().map(|points| by_block(points)).collect();
        let op = OpRef::new(Gather { dtype: meta.dtype }, self.line());
        let blocks = by_block.iter().map(BTreeMap::len).max().unwrap_or(0) as u64;
        let input = lowering.of(&node.inputs[0]);
        if blocks > 1 && blocks.saturating_mul(meta.largest_block().unwrap_or(0)) > lowering.budget.task() {
            return Ok(block_by_block(lowering, input, &by_block, &op, node));
        }
        let (mut lists, mut args) = (Lists::new(), Vec::new());
        for blocks in by_block {
            lists.push(blocks.keys().copied());
            args.push(Arg::encode(&(count(&blocks), blocks.into_values().collect::<Vec<Found>>())));
        }
        Ok(lowering.add(Layer::with_args("points", op, args, vec![input.edge(lists.wiring())]), node))
    }
}

/// What is wanted of each block.
fn by_block(points: &[(usize, Vec<usize>)]) -> BTreeMap<usize, Found> {
    let mut by_block: BTreeMap<usize, Found> = BTreeMap::new();
    for (at, (block, within)) in points.iter().enumerate() {
        let (targets, places) = by_block.entry(*block).or_default();
        targets.push(at);
        places.push(within.clone());
    }
    by_block
}

/// How many points are wanted of all blocks together.
fn count(blocks: &BTreeMap<usize, Found>) -> usize {
    blocks.values().map(|(targets, _)| targets.len()).sum()
}

/// A task for what is wanted of one block, for each block of the result, and then one for each of these.
fn block_by_block(lowering: &mut Lowering, input: Lowered, wanted: &[BTreeMap<usize, Found>], op: &OpRef, node: &Node) -> Lowered {
    let (mut pieces, mut args) = (Vec::new(), Vec::new());
    for (task, blocks) in wanted.iter().enumerate() {
        let mut found: Vec<Found> = Vec::with_capacity(blocks.len());
        for (block, (targets, places)) in blocks {
            // In a row first, and from there to where they belong.
            let row: Vec<usize> = (0..targets.len()).collect();
            found.push((targets.clone(), row.iter().map(|at| vec![*at]).collect()));
            pieces.push((*block, task, Arg::encode(&(row.len(), vec![(row, places.clone())]))));
        }
        args.push(Arg::encode(&(count(blocks), found)));
    }
    let (sources, first, read) = by_source(pieces);
    let gathered = lowering.add(Layer::with_args("points", op.clone(), first, vec![input.edge(sources.wiring())]), node);
    lowering.add(Layer::with_args("points", op.clone(), args, vec![gathered.edge(read.wiring())]), node)
}

/// Gathers single elements of several blocks.
#[derive(Serialize, Deserialize)]
pub(crate) struct Gather {
    dtype: DType,
}

impl Operator for Gather {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let (count, found): (usize, Vec<Found>) = ctx.arg()?.decode()?;
        with_dtype!(self.dtype, T => gathered::<T>(count, &found, inputs).map(Chunk::new))
    }
}

impl NamedOperator for Gather {
    const NAME: &'static str = "array_points";
}

fn gathered<T: Held>(count: usize, found: &[Found], inputs: &[Chunk]) -> Result<Block, Failure> {
    let mut values = vec![T::default(); count];
    for (input, (targets, places)) in inputs.iter().zip(found) {
        let view = block_of(input)?.view::<T>()?;
        for (target, place) in targets.iter().zip(places) {
            let value = view.get(place.as_slice()).ok_or_else(|| Failure::internal("points: a block without one of its elements"))?;
            *values.get_mut(*target).ok_or_else(|| Failure::internal("points: more than were asked for"))? = *value;
        }
    }
    Ok(Block::from_vec(vec![count], values))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, IxDyn};
    use partita_graph::Serial;

    use super::*;
    use crate::array::budget::Budget;
    use crate::array::lower::plan_within;
    use crate::client::operator_registry;

    #[test]
    fn points_of_many_blocks_are_gathered_block_by_block_where_memory_is_short() {
        let x = DArray::from_array(Array::from_shape_fn(IxDyn(&[6, 100_000]), |at| (at[0] * 1_000_000 + at[1]) as i64), [2, -1]);
        let points = x.vindex(&[&[5, 0, 3, -1, 0], &[99_999, 7, 70_000, 0, -1]]);
        let run = |memory_per_thread| {
            let graph = plan_within(Budget::within(memory_per_thread), points.untyped()).expect("it fits");
            let found = Serial::new(operator_registry()).run(&graph).0.expect("it runs");
            (block_of(&found[0]).and_then(Block::to_vec::<i64>).expect("a block"), graph.layers.len())
        };
        let (direct, by_blocks) = (run(None), run(Some(1)));
        assert_eq!(direct.0, [5_099_999, 7, 3_070_000, 5_000_000, 99_999]);
        assert_eq!((by_blocks.0, by_blocks.1), (direct.0, direct.1 + 1));
    }
}
