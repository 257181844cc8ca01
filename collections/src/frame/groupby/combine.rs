//! The operators that combine the states of several partitions, make the results of them, and aggregate exactly.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::hashed::{self, Work};
use super::partial::{by_keys, grouped};
use super::states::State;
use crate::frame::compact::compact;
use crate::frame::expr::polars_failure;
use crate::frame::ops::concat::stack;
use crate::frame::value::chunk_of;

/// States of several partitions to one row a group.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Combine {
    /// Names of the key columns.
    pub keys: Vec<String>,
    pub states: Vec<State>,
}

impl Combine {
    fn combined(&self, states: DataFrame) -> Result<LazyFrame, Failure> {
        let keys: Vec<Expr> = self.keys.iter().map(|key| col(key.as_str())).collect();
        let work: Vec<Work<'_>> = self.states.iter().map(Work::States).collect();
        if let Some(combined) = hashed::aggregate(&states, &keys, &work)? {
            return Ok(combined.lazy());
        }
        let exprs: Vec<Expr> = self.states.iter().enumerate().flat_map(|(i, state)| state.combine(i)).collect();
        Ok(match keys.is_empty() {
            true => states.lazy().select(exprs),
            false => by_keys(states, &keys, exprs),
        })
    }
}

impl Operator for Combine {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let states = stack(inputs)?;
        // No states stay no states: a row made of nothing would count as a first value.
        let rows = if self.keys.is_empty() { states.height().min(1) } else { usize::MAX };
        let combined = self.combined(states)?.collect().map_err(|e| polars_failure(e, None))?;
        compact(combined.head(Some(rows))).map(chunk_of)
    }
}

impl NamedOperator for Combine {
    const NAME: &'static str = "group_by_combine";
}

/// The last combination: states to results.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Finish {
    pub combine: Combine,
    /// Over states, cast to their types and named.
    pub results: Vec<Expr>,
}

impl Operator for Finish {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let keys = self.combine.keys.iter().map(|key| col(key.as_str()));
        let columns: Vec<Expr> = keys.chain(self.results.iter().cloned()).collect();
        let frame = self.combine.combined(stack(inputs)?)?.select(columns).collect();
        compact(frame.map_err(|e| polars_failure(e, None))?).map(chunk_of)
    }
}

impl NamedOperator for Finish {
    const NAME: &'static str = "group_by_finish";
}

/// Aggregates that need all rows of a group at once.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Exact {
    pub keys: Vec<Expr>,
    pub aggs: Vec<Expr>,
}

impl Operator for Exact {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let rows = stack(inputs)?;
        match self.keys.is_empty() {
            true => rows.lazy().select(self.aggs.clone()).collect().map(chunk_of).map_err(|e| polars_failure(e, None)),
            false => compact(grouped(rows, &self.keys, self.aggs.clone())?).map(chunk_of),
        }
    }
}

impl NamedOperator for Exact {
    const NAME: &'static str = "group_by_exact";
}
