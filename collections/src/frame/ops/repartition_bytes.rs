//! `repartition_bytes`: partitions of about a size, by what is measured.
//!
//! It refuses to guess: the frame runs once, and rows and bytes of its partitions are counted. Invariant: the rows and their order stay.

use std::sync::Arc;

use partita_graph::{Arg, Chunk, Code, Edge, Executor, Failure, Layer, NamedOperator, OpRef, Operator, Table, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use crate::client::{Client, IntoBytes};
use crate::frame::expr::{Names, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::ops::partitions::Inside;
use crate::frame::replan::Change;
use crate::frame::size::Size;
use crate::frame::value::{chunk_of, frame_of, joined};
use crate::frame::{DFrame, Node, Step};

const METHOD: &str = ".repartition_bytes(…)";

impl DFrame {
    /// The same rows in the same order in partitions of about so many bytes in memory: a number, or text such as `"64MB"`. Neighbours are
    /// joined as long as they fit together, and larger partitions are cut; partitions without rows go. To cut into a number of partitions:
    /// [`DFrame::repartition`].
    ///
    /// The frame runs once to be measured, and again when the result is computed: [`DFrame::persist`] it first if that is expensive. What was
    /// measured also serves later joins and shuffles, which decide by bytes.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let table = df!("x" => (0..1000i64).collect::<Vec<_>>())?;
    /// let uneven = DFrame::from_polars(table.clone(), 100).filter(col("x").gt_eq(lit(500)));
    /// let even = uneven.repartition_bytes("2kB")?;
    /// assert_eq!((uneven.npartitions()?, even.npartitions()?), (100, 2));
    /// assert_eq!(even.compute()?, uneven.compute()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DFrame::compute`]; a text that is no size, a size of 0.
    #[track_caller]
    pub fn repartition_bytes(&self, target: impl IntoBytes) -> Result<DFrame, Failure> {
        self.repartition_bytes_on(&Client::current()?, target)
    }

    /// The same on any executor.
    ///
    /// # Errors
    /// As [`DFrame::repartition_bytes`].
    #[track_caller]
    pub fn repartition_bytes_on(&self, executor: &dyn Executor, target: impl IntoBytes) -> Result<DFrame, Failure> {
        let no_size = |text: &str| {
            let failure = Failure::new(Code::InvalidOption, format!("{text:?} is no size of a partition"));
            failure.help("write \"64MB\", \"1GiB\" or a number of bytes that is not 0")
        };
        let target = target.into_bytes().map_err(|text| no_size(&text))?;
        if target == 0 {
            return Err(no_size("0"));
        }
        let (planned, partitions) = self.planned()?;
        let told = DFrame::then(Measure, vec![planned.clone()], METHOD).compute_on(executor)?.frame;
        let measured = heights_and_bytes(&told)?;
        let size = Size::of_parts(&measured);
        let (inputs, inside) = Inside::of(planned);
        let step = ByBytes { pieces: cut(&measured, target), size, target, partitions, inside };
        if measured.len() != partitions as usize {
            return Err(step.changed(measured.len()));
        }
        Ok(DFrame::then(step, inputs, METHOD))
    }
}

/// What was measured of each partition: its rows and bytes.
pub(crate) fn heights_and_bytes(told: &DataFrame) -> Result<Vec<(u64, u64)>, Failure> {
    let numbers = |name: &str| -> Result<Vec<u64>, Failure> {
        let column = told.column(name).and_then(|column| column.u64().cloned()).map_err(|e| polars_failure(e, None))?;
        Ok(column.iter().flatten().collect())
    };
    Ok(numbers("rows")?.into_iter().zip(numbers("bytes")?).collect())
}

/// Rows of one partition, from one on and up to another.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    partition: u32,
    from: u64,
    to: u64,
}

/// What each partition of the result is made of.
fn cut(measured: &[(u64, u64)], target: u64) -> Vec<Vec<Stretch>> {
    let (mut pieces, mut filled): (Vec<Vec<Stretch>>, u64) = (Vec::new(), 0);
    for (partition, (rows, bytes)) in (0u32..).zip(measured) {
        let count = bytes.div_ceil(target).clamp(1, (*rows).max(1));
        let at = |number: u64| (u128::from(*rows) * u128::from(number) / u128::from(count)) as u64;
        let stretches = (0..count).map(|number| Stretch { partition, from: at(number), to: at(number + 1) });
        for stretch in stretches.filter(|stretch| stretch.from < stretch.to) {
            let bytes = bytes.div_ceil(count);
            match pieces.last_mut() {
                Some(last) if filled.saturating_add(bytes) <= target => {
                    last.push(stretch);
                    filled += bytes;
                }
                _ => {
                    pieces.push(vec![stretch]);
                    filled = bytes;
                }
            }
        }
    }
    if pieces.is_empty() && !measured.is_empty() {
        // A frame without rows is one partition without rows.
        pieces.push(vec![Stretch { partition: 0, from: 0, to: 0 }]);
    }
    pieces
}

/// A row for each partition: how many rows and bytes it has.
struct Measure;

impl Step for Measure {
    fn line(&self) -> String {
        "rows and bytes of each partition".into()
    }

    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(Arc::new(["rows", "bytes"].into_iter().map(|name| (PlSmallStr::from(name), DataType::UInt64)).collect()))
    }

    fn needs(&self, _: &Names, input: &Schema) -> Names {
        input.iter_names().cloned().collect()
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(MeasureRows, self.line());
        Ok(lowering.add(Layer::single("measure", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node))
    }
}

/// Counts the rows and bytes of a partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct MeasureRows;

impl Operator for MeasureRows {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let told = df!("rows" => [frame.height() as u64], "bytes" => [frame.estimated_size() as u64]);
        told.map(chunk_of).map_err(|e| polars_failure(e, None))
    }
}

