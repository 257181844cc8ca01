//! `sample` and `random_split`: some rows by chance, the same ones each time.

use std::sync::Arc;

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, Origin, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::frame::compact::compact;
use crate::frame::expr::{Names, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::size::Size;
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{Broken, DFrame, Node, Step};

impl DFrame {
    /// Each row with probability `fraction`, independently of the others, in row order. The same seed and the same partitions give the same
    /// rows, on any number of workers.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => (0..1000).collect::<Vec<i32>>())?, 4);
    /// let some = frame.sample(0.1, 42).compute()?;
    /// assert!(some.height() > 50 && some.height() < 150);
    /// assert_eq!(some, frame.sample(0.1, 42).compute()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a fraction that is not between 0 and 1.
    #[track_caller]
    pub fn sample(&self, fraction: f64, seed: u64) -> DFrame {
        if !(0.0..=1.0).contains(&fraction) {
            let what = format!("a fraction of rows is between 0 and 1, not {fraction}");
            return DFrame::failed(Failure::new(Code::InvalidOption, what), ".sample(…)");
        }
        DFrame::then(Sample { chance: Chance { from: 0.0, to: fraction, seed } }, vec![self.clone()], ".sample(…)")
    }

    /// Frames that have all rows together and none twice, each row in one of them by chance: in the first with the first probability, and so
    /// on. The probabilities add up to 1. Rows keep their order; the first frame has the rows of [`DFrame::sample`] with its probability and
    /// the same seed.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => (0..1000).collect::<Vec<i32>>())?, 4);
    /// let [train, test] = frame.random_split([0.8, 0.2], 42);
    /// assert!(train.len()? > 750 && train.len()? < 850);
    /// assert_eq!(DFrame::concat([train, test]).sort(["x"]).compute()?, frame.compute()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: fractions below 0, or that do not add up to 1.
    #[track_caller]
    pub fn random_split<const N: usize>(&self, fractions: [f64; N], seed: u64) -> [DFrame; N] {
        const METHOD: &str = ".random_split(…)";
        let sum: f64 = fractions.iter().sum();
        let origin = Origin::here(METHOD);
        // Not a number is not at least 0 either.
        let is_fit = fractions.iter().all(|fraction| *fraction >= 0.0) && (sum - 1.0).abs() <= ROUNDING;
        let mut before = 0.0;
        let mut at = 0;
        fractions.map(|fraction| {
            at += 1;
            let from = before;
            before += fraction;
            if !is_fit {
                let what = format!("the fractions of all rows are at least 0 and add up to 1, and not {sum}: {fractions:?}");
                // Not by `failed`, which would not know the caller's line in here.
                return DFrame::build(Arc::new(Broken(Failure::new(Code::InvalidOption, what))), Vec::new(), origin.clone());
            }
            // No row is lost because fractions were rounded.
            let to = if at == N { 1.0 } else { before };
            DFrame::build(Arc::new(Sample { chance: Chance { from, to, seed } }), vec![self.clone()], origin.clone())
        })
    }
}

/// By so much the sum of fractions may miss 1.
const ROUNDING: f64 = 1e-9;

struct Sample {
    chance: Chance,
}

/// Which rows are kept: each row has a number from 0 to 1, by its place and the seed.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Chance {
    from: f64,
    to: f64,
    seed: u64,
}

impl Step for Sample {
    fn line(&self) -> String {
        let Chance { from, to, seed } = self.chance;
        let after = if from > 0.0 { format!(" after {from}") } else { String::new() };
        // Of a difference the last digits are noise.
        let share = ((to - from) * 1e9).round() / 1e9;
        format!("sample {share} of the rows{after}, seed {seed}")
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(inputs[0].clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn size(&self, inputs: &[Option<Size>], _: &Node) -> Option<Size> {
        inputs[0].map(|size| size.with_rows((size.rows as f64 * (self.chance.to - self.chance.from)) as u64))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(SampleRows { chance: self.chance }, self.line());
        Ok(lowering.add(Layer::single("sample", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node))
    }
}

/// Keeps rows by chance.
#[derive(Serialize, Deserialize)]
pub(crate) struct SampleRows {
    chance: Chance,
}

impl SampleRows {
    /// Chance without a state: a number for each row of each partition, so that nothing depends on what came before.
    fn keeps(&self, partition: u32, row: u32) -> bool {
        let place = ((u64::from(partition) << 32) | u64::from(row)).to_le_bytes();
        let number = (xxh3_64_with_seed(&place, self.chance.seed) >> 11) as f64 / (1u64 << 53) as f64;
        number >= self.chance.from && number < self.chance.to
    }
}

impl Operator for SampleRows {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let kept: Vec<IdxSize> = (0..frame.height() as IdxSize).filter(|row| self.keeps(ctx.key.index, *row)).collect();
        let rows = frame.take(&IdxCa::from_vec(PlSmallStr::EMPTY, kept)).map_err(|e| polars_failure(e, None))?;
        compact(rows).map(chunk_of)
    }
}

impl NamedOperator for SampleRows {
    const NAME: &'static str = "sample_rows";
}
