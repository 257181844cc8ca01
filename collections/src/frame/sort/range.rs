//! Ranges: which partition of a sorted frame a row belongs to. Samples of all partitions give borders, and rows are split by them.
//!
//! It refuses to know what is done with a range. Invariant: a row goes to a later range than another only if it comes later in the order,
//! so that ranges one after the other are sorted when each is.

use std::cmp::Ordering;

use partita_graph::{Chunk, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::order::{By, Order, prefix};
use crate::frame::expr::{columns_of_all, expr_op, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::shuffle::split::scatter;
use crate::frame::value::{fact_chunk, fact_of, frame_of};
use crate::frame::{Node, ops};

/// Rows that are looked at in each partition: ranges then differ by some percent in size.
const SAMPLES: usize = 1024;

/// A row in the order of all rows: by its key, equal keys by where they stand.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
struct Place {
    key: Vec<u8>,
    partition: u32,
    row: u32,
}

/// What one partition tells of its rows.
#[derive(Serialize, Deserialize)]
struct Sampled {
    places: Vec<Place>,
    /// All its rows.
    rows: u64,
}

/// Looks at some rows of a partition.
#[derive(Serialize, Deserialize)]
pub(crate) struct SampleKeys {
    by: By,
}

impl Operator for SampleKeys {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let rows = positions(frame.height(), SAMPLES);
        let keys = frame.select(columns_of_all(&self.by.keys)).and_then(|keys| keys.take(&IdxCa::from_slice(PlSmallStr::EMPTY, &rows)));
        let order = self.by.order(&keys.map_err(|e| polars_failure(e, None))?)?;
        let place = |(at, row): (usize, &IdxSize)| Place { key: order.row(at).to_vec(), partition: ctx.key.index, row: *row };
        Ok(fact_chunk(&Sampled { places: rows.iter().enumerate().map(place).collect(), rows: frame.height() as u64 }))
    }
}

impl NamedOperator for SampleKeys {
    const NAME: &'static str = "sort_sample";
}

/// Rows to look at: one of each of `most` stretches, not always the first, because data may have a rhythm. The same for the same numbers.
pub(crate) fn positions(rows: usize, most: usize) -> Vec<IdxSize> {
    if rows <= most {
        return (0..rows as IdxSize).collect();
    }
    let start = |stretch: usize| rows * stretch / most;
    let one = |stretch: usize| {
        let length = start(stretch + 1) - start(stretch);
        (start(stretch) + (xxh3_64(&stretch.to_le_bytes()) % length as u64) as usize) as IdxSize
    };
    (0..most).map(one).collect()
}

/// Makes borders between ranges of about equal numbers of rows out of all samples.
#[derive(Serialize, Deserialize)]
pub(crate) struct FindBorders {
    parts: u32,
}

impl Operator for FindBorders {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let mut weighed = Vec::new();
        for chunk in inputs {
            let Sampled { places, rows } = fact_of(chunk)?;
            let weight = rows as f64 / places.len().max(1) as f64;
            weighed.extend(places.into_iter().map(|place| (place, weight)));
        }
        Ok(fact_chunk(&borders(weighed, self.parts)))
    }
}

impl NamedOperator for FindBorders {
    const NAME: &'static str = "sort_borders";
}

/// The first places of all ranges but the first. A key that many rows have takes several ranges, which its rows share in their order.
fn borders(mut weighed: Vec<(Place, f64)>, parts: u32) -> Vec<Place> {
    weighed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let all: f64 = weighed.iter().map(|(_, weight)| weight).sum();
    let mut borders: Vec<Place> = Vec::new();
    let mut before = 0.0;
    for (place, weight) in weighed {
        while borders.len() + 1 < parts as usize && before >= all * (borders.len() + 1) as f64 / f64::from(parts) {
            borders.push(place.clone());
        }
        before += weight;
    }
    borders
}

/// Splits a partition into ranges.
#[derive(Serialize, Deserialize)]
pub(crate) struct RangeSplit {
    by: By,
    parts: u32,
    /// Whether rows of one key may share several ranges, by where they stand. If not, all of them are in one.
    share: bool,
}

