//! Factors of square matrices, each in one task: `cholesky`, `lu`, `inv`, `det`, `eigh`. The matrix is brought into one block.

use ndarray::{Array2, Ix2};
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::dense::cholesky::cholesky;
use super::dense::jacobi::eigh;
use super::dense::lu::{Lu, lu};
use crate::array::block::{Block, block_of};
use crate::array::element::{DType, Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::rechunk::rechunk;
use crate::array::reductions::state::{State, state_of};
use crate::array::{AnyArray, DArray, Float, Node, Step};

impl<T: Float> DArray<T> {
    /// The lower triangle whose product with its transpose is this symmetric positive definite matrix, of which the lower triangle is looked at.
    ///
    /// The matrix is factored in one task, in `f64`.
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
        part(&self.factored(Factoring::Cholesky, ".cholesky()"), 0, 2, ".cholesky()")
    }

    /// Three factors of a square matrix: an order of rows, a lower triangle with ones on its diagonal, and an upper triangle, such that
    /// `p · l · u` is the matrix.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1.0, 2.0], [4.0, 4.0]], 1);
    /// let (p, l, u) = x.lu();
    /// assert_eq!(u.compute()?, array![[4.0, 4.0], [0.0, 1.0]].into_dyn());
    /// assert_eq!(p.matmul(&l).matmul(&u).compute()?, x.compute()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no square matrix, sizes of chunks that are not known.
    #[track_caller]
    pub fn lu(&self) -> (DArray<T>, DArray<T>, DArray<T>) {
        let factors = self.factored(Factoring::Lu, ".lu()");
        (part(&factors, 0, 2, ".lu()"), part(&factors, 1, 2, ".lu()"), part(&factors, 2, 2, ".lu()"))
    }

    /// The matrix whose product with this square one has ones on its diagonal and zeros elsewhere. To solve equations,
    /// [`DArray::solve`] is faster and more exact.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[2.0, 0.0], [0.0, 4.0]], 1);
    /// assert_eq!(x.inv().compute()?, array![[0.5, 0.0], [0.0, 0.25]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no square matrix, sizes of chunks that are not known; while it runs: a matrix without an inverse.
    #[track_caller]
    pub fn inv(&self) -> DArray<T> {
        part(&self.factored(Factoring::Inverse, ".inv()"), 0, 2, ".inv()")
    }

    /// The determinant of a square matrix, as one element.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[0.0, 2.0], [3.0, 1.0]], 1);
    /// assert_eq!(x.det().compute_scalar()?, -6.0);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no square matrix, sizes of chunks that are not known.
    #[track_caller]
    pub fn det(&self) -> DArray<T> {
        part(&self.factored(Factoring::Determinant, ".det()"), 0, 0, ".det()")
    }

    /// The eigenvalues of a symmetric matrix in ascending order, and the vectors that belong to them, as columns. The lower triangle is looked at.
    ///
    /// Found by Jacobi's rotations: exact, and slow for matrices of more than a few hundred rows.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let (values, vectors) = DArray::from_array(array![[2.0, 0.0], [0.0, 1.0]], 1).eigh();
    /// assert_eq!(values.compute()?, array![1.0, 2.0].into_dyn());
    /// assert_eq!(vectors.compute()?, array![[0.0, 1.0], [1.0, 0.0]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no square matrix, sizes of chunks that are not known.
    #[track_caller]
    pub fn eigh(&self) -> (DArray<T>, DArray<T>) {
        let factors = self.factored(Factoring::Eigen, ".eigh()");
        (part(&factors, 0, 1, ".eigh()"), part(&factors, 1, 2, ".eigh()"))
    }

    /// What a factoring gives, all in one chunk. It is no array: only parts of it are.
    #[track_caller]
    pub(super) fn factored(&self, what: Factoring, method: &str) -> AnyArray {
        DArray::<f64>::then(Factor { what }, vec![self.cast::<f64>().to_any()], method).to_any()
    }
}

/// One of the arrays that a factoring gives, as an array of so many axes, as long along each as the matrix has rows.
#[track_caller]
fn part<T: Float>(factors: &AnyArray, at: usize, ndim: usize, method: &str) -> DArray<T> {
    DArray::then(PartOf { at, ndim, dtype: T::DTYPE }, vec![factors.clone()], method)
}

/// What a square matrix is brought into.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(super) enum Factoring {
    Cholesky,
    Lu,
    /// The factors as they are, and the order of rows, for solving equations.
    Compact,
    Inverse,
    Determinant,
    Eigen,
}

struct Factor {
    what: Factoring,
}

/// The length of a square matrix. Fails for other arrays.
pub(super) fn square(meta: &Meta) -> Result<usize, Failure> {
    match meta.shape()?[..] {
        [rows, columns] if rows == columns => Ok(rows),
        _ => Err(Failure::new(Code::ShapeMismatch, format!("an array of shape {} is no square matrix", meta.show_shape()))),
    }
}

