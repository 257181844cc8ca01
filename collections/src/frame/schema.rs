//! What is known of a frame without running it.

use partita_graph::Failure;
use polars::prelude::{DataType, SchemaRef};

use super::DFrame;
use super::lower::Lowering;
use super::rewrite::rewrite;

impl DFrame {
    /// Names and types of the columns, known at every step.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1i64])?, 1).with_column((col("x") / lit(2.0)).alias("half"));
    /// assert_eq!(frame.dtypes()?, [DataType::Int64, DataType::Float64]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The failure of the first step that does not fit.
    pub fn schema(&self) -> Result<SchemaRef, Failure> {
        self.resolved().cloned()
    }

    /// The names of the columns, in order.
    ///
    /// # Errors
    /// As [`DFrame::schema`].
    pub fn columns(&self) -> Result<Vec<String>, Failure> {
        Ok(self.resolved()?.iter_names().map(|name| name.to_string()).collect())
    }

    /// The types of the columns, in order.
    ///
    /// # Errors
    /// As [`DFrame::schema`].
    pub fn dtypes(&self) -> Result<Vec<DataType>, Failure> {
        Ok(self.resolved()?.iter_values().cloned().collect())
    }

    /// The number of partitions.
    ///
    /// # Errors
    /// As [`DFrame::schema`].
    pub fn npartitions(&self) -> Result<usize, Failure> {
        self.resolved()?;
        let rewritten = rewrite(self)?;
        Ok(Lowering::default().frame(&rewritten)?.partitions as usize)
    }
}