impl NamedOperator for MeasureRows {
    const NAME: &'static str = "measure_rows";
}

#[derive(Clone)]
struct ByBytes {
    pieces: Vec<Vec<Stretch>>,
    /// Of all rows, measured.
    size: Size,
    target: u64,
    /// Of the frame when it was measured.
    partitions: u32,
    inside: Inside,
}

impl ByBytes {
    fn changed(&self, now: usize) -> Failure {
        let what = format!("{METHOD} was planned for {} partitions, and the files were cut again, into {now}", self.partitions);
        Failure::new(Code::InvalidOption, what).help("keep the partitions as they are: .persist() before it")
    }
}

impl Step for ByBytes {
    fn line(&self) -> String {
        format!("repartition to {} of about {}", self.pieces.len(), bytesize::ByteSize(self.target))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        self.inside.schema(inputs)
    }

    fn replan(&self, source: u64, change: &Change) -> Option<Arc<dyn Step>> {
        let inside = self.inside.replan(source, change)?;
        Some(Arc::new(Self { inside, ..self.clone() }))
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn minds_order(&self, _: usize, _: bool) -> bool {
        true
    }

    fn size(&self, _: &[Option<Size>], _: &Node) -> Option<Size> {
        Some(self.size)
    }

    /// They were counted.
    fn gives_any_rows(&self, _: bool) -> bool {
        false
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = self.inside.lowered(inputs, lowering)?;
        if input.partitions != self.partitions {
            return Err(self.changed(input.partitions as usize));
        }
        let mut offsets = vec![0u32];
        for piece in &self.pieces {
            offsets.push(offsets[offsets.len() - 1] + piece.len() as u32);
        }
        let indices = self.pieces.iter().flatten().map(|stretch| stretch.partition).collect();
        let edges = vec![Edge { layer: input.layer, wiring: Wiring::Table(Table { offsets: offsets.into(), indices }) }];
        let arg = |piece: &Vec<Stretch>| Arg::encode(&piece.iter().map(|stretch| (stretch.from, stretch.to)).collect::<Vec<_>>());
        let args = self.pieces.iter().map(arg).collect();
        Ok(lowering.add(Layer::with_args("repartition", OpRef::new(TakeStretches, self.line()), args, edges), node))
    }
}

/// Some rows of each of its inputs, one below the other.
#[derive(Serialize, Deserialize)]
pub(crate) struct TakeStretches;

impl Operator for TakeStretches {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let stretches: Vec<(u64, u64)> = ctx.arg()?.decode()?;
        let take = |(chunk, (from, to)): (&Chunk, &(u64, u64))| Ok(frame_of(chunk)?.slice(*from as i64, (to - from) as usize));
        let taken = inputs.iter().zip(&stretches).map(take).collect::<Result<Vec<_>, Failure>>()?;
        joined(taken).map(chunk_of)
    }
}

impl NamedOperator for TakeStretches {
    const NAME: &'static str = "take_stretches";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_joined_and_large_ones_cut() {
        let of = |measured: &[(u64, u64)]| -> Vec<Vec<(u32, u64, u64)>> {
            let shown = |piece: Vec<Stretch>| piece.into_iter().map(|s| (s.partition, s.from, s.to)).collect();
            cut(measured, 100).into_iter().map(shown).collect()
        };
        assert_eq!(of(&[(4, 40), (5, 50), (2, 20)]), [vec![(0, 0, 4), (1, 0, 5)], vec![(2, 0, 2)]]);
        assert_eq!(of(&[(10, 250), (0, 0), (1, 10)]), [vec![(0, 0, 3)], vec![(0, 3, 6)], vec![(0, 6, 10), (2, 0, 1)]]);
        // A row is never cut.
        assert_eq!(of(&[(1, 900)]), [[(0, 0, 1)]]);
        assert_eq!(of(&[(0, 0), (0, 0)]), [[(0, 0, 0)]]);
    }
}
