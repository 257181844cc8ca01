//! `diag`: a diagonal as an array, and an array as a diagonal.

use std::ops::Range;

use partita_graph::{Arg, Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use crate::array::block::{Block, block_of};
use crate::array::element::{DType, Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta, bounds, parts};
use crate::array::rechunk::Lists;
use crate::array::{DArray, Element, Node, Step};

impl<T: Element> DArray<T> {
    /// Of an array of one axis, a square with it on diagonal `k` and zeros elsewhere; of an array of two axes, its diagonal `k`.
    /// Diagonals are counted from the main one: 1 is the next above it, -1 the next below.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![1, 2], 1);
    /// assert_eq!(x.diag(0).compute()?, array![[1, 0], [0, 2]].into_dyn());
    /// assert_eq!(x.diag(-1).diag(-1).compute()?, array![1, 2].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an array of no or of more than two axes; sizes of chunks that are not known.
    #[track_caller]
    pub fn diag(&self, k: isize) -> DArray<T> {
        DArray::then(Diag { k: k as i64 }, vec![self.to_any()], ".diag(…)")
    }
}

pub(super) struct Diag {
    pub k: i64,
}

impl Diag {
    /// Row and column of the diagonal's first element.
    pub fn start(&self) -> (usize, usize) {
        let k = self.k.unsigned_abs() as usize;
        if self.k < 0 { (k, 0) } else { (0, k) }
    }

    /// The bounds of the pieces of a diagonal of `len` elements, each of which lies in one block.
    pub fn pieces(&self, len: usize, rows: &[usize], columns: &[usize]) -> Vec<usize> {
        let (row, column) = self.start();
        let ends = |bounds: &[usize], start: usize| bounds.iter().filter_map(|end| end.checked_sub(start)).collect::<Vec<_>>();
        let mut ends: Vec<usize> = [ends(rows, row), ends(columns, column), vec![0, len]].concat();
        ends.retain(|end| *end <= len);
        ends.sort_unstable();
        ends.dedup();
        if ends.len() == 1 { vec![0, 0] } else { ends }
    }
}

impl Step for Diag {
    fn line(&self) -> String {
        format!("diag {}", self.k)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let sizes = inputs[0].sizes()?;
        let cuts = match &sizes[..] {
            [sizes] => {
                let beside = self.k.unsigned_abs() as usize;
                let mut sizes = sizes.to_vec();
                if beside > 0 {
                    sizes.push(beside);
                }
                vec![Cuts::Known(sizes.into()); 2]
            }
            [rows, columns] => {
                let (row, column) = self.start();
                let len = rows.iter().sum::<usize>().saturating_sub(row).min(columns.iter().sum::<usize>().saturating_sub(column));
                let bounds = self.pieces(len, &bounds(rows), &bounds(columns));
                vec![Cuts::Known(bounds.windows(2).map(|piece| piece[1] - piece[0]).collect())]
            }
            _ => {
                let what = format!("a diagonal has one or two axes, and the array has {}", sizes.len());
                return Err(Failure::new(Code::ShapeMismatch, what));
            }
        };
        Ok(Meta { dtype: inputs[0].dtype, cuts })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (from, to) = (node.inputs[0].meta()?, node.known()?);
        let (mut lists, mut args) = (Lists::new(), Vec::new());
        let starts: Vec<Vec<usize>> = from.sizes()?.iter().map(|sizes| bounds(sizes)).collect();
        for place in to.places()? {
            let (row, column) = self.start();
            if let [rows, columns] = &starts[..] {
                let end = place.start[0] + place.shape[0];
                let row = parts(rows, row + place.start[0]..row + end).swap_remove(0);
                let column = parts(columns, column + place.start[0]..column + end).swap_remove(0);
                lists.push([row.chunk * (columns.len() - 1) + column.chunk]);
                args.push(Arg::encode(&Cut { row: row.range.start, column: column.range.start, len: place.shape[0] }));
                continue;
            }
            // The elements of the diagonal that lie in the block.
            let rows = place.start[0].saturating_sub(row)..(place.start[0] + place.shape[0]).saturating_sub(row);
            let columns = place.start[1].saturating_sub(column)..(place.start[1] + place.shape[1]).saturating_sub(column);
            let there = rows.start.max(columns.start)..rows.end.min(columns.end).min(from.shape()?[0]);
            let pieces = if there.is_empty() { Vec::new() } else { parts(&starts[0], there.clone()) };
            lists.push(pieces.iter().map(|piece| piece.chunk));
            let (row, column) = ((there.start + row).saturating_sub(place.start[0]), (there.start + column).saturating_sub(place.start[1]));
            args.push(Arg::encode(&Spread {
                shape: place.shape,
                row,
                column,
                pieces: pieces.into_iter().map(|piece| piece.range).collect(),
            }));
        }
        let op = match from.ndim() {
            2 => OpRef::new(Diagonal, self.line()),
            _ => OpRef::new(DiagonalBlock { dtype: from.dtype }, self.line()),
        };
        let edges = vec![lowering.of(&node.inputs[0]).edge(lists.wiring())];
        Ok(lowering.add(Layer::with_args("diag", op, args, edges), node))
    }
}

/// Where a piece of a diagonal begins in its block.
#[derive(Serialize, Deserialize)]
pub(super) struct Cut {
    pub row: usize,
    pub column: usize,
    pub len: usize,
}

/// A piece of the diagonal of a block.
#[derive(Serialize, Deserialize)]
pub(crate) struct Diagonal;

impl Operator for Diagonal {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let Cut { row, column, len } = ctx.arg()?.decode()?;
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("diagonal: no block"))??;
        Ok(Chunk::new(block.diagonal(row, column, len).compact()?))
    }
}

impl NamedOperator for Diagonal {
    const NAME: &'static str = "array_diagonal";
}

/// A block of an array that is a diagonal and zeros.
#[derive(Serialize, Deserialize)]
struct Spread {
    shape: Vec<usize>,
    /// Where the first element of the diagonal comes to lie.
    row: usize,
    column: usize,
    /// Of each input.
    pieces: Vec<Range<usize>>,
}

/// Makes such a block of pieces of the diagonal.
#[derive(Serialize, Deserialize)]
pub(crate) struct DiagonalBlock {
    dtype: DType,
}

impl Operator for DiagonalBlock {
    fn run(&self, ctx: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let spread: Spread = ctx.arg()?.decode()?;
        with_dtype!(self.dtype, T => spread.block::<T>(inputs).map(Chunk::new))
    }
}

impl NamedOperator for DiagonalBlock {
    const NAME: &'static str = "array_diagonal_block";
}

impl Spread {
    fn block<T: Held>(self, inputs: &[Chunk]) -> Result<Block, Failure> {
        if inputs.is_empty() {
            return Ok(Block::full(self.shape, T::default()));
        }
        let columns = self.shape[1];
        let mut values = vec![T::default(); self.shape.iter().product()];
        let mut places = values.iter_mut().skip(self.row * columns + self.column).step_by(columns + 1);
        for (input, piece) in inputs.iter().zip(self.pieces) {
            let values = block_of(input)?.cut(std::slice::from_ref(&piece)).to_vec::<T>()?;
            values.into_iter().zip(places.by_ref()).for_each(|(value, place)| *place = value);
        }
        Ok(Block::from_vec(self.shape, values))
    }
}
