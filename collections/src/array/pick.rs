//! Which elements of an array another one is made of, axis by axis. Slices, shifts, repetitions and lists of places are all said in this
//! way and done by one operator, without a copy where a new block comes of one old one in even steps.
//!
//! It refuses to know why. The invariant: every new chunk is drawn from at least one old one, also when it has no elements, so that a
//! task always knows the kind of what it makes.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::Axis;
use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::assemble::joined;
use super::block::{Block, block_of};
use super::budget::Budget;
use super::element::with_dtype;
use super::lower::{Lowered, Lowering};
use super::meta::{Cuts, Meta, advance};
use super::rechunk::{Lists, by_source};
use super::{DArray, Element, Node, Step};

/// Elements of one chunk along one axis, in the order in which they are wanted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) enum Draw {
    /// All of them.
    Whole,
    /// `len` elements from `start` on, `step` apart; 0 repeats one.
    Run {
        /// Counted from the chunk's beginning.
        start: usize,
        /// Negative to go backwards.
        step: i64,
        /// How many.
        len: usize,
    },
    /// These.
    Listed(Vec<usize>),
    /// What these draw, one after the other.
    Several(Vec<Draw>),
}

impl Draw {
    /// Its places one by one, unless it is all of them.
    fn places(&self) -> Option<Vec<usize>> {
        match self {
            Draw::Whole => None,
            Draw::Run { start, step, len } => Some((0..*len).map(|at| (*start as i64 + at as i64 * step) as usize).collect()),
            Draw::Listed(places) => Some(places.clone()),
            Draw::Several(draws) => Some(draws.iter().map(Draw::places).collect::<Option<Vec<_>>>()?.concat()),
        }
    }

    /// How many there are, of a chunk of this length.
    fn count(&self, whole: Option<usize>) -> Option<usize> {
        match self {
            Draw::Whole => whole,
            Draw::Run { len, .. } => Some(*len),
            Draw::Listed(places) => Some(places.len()),
            Draw::Several(draws) => draws.iter().map(|draw| draw.count(whole)).sum(),
        }
    }
}

/// One new chunk along one axis: what it is drawn from, chunk by chunk.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Made {
    /// Old chunks, and what is drawn from each.
    pub draws: Vec<(usize, Draw)>,
    /// The order in which what was drawn is wanted, where it is another one.
    pub order: Option<Vec<usize>>,
}

/// An axis that stays as it is.
pub(super) fn as_it_is(cuts: &Cuts) -> Vec<Made> {
    (0..cuts.count()).map(|chunk| Made { draws: vec![(chunk, Draw::Whole)], order: None }).collect()
}

/// Each draw as a chunk by itself. Empty ones are left out where there are others.
pub(super) fn one_by_one(draws: Vec<(usize, Draw)>) -> Vec<Made> {
    let is_empty = |draw: &Draw| matches!(draw, Draw::Run { len: 0, .. });
    let some = draws.iter().any(|(_, draw)| !is_empty(draw));
    let kept = draws.into_iter().filter(|(_, draw)| !some || !is_empty(draw));
    let mut made: Vec<Made> = kept.map(|draw| Made { draws: vec![draw], order: None }).collect();
    if !some {
        // One empty chunk is enough.
        made.truncate(1);
    }
    made
}

/// Places `first`, `first + step`, …, so many, in chunks with these bounds. There is always a draw, if an empty one.
pub(super) fn runs(bounds: &[usize], first: usize, step: i64, len: usize) -> Vec<(usize, Draw)> {
    let mut draws = Vec::new();
    let mut at = 0;
    while at < len {
        let place = (first as i64 + at as i64 * step) as usize;
        let chunk = bounds.partition_point(|bound| *bound <= place).saturating_sub(1);
        let (low, high) = (bounds[chunk], bounds[chunk + 1]);
        let stride = step.unsigned_abs() as usize;
        let here = match step {
            0 => len,
            _ if step > 0 => (high - place).div_ceil(stride),
            _ => (place - low) / stride + 1,
        };
        let here = here.min(len - at);
        draws.push((chunk, Draw::Run { start: place - low, step, len: here }));
        at += here;
    }
    if draws.is_empty() {
        draws.push((0, Draw::Run { start: 0, step: 1, len: 0 }));
    }
    draws
}

