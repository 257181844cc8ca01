//! `keys`: the names of a frame's partitions.

use partita_graph::{Executor, Failure, Key};

use crate::client::Keyed;
use crate::frame::DFrame;
use crate::frame::lower::{plan, plan_for};

impl DFrame {
    /// The keys of the partitions, by which a cluster is asked where they are ([`Client::who_has`](crate::Client::who_has)) and
    /// why they are not there yet. The same frame has the same keys, in every process that reads the same files.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3])?, 3);
    /// assert_eq!(frame.keys()?.len(), 3);
    /// assert_eq!(frame.keys()?, frame.clone().keys()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::check`].
    #[doc(alias = "__dask_keys__")]
    pub fn keys(&self) -> Result<Vec<Key>, Failure> {
        Ok(plan(self)?.graph.wanted)
    }
}

impl Keyed for DFrame {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        DFrame::keys(self)
    }

    fn keys_on(&self, executor: &dyn Executor) -> Result<Vec<Key>, Failure> {
        Ok(plan_for(executor, self)?.graph.wanted)
    }
}
