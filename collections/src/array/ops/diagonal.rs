//! `diagonal`: the diagonals of two axes of an array that may have more of them.

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::block::block_of;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, advance, axis_of, bounds, parts};
use crate::array::ops::diag::{Cut, Diag};
use crate::array::ops::slice::known_bounds;
use crate::array::rechunk::Lists;
use crate::array::{DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// Diagonal `k` of the planes of two axes: 0 is the main one, 1 the next above it, -1 the next below. The other axes stay in their order,
    /// and the diagonal becomes the last axis. Of a matrix it is the same as [`DArray::diag`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[[1, 2], [3, 4]], [[5, 6], [7, 8]]], 1);
    /// assert_eq!(x.diagonal(0, 1, 2).compute()?, array![[1, 4], [5, 8]].into_dyn());
    /// assert_eq!(x.diagonal(0, 0, 1).compute()?, array![[1, 7], [2, 8]].into_dyn());
    /// assert_eq!(x.diagonal(1, -2, -1).compute()?, array![[2], [6]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: axes that do not exist, are the same or whose sizes are not known.
    #[track_caller]
    pub fn diagonal(&self, k: isize, first: isize, second: isize) -> DArray<T> {
        DArray::then(Diagonals { diag: Diag { k: k as i64 }, first, second }, vec![self.to_any()], ".diagonal(…)")
    }
}

struct Diagonals {
    diag: Diag,
    first: isize,
    second: isize,
}

impl Diagonals {
    /// The axes of the planes.
    fn plane(&self, ndim: usize) -> Result<[usize; 2], Failure> {
        let [first, second] = [axis_of(self.first, ndim)?, axis_of(self.second, ndim)?];
        if first == second {
            return Err(Failure::new(Code::InvalidOption, format!("a diagonal of axis {first} and itself")).help("name two axes"));
        }
        Ok([first, second])
    }

    /// The axes that stay.
    fn others(&self, ndim: usize) -> Result<Vec<usize>, Failure> {
        let plane = self.plane(ndim)?;
        Ok((0..ndim).filter(|axis| !plane.contains(axis)).collect())
    }
}

impl Step for Diagonals {
    fn line(&self) -> String {
        format!("diagonal {} of axes {} and {}", self.diag.k, self.first, self.second)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let [first, second] = self.plane(inputs[0].ndim())?;
        let (rows, columns) = (known_bounds(inputs[0], first)?, known_bounds(inputs[0], second)?);
        let (row, column) = self.diag.start();
        let len = |bounds: &[usize], start: usize| bounds[bounds.len() - 1].saturating_sub(start);
        let pieces = self.diag.pieces(len(&rows, row).min(len(&columns, column)), &rows, &columns);
        let mut cuts: Vec<Cuts> = self.others(inputs[0].ndim())?.into_iter().map(|axis| inputs[0].cuts[axis].clone()).collect();
        cuts.push(Cuts::Known(pieces.windows(2).map(|piece| piece[1] - piece[0]).collect()));
        Ok(Meta { dtype: inputs[0].dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (from, to) = (node.inputs[0].meta()?, node.known()?);
        let ([first, second], others) = (self.plane(from.ndim())?, self.others(from.ndim())?);
        let (rows, columns) = (known_bounds(from, first)?, known_bounds(from, second)?);
        let pieces = to.cuts.last().and_then(Cuts::sizes).map(|sizes| bounds(sizes)).unwrap_or_default();
        let ((row, column), grid, from_grid) = (self.diag.start(), to.grid(), from.grid());
        let (mut lists, mut args) = (Lists::new(), Vec::new());
        let mut position = vec![0; grid.len()];
        loop {
            let piece = position[others.len()];
            let (start, end) = (pieces[piece], pieces[piece + 1]);
            let row = parts(&rows, row + start..row + end).swap_remove(0);
            let column = parts(&columns, column + start..column + end).swap_remove(0);
            let mut block = vec![0; from.ndim()];
            others.iter().zip(&position).for_each(|(axis, at)| block[*axis] = *at);
            (block[first], block[second]) = (row.chunk, column.chunk);
            lists.push([block.iter().zip(&from_grid).fold(0, |number, (at, count)| number * count + at)]);
            args.push(Arg::encode(&Cut { row: row.range.start, column: column.range.start, len: end - start }));
            if !advance(&mut position, &grid) {
                break;
            }
        }
        let op = OpRef::new(DiagonalOfPlanes { order: [others, vec![first, second]].concat() }, self.line());
        let edges = vec![lowering.of(&node.inputs[0]).edge(lists.wiring())];
        Ok(lowering.add(Layer::with_args("diagonal", op, args, edges), node))
    }
}

/// A piece of the diagonals of a block. `order` puts the axes of the planes last.
#[derive(Serialize, Deserialize)]
pub(crate) struct DiagonalOfPlanes {
    order: Vec<usize>,
}

impl Operator for DiagonalOfPlanes {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let Cut { row, column, len } = ctx.arg()?.decode()?;
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("diagonal: no block"))??;
        if block.shape().len() != self.order.len() {
            return Err(Failure::internal("diagonal: a block of another number of axes"));
        }
        let turned = block.permuted(&self.order);
        let [.., rows, columns] = *turned.shape() else { return Err(Failure::internal("diagonal: a block without planes")) };
        if row + len > rows || column + len > columns {
            return Err(Failure::internal("diagonal: a block without some of its elements"));
        }
        Ok(Chunk::new(turned.diagonal(row, column, len).compact()?))
    }
}

impl NamedOperator for DiagonalOfPlanes {
    const NAME: &'static str = "array_diagonal_planes";
}
