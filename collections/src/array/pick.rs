//! Which elements of an array another one is made of, axis by axis. Slices, shifts, repetitions and lists of places are all said in this
//! way and done by one operator, without a copy where a new block comes of one old one in even steps.
//!
//! It refuses to know why. The invariant: every new chunk is drawn from at least one old one, also when it has no elements, so that a
//! task always knows the kind of what it makes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ndarray::Axis;
use partita_graph::{Arg, Chunk, Code, Edge, Failure, Layer, NamedOperator, OpRef, Operator, Parts, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::assemble::joined;
use super::block::{Block, block_of};
use super::element::with_dtype;
use super::lower::{Lowered, Lowering};
use super::meta::{Cuts, Meta, SHORT, advance};
use super::rechunk::Lists;
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
}

/// Tasks may read so many times what they make, if that spares them a way through others.
const MOST_READ: u64 = 4;

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
    by_chunk(wanted.iter().map(|place| {
        let chunk = bounds.partition_point(|bound| bound <= place).saturating_sub(1);
        (chunk, place - bounds[chunk])
    }))
}

/// A chunk of these places, each in its old chunk. Every old one is read once; what was drawn is put in order afterwards.
fn by_chunk(wanted: impl Iterator<Item = (usize, usize)>) -> Made {
    let mut by_chunk: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (at, (chunk, place)) in wanted.enumerate() {
        let (drawn, targets) = by_chunk.entry(chunk).or_default();
        drawn.push(place);
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

/// The same chunk, drawn from each old one once, where it is drawn from some of them several times.
fn each_once(made: &Made, sizes: &[usize]) -> Made {
    let chunks: BTreeSet<usize> = made.draws.iter().map(|(chunk, _)| *chunk).collect();
    if chunks.len() == made.draws.len() || made.order.is_some() {
        return made.clone();
    }
    by_chunk(made.draws.iter().flat_map(|(chunk, draw)| {
        let places: Vec<usize> = match draw {
            Draw::Whole => (0..sizes[*chunk]).collect(),
            Draw::Run { start, step, len } => (0..*len as i64).map(|at| (*start as i64 + at * step) as usize).collect(),
            Draw::Listed(places) => places.clone(),
        };
        places.into_iter().map(move |place| (*chunk, place))
    }))
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

    /// Layers of which the last has one task for each block of the result. Where tasks would read more than so many bytes, and far more than they
    /// make, what they need is drawn first and put together then.
    pub fn lower(&self, lowering: &mut Lowering, input: Lowered, old: &Meta, (label, bytes): (String, u64), node: &Node) -> Lowered {
        let grid = old.grid();
        if let Some(picking) = self.reading_much(old, bytes) {
            let edge = picking.drawn_first(lowering, input, &grid, &label, node);
            return picking.layer(lowering, edge, &grid, |_| Draw::Whole, label, node);
        }
        let mut lists = Lists::new();
        self.each_block(&grid, |_, sources| lists.push(sources));
        let edge = input.edge(lists.narrowest(grid.iter().product()));
        self.layer(lowering, edge, &grid, Draw::clone, label, node)
    }

    /// A layer whose tasks put together what they draw from what they read.
    fn layer(&self, lowering: &mut Lowering, edge: Edge, old: &[usize], draw: fn(&Draw) -> Draw, label: String, node: &Node) -> Lowered {
        let mut args = Vec::new();
        self.each_block(old, |along, _| {
            let axis = |made: &Made| -> OfAxis { (made.draws.iter().map(|(_, drawn)| draw(drawn)).collect(), made.order.clone()) };
            args.push(Arg::encode(&along.iter().copied().map(axis).collect::<Vec<_>>()));
        });
        let op = OpRef::new(Pick { arrange: self.arrange.clone() }, label);
        lowering.add(Layer::with_args("pick", op, args, vec![edge]), node)
    }

    /// The same, each old chunk named once, where a task would read more than so many bytes and far more than it makes.
    fn reading_much(&self, old: &Meta, bytes: u64) -> Option<Self> {
        if old.nbytes()? <= bytes {
            return None;
        }
        let (mut axes, mut read, mut made) = (Vec::with_capacity(self.axes.len()), old.dtype.size() as u64, old.dtype.size() as u64);
        for (axis, cuts) in self.axes.iter().zip(&old.cuts) {
            let sizes = cuts.sizes()?;
            let axis: Vec<Made> = axis.iter().map(|made| each_once(made, sizes)).collect();
            let along = axis.iter().map(|made| made.draws.iter().map(|(chunk, _)| sizes[*chunk]).sum::<usize>());
            read = read.saturating_mul(along.max().unwrap_or(0) as u64);
            made = made.saturating_mul(cuts_of(&axis, cuts).sizes()?.iter().max().copied().unwrap_or(0) as u64);
            axes.push(axis);
        }
        (read > bytes && read > made.saturating_mul(MOST_READ)).then(|| Self { axes, arrange: self.arrange.clone() })
    }

    /// What each block of the result needs of each old one, and how it reads that. Where all need something of all, an old block is read once and
    /// handed out in parts; else there is a task for each pair.
    fn drawn_first(&self, lowering: &mut Lowering, input: Lowered, old: &[usize], label: &str, node: &Node) -> Edge {
        let of_all = |made: &Made, chunks: usize| made.draws.iter().map(|(chunk, _)| *chunk).eq(0..chunks);
        if self.axes.iter().zip(old).all(|(axis, chunks)| axis.iter().all(|made| of_all(made, *chunks))) {
            let mut wanted: Vec<Vec<Vec<Draw>>> = vec![Vec::new(); old.iter().product()];
            self.each_block(old, |along, sources| {
                each_piece(along, &sources, |source, piece| wanted[source].push(piece));
            });
            let args = wanted.iter().map(Arg::encode).collect();
            let op = OpRef::new(PickParts, label);
            return lowering.add(Layer::with_args("draw", op, args, vec![input.edge(Wiring::Each)]), node).edge(Wiring::Part);
        }
        let (mut lists, mut args, mut pieces) = (Lists::new(), Vec::new(), Lists::new());
        self.each_block(old, |along, sources| {
            let first = args.len();
            each_piece(along, &sources, |source, piece| {
                lists.push([source]);
                args.push(Arg::encode(&piece.into_iter().map(|draw| (vec![draw], None)).collect::<Vec<OfAxis>>()));
            });
            pieces.push(first..args.len());
        });
        let op = OpRef::new(Pick { arrange: None }, label);
        lowering.add(Layer::with_args("draw", op, args, vec![input.edge(lists.wiring())]), node).edge(pieces.wiring())
    }

    /// The blocks of the result in row-major order: what each is made of along each axis, and the old blocks that it reads.
    fn each_block(&self, old: &[usize], mut visit: impl FnMut(&[&Made], Vec<usize>)) {
        let grid: Vec<usize> = self.axes.iter().map(Vec::len).collect();
        let mut position = vec![0; grid.len()];
        loop {
            let along: Vec<&Made> = self.axes.iter().zip(&position).map(|(axis, at)| &axis[*at]).collect();
            let mut sources = vec![0];
            for (made, blocks) in along.iter().zip(old) {
                sources = sources.iter().flat_map(|base| made.draws.iter().map(move |(chunk, _)| base * blocks + chunk)).collect();
            }
            visit(&along, sources);
            if !advance(&mut position, &grid) {
                return;
            }
        }
    }
}

/// What is drawn along one axis, and the order in which that is wanted.
type OfAxis = (Vec<Draw>, Option<Vec<usize>>);

/// For each old block that a block of the result reads what it draws of it along each axis.
fn each_piece(along: &[&Made], sources: &[usize], mut visit: impl FnMut(usize, Vec<Draw>)) {
    let grid: Vec<usize> = along.iter().map(|made| made.draws.len()).collect();
    let mut position = vec![0; grid.len()];
    for source in sources {
        visit(*source, along.iter().zip(&position).map(|(made, at)| made.draws[*at].1.clone()).collect());
        advance(&mut position, &grid);
    }
}

/// The lengths of new chunks.
fn cuts_of(made: &[Made], old: &Cuts) -> Cuts {
    let len = |(chunk, draw): &(usize, Draw)| match draw {
        Draw::Whole => old.sizes().map(|sizes| sizes[*chunk]),
        Draw::Run { len, .. } => Some(*len),
        Draw::Listed(places) => Some(places.len()),
    };
    let sizes = made.iter().map(|made| made.draws.iter().map(len).sum::<Option<usize>>()).collect::<Option<Arc<[usize]>>>();
    sizes.map_or_else(|| Cuts::Unknown(u32::try_from(made.len()).unwrap_or(u32::MAX)), Cuts::Known)
}

type Rule = dyn Fn(&Meta) -> Result<Picking, Failure> + Send + Sync;

/// A step that picks elements by a rule.
struct Picked {
    line: String,
    rule: Box<Rule>,
    /// That a task may read.
    bytes: u64,
}

impl<T: Element> DArray<T> {
    /// The array that a rule makes of the chunks of this one.
    #[track_caller]
    pub(super) fn picked<F>(&self, method: &str, line: String, rule: F) -> DArray<T>
    where
        F: Fn(&Meta) -> Result<Picking, Failure> + Send + Sync + 'static,
    {
        DArray::then(Picked { line, rule: Box::new(rule), bytes: SHORT }, vec![self.to_any()], method)
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
        Ok(picking.lower(lowering, input, meta, (self.line(), self.bytes), node))
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
        let axes: Vec<OfAxis> = ctx.arg()?.decode()?;
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

/// What each block of the result draws from one old block, part by part. Its argument says for each what is drawn along each axis.
#[derive(Serialize, Deserialize)]
pub(crate) struct PickParts;

impl Operator for PickParts {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let wanted: Vec<Vec<Draw>> = ctx.arg()?.decode()?;
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("pick: no block"))??;
        let mut parts = Vec::with_capacity(wanted.len());
        for draws in &wanted {
            ctx.check_cancelled()?;
            parts.push(Chunk::new(drawn(block, &draws.iter().collect::<Vec<_>>())?.compact()?));
        }
        Ok(Chunk::new(Parts(parts)))
    }
}

impl NamedOperator for PickParts {
    const NAME: &'static str = "array_pick_parts";
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
        if let Draw::Listed(places) = draw {
            found = listed(&found, axis, places)?;
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
    use partita_graph::Serial;

    use super::*;
    use crate::client::operator_registry;

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

    /// The array that a rule makes by tasks that read no more than so many bytes.
    fn picked_of(x: &DArray<i32>, axes: Vec<Vec<Made>>, bytes: u64) -> DArray<i32> {
        let picking = move |_: &Meta| Ok::<Picking, Failure>(Picking { axes: axes.clone(), arrange: Some(vec![None, Some(1), Some(0)]) });
        DArray::then(Picked { line: "picked".into(), rule: Box::new(picking), bytes }, vec![x.to_any()], "")
    }

    /// Whether blocks are made of what was drawn first.
    fn draws<T: Element>(array: &DArray<T>) -> bool {
        let graph = super::super::lower::plan(&array.to_any()).expect("it can be planned");
        graph.layers.iter().any(|layer| layer.name.contains("draw"))
    }

    #[test]
    fn large_blocks_are_drawn_first() {
        let x = DArray::<f64>::zeros([1000, 10_000], [50, -1]);
        // Twenty blocks of 4 MB, all of which each new one needs; and no more than two.
        assert!(draws(&x.take((0..1000).map(|at| at * 377 % 1000), 0)));
        assert!(!draws(&x.take((0..1000).rev(), 0)) && !draws(&x.roll(7, 0)));
    }

    #[test]
    fn what_is_drawn_first_is_what_is_drawn_at_once() {
        let serial = Serial::new(operator_registry());
        let bounds: Vec<usize> = (0..=6).map(|chunk| 10 * chunk).collect();
        let check = |columns: usize, lists: &[&[usize]], expected: bool| {
            let x = DArray::from_fn([60, 3], [10, columns], |at| (10 * at[0] + at[1]) as i32);
            let cuts = &x.untyped().meta().expect("it fits").cuts;
            let axes = vec![lists.iter().map(|list| places(&bounds, list)).collect(), as_it_is(&cuts[1])];
            let [first, at_once] = [0, u64::MAX].map(|bytes| picked_of(&x, axes.clone(), bytes));
            assert_eq!(first.compute_on(&serial).expect("it runs"), at_once.compute_on(&serial).expect("it runs"), "{lists:?}");
            assert_eq!((draws(&first), draws(&at_once)), (expected, false), "{lists:?}");
        };
        let (steps, mixed) = ([0, 10, 20, 30, 40, 50], [31, 2, 55, 17, 48, 29]);
        for columns in [1, 2, 3] {
            // Something of all chunks, for which these are read once if columns are whole.
            check(columns, &[&steps, &mixed], true);
            // Of some of them, backwards, again and again, of none.
            check(columns, &[&[51, 2, 33, 3, 50, 32], &[51, 41, 31, 21, 11, 1], &[5, 55, 5, 55, 5, 25], &[]], true);
            // In even steps that come back to each chunk.
            check(columns, &[&[steps, steps].concat()], true);
            // What is made is not much less than what is read.
            check(columns, &[&(0..60).map(|at| at * 7 % 60).collect::<Vec<usize>>(), &steps], false);
            check(columns, &[&[5, 9, 5, 0, 1]], false);
        }
    }

    #[test]
    fn a_chunk_is_drawn_from_each_once() {
        let run = |start: usize, len: usize| Draw::Run { start, step: -1, len };
        let made = Made { draws: vec![(1, run(3, 2)), (0, Draw::Whole), (1, run(1, 1))], order: None };
        let once = each_once(&made, &[2, 4]);
        assert_eq!(once.draws, [(0, Draw::Listed(vec![0, 1])), (1, Draw::Listed(vec![3, 2, 1]))]);
        assert_eq!(once.order, Some(vec![2, 3, 0, 1, 4]));
        assert_eq!(each_once(&once, &[2, 4]), once);
    }
}
