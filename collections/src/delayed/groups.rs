//! A user's function on each group of rows.
//!
//! It refuses to know how rows of one key came together. Invariant: groups come in order of first appearance, and what the function gives
//! has the schema that was announced.

use partita_graph::{Chunk, Failure, TaskContext};
use polars::prelude::{DataFrame, Schema};
use serde::{Deserialize, Serialize};

use super::frames::check_announced;
use crate::frame::expr::polars_failure;
use crate::frame::groupby::partial::beside_itself;
use crate::frame::ops::concat::stack;
use crate::frame::value::{chunk_of, frame_of, joined};

/// How rows are grouped, and what comes out.
#[derive(Serialize, Deserialize)]
pub(super) struct Groups {
    pub keys: Vec<String>,
    pub schema: Schema,
}

impl Groups {
    /// Calls with the rows of each group, all in one chunk.
    pub fn each(&self, ctx: &TaskContext<'_>, chunks: &[Chunk], call: impl Fn(&Chunk) -> Result<Chunk, Failure>) -> Result<Chunk, Failure> {
        let rows = stack(chunks)?;
        let mut made = vec![DataFrame::empty_with_schema(&self.schema)];
        if rows.height() > 0 {
            let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
            let groups = rows.partition_by_stable(beside_itself(&rows, &keys), true);
            for group in groups.map_err(|e| polars_failure(e, None))? {
                ctx.check_cancelled()?;
                let frame = frame_of(&call(&chunk_of(group))?)?;
                check_announced(&frame, &self.schema, "a task gave a frame of another schema for a group than was announced")?;
                made.push(frame);
            }
        }
        joined(made).map(chunk_of)
    }
}
