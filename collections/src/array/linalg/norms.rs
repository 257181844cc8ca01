//! `matrix_norm`: how large a matrix is, by its elements, its rows, its columns or its singular values. Sizes of vectors are `norm` and `norm_axis`.

use num_complex::Complex;
use partita_graph::{Code, Failure};

use crate::array::{Axes, DArray, Element, Float, Inexact, Norm, Number};

/// How the size of a matrix is measured; in brackets what NumPy calls it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MatrixNorm {
    /// The root of the sum of squares of all elements (`"fro"`).
    Frobenius,
    /// The sum of singular values (`"nuc"`).
    Nuclear,
    /// The greatest singular value (`2`): how much the matrix can stretch a vector.
    Spectral,
    /// The least singular value (`-2`).
    LeastSingular,
    /// The greatest sum of sizes of a column (`1`).
    Columns,
    /// The least sum of sizes of a column (`-1`).
    LeastColumn,
    /// The greatest sum of sizes of a row (`inf`).
    Rows,
    /// The least sum of sizes of a row (`-inf`).
    LeastRow,
}

impl<T: Float> DArray<T> {
    /// The size of a matrix; see [`MatrixNorm`]. For vectors see [`DArray::norm_axis`].
    ///
    /// ```
    /// use partita::{MatrixNorm, prelude::*};
    /// let x = DArray::from_array(partita::ndarray::array![[3.0_f64, 0.0], [0.0, -4.0]], 1);
    /// assert_eq!(x.matrix_norm(MatrixNorm::Frobenius).compute_scalar()?, 5.0);
    /// assert_eq!(x.matrix_norm(MatrixNorm::Rows).compute_scalar()?, 4.0);
    /// assert!((x.matrix_norm(MatrixNorm::Nuclear).compute_scalar()? - 7.0).abs() < 1e-12);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: another number of axes than two, the greatest or least of no elements; for singular values what [`DArray::svdvals`] says.
    #[track_caller]
    pub fn matrix_norm(&self, norm: MatrixNorm) -> DArray<T> {
        match no_matrix(self) {
            Some(failure) => DArray::failed(failure, ".matrix_norm(…)"),
            None => measured(norm, &self.abs(), || self.svdvals()),
        }
    }
}

// Beside the one of real numbers, so that types are known where a matrix is made of numbers without a suffix.
impl<F: Float> DArray<Complex<F>>
where
    Complex<F>: Inexact + Number<Part = F>,
{
    /// The size of a matrix; see [`MatrixNorm`].
    ///
    /// # Errors
    /// As with real numbers.
    #[track_caller]
    pub fn matrix_norm(&self, norm: MatrixNorm) -> DArray<F> {
        match no_matrix(self) {
            Some(failure) => DArray::failed(failure, ".matrix_norm(…)"),
            None => measured(norm, &self.abs(), || self.svdvals()),
        }
    }
}

/// Why an array that is no matrix has no size as one.
fn no_matrix<T: Element>(array: &DArray<T>) -> Option<Failure> {
    let what = |ndim: usize| format!("the size of an array of {ndim} axes as a matrix");
    match array.ndim() {
        Ok(2) => None,
        Ok(ndim) => Some(Failure::new(Code::ShapeMismatch, what(ndim)).help("along any axes: .norm_axis(Norm::Euclidean, axes)")),
        Err(failure) => Some(failure),
    }
}

#[track_caller]
fn measured<R: Float>(norm: MatrixNorm, sizes: &DArray<R>, singular: impl FnOnce() -> DArray<R>) -> DArray<R> {
    let lines = |axis: isize| sizes.sum_axis(axis).cast::<R>();
    match norm {
        MatrixNorm::Frobenius => sizes.norm_axis(Norm::Euclidean, Axes::all()),
        MatrixNorm::Nuclear => singular().sum().cast::<R>(),
        MatrixNorm::Spectral => singular().max(),
        MatrixNorm::LeastSingular => singular().min(),
        MatrixNorm::Columns => lines(0).max(),
        MatrixNorm::LeastColumn => lines(0).min(),
        MatrixNorm::Rows => lines(1).max(),
        MatrixNorm::LeastRow => lines(1).min(),
    }
}
