//! The operator that joins partitions one below the other, in order.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};

use crate::frame::expr::polars_failure;
use crate::frame::value::{chunk_of, frame_of};

/// All inputs as one partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct Concat;

impl Operator for Concat {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        stack(inputs).map(chunk_of)
    }
}

impl NamedOperator for Concat {
    const NAME: &'static str = "concat";
}

/// The frames of several chunks, one below the other, in one piece of memory.
pub(crate) fn stack(chunks: &[Chunk]) -> Result<DataFrame, Failure> {
    let mut frames = chunks.iter().map(frame_of);
    let mut all = frames.next().transpose()?.ok_or_else(|| Failure::internal("concat: no input"))?;
    for frame in frames {
        all.vstack_mut(&frame?).map_err(|e| polars_failure(e, None))?;
    }
    all.rechunk_mut();
    Ok(all)
}
