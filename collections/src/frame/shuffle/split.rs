//! The operator that splits a partition by the hash of its keys, one part for each partition of the result.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, Parts, TaskContext};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::hash::{part_of, row_hashes};
use super::keys::key_columns;
use crate::frame::compact::compact;
use crate::frame::expr::polars_failure;
use crate::frame::value::{chunk_of, frame_of};

/// Rows with equal keys go to the part of the same number, whatever the partition, process or machine.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Split {
    pub keys: Vec<Expr>,
    pub parts: u32,
}

impl Operator for Split {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let keys = key_columns(&frame, &self.keys)?;
        let hashes = row_hashes(&keys).map_err(|e| polars_failure(e, None))?;
        scatter(&frame, self.parts, hashes.iter().map(|hash| part_of(*hash, self.parts)))
    }
}

impl NamedOperator for Split {
    const NAME: &'static str = "split";
}

/// The rows of a frame in parts, in their order; `part_of_row` says for each row which.
pub(crate) fn scatter(frame: &DataFrame, parts: u32, part_of_row: impl Iterator<Item = usize>) -> Result<Chunk, Failure> {
    let mut rows: Vec<Vec<IdxSize>> = vec![Vec::new(); parts as usize];
    for (row, part) in part_of_row.enumerate() {
        rows[part].push(row as IdxSize);
    }
    let take = |rows: Vec<IdxSize>| {
        let part = frame.take(&IdxCa::from_vec("rows".into(), rows)).map_err(|e| polars_failure(e, None))?;
        // Each part has text of its own: parts go to different readers at different times.
        compact(part).map(chunk_of)
    };
    Ok(Chunk::new(Parts(rows.into_iter().map(take).collect::<Result<_, Failure>>()?)))
}