impl Step for Factor {
    fn line(&self) -> String {
        format!("{:?}", self.what).to_lowercase()
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        // What it gives is in one chunk; the length says how long the parts are.
        Ok(Meta { dtype: DType::F64, cuts: vec![Cuts::whole(square(inputs[0])?)] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let whole = vec![Cuts::whole(square(meta)?); 2];
        let input = lowering.of(&node.inputs[0]);
        let input = rechunk(lowering, input, &meta.cuts, &whole, node);
        let op = OpRef::new(FactorMatrix { what: self.what }, self.line());
        Ok(lowering.add(Layer::single("factor", 1, op, vec![input.edge(Wiring::Each)]), node))
    }
}

/// A block as a matrix.
pub(super) fn matrix_of(block: &Block) -> Result<Array2<f64>, Failure> {
    let matrix = block.to_array::<f64>()?.into_dimensionality::<Ix2>();
    matrix.map_err(|_| Failure::internal("linalg: a block that is no matrix"))
}

/// The failure for a matrix that a factoring does not exist for.
pub(super) fn singular(what: &str) -> Failure {
    Failure::new(Code::SingularMatrix, what).help("the nearest solution of equations: a.lstsq(&b)")
}

/// Factors a matrix.
#[derive(Serialize, Deserialize)]
pub(crate) struct FactorMatrix {
    what: Factoring,
}

impl Operator for FactorMatrix {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("factor: no block"))??;
        let matrix = matrix_of(block)?;
        if matrix.nrows() != matrix.ncols() {
            return Err(Failure::internal("factor: a block that is not square"));
        }
        let numbers = match self.what {
            Factoring::Cholesky => {
                vec![Block::from_array(cholesky(matrix).ok_or_else(|| singular("the matrix is not positive definite"))?.into_dyn())]
            }
            Factoring::Lu => apart(&lu(matrix)),
            Factoring::Compact => {
                let found = regular(matrix)?;
                let order = found.order.iter().map(|row| *row as i64).collect::<Vec<i64>>();
                vec![Block::from_array(found.factors.into_dyn()), Block::from_vec(vec![order.len()], order)]
            }
            Factoring::Inverse => {
                let unit = Array2::eye(matrix.nrows());
                vec![Block::from_array(regular(matrix)?.solve(&unit).into_dyn())]
            }
            Factoring::Determinant => {
                let found = lu(matrix);
                let sign = if found.odd { -1.0 } else { 1.0 };
                vec![Block::full(Vec::new(), found.factors.diag().iter().fold(sign, |product: f64, pivot| product * pivot))]
            }
            Factoring::Eigen => {
                let (values, vectors) = eigh(&matrix);
                vec![Block::from_array(values.into_dyn()), Block::from_array(vectors.into_dyn())]
            }
        };
        Ok(Chunk::new(State { count: 0, numbers }))
    }
}

impl NamedOperator for FactorMatrix {
    const NAME: &'static str = "array_factor";
}

/// The factors of a matrix that has an inverse.
fn regular(matrix: Array2<f64>) -> Result<Lu, Failure> {
    let found = lu(matrix);
    if found.is_singular() { Err(singular("the matrix has no inverse")) } else { Ok(found) }
}

/// The order of rows as a matrix, the lower and the upper triangle.
fn apart(found: &Lu) -> Vec<Block> {
    let n = found.order.len();
    let mut order = Array2::<f64>::zeros((n, n));
    found.order.iter().enumerate().for_each(|(at, row)| order[[*row, at]] = 1.0);
    let triangle = |keeps: &dyn Fn(usize, usize) -> Option<f64>| {
        Array2::from_shape_fn((n, n), |(row, column)| keeps(row, column).unwrap_or(found.factors[[row, column]]))
    };
    let lower = triangle(&|row, column| (row <= column).then_some(if row == column { 1.0 } else { 0.0 }));
    let upper = triangle(&|row, column| (row > column).then_some(0.0));
    [order, lower, upper].map(|matrix| Block::from_array(matrix.into_dyn())).to_vec()
}

struct PartOf {
    at: usize,
    ndim: usize,
    dtype: DType,
}

impl Step for PartOf {
    fn line(&self) -> String {
        format!("part {}", self.at)
    }

    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        Ok(Meta { dtype: self.dtype, cuts: vec![inputs[0].cuts[0].clone(); self.ndim] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let op = OpRef::new(TakePart { at: self.at, dtype: self.dtype }, self.line());
        let edges = vec![lowering.of(&node.inputs[0]).edge(Wiring::Each)];
        Ok(lowering.add(Layer::single("part", 1, op, edges), node))
    }
}

/// One of several arrays that a task gave.
#[derive(Serialize, Deserialize)]
pub(crate) struct TakePart {
    pub(super) at: usize,
    pub(super) dtype: DType,
}

impl Operator for TakePart {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let state = inputs.first().map(state_of).ok_or_else(|| Failure::internal("part: nothing to take it of"))??;
        let block = state.numbers.get(self.at).ok_or_else(|| Failure::internal("part: fewer than there should be"))?;
        in_kind(block, self.dtype).map(Chunk::new)
    }
}

impl NamedOperator for TakePart {
    const NAME: &'static str = "array_part";
}

/// A block of `f64` as one of another kind.
pub(super) fn in_kind(block: &Block, dtype: DType) -> Result<Block, Failure> {
    if dtype == DType::F64 {
        return Ok(block.clone());
    }
    with_dtype!(dtype, T => Ok(Block::from_array(block.view::<f64>()?.mapv(T::of_f64))))
}