/// A chunk of these places, in this order, of chunks with these bounds.
pub(super) fn places(bounds: &[usize], wanted: &[usize]) -> Made {
    if wanted.is_empty() {
        return Made { draws: runs(bounds, 0, 1, 0), order: None };
    }
    if progressions(wanted).len() <= 1 + wanted.len() / 8 {
        return Made { draws: stepwise(bounds, wanted), order: None };
    }
    // Every chunk is read once; what was drawn is put in order afterwards.
    let mut by_chunk: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (at, place) in wanted.iter().enumerate() {
        let chunk = bounds.partition_point(|bound| bound <= place).saturating_sub(1);
        let (drawn, targets) = by_chunk.entry(chunk).or_default();
        drawn.push(place - bounds[chunk]);
        targets.push(at);
    }
    let targets: Vec<usize> = by_chunk.values().flat_map(|(_, targets)| targets.iter().copied()).collect();
    let draws = by_chunk.into_iter().map(|(chunk, (drawn, _))| (chunk, Draw::Listed(drawn))).collect();
    let in_order = targets.iter().copied().eq(0..targets.len());
    let order = (!in_order).then(|| {
        let mut order = vec![0; targets.len()];
        targets.iter().enumerate().for_each(|(drawn, target)| order[*target] = drawn);
        order
    });
    Made { draws, order }
}

/// These places, in this order, of chunks with these bounds, in as many even steps as it takes: for few places.
pub(super) fn stepwise(bounds: &[usize], wanted: &[usize]) -> Vec<(usize, Draw)> {
    progressions(wanted).into_iter().flat_map(|(first, step, len)| runs(bounds, first, step, len)).collect()
}

/// Places as even steps: first, step and number of each.
fn progressions(places: &[usize]) -> Vec<(usize, i64, usize)> {
    let mut found: Vec<(usize, i64, usize)> = Vec::new();
    for place in places {
        match found.last_mut() {
            Some((first, step, len)) if *len == 1 => {
                *step = *place as i64 - *first as i64;
                *len = 2;
            }
            Some((first, step, len)) if *first as i64 + *step * *len as i64 == *place as i64 => *len += 1,
            _ => found.push((*place, 1, 1)),
        }
    }
    found
}

/// What an array is made of another by: for each axis its new chunks, and which axes the result has.
pub(super) struct Picking {
    /// For each axis of the old array.
    pub axes: Vec<Vec<Made>>,
    /// For each axis of the result the axis that it is, or `None` for a new one of length 1; axes that are left out have length 1.
    pub arrange: Option<Vec<Option<usize>>>,
}

impl Picking {
    /// Of axes that stay in their order.
    pub fn of(axes: Vec<Vec<Made>>) -> Self {
        Self { axes, arrange: None }
    }

    /// The cuts of the result.
    pub fn cuts(&self, old: &[Cuts]) -> Vec<Cuts> {
        let cuts: Vec<Cuts> = self.axes.iter().zip(old).map(|(made, old)| cuts_of(made, old)).collect();
        match &self.arrange {
            None => cuts,
            Some(order) => order.iter().map(|axis| axis.map_or_else(|| Cuts::whole(1), |axis| cuts[axis].clone())).collect(),
        }
    }

