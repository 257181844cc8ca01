//! `partitions`: some partitions of a frame, by number.

use std::sync::Arc;

use partita_graph::{Chunk, Edge, Failure, Layer, NamedOperator, OpRef, Operator, Table, TaskContext, Wiring};
use polars::prelude::{DataFrame, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::frame::expr::Names;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::rewrite::rewrite;
use crate::frame::size::Size;
use crate::frame::{DFrame, Node, Step};

impl DFrame {
    /// The partitions of these numbers, from 0, in this order. Only they are computed.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3, 4])?, 4);
    /// assert_eq!(frame.partitions([3, 0]).compute()?, df!("x" => [4, 1])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: a number that is too large.
    #[doc(alias = "get_partition")]
    #[track_caller]
    pub fn partitions(&self, indices: impl IntoIterator<Item = usize>) -> DFrame {
        let indices: Vec<u32> = indices.into_iter().map(|index| index as u32).collect();
        match self.planned() {
            Ok((_, n)) if indices.iter().any(|index| *index >= n) => {
                let what = format!("the frame has {n} partitions, numbered from 0; asked for {indices:?}");
                DFrame::failed(Failure::new(partita_graph::Code::InvalidOption, what), ".partitions(…)")
            }
            Ok((planned, _)) => DFrame::then(Partitions { indices }, vec![planned], ".partitions(…)"),
            Err(_) => DFrame::then(Partitions { indices }, vec![self.clone()], ".partitions(…)"),
        }
    }

    /// The frame as it is planned by itself, and its partitions. The numbers are those of this plan: beside other readers of the same work the
    /// frame could be planned otherwise, and its partitions be others.
    pub(crate) fn planned(&self) -> Result<(DFrame, u32), Failure> {
        self.resolved()?;
        let planned = rewrite(self)?;
        let partitions = Lowering::default().frame(&planned)?.partitions;
        Ok((planned, partitions))
    }
}

struct Partitions {
    indices: Vec<u32>,
}

impl Step for Partitions {
    fn line(&self) -> String {
        format!("partitions {:?}", self.indices)
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(inputs[0].clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn size(&self, _: &[Option<Size>], _: &Node) -> Option<Size> {
        // How many partitions there are is known to the lowering only; some of them are a part of the frame, and which is not known here.
        None
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        if self.indices.is_empty() {
            let schema = node.schema.clone()?;
            let none = (crate::frame::ops::token(), DataFrame::empty_with_schema(&schema));
            return Ok(lowering.add(crate::frame::ops::from_polars::layer(&[none]), node));
        }
        if let Some(beyond) = self.indices.iter().find(|index| **index >= inputs[0].partitions) {
            // Cutting files again may give fewer partitions than there were when the numbers were chosen.
            let what = format!("the frame has {} partitions now, numbered from 0; partition {beyond} was asked for", inputs[0].partitions);
            return Err(Failure::new(partita_graph::Code::InvalidOption, what));
        }
        let offsets: Arc<[u32]> = (0..=self.indices.len() as u32).collect();
        let wiring = Wiring::Table(Table { offsets, indices: self.indices.clone().into() });
        let edges = vec![Edge { layer: inputs[0].layer, wiring }];
        Ok(lowering.add(Layer::single("partitions", self.indices.len() as u32, OpRef::new(Pass, self.line()), edges), node))
    }
}

/// Hands its only input on.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pass;

impl Operator for Pass {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        inputs.first().cloned().ok_or_else(|| Failure::internal("pass: no input"))
    }
}

impl NamedOperator for Pass {
    const NAME: &'static str = "pass";
}
