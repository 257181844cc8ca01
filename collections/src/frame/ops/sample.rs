//! `sample`: some rows by chance, the same ones each time.

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::frame::compact::compact;
use crate::frame::expr::{Names, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::size::Size;
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{DFrame, Node, Step};

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
        DFrame::then(Sample { fraction, seed }, vec![self.clone()], ".sample(…)")
    }
}

struct Sample {
    fraction: f64,
    seed: u64,
}

impl Step for Sample {
    fn line(&self) -> String {
        format!("sample {} of the rows, seed {}", self.fraction, self.seed)
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(inputs[0].clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn size(&self, inputs: &[Option<Size>], _: &Node) -> Option<Size> {
        inputs[0].map(|size| size.with_rows((size.rows as f64 * self.fraction) as u64))
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(SampleRows { fraction: self.fraction, seed: self.seed }, self.line());
        Ok(lowering.add(Layer::single("sample", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node))
    }
}

/// Keeps rows by chance.
#[derive(Serialize, Deserialize)]
pub(crate) struct SampleRows {
    fraction: f64,
    seed: u64,
}

impl SampleRows {
    /// Chance without a state: a number for each row of each partition, so that nothing depends on what came before.
    fn keeps(&self, partition: u32, row: u32) -> bool {
        let place = ((u64::from(partition) << 32) | u64::from(row)).to_le_bytes();
        let number = (xxh3_64_with_seed(&place, self.seed) >> 11) as f64 / (1u64 << 53) as f64;
        number < self.fraction
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
