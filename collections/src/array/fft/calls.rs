//! The transforms as methods, named as NumPy names them.

use super::how::{Fft, Usual};
use super::lanes::Transform;
use super::step::transformed;
use crate::array::{DArray, Number, Real};

/// One method for each row: its transform, the axes that it is for, what it gives.
macro_rules! transforms {
    ($Class:ident: $($(#[$doc:meta])* $name:ident $Transform:ident $Usual:ident -> $Out:ty;)*) => {
        impl<T: $Class> DArray<T> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&self, how: impl Into<Fft>) -> DArray<$Out> {
                    let method = concat!(".", stringify!($name), "(…)");
                    transformed(self.untyped(), Transform::$Transform, &how.into(), Usual::$Usual, method)
                }
            )*
        }
    };
}

transforms! { Number:
    /// The discrete Fourier transform along one axis, by default the last; see [`Fft`]. `f32` gives `Complex<f32>`, all others
    /// `Complex<f64>`.
    ///
    /// The axis is brought into one chunk; other axes stay cut. The result is the same bits however they are, on one kind of machine.
    ///
    /// ```
    /// use partita::{Fft, FftNorm, prelude::*};
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![1.0f64, 2.0, 3.0, 4.0], 2);
    /// let frequencies = x.fft(0);
    /// let expected = [(10.0, 0.0), (-2.0, 2.0), (-2.0, 0.0), (-2.0, -2.0)].map(|(re, im)| Complex::new(re, im));
    /// assert_eq!(frequencies.compute()?.into_iter().collect::<Vec<_>>(), expected);
    /// assert!(frequencies.ifft(0).re().all_close(&x, 1e-12, 1e-12).compute_scalar()?);
    /// assert_eq!(x.fft(Fft::along(0).norm(FftNorm::Forward)).compute()?[[0]].re, 2.5);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: an axis that does not exist, whose sizes are not known, or that has no elements.
    fft Forward Last -> T::Complex;
    /// The inverse of [`DArray::fft`].
    ///
    /// # Errors
    /// As [`DArray::fft`].
    ifft Inverse Last -> T::Complex;
    /// The real numbers that [`DArray::rfft`] gives these for. Their number is even unless it is given: `2 * (n - 1)` of `n` elements. What
    /// should have no imaginary part is taken without it.
    ///
    /// # Errors
    /// As [`DArray::fft`]; also an axis of one element, if no number is given.
    irfft InverseReal Last -> <T::Complex as Number>::Part;
    /// [`DArray::fft`] along two axes, by default the last two.
    ///
    /// ```
    /// use partita::{Fft, prelude::*};
    /// let x = DArray::<f64>::ones([4, 4], 2);
    /// let frequencies = x.fft2(Fft::default());
    /// assert_eq!(frequencies.compute()?[[0, 0]], Complex::new(16.0, 0.0));
    /// assert!(frequencies.ifft2(Fft::default()).re().all_close(&x, 1e-12, 1e-12).compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::fft`].
    fft2 Forward LastTwo -> T::Complex;
    /// The inverse of [`DArray::fft2`].
    ///
    /// # Errors
    /// As [`DArray::fft`].
    ifft2 Inverse LastTwo -> T::Complex;
    /// The inverse of [`DArray::rfft2`]; see [`DArray::irfft`] for how many elements it gives.
    ///
    /// # Errors
    /// As [`DArray::irfft`].
    irfft2 InverseReal LastTwo -> <T::Complex as Number>::Part;
    /// [`DArray::fft`] along several axes, by default all. One is in one chunk at a time, so no task holds more than a block whose chunks are
    /// as long as one axis.
    ///
    /// ```
    /// use partita::{Fft, prelude::*};
    /// let x = DArray::<f64>::ones([4, 6, 2], 2);
    /// let frequencies = x.fftn([0, 1]);
    /// assert_eq!(frequencies.chunks()?, [vec![4], vec![2, 2, 2], vec![2]]);
    /// assert_eq!(frequencies.compute()?[[0, 0, 1]].re, 24.0);
    /// assert!(frequencies.ifftn([0, 1]).re().all_close(&x, 1e-12, 1e-12).compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::fft`]; also no axes.
    fftn Forward All -> T::Complex;
    /// The inverse of [`DArray::fftn`].
    ///
    /// # Errors
    /// As [`DArray::fftn`].
    ifftn Inverse All -> T::Complex;
    /// The inverse of [`DArray::rfftn`]; see [`DArray::irfft`] for how many elements it gives along the last of the axes.
    ///
    /// # Errors
    /// As [`DArray::irfft`].
    irfftn InverseReal All -> <T::Complex as Number>::Part;
}

transforms! { Real:
    /// The half of [`DArray::fft`] that real numbers have: frequencies that are not negative, `n / 2 + 1` of `n` elements.
    ///
    /// ```
    /// use partita::{Fft, prelude::*};
    /// let x = DArray::from_array(partita::ndarray::array![1.0f64, 2.0, 3.0, 4.0, 5.0], 2);
    /// let half = x.rfft(0);
    /// assert_eq!(half.shape()?, [3]);
    /// let back = half.irfft(Fft::along(0).len(5));
    /// assert!(back.all_close(&x, 1e-12, 1e-12).compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::fft`].
    rfft Real Last -> T::Complex;
    /// [`DArray::fft2`] of real numbers: along the last of the axes as [`DArray::rfft`].
    ///
    /// # Errors
    /// As [`DArray::fft`].
    rfft2 Real LastTwo -> T::Complex;
    /// [`DArray::fftn`] of real numbers: along the last of the axes as [`DArray::rfft`].
    ///
    /// # Errors
    /// As [`DArray::fftn`].
    rfftn Real All -> T::Complex;
}

impl<T: Number> DArray<T> {
    /// The frequencies, which are real, of elements of which the other half are conjugates; `2 * (n - 1)` of `n` elements, unless another
    /// number is given.
    ///
    /// ```
    /// use partita::{Fft, prelude::*};
    /// let x = DArray::from_array(partita::ndarray::array![1.0f64, 2.0, 3.0], 2);
    /// let real = x.hfft(0);
    /// assert_eq!(real.compute()?.into_iter().collect::<Vec<_>>(), [8.0, -2.0, 0.0, -2.0]);
    /// assert!(real.ihfft(0).re().all_close(&x, 1e-12, 1e-12).compute_scalar()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DArray::irfft`].
    #[track_caller]
    pub fn hfft(&self, how: impl Into<Fft>) -> DArray<<T::Complex as Number>::Part> {
        let how = how.into();
        let norm = how.scaling().swapped();
        transformed(self.conj().untyped(), Transform::InverseReal, &how.norm(norm), Usual::Last, ".hfft(…)")
    }
}

impl<T: Real> DArray<T> {
    /// The inverse of [`DArray::hfft`].
    ///
    /// # Errors
    /// As [`DArray::fft`].
    #[track_caller]
    pub fn ihfft(&self, how: impl Into<Fft>) -> DArray<T::Complex> {
        let how = how.into();
        let norm = how.scaling().swapped();
        transformed::<T::Complex>(self.untyped(), Transform::Real, &how.norm(norm), Usual::Last, ".ihfft(…)").conj()
    }
}
