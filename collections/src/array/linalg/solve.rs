//! `solve`, `solve_triangular` and `lstsq`: systems of equations. The matrix is factored once; right-hand sides stay in their chunks.

use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::dense::lu::Lu;
use super::dense::triangle::{Half, solve};
use super::factor::{Factoring, in_kind, matrix_of, singular, square};
use crate::array::block::{Block, block_of};
use crate::array::element::DType;
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::rechunk::rechunk;
use crate::array::reductions::state::state_of;
use crate::array::{DArray, Float, Node, Step};

impl<T: Float> DArray<T> {
    /// The solution `x` of the equations `a · x = b`, where `a` is this square matrix and `b` a vector, or a matrix of several right-hand sides.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let a = DArray::from_array(array![[2.0, 1.0], [1.0, 1.0]], 1);
    /// let b = DArray::from_array(array![3.0, 2.0], 1);
    /// assert_eq!(a.solve(&b).compute()?, array![1.0, 1.0].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no square matrix, right-hand sides of another length; while it runs: a matrix without an inverse.
    #[track_caller]
    pub fn solve(&self, b: &DArray<T>) -> DArray<T> {
        let factors = self.factored(Factoring::Compact, ".solve(…)");
        DArray::then(Solve { how: How::Factors, dtype: T::DTYPE }, vec![factors, b.cast::<f64>().to_any()], ".solve(…)")
    }

    /// The solution of equations whose matrix is a triangle; the other half of this matrix is not looked at.
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
        let step = Solve { how: How::Triangle { lower }, dtype: T::DTYPE };
        DArray::then(step, vec![self.cast::<f64>().to_any(), b.cast::<f64>().to_any()], ".solve_triangular(…)")
    }

    /// The `x` for which `a · x` comes nearest to `b`, where `a` is this matrix with at least as many rows as columns: the sum of squares of
    /// what is missing is the least.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// // The line through three points.
    /// let a = DArray::from_array(array![[1.0_f64, 0.0], [1.0, 1.0], [1.0, 2.0]], [2, 2]);
    /// let b = DArray::from_array(array![1.0, 3.0, 5.0], 2);
    /// assert!(a.lstsq(&b).compute()?.iter().zip([1.0, 2.0]).all(|(x, expected): (&f64, f64)| (x - expected).abs() < 1e-12));
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no matrix, fewer rows than columns, right-hand sides of another length; while it runs: columns that depend on each other.
    #[track_caller]
    pub fn lstsq(&self, b: &DArray<T>) -> DArray<T> {
        if let Ok([rows, columns]) = self.shape().as_deref()
            && rows < columns
        {
            let what = format!("{rows} equations for {columns} unknowns have many solutions");
            return DArray::failed(Failure::new(Code::ShapeMismatch, what).help("as many equations as unknowns, or more"), ".lstsq(…)");
        }
        let (q, r) = self.qr();
        r.solve_triangular(&q.t().matmul(b), false)
    }
}

/// What equations are solved with.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum How {
    /// The factors of the matrix.
    Factors,
    /// The matrix itself, of which one half counts.
    Triangle { lower: bool },
}

struct Solve {
    how: How,
    dtype: DType,
}

impl Step for Solve {
    fn line(&self) -> String {
        match self.how {
            How::Factors => "solve".into(),
            How::Triangle { lower } => format!("solve with {} triangle", if lower { "a lower" } else { "an upper" }),
        }
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let n = match self.how {
            How::Factors => inputs[0].shape()?[0],
            How::Triangle { .. } => square(inputs[0])?,
        };
        let b = inputs[1];
        if !matches!(b.ndim(), 1 | 2) || b.cuts[0].len() != Some(n) {
            let what = format!("right-hand sides of shape {} for {n} equations", b.show_shape());
            return Err(Failure::new(Code::ShapeMismatch, what).help("one row for each equation"));
        }
        let cuts = std::iter::once(Cuts::whole(n)).chain(b.cuts.iter().skip(1).cloned());
        Ok(Meta { dtype: self.dtype, cuts: cuts.collect() })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let (matrix, b, meta) = (node.inputs[0].meta()?, node.inputs[1].meta()?, node.known()?);
        let (mut first, second) = (lowering.of(&node.inputs[0]), lowering.of(&node.inputs[1]));
        if matches!(self.how, How::Triangle { .. }) {
            let whole = vec![Cuts::whole(square(matrix)?); 2];
            first = rechunk(lowering, first, &matrix.cuts, &whole, node);
        }
        let second = rechunk(lowering, second, &b.cuts, &meta.cuts, node);
        let op = OpRef::new(SolveBlock { how: self.how, dtype: self.dtype }, self.line());
        let edges = vec![first.edge(Wiring::Every), second.edge(Wiring::Each)];
        Ok(lowering.add(Layer::single("solve", meta.blocks()?, op, edges), node))
    }
}

/// Solves equations for a block of right-hand sides.
#[derive(Serialize, Deserialize)]
pub(crate) struct SolveBlock {
    how: How,
    dtype: DType,
}

impl Operator for SolveBlock {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let [first, b] = inputs else { return Err(Failure::internal("solve: a matrix and right-hand sides")) };
        let b = block_of(b)?;
        let shape = b.shape().to_vec();
        let columns = shape.iter().skip(1).product::<usize>();
        let mut b = matrix_of(&b.reshaped(&[shape.first().copied().unwrap_or(1), columns])?)?;
        match self.how {
            How::Factors => {
                let numbers = &state_of(first)?.numbers;
                let [factors, order] = &numbers[..] else { return Err(Failure::internal("solve: factors of another form")) };
                let order: Vec<usize> = order.to_vec::<i64>()?.into_iter().map(|row| row as usize).collect();
                let factors = matrix_of(factors)?;
                if factors.nrows() != b.nrows() || order.len() != b.nrows() || order.iter().any(|row| *row >= b.nrows()) {
                    return Err(Failure::internal("solve: right-hand sides of another length"));
                }
                b = Lu { factors, order, odd: false }.solve(&b);
            }
            How::Triangle { lower } => {
                let matrix = matrix_of(block_of(first)?)?;
                if matrix.nrows() != b.nrows() || matrix.ncols() != b.nrows() {
                    return Err(Failure::internal("solve: right-hand sides of another length"));
                }
                if !solve(&matrix.view(), if lower { Half::Lower } else { Half::Upper }, false, &mut b) {
                    return Err(singular("the triangle has a zero on its diagonal"));
                }
            }
        }
        in_kind(&Block::from_array(b.into_dyn()).reshaped(&shape)?, self.dtype).map(Chunk::new)
    }
}

impl NamedOperator for SolveBlock {
    const NAME: &'static str = "array_solve";
}
