//! Rows that lie in the order of a key already, partition after partition, as files often do: bounds of the key in each partition say at which
//! values to split, and nearly all rows of a partition go to one part together, untouched.
//!
//! It refuses to trust the bounds: rows are split by their values, so wrong bounds cost time and never part a key's rows.

use partita_graph::{Chunk, Failure, Layer, NamedOperator, Operator, Parts, TaskContext, Wiring};
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::hash::is_integral;
use super::split::taken;
use crate::frame::compact::compact;
use crate::frame::expr::{as_column, expr_op, polars_failure};
use crate::frame::lower::{Lowered, Lowering};
use crate::frame::value::{chunk_of, frame_of};
use crate::frame::{Admission, DFrame, Node, ops};

/// More parts than this cost more in small pieces than they gain.
const MOST_PARTS: usize = 64;

/// Where to split, by which column.
pub(crate) struct Clusters {
    key: PlSmallStr,
    borders: Vec<i64>,
}

impl Clusters {
    /// By the first of these keys in whose order the partitions of a frame are known to come, if that makes about as many parts as are wanted.
    pub fn of(frame: &DFrame, keys: &[Expr], parts: u32) -> Option<Self> {
        let most = MOST_PARTS.max(parts as usize);
        let of_key = |key: &PlSmallStr| {
            let dtype = frame.resolved().ok()?.get(key)?;
            let borders = borders(&ranges(frame, key).filter(|_| is_integral(dtype))?, most)?;
            // Much fewer parts would each take in more than a task should: bounds may be those of the small side of a join.
            (2 * (borders.len() + 1) >= parts as usize).then(|| Self { key: key.clone(), borders })
        };
        keys.iter().filter_map(as_column).find_map(of_key)
    }

    /// How many parts there will be.
    pub fn parts(&self) -> u32 {
        self.borders.len() as u32 + 1
    }

    /// The layer that splits; readers take parts up with [`Wiring::Part`].
    pub fn split(self, input: Lowered, node: &Node, lowering: &mut Lowering) -> Lowered {
        let label = format!("split by {} where partitions end, into {}", self.key, self.parts());
        let op = expr_op(SplitAt { key: self.key, borders: self.borders }, label, ops::token());
        lowering.add(Layer::single("split", input.partitions, op, vec![input.edge(Wiring::Each)]), node)
    }
}

/// The bounds of a column in each partition of the reader whose rows these are.
fn ranges(frame: &DFrame, column: &PlSmallStr) -> Option<Vec<(i64, i64)>> {
    let node = frame.node();
    if node.inputs.is_empty() {
        return node.step.key_bounds(column);
    }
    let one_by_one = node.step.predicate().is_some() || node.step.is_row_by_row();
    match node.admit(&Expr::Column(column.clone())) {
        Admission::Through(Expr::Column(old)) if one_by_one => ranges(&node.inputs[0], &old),
        Admission::Below(forms) => {
            let of_input = |(input, form): (&DFrame, &Option<Expr>)| ranges(input, as_column(form.as_ref()?)?);
            let each = node.inputs.iter().zip(&forms).map(of_input);
            match one_by_one {
                // Frames one below the other: those of all.
                true => each.collect::<Option<Vec<_>>>().map(|all| all.concat()),
                // Of a join: most often the rows of one side stay where they are.
                false => each.flatten().next(),
            }
        }
        _ => None,
    }
}

/// The first values of all of at most so many parts but the first; `None` when partitions do not come in the order of their values.
fn borders(ranges: &[(i64, i64)], most: usize) -> Option<Vec<i64>> {
    if ranges.len() < 2 || !ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0) {
        return None;
    }
    // A value in which one partition ends and the next begins stays in the first.
    let border = |pair: &[(i64, i64)]| if pair[0].1 < pair[1].0 { Some(pair[1].0) } else { pair[1].0.checked_add(1) };
    let all = ranges.windows(2).map(border).collect::<Option<Vec<i64>>>()?;
    let each = ranges.len().div_ceil(most);
    Some(all.into_iter().enumerate().filter(|(at, _)| (at + 1) % each == 0).map(|(_, border)| border).collect())
}

/// Rows to parts by the value of a column of whole numbers; null comes before all others.
#[derive(Serialize, Deserialize)]
pub(crate) struct SplitAt {
    key: PlSmallStr,
    borders: Vec<i64>,
}

impl SplitAt {
    fn part(&self, value: Option<i64>) -> usize {
        value.map_or(0, |value| self.borders.partition_point(|border| *border <= value))
    }

    fn split(&self, frame: &DataFrame) -> PolarsResult<Vec<usize>> {
        let keys = frame.column(&self.key)?.as_materialized_series().to_physical_repr().cast(&DataType::Int64)?;
        let keys = keys.i64()?;
        let (low, high) = (self.part(keys.min()), self.part(keys.max()));
        if keys.null_count() == 0 && low == high {
            return Ok(vec![low; frame.height()]);
        }
        Ok(keys.iter().map(|value| self.part(value)).collect())
    }
}

impl Operator for SplitAt {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let frame = frame_of(&inputs[0])?;
        let parts = self.split(&frame).map_err(|e| polars_failure(e, None))?;
        let count = self.borders.len() + 1;
        if !parts.is_sorted() {
            let mut rows: Vec<Vec<IdxSize>> = vec![Vec::new(); count];
            parts.iter().enumerate().for_each(|(row, part)| rows[*part].push(row as IdxSize));
            return Ok(Chunk::new(Parts(taken(&frame, rows)?)));
        }
        // Rows of one part stand together: pieces of the frame as it is.
        let mut from = 0;
        let piece = |part: usize| {
            let rows = parts[from..].partition_point(|of_row| *of_row == part);
            let piece = frame.slice(from as i64, rows);
            from += rows;
            compact(piece).map(chunk_of)
        };
        Ok(Chunk::new(Parts((0..count).map(piece).collect::<Result<_, _>>()?)))
    }
}

impl NamedOperator for SplitAt {
    const NAME: &'static str = "split_at";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_that_end_where_the_next_begins_are_split_there() {
        let all = |ranges: &[(i64, i64)]| borders(ranges, MOST_PARTS);
        assert_eq!(all(&[(1, 4), (4, 9), (10, 12)]), Some(vec![5, 10]));
        assert_eq!(all(&[(1, 4), (4, 4), (4, 9)]), Some(vec![5, 5]));
        assert_eq!(all(&[(1, 4), (3, 9)]), None);
        assert_eq!(all(&[(1, 4)]), None);
        assert_eq!(all(&[(0, i64::MAX), (i64::MAX, i64::MAX)]), None);
        let many: Vec<(i64, i64)> = (0..200).map(|at| (at, at)).collect();
        assert_eq!(all(&many).map(|borders| (borders.len(), borders[0])), Some((49, 4)));
    }
}
