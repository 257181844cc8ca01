//! `slice`: rows by their numbers, through all partitions.

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use polars::prelude::{Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::frame::compact::compact;
use crate::frame::expr::Names;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::size::Size;
use crate::frame::value::{chunk_of, fact_chunk, fact_of, frame_of};
use crate::frame::{DFrame, Node, Step};

impl DFrame {
    /// `length` rows from row `offset` on, counted from 0 through all partitions; a negative offset counts from the end. Partitions stay,
    /// some without rows. To see the first or last rows, [`DFrame::head`] and [`DFrame::tail`] do less.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [0, 1, 2, 3, 4])?, 3);
    /// assert_eq!(frame.slice(1, 3).compute()?, df!("x" => [1, 2, 3])?);
    /// assert_eq!(frame.slice(-2, 1).compute()?, df!("x" => [3])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn slice(&self, offset: i64, length: usize) -> DFrame {
        DFrame::then(Slice { offset, length: length as u64 }, vec![self.clone()], ".slice(…)")
    }

    /// The first `rows` rows, as a frame; for a look at them now, [`DFrame::head`] does less. Readers stop as soon as they have so many rows
    /// of a partition; of Parquet, whose footers say how many rows there are, what comes after enough rows is not read at all.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let frame = DFrame::from_polars(df!("x" => [0, 1, 2, 3, 4])?, 3);
    /// assert_eq!(frame.limit(2).sum().compute()?, df!("x" => [1])?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn limit(&self, rows: usize) -> DFrame {
        DFrame::then(Slice { offset: 0, length: rows as u64 }, vec![self.clone()], ".limit(…)")
    }
}

struct Slice {
    offset: i64,
    length: u64,
}

impl Step for Slice {
    fn line(&self) -> String {
        format!("slice {} rows from {}", self.length, self.offset)
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(inputs[0].clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn first_rows(&self) -> Option<u64> {
        u64::try_from(self.offset).ok().map(|offset| offset.saturating_add(self.length))
    }

    fn first_of_all(&self) -> bool {
        true
    }

    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        match inputs[0] {
            Some(size) => Some(size.with_rows(size.rows.min(self.length))),
            None => Some(Size::of_rows(self.length, node.schema.as_ref().ok()?)),
        }
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let input = inputs[0];
        let counts = Layer::single("rows", input.partitions, OpRef::new(CountRows, "count rows"), vec![input.edge(Wiring::Each)]);
        let counts = lowering.add(counts, node);
        let heights = Layer::single("heights", 1, OpRef::new(Heights, "rows of all partitions"), vec![counts.edge(Wiring::Every)]);
        let heights = lowering.add(heights, node);
        let op = OpRef::new(SliceRows { offset: self.offset, length: self.length }, self.line());
        let edges = vec![input.edge(Wiring::Each), heights.edge(Wiring::Every)];
        Ok(lowering.add(Layer::single("slice", input.partitions, op, edges), node))
    }
}

/// No more than the first rows of each partition: what a slice from the first row on can need of it.
pub(crate) struct FirstOfEach {
    pub rows: u64,
}

impl Step for FirstOfEach {
    fn line(&self) -> String {
        format!("at most {} rows of each partition", self.rows)
    }

    fn first_rows(&self) -> Option<u64> {
        Some(self.rows)
    }

    fn size(&self, inputs: &[Option<Size>], node: &Node) -> Option<Size> {
        // How many partitions there are is known to the lowering only; of one there are no more.
        let most = Size::of_rows(self.rows, node.schema.as_ref().ok()?);
        Some(inputs[0].filter(|size| size.rows < most.rows).unwrap_or(most))
    }

    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef, Failure> {
        Ok(inputs[0].clone())
    }

    fn needs(&self, wanted: &Names, _: &Schema) -> Names {
        wanted.clone()
    }

    fn lower(&self, inputs: &[Lowered], node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(HeadRows { rows: self.rows }, self.line());
        Ok(lowering.add(Layer::single("limit", inputs[0].partitions, op, vec![inputs[0].edge(Wiring::Each)]), node))
    }
}

/// The first rows of a partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct HeadRows {
    rows: u64,
}

impl Operator for HeadRows {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        compact(frame_of(&inputs[0])?.head(Some(rows))).map(chunk_of)
    }
}

impl NamedOperator for HeadRows {
    const NAME: &'static str = "head_rows";
}

/// The number of rows of a partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct CountRows;

impl Operator for CountRows {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        Ok(fact_chunk(&(frame_of(&inputs[0])?.height() as u64)))
    }
}

impl NamedOperator for CountRows {
    const NAME: &'static str = "count_rows";
}

/// The numbers of rows of all partitions, in order.
#[derive(Serialize, Deserialize)]
pub(crate) struct Heights;

impl Operator for Heights {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        Ok(fact_chunk(&inputs.iter().map(fact_of::<u64>).collect::<Result<Vec<_>, _>>()?))
    }
}

impl NamedOperator for Heights {
    const NAME: &'static str = "heights";
}

/// The rows of a partition that lie within a slice of all rows.
#[derive(Serialize, Deserialize)]
pub(crate) struct SliceRows {
    offset: i64,
    length: u64,
}

impl SliceRows {
    /// Offset and length within partition `at`.
    fn within(&self, at: usize, heights: &[u64]) -> (u64, u64) {
        let all: u64 = heights.iter().sum();
        let start = i128::from(self.offset) + if self.offset < 0 { i128::from(all) } else { 0 };
        let before: u64 = heights[..at].iter().sum();
        // Where the slice begins and ends, seen from the partition's first row.
        let inside = |row: i128| (row - i128::from(before)).clamp(0, i128::from(heights[at])) as u64;
        let (start, end) = (inside(start), inside(start + i128::from(self.length)));
        (start, end - start)
    }
}

impl Operator for SliceRows {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let rows = frame_of(&inputs[0])?;
        let heights: Vec<u64> = fact_of(inputs.get(1).ok_or_else(|| Failure::internal("a slice without the numbers of rows"))?)?;
        let (start, length) = self.within(ctx.key.index as usize, &heights);
        compact(rows.slice(start as i64, length as usize)).map(chunk_of)
    }
}

impl NamedOperator for SliceRows {
    const NAME: &'static str = "slice_rows";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_as_polars_has_them() {
        let heights = [2u64, 0, 3];
        for offset in -8..8i64 {
            for length in 0..8u64 {
                let numbers = polars::prelude::Column::new("x".into(), (0..5i64).collect::<Vec<_>>()).slice(offset, length as usize);
                let expected: Vec<i64> = numbers.i64().expect("numbers").iter().flatten().collect();
                let slice = SliceRows { offset, length };
                let mut found = Vec::new();
                for (at, first) in [(0, 0), (1, 2), (2, 2)] {
                    let (start, length) = slice.within(at, &heights);
                    found.extend((first + start as i64)..(first + (start + length) as i64));
                }
                assert_eq!(found, expected, "{offset}, {length}");
            }
        }
    }
}