    /// A layer with one task for each block of the result, which reads the old ones that it is drawn of; where it may not hold them, others draw first.
    pub fn lower(&self, lowering: &mut Lowering, input: Lowered, meta: &Meta, label: String, node: &Node) -> Lowered {
        let old = meta.grid();
        if self.reads_too_much(meta, lowering.budget) {
            return self.piece_by_piece(lowering, input, &old, label, node);
        }
        let grid: Vec<usize> = self.axes.iter().map(Vec::len).collect();
        let (mut lists, mut args) = (Lists::new(), Vec::new());
        let mut position = vec![0; grid.len()];
        loop {
            let along: Vec<&Made> = self.axes.iter().zip(&position).map(|(axis, at)| &axis[*at]).collect();
            let mut sources = vec![0];
            for (made, blocks) in along.iter().zip(&old) {
                sources = sources.iter().flat_map(|base| made.draws.iter().map(move |(chunk, _)| base * blocks + chunk)).collect();
            }
            lists.push(sources);
            let draws = |made: &Made| (made.draws.iter().map(|(_, draw)| draw.clone()).collect::<Vec<_>>(), made.order.clone());
            args.push(Arg::encode(&along.iter().copied().map(draws).collect::<Vec<_>>()));
            if !advance(&mut position, &grid) {
                break;
            }
        }
        let op = OpRef::new(Pick { arrange: self.arrange.clone() }, label);
        let wiring = lists.narrowest(old.iter().product());
        lowering.add(Layer::with_args("pick", op, args, vec![input.edge(wiring)]), node)
    }

    /// Whether the task that reads the most would hold more than it may, because of what it reads and does not need.
    fn reads_too_much(&self, meta: &Meta, budget: Budget) -> bool {
        let (mut read, mut made, mut are_several) = (meta.dtype.size() as u64, meta.dtype.size() as u64, false);
        for (new, cuts) in self.axes.iter().zip(&meta.cuts) {
            let (Some(sizes), Cuts::Known(lens)) = (cuts.sizes(), cuts_of(new, cuts)) else { continue };
            let chunks = |made: &Made| made.draws.chunk_by(|a, b| a.0 == b.0).map(|draws| sizes[draws[0].0] as u64).collect::<Vec<u64>>();
            let along: Vec<Vec<u64>> = new.iter().map(chunks).collect();
            read = read.saturating_mul(along.iter().map(|chunks| chunks.iter().sum::<u64>()).max().unwrap_or(1));
            made = made.saturating_mul(lens.iter().max().map_or(1, |len| *len as u64));
            are_several |= along.iter().any(|chunks| chunks.len() > 1);
        }
        are_several && read > made.max(budget.task().saturating_sub(made))
    }

    /// A task for each piece of an old block, in the order of these, and one for each new block.
    fn piece_by_piece(&self, lowering: &mut Lowering, input: Lowered, old: &[usize], label: String, node: &Node) -> Lowered {
        let axes: Vec<Vec<Vec<(usize, Draw)>>> =
            self.axes.iter().map(|made| made.iter().map(|made| by_chunk(&made.draws)).collect()).collect();
        let grid: Vec<usize> = axes.iter().map(Vec::len).collect();
        let (mut pieces, mut args) = (Vec::new(), Vec::new());
        let mut position = vec![0; grid.len()];
        loop {
            let along: Vec<&Vec<(usize, Draw)>> = axes.iter().zip(&position).map(|(axis, at)| &axis[*at]).collect();
            let inner: Vec<usize> = along.iter().map(|draws| draws.len()).collect();
            let mut within = vec![0; inner.len()];
            loop {
                let drawn: Vec<&(usize, Draw)> = along.iter().zip(&within).map(|(draws, at)| &draws[*at]).collect();
                let source = drawn.iter().zip(old).fold(0, |number, ((chunk, _), blocks)| number * blocks + chunk);
                let drawn: Vec<(Vec<Draw>, Option<Vec<usize>>)> = drawn.iter().map(|(_, draw)| (vec![draw.clone()], None)).collect();
                pieces.push((source, args.len(), Arg::encode(&drawn)));
                if !advance(&mut within, &inner) {
                    break;
                }
            }
            let order = |axis: usize| self.axes[axis][position[axis]].order.clone();
            let whole = (0..inner.len()).map(|axis| (vec![Draw::Whole; inner[axis]], order(axis)));
            args.push(Arg::encode(&whole.collect::<Vec<(Vec<Draw>, Option<Vec<usize>>)>>()));
            if !advance(&mut position, &grid) {
                break;
            }
        }
        let (sources, draws, read) = by_source(pieces);
        let draw = Layer::with_args("draw", OpRef::new(Pick { arrange: None }, label.clone()), draws, vec![input.edge(sources.wiring())]);
        let drawn = lowering.add(draw, node);
        let op = OpRef::new(Pick { arrange: self.arrange.clone() }, label);
        lowering.add(Layer::with_args("pick", op, args, vec![drawn.edge(read.wiring())]), node)
    }
}

