//! From one way of cutting an array to another: which layers, and what their tasks do.
//!
//! It refuses to know why. The invariants: no task holds more than an old or a new block twice, or than the budget; and a block of the old
//! cutting is not read whole by many tasks that each need little of it, which out of memory would mean reading the disk many times.
//! So there are three ways. Each task reads what overlaps its block, where that is little more than the block and may be held. Where every new block
//! needs a piece of every old one (rows to columns), old blocks are split, and wiring hands out the pieces. Else there is a task for
//! each piece. Where the pieces would be too many, other cuttings come between (`steps`).

mod steps;

use std::ops::Range;

use partita_graph::{Arg, Chunk, Edge, Failure, Layer, NamedOperator, OpRef, Operator, Parts, Table, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::Node;
use super::assemble::joined;
use super::block::{Block, block_of};
use super::budget::Budget;
use super::element::with_dtype;
use super::lower::{Lowered, Lowering};
use super::meta::{Cuts, Meta, Part, advance, bounds, parts, show_chunks};
use steps::{longest, pieces, steps};

/// Tasks may read so many times what they make.
const MOST_READ: f64 = 4.0;

/// For each axis, for each new chunk along it, the pieces of old chunks that it is made of.
type Overlaps = Vec<Vec<Vec<Part>>>;

/// Layers that cut an array anew. Both cuttings are of the same shape; an axis of unknown sizes stays as it is.
pub(super) fn rechunk(lowering: &mut Lowering, input: Lowered, from: &Meta, to: &[Cuts], node: &Node) -> Lowered {
    if from.cuts == to {
        return input;
    }
    let element = from.dtype.size();
    let (mut done, mut now) = (input, from.cuts.clone());
    for next in steps(&from.cuts, to, element, lowering.budget) {
        done = step(lowering, done, &now, &next, element, node);
        now = next;
    }
    done
}

/// Layers that cut an array anew without another cutting between.
fn step(lowering: &mut Lowering, input: Lowered, from: &[Cuts], to: &[Cuts], element: usize, node: &Node) -> Lowered {
    let overlaps: Overlaps = from.iter().zip(to).map(|(from, to)| overlaps(from, to)).collect();
    let old: Vec<usize> = from.iter().map(Cuts::count).collect();
    let label = format!("rechunk {} to {}", show_chunks(from), show_chunks(to));
    match way(from, to, &overlaps, element, lowering.budget) {
        Way::Merge => merge_overlapping(lowering, input, &old, &overlaps, label, node),
        Way::Split => split_and_merge(lowering, input, &old, &overlaps, label, node),
        Way::Pieces => piece_by_piece(lowering, input, &old, &overlaps, label, node),
    }
}

/// How blocks of one cutting become blocks of another.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    /// A task for each new block reads the old ones that overlap it.
    Merge,
    /// A task for each old block splits it into a piece for each new one.
    Split,
    /// A task for each piece, and then one for each new block.
    Pieces,
}

fn way(from: &[Cuts], to: &[Cuts], overlaps: &Overlaps, element: usize, budget: Budget) -> Way {
    let news: usize = to.iter().map(Cuts::count).product();
    let (read, made) =
        (most_read(from, overlaps, element), longest(to).fold(element as u64, |bytes, len| bytes.saturating_mul(len as u64)));
    // Blocks that are read whole and needed whole are no more than their pieces.
    let may_be_held = read <= made.max(budget.task().saturating_sub(made));
    if pieces(from, to) == news || (may_be_held && read_per_made(from, overlaps) <= MOST_READ) {
        return Way::Merge;
    }
    let is_all_of_all = from.iter().zip(overlaps).all(|(from, along)| along.iter().all(|parts| parts.len() == from.count()));
    if is_all_of_all { Way::Split } else { Way::Pieces }
}

