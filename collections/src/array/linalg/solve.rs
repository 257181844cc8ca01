//! `solve_triangular`: equations whose matrix is a triangle, which is read tile by tile; and what all that solve equations do with right-hand sides.

use partita_graph::{Chunk, Code, Edge, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext};
use serde::{Deserialize, Serialize};

use super::dense::triangle::{Half, solve};
use super::factor::{singular, square};
use super::matrix::{Copied, Matrix, with_exact};
use super::tiles::{collected, subtracted, tiles};
use crate::array::block::block_of;
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::Meta;
use crate::array::rechunk::{reading, rechunk};
use crate::array::{DArray, Inexact, Node, Step};

impl<T: Inexact> DArray<T> {
    /// The solution of equations whose matrix is a triangle; the other half of this matrix is not looked at.
    ///
    /// Right-hand sides are cut as the rows of the matrix are.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let a = DArray::from_array(array![[2.0, 9.0], [1.0, 1.0]], 1);
    /// let b = DArray::from_array(array![4.0, 3.0], 1);
    /// assert_eq!(a.solve_triangular(&b, true).compute()?, array![2.0, 1.0].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no square matrix, right-hand sides of another length; while it runs: a zero on the diagonal.
    #[track_caller]
    pub fn solve_triangular(&self, b: &DArray<T>, lower: bool) -> DArray<T> {
        match sides(self.untyped().meta().and_then(square), b) {
            Ok((b, is_vector)) => {
                let step = SolveTriangle { lower, dtype: T::DTYPE };
                let inputs = vec![self.exact(), b.exact()];
                solution(DArray::then(step, inputs, ".solve_triangular(…)"), is_vector)
            }
            Err(failure) => DArray::failed(failure, ".solve_triangular(…)"),
        }
    }
}

/// Right-hand sides, one row for each of so many equations, as a matrix, and whether they were a vector.
#[track_caller]
pub(super) fn sides<T: Inexact>(equations: Result<usize, Failure>, b: &DArray<T>) -> Result<(DArray<T>, bool), Failure> {
    let (n, meta) = (equations?, b.untyped().meta()?);
    if !matches!(meta.ndim(), 1 | 2) || meta.cuts[0].len() != Some(n) {
        let what = format!("right-hand sides of shape {} for {n} equations", meta.show_shape());
        return Err(Failure::new(Code::ShapeMismatch, what).help("one row for each equation"));
    }
    Ok(if meta.ndim() == 1 { (b.expand_dims(1), true) } else { (b.clone(), false) })
}

/// The solution as its right-hand sides were.
#[track_caller]
pub(super) fn solution<T: Inexact>(x: DArray<T>, is_vector: bool) -> DArray<T> {
    if is_vector { x.index_axis(1, 0) } else { x }
}

struct SolveTriangle {
    lower: bool,
    dtype: DType,
}

impl Step for SolveTriangle {
    fn line(&self) -> String {
        format!("solve with {} triangle", if self.lower { "a lower" } else { "an upper" })
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let columns = inputs[1].cuts.get(1).cloned().ok_or_else(|| Failure::internal("solve: right-hand sides that are no matrix"))?;
        Ok(Meta { dtype: self.dtype, cuts: vec![tiles(inputs[0])?, columns] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (matrix, sides, meta) = (node.inputs[0].meta()?, node.inputs[1].meta()?, node.known()?);
        let (a, b) = (lowering.of(&node.inputs[0]), lowering.of(&node.inputs[1]));
        let a = rechunk(lowering, a, matrix, &[meta.cuts[0].clone(), meta.cuts[0].clone()], node);
        let b = rechunk(lowering, b, sides, &meta.cuts, node);
        let (n, wide) = (meta.cuts[0].count(), meta.cuts[1].count());
        let tile = |row: usize, column: usize| reading(a, std::iter::repeat_n(row * n + column, wide));
        let mut made: Vec<(Lowered, Vec<usize>)> = Vec::with_capacity(n);
        for step in 0..n {
            let row = |step: usize| if self.lower { step } else { n - 1 - step };
            let known = made.iter().enumerate();
            let pairs: Vec<[Edge; 2]> = known.map(|(done, (x, _))| [tile(row(step), row(done)), reading(*x, 0..wide)]).collect();
            let own = reading(b, (0..wide).map(|column| row(step) * wide + column));
            let own = subtracted(lowering, (own, wide), &pairs, false, node);
            let op = OpRef::new(SolveBlock { lower: self.lower }, self.line());
            let layer = lowering.add(Layer::single("solve", wide as u32, op, vec![tile(row(step), row(step)), own]), node);
            made.push((layer, (0..wide).map(|column| row(step) * wide + column).collect()));
        }
        collected(lowering, made, meta, node)
    }
}

/// Solves equations with a tile on the diagonal for a block of right-hand sides.
#[derive(Serialize, Deserialize)]
pub(crate) struct SolveBlock {
    lower: bool,
}

impl Operator for SolveBlock {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [tile, b] = inputs else { return Err(Failure::internal("solve: a tile and right-hand sides")) };
        with_exact!(block_of(tile)?.dtype(), E => {
            let (tile, b) = (Matrix::<E>::of(block_of(tile)?)?, Matrix::<E>::of(block_of(b)?)?);
            let mut x = Copied::of(b.view());
            if tile.view().shape() != (x.rows(), x.rows()) {
                return Err(Failure::internal("solve: right-hand sides of another length"));
            }
            if !solve(tile.view(), if self.lower { Half::Lower } else { Half::Upper }, x.view_mut()) {
                return Err(singular("the triangle has a zero on its diagonal"));
            }
            x.block().map(Chunk::new)
        })
    }
}

impl NamedOperator for SolveBlock {
    const NAME: &'static str = "array_solve";
}
