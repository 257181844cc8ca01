//! Delayed values and futures as what a client keeps and is asked about.
//!
//! It refuses to know clusters.

use std::any::TypeId;

use partita_graph::{Executor, Failure, Graph, Key, Origin, Run};
use polars::prelude::DataFrame;

use super::future::DFuture;
use super::lineage::Lineage;
use super::node::{Known, Node, What};
use super::value::TaskValue;
use super::{Delayed, lost_result};
use crate::array::budget::Budget;
#[cfg(feature = "cluster")]
use crate::client::Published;
use crate::client::{Collection, Keyed, run};
use crate::frame::measure::{measured, measuring};
use crate::frame::size::Size;

impl<T: TaskValue> Delayed<T> {
    /// The key of the result, as a list of one, by which a cluster is asked where it is and why it is not there yet. The same call has the same
    /// key, unless its function is impure.
    ///
    /// ```
    /// use partita::{delayed, task};
    ///
    /// #[task]
    /// fn double(x: i64) -> i64 {
    ///     2 * x
    /// }
    ///
    /// assert_eq!(delayed(double)(1).keys()?, delayed(double)(1).keys()?);
    /// assert_ne!(delayed(double)(1).keys()?, delayed(double)(2).keys()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// An argument that cannot be sent.
    #[doc(alias = "key")]
    pub fn keys(&self) -> Result<Vec<Key>, Failure> {
        Ok(self.graph(None)?.wanted)
    }

    /// The result of a run that has made it, or makes it.
    fn of_run(graph: &Graph, run: Run, measured: Option<Size>, origin: Origin) -> Result<Self, Failure> {
        let key = *graph.wanted.first().ok_or_else(lost_result)?;
        let known = Known::of_run(key, Lineage::of(graph, Vec::new()), run, measured);
        Ok(Self::of(Node::new(What::Known(known), origin)))
    }
}

impl<T: TaskValue> Keyed for Delayed<T> {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        Delayed::keys(self)
    }

    fn keys_on(&self, executor: &dyn Executor) -> Result<Vec<Key>, Failure> {
        Ok(self.graph(Some(Budget::of(executor)))?.wanted)
    }
}

impl<T> Keyed for DFuture<T> {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        Ok(vec![self.key()])
    }
}

impl<T: TaskValue> Collection for Delayed<T> {
    fn keep(&self, executor: &dyn Executor, origin: Origin) -> Result<Self, Failure> {
        let graph = self.graph(Some(Budget::of(executor)))?;
        // Of a partition of a frame it is good to know how large it is.
        let is_frame = TypeId::of::<T>() == TypeId::of::<DataFrame>();
        let run = run::stored(executor, if is_frame { measuring(&graph) } else { graph.clone() })?;
        let size = if is_frame { measured(&run, graph.wanted.len()) } else { None };
        Self::of_run(&graph, run, size, origin)
    }

    #[cfg(feature = "cluster")]
    fn kept(&self) -> Option<&Run> {
        match &self.node.what {
            What::Known(known) => known.run(),
            What::Call { .. } | What::Partition(..) | What::Block(..) | What::Reduced(_) => None,
        }
    }

    #[cfg(feature = "cluster")]
    fn published(&self) -> Result<Published, Failure> {
        Ok(Published::Value)
    }

    #[cfg(feature = "cluster")]
    fn found(published: Published, graph: Graph, run: Run, origin: Origin) -> Result<Self, Failure> {
        match published {
            Published::Value => Self::of_run(&graph, run, None, origin),
            Published::Frame(..) | Published::Array(_) => Err(published.is_not("a delayed value", &origin)),
        }
    }
}
