//! `cholesky`, tile by tile: the tile on the diagonal is factored, those below it are solved with its factor, and so on with the next column.

use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Mat, Par};
use partita_graph::{Chunk, Edge, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::dense::cholesky::cholesky;
use super::factor::singular;
use super::matrix::{Exact, Matrix, block_of_matrix, with_exact};
use super::tiles::{collected, only, subtracted, tiles};
use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::rechunk::{Lists, reading, rechunk};
use crate::array::{DArray, Inexact, Node, Step};

impl<T: Inexact> DArray<T> {
    /// The lower triangle whose product with its conjugate transpose is this symmetric, or Hermitian, positive definite matrix, of which the lower
    /// triangle is looked at.
    ///
    /// Columns are cut as rows are, and chunks are worked on side by side, in numbers of eight bytes: about a tenth of the side is a good length of chunks.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[4.0, 2.0], [2.0, 10.0]], 1);
    /// assert_eq!(x.cholesky().compute()?, array![[2.0, 0.0], [1.0, 3.0]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no square matrix, sizes of chunks that are not known; while it runs: a matrix that is not positive definite.
    #[track_caller]
    pub fn cholesky(&self) -> DArray<T> {
        DArray::then(Cholesky { dtype: T::DTYPE }, vec![self.exact()], ".cholesky()")
    }
}

struct Cholesky {
    dtype: DType,
}

impl Step for Cholesky {
    fn line(&self) -> String {
        "cholesky".into()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: self.dtype, cuts: vec![tiles(inputs[0])?; 2] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (from, meta) = (node.inputs[0].meta()?, node.known()?);
        let input = lowering.of(&node.inputs[0]);
        let input = rechunk(lowering, input, from, &meta.cuts, node);
        let n = meta.cuts.first().map_or(0, Cuts::count);
        let mut made: Vec<(Lowered, Vec<usize>)> = Vec::with_capacity(2 * n);
        // Tiles below the diagonal, column by column.
        let mut below: Vec<Lowered> = Vec::with_capacity(n);
        for column in 0..n {
            let pairs: Vec<[Edge; 2]> = below.iter().enumerate().map(|(done, layer)| factors(*layer, done, column, n)).collect();
            let own = reading(input, (column..n).map(|row| row * n + column));
            let own = subtracted(lowering, (own, n - column), &pairs, true, node);
            let tile = |lists: Lists| Edge { layer: own.layer, wiring: lists.wiring() };
            let chunk = |row: usize| if pairs.is_empty() { row * n + column } else { row - column };
            let mut first = Lists::new();
            first.push([chunk(column)]);
            let op = OpRef::new(FactorTile, "cholesky of a tile");
            let corner = lowering.add(Layer::single("cholesky", 1, op, vec![tile(first)]), node);
            made.push((corner, vec![column * n + column]));
            if column + 1 == n {
                break;
            }
            let mut rest = Lists::new();
            (column + 1..n).for_each(|row| rest.push([chunk(row)]));
            let op = OpRef::new(SolveTile, "solve with a tile");
            let layer = lowering.add(Layer::single("solve", (n - column - 1) as u32, op, vec![tile(rest), only(corner)]), node);
            made.push((layer, (column + 1..n).map(|row| row * n + column).collect()));
            below.push(layer);
        }
        collected(lowering, made, meta, node)
    }
}

/// What the tiles of a column, from the diagonal on, read of a column that is done: the tile beside them, and but for the first the one beside the
/// diagonal.
fn factors(layer: Lowered, done: usize, column: usize, n: usize) -> [Edge; 2] {
    let chunk = |row: usize| row - done - 1;
    let mut others = Lists::new();
    (column..n).for_each(|row| others.push((row > column).then_some(chunk(column))));
    [reading(layer, (column..n).map(chunk)), layer.edge(others.wiring())]
}

/// The factor of a tile on the diagonal.
#[derive(Serialize, Deserialize)]
pub(crate) struct FactorTile;

impl Operator for FactorTile {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [tile] = inputs else { return Err(Failure::internal("cholesky: a tile")) };
        let tile = block_of(tile)?;
        with_exact!(tile.dtype(), E => {
            let tile = Matrix::<E>::of(tile)?;
            let tile = tile.view();
            if tile.nrows() != tile.ncols() {
                return Err(Failure::internal("cholesky: a tile on the diagonal that is not square"));
            }
            let factor = cholesky(tile).ok_or_else(|| singular("the matrix is not positive definite"))?;
            block_of_matrix(factor.as_ref()).map(Chunk::new)
        })
    }
}

impl NamedOperator for FactorTile {
    const NAME: &'static str = "array_cholesky_tile";
}

/// A tile below the diagonal, solved with the factor of the one on it.
#[derive(Serialize, Deserialize)]
pub(crate) struct SolveTile;

impl Operator for SolveTile {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [tile, corner] = inputs else { return Err(Failure::internal("cholesky: two tiles")) };
        with_exact!(block_of(tile)?.dtype(), E => solved::<E>(block_of(tile)?, block_of(corner)?))
    }
}

fn solved<E: Exact>(tile: &Block, corner: &Block) -> Result<Chunk, Failure> {
    let (tile, corner) = (Matrix::<E>::of(tile)?, Matrix::<E>::of(corner)?);
    let corner = corner.view();
    let mut tile: Mat<E> = tile.view().to_owned();
    if corner.shape() != (tile.ncols(), tile.ncols()) {
        return Err(Failure::internal("cholesky: tiles that do not fit together"));
    }
    solve_lower_triangular_in_place(corner.conjugate(), tile.as_mut().transpose_mut(), Par::Seq);
    block_of_matrix(tile.as_ref()).map(Chunk::new)
}

impl NamedOperator for SolveTile {
    const NAME: &'static str = "array_cholesky_solve";
}
