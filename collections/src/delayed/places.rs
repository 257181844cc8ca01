//! A user's function at each place of the outer axes of blocks, with what lies there.
//!
//! It refuses to know how blocks that belong together came together. Invariant: what the function is given is cut out of its block without
//! a copy, and what it gives has the shape that was announced.

use partita_graph::{Chunk, Failure, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::ops::gufunc::places::{at_places, core_of, other_core};
use crate::array::{Block, DType, block_of, with_dtype};

/// Where a function is called, and what comes out.
#[derive(Serialize, Deserialize)]
pub(crate) struct Places {
    /// How many axes of each block the function gets, the last ones.
    pub cores: Vec<usize>,
    /// The lengths of the axes of what it gives.
    pub core: Vec<usize>,
    /// The kind of the elements of that.
    pub dtype: DType,
}

impl Places {
    /// Calls at each place, and puts what comes there into one block.
    pub fn each(
        &self,
        ctx: &TaskContext<'_>,
        chunks: &[Chunk],
        call: &dyn Fn(&[Chunk]) -> Result<Chunk, Failure>,
    ) -> Result<Chunk, Failure> {
        let blocks = chunks.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
        let shapes: Vec<&[usize]> = blocks.iter().map(|block| block.shape()).collect();
        with_dtype!(self.dtype, U => {
            let made = at_places::<U>(&shapes, &self.cores, &self.core, |place, mut target| {
                ctx.check_cancelled()?;
                let core = |(block, core): (&&Block, &usize)| Chunk::new(core_of(block, *core, place));
                let made = call(&blocks.iter().zip(&self.cores).map(core).collect::<Vec<Chunk>>())?;
                let made = block_of(&made)?.view::<U>()?;
                if made.shape() != self.core {
                    return Err(other_core(made.shape(), &self.core));
                }
                target.assign(&made);
                Ok(())
            });
            Ok(Chunk::new(Block::from_array(made?)))
        })
    }
}