/// What each new chunk of an axis is made of.
fn overlaps(from: &Cuts, to: &Cuts) -> Vec<Vec<Part>> {
    match (from.sizes(), to.sizes()) {
        (Some(from), Some(to)) => {
            let (from, to) = (bounds(from), bounds(to));
            to.windows(2).map(|chunk| parts(&from, chunk[0]..chunk[1])).collect()
        }
        // Sizes that are not known stay: each chunk is the old one, whole.
        _ => (0..to.count()).map(|chunk| vec![Part { chunk, range: 0..usize::MAX }]).collect(),
    }
}

/// How many elements tasks would read for each that they make, if each read all blocks that overlap its own.
fn read_per_made(from: &[Cuts], overlaps: &Overlaps) -> f64 {
    let along = |(from, overlaps): (&Cuts, &Vec<Vec<Part>>)| match from.sizes() {
        None => 1.0,
        Some(sizes) => {
            let read: usize = overlaps.iter().flatten().map(|part| sizes[part.chunk]).sum();
            read as f64 / sizes.iter().sum::<usize>().max(1) as f64
        }
    };
    from.iter().zip(overlaps).map(along).product()
}

/// Bytes of the old blocks that a task would read that read all that overlap its block; of the task that reads the most along every axis.
fn most_read(from: &[Cuts], overlaps: &Overlaps, element: usize) -> u64 {
    let along = |(from, overlaps): (&Cuts, &Vec<Vec<Part>>)| {
        let read = |parts: &Vec<Part>| from.sizes().map_or(1, |sizes| parts.iter().map(|part| sizes[part.chunk]).sum::<usize>());
        overlaps.iter().map(read).max().unwrap_or(1) as u64
    };
    from.iter().zip(overlaps).map(along).fold(element as u64, u64::saturating_mul)
}

/// The new blocks in row-major order: for each the old blocks that it reads, and the ranges of them along each axis.
fn each_new_block(old: &[usize], overlaps: &Overlaps, mut visit: impl FnMut(Vec<usize>, Vec<Vec<Range<usize>>>)) {
    let new: Vec<usize> = overlaps.iter().map(Vec::len).collect();
    let mut position = vec![0; new.len()];
    loop {
        let along: Vec<&Vec<Part>> = overlaps.iter().zip(&position).map(|(along, at)| &along[*at]).collect();
        let mut sources = vec![0];
        for (parts, blocks) in along.iter().zip(old) {
            sources = sources.iter().flat_map(|base| parts.iter().map(move |part| base * blocks + part.chunk)).collect();
        }
        let ranges = along.iter().map(|parts| parts.iter().map(|part| part.range.clone()).collect()).collect();
        visit(sources, ranges);
        if !advance(&mut position, &new) {
            return;
        }
    }
}

/// Which chunks of a layer tasks read, one each.
pub(super) fn reading(layer: Lowered, chunks: impl IntoIterator<Item = usize>) -> Edge {
    let mut lists = Lists::new();
    chunks.into_iter().for_each(|chunk| lists.push([chunk]));
    // Never in the form by which layers are folded together: one task would then hold what several should, one after the other.
    layer.edge(lists.wiring())
}

/// A rule from lists of chunks.
pub(super) struct Lists {
    offsets: Vec<u32>,
    indices: Vec<u32>,
}

impl Lists {
    pub fn new() -> Self {
        Self { offsets: vec![0], indices: Vec::new() }
    }

    pub fn push(&mut self, chunks: impl IntoIterator<Item = usize>) {
        self.indices.extend(chunks.into_iter().map(|chunk| chunk as u32));
        self.offsets.push(self.indices.len() as u32);
    }

    pub fn wiring(self) -> Wiring {
        Wiring::Table(Table { offsets: self.offsets.into(), indices: self.indices.into() })
    }

    /// The rule in its narrowest form, of a layer with so many chunks: the optimizer folds layers together where task `i` reads chunk `i`.
    pub fn narrowest(self, chunks: usize) -> Wiring {
        let each = self.offsets.iter().copied().eq(0..=chunks as u32) && self.indices.iter().copied().eq(0..chunks as u32);
        if each { Wiring::Each } else { self.wiring() }
    }
}

