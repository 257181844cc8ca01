//! The operators that find quantiles of number columns, each partition giving a few numbers instead of its rows.

use partita_graph::{Chunk, Failure, NamedOperator, Operator, TaskContext};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::pick::{Found, Pick, Ranks, bucket, buckets, canonical, cuts, find};
use crate::frame::expr::polars_failure;
use crate::frame::sort::range::positions;
use crate::frame::value::{chunk_of, fact_chunk, fact_of, frame_of};

/// Values between two cuts are brought together in the end: more cuts make them fewer.
const CUTS: usize = 512;

/// What is asked for: columns, which of their quantiles, and how a quantile between two values is made of them.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Names and types of the results.
    pub columns: Vec<(String, DataType)>,
    pub quantiles: Vec<f64>,
    pub method: QuantileMethod,
}

impl Asked {
    /// The values of column `at` that are not null.
    fn values(&self, frame: &DataFrame, at: usize) -> Result<Vec<f64>, Failure> {
        let values = frame.column(&self.columns[at].0).and_then(|column| column.cast(&DataType::Float64));
        let values = values.map_err(|e| polars_failure(e, None))?;
        let values = values.f64().map_err(|e| polars_failure(e, None))?;
        Ok(values.iter().flatten().map(canonical).collect())
    }

    /// Something for each column.
    fn each<T>(&self, make: impl FnMut(usize) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
        (0..self.columns.len()).map(make).collect()
    }

    /// The result: a row for each quantile.
    fn frame(&self, results: Vec<Vec<Option<f64>>>) -> Result<Chunk, Failure> {
        let columns = self.columns.iter().zip(results).map(|((name, dtype), values)| {
            Float64Chunked::from_iter_options(name.as_str().into(), values.into_iter()).into_column().cast(dtype)
        });
        let columns = columns.collect::<PolarsResult<Vec<_>>>();
        columns.and_then(|columns| DataFrame::new(self.quantiles.len(), columns)).map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

fn input(inputs: &[Chunk], at: usize) -> Result<&Chunk, Failure> {
    inputs.get(at).ok_or_else(|| Failure::internal(format!("a quantile without its input {at}")))
}

/// Of a column: some values and the number of all.
type Sampled = (Vec<f64>, u64);

/// Looks at some values of each column.
#[derive(Serialize, Deserialize)]
pub(crate) struct SampleValues {
    pub asked: Asked,
    pub most: u32,
}

impl Operator for SampleValues {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(input(inputs, 0)?)?;
        let sampled: Vec<Sampled> = self.asked.each(|at| {
            let values = self.asked.values(&frame, at)?;
            let some = positions(values.len(), self.most as usize).into_iter().map(|row| values[row as usize]).collect();
            Ok((some, values.len() as u64))
        })?;
        Ok(fact_chunk(&sampled))
    }
}

impl NamedOperator for SampleValues {
    const NAME: &'static str = "quantile_sample";
}

/// Makes cuts between buckets of about equal numbers of values, for each column.
#[derive(Serialize, Deserialize)]
pub(crate) struct FindCuts;

impl Operator for FindCuts {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let mut weighed: Vec<Vec<(f64, f64)>> = Vec::new();
        for chunk in inputs {
            let sampled: Vec<Sampled> = fact_of(chunk)?;
            weighed.resize_with(sampled.len(), Vec::new);
            for (column, (values, all)) in weighed.iter_mut().zip(sampled) {
                let weight = all as f64 / values.len().max(1) as f64;
                column.extend(values.into_iter().map(|value| (value, weight)));
            }
        }
        Ok(fact_chunk(&weighed.into_iter().map(|column| cuts(column, CUTS)).collect::<Vec<_>>()))
    }
}

impl NamedOperator for FindCuts {
    const NAME: &'static str = "quantile_cuts";
}

/// Counts the values of a partition in each bucket. Reads the partition, then the cuts.
#[derive(Serialize, Deserialize)]
pub(crate) struct CountBuckets {
    pub asked: Asked,
}

impl Operator for CountBuckets {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(input(inputs, 0)?)?;
        let cuts: Vec<Vec<f64>> = fact_of(input(inputs, 1)?)?;
        let counts = self.asked.each(|at| {
            let mut counts = vec![0u64; buckets(&cuts[at])];
            self.asked.values(&frame, at)?.into_iter().for_each(|value| counts[bucket(&cuts[at], value)] += 1);
            Ok(counts)
        })?;
        Ok(fact_chunk(&counts))
    }
}

impl NamedOperator for CountBuckets {
    const NAME: &'static str = "quantile_count";
}

/// Finds the buckets in which the quantiles are. Reads the cuts, then the counts of all partitions.
#[derive(Serialize, Deserialize)]
pub(crate) struct ChooseBuckets {
    pub asked: Asked,
}