/// The same draws, those in a row of one chunk as one. Their places are written out by the task that draws: runs may be long.
fn by_chunk(draws: &[(usize, Draw)]) -> Vec<(usize, Draw)> {
    let together = |draws: &[(usize, Draw)]| match draws {
        [(chunk, _), _, ..] if draws.iter().all(|(_, draw)| *draw != Draw::Whole) => {
            vec![(*chunk, Draw::Several(draws.iter().map(|(_, draw)| draw.clone()).collect()))]
        }
        others => others.to_vec(),
    };
    draws.chunk_by(|a, b| a.0 == b.0).flat_map(together).collect()
}

/// The lengths of new chunks.
fn cuts_of(made: &[Made], old: &Cuts) -> Cuts {
    let len = |(chunk, draw): &(usize, Draw)| draw.count(old.sizes().map(|sizes| sizes[*chunk]));
    let sizes = made.iter().map(|made| made.draws.iter().map(len).sum::<Option<usize>>()).collect::<Option<Arc<[usize]>>>();
    sizes.map_or_else(|| Cuts::Unknown(u32::try_from(made.len()).unwrap_or(u32::MAX)), Cuts::Known)
}

type Rule = dyn Fn(&Meta) -> Result<Picking, Failure> + Send + Sync;

/// A step that picks elements by a rule.
struct Picked {
    line: String,
    rule: Box<Rule>,
}

impl<T: Element> DArray<T> {
    /// The array that a rule makes of the chunks of this one.
    #[track_caller]
    pub(super) fn picked<F>(&self, method: &str, line: String, rule: F) -> DArray<T>
    where
        F: Fn(&Meta) -> Result<Picking, Failure> + Send + Sync + 'static,
    {
        DArray::then(Picked { line, rule: Box::new(rule) }, vec![self.to_any()], method)
    }
}

impl Step for Picked {
    fn line(&self) -> String {
        self.line.clone()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let picking = (self.rule)(inputs[0])?;
        Ok(Meta { dtype: inputs[0].dtype, cuts: picking.cuts(&inputs[0].cuts) })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let picking = (self.rule)(meta)?;
        let input = lowering.of(&node.inputs[0]);
        Ok(picking.lower(lowering, input, meta, self.line(), node))
    }
}

/// Makes one new block of old ones. Its argument says for each axis what is drawn from the old chunks along it, and in which order that
/// is wanted.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pick {
    arrange: Option<Vec<Option<usize>>>,
}

impl Operator for Pick {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let axes: Vec<(Vec<Draw>, Option<Vec<usize>>)> = ctx.arg()?.decode()?;
        let grid: Vec<usize> = axes.iter().map(|(draws, _)| draws.len()).collect();
        let mut position = vec![0; grid.len()];
        let mut pieces = Vec::with_capacity(inputs.len());
        for input in inputs {
            let draws: Vec<&Draw> = axes.iter().zip(&position).map(|((draws, _), at)| &draws[*at]).collect();
            pieces.push(drawn(block_of(input)?, &draws)?);
            advance(&mut position, &grid);
        }
        let mut block = match &pieces[..] {
            [one] => one.clone(),
            [first, ..] => with_dtype!(first.dtype(), T => Block::from_array(joined::<T>(&grid, &pieces)?)),
            [] => return Err(Failure::internal("a block is picked of nothing")),
        };
        for (axis, (_, order)) in axes.iter().enumerate() {
            if let Some(order) = order {
                block = listed(&block, axis, order)?;
            }
        }
        let block = self.arrange.as_ref().map_or_else(|| block.clone(), |order| block.arranged(order));
        Ok(Chunk::new(block.compact()?))
    }
}

impl NamedOperator for Pick {
    const NAME: &'static str = "array_pick";
}