/// One task for each new block, which reads all that overlaps it.
fn merge_overlapping(lowering: &mut Lowering, input: Lowered, old: &[usize], overlaps: &Overlaps, label: String, node: &Node) -> Lowered {
    let (mut lists, mut args) = (Lists::new(), Vec::new());
    each_new_block(old, overlaps, |sources, ranges| {
        lists.push(sources);
        args.push(Arg::encode(&ranges));
    });
    lowering.add(Layer::with_args("rechunk", OpRef::new(Merge, label), args, vec![input.edge(lists.wiring())]), node)
}

/// Old blocks become pieces, one for each new block; new block `j` gets piece `j` of each.
fn split_and_merge(lowering: &mut Lowering, input: Lowered, old: &[usize], overlaps: &Overlaps, label: String, node: &Node) -> Lowered {
    // For each axis and each old chunk along it the ranges of all its pieces.
    let mut pieces: Vec<Vec<Vec<Range<usize>>>> = old.iter().map(|count| vec![Vec::new(); *count]).collect();
    for (pieces, along) in pieces.iter_mut().zip(overlaps) {
        along.iter().flatten().for_each(|part| pieces[part.chunk].push(part.range.clone()));
    }
    let mut args = Vec::new();
    let mut position = vec![0; old.len()];
    loop {
        let ranges: Vec<&Vec<Range<usize>>> = pieces.iter().zip(&position).map(|(pieces, at)| &pieces[*at]).collect();
        args.push(Arg::encode(&ranges));
        if !advance(&mut position, old) {
            break;
        }
    }
    let split = Layer::with_args("split", OpRef::new(Split, label.clone()), args, vec![input.edge(Wiring::Each)]);
    let split = lowering.add(split, node);
    let mut args = Vec::new();
    // Pieces are as they are needed: all of each.
    each_new_block(old, overlaps, |_, ranges| {
        let whole = |ranges: &Vec<Range<usize>>| ranges.iter().map(|_| 0..usize::MAX).collect::<Vec<_>>();
        args.push(Arg::encode(&ranges.iter().map(whole).collect::<Vec<_>>()));
    });
    lowering.add(Layer::with_args("rechunk", OpRef::new(Merge, label), args, vec![split.edge(Wiring::Part)]), node)
}

/// One task for each piece, then one for each new block. Pieces are in the order of the old blocks, which may be let go one after the other.
fn piece_by_piece(lowering: &mut Lowering, input: Lowered, old: &[usize], overlaps: &Overlaps, label: String, node: &Node) -> Lowered {
    let (mut pieces, mut merge_args) = (Vec::new(), Vec::new());
    each_new_block(old, overlaps, |sources, ranges| {
        let grid: Vec<usize> = ranges.iter().map(Vec::len).collect();
        let new = merge_args.len();
        let mut position = vec![0; grid.len()];
        for source in sources {
            let piece: Vec<Vec<Range<usize>>> = ranges.iter().zip(&position).map(|(ranges, at)| vec![ranges[*at].clone()]).collect();
            pieces.push((source, new, Arg::encode(&piece)));
            advance(&mut position, &grid);
        }
        merge_args.push(Arg::encode(&grid.iter().map(|count| vec![0..usize::MAX; *count]).collect::<Vec<Vec<Range<usize>>>>()));
    });
    let (lists, args, merge_lists) = by_source(pieces);
    let cut = Layer::with_args("cut", OpRef::new(Merge, label.clone()), args, vec![input.edge(lists.wiring())]);
    let cut = lowering.add(cut, node);
    lowering.add(Layer::with_args("rechunk", OpRef::new(Merge, label), merge_args, vec![cut.edge(merge_lists.wiring())]), node)
}

