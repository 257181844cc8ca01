//! Elements once each, of an array with more different ones than a task may hold: samples of all blocks give borders, each block's own are cut
//! at them, and what lies between two borders is brought together in one task.
//!
//! It refuses to know how equal elements become one. The invariant: equal elements lie between the same borders, whichever block they are in;
//! and where borders are follows from the elements and the chunks alone, so that elements and their counts come in the same chunks.

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, Parts, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::state::{State, state_of};
use crate::array::Node;
use crate::array::block::{Block, block_of};
use crate::array::element::{DType, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::Meta;
use crate::array::sort::lexical;
use crate::array::tile::Arith;

/// Samples of each block, which decide how even the ranges are.
const SAMPLES: usize = 64;

/// Ranges of an array of unknown size: each block gives a part for each range, so that their number is the product of both.
const MOST: u32 = 1_024;

/// How many ranges the elements of an array come in, of about so many bytes if all elements are different. An array that is shorter, or of one
/// block, has one; one of unknown size has as many as blocks but at most [`MOST`], if these are more than can be brought together at a
/// time.
pub(super) fn count(meta: &Meta, bytes: u64) -> Result<u32, Failure> {
    let blocks = meta.blocks()?;
    let wanted = match meta.nbytes() {
        Some(all) => u32::try_from(all.div_ceil(bytes.max(1))).unwrap_or(u32::MAX),
        None if blocks > super::tree::FAN_IN as u32 => blocks.min(MOST),
        None => 1,
    };
    Ok(wanted.min(blocks).max(1))
}

/// From the states of blocks to one for each range, which `end` makes a result of.
pub(super) fn lower(
    level: Lowered,
    ranges: u32,
    end: OpRef,
    meta: &Meta,
    node: &Node,
    lowering: &mut Lowering,
) -> Result<Lowered, Failure> {
    let (dtype, blocks) = (meta.dtype, meta.blocks()?);
    let sample = OpRef::new(SampleOfUnique { dtype }, "samples of unique elements");
    let samples = lowering.add(Layer::single("sample", blocks, sample, vec![level.edge(Wiring::Each)]), node);
    let borders = OpRef::new(BordersOfUnique { dtype, ranges: ranges as usize }, "borders");
    let borders = lowering.add(Layer::single("borders", 1, borders, vec![samples.edge(Wiring::Every)]), node);
    let split = OpRef::new(SplitUnique { dtype }, "split at borders");
    let edges = vec![level.edge(Wiring::Each), borders.edge(Wiring::Every)];
    let split = lowering.add(Layer::single("split", blocks, split, edges), node);
    Ok(lowering.add(Layer::single("finish", ranges, end, vec![split.edge(Wiring::Part)]), node))
}

/// The elements of a state, which go up.
fn elements<T: Arith>(state: &Chunk) -> Result<Vec<T>, Failure> {
    state_of(state)?.numbers.first().ok_or_else(|| Failure::internal("unique: a state without elements"))?.to_vec()
}

/// Some of a block's own elements, evenly spread over their order.
#[derive(Serialize, Deserialize)]
pub(crate) struct SampleOfUnique {
    dtype: DType,
}

impl Operator for SampleOfUnique {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [state] = inputs else { return Err(Failure::internal("unique: samples of one state")) };
        with_dtype!(self.dtype, T => {
            let values = elements::<T>(state)?;
            let step = values.len().div_ceil(SAMPLES).max(1);
            let some: Vec<T> = values.into_iter().step_by(step).collect();
            Ok(Chunk::new(Block::from_vec(vec![some.len()], some)))
        })
    }
}

impl NamedOperator for SampleOfUnique {
    const NAME: &'static str = "array_unique_sample";
}

/// Borders between ranges with about as many samples, one fewer than there are ranges.
#[derive(Serialize, Deserialize)]
pub(crate) struct BordersOfUnique {
    dtype: DType,
    ranges: usize,
}

impl Operator for BordersOfUnique {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        with_dtype!(self.dtype, T => {
            let mut all: Vec<T> = Vec::new();
            for input in inputs {
                all.extend(block_of(input)?.to_vec::<T>()?);
            }
            all.sort_by(lexical);
            all.dedup_by(|a, b| lexical(a, b).is_eq());
            // Of no elements nothing is cut, wherever borders are.
            let border = |range: usize| all.get(all.len() * range / self.ranges).copied().unwrap_or_default();
            let borders: Vec<T> = (1..self.ranges).map(border).collect();
            Ok(Chunk::new(Block::from_vec(vec![borders.len()], borders)))
        })
    }
}

impl NamedOperator for BordersOfUnique {
    const NAME: &'static str = "array_unique_borders";
}

/// A state, cut at the borders; what is equal to a border lies behind it.
#[derive(Serialize, Deserialize)]
pub(crate) struct SplitUnique {
    dtype: DType,
}

impl Operator for SplitUnique {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [state, borders] = inputs else { return Err(Failure::internal("unique: a state and borders")) };
        with_dtype!(self.dtype, T => {
            let values = elements::<T>(state)?;
            let mut bounds = vec![0];
            for border in block_of(borders)?.to_vec::<T>()? {
                bounds.push(values.partition_point(|value| lexical(value, &border).is_lt()));
            }
            bounds.push(values.len());
            let state = state_of(state)?;
            let part = |range: &[usize]| {
                let numbers = state.numbers.iter().map(|block| block.cut(std::slice::from_ref(&(range[0]..range[1])))).collect();
                Chunk::new(State { count: 0, numbers })
            };
            Ok(Chunk::new(Parts(bounds.windows(2).map(part).collect())))
        })
    }
}

impl NamedOperator for SplitUnique {
    const NAME: &'static str = "array_unique_split";
}
