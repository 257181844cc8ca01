//! `vindex`: single elements, each named by its place along every axis.

use std::collections::BTreeMap;

use partita_graph::{Arg, Chunk, Code, Edge, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::block::{Block, block_of};
use crate::array::element::{DType, Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, SHORT};
use crate::array::ops::slice::{known_bounds, place_of};
use crate::array::rechunk::Lists;
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
        self.at_points(places, SHORT)
    }

    /// The same by tasks that read about so many bytes.
    #[track_caller]
    fn at_points(&self, places: &[&[isize]], bytes: u64) -> DArray<T> {
        let places = places.iter().map(|places| places.to_vec()).collect();
        DArray::then(Points { places, bytes }, vec![self.to_any()], ".vindex(…)")
    }
}

/// Elements that one task gathers.
const TOGETHER: usize = 1 << 20;

struct Points {
    places: Vec<Vec<isize>>,
    /// That a task reads: where it would be more, the points of each block are gathered by themselves first.
    bytes: u64,
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
        let mut by_block: Vec<BTreeMap<usize, Found>> = vec![BTreeMap::new(); tasks.len()];
        for (points, by_block) in tasks.iter().zip(&mut by_block) {
            for (at, (block, within)) in points.iter().enumerate() {
                let (targets, places) = by_block.entry(*block).or_default();
                targets.push(at);
                places.push(within.clone());
            }
        }
        let most = by_block.iter().map(BTreeMap::len).max().unwrap_or(0) as u64;
        let edge = if most > 1 && meta.block_bytes().is_some_and(|block| block.saturating_mul(most) > self.bytes) {
            self.each_by_itself(&mut by_block, node, lowering)?
        } else {
            let mut lists = Lists::new();
            by_block.iter().for_each(|by_block| lists.push(by_block.keys().copied()));
            lowering.of(&node.inputs[0]).edge(lists.wiring())
        };
        let args = tasks.iter().zip(&by_block).map(|(points, found)| Arg::encode(&(points.len(), found.values().collect::<Vec<_>>())));
        let args = args.collect();
        let op = OpRef::new(Gather { dtype: meta.dtype }, self.line());
        Ok(lowering.add(Layer::with_args("points", op, args, vec![edge]), node))
    }
}

impl Points {
    /// A layer that gathers the points of each block for each task that wants some of it, and how these tasks read that. Their places become those
    /// in what was gathered.
    fn each_by_itself(&self, by_block: &mut [BTreeMap<usize, Found>], node: &Node, lowering: &mut Lowering) -> Result<Edge, Failure> {
        let (mut blocks, mut args, mut lists) = (Lists::new(), Vec::new(), Lists::new());
        for by_block in by_block {
            let first = args.len();
            for (block, (_, places)) in by_block {
                let own: Found = ((0..places.len()).collect(), std::mem::take(places));
                args.push(Arg::encode(&(own.0.len(), std::slice::from_ref(&own))));
                blocks.push([*block]);
                *places = own.0.into_iter().map(|place| vec![place]).collect();
            }
            lists.push(first..args.len());
        }
        let op = OpRef::new(Gather { dtype: node.known()?.dtype }, "points of a block");
        let edges = vec![lowering.of(&node.inputs[0]).edge(blocks.wiring())];
        Ok(lowering.add(Layer::with_args("gather", op, args, edges), node).edge(lists.wiring()))
    }
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
    use partita_graph::Serial;

    use super::*;
    use crate::client::operator_registry;

    #[test]
    fn points_of_many_blocks_are_gathered_by_block() {
        let serial = Serial::new(operator_registry());
        for chunks in [[1, 1], [2, 5], [6, 2], [6, 10]] {
            let x = DArray::from_fn([6, 10], chunks, |at| (10 * at[0] + at[1]) as i32);
            for count in [0, 1, 40] {
                let (rows, columns): (Vec<isize>, Vec<isize>) = (0..count).map(|at| (at * 5 % 6 - 3, at * 7 % 10)).unzip();
                let [found, at_once] =
                    [0, u64::MAX].map(|bytes| x.at_points(&[&rows, &columns], bytes).compute_on(&serial).expect("it runs"));
                assert_eq!(found, at_once, "{chunks:?}");
                let expected = rows.iter().zip(&columns).map(|(row, column)| (10 * row.rem_euclid(6) + column) as i32);
                assert!(found.into_iter().eq(expected), "{chunks:?}");
            }
        }
    }
}
