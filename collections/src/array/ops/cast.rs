//! `cast`: elements of another type.

use crate::array::ops::elementwise::Given;
use crate::array::tile::Op;
use crate::array::{DArray, Element};

impl<T: Element> DArray<T> {
    /// Elements of another type, with the nearest value: floats are cut towards zero and at the bounds of integers, NaN becomes 0,
    /// integers that do not fit lose their upper bits, and whatever is not zero is true.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![-1.7, 300.0, f64::NAN], 2);
    /// assert_eq!(x.cast::<u8>().compute()?.into_iter().collect::<Vec<_>>(), [0, 255, 0]);
    /// assert_eq!(x.cast::<bool>().cast::<f32>().compute()?.into_iter().collect::<Vec<_>>(), [1.0, 1.0, 1.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "astype")]
    #[track_caller]
    pub fn cast<U: Element>(&self) -> DArray<U> {
        if T::DTYPE == U::DTYPE {
            return DArray::of(self.to_any());
        }
        DArray::elementwise(Op::Cast(U::DTYPE), T::DTYPE, vec![Given::Array(self.to_any())], ".cast()")
    }
}
