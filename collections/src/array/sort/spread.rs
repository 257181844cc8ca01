//! Sorts an array of one axis that stays in its chunks.
//!
//! It refuses to hold more than a few blocks at a time, and sorts finer ones where a task may not hold so much. The invariants: what comes out follows
//! from the elements and the chunks alone, but for the order of 0.0 and -0.0, which are equal; and many equal elements do not come to one place,
//! because borders that are equal share what is equal to them.

use partita_graph::{Arg, Chunk, Failure, Layer, NamedOperator, OpRef, Operator, Parts, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::ascending;
use super::lanes::sorted;
use crate::array::Node;
use crate::array::block::{Block, block_of};
use crate::array::budget::Budget;
use crate::array::element::{DType, with_dtype, with_ordered};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, bounds, evenly};
use crate::array::rechunk::rechunk;
use crate::array::reductions::state::{State, state_of};
use crate::array::tile::Rank;

/// Samples of each block, which decide how even the parts are.
const SAMPLES: usize = 64;

/// Blocks that a task holds while it sorts one: what it reads, a copy, what the sort needs, and a part that became larger than others.
const COPIES: u64 = 4;
/// What a task holds for each element whose place is wanted, beside the elements: places, and pairs of both on the way.
const PLACE_BYTES: u64 = 32;

/// The blocks that are sorted: those of the array, or where a task could not hold one while it sorts it, even pieces of them.
fn pieces(sizes: &[usize], dtype: DType, places: bool, budget: Budget) -> Cuts {
    let held = dtype.size() as u64 * COPIES + if places { PLACE_BYTES } else { 0 };
    let most = (budget.task() / held).max(1) as usize;
    Cuts::Known(sizes.iter().flat_map(|size| evenly(*size, most)).collect())
}

/// The layers that sort.
pub(super) fn lower(places: bool, meta: &Meta, input: Lowered, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
    let (dtype, chunks) = (meta.dtype, meta.sizes()?);
    let ends = bounds(&chunks[0]);
    let fine = Meta { dtype, cuts: vec![pieces(&chunks[0], dtype, places, lowering.budget)] };
    let input = rechunk(lowering, input, meta, &fine.cuts, node);
    let (sizes, count) = (fine.sizes()?, fine.blocks()?);
    let begins = bounds(&sizes[0]);
    let firsts = || begins[..begins.len() - 1].iter().map(|first| Arg::encode(&(*first as i64))).collect::<Vec<Arg>>();
    let sample = OpRef::new(SampleOfBlock { dtype }, "samples");
    let samples = lowering.add(Layer::with_args("sample", sample, firsts(), vec![input.edge(Wiring::Each)]), node);
    let borders = OpRef::new(Borders { dtype, parts: count as usize }, "borders");
    let borders = lowering.add(Layer::single("borders", 1, borders, vec![samples.edge(Wiring::Every)]), node);
    let split = OpRef::new(SplitAtBorders { dtype, places }, "split at borders");
    let edges = vec![input.edge(Wiring::Each), borders.edge(Wiring::Every)];
    let split = lowering.add(Layer::with_args("split", split, firsts(), edges), node);
    let sort = OpRef::new(SortParts { dtype, places }, "sort parts");
    let parts = lowering.add(Layer::single("sort", count, sort, vec![split.edge(Wiring::Part)]), node);
    let length = OpRef::new(LengthOfPart, "lengths");
    let lengths = lowering.add(Layer::single("lengths", count, length, vec![parts.edge(Wiring::Each)]), node);
    let starts = OpRef::new(Starts, "where parts begin");
    let starts = lowering.add(Layer::single("starts", 1, starts, vec![lengths.edge(Wiring::Every)]), node);
    let numbers = (0..count).map(|part| Arg::encode(&(part as usize))).collect();
    let cut = OpRef::new(CutAtChunks { ends, places }, "cut at chunks");
    let edges = vec![parts.edge(Wiring::Each), starts.edge(Wiring::Every)];
    let cut = lowering.add(Layer::with_args("cut", cut, numbers, edges), node);
    let dtype = if places { DType::I64 } else { dtype };
    let join = OpRef::new(JoinPieces { dtype }, if places { "argsort" } else { "sort" });
    Ok(lowering.add(Layer::single("join", meta.blocks()?, join, vec![cut.edge(Wiring::Part)]), node))
}

/// Elements with their places, or without.
fn state<T: Rank>(values: Vec<T>, places: Option<Vec<i64>>) -> State {
    let shape = vec![values.len()];
    let mut numbers = vec![Block::from_vec(shape.clone(), values)];
    numbers.extend(places.map(|places| Block::from_vec(shape, places)));
    State { count: 0, numbers }
}

/// One of the two.
fn number(state: &State, at: usize) -> Result<&Block, Failure> {
    state.numbers.get(at).ok_or_else(|| Failure::internal("sort: a part without one of its numbers"))
}

fn states(inputs: &[Chunk]) -> Result<Vec<&State>, Failure> {
    inputs.iter().map(state_of).collect()
}

