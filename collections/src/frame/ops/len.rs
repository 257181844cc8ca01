//! `len`: the number of rows, now.

use partita_graph::Failure;
use polars::prelude::{DataType, len};

use crate::frame::DFrame;

impl DFrame {
    /// The number of rows of all partitions. Where files say it of themselves (Parquet), or partitions were counted ([`DFrame::persist`]), nothing runs; else as few columns as possible
    /// are read.
    ///
    /// ```
    /// use partita::prelude::*;
    /// assert_eq!(DFrame::from_polars(df!("x" => [1, 2, 3])?, 2).len()?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    #[allow(clippy::len_without_is_empty)] // Emptiness is not known without the work, and is `len()? == 0`.
    #[track_caller]
    pub fn len(&self) -> Result<u64, Failure> {
        self.resolved()?;
        if let Some(rows) = self.known_rows() {
            return Ok(rows);
        }
        let counted = self.agg([len().cast(DataType::UInt64).alias("len")]).compute()?;
        let column = counted.column("len").ok().and_then(|column| column.u64().ok()?.get(0));
        column.ok_or_else(|| Failure::internal("len: no number came back"))
    }

    /// The number of rows, where no task has to run to know it.
    fn known_rows(&self) -> Option<u64> {
        let inputs: Vec<Option<u64>> = self.node().inputs.iter().map(DFrame::known_rows).collect();
        self.node().step.rows(&inputs)
    }
}
