//! `eigh` and `eigvalsh`: eigenvalues of symmetric and Hermitian matrices, in one task, into which the matrix is brought.
//!
//! It refuses to do this block by block. The reduction to three diagonals reads the whole matrix once for each of its columns, so that tasks would
//! wait for each other as many times as there are columns, and for chunks of each other's; what needs less of that (Jacobi's rotations) calculates
//! several times as much.

use num_complex::Complex;
use partita_graph::{Chunk, Code, Failure, Layer, NamedOperator, OpRef, Operator, TaskContext, Wiring};
use serde::{Deserialize, Serialize};

use super::dense::spectrum::{eigenvalues, eigh};
use super::factor::{fits_a_task, made, part, square};
use super::matrix::{Matrix, block_of_matrix, with_exact};
use crate::array::block::{Block, block_of};
use crate::array::lower::{Lowered, Lowering};
use crate::array::meta::{Cuts, Meta};
use crate::array::rechunk::rechunk;
use crate::array::reductions::state::State;
use crate::array::{DArray, Element, Float, Inexact, Node, Step};

impl<T: Float> DArray<T> {
    /// The eigenvalues of a symmetric matrix in ascending order, and the vectors that belong to them, as columns. The lower triangle is looked at.
    ///
    /// The matrix is brought into one task, because no way to do this block by block is nearly as fast: so its length is limited. The task holds the
    /// matrix, a copy and the vectors, `24 n²` bytes, or `48 n²` of complex numbers, all of which calculate with eight bytes: 2.4 GB for 10,000
    /// rows. It runs on one thread. Where only the greatest eigenvalues of a matrix without negative ones are wanted,
    /// [`DArray::svd_compressed`] gives them block by block.
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
    /// At `compute`: no square matrix, one of more than 37,000 rows (26,000 of complex numbers), sizes of chunks that are not known; while it runs:
    /// elements that are infinite or no numbers.
    #[track_caller]
    pub fn eigh(&self) -> (DArray<T>, DArray<T>) {
        self.spectrum()
    }

    /// The eigenvalues of a symmetric matrix in ascending order, without the vectors of [`DArray::eigh`]: less than half the work. The lower triangle
    /// is looked at.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[2.0, 1.0], [1.0, 2.0]], 1);
    /// assert!(x.eigvalsh().all_close(&DArray::from_array(array![1.0, 3.0], 2), 1e-12, 0.0).compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::eigh`].
    #[track_caller]
    pub fn eigvalsh(&self) -> DArray<T> {
        self.spectrum_alone()
    }
}

// Beside the ones of real numbers, and not one for both, so that types are known where a matrix is made of numbers without a suffix.
impl<F: Float> DArray<Complex<F>>
where
    Complex<F>: Inexact,
{
    /// The eigenvalues of a Hermitian matrix, which are real, in ascending order, and the vectors that belong to them, as columns. As with real
    /// numbers the matrix is brought into one task.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let i = Complex::new(0.0, 1.0);
    /// let x = DArray::from_array(array![[Complex::new(2.0, 0.0), -i], [i, Complex::new(2.0, 0.0)]], 1);
    /// assert!(x.eigh().0.all_close(&DArray::from_array(array![1.0, 3.0], 2), 1e-12, 0.0).compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As with real numbers.
    #[track_caller]
    pub fn eigh(&self) -> (DArray<F>, DArray<Complex<F>>) {
        self.spectrum()
    }

    /// The eigenvalues of a Hermitian matrix in ascending order, without its vectors.
    ///
    /// # Errors
    /// As with real numbers.
    #[track_caller]
    pub fn eigvalsh(&self) -> DArray<F> {
        self.spectrum_alone()
    }
}

impl<T: Inexact> DArray<T> {
    #[track_caller]
    fn spectrum<R: Element>(&self) -> (DArray<R>, DArray<T>) {
        let factors = made(Eigen { vectors: true }, vec![self.exact()], ".eigh()");
        (part(&factors, 0, 1, ".eigh()"), part(&factors, 1, 2, ".eigh()"))
    }

    #[track_caller]
    fn spectrum_alone<R: Element>(&self) -> DArray<R> {
        part(&made(Eigen { vectors: false }, vec![self.exact()], ".eigvalsh()"), 0, 1, ".eigvalsh()")
    }
}

struct Eigen {
    vectors: bool,
}

impl Step for Eigen {
    fn line(&self) -> String {
        if self.vectors { "eigenvalues and vectors".into() } else { "eigenvalues".into() }
    }

    /// What it gives is in one chunk; the length says how long the parts are.
    fn meta(&self, inputs: &[&Meta]) -> Result<Meta, Failure> {
        let n = square(inputs[0])?;
        fits_a_task("eigenvalues", (n, n), inputs[0].dtype, "the greatest values and their vectors: .svd_compressed(…)")?;
        Ok(Meta { dtype: inputs[0].dtype, cuts: vec![Cuts::whole(n)] })
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering) -> Result<Lowered, Failure> {
        let meta = node.inputs[0].meta()?;
        let whole = vec![Cuts::whole(square(meta)?); 2];
        let input = lowering.of(&node.inputs[0]);
        let input = rechunk(lowering, input, meta, &whole, node);
        let op = OpRef::new(FactorMatrix { vectors: self.vectors }, self.line());
        Ok(lowering.add(Layer::single("eigen", 1, op, vec![input.edge(Wiring::Each)]), node))
    }
}

/// Eigenvalues of a matrix, and its vectors if they are wanted.
#[derive(Serialize, Deserialize)]
pub(crate) struct FactorMatrix {
    vectors: bool,
}

impl Operator for FactorMatrix {
    fn run(&self, _: &TaskContext<'_>, inputs: &[Chunk]) -> Result<Chunk, Failure> {
        let block = inputs.first().map(block_of).ok_or_else(|| Failure::internal("eigh: no block"))??;
        with_exact!(block.dtype(), E => {
            let matrix = Matrix::<E>::of(block)?;
            let matrix = matrix.view();
            if matrix.nrows() != matrix.ncols() {
                return Err(Failure::internal("eigh: a block that is not square"));
            }
            let line = |values: Vec<f64>| Block::from_vec(vec![values.len()], values);
            let numbers = if self.vectors {
                let (values, vectors) = eigh(matrix).ok_or_else(no_values)?;
                vec![line(values), block_of_matrix(vectors.as_ref())?]
            } else {
                vec![line(eigenvalues(matrix).ok_or_else(no_values)?)]
            };
            Ok(Chunk::new(State { count: 0, numbers }))
        })
    }
}

fn no_values() -> Failure {
    let what = "eigenvalues of a matrix with elements that are infinite or no numbers";
    Failure::new(Code::SingularMatrix, what).help("numbers in their places: .nan_to_num()")
}

impl NamedOperator for FactorMatrix {
    const NAME: &'static str = "array_factor";
}