/// Pieces of blocks for other blocks, in the order of these: each with the block that it is of, the block that it is for, and what is to be done. Gives
/// tasks in the order of the first: which block each reads, what it is to do, and for each of the other blocks where its pieces are.
pub(super) fn by_source(pieces: Vec<(usize, usize, Arg)>) -> (Lists, Vec<Arg>, Lists) {
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    order.sort_by_key(|at| pieces[*at].0);
    let mut places = vec![0; pieces.len()];
    let mut sources = Lists::new();
    for (place, at) in order.iter().enumerate() {
        places[*at] = place;
        sources.push([pieces[*at].0]);
    }
    let (mut read, mut first) = (Lists::new(), 0);
    for group in pieces.chunk_by(|a, b| a.1 == b.1) {
        read.push(places[first..first + group.len()].iter().copied());
        first += group.len();
    }
    let args = order.iter().map(|at| pieces[*at].2.clone()).collect();
    (sources, args, read)
}

/// Ranges of a block, cut to what it has.
fn within(block: &Block, ranges: &[Range<usize>]) -> Vec<Range<usize>> {
    let cut = |(range, len): (&Range<usize>, &usize)| range.start.min(*len)..range.end.min(*len);
    ranges.iter().zip(block.shape()).map(cut).collect()
}

/// One block from pieces of several: for each axis the ranges of the blocks along it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Merge;

impl Operator for Merge {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let ranges: Vec<Vec<Range<usize>>> = ctx.arg()?.decode()?;
        let grid: Vec<usize> = ranges.iter().map(Vec::len).collect();
        let mut position = vec![0; grid.len()];
        let mut pieces = Vec::with_capacity(inputs.len());
        for input in inputs {
            let block = block_of(input)?;
            let piece: Vec<Range<usize>> = ranges.iter().zip(&position).map(|(ranges, at)| ranges[*at].clone()).collect();
            pieces.push(block.cut(&within(block, &piece)));
            advance(&mut position, &grid);
        }
        match &pieces[..] {
            [one] => Ok(Chunk::new(one.clone().compact()?)),
            [first, ..] => with_dtype!(first.dtype(), T => Ok(Chunk::new(Block::from_array(joined::<T>(&grid, &pieces)?)))),
            [] => Err(Failure::internal("a block is merged of nothing")),
        }
    }
}

impl NamedOperator for Merge {
    const NAME: &'static str = "array_merge";
}

/// A block into pieces: for each axis the ranges of all pieces along it. Pieces are in row-major order and share its memory.
#[derive(Serialize, Deserialize)]
pub(crate) struct Split;

impl Operator for Split {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let ranges: Vec<Vec<Range<usize>>> = ctx.arg()?.decode()?;
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("split: no block"))??;
        let grid: Vec<usize> = ranges.iter().map(Vec::len).collect();
        let mut position = vec![0; grid.len()];
        let mut pieces = Vec::new();
        loop {
            let piece: Vec<Range<usize>> = ranges.iter().zip(&position).map(|(ranges, at)| ranges[*at].clone()).collect();
            pieces.push(Chunk::new(block.cut(&within(block, &piece))));
            if !advance(&mut position, &grid) {
                return Ok(Chunk::new(Parts(pieces)));
            }
        }
    }
}

