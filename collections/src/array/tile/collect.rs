//! What becomes of a program's results when they are to be a block: they are put one after the other, in row-major order.

use std::sync::atomic::AtomicBool;

use partita_graph::Failure;

use super::evaluate::{Evaluator, Rows, Sink};
use super::layout::Tile;
use super::program::Program;
use super::stream::{self, Stream};
use crate::array::block::Block;
use crate::array::element::{Column, Held, with_dtype};

/// Puts tiles together. Of tiles beside each other the first makes room for whole rows, into which the others are put.
struct Collect<T> {
    values: Column,
    /// Many of them go past the caches, as long as all tiles have whole rows.
    stream: Option<Stream<T>>,
    /// Where the rows at hand begin.
    band: usize,
}

impl<T: Held> Collect<T> {
    fn values(&mut self) -> Result<&mut Vec<T>, Failure> {
        self.settle();
        T::values_mut(&mut self.values).ok_or_else(|| Failure::internal("results of another kind than was asked for"))
    }

    /// From here on they go where those before them are.
    fn settle(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.values = T::column(stream.finish());
        }
    }
}

/// Whether a tile has whole rows, or is one of those beside each other of a single row.
fn follows(tile: &Tile<'_>) -> bool {
    tile.part.1 == 1 || tile.columns == tile.width
}

impl<T: Held> Sink<T> for Collect<T> {
    fn take(&mut self, rows: Rows<'_, T>, tile: &Tile<'_>) -> Result<(), Failure> {
        if let Some(stream) = self.stream.as_mut().filter(|_| follows(tile)) {
            match rows.in_one() {
                Some(all) => stream.extend(all),
                None => rows.iter().for_each(|row| stream.extend(row)),
            }
            return Ok(());
        }
        let ((first, band), begin) = (tile.part, self.band);
        let values = self.values()?;
        if follows(tile) {
            match rows.in_one() {
                Some(all) => values.extend_from_slice(all),
                None => rows.iter().for_each(|row| values.extend_from_slice(row)),
            }
            return Ok(());
        }
        let begin = if tile.column == 0 && first == 0 { values.len() } else { begin };
        values.resize(values.len().max(begin + band * tile.width), T::default());
        for (line, row) in values[begin + first * tile.width..].chunks_exact_mut(tile.width).zip(rows.iter()) {
            line[tile.column..][..row.len()].copy_from_slice(row);
        }
        self.band = begin;
        Ok(())
    }

    fn followed_by(&mut self, tile: &Tile<'_>) -> Option<&mut Column> {
        (self.stream.is_none() && follows(tile)).then_some(&mut self.values)
    }
}

/// The elements that a program gives for blocks, in row-major order.
fn collected<T: Held>(evaluator: &mut Evaluator<'_>) -> Result<Vec<T>, Failure> {
    let count = evaluator.shape().iter().product();
    // What is only copied goes past the caches by itself.
    let streams = evaluator.calculates() && count * size_of::<T>() >= stream::LARGE;
    let (room, stream) = if streams { (0, Some(Stream::new(count))) } else { (count, None) };
    let mut sink = Collect::<T> { values: T::column(Vec::with_capacity(room)), stream, band: 0 };
    evaluator.run::<T>(&mut sink)?;
    sink.values().map(std::mem::take)
}

/// A block's elements in row-major order.
pub fn collect<T: Held>(block: &Block) -> Result<Vec<T>, Failure> {
    let program = Program::identity(block.dtype());
    collected(&mut Evaluator::new(&program, &[block])?)
}

/// The block that a program gives for blocks. What is the same everywhere is calculated once.
pub fn mapped(program: &Program, blocks: &[&Block], cancelled: &AtomicBool) -> Result<Block, Failure> {
    let mut evaluator = Evaluator::new(program, blocks)?.until(cancelled);
    let shape = evaluator.shape().to_vec();
    with_dtype!(program.dtype()?, T => {
        if evaluator.is_constant() {
            let singles: Vec<Block> = blocks.iter().map(|block| block.first()).collect();
            let singles: Vec<&Block> = singles.iter().collect();
            let one = collected::<T>(&mut Evaluator::new(program, &singles)?)?;
            return Ok(Block::full(shape, one.first().copied().unwrap_or_default()));
        }
        Ok(Block::from_vec(shape, collected::<T>(&mut evaluator)?))
    })
}
