//! Between frames and delayed values: partitions as delayed values, and delayed values as partitions.
//!
//! It refuses to copy rows: both ways hand on the same chunks.

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_graph::{Chunk, Code, Failure, Key, Layer, NamedOperator, OpRef, Operator, Origin, TaskContext};
use polars::prelude::{DataFrame, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::Delayed;
use super::node::{Lowerer, Node as Call, What, check_edges, one_each};
use crate::frame::expr::Names;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::size::{Size, size_of};
use crate::frame::value::frame_of;
use crate::frame::{DFrame, Node, Step};

impl DFrame {
    /// The partitions as delayed polars frames, one for each.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3])?, 3);
    /// let parts = frame.to_delayed()?;
    /// assert_eq!(parts[2].compute()?, df!("x" => [3])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A step that does not fit.
    #[track_caller]
    pub fn to_delayed(&self) -> Result<Vec<Delayed<DataFrame>>, Failure> {
        let origin = Origin::here(".to_delayed()");
        let count = self.npartitions()? as u32;
        Ok((0..count).map(|index| Delayed::of(Call::new(What::Partition(self.clone(), index), origin.clone()))).collect())
    }

    /// A frame whose partitions are these delayed polars frames, all of this schema.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::{delayed, task};
    ///
    /// #[task]
    /// fn numbers(first: i64) -> DataFrame {
    ///     df!("x" => [first, first + 1]).expect("columns of one length")
    /// }
    ///
    /// let parts = vec![delayed(numbers)(1), delayed(numbers)(10)];
    /// let schema = Schema::from_iter([("x".into(), DataType::Int64)]);
    /// assert_eq!(DFrame::from_delayed(parts, schema).sum().compute()?, df!("x" => [24i64])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a partition has another schema than announced (E0113).
    #[track_caller]
    pub fn from_delayed(parts: Vec<Delayed<DataFrame>>, schema: impl Into<SchemaRef>) -> DFrame {
        let nodes = parts.into_iter().map(|part| part.node).collect();
        DFrame::then(FromDelayed { nodes, schema: schema.into() }, Vec::new(), "from_delayed(…)")
    }
}

#[derive(Clone)]
struct FromDelayed {
    nodes: Vec<Arc<Call>>,
    schema: SchemaRef,
}

impl Step for FromDelayed {
    fn line(&self) -> String {
        format!("from_delayed {} partitions", self.nodes.len())
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(self.schema.clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    /// Partitions of frames have their share of what is known of these, and results that are kept were measured. What calls will give nobody
    /// knows.
    fn size(&self, _: &[Option<Size>], _: &Node) -> Option<Size> {
        let mut all = Size { rows: 0, bytes: 0 };
        let mut frames: BTreeMap<usize, (&DFrame, u64)> = BTreeMap::new();
        for call in &self.nodes {
            match &call.what {
                What::Partition(frame, _) => frames.entry(frame.address()).or_insert((frame, 0)).1 += 1,
                other => all = all.and(other.measured()?),
            }
        }
        for (frame, taken) in frames.into_values() {
            let (whole, partitions) = (size_of(frame)?, frame.npartitions().ok()?.max(1) as u64);
            all = all.and(whole.with_rows(whole.rows.saturating_mul(taken) / partitions));
        }
        Some(all)
    }

    fn lower(&self, _: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let mut calls = Lowerer::within(lowering.budget);
        let keys = self.nodes.iter().map(|call| calls.node(call)).collect::<Result<Vec<Key>, _>>()?;
        calls.lowering.graph.layers.iter().for_each(|layer| lowering.graph.add_shared(layer.clone()));
        let op = OpRef::new(Announced { schema: (*self.schema).clone() }, "from_delayed");
        let edges = one_each(&keys, &lowering.graph);
        check_edges(edges.len(), Some(&node.origin))?;
        Ok(lowering.add(Layer::single("from_delayed", keys.len() as u32, op, edges), node))
    }
}

/// Hands on a partition that has the announced schema.
#[derive(Serialize, Deserialize)]
pub(crate) struct Announced {
    pub schema: Schema,
}

impl Operator for Announced {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let chunk = inputs.first().ok_or_else(|| Failure::internal("from_delayed: a partition without its value"))?;
        let frame = frame_of(chunk)?;
        check_announced(&frame, &self.schema, "a delayed partition has another schema than was announced")?;
        Ok(chunk.clone())
    }
}

/// Fails with `what` unless a frame has this schema: another one would make every step after it wrong.
pub(crate) fn check_announced(frame: &DataFrame, schema: &Schema, what: &str) -> Result<(), Failure> {
    if **frame.schema() == *schema {
        return Ok(());
    }
    Err(Failure::new(Code::SchemaMismatch, what)
        .detail("announced", format!("{schema:?}"))
        .detail("found", format!("{:?}", frame.schema())))
}

impl NamedOperator for Announced {
    const NAME: &'static str = "from_delayed";
}
