//! `matrix_rank`, `pinv`, `cond` and `matrix_power`: what singular values, products and inverses say together.

use num_complex::Complex;

use super::factor::square;
use crate::array::{DArray, Element, Float, Inexact, Number};

impl<T: Inexact> DArray<T> {
    /// How many singular values of a matrix are above rounding, which is as many roundings of the greatest as the longer side is long: the number of
    /// rows, or of columns, that are no sums of others.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]], 2);
    /// assert_eq!(x.matrix_rank().compute_scalar()?, 1);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::svdvals`].
    #[track_caller]
    pub fn matrix_rank(&self) -> DArray<i64> {
        let values = self.singular_alone::<f64>();
        let least = self.rounding(&values);
        values.gt(&least).sum()
    }

    /// The inverse of what a matrix does to the vectors that it can give, of any form and rank (E. H. Moore, R. Penrose): singular values above
    /// rounding are inverted, the others left out. For equations see [`DArray::solve`] and [`DArray::lstsq`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1.0_f64, 0.0], [0.0, 2.0], [0.0, 0.0]], 2);
    /// assert!(x.pinv().matmul(&x).all_close(&DArray::eye(2, 2), 1e-12, 1e-12).compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::svd`].
    #[track_caller]
    pub fn pinv(&self) -> DArray<T> {
        let (u, values, vt) = self.singular::<f64>();
        let least = self.rounding(&values);
        let inverse = values.reciprocal().where_(&values.gt(&least), 0.0).cast::<T>();
        (vt.conj().t() * inverse).matmul(&u.conj().t())
    }

    /// A square matrix times itself, so many times; of a negative number its inverse, of 0 ones on the diagonal.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1.0, 1.0], [0.0, 1.0]], 1);
    /// assert_eq!(x.matrix_power(5).compute()?, array![[1.0, 5.0], [0.0, 1.0]].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no square matrix, sizes of chunks that are not known; while it runs: of a negative power a matrix without an inverse.
    #[track_caller]
    pub fn matrix_power(&self, power: i64) -> DArray<T> {
        let n = match self.untyped().meta().and_then(square) {
            Ok(n) => n,
            Err(failure) => return DArray::failed(failure, ".matrix_power(…)"),
        };
        let (mut square, mut left) = (if power < 0 { self.inv() } else { self.clone() }, power.unsigned_abs());
        let mut found: Option<DArray<T>> = None;
        while left > 0 {
            if left & 1 == 1 {
                found = Some(found.map_or_else(|| square.clone(), |found| found.matmul(&square)));
            }
            left >>= 1;
            if left > 0 {
                square = square.matmul(&square);
            }
        }
        let chunks = self.chunks().unwrap_or_else(|_| vec![vec![n]; 2]);
        found.unwrap_or_else(|| DArray::eye(n, chunks))
    }

    /// What of singular values is rounding.
    #[track_caller]
    fn rounding(&self, values: &DArray<f64>) -> DArray<f64> {
        let longest = self.shape().map_or(0, |shape| shape.into_iter().max().unwrap_or(0));
        let precision = if T::DTYPE.part().size() == 4 { f64::from(f32::EPSILON) } else { f64::EPSILON };
        // Of no values none is the greatest.
        let greatest = if values.shape().is_ok_and(|shape| shape == [0]) { values.sum() } else { values.max() };
        greatest * (precision * longest as f64)
    }

    /// The greatest singular value over the least.
    #[track_caller]
    fn condition<R: Element>(&self) -> DArray<R> {
        let values = self.singular_alone::<f64>();
        let ratio = values.max() / values.min();
        // Zero over zero: elements that are no numbers have no singular values at all.
        ratio.where_(&!ratio.is_nan(), f64::INFINITY).cast::<R>()
    }
}

impl<T: Float> DArray<T> {
    /// By how much a matrix may make relative errors larger: its greatest singular value over its least. Infinite where columns, or rows, are sums of
    /// others without any rounding.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[4.0_f64, 0.0], [0.0, 0.5]], 1);
    /// assert!((x.cond().compute_scalar()? - 8.0).abs() < 1e-12);
    /// assert_eq!((&x * 0.0).cond().compute_scalar()?, f64::INFINITY);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::svdvals`]; a matrix without elements.
    #[track_caller]
    pub fn cond(&self) -> DArray<T> {
        self.condition()
    }
}

// Beside the one of real numbers, so that types are known where a matrix is made of numbers without a suffix.
impl<F: Float> DArray<Complex<F>>
where
    Complex<F>: Inexact + Number<Part = F>,
{
    /// By how much a matrix may make relative errors larger.
    ///
    /// # Errors
    /// As with real numbers.
    #[track_caller]
    pub fn cond(&self) -> DArray<F> {
        self.condition()
    }
}
