//! `cast`: elements of another type.

use partita_graph::{Code, Failure};

use crate::array::ops::elementwise::Given;
use crate::array::tile::Op;
use crate::array::{DArray, DType, Element};

impl<T: Element> DArray<T> {
    /// Elements of another type, with the nearest value: floats are cut towards zero and at the bounds of integers, NaN becomes 0,
    /// integers that do not fit lose their upper bits, and whatever is not zero is true.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![-1.7f64, 300.0, f64::NAN], 2);
    /// assert_eq!(x.cast::<u8>().compute()?.into_iter().collect::<Vec<_>>(), [0, 255, 0]);
    /// assert_eq!(x.cast::<bool>().cast::<f32>().compute()?.into_iter().collect::<Vec<_>>(), [1.0, 1.0, 1.0]);
    /// assert_eq!(x.cast::<Complex<f32>>().re().compute()?[[1]], 300.0);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: complex numbers as real ones, which would lose their imaginary parts without a word; say which part is meant.
    #[doc(alias = "astype")]
    #[track_caller]
    pub fn cast<U: Element>(&self) -> DArray<U> {
        if T::DTYPE == U::DTYPE {
            return DArray::of(self.to_any());
        }
        if T::DTYPE.is_complex() && !U::DTYPE.is_complex() && U::DTYPE != DType::Bool {
            let what = format!("elements of {} do not become {}: their imaginary parts would be lost", T::DTYPE, U::DTYPE);
            let failure = Failure::new(Code::TypeMismatch, what).help("say which part is meant: .re(), .im() or .abs()");
            return DArray::failed(failure, ".cast()");
        }
        DArray::elementwise(Op::Cast(U::DTYPE), T::DTYPE, vec![Given::Array(self.to_any())], ".cast()")
    }
}
