//! `persist`: runs an array and keeps its blocks where they were made.

use std::sync::Arc;

use partita_graph::{Executor, Failure, Graph, Layer, LayerId, Origin, Run};

use crate::array::lower::{Lowered, Lowering, plan_for};
use crate::array::meta::Meta;
use crate::array::{AnyArray, DArray, Element, Node, Step};
#[cfg(feature = "cluster")]
use crate::client::Published;
use crate::client::{Client, Collection, run};

impl<T: Element> DArray<T> {
    /// Runs the array and keeps its blocks in the memory (or spill) of the workers, for as long as the returned array or an array
    /// made of it lives. Later computations start from them.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0, 6, 1, 2).persist()?;
    /// assert_eq!(x.compute()?.sum(), 15);
    /// assert_eq!(x.rechunk(3).compute()?.len(), 6);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::compute`].
    #[track_caller]
    pub fn persist(&self) -> Result<DArray<T>, Failure> {
        self.persist_on(&Client::current()?)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DArray::compute`].
    #[track_caller]
    pub fn persist_on(&self, executor: &dyn Executor) -> Result<DArray<T>, Failure> {
        self.keep(executor, Origin::here(".persist()"))
    }

    /// An array whose blocks a run made: the graph's wanted keys.
    fn of_run(meta: Meta, graph: &Graph, run: Run, origin: Origin) -> DArray<T> {
        DArray::of(AnyArray::build(Arc::new(Persisted::new(meta, graph, run)), Vec::new(), origin))
    }
}

impl<T: Element> Collection for DArray<T> {
    fn keep(&self, executor: &dyn Executor, origin: Origin) -> Result<DArray<T>, Failure> {
        let meta = self.untyped().meta()?.clone();
        let graph = plan_for(executor, self.untyped())?;
        let run = run::stored(executor, graph.clone())?;
        Ok(DArray::of_run(meta, &graph, run, origin))
    }

    #[cfg(feature = "cluster")]
    fn kept(&self) -> Option<&Run> {
        self.untyped().node().step.kept()
    }

    #[cfg(feature = "cluster")]
    fn published(&self) -> Result<Published, Failure> {
        Ok(Published::Array(self.untyped().meta()?.clone()))
    }

    #[cfg(feature = "cluster")]
    fn found(published: Published, graph: Graph, run: Run, origin: Origin) -> Result<DArray<T>, Failure> {
        match published {
            Published::Array(meta) if meta.dtype == T::DTYPE => Ok(DArray::of_run(meta, &graph, run, origin)),
            Published::Array(_) | Published::Frame(..) | Published::Value => {
                Err(published.is_not(&format!("an array of {}", T::DTYPE), &origin))
            }
        }
    }
}

/// Blocks that exist already, and the layers that would make them again if they were lost.
struct Persisted {
    meta: Meta,
    layers: Vec<Arc<Layer>>,
    root: Option<LayerId>,
    /// Keeps the blocks alive.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "it only keeps the blocks alive"))]
    run: Run,
}

impl Persisted {
    fn new(meta: Meta, graph: &Graph, run: Run) -> Self {
        let root = graph.wanted.first().map(|key| key.layer);
        let fixed = |layer: &Arc<Layer>| Arc::new(Layer { fixed: true, ..(**layer).clone() });
        Self { meta, layers: graph.layers.iter().map(fixed).collect(), root, run }
    }
}

impl Step for Persisted {
    fn line(&self) -> String {
        format!("persisted {}", self.meta.show_shape())
    }

    fn meta(&self, _: &[&Meta]) -> Result<Meta, Failure> {
        Ok(self.meta.clone())
    }

    #[cfg(feature = "cluster")]
    fn kept(&self) -> Option<&Run> {
        Some(&self.run)
    }

    fn lower(&self, _: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        self.layers.iter().for_each(|layer| lowering.graph.add_shared(layer.clone()));
        let layer = self.root.ok_or_else(|| Failure::internal("a persisted array without blocks"))?;
        Ok(Lowered { layer })
    }
}
