//! `lstsq_full`: the nearest solution of equations with what tells how good it is.

use num_complex::Complex;

use crate::array::{Axes, DArray, Element, Float, Inexact, Number};

/// What [`DArray::lstsq_full`] gives. All of it is lazy, and what is not asked for is not calculated.
#[derive(Clone)]
#[non_exhaustive]
pub struct LeastSquares<T: Element, R: Element = T> {
    /// The nearest solution, as [`DArray::lstsq`] gives it.
    pub solution: DArray<T>,
    /// For each right-hand side the sum of squares of what is missing; one element for a vector.
    pub residuals: DArray<R>,
    /// How many singular values of the matrix are above rounding: its number of columns, unless some depend on others.
    pub rank: DArray<i64>,
    /// The singular values of the matrix, the greatest first.
    pub singular_values: DArray<R>,
}

impl<T: Float> DArray<T> {
    /// [`DArray::lstsq`] with the sums of squares of what is missing, and with the rank and the singular values of this matrix.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let a = DArray::from_array(array![[1.0_f64, 0.0], [1.0, 1.0], [1.0, 2.0]], [2, 2]);
    /// let found = a.lstsq_full(&DArray::from_array(array![1.0, 3.0, 8.0], 2));
    /// assert!((found.residuals.compute()?[[0]] - 1.5).abs() < 1e-12);
    /// assert_eq!(found.rank.compute_scalar()?, 2);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::lstsq`].
    #[track_caller]
    pub fn lstsq_full(&self, b: &DArray<T>) -> LeastSquares<T> {
        let solution = self.lstsq(b);
        let missing = (self.matmul(&solution) - b).square();
        told(self, solution, &missing, self.svdvals())
    }
}

// Beside the one of real numbers, so that types are known where a matrix is made of numbers without a suffix.
impl<F: Float> DArray<Complex<F>>
where
    Complex<F>: Inexact + Number<Part = F>,
{
    /// [`DArray::lstsq`] with the sums of squares of the sizes of what is missing, which are real, and with the rank and the singular values of this
    /// matrix.
    ///
    /// # Errors
    /// As [`DArray::lstsq`].
    #[track_caller]
    pub fn lstsq_full(&self, b: &DArray<Complex<F>>) -> LeastSquares<Complex<F>, F> {
        let solution = self.lstsq(b);
        let missing = self.matmul(&solution) - b;
        told(self, solution, &(missing.re().square() + missing.im().square()), self.svdvals())
    }
}

/// A solution with what the squares of what is missing, for each equation, and the singular values say of it.
#[track_caller]
fn told<T: Inexact, R: Float>(a: &DArray<T>, solution: DArray<T>, missing: &DArray<R>, singular_values: DArray<R>) -> LeastSquares<T, R> {
    let axes = if solution.ndim().is_ok_and(|ndim| ndim == 1) { Axes::of(0).keepdims() } else { Axes::of(0) };
    let longest = a.shape().map_or(0, |shape| shape.into_iter().max().unwrap_or(0));
    let precision = if R::DTYPE.size() == 4 { f64::from(f32::EPSILON) } else { f64::EPSILON };
    let least = singular_values.max() * R::of_f64(precision * longest as f64);
    let rank = singular_values.gt(&least).sum();
    LeastSquares { solution, residuals: missing.sum_axis(axes).cast::<R>(), rank, singular_values }
}
