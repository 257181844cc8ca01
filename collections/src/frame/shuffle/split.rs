//! The operator that splits a partition by the hash of its keys, one part for each partition of the result.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, Parts, TaskContext};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::hash::{part_of, row_hashes};
use super::keys::key_columns;
use crate::frame::compact::compact;
use crate::frame::expr::polars_failure;
use crate::frame::value::{chunk_of, frame_of};

/// What becomes of rows whose key is null.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Nulls {
    /// They are brought together, as those of any other key.
    Together,
    /// They need not come together: they are dealt out to all parts, so that no part gets them all.
    Apart,
    /// Nobody needs them.
    Out,
}

impl Nulls {
    /// As plans show it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Together => "",
            Self::Apart => ", nulls to all",
            Self::Out => ", without nulls",
        }
    }
}

/// Rows with equal keys go to the part of the same number, whatever the partition, process or machine.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Split {
    pub keys: Vec<Expr>,
    pub parts: u32,
    pub nulls: Nulls,
}

/// The rows of a partition that travel, with the hashes of their keys; and which of them have a null key and need not come together.
pub(super) struct Hashed {
    pub frame: DataFrame,
    pub hashes: Vec<u64>,
    pub apart: Option<BooleanChunked>,
}

impl Split {
    pub(super) fn hashed(&self, chunk: &Chunk) -> Result<Hashed, Failure> {
        let mut frame = frame_of(chunk)?;
        let mut keys = key_columns(&frame, &self.keys)?;
        let null = match self.nulls {
            Nulls::Together => None,
            Nulls::Apart | Nulls::Out => any_null(&keys),
        };
        if let Some(null) = null.as_ref().filter(|_| self.nulls == Nulls::Out) {
            frame = frame.filter(&!null).map_err(|e| polars_failure(e, None))?;
            keys = key_columns(&frame, &self.keys)?;
        }
        let hashes = row_hashes(&keys).map_err(|e| polars_failure(e, None))?;
        Ok(Hashed { frame, hashes, apart: null.filter(|_| self.nulls == Nulls::Apart) })
    }
}

impl Operator for Split {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let Hashed { frame, hashes, apart } = self.hashed(&inputs[0])?;
        let by_hash = |hash: &u64| part_of(*hash, self.parts);
        match apart {
            None => scatter(&frame, self.parts, hashes.iter().map(by_hash)),
            Some(null) => {
                let dealt = (ctx.key.index as usize..).map(|at| at % self.parts as usize);
                let parts = hashes.iter().zip(null.iter()).zip(dealt);
                scatter(&frame, self.parts, parts.map(|((hash, null), dealt)| if null == Some(true) { dealt } else { by_hash(hash) }))
            }
        }
    }
}

/// Which rows have a null among their keys; `None` if there is none.
fn any_null(keys: &[Column]) -> Option<BooleanChunked> {
    keys.iter().filter(|key| key.null_count() > 0).map(Column::is_null).reduce(|a, b| &a | &b)
}

impl NamedOperator for Split {
    const NAME: &'static str = "split";
}

/// The rows of a frame in parts, in their order; `part_of_row` says for each row which.
pub(crate) fn scatter(frame: &DataFrame, parts: u32, part_of_row: impl Iterator<Item = usize>) -> Result<Chunk, Failure> {
    // Keys mostly spread evenly: lists that need not grow are not copied.
    let likely = frame.height() / parts.max(1) as usize;
    let mut rows: Vec<Vec<IdxSize>> = (0..parts).map(|_| Vec::with_capacity(likely + likely / 8)).collect();
    for (row, part) in part_of_row.enumerate() {
        rows[part].push(row as IdxSize);
    }
    Ok(Chunk::new(Parts(taken(frame, rows)?)))
}

/// A part for each list of rows.
pub(super) fn taken(frame: &DataFrame, rows: Vec<Vec<IdxSize>>) -> Result<Vec<Chunk>, Failure> {
    let take = |rows: Vec<IdxSize>| {
        if rows.is_empty() {
            // polars cannot take no rows of an array of fixed length.
            return Ok(chunk_of(frame.clear()));
        }
        let part = frame.take(&IdxCa::from_vec("rows".into(), rows)).map_err(|e| polars_failure(e, None))?;
        // Each part has text of its own: parts go to different readers at different times.
        compact(part).map(chunk_of)
    };
    rows.into_iter().map(take).collect()
}
