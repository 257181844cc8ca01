//! The operators of a write: one writes a partition, one publishes all of them.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use partita_io::write::{Part, Target};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::expr::polars_failure;
use crate::frame::files::file_failure;
use crate::frame::ops::concat::stack;
use crate::frame::value::{chunk_of, frame_of};

/// Writes the rows of a partition; a row for each file that it wrote.
#[derive(Serialize, Deserialize)]
pub(crate) struct WriteParts {
    pub target: Target,
    /// Tells parts of different plans of one write apart.
    pub plan: u64,
}

impl Operator for WriteParts {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        ctx.check_cancelled()?;
        let written = self.target.write_part(frame, ctx.key.index, self.plan, ctx.attempt);
        rows_of(&written.map_err(|error| self.failure(error))?).map(chunk_of)
    }
}

impl WriteParts {
    fn failure(&self, error: partita_io::Error) -> Failure {
        file_failure(error, &format!("to_{}", self.target.format()), None)
    }
}

impl NamedOperator for WriteParts {
    const NAME: &'static str = "write_parts";
}

/// Makes what was written visible; one row.
#[derive(Serialize, Deserialize)]
pub(crate) struct Publish {
    pub target: Target,
}

impl Operator for Publish {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let parts = parts_of(&stack(inputs)?)?;
        let published = self.target.publish(&parts);
        let published = published.map_err(|error| file_failure(error, &format!("to_{}", self.target.format()), None))?;
        let numbers = [published.rows, published.files, published.bytes];
        let columns = published_schema().iter_names().zip(numbers).map(|(name, number)| Column::new(name.clone(), [number])).collect();
        DataFrame::new(1, columns).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for Publish {
    const NAME: &'static str = "publish";
}

/// What a row about a file says.
pub(super) fn parts_schema() -> Schema {
    let fields = [("path", DataType::String), ("staged", DataType::String), ("rows", DataType::UInt64), ("bytes", DataType::UInt64)];
    fields.into_iter().map(|(name, dtype)| (PlSmallStr::from(name), dtype)).collect()
}

/// What the row about a whole write says.
pub(super) fn published_schema() -> Schema {
    ["rows", "files", "bytes"].into_iter().map(|name| (PlSmallStr::from(name), DataType::UInt64)).collect()
}

fn rows_of(parts: &[Part]) -> Result<DataFrame, Failure> {
    let text = |of: fn(&Part) -> &str| parts.iter().map(of).collect::<Vec<&str>>();
    let number = |of: fn(&Part) -> u64| parts.iter().map(of).collect::<Vec<u64>>();
    let columns = vec![
        Column::new("path".into(), text(|part| part.path.as_str())),
        Column::new("staged".into(), text(|part| part.staged.as_str())),
        Column::new("rows".into(), number(|part| part.rows)),
        Column::new("bytes".into(), number(|part| part.bytes)),
    ];
    DataFrame::new(parts.len(), columns).map_err(|e| polars_failure(e, None))
}

fn parts_of(rows: &DataFrame) -> Result<Vec<Part>, Failure> {
    let damaged = || Failure::internal("publish: a row about a file is incomplete");
    let text = |name: &str, row: usize| -> Option<String> { Some(rows.column(name).ok()?.str().ok()?.get(row)?.to_owned()) };
    let number = |name: &str, row: usize| -> Option<u64> { rows.column(name).ok()?.u64().ok()?.get(row) };
    let part = |row: usize| {
        Some(Part { path: text("path", row)?, staged: text("staged", row)?, rows: number("rows", row)?, bytes: number("bytes", row)? })
    };
    (0..rows.height()).map(|row| part(row).ok_or_else(damaged)).collect()
}
