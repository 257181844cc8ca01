//! `compute`: runs a frame and brings its rows here.

use partita_graph::{Executor, Failure};
use polars::prelude::DataFrame;

use crate::client::ready::ready;
use crate::client::{Client, Computed, run};
use crate::frame::DFrame;

impl DFrame {
    /// Runs the frame and returns its rows, partitions in order.
    ///
    /// Runs on the current [`Client`]; without one, the local engine starts on all cores. Blocks; inside an asynchronous runtime
    /// use [`DFrame::compute_async`], so that the thread is free for others.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2])?, 2);
    /// assert_eq!(frame.compute()?, df!("x" => [1, 2])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Before any task is sent: what [`DFrame::check`] finds. While it runs: what the data or a user's function gives.
    #[doc(alias = "collect")]
    pub fn compute(&self) -> Result<DataFrame, Failure> {
        Client::current()?.compute(self)
    }

    /// The same without blocking the calling thread. Dropping the future gives the work up.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let frame = DFrame::from_polars(df!("x" => [1, 2])?, 2);
    /// assert_eq!(frame.sum().compute_async().await?, df!("x" => [3])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    pub async fn compute_async(&self) -> Result<DataFrame, Failure> {
        Ok(run::compute_async(&ready().await?, self).await?.frame)
    }

    /// The same on any executor, for example [`partita_graph::Serial`] in a test; with the remarks of the run. What was spilled is
    /// known to [`Client::run`] only.
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    pub fn compute_on(&self, executor: &dyn Executor) -> Result<Computed, Failure> {
        run::compute(executor, self)
    }
}
