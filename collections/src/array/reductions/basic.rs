//! The reductions that everybody knows: sums, products, means, spread, extremes, truths and places, over all axes or some.
//!
//! The variants that skip NaN are defined for floats and complex numbers only: nothing else has NaN.

use super::axes::Axes;
use super::fold::Fold;
use super::state::Finish;
use crate::array::{DArray, Element, Float, Inexact, Ordered, Real};

macro_rules! reductions {
    ($Class:ident: $($(#[$doc:meta])* $name:ident $axis:ident -> $Out:ty = $fold:expr, $finish:expr;)*) => {
        impl<T: $Class> DArray<T> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&self) -> DArray<$Out> {
                    self.reduced(stringify!($name), Axes::all(), $fold, $finish)
                }

                #[doc = concat!("[`DArray::", stringify!($name), "`] over some axes; see [`Axes`].")]
                ///
                /// # Errors
                /// At `compute`: an axis that does not exist or is named twice.
                #[track_caller]
                pub fn $axis(&self, axes: impl Into<Axes>) -> DArray<$Out> {
                    self.reduced(stringify!($name), axes.into(), $fold, $finish)
                }
            )*
        }
    };
}

reductions! { Element:
    /// The sum of all elements, as one element.
    ///
    /// Sums of floats, and of the parts of complex numbers, are made in `f64` and keep what rounding takes away; sums of integers are of eight bytes and wrap. For one way
    /// of cutting the array the result is the same bits on any number of threads and workers.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![[1.0f64, 2.0], [3.0, 4.0]], 1);
    /// assert_eq!(x.sum().compute_scalar()?, 10.0);
    /// assert_eq!(x.sum_axis(0).compute()?, array![4.0, 6.0].into_dyn());
    /// assert_eq!(((&x + 1.0) * 2.0 - x.pow(2.0)).sum().compute_scalar()?, -2.0);
    /// assert_eq!(x.gt(1.5).sum().compute_scalar()?, 3);
    /// # Ok::<(), partita::Error>(())
    /// ```
    sum sum_axis -> T::Sum = Fold::Sum, Finish::Value;
    /// The product of all elements, as one element. Products of integers are of eight bytes and wrap.
    ///
    /// ```
    /// use partita::prelude::*;
    /// assert_eq!(DArray::arange(1i32, 6, 1, 2).prod().compute_scalar()?, 120);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "product")]
    prod prod_axis -> T::Sum = Fold::Product, Finish::Value;
    /// Whether any element is other than zero.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0, 4, 1, 2);
    /// assert!(x.gt(2).any().compute_scalar()?);
    /// assert!(!x.gt(2).all().compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    any any_axis -> bool = Fold::Any, Finish::Value;
    /// Whether all elements are other than zero.
    all all_axis -> bool = Fold::All, Finish::Value;
}

reductions! { Ordered:
    /// The least of all elements, as one element; NaN where one of them is.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![[4, 2], [3, 1]], 1);
    /// assert_eq!((x.min().compute_scalar()?, x.max().compute_scalar()?), (1, 4));
    /// assert_eq!(x.max_axis(0).compute()?.into_iter().collect::<Vec<_>>(), [4, 2]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no elements.
    #[doc(alias = "amin")]
    min min_axis -> T = Fold::Extreme { greatest: false, skip_nan: false }, Finish::Value;
    /// The greatest of all elements, as one element; NaN where one of them is.
    ///
    /// # Errors
    /// At `compute`: no elements.
    #[doc(alias = "amax")]
    max max_axis -> T = Fold::Extreme { greatest: true, skip_nan: false }, Finish::Value;
    /// The place of the least element, counted in row-major order of the axes that are reduced; of the first, where there are several;
    /// of the first NaN, where there is one.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![[4, 2, 9], [3, 1, 9]], 1);
    /// assert_eq!((x.argmin().compute_scalar()?, x.argmax().compute_scalar()?), (4, 2));
    /// assert_eq!(x.argmin_axis(0).compute()?.into_iter().collect::<Vec<_>>(), [1, 1, 0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no elements, sizes of chunks that are not known.
    argmin argmin_axis -> i64 = Fold::Place { greatest: false, skip_nan: false }, Finish::Name;
    /// The place of the greatest element; see [`DArray::argmin`].
    ///
    /// # Errors
    /// At `compute`: no elements, sizes of chunks that are not known.
    argmax argmax_axis -> i64 = Fold::Place { greatest: true, skip_nan: false }, Finish::Name;
}

