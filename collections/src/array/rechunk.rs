//! From one way of cutting an array to another: which layers, and what their tasks do.
//!
//! It refuses to know why. The invariants: no task holds much more than the blocks that it reads and makes; and a block of the old
//! cutting is not read whole by many tasks that each need little of it, which out of memory would mean reading the disk many times.
//! So there are three ways. Each task reads what overlaps its block, where that is little more than the block. Where every new block
//! needs a piece of every old one (rows to columns), old blocks are split, and wiring hands out the pieces. Else there is a task for
//! each piece. Where the pieces would be too many, a cutting half-way comes between.

use std::ops::Range;

use partita_graph::{Arg, Chunk, Failure, Layer, NamedOperator, OpRef, Operator, Parts, Table, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::Node;
use super::assemble::joined;
use super::block::{Block, block_of};
use super::element::with_dtype;
use super::lower::{Lowered, Lowering};
use super::meta::{Cuts, Part, advance, bounds, parts, show_chunks};

/// Tasks may read so many times what they make.
const MOST_READ: f64 = 4.0;
/// More pieces than this are made in two steps, if that makes fewer.
const MANY_PIECES: usize = 100_000;

/// For each axis, for each new chunk along it, the pieces of old chunks that it is made of.
type Overlaps = Vec<Vec<Vec<Part>>>;

/// Layers that cut an array anew. Both cuttings are of the same shape; an axis of unknown sizes stays as it is.
pub(super) fn rechunk(lowering: &mut Lowering, input: Lowered, from: &[Cuts], to: &[Cuts], node: &Node) -> Lowered {
    if from == to {
        return input;
    }
    let overlaps: Overlaps = from.iter().zip(to).map(|(from, to)| overlaps(from, to)).collect();
    let old: Vec<usize> = from.iter().map(Cuts::count).collect();
    let pieces: usize = overlaps.iter().map(|along| along.iter().map(Vec::len).sum::<usize>()).product();
    let (olds, news) = (old.iter().product::<usize>(), to.iter().map(Cuts::count).product::<usize>());
    if pieces > MANY_PIECES.max(8 * (olds + news)) {
        let between: Vec<Cuts> = from.iter().zip(to).map(|(from, to)| half_way(from, to)).collect();
        if between != from && between != to {
            let between_layer = rechunk(lowering, input, from, &between, node);
            return rechunk(lowering, between_layer, &between, to, node);
        }
    }
    let label = format!("rechunk {} to {}", show_chunks(from), show_chunks(to));
    if pieces == news || read_per_made(from, &overlaps) <= MOST_READ {
        return merge_overlapping(lowering, input, &old, &overlaps, label, node);
    }
    if overlaps.iter().zip(&old).all(|(along, old)| along.iter().all(|parts| parts.len() == *old)) {
        return split_and_merge(lowering, input, &old, &overlaps, label, node);
    }
    piece_by_piece(lowering, input, &old, &overlaps, label, node)
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

/// A cutting between two: along each axis the geometric mean of both numbers of chunks, cut where the finer one is cut.
fn half_way(from: &Cuts, to: &Cuts) -> Cuts {
    let (Some(old), Some(new)) = (from.sizes(), to.sizes()) else { return from.clone() };
    let finer = if old.len() >= new.len() { old } else { new };
    let count = ((old.len() as f64 * new.len() as f64).sqrt().round() as usize).clamp(1, finer.len());
    let group = |at: usize| finer[finer.len() * at / count..finer.len() * (at + 1) / count].iter().sum::<usize>();
    Cuts::Known((0..count).map(group).collect())
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

/// One task for each piece, then one for each new block.
fn piece_by_piece(lowering: &mut Lowering, input: Lowered, old: &[usize], overlaps: &Overlaps, label: String, node: &Node) -> Lowered {
    let (mut lists, mut args) = (Lists::new(), Vec::new());
    let (mut merge_lists, mut merge_args) = (Lists::new(), Vec::new());
    each_new_block(old, overlaps, |sources, ranges| {
        let grid: Vec<usize> = ranges.iter().map(Vec::len).collect();
        let first = args.len();
        let mut position = vec![0; grid.len()];
        for source in sources {
            let piece: Vec<Vec<Range<usize>>> = ranges.iter().zip(&position).map(|(ranges, at)| vec![ranges[*at].clone()]).collect();
            lists.push([source]);
            args.push(Arg::encode(&piece));
            advance(&mut position, &grid);
        }
        merge_lists.push(first..args.len());
        let whole: Vec<Vec<Range<usize>>> = grid.iter().map(|count| vec![0..usize::MAX; *count]).collect();
        merge_args.push(Arg::encode(&whole));
    });
    let cut = Layer::with_args("cut", OpRef::new(Merge, label.clone()), args, vec![input.edge(lists.wiring())]);
    let cut = lowering.add(cut, node);
    lowering.add(Layer::with_args("rechunk", OpRef::new(Merge, label), merge_args, vec![cut.edge(merge_lists.wiring())]), node)
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
    fn half_way_is_cut_where_the_finer_one_is() {
        assert_eq!(half_way(&Cuts::even(100, 1), &Cuts::whole(100)), Cuts::even(100, 10));
        assert_eq!(half_way(&Cuts::whole(6), &known(&[1, 2, 1, 2])), known(&[3, 3]));
        assert_eq!(half_way(&known(&[2, 4]), &known(&[2, 4])), known(&[2, 4]));
        assert_eq!(half_way(&Cuts::Unknown(3), &Cuts::Unknown(3)), Cuts::Unknown(3));
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
