//! Matrices in panels: some columns in all their length, each of which is factored in one task; what that does to the columns right of it is done
//! to each of them in a task of its own.
//!
//! It refuses to know how panels are factored. The invariant: panels end where the shorter side of the matrix does, so that each of them has at
//! least as many rows left as it has columns.

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::factor::fits_a_task;
use super::matrix::{Matrix, block_of_matrix, with_exact};
use super::tiles::{MOST, only, tiles};
use crate::array::block::block_of;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, bounds};
use crate::array::rechunk::{reading, rechunk};
use crate::array::reductions::state::State;
use crate::array::{AnyArray, Node};

/// How a matrix is cut into panels.
pub(super) struct Panels {
    pub rows: usize,
    /// As long as the shorter side.
    pub rank: usize,
    /// The widths of all column blocks.
    widths: Vec<usize>,
    /// Where they begin, and where the last ends.
    pub starts: Vec<usize>,
    /// The first so many are factored, the others only changed.
    pub count: usize,
}

/// What is done with panels: a task that factors one from a row on, and one that does the same to other columns.
pub(super) struct Ways {
    pub factor: fn(usize) -> OpRef,
    pub apply: fn(usize) -> OpRef,
}

/// A matrix after that.
pub(super) struct Eliminated {
    /// One chunk each.
    pub panels: Vec<Lowered>,
    /// Column blocks behind the panels.
    pub rest: (Lowered, std::ops::Range<usize>),
}

impl Panels {
    /// Square matrices are cut as their tiles are, others as their columns are. Fails for other arrays, and for panels that are too large for a task.
    pub fn of(meta: &Meta) -> Result<Self, Failure> {
        let [rows, columns] = meta.shape()?[..] else {
            return Err(Failure::new(Code::ShapeMismatch, format!("an array of shape {} is no matrix", meta.show_shape())));
        };
        let rank = rows.min(columns);
        let cuts = if rows == columns { tiles(meta)? } else { oblong(meta)? };
        let sizes: Vec<usize> = cuts.sizes().map_or_else(Vec::new, |sizes| sizes.to_vec());
        let mut starts = bounds(&sizes);
        starts.retain(|start| *start != rank);
        let count = starts.partition_point(|start| *start < rank);
        starts.insert(count, rank);
        if count == 0 {
            // A panel without elements, so that there is one.
            starts.insert(0, 0);
        }
        let widths: Vec<usize> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let widest = widths.iter().max().copied().unwrap_or(0);
        fits_a_task("panels", (rows, widest), meta.dtype, "smaller chunks: .rechunk(1000)")?;
        Ok(Self { rows, rank, widths, starts, count: count.max(1) })
    }

    /// All column blocks.
    pub fn cuts(&self) -> Cuts {
        Cuts::Known(self.widths.clone().into())
    }

    /// Those that are factored.
    pub fn factored(&self) -> Cuts {
        Cuts::Known(self.widths[..self.count].into())
    }

    /// Factors one panel after the other.
    pub fn eliminate(&self, input: &AnyArray, ways: &Ways, lowering: &mut Lowering, node: &Node) -> Result<Eliminated, Failure> {
        let (a, meta) = (lowering.of(input), input.meta()?);
        let a = rechunk(lowering, a, meta, &[Cuts::whole(self.rows), self.cuts()], node);
        let all = self.widths.len();
        let mut panels = Vec::with_capacity(self.count);
        // Columns that are left: where they are, and the number of the first of them there.
        let mut left = (a, 0);
        for (at, start) in self.starts.iter().copied().enumerate().take(self.count) {
            let own = vec![reading(left.0, [at - left.1])];
            let panel = lowering.add(Layer::single("panel", 1, (ways.factor)(start), own), node);
            panels.push(panel);
            if at + 1 < all {
                let chunks = at + 1 - left.1..all - left.1;
                left = (applied(lowering, (ways.apply)(start), panel, (left.0, chunks), node), at + 1);
            }
        }
        Ok(Eliminated { panels, rest: (left.0, self.count - left.1..all - left.1) })
    }
}