/// Elements of states, one after the other.
fn gathered<T: Rank>(states: &[&State], at: usize) -> Result<Vec<T>, Failure> {
    let mut all = Vec::with_capacity(states.iter().map(|state| state.shape().iter().product::<usize>()).sum());
    for state in states {
        all.extend(number(state, at)?.to_vec::<T>()?);
    }
    Ok(all)
}

/// The places of a block's elements, of which the first is given by the argument.
fn numbered(ctx: &TaskContext<'_>, len: usize) -> Result<Vec<i64>, Failure> {
    let first: i64 = ctx.arg()?.decode()?;
    Ok((first..first + len as i64).collect())
}

/// Some elements of a block, evenly spread over its order.
#[derive(Serialize, Deserialize)]
pub(crate) struct SampleOfBlock {
    dtype: DType,
}

impl Operator for SampleOfBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("sort: no block"))??;
        with_ordered!(self.dtype, T => {
            let first: i64 = ctx.arg()?.decode()?;
            // Elements at even distances, which costs no sort; more of them than are kept, so that they stand for the others.
            let step = (block.len() / (SAMPLES * 16)).max(1);
            let some: Vec<T> = block.view::<T>()?.iter().copied().step_by(step).collect();
            let (values, places) = sorted(some, Some((first..first + block.len() as i64).step_by(step).collect()));
            let step = (values.len() / SAMPLES).max(1);
            let values: Vec<T> = values.into_iter().step_by(step).collect();
            Ok(Chunk::new(state(values, places.map(|places| places.into_iter().step_by(step).collect()))))
        })
    }
}

impl NamedOperator for SampleOfBlock {
    const NAME: &'static str = "array_sort_sample";
}

/// Borders between parts that are about as large, one fewer than there are parts.
#[derive(Serialize, Deserialize)]
pub(crate) struct Borders {
    dtype: DType,
    parts: usize,
}

impl Operator for Borders {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let states = states(inputs)?;
        with_ordered!(self.dtype, T => {
            let (values, places) = sorted(gathered::<T>(&states, 0)?, Some(gathered::<i64>(&states, 1)?));
            let places = places.unwrap_or_default();
            if values.is_empty() {
                // Nothing is cut, wherever borders are.
                let none = self.parts.saturating_sub(1);
                return Ok(Chunk::new(state(vec![T::default(); none], Some(vec![0; none]))));
            }
            let chosen: Vec<usize> = (1..self.parts).map(|part| (values.len() * part / self.parts).min(values.len() - 1)).collect();
            let borders: Vec<T> = chosen.iter().map(|at| values[*at]).collect();
            Ok(Chunk::new(state(borders, Some(chosen.iter().map(|at| places[*at]).collect()))))
        })
    }
}

impl NamedOperator for Borders {
    const NAME: &'static str = "array_sort_borders";
}

/// A block, sorted and cut at the borders.
#[derive(Serialize, Deserialize)]
pub(crate) struct SplitAtBorders {
    dtype: DType,
    places: bool,
}

impl Operator for SplitAtBorders {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [block, borders] = inputs else { return Err(Failure::internal("sort: a block and borders")) };
        let (block, borders) = (block_of(block)?, state_of(borders)?);
        with_ordered!(self.dtype, T => {
            let values = block.to_vec::<T>()?;
            let places = if self.places { Some(numbered(ctx, values.len())?) } else { None };
            let (values, places) = sorted(values, places);
            let (limits, limit_places) = (number(borders, 0)?.to_vec::<T>()?, number(borders, 1)?.to_vec::<i64>()?);
            let mut ends = match &places {
                Some(places) => cut_by_place(&values, places, &limits, &limit_places),
                None => cut_evenly(&values, &limits),
            };
            ends.push(values.len());
            let all = state::<T>(values, places);
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let part = |(start, end): (usize, usize)| {
                let numbers = all.numbers.iter().map(|block| block.cut(std::slice::from_ref(&(start..end)))).collect();
                Chunk::new(State { count: 0, numbers })
            };
            Ok(Chunk::new(Parts(starts.zip(ends.iter().copied()).map(part).collect())))
        })
    }
}

impl NamedOperator for SplitAtBorders {
    const NAME: &'static str = "array_sort_split";
}

/// Where borders cut sorted elements; of equal elements the places decide.
fn cut_by_place<T: Rank>(values: &[T], places: &[i64], limits: &[T], limit_places: &[i64]) -> Vec<usize> {
    let mut ends = Vec::with_capacity(limits.len());
    for (limit, limit_place) in limits.iter().zip(limit_places) {
        let low = values.partition_point(|value| ascending(value, limit).is_lt());
        let high = values.partition_point(|value| ascending(value, limit).is_le());
        ends.push(low + places[low..high].partition_point(|place| place < limit_place));
    }
    ends
}

/// Where borders cut sorted elements; borders that are equal share what is equal to them.
fn cut_evenly<T: Rank>(values: &[T], limits: &[T]) -> Vec<usize> {
    let mut ends = Vec::with_capacity(limits.len());
    for same in limits.chunk_by(|a, b| ascending(a, b).is_eq()) {
        let low = values.partition_point(|value| ascending(value, &same[0]).is_lt());
        let high = values.partition_point(|value| ascending(value, &same[0]).is_le());
        ends.extend((1..=same.len()).map(|at| low + (high - low) * at / (same.len() + 1)));
    }
    ends
}

