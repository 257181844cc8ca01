//! Borders: the rows that stand before and after a partition in its neighbours, however many neighbours that takes.
//!
//! Each partition hands its first or last rows out, one task goes through all of them in order, and gives each partition its own. It refuses
//! to know what the rows are for. Invariant: a partition gets as many rows as were asked for, unless the frame has no more.

use partita_graph::{Chunk, Edge, Failure, Layer, NamedOperator, OpRef, Operator, Parts, TaskContext, Wiring};
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};

use crate::frame::Node;
use crate::frame::compact::compact;
use crate::frame::expr::polars_failure;
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::value::{chunk_of, frame_of, joined};

/// How many rows before and after a row are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reach {
    pub before: u64,
    pub after: u64,
}

impl Reach {
    /// What covers both.
    pub fn or(self, other: Self) -> Self {
        Self { before: self.before.max(other.before), after: self.after.max(other.after) }
    }

    pub fn show(self) -> String {
        match (self.before, self.after) {
            (before, 0) => format!("{before} rows before"),
            (0, after) => format!("{after} rows after"),
            (before, after) => format!("{before} rows before, {after} after"),
        }
    }
}

/// The edges of a layer that reads each partition, and then the rows before it and the rows after it, as far as any are wanted.
pub(crate) fn with_neighbours(columns: &[String], reach: Reach, input: Lowered, node: &Node, lowering: &mut Lowering) -> Vec<Edge> {
    let mut edges = vec![input.edge(Wiring::Each)];
    for (rows, before) in [(reach.before, true), (reach.after, false)] {
        if rows == 0 {
            continue;
        }
        let (edge, border) = if before { ("last", "before") } else { ("first", "after") };
        let op = OpRef::new(EdgeRows { columns: columns.to_vec(), rows, last: before }, format!("{edge} {rows} rows"));
        let edge = lowering.add(Layer::single("edge", input.partitions, op, vec![input.edge(Wiring::Each)]), node);
        let op = OpRef::new(BorderRows { rows, before }, format!("{rows} rows {border} each partition"));
        let border = lowering.add(Layer::single("border", 1, op, vec![edge.edge(Wiring::Every)]), node);
        edges.push(border.edge(Wiring::Part));
    }
    edges
}

/// A partition between its neighbours' rows, as a task got them.
pub(crate) struct Between {
    pub frame: DataFrame,
    /// The rows before, the partition's own and those after, in the columns that were asked for.
    pub rows: DataFrame,
    /// How many of them are before.
    pub before: usize,
}

impl Between {
    /// Reads what [`with_neighbours`] wires up.
    pub fn read(inputs: &[Chunk], columns: &[String], before: bool, after: bool) -> Result<Self, Failure> {
        let (own, neighbours) = inputs.split_first().ok_or_else(|| Failure::internal("a partition without its rows"))?;
        if neighbours.len() != usize::from(before) + usize::from(after) {
            return Err(Failure::internal("a partition without the rows beside it"));
        }
        let frame = frame_of(own)?;
        let picked = frame.select(columns).map_err(|e| polars_failure(e, None))?;
        let mut neighbours = neighbours.iter().map(frame_of);
        let above = if before { neighbours.next().transpose()? } else { None };
        let below = if after { neighbours.next().transpose()? } else { None };
        let height = above.as_ref().map_or(0, DataFrame::height);
        let rows = match (above, below) {
            (None, None) => picked,
            (above, below) => joined(above.into_iter().chain([picked]).chain(below).collect())?,
        };
        Ok(Self { frame, rows, before: height })
    }

    /// What belongs to the partition's own rows of what was computed of all.
    pub fn own(&self, computed: &DataFrame) -> DataFrame {
        computed.slice(self.before as i64, self.frame.height())
    }
}

/// The first or last rows of a partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct EdgeRows {
    columns: Vec<String>,
    rows: u64,
    last: bool,
}

impl Operator for EdgeRows {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?.select(&self.columns).map_err(|e| polars_failure(e, None))?;
        compact(end_of(&frame, self.rows, self.last)).map(chunk_of)
    }
}

impl NamedOperator for EdgeRows {
    const NAME: &'static str = "edge_rows";
}

fn end_of(frame: &DataFrame, rows: u64, last: bool) -> DataFrame {
    let rows = Some(usize::try_from(rows).unwrap_or(usize::MAX));
    if last { frame.tail(rows) } else { frame.head(rows) }
}

/// Out of the first or last rows of all partitions, for each the rows after or before it: one part each.
#[derive(Serialize, Deserialize)]
pub(crate) struct BorderRows {
    rows: u64,
    before: bool,
}

impl BorderRows {
    fn borders(&self, edges: Vec<DataFrame>) -> Result<Vec<DataFrame>, Failure> {
        let count = edges.len();
        let in_order: Box<dyn Iterator<Item = DataFrame>> = match self.before {
            true => Box::new(edges.into_iter()),
            false => Box::new(edges.into_iter().rev()),
        };
        let mut borders = Vec::with_capacity(count);
        let mut carried: Option<DataFrame> = None;
        for edge in in_order {
            let border = carried.take().unwrap_or_else(|| edge.clear());
            let all = if edge.height() as u64 >= self.rows {
                edge
            } else if self.before {
                joined(vec![border.clone(), edge])?
            } else {
                joined(vec![edge, border.clone()])?
            };
            borders.push(border);
            carried = Some(end_of(&all, self.rows, self.before));
        }
        if !self.before {
            borders.reverse();
        }
        Ok(borders)
    }
}

impl Operator for BorderRows {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let edges = inputs.iter().map(frame_of).collect::<Result<Vec<_>, _>>()?;
        Ok(Chunk::new(Parts(self.borders(edges)?.into_iter().map(chunk_of).collect())))
    }
}

impl NamedOperator for BorderRows {
    const NAME: &'static str = "border_rows";
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::df;

    /// Rows 0, 1, 2, … in partitions of these heights: what stands before and after each.
    fn check(heights: &[i64], rows: u64, before: bool, expected: &[&[i64]]) {
        let mut first = 0;
        let edges = heights.iter().map(|height| {
            let frame = df!("x" => (first..first + height).collect::<Vec<i64>>()).expect("a column");
            first += height;
            end_of(&frame, rows, before)
        });
        let found = BorderRows { rows, before }.borders(edges.collect()).expect("frames of one schema");
        let found: Vec<Vec<i64>> =
            found.iter().map(|frame| frame.columns()[0].i64().expect("numbers").iter().flatten().collect()).collect();
        assert_eq!(found, expected, "{heights:?}, {rows} rows, before: {before}");
    }

    #[test]
    fn rows_come_from_as_many_neighbours_as_it_takes() {
        check(&[2, 3, 1], 2, true, &[&[], &[0, 1], &[3, 4]]);
        check(&[1, 1, 0, 2], 2, true, &[&[], &[0], &[0, 1], &[0, 1]]);
        check(&[0, 0, 1], 3, true, &[&[], &[], &[]]);
        check(&[2, 3, 1], 2, false, &[&[2, 3], &[5], &[]]);
        check(&[2, 0, 1, 4], 3, false, &[&[2, 3, 4], &[2, 3, 4], &[3, 4, 5], &[]]);
    }
}
