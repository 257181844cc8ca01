//! A user's function at each place of the outer axes of blocks, with what lies there.
//!
//! It refuses to know how blocks that belong together came together. Invariant: what the function is given is cut out of its block without
//! a copy, and what it gives has the shape that was announced.

use partita_graph::{Chunk, Failure, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::ops::gufunc::places::{Inputs, Made, at_places, core_of, put, several_at_places};
use crate::array::{Block, block_of, with_dtype};

/// A call with what lies at one place.
type CallAt<'a> = dyn Fn(&[Chunk]) -> Result<Vec<Chunk>, Failure> + 'a;

/// Where a function is called, and what comes out.
#[derive(Serialize, Deserialize)]
pub(crate) struct Places {
    /// What it gets.
    pub inputs: Inputs,
    /// What it gives.
    pub results: Vec<Made>,
}

impl Places {
    /// Calls at each place, and puts what comes there into one block; into one for each result, where there are several.
    pub fn each(&self, ctx: &TaskContext<'_>, chunks: &[Chunk], call: &CallAt<'_>) -> Result<Chunk, Failure> {
        let blocks = chunks.iter().map(block_of).collect::<Result<Vec<&Block>, Failure>>()?;
        let loops = self.inputs.loops(&blocks)?;
        let made_at = |place: &[usize]| {
            ctx.check_cancelled()?;
            let core = |(block, core): (&&Block, &usize)| Chunk::new(core_of(block, *core, place));
            call(&blocks.iter().zip(self.inputs.cores()).map(core).collect::<Vec<Chunk>>())
        };
        let [Made { dtype, core }] = &self.results[..] else {
            return several_at_places(&loops, &self.results, |place| {
                made_at(place)?.iter().map(|part| block_of(part).cloned()).collect::<Result<Vec<Block>, Failure>>()
            });
        };
        with_dtype!(*dtype, U => {
            let made = at_places::<U>(&loops, core, |place, target| {
                let made = made_at(place)?;
                put(block_of(made.first().ok_or_else(|| Failure::internal("a call without a result"))?)?, core, target)
            });
            Ok(Chunk::new(Block::from_array(made?)))
        })
    }
}