/// What is drawn from one block.
fn drawn(block: &Block, draws: &[&Draw]) -> Result<Block, Failure> {
    if block.shape().len() != draws.len() {
        return Err(Failure::internal("pick: a block of another number of axes"));
    }
    let mut found = block.clone();
    for (axis, draw) in draws.iter().enumerate() {
        if let Draw::Run { start, step, len } = draw {
            let reach = *start as i64 + *step * (*len as i64 - 1).max(0);
            let there = |place: i64| (0..found.shape()[axis] as i64).contains(&place);
            if *len > 0 && !(there(*start as i64) && there(reach)) {
                return Err(shorter(axis, found.shape()[axis]));
            }
            found = found.strided(axis, *start, *step as isize, *len);
        }
    }
    // Lists copy, so they come last, when little is left.
    for (axis, draw) in draws.iter().enumerate() {
        match draw {
            Draw::Whole | Draw::Run { .. } => {}
            Draw::Listed(places) => found = listed(&found, axis, places)?,
            Draw::Several(_) => {
                let places = draw.places().ok_or_else(|| Failure::internal("pick: all of a chunk beside a part of it"))?;
                found = listed(&found, axis, &places)?;
            }
        }
    }
    Ok(found)
}

/// The failure for a chunk that a user's function made shorter than it should be.
fn shorter(axis: usize, len: usize) -> Failure {
    Failure::new(Code::ShapeMismatch, format!("a chunk has {len} elements along axis {axis}, which is fewer than were announced"))
}

