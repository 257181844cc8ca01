//! What becomes of a program's results when they are to be a block: they are put one after the other, in row-major order.

use std::sync::atomic::AtomicBool;

use partita_graph::Failure;

use super::evaluate::{Evaluator, Rows, Sink};
use super::layout::Tile;
use super::program::Program;
use crate::array::block::Block;
use crate::array::element::{Held, with_dtype};

/// Puts tiles together. Of tiles beside each other the first makes room for whole rows, into which the others are put.
struct Collect<T> {
    values: Vec<T>,
    /// Where the rows at hand begin.
    band: usize,
}

impl<T: Held> Sink<T> for Collect<T> {
    fn take(&mut self, rows: Rows<'_, T>, tile: &Tile<'_>) -> Result<(), Failure> {
        let (first, band) = tile.part;
        if band == 1 || tile.columns == tile.width {
            match rows.in_one() {
                Some(values) => self.values.extend_from_slice(values),
                None => rows.iter().for_each(|row| self.values.extend_from_slice(row)),
            }
            return Ok(());
        }
        if tile.column == 0 && first == 0 {
            self.band = self.values.len();
            self.values.resize(self.band + band * tile.width, T::default());
        }
        for (line, row) in self.values[self.band + first * tile.width..].chunks_exact_mut(tile.width).zip(rows.iter()) {
            line[tile.column..][..row.len()].copy_from_slice(row);
        }
        Ok(())
    }
}

/// The elements that a program gives for blocks, in row-major order.
fn collected<T: Held>(evaluator: &mut Evaluator<'_>) -> Result<Vec<T>, Failure> {
    let count = evaluator.shape().iter().product();
    let mut sink = Collect { values: Vec::with_capacity(count), band: 0 };
    evaluator.run::<T>(&mut sink)?;
    Ok(sink.values)
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
