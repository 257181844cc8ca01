//! `persist`: runs a frame and keeps its partitions where they were made.

use std::sync::Arc;

use partita_graph::{Executor, Failure, Graph, Layer, LayerId, Origin, Run};
use polars::prelude::{Schema, SchemaRef};

#[cfg(feature = "cluster")]
use crate::client::Published;
use crate::client::{Client, Collection, run};
use crate::frame::expr::Names;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::size::{Size, may_be_any, size_of};
use crate::frame::{DFrame, Node, Step};

impl DFrame {
    /// Runs the frame and keeps its partitions in the memory (or spill) of the workers, for as long as the returned frame or a
    /// frame made of it lives. Later computations start from them, and are planned by the rows and bytes that they have.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3])?, 3);
    /// let doubled = frame.select([col("x") * lit(2)]).persist()?;
    /// assert_eq!(doubled.sum().compute()?, df!("x" => [12])?);
    /// assert_eq!(doubled.max().compute()?, df!("x" => [6])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    #[track_caller]
    pub fn persist(&self) -> Result<DFrame, Failure> {
        self.persist_on(&Client::current()?)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DFrame::compute`].
    #[track_caller]
    pub fn persist_on(&self, executor: &dyn Executor) -> Result<DFrame, Failure> {
        self.keep(executor, Origin::here(".persist()"))
    }
}

impl Collection for DFrame {
    fn keep(&self, executor: &dyn Executor, origin: Origin) -> Result<DFrame, Failure> {
        let (run, graph, frame, measured) = run::persist(executor, self)?;
        let schema = frame.schema()?;
        let persisted = Persisted { made_of: Some(frame), ..Persisted::new(schema, graph, run, measured) };
        Ok(DFrame::build(Arc::new(persisted), Vec::new(), origin))
    }

    #[cfg(feature = "cluster")]
    fn kept(&self) -> Option<&Run> {
        self.node().step.persisted().map(|persisted| &persisted.run)
    }

    #[cfg(feature = "cluster")]
    fn published(&self) -> Result<Published, Failure> {
        let measured = self.node().step.persisted().and_then(|persisted| persisted.measured);
        Ok(Published::Frame((*self.schema()?).clone(), measured.map(|size| (size.rows, size.bytes))))
    }

    #[cfg(feature = "cluster")]
    fn found(published: Published, graph: Graph, run: Run, origin: Origin) -> Result<DFrame, Failure> {
        match published {
            Published::Frame(schema, measured) => {
                let measured = measured.map(|(rows, bytes)| Size { rows, bytes });
                let persisted = Persisted::new(Arc::new(schema), graph, run, measured);
                Ok(DFrame::build(Arc::new(persisted), Vec::new(), origin))
            }
            Published::Array(_) | Published::Value => Err(published.is_not("a frame", &origin)),
        }
    }
}

/// Partitions that exist already, and the layers that would make them again if they were lost.
pub(crate) struct Persisted {
    schema: SchemaRef,
    layers: Vec<Arc<Layer>>,
    root: Option<LayerId>,
    partitions: u32,
    /// What the run measured of the partitions.
    measured: Option<Size>,
    /// That frame, for what its reader knows.
    made_of: Option<DFrame>,
    /// Keeps the partitions alive.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "it only keeps the partitions alive"))]
    run: Run,
}

impl Persisted {
    fn new(schema: SchemaRef, graph: Graph, run: Run, measured: Option<Size>) -> Self {
        let root = graph.wanted.first().map(|key| key.layer);
        let fixed = |layer: &Arc<Layer>| Arc::new(Layer { fixed: true, ..(**layer).clone() });
        let (layers, partitions) = (graph.layers.iter().map(fixed).collect(), graph.wanted.len() as u32);
        Self { schema, layers, root, partitions, measured, made_of: None, run }
    }

    /// How many rows there are, where they were counted.
    pub fn counted(&self) -> Option<u64> {
        self.measured.map(|size| size.rows)
    }

    /// The frame that was run, where it is known.
    pub fn made_of(&self) -> Option<&DFrame> {
        self.made_of.as_ref()
    }
}

impl Step for Persisted {
    fn line(&self) -> String {
        format!("persisted {} partitions", self.partitions)
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(self.schema.clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn persisted(&self) -> Option<&Persisted> {
        Some(self)
    }

    fn size(&self, _: &[Option<Size>], _: &Node) -> Option<Size> {
        self.measured.or_else(|| size_of(self.made_of.as_ref()?))
    }

    fn gives_any_rows(&self, _: bool) -> bool {
        self.measured.is_none() && self.made_of.as_ref().is_some_and(may_be_any)
    }

    fn rows(&self, _: &[Option<u64>]) -> Option<u64> {
        self.counted()
    }

    fn lower(&self, _: &[Lowered], _: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        self.layers.iter().for_each(|layer| lowering.graph.add_shared(layer.clone()));
        let layer = self.root.ok_or_else(|| Failure::internal("a persisted frame without partitions"))?;
        Ok(Lowered { layer, partitions: self.partitions })
    }
}