/// These places along an axis.
pub(super) fn listed(block: &Block, axis: usize, places: &[usize]) -> Result<Block, Failure> {
    let len = block.shape()[axis];
    if places.iter().any(|place| *place >= len) {
        return Err(shorter(axis, len));
    }
    with_dtype!(block.dtype(), T => Ok(Block::from_array(block.view::<T>()?.select(Axis(axis), places))))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, IxDyn};
    use partita_graph::Serial;

    use super::*;
    use crate::array::lower::plan_within;
    use crate::client::operator_registry;

    /// The blocks of an array whose tasks hold no more, and how many of its layers draw pieces.
    fn blocks(array: &DArray<i64>, memory_per_thread: Option<u64>) -> (Vec<Vec<i64>>, usize) {
        let graph = plan_within(Budget::within(memory_per_thread), array.untyped()).expect("it fits");
        let draws = graph.layers.iter().filter(|layer| layer.name.contains("draw")).count();
        let chunks = Serial::new(operator_registry()).run(&graph).0.expect("it runs");
        (chunks.iter().map(|chunk| block_of(chunk).and_then(Block::to_vec::<i64>).expect("a block")).collect(), draws)
    }

    /// Three blocks of 1.6 MB, of which every new block needs a few elements.
    #[test]
    fn places_far_apart_are_drawn_piece_by_piece_where_memory_is_short() {
        let x = DArray::from_array(Array::from_shape_fn(IxDyn(&[6, 100_000]), |at| (at[0] * 1_000_000 + at[1]) as i64), [2, -1]);
        let taken = x.take([5, 0, 3, 1, 4, 2], 0).take([99_999, 7, 70_000, 7, 8, 9, 10], 1);
        let (direct, by_pieces) = (blocks(&taken, None), blocks(&taken, Some(1)));
        assert_eq!(direct.0, by_pieces.0);
        assert_eq!((direct.1, by_pieces.1), (0, 1));
        assert_eq!(direct.0[0][..8], [5_099_999, 5_000_007, 5_070_000, 5_000_007, 5_000_008, 5_000_009, 5_000_010, 99_999]);
    }

    /// The first block is drawn from up and down again.
    #[test]
    fn runs_of_one_block_are_drawn_together() {
        let x = DArray::arange(0i64, 300_000, 1, 100_000);
        let wanted: Vec<isize> = (0..60).chain((20..60).rev()).chain(200_000..200_060).collect();
        let taken = x.take(wanted.iter().copied(), 0);
        let expected = vec![wanted.iter().map(|place| *place as i64).collect::<Vec<i64>>()];
        assert_eq!((blocks(&taken, None), blocks(&taken, Some(1))), ((expected.clone(), 0), (expected, 1)));
    }

    #[test]
    fn draws_in_a_row_of_one_chunk_are_one() {
        let listed = |places: &[usize]| Draw::Listed(places.to_vec());
        let draws = [run(0, 1, 2, 2), run(0, 9, -1, 2), run(1, 0, 1, 3), (0, listed(&[4])), (2, Draw::Whole), (2, Draw::Whole)];
        let both = Draw::Several(vec![run(0, 1, 2, 2).1, run(0, 9, -1, 2).1]);
        let expected = [(0, both.clone()), run(1, 0, 1, 3), (0, listed(&[4])), (2, Draw::Whole), (2, Draw::Whole)];
        assert_eq!(by_chunk(&draws), expected);
        assert_eq!((both.places(), both.count(None)), (Some(vec![1, 3, 9, 8]), Some(4)));
        // However long they are, what a task is told of them is short.
        let long = by_chunk(&[run(0, 7, 0, 1 << 40), run(0, 0, 1, 1 << 40), (0, listed(&[4]))]);
        assert_eq!((long.len(), long[0].1.count(None)), (1, Some((1 << 41) + 1)));
    }

    fn run(chunk: usize, start: usize, step: i64, len: usize) -> (usize, Draw) {
        (chunk, Draw::Run { start, step, len })
    }

    #[test]
    fn even_steps_are_cut_at_the_bounds_of_chunks() {
        let bounds = [0, 4, 4, 8, 10];
        assert_eq!(runs(&bounds, 0, 1, 10), [run(0, 0, 1, 4), run(2, 0, 1, 4), run(3, 0, 1, 2)]);
        assert_eq!(runs(&bounds, 1, 3, 3), [run(0, 1, 3, 1), run(2, 0, 3, 2)]);
        assert_eq!(runs(&bounds, 9, -1, 10), [run(3, 1, -1, 2), run(2, 3, -1, 4), run(0, 3, -1, 4)]);
        assert_eq!(runs(&bounds, 9, -4, 3), [run(3, 1, -4, 1), run(2, 1, -4, 1), run(0, 1, -4, 1)]);
        assert_eq!(runs(&bounds, 5, 0, 7), [run(2, 1, 0, 7)]);
        assert_eq!(runs(&bounds, 10, 1, 0), [run(0, 0, 1, 0)]);
        assert_eq!(one_by_one(runs(&bounds, 0, 1, 0)).len(), 1);
    }

    #[test]
    fn lists_are_drawn_chunk_by_chunk() {
        assert_eq!(progressions(&[3, 3, 3, 5, 7, 9, 2]), [(3, 0, 3), (5, 2, 3), (2, 1, 1)]);
        let bounds = [0, 4, 8];
        assert_eq!(places(&bounds, &[]).draws, [run(0, 0, 1, 0)]);
        assert_eq!(places(&bounds, &[2, 3, 4, 5, 6, 7]).draws, [run(0, 2, 1, 2), run(1, 0, 1, 4)]);
        let made = places(&bounds, &[5, 0, 7, 1, 4, 3, 3, 6]);
        assert_eq!(made.draws, [(0, Draw::Listed(vec![0, 1, 3, 3])), (1, Draw::Listed(vec![1, 3, 0, 2]))]);
        assert_eq!(made.order, Some(vec![4, 0, 5, 1, 6, 2, 3, 7]));
        assert_eq!(cuts_of(&[made], &Cuts::even(8, 4)), Cuts::whole(8));
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let block = Block::from_vec(vec![3], vec![1.0, 2.0, 3.0]);
        let draw = |draw: Draw| drawn(&block, &[&draw]).map_err(|failure| failure.code);
        assert!(draw(Draw::Run { start: 2, step: -1, len: 3 }).is_ok());
        assert_eq!(draw(Draw::Run { start: 2, step: -1, len: 4 }).err(), Some(Code::ShapeMismatch));
        assert_eq!(draw(Draw::Run { start: 1, step: 2, len: 2 }).err(), Some(Code::ShapeMismatch));
        assert_eq!(draw(Draw::Listed(vec![3])).err(), Some(Code::ShapeMismatch));
        assert_eq!(drawn(&block, &[]).map_err(|failure| failure.code).err(), Some(Code::Internal));
    }
}
