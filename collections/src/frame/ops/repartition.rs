//! `repartition`: another number of partitions.

use std::sync::Arc;

use partita_graph::{Arg, Chunk, Edge, Failure, Layer, NamedOperator, OpRef, Operator, Table, TaskContext, Wiring};
use polars::prelude::{Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::frame::expr::Names;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::concat::Concat;
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{Admission, DFrame, Node, Step};

impl DFrame {
    /// The same rows in the same order, in `npartitions` partitions. Fewer: neighbours are joined. More: partitions are cut
    /// into pieces of about equal numbers of rows.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [1, 2, 3, 4])?, 4).repartition(2);
    /// assert_eq!((frame.npartitions()?, frame.compute()?), (2, df!("x" => [1, 2, 3, 4])?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: zero partitions.
    #[track_caller]
    pub fn repartition(&self, npartitions: usize) -> DFrame {
        if npartitions == 0 {
            let failure = Failure::new(partita_graph::Code::InvalidOption, "a frame has at least one partition, not 0");
            return DFrame::failed(failure, ".repartition(…)");
        }
        DFrame::then(Repartition { npartitions: npartitions as u32 }, vec![self.clone()], ".repartition(…)")
    }
}

struct Repartition {
    npartitions: u32,
}

impl Step for Repartition {
    fn line(&self) -> String {
        format!("repartition to {}", self.npartitions)
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(inputs[0].clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn minds_order(&self, _: usize, wanted: bool) -> bool {
        wanted
    }

    fn admit(&self, predicate: &polars::prelude::Expr, _: &Node) -> Admission {
        Admission::Through(predicate.clone())
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (from, to) = (inputs[0].partitions, self.npartitions);
        if from == to {
            return Ok(inputs[0]);
        }
        if to < from {
            let offsets: Arc<[u32]> = (0..=to).map(|i| (u64::from(from) * u64::from(i) / u64::from(to)) as u32).collect();
            let wiring = Wiring::Table(Table { offsets, indices: (0..from).collect() });
            let edges = vec![Edge { layer: inputs[0].layer, wiring }];
            return Ok(lowering.add(Layer::single("repartition", to, OpRef::new(Concat, self.line()), edges), node));
        }
        // Partition i of the input becomes the results of which i is the owner, each one piece of it.
        let owner = |j: u32| (u64::from(j) * u64::from(from) / u64::from(to)) as u32;
        let owners: Vec<u32> = (0..to).map(owner).collect();
        let piece = |j: u32| {
            let first = owners.partition_point(|o| *o < owners[j as usize]) as u32;
            let of = owners.partition_point(|o| *o <= owners[j as usize]) as u32 - first;
            Arg::encode(&Piece { number: j - first, of })
        };
        let wiring = Wiring::Table(Table { offsets: (0..=to).collect(), indices: owners.clone().into() });
        let edges = vec![Edge { layer: inputs[0].layer, wiring }];
        let args = (0..to).map(piece).collect();
        Ok(lowering.add(Layer::with_args("repartition", OpRef::new(SlicePiece, self.line()), args, edges), node))
    }
}

#[derive(Serialize, Deserialize)]
struct Piece {
    number: u32,
    of: u32,
}

/// One of several pieces of a partition, by rows.
#[derive(Serialize, Deserialize)]
pub(crate) struct SlicePiece;

impl Operator for SlicePiece {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let piece: Piece = ctx.arg()?.decode()?;
        let frame = frame_of(&inputs[0])?;
        let cut = |i: u32| frame.height() * i as usize / piece.of as usize;
        Ok(chunk_of(frame.slice(cut(piece.number) as i64, cut(piece.number + 1) - cut(piece.number))))
    }
}

impl NamedOperator for SlicePiece {
    const NAME: &'static str = "slice_piece";
}