impl NamedOperator for Split {
    const NAME: &'static str = "array_split";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(sizes: &[usize]) -> Cuts {
        Cuts::Known(sizes.into())
    }

    #[test]
    fn rows_to_columns_would_read_everything_for_each_column() {
        let ratio = |from: &[Cuts], to: &[Cuts]| {
            let overlaps: Overlaps = from.iter().zip(to).map(|(from, to)| overlaps(from, to)).collect();
            read_per_made(from, &overlaps)
        };
        let (rows, columns) = ([Cuts::even(100, 10), Cuts::whole(100)], [Cuts::whole(100), Cuts::even(100, 10)]);
        assert_eq!(ratio(&rows, &columns), 10.0);
        assert_eq!(ratio(&rows, &[Cuts::even(100, 20), Cuts::whole(100)]), 1.0);
        assert_eq!(ratio(&[Cuts::Unknown(2)], &[Cuts::Unknown(2)]), 1.0);
    }

    #[test]
    fn blocks_that_a_task_may_not_hold_are_cut_into_pieces() {
        let chosen = |from: &[Cuts], to: &[Cuts], memory_per_thread: Option<u64>| {
            let overlaps: Overlaps = from.iter().zip(to).map(|(from, to)| overlaps(from, to)).collect();
            way(from, to, &overlaps, 8, Budget::within(memory_per_thread))
        };
        // Blocks of 8 MB, shifted by half a block: a task would read two and make one.
        let (whole, shifted) = ([Cuts::even(10_000_000, 1_000_000)], [known(&[&[500_000][..], &[1_000_000; 9], &[500_000]].concat())]);
        assert_eq!(chosen(&whole, &shifted, None), Way::Merge);
        assert_eq!(chosen(&whole, &shifted, Some(50_000_000)), Way::Merge);
        assert_eq!(chosen(&whole, &shifted, Some(40_000_000)), Way::Pieces);
        // What is needed whole is read whole, and what is of one block comes of that.
        let half = [Cuts::even(10_000_000, 500_000)];
        assert_eq!((chosen(&half, &whole, Some(1)), chosen(&whole, &half, Some(1))), (Way::Merge, Way::Merge));
        let (rows, columns) = ([Cuts::even(100, 10), Cuts::whole(100)], [Cuts::whole(100), Cuts::even(100, 10)]);
        assert_eq!(chosen(&rows, &columns, None), Way::Split);
    }

    #[test]
    fn pieces_are_made_block_by_block() {
        let piece = |source: usize, new: usize| (source, new, Arg::encode(&(source, new)));
        let (sources, args, read) = by_source(vec![piece(2, 0), piece(0, 0), piece(0, 1), piece(2, 1), piece(1, 1)]);
        assert_eq!(sources.wiring(), Wiring::Table(Table { offsets: (0..=5).collect(), indices: [0, 0, 1, 2, 2].into() }));
        assert_eq!(read.wiring(), Wiring::Table(Table { offsets: [0, 2, 5].into(), indices: [3, 0, 1, 4, 2].into() }));
        let said: Vec<(usize, usize)> = args.iter().map(|arg| arg.decode().expect("two numbers")).collect();
        assert_eq!(said, [(0, 0), (0, 1), (1, 1), (2, 0), (2, 1)]);
    }

    #[test]
    fn lists_of_one_each_are_said_shortly() {
        let lists = |chunks: &[&[usize]]| {
            let mut lists = Lists::new();
            chunks.iter().for_each(|list| lists.push(list.iter().copied()));
            lists
        };
        assert_eq!(lists(&[&[0], &[1]]).narrowest(2), Wiring::Each);
        assert_ne!(lists(&[&[0], &[1]]).narrowest(3), Wiring::Each);
        assert_ne!(lists(&[&[1], &[0]]).narrowest(2), Wiring::Each);
        assert_ne!(lists(&[&[0, 1], &[]]).narrowest(2), Wiring::Each);
    }

    #[test]
    fn new_blocks_name_what_they_are_made_of() {
        let (from, to) = ([Cuts::even(4, 2), Cuts::even(3, 1)], [Cuts::whole(4), known(&[2, 1])]);
        let overlaps: Overlaps = from.iter().zip(&to).map(|(from, to)| overlaps(from, to)).collect();
        let mut found = Vec::new();
        each_new_block(&[2, 3], &overlaps, |sources, ranges| found.push((sources, ranges)));
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], (vec![0, 1, 3, 4], vec![vec![0..2, 0..2], vec![0..1, 0..1]]));
        assert_eq!(found[1].0, [2, 5]);
    }
}