reductions! { Float:
    /// The least of all elements that are not NaN; NaN where all are.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![3.0f64, f64::NAN, 1.0], 2);
    /// assert_eq!((x.nanmin().compute_scalar()?, x.nanmax().compute_scalar()?), (1.0, 3.0));
    /// assert_eq!((x.nanmean().compute_scalar()?, x.nansum().compute_scalar()?), (2.0, 4.0));
    /// assert_eq!((x.nanargmin().compute_scalar()?, x.nanstd(0.0).compute_scalar()?), (2, 1.0));
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: no elements.
    nanmin nanmin_axis -> T = Fold::Extreme { greatest: false, skip_nan: true }, Finish::Value;
    /// The greatest of all elements that are not NaN; NaN where all are.
    ///
    /// # Errors
    /// At `compute`: no elements.
    nanmax nanmax_axis -> T = Fold::Extreme { greatest: true, skip_nan: true }, Finish::Value;
    /// The place of the least element that is not NaN; see [`DArray::argmin`].
    ///
    /// # Errors
    /// At `compute`: no elements; while it runs: only NaN.
    nanargmin nanargmin_axis -> i64 = Fold::Place { greatest: false, skip_nan: true }, Finish::Name;
    /// The place of the greatest element that is not NaN; see [`DArray::argmin`].
    ///
    /// # Errors
    /// At `compute`: no elements; while it runs: only NaN.
    nanargmax nanargmax_axis -> i64 = Fold::Place { greatest: true, skip_nan: true }, Finish::Name;
}

reductions! { Inexact:
    /// The mean of all elements that are not NaN; NaN where all are.
    nanmean nanmean_axis -> T = Fold::Moments { skip_nan: true }, Finish::Mean;
}

macro_rules! spread {
    ($Class:ident: $($(#[$doc:meta])* $name:ident $axis:ident -> $Out:ty = $skip:literal, $root:literal;)*) => {
        impl<T: $Class> DArray<T> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&self, ddof: f64) -> DArray<$Out> {
                    self.$axis(Axes::all(), ddof)
                }

                #[doc = concat!("[`DArray::", stringify!($name), "`] over some axes; see [`Axes`].")]
                ///
                /// # Errors
                /// At `compute`: an axis that does not exist or is named twice.
                #[track_caller]
                pub fn $axis(&self, axes: impl Into<Axes>, ddof: f64) -> DArray<$Out> {
                    let finish = Finish::Variance { ddof, root: $root };
                    self.reduced(stringify!($name), axes.into(), Fold::Moments { skip_nan: $skip }, finish)
                }
            )*
        }
    };
}

spread! { Element:
    /// The variance of all elements: the sum of squared distances from the mean by the number of elements less `ddof` (0 as with
    /// NumPy, 1 for a sample). Complex numbers have a real one, of their distances in the plane. It is found in one pass, and numbers far from zero lose no digits.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![1.0f64, 2.0, 3.0, 4.0], 3);
    /// assert_eq!((x.var(0.0).compute_scalar()?, x.std(0.0).compute_scalar()?), (1.25, 1.25f64.sqrt()));
    /// assert_eq!((x + 1e9).var(0.0).compute_scalar()?, 1.25);
    /// # Ok::<(), partita::Error>(())
    /// ```
    var var_axis -> T::Spread = false, false;
    /// The standard deviation of all elements: the root of [`DArray::var`].
    std std_axis -> T::Spread = false, true;
}

spread! { Inexact:
    /// The variance of all elements that are not NaN; see [`DArray::var`].
    nanvar nanvar_axis -> T::Spread = true, false;
    /// The standard deviation of all elements that are not NaN.
    nanstd nanstd_axis -> T::Spread = true, true;
}