/// What lies between two borders, of all blocks.
#[derive(Serialize, Deserialize)]
pub(crate) struct SortParts {
    dtype: DType,
    places: bool,
}

impl Operator for SortParts {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let states = states(inputs)?;
        with_ordered!(self.dtype, T => {
            let places = if self.places { Some(gathered::<i64>(&states, 1)?) } else { None };
            let (values, places) = sorted(gathered::<T>(&states, 0)?, places);
            Ok(Chunk::new(state::<T>(values, places)))
        })
    }
}

impl NamedOperator for SortParts {
    const NAME: &'static str = "array_sort_parts";
}

/// How many elements a part has.
#[derive(Serialize, Deserialize)]
pub(crate) struct LengthOfPart;

impl Operator for LengthOfPart {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let state = inputs.first().map(state_of).ok_or_else(|| Failure::internal("sort: no part"))??;
        Ok(Chunk::new(Block::from_vec(vec![1], vec![state.shape().iter().product::<usize>() as i64])))
    }
}

impl NamedOperator for LengthOfPart {
    const NAME: &'static str = "array_sort_length";
}

/// Where parts begin in the whole.
#[derive(Serialize, Deserialize)]
pub(crate) struct Starts;

impl Operator for Starts {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let mut starts = Vec::with_capacity(inputs.len());
        let mut next = 0;
        for input in inputs {
            starts.push(next);
            next += block_of(input)?.to_vec::<i64>()?.iter().sum::<i64>();
        }
        Ok(Chunk::new(Block::from_vec(vec![starts.len()], starts)))
    }
}

impl NamedOperator for Starts {
    const NAME: &'static str = "array_sort_starts";
}

/// A sorted part, cut where the chunks of the result begin.
#[derive(Serialize, Deserialize)]
pub(crate) struct CutAtChunks {
    ends: Vec<usize>,
    /// Whether places are what is wanted.
    places: bool,
}

impl Operator for CutAtChunks {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [part, starts] = inputs else { return Err(Failure::internal("sort: a part, and where parts begin")) };
        let (part, starts) = (state_of(part)?, block_of(starts)?.to_vec::<i64>()?);
        let own: usize = ctx.arg()?.decode()?;
        let start = starts.get(own).ok_or_else(|| Failure::internal("sort: fewer parts than there were"))?;
        let start = usize::try_from(*start).map_err(|_| Failure::internal("sort: a part before the first"))?;
        let block = number(part, usize::from(self.places))?;
        let within = |end: usize| end.saturating_sub(start).min(block.len());
        let piece = |chunk: &[usize]| Chunk::new(block.cut(std::slice::from_ref(&(within(chunk[0])..within(chunk[1])))));
        Ok(Chunk::new(Parts(self.ends.windows(2).map(piece).collect())))
    }
}

impl NamedOperator for CutAtChunks {
    const NAME: &'static str = "array_sort_cut";
}

/// A chunk of the result, of pieces in order.
#[derive(Serialize, Deserialize)]
pub(crate) struct JoinPieces {
    dtype: DType,
}

impl Operator for JoinPieces {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        with_dtype!(self.dtype, T => {
            let mut all: Vec<T> = Vec::new();
            for input in inputs {
                all.extend(block_of(input)?.to_vec::<T>()?);
            }
            Ok(Chunk::new(Block::from_vec(vec![all.len()], all)))
        })
    }
}

impl NamedOperator for JoinPieces {
    const NAME: &'static str = "array_sort_join";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_cannot_be_sorted_in_one_task_are_sorted_in_pieces() {
        let of = |places: bool, memory_per_thread: Option<u64>| {
            pieces(&[1_000_000, 0, 10], DType::F64, places, Budget::within(memory_per_thread))
        };
        assert_eq!((of(false, None), of(true, None)), (Cuts::Known([1_000_000, 0, 10].into()), Cuts::Known([1_000_000, 0, 10].into())));
        assert_eq!(of(false, Some(32_000_000)), Cuts::Known([500_000, 500_000, 0, 10].into()));
        assert_eq!(of(true, Some(32_000_000)), Cuts::Known([250_000, 250_000, 250_000, 250_000, 0, 10].into()));
    }

    #[test]
    fn equal_elements_are_shared_by_equal_borders() {
        assert_eq!(cut_evenly(&[1, 2, 2, 2, 2, 3], &[2, 2, 2]), [2, 3, 4]);
        assert_eq!(cut_evenly(&[1, 2, 3], &[0, 2, 9]), [0, 1, 3]);
        assert_eq!(cut_by_place(&[1, 2, 2, 2, 3], &[9, 1, 4, 7, 0], &[2, 3], &[5, 0]), [3, 4]);
        assert_eq!(cut_evenly::<f64>(&[], &[1.0]), [0]);
    }
}
