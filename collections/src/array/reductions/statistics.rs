//! Statistics that are made of other reductions and of elementwise operations: weighted means, moments, norms.

use num_complex::Complex;

use super::axes::Axes;
use crate::array::{DArray, Float, Held, Number};

/// How the size of a vector is measured.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Norm {
    /// The root of the sum of squares.
    Euclidean,
    /// The sum of sizes.
    Sum,
    /// The greatest size.
    Max,
    /// The least size.
    Min,
    /// The number of elements other than zero.
    Count,
    /// The root of the sum of sizes to this power.
    Power(f64),
}

impl<T: Number> DArray<T> {
    /// The mean of elements over some axes, each of which counts as much as its weight. Weights fit beside the array elementwise; they are of the
    /// type of means, which for integers is `f64`.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1.0f64, 2.0], [3.0, 4.0]], 1);
    /// let weights = DArray::from_array(array![3.0, 1.0], 2);
    /// assert_eq!(x.average(&weights, 1).compute()?, array![1.25, 3.25].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: weights of a shape that does not fit, an axis that does not exist, sizes of chunks that are not known.
    #[track_caller]
    pub fn average(&self, weights: &DArray<T::Mean>, axes: impl Into<Axes>) -> DArray<T::Mean> {
        let (axes, numbers) = (axes.into(), self.cast::<T::Mean>());
        // Repeated to the shape of the array, so that they are summed up as often as they count.
        let repeated = weights * numbers.ones_like();
        let sum = (numbers * &repeated).sum_axis(axes.clone()).cast::<T::Mean>();
        sum / repeated.sum_axis(axes).cast::<T::Mean>()
    }

    /// The mean of the distances from the mean, to a power: 2 gives the variance.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![1.0f64, 2.0, 6.0], 2);
    /// assert_eq!(x.moment(3, Axes::all()).compute_scalar()?, 6.0);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or is named twice.
    #[track_caller]
    pub fn moment(&self, order: i32, axes: impl Into<Axes>) -> DArray<T::Mean> {
        let (axes, numbers) = (axes.into(), self.cast::<T::Mean>());
        let mean = numbers.mean_axis(axes.clone().keepdims()).cast::<T::Mean>();
        (numbers - mean).pow(<T::Mean as Held>::of_i64(order.into())).mean_axis(axes).cast::<T::Mean>()
    }
}

impl<T: Float> DArray<T> {
    /// The root of the sum of squares of all elements.
    ///
    /// ```
    /// use partita::{Norm, prelude::*};
    /// let x = DArray::from_array(partita::ndarray::array![3.0f64, -4.0], 1);
    /// assert_eq!(x.norm().compute_scalar()?, 5.0);
    /// assert_eq!(x.norm_axis(Norm::Sum, 0).compute_scalar()?, 7.0);
    /// assert_eq!(x.norm_axis(Norm::Max, 0).compute_scalar()?, 4.0);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn norm(&self) -> DArray<T> {
        self.norm_axis(Norm::Euclidean, Axes::all())
    }

    /// The size of the vectors along some axes; see [`Norm`].
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or is named twice; the greatest or least of no elements.
    #[track_caller]
    pub fn norm_axis(&self, norm: Norm, axes: impl Into<Axes>) -> DArray<T> {
        let axes = axes.into();
        match norm {
            Norm::Euclidean => self.square().sum_axis(axes).cast::<T>().sqrt(),
            Norm::Sum => self.abs().sum_axis(axes).cast::<T>(),
            Norm::Max => self.abs().max_axis(axes),
            Norm::Min => self.abs().min_axis(axes),
            Norm::Count => self.count_nonzero_axis(axes).cast::<T>(),
            Norm::Power(power) => self.abs().pow(T::of_f64(power)).sum_axis(axes).cast::<T>().pow(T::of_f64(1.0 / power)),
        }
    }
}

// Beside the ones of real numbers, so that types are known where an array is made of numbers without a suffix.
impl<F: Float> DArray<Complex<F>>
where
    Complex<F>: Number<Part = F>,
{
    /// The root of the sum of squares of the sizes of all elements.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![Complex::new(3.0f64, 4.0), Complex::new(0.0, -12.0)], 1);
    /// assert_eq!(x.norm().compute_scalar()?, 13.0);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn norm(&self) -> DArray<F> {
        self.abs().norm()
    }

    /// The size of the vectors along some axes; see [`Norm`].
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or is named twice; the greatest or least of no elements.
    #[track_caller]
    pub fn norm_axis(&self, norm: Norm, axes: impl Into<Axes>) -> DArray<F> {
        self.abs().norm_axis(norm, axes)
    }
}
