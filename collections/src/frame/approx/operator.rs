//! The operators that sketch partitions, merge sketches and answer.

use partita_graph::{Chunk, Code, Failure, NamedOperator, Operator, TaskContext};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::hll::HyperLogLog;
use crate::frame::expr::polars_failure;
use crate::frame::shuffle::hash::row_hashes;
use crate::frame::value::{chunk_of, fact_chunk, fact_of, frame_of};

/// What is asked.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    Different,
    Quantile(f64),
}

/// Sketches the columns of a partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sketch {
    pub columns: Vec<String>,
    pub ask: Ask,
}

impl Operator for Sketch {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let columns = self.columns.iter().map(|name| frame.column(name)).collect::<PolarsResult<Vec<_>>>();
        let columns = columns.map_err(|e| polars_failure(e, None))?;
        match self.ask {
            Ask::Different => columns.into_iter().map(different).collect::<PolarsResult<Vec<_>>>().map(|sketches| fact_chunk(&sketches)),
            Ask::Quantile(_) => columns.into_iter().map(digested).collect::<PolarsResult<Vec<_>>>().map(|sketches| fact_chunk(&sketches)),
        }
        .map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for Sketch {
    const NAME: &'static str = "sketch";
}

fn different(column: &Column) -> PolarsResult<HyperLogLog> {
    let mut sketch = HyperLogLog::default();
    row_hashes(std::slice::from_ref(column))?.into_iter().for_each(|hash| sketch.add(hash));
    Ok(sketch)
}

fn digested(column: &Column) -> PolarsResult<Digest> {
    let numbers = column.cast(&DataType::Float64)?;
    Ok(Digest::of(numbers.f64()?.iter().flatten()))
}

/// Sketches of several partitions to those of all.
#[derive(Serialize, Deserialize)]
pub(crate) struct Merge {
    pub ask: Ask,
}

impl Operator for Merge {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        match self.ask {
            Ask::Different => Ok(fact_chunk(&merged_counts(inputs)?)),
            Ask::Quantile(_) => Ok(fact_chunk(&merged_digests(inputs)?)),
        }
    }
}

impl NamedOperator for Merge {
    const NAME: &'static str = "merge_sketches";
}

fn merged_counts(chunks: &[Chunk]) -> Result<Vec<HyperLogLog>, Failure> {
    let mut all: Vec<HyperLogLog> = Vec::new();
    for chunk in chunks {
        let sketches: Vec<HyperLogLog> = fact_of(chunk)?;
        match all.is_empty() {
            true => all = sketches,
            false => all.iter_mut().zip(&sketches).for_each(|(all, sketch)| all.merge(sketch)),
        }
    }
    Ok(all)
}

fn merged_digests(chunks: &[Chunk]) -> Result<Vec<Digest>, Failure> {
    let mut columns: Vec<Vec<Digest>> = Vec::new();
    for chunk in chunks {
        let digests: Vec<Digest> = fact_of(chunk)?;
        columns.resize_with(digests.len(), Vec::new);
        columns.iter_mut().zip(digests).for_each(|(column, digest)| column.push(digest));
    }
    Ok(columns.into_iter().map(Digest::merged).collect())
}

/// Merges the last sketches and answers in one row.
#[derive(Serialize, Deserialize)]
pub(crate) struct Finish {
    /// Names and types of the result.
    pub columns: Vec<(String, DataType)>,
    pub ask: Ask,
}

impl Operator for Finish {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let answers: Vec<Option<f64>> = match self.ask {
            Ask::Different => merged_counts(inputs)?.iter().map(|sketch| Some(sketch.estimate().round())).collect(),
            Ask::Quantile(quantile) => merged_digests(inputs)?.iter().map(|digest| digest.quantile(quantile)).collect(),
        };
        let column = |((name, dtype), answer): (&(String, DataType), Option<f64>)| -> Result<Column, Failure> {
            if self.ask == Ask::Different && answer.is_some_and(|answer| answer > f64::from(IdxSize::MAX)) {
                let what = format!("`{name}` has more different values than the {} that polars counts", IdxSize::MAX);
                return Err(Failure::new(Code::Unsupported, what));
            }
            Column::new(name.as_str().into(), [answer]).cast(dtype).map_err(|e| polars_failure(e, None))
        };
        let columns = self.columns.iter().zip(answers).map(column).collect::<Result<Vec<_>, _>>()?;
        DataFrame::new(1, columns).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for Finish {
    const NAME: &'static str = "answer_of_sketches";
}
