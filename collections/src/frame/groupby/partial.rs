//! The operator that aggregates the rows of one partition to states, one row a group.

use std::sync::atomic::Ordering;

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use polars::prelude::*;
use polars_plan::utils::expr_output_name;
use serde::{Deserialize, Serialize};

use super::codes;
use super::hashed::{self, Work};
use super::states::State;
use crate::frame::compact::compact;
use crate::frame::expr::polars_failure;
use crate::frame::value::{Stream, chunk_of, frame_of, joined, uncoded};

/// Rows to states. Without keys: all rows are one group, and a partition without rows gives no row.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Partial {
    pub keys: Vec<Expr>,
    pub states: Vec<State>,
}

/// Rows are decoded and aggregated in batches of about this many bytes, which stay in the cache of a core.
const BATCH: usize = 1 << 19;

impl Partial {
    fn general(&self, frame: DataFrame) -> Result<DataFrame, Failure> {
        let work: Vec<Work<'_>> = self.states.iter().map(Work::Rows).collect();
        if let Some(states) = hashed::aggregate(&frame, &self.keys, &work)? {
            return Ok(states);
        }
        let exprs: Vec<Expr> = self.states.iter().enumerate().flat_map(|(i, state)| state.partial(i)).collect();
        grouped(frame, &self.keys, exprs)
    }

    /// Batches that have codes are aggregated one by one; what combines partitions combines batches too. Those between two of them wait
    /// for each other, because their keys are many and repeat over the whole partition. States stay in row order: a first value is one.
    fn streamed(&self, stream: &Stream, ctx: &TaskContext<'_>) -> Result<DataFrame, Failure> {
        let mut states = Vec::new();
        let mut rest = Vec::new();
        stream.0.each(BATCH, &|| ctx.cancelled.load(Ordering::Relaxed), &mut |batch| {
            match codes::aggregate(&batch, &self.keys, &self.states) {
                Some(frame) => {
                    if !rest.is_empty() {
                        states.push(self.general(joined(std::mem::take(&mut rest))?)?);
                    }
                    states.push(frame.map_err(|e| polars_failure(e, None))?);
                }
                None => rest.push(uncoded(batch)?),
            }
            Ok(())
        })?;
        if !rest.is_empty() {
            states.push(self.general(joined(rest)?)?);
        }
        let several = states.len() > 1;
        let states = joined(states)?;
        // Batches are small and may have nearly as many groups as rows: what they have in common is combined here, not by all partitions'
        // common successor.
        let work: Vec<Work<'_>> = self.states.iter().map(Work::States).collect();
        let keys = self.keys.iter().map(|key| expr_output_name(key).map(col)).collect::<PolarsResult<Vec<Expr>>>();
        let keys = keys.map_err(|e| polars_failure(e, None))?;
        match if several { hashed::aggregate(&states, &keys, &work)? } else { None } {
            Some(combined) => Ok(combined),
            None => Ok(states),
        }
    }
}

impl Operator for Partial {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let states = match inputs[0].get::<Stream>() {
            Some(stream) => self.streamed(stream, ctx),
            None => self.general(frame_of(&inputs[0])?),
        };
        // Text of keys and of first values is shared with the rows, which are gone.
        compact(states?).map(chunk_of)
    }
}

/// Aggregates by keys, groups in order of first appearance; without keys to one row, or none for no rows.
pub(crate) fn grouped(frame: DataFrame, keys: &[Expr], exprs: Vec<Expr>) -> Result<DataFrame, Failure> {
    let rows = frame.height();
    let frame = match keys.is_empty() {
        true => frame.lazy().select(exprs).slice(0, rows.min(1) as IdxSize),
        false => by_keys(frame, keys, exprs),
    };
    frame.collect().map_err(|e| polars_failure(e, None))
}

/// A row for each group, in order of first appearance. One decimal alone is no key for polars as it is built here; two of them are, so it
/// stands beside itself.
pub(super) fn by_keys(frame: DataFrame, keys: &[Expr], exprs: Vec<Expr>) -> LazyFrame {
    const BESIDE: &str = "\u{1}beside";
    match keys {
        [key] if key.to_field(frame.schema()).is_ok_and(|field| field.dtype().is_decimal()) => {
            let both = [key.clone(), key.clone().alias(BESIDE)];
            frame.lazy().group_by_stable(both).agg(exprs).drop(cols([BESIDE]))
        }
        _ => frame.lazy().group_by_stable(keys).agg(exprs),
    }
}

/// Names of keys as polars' own groups take them: one decimal alone stands beside itself, as in [`by_keys`].
pub(crate) fn beside_itself<'a>(frame: &DataFrame, keys: &[&'a str]) -> Vec<&'a str> {
    match keys {
        [key] if frame.column(key).is_ok_and(|column| column.dtype().is_decimal()) => vec![*key, *key],
        _ => keys.to_vec(),
    }
}

impl NamedOperator for Partial {
    const NAME: &'static str = "group_by_partial";
}
