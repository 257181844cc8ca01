//! `lstsq_full`: the nearest solution of equations with what tells how good it is.

use crate::array::{Axes, DArray, Float};

/// What [`DArray::lstsq_full`] gives. All of it is lazy, and what is not asked for is not calculated.
#[derive(Clone)]
#[non_exhaustive]
pub struct LeastSquares<T: Float> {
    /// The nearest solution, as [`DArray::lstsq`] gives it.
    pub solution: DArray<T>,
    /// For each right-hand side the sum of squares of what is missing; one element for a vector.
    pub residuals: DArray<T>,
    /// How many singular values of the matrix are above rounding: its number of columns, unless some depend on others.
    pub rank: DArray<i64>,
    /// The singular values of the matrix, the greatest first.
    pub singular_values: DArray<T>,
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
        let axes = if b.ndim().is_ok_and(|ndim| ndim == 1) { Axes::of(0).keepdims() } else { Axes::of(0) };
        let singular_values = self.svd().1;
        let longest = self.shape().map_or(0, |shape| shape.into_iter().max().unwrap_or(0));
        let precision = if T::DTYPE.size() == 4 { f64::from(f32::EPSILON) } else { f64::EPSILON };
        let least = singular_values.max() * T::of_f64(precision * longest as f64);
        let rank = singular_values.gt(&least).sum();
        LeastSquares { solution, residuals: missing.sum_axis(axes).cast::<T>(), rank, singular_values }
    }
}