impl RangeSplit {
    /// Whether the row is in a range after this border.
    fn is_past(&self, border: &Place, border_prefix: u128, order: &Order, partition: u32, row: usize) -> bool {
        match order.compare(row, (border_prefix, &border.key)) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => !self.share || (border.partition, border.row) <= (partition, row as u32),
        }
    }
}

impl Operator for RangeSplit {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let borders: Vec<Place> = fact_of(inputs.get(1).ok_or_else(|| Failure::internal("ranges without borders"))?)?;
        let borders: Vec<(u128, Place)> = borders.into_iter().map(|border| (prefix(&border.key), border)).collect();
        let order = self.by.order(&frame)?;
        let range = |row: usize| borders.partition_point(|(prefix, border)| self.is_past(border, *prefix, &order, ctx.key.index, row));
        scatter(&frame, self.parts, (0..frame.height()).map(range))
    }
}

impl NamedOperator for RangeSplit {
    const NAME: &'static str = "sort_split";
}

/// The layers that find borders for `parts` ranges of the rows of `input`.
pub(crate) fn find_borders(by: &By, parts: u32, input: Lowered, node: &Node, lowering: &mut Lowering) -> Lowered {
    let op = expr_op(SampleKeys { by: by.clone() }, format!("sample {}", by.show()), ops::token());
    let samples = lowering.add(Layer::single("sample", input.partitions, op, vec![input.edge(Wiring::Each)]), node);
    let op = OpRef::new(FindBorders { parts }, format!("borders of {parts} ranges"));
    lowering.add(Layer::single("borders", 1, op, vec![samples.edge(Wiring::Every)]), node)
}

/// The layer that splits the rows of `input` by these borders; readers take ranges up with [`Wiring::Part`].
pub(crate) fn split(
    by: &By,
    parts: u32,
    share: bool,
    (input, borders): (Lowered, Lowered),
    node: &Node,
    lowering: &mut Lowering,
) -> Lowered {
    let op = expr_op(RangeSplit { by: by.clone(), parts, share }, format!("split by ranges of {}", by.show()), ops::token());
    let edges = vec![input.edge(Wiring::Each), borders.edge(Wiring::Every)];
    lowering.add(Layer::single("split", input.partitions, op, edges), node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(key: u8, partition: u32, row: u32) -> Place {
        Place { key: vec![key], partition, row }
    }

    #[test]
    fn ranges_are_about_equal_by_weight() {
        let even: Vec<(Place, f64)> = (0..100).map(|key| (place(key, 0, 0), 1.0)).collect();
        let keys = |places: &[Place]| places.iter().map(|place| place.key[0]).collect::<Vec<_>>();
        assert_eq!(keys(&borders(even.clone(), 4)), [25, 50, 75]);
        // A sample of a large partition stands for more rows.
        let uneven = even.into_iter().map(|(place, _)| if place.key[0] < 10 { (place, 91.0) } else { (place, 1.0) }).collect();
        assert_eq!(keys(&borders(uneven, 4)), [3, 6, 9]);
        assert!(borders(Vec::new(), 4).is_empty() && borders(vec![(place(1, 0, 0), 1.0)], 4).len() <= 3);
    }

    #[test]
    fn a_key_of_many_rows_takes_several_ranges() {
        let same: Vec<(Place, f64)> = (0..8).map(|at| (place(7, at / 4, at % 4), 1.0)).collect();
        assert_eq!(borders(same, 4), [place(7, 0, 2), place(7, 1, 0), place(7, 1, 2)]);
    }

    #[test]
    fn positions_are_spread_and_few() {
        assert_eq!(positions(3, SAMPLES), [0, 1, 2]);
        let rows = 10 * SAMPLES + 7;
        let many = positions(rows, SAMPLES);
        assert!(many.len() == SAMPLES && many.is_sorted_by(|a, b| a < b) && many.iter().all(|row| (*row as usize) < rows));
        assert!(many.iter().zip(0..).any(|(row, stretch)| row % 10 != stretch % 10));
    }
}
