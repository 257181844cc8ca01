//! `partitions`: some partitions of a frame, by number.

use std::sync::Arc;

use partita_graph::{Chunk, Edge, Failure, Layer, NamedOperator, OpRef, Operator, Table, TaskContext, Wiring};
use polars::prelude::{DataFrame, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::frame::expr::Names;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::replan::{Advice, Change};
use crate::frame::rewrite::{in_order, rewrite};
use crate::frame::size::Size;
use crate::frame::{DFrame, Node, Step};

impl DFrame {
    /// The partitions of these numbers, from 0, in this order. Only they are computed.
    ///
    /// CSV files without line ends inside quotes in any sample are cut at line ends on trust, and whether a cut was right is seen by reading
    /// on from the partition before it. A partition whose predecessor is not among the numbers looks itself: its file is gone through from
    /// the start to where the partition begins, which is several times faster than reading but takes its time in a large file far away. Say
    /// that quotes mean nothing where that is so, and it is not done: `CsvOptions::new().quote(None)`.
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
        self.partitions_after(indices, false)
    }

    /// The same. `known` says that the partition before the first one was read, so that the first one begins where it should.
    #[track_caller]
    pub(crate) fn partitions_after(&self, indices: impl IntoIterator<Item = usize>, known: bool) -> DFrame {
        let indices: Vec<u32> = indices.into_iter().map(|index| index as u32).collect();
        match self.planned() {
            Ok((_, n)) if indices.iter().any(|index| *index >= n) => {
                let what = format!("the frame has {n} partitions, numbered from 0; asked for {indices:?}");
                DFrame::failed(Failure::new(partita_graph::Code::InvalidOption, what), ".partitions(…)")
            }
            Ok((planned, n)) => {
                let mut wanted = indices.clone();
                wanted.sort_unstable();
                wanted.dedup();
                let checked = if known { Ok(planned) } else { looking(&planned, &wanted, n, &mut Lowering::default()) };
                let (inputs, inside) = match checked {
                    Ok(planned) => Inside::of(planned),
                    Err(failure) => return DFrame::failed(failure, ".partitions(…)"),
                };
                DFrame::then(Partitions { indices, inside }, inputs, ".partitions(…)")
            }
            Err(_) => DFrame::then(Partitions { indices, inside: Inside::default() }, vec![self.clone()], ".partitions(…)"),
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

/// A planned frame whose readers of CSV files look whether blocks begin where they should, where of `all` partitions only the wanted ones are
/// read. A step that reads whole inputs has other numbers of partitions than they, or looks in vain.
fn looking(frame: &DFrame, wanted: &[u32], all: u32, lowering: &mut Lowering) -> Result<DFrame, Failure> {
    let node = frame.node();
    if let Some(reader) = node.step.reader() {
        let alone = if reader.npartitions() == all { reader.alone(wanted) } else { None };
        return Ok(alone.map_or_else(|| frame.clone(), |alone| frame.rebuilt(Arc::new(alone), Vec::new())));
    }
    let counts = node.inputs.iter().map(|input| Ok(lowering.frame(input)?.partitions)).collect::<Result<Vec<u32>, Failure>>()?;
    // One below the other, or side by side.
    let stacked = node.inputs.len() > 1 && node.step.is_row_by_row();
    let mut first = 0;
    let mut changed = false;
    let mut inputs = Vec::with_capacity(counts.len());
    for (input, count) in node.inputs.iter().zip(counts) {
        let looks = match stacked {
            true => {
                let own: Vec<u32> = wanted.iter().filter(|at| (first..first + count).contains(*at)).map(|at| at - first).collect();
                looking(input, &own, count, lowering)?
            }
            false if count == all => looking(input, wanted, all, lowering)?,
            false => input.clone(),
        };
        first += count;
        changed |= looks.address() != input.address();
        inputs.push(looks);
    }
    Ok(if changed { frame.rebuilt(node.step.clone(), inputs) } else { frame.clone() })
}

/// A planned frame whose partitions were counted, where it must stay as it was planned. Joins, sorts and groups are laid out by bytes, and
/// those are others where fewer columns are wanted or others read the same frames: the same numbers would then be other rows. So such a
/// frame is no input that is planned again with what stands above it, but a part of the step.
#[derive(Clone, Default)]
pub(crate) struct Inside(Option<DFrame>);

impl Inside {
    /// The frame as an input, if it is made of readers and of what is made of each row, whose partitions stay whatever is wanted of them;
    /// else inside.
    pub fn of(planned: DFrame) -> (Vec<DFrame>, Self) {
        let stays = in_order(&planned).iter().all(|frame| {
            let node = frame.node();
            node.inputs.is_empty() || node.step.is_row_by_row() || node.step.predicate().is_some()
        });
        if stays { (vec![planned], Self(None)) } else { (Vec::new(), Self(Some(planned))) }
    }

    /// Whether the frame is an input.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    pub fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        match &self.0 {
            Some(planned) => planned.resolved().cloned(),
            None => Ok(inputs[0].clone()),
        }
    }

    pub fn lowered(&self, inputs: &[Lowered], lowering: &mut Lowering) -> Result<Lowered, Failure> {
        match &self.0 {
            Some(planned) => lowering.frame_of_ours(planned.clone()),
            None => Ok(inputs[0]),
        }
    }

    /// Planned otherwise, if the advice is for a reader in it.
    pub fn replan(&self, source: u64, change: &Change) -> Option<Self> {
        let advice = Advice { source, change: change.clone() };
        Some(Self(Some(self.0.as_ref()?.replan(&advice)?)))
    }
}

struct Partitions {
    indices: Vec<u32>,
    inside: Inside,
}

impl Step for Partitions {
    fn line(&self) -> String {
        format!("partitions {:?}", self.indices)
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        self.inside.schema(inputs)
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn replan(&self, source: u64, change: &Change) -> Option<Arc<dyn Step>> {
        let inside = self.inside.replan(source, change)?;
        Some(Arc::new(Self { indices: self.indices.clone(), inside }))
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
        let input = self.inside.lowered(inputs, lowering)?;
        if let Some(beyond) = self.indices.iter().find(|index| **index >= input.partitions) {
            // Cutting files again may give fewer partitions than there were when the numbers were chosen.
            let what = format!("the frame has {} partitions now, numbered from 0; partition {beyond} was asked for", input.partitions);
            return Err(Failure::new(partita_graph::Code::InvalidOption, what));
        }
        let offsets: Arc<[u32]> = (0..=self.indices.len() as u32).collect();
        let wiring = Wiring::Table(Table { offsets, indices: self.indices.clone().into() });
        let edges = vec![Edge { layer: input.layer, wiring }];
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
