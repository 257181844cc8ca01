//! The operator that aggregates the rows of one partition to states, one row a group.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::codes;
use super::states::State;
use crate::frame::expr::polars_failure;
use crate::frame::value::{Coded, chunk_of, frame_of};

/// Rows to states. Without keys: all rows are one group, and a partition without rows gives no row.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Partial {
    pub keys: Vec<Expr>,
    pub states: Vec<State>,
}

impl Operator for Partial {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        if let Some(coded) = inputs[0].get::<Coded>()
            && let Some(frame) = codes::aggregate(coded, &self.keys, &self.states)
        {
            return frame.map(chunk_of).map_err(|e| polars_failure(e, None));
        }
        let frame = frame_of(&inputs[0])?;
        let exprs: Vec<Expr> = self.states.iter().enumerate().flat_map(|(i, state)| state.partial(i)).collect();
        grouped(frame, &self.keys, exprs).map(chunk_of)
    }
}

/// Aggregates by keys, groups in order of first appearance; without keys to one row, or none for no rows.
pub(crate) fn grouped(frame: DataFrame, keys: &[Expr], exprs: Vec<Expr>) -> Result<DataFrame, Failure> {
    let rows = frame.height();
    let frame = frame.lazy();
    let frame = match keys.is_empty() {
        true => frame.select(exprs).slice(0, rows.min(1) as IdxSize),
        false => frame.group_by_stable(keys).agg(exprs),
    };
    frame.collect().map_err(|e| polars_failure(e, None))
}

impl NamedOperator for Partial {
    const NAME: &'static str = "group_by_partial";
}
