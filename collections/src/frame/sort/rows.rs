//! The operator that sorts all rows that it is given, or finds the first of them.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::order::By;
use crate::frame::compact::compact;
use crate::frame::expr::polars_failure;
use crate::frame::ops::concat::stack;
use crate::frame::value::chunk_of;

/// Rows in order, equal ones in the order in which they come; with a limit, so many of them.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SortRows {
    pub by: By,
    pub limit: Option<u64>,
}

impl Operator for SortRows {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let rows = stack(inputs)?;
        let order = self.by.order(&rows)?;
        ctx.check_cancelled()?;
        let order = order.sorted(self.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)));
        if order.len() == rows.height() && order.is_sorted() {
            return Ok(chunk_of(rows));
        }
        let sorted = rows.take(&IdxCa::from_vec(PlSmallStr::EMPTY, order)).map_err(|e| polars_failure(e, None))?;
        compact(sorted).map(chunk_of)
    }
}

impl NamedOperator for SortRows {
    const NAME: &'static str = "sort_rows";
}