impl<T: Inexact> DArray<T> {
    /// The sum of all elements that are not NaN; a complex number is NaN where one of its parts is.
    #[track_caller]
    pub fn nansum(&self) -> DArray<T::Sum> {
        self.nansum_axis(Axes::all())
    }

    /// [`DArray::nansum`] over some axes; see [`Axes`].
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or is named twice.
    #[track_caller]
    pub fn nansum_axis(&self, axes: impl Into<Axes>) -> DArray<T::Sum> {
        self.where_(&!self.is_nan(), T::default()).reduced("nansum", axes.into(), Fold::Sum, Finish::Value)
    }

    /// The product of all elements that are not NaN.
    #[track_caller]
    pub fn nanprod(&self) -> DArray<T::Sum> {
        self.nanprod_axis(Axes::all())
    }

    /// [`DArray::nanprod`] over some axes; see [`Axes`].
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or is named twice.
    #[track_caller]
    pub fn nanprod_axis(&self, axes: impl Into<Axes>) -> DArray<T::Sum> {
        self.where_(&!self.is_nan(), T::of_i64(1)).reduced("nanprod", axes.into(), Fold::Product, Finish::Value)
    }

    /// Whether all elements are close to those of another array; see [`DArray::is_close`].
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::linspace(0.0f64, 1.0, 5, 2);
    /// assert!(x.all_close(&(&x * (1.0 + 1e-9)), 1e-5, 1e-8).compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "allclose")]
    #[track_caller]
    pub fn all_close(&self, other: &DArray<T>, relative: f64, absolute: f64) -> DArray<bool>
    where
        T::Part: Float,
    {
        self.is_close(other, relative, absolute).all()
    }
}

impl<T: Element> DArray<T> {
    /// The mean of all elements, as one element; NaN where there are none.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![[1i32, 2], [3, 6]], 1);
    /// assert_eq!(x.mean().compute_scalar()?, 3.0);
    /// assert_eq!(x.mean_axis(1).compute()?.into_iter().collect::<Vec<_>>(), [1.5, 4.5]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn mean(&self) -> DArray<T::Mean> {
        self.mean_axis(Axes::all())
    }

    /// [`DArray::mean`] over some axes; see [`Axes`].
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or is named twice.
    #[track_caller]
    pub fn mean_axis(&self, axes: impl Into<Axes>) -> DArray<T::Mean> {
        if T::DTYPE.is_float() || T::DTYPE.is_complex() {
            return self.reduced("mean", axes.into(), Fold::Sum, Finish::MeanOfSum);
        }
        // Sums of integers could wrap, and means of large ones are floats anyway.
        self.cast::<f64>().reduced("mean", axes.into(), Fold::Sum, Finish::MeanOfSum)
    }

    /// The number of elements other than zero.
    ///
    /// ```
    /// use partita::prelude::*;
    /// assert_eq!(DArray::arange(-2, 3, 1, 2).count_nonzero().compute_scalar()?, 4);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn count_nonzero(&self) -> DArray<i64> {
        self.count_nonzero_axis(Axes::all())
    }

    /// [`DArray::count_nonzero`] over some axes; see [`Axes`].
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist or is named twice.
    #[track_caller]
    pub fn count_nonzero_axis(&self, axes: impl Into<Axes>) -> DArray<i64> {
        self.is_nonzero().reduced("count_nonzero", axes.into(), Fold::Sum, Finish::Value)
    }
}

impl<T: Real> DArray<T> {
    /// The distance from the least to the greatest element.
    ///
    /// # Errors
    /// At `compute`: no elements.
    #[track_caller]
    pub fn ptp(&self) -> DArray<T> {
        self.ptp_axis(Axes::all())
    }

    /// [`DArray::ptp`] over some axes; see [`Axes`].
    ///
    /// # Errors
    /// At `compute`: no elements; an axis that does not exist or is named twice.
    #[track_caller]
    pub fn ptp_axis(&self, axes: impl Into<Axes>) -> DArray<T> {
        let axes = axes.into();
        self.max_axis(axes.clone()) - self.min_axis(axes)
    }
}
