//! `vindex`: single elements, each named by its place along every axis.

use std::collections::BTreeMap;

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::block::{Block, block_of};
use crate::array::element::{DType, Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
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
        let (mut lists, mut args) = (Lists::new(), Vec::new());
        let mut tasks: Vec<&[(usize, Vec<usize>)]> = found.chunks(TOGETHER).collect();
        if tasks.is_empty() {
            tasks.push(&[]);
        }
        for points in tasks {
            let mut by_block: BTreeMap<usize, Found> = BTreeMap::new();
            for (at, (block, within)) in points.iter().enumerate() {
                let (targets, places) = by_block.entry(*block).or_default();
                targets.push(at);
                places.push(within.clone());
            }
            lists.push(by_block.keys().copied());
            args.push(Arg::encode(&(points.len(), by_block.values().collect::<Vec<_>>())));
        }
        let op = OpRef::new(Gather { dtype: meta.dtype }, self.line());
        let edges = vec![lowering.of(&node.inputs[0]).edge(lists.wiring())];
        Ok(lowering.add(Layer::with_args("points", op, args, edges), node))
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
