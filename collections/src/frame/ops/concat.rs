//! The operator that joins partitions one below the other, in order.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};

use crate::frame::value::{chunk_of, frame_of, joined};

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
    joined(chunks.iter().map(frame_of).collect::<Result<_, _>>()?)
}