/// Columns of matrices that are not square: as they are cut, or where they are not as rows are.
fn oblong(meta: &Meta) -> Result<Cuts, Failure> {
    let (sizes, columns) = (meta.sizes()?, meta.shape()?[1]);
    let own: Vec<usize> = sizes[1].iter().copied().filter(|size| *size > 0).collect();
    Ok(match own.len() {
        count if count > MOST => Cuts::even(columns, columns.div_ceil(MOST / 2)),
        0 | 1 => {
            let longest = sizes[0].iter().max().copied().unwrap_or(columns);
            Cuts::even(columns, longest.max(columns.div_ceil(MOST / 2)))
        }
        _ => Cuts::Known(own.into()),
    })
}

/// What a panel does to some chunks of a layer.
pub(super) fn applied(
    lowering: &mut Lowering,
    op: OpRef,
    panel: Lowered,
    (layer, chunks): (Lowered, std::ops::Range<usize>),
    node: &Node,
) -> Lowered {
    let tasks = chunks.len() as u32;
    lowering.add(Layer::single("eliminate", tasks, op, vec![only(panel), reading(layer, chunks)]), node)
}

/// The rows on top of a column block, from a chunk with a panel or of a block, without what stands below the diagonal.
#[derive(Serialize, Deserialize)]
pub(crate) struct TakeUpper {
    pub(super) rows: usize,
    /// The first column.
    pub(super) start: usize,
}

impl Operator for TakeUpper {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [columns] = inputs else { return Err(Failure::internal("linalg: a column block")) };
        let block = match columns.get::<State>() {
            Some(state) => state.numbers.first().ok_or_else(|| Failure::internal("linalg: a panel without factors"))?,
            None => block_of(columns)?,
        };
        with_exact!(block.dtype(), E => {
            let matrix = Matrix::<E>::of(block)?;
            if matrix.view().nrows() < self.rows {
                return Err(Failure::internal("linalg: a column block that is too short"));
            }
            let mut upper = matrix.view().get(..self.rows, ..).to_owned();
            for column in 0..upper.ncols() {
                let first = (self.start + column + 1).min(self.rows);
                upper.col_as_slice_mut(column)[first..].fill(E::default());
            }
            block_of_matrix(upper.as_ref()).map(Chunk::new)
        })
    }
}

impl NamedOperator for TakeUpper {
    const NAME: &'static str = "array_upper_columns";
}

/// The upper triangles of all column blocks: where they are, and their places.
pub(super) fn uppers(panels: &Panels, done: &Eliminated, lowering: &mut Lowering, node: &Node) -> Vec<(Lowered, Vec<usize>)> {
    let upper = |start: usize| OpRef::new(TakeUpper { rows: panels.rank, start }, "upper triangle");
    let mut made = Vec::with_capacity(panels.count + 1);
    for (at, panel) in done.panels.iter().enumerate() {
        made.push((lowering.add(Layer::single("upper", 1, upper(panels.starts[at]), vec![only(*panel)]), node), vec![at]));
    }
    let (layer, chunks) = done.rest.clone();
    if !chunks.is_empty() {
        let (tasks, places) = (chunks.len() as u32, (panels.count..panels.count + chunks.len()).collect());
        let edges = vec![reading(layer, chunks)];
        // All of them lie right of the diagonal.
        made.push((lowering.add(Layer::single("upper", tasks, upper(panels.rank), edges), node), places));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::DType;

    #[test]
    fn panels_end_where_the_shorter_side_does() {
        let of = |rows: &[usize], columns: &[usize]| {
            let meta = Meta { dtype: DType::F64, cuts: vec![Cuts::Known(rows.into()), Cuts::Known(columns.into())] };
            let panels = Panels::of(&meta).expect("a matrix");
            (panels.widths, panels.count)
        };
        assert_eq!(of(&[3, 3], &[6]), (vec![3, 3], 2));
        assert_eq!(of(&[6], &[2, 4]), (vec![2, 4], 2));
        assert_eq!(of(&[5], &[4, 4]), (vec![4, 1, 3], 2));
        assert_eq!(of(&[4], &[4, 4]), (vec![4, 4], 1));
        assert_eq!(of(&[9, 9], &[4, 0, 4]), (vec![4, 4], 2));
        assert_eq!(of(&[2, 2, 2], &[5]), (vec![2, 2, 1], 3));
        assert_eq!(of(&[0], &[3, 2]), (vec![0, 3, 2], 1));
        assert_eq!(of(&[3, 2], &[0]), (vec![0], 1));
        assert_eq!(of(&[0], &[0]), (vec![0], 1));
    }
}