impl Operator for ChooseBuckets {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let cuts: Vec<Vec<f64>> = fact_of(input(inputs, 0)?)?;
        let mut counts: Vec<Vec<u64>> = cuts.iter().map(|cuts| vec![0; buckets(cuts)]).collect();
        for chunk in &inputs[1..] {
            let these: Vec<Vec<u64>> = fact_of(chunk)?;
            let pairs = counts.iter_mut().flatten().zip(these.into_iter().flatten());
            pairs.for_each(|(all, these)| *all += these);
        }
        let picks: Vec<Vec<Option<Pick>>> = self.asked.each(|at| {
            let all: u64 = counts[at].iter().sum();
            let pick = |quantile: &f64| {
                let ranks = (all > 0).then(|| Ranks::of(*quantile, all, self.asked.method))?;
                let place = |rank| find(&cuts[at], &counts[at], rank);
                Some(Pick { ranks, low: place(ranks.low)?, high: place(ranks.high)? })
            };
            Ok(self.asked.quantiles.iter().map(pick).collect())
        })?;
        Ok(fact_chunk(&picks))
    }
}

impl NamedOperator for ChooseBuckets {
    const NAME: &'static str = "quantile_choose";
}

/// The buckets of a column whose values are needed.
fn wanted(picks: &[Option<Pick>]) -> Vec<u32> {
    let found = picks.iter().flatten().flat_map(|pick| [pick.low, pick.high]);
    let mut wanted: Vec<u32> = found
        .filter_map(|found| match found {
            Found::Within { bucket, .. } => Some(bucket),
            Found::Value(_) => None,
        })
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// The values of a partition in the buckets that were chosen. Reads the partition, the cuts, the choice.
#[derive(Serialize, Deserialize)]
pub(crate) struct GatherBuckets {
    pub asked: Asked,
}

impl Operator for GatherBuckets {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(input(inputs, 0)?)?;
        let cuts: Vec<Vec<f64>> = fact_of(input(inputs, 1)?)?;
        let picks: Vec<Vec<Option<Pick>>> = fact_of(input(inputs, 2)?)?;
        let gathered = self.asked.each(|at| {
            let wanted = wanted(&picks[at]);
            let mut gathered: Vec<Vec<f64>> = vec![Vec::new(); wanted.len()];
            if wanted.is_empty() {
                return Ok(gathered);
            }
            for value in self.asked.values(&frame, at)? {
                if let Ok(place) = wanted.binary_search(&(bucket(&cuts[at], value) as u32)) {
                    gathered[place].push(value);
                }
            }
            Ok(gathered)
        })?;
        Ok(fact_chunk(&gathered))
    }
}

impl NamedOperator for GatherBuckets {
    const NAME: &'static str = "quantile_gather";
}

/// Makes the quantiles. Reads the choice, then the values of all partitions.
#[derive(Serialize, Deserialize)]
pub(crate) struct FinishQuantiles {
    pub asked: Asked,
}

impl Operator for FinishQuantiles {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let picks: Vec<Vec<Option<Pick>>> = fact_of(input(inputs, 0)?)?;
        let buckets: Vec<Vec<u32>> = picks.iter().map(|picks| wanted(picks)).collect();
        let mut values: Vec<Vec<Vec<f64>>> = buckets.iter().map(|wanted| vec![Vec::new(); wanted.len()]).collect();
        for chunk in &inputs[1..] {
            let these: Vec<Vec<Vec<f64>>> = fact_of(chunk)?;
            let pairs = values.iter_mut().flatten().zip(these.into_iter().flatten());
            pairs.for_each(|(all, these)| all.extend(these));
        }
        values.iter_mut().flatten().for_each(|bucket| bucket.sort_unstable_by(f64::total_cmp));
        let value = |at: usize, found: Found| match found {
            Found::Value(value) => Some(value),
            Found::Within { bucket, rank } => {
                let place = buckets[at].binary_search(&bucket).ok()?;
                values[at][place].get(rank as usize).copied()
            }
        };
        let results = self.asked.each(|at| {
            let result = |pick: &Option<Pick>| -> Result<Option<f64>, Failure> {
                let Some(pick) = pick else { return Ok(None) };
                let found = value(at, pick.low).zip(value(at, pick.high));
                let (low, high) = found.ok_or_else(|| Failure::internal("a quantile lies where no partition has a value"))?;
                Ok(Some(pick.ranks.value(low, high)))
            };
            picks[at].iter().map(result).collect()
        })?;
        self.asked.frame(results)
    }
}

impl NamedOperator for FinishQuantiles {
    const NAME: &'static str = "quantile_finish";
}

/// The same where all rows are one partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct SortedQuantiles {
    pub asked: Asked,
}

impl Operator for SortedQuantiles {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(input(inputs, 0)?)?;
        let results = self.asked.each(|at| {
            let mut values = self.asked.values(&frame, at)?;
            values.sort_unstable_by(f64::total_cmp);
            let result = |quantile: &f64| {
                let ranks = (!values.is_empty()).then(|| Ranks::of(*quantile, values.len() as u64, self.asked.method))?;
                Some(ranks.value(values[ranks.low as usize], values[ranks.high as usize]))
            };
            Ok(self.asked.quantiles.iter().map(result).collect())
        })?;
        self.asked.frame(results)
    }
}

impl NamedOperator for SortedQuantiles {
    const NAME: &'static str = "quantile_sorted";
}
