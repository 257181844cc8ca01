//! Factors of square matrices, each in one task: `lu`, `det`, `eigh`. The matrix is brought into one block.

use faer::Mat;
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::dense::lu::{Lu, lu};
use super::dense::spectrum::eigh;
use super::matrix::{Matrix, block_of_matrix};
use crate::array::block::{Block, block_of};
use crate::array::element::{DType, Held, with_dtype};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::rechunk::rechunk;
use crate::array::reductions::state::{State, state_of};
use crate::array::{AnyArray, DArray, Float, Node, Step};

impl<T: Float> DArray<T> {
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
    /// At `compute`: no square matrix, one of more than 37,000 rows, which are worked on in one task, sizes of chunks that are not known.
    #[track_caller]
    pub fn lu(&self) -> (DArray<T>, DArray<T>, DArray<T>) {
        let factors = self.factored(Factoring::Lu, ".lu()");
        (part(&factors, 0, 2, ".lu()"), part(&factors, 1, 2, ".lu()"), part(&factors, 2, 2, ".lu()"))
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
    /// At `compute`: no square matrix, one of more than 37,000 rows, which are worked on in one task, sizes of chunks that are not known.
    #[track_caller]
    pub fn det(&self) -> DArray<T> {
        part(&self.factored(Factoring::Determinant, ".det()"), 0, 0, ".det()")
    }

    /// The eigenvalues of a symmetric matrix in ascending order, and the vectors that belong to them, as columns. The lower triangle is looked at.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[2.0, 1.0], [1.0, 2.0]], 1);
    /// let (values, vectors) = x.eigh();
    /// assert!(values.all_close(&DArray::from_array(array![1.0, 3.0], 2), 1e-12, 0.0).compute_scalar()?);
    /// assert!(x.matmul(&vectors).all_close(&(vectors * values), 1e-12, 1e-12).compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no square matrix, one of more than 37,000 rows, which are worked on in one task, sizes of chunks that are not known; while it
    /// runs: elements that are infinite or no numbers.
    #[track_caller]
    pub fn eigh(&self) -> (DArray<T>, DArray<T>) {
        let factors = self.factored(Factoring::Eigen, ".eigh()");
        (part(&factors, 0, 1, ".eigh()"), part(&factors, 1, 2, ".eigh()"))
    }

    /// What a factoring gives, all in one chunk. It is no array: only parts of it are.
    #[track_caller]
    fn factored(&self, what: Factoring, method: &str) -> AnyArray {
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
enum Factoring {
    Lu,
    Determinant,
    Eigen,
}

struct Factor {
    what: Factoring,
}

/// Bytes that a task may hold of a matrix, its factors and what it needs beside them.
const TASK_BYTES: u64 = 32 << 30;

/// Fails for a matrix of which no task should be given so many rows and columns. `name` says of what, `help` what to do then.
pub(super) fn fits_a_task(name: &str, rows: usize, columns: usize, help: &str) -> Result<(), Failure> {
    let bytes = (rows as u64).saturating_mul(columns as u64).saturating_mul(3 * size_of::<f64>() as u64);
    if bytes <= TASK_BYTES {
        return Ok(());
    }
    let what = format!("{name} of {rows} rows and {columns} columns are made in one task, which would hold {} GiB", bytes >> 30);
    Err(Failure::new(Code::Unsupported, what).help(help))
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
        let n = square(inputs[0])?;
        let (name, help) = match self.what {
            Factoring::Lu | Factoring::Determinant => ("lu and det", "to solve equations: .solve(&b), which works panel by panel"),
            Factoring::Eigen => ("eigh", "the greatest values and their vectors: .svd_compressed(…)"),
        };
        fits_a_task(name, n, n, help)?;
        Ok(Meta { dtype: DType::F64, cuts: vec![Cuts::whole(n)] })
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
        let matrix = Matrix::<f64>::of(block)?;
        let matrix = matrix.view();
        if matrix.nrows() != matrix.ncols() {
            return Err(Failure::internal("factor: a block that is not square"));
        }
        let numbers = match self.what {
            Factoring::Lu => apart(&lu(matrix))?,
            Factoring::Determinant => vec![Block::full(Vec::new(), lu(matrix).determinant())],
            Factoring::Eigen => {
                let what = "eigenvalues of a matrix with elements that are infinite or no numbers";
                let failure = || Failure::new(Code::SingularMatrix, what).help("numbers in their places: .nan_to_num()");
                let (values, vectors) = eigh(matrix).ok_or_else(failure)?;
                vec![Block::from_vec(vec![values.len()], values), block_of_matrix(vectors.as_ref())?]
            }
        };
        Ok(Chunk::new(State { count: 0, numbers }))
    }
}

impl NamedOperator for FactorMatrix {
    const NAME: &'static str = "array_factor";
}

/// The order of rows as a matrix, the lower and the upper triangle.
fn apart(found: &Lu) -> Result<Vec<Block>, Failure> {
    let n = found.order.len();
    let mut order = Mat::<f64>::zeros(n, n);
    found.order.iter().enumerate().for_each(|(at, row)| order[(*row, at)] = 1.0);
    let mut lower = Mat::<f64>::identity(n, n);
    let mut upper = Mat::<f64>::zeros(n, n);
    for column in 0..n {
        let (above, below) = found.factors.col_as_slice(column).split_at(column + 1);
        upper.col_as_slice_mut(column)[..=column].copy_from_slice(above);
        lower.col_as_slice_mut(column)[column + 1..].copy_from_slice(below);
    }
    [order, lower, upper].iter().map(|matrix| block_of_matrix(matrix.as_ref())).collect()
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
