//! One element whose kind is known at run time only.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::element::{DType, Held, with_dtype};

/// One element whose kind is known at run time only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Scalar {
    /// Its kind.
    pub dtype: DType,
    bits: u128,
}

impl Scalar {
    /// Of this value.
    pub fn of<T: Held>(value: T) -> Self {
        Self { dtype: T::DTYPE, bits: value.bits() }
    }

    /// The value, if it is of this kind.
    pub fn get<T: Held>(self) -> Option<T> {
        (T::DTYPE == self.dtype).then(|| T::of_bits(self.bits))
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dtype.is_complex() {
            return with_dtype!(self.dtype, T => write!(f, "{}", T::of_bits(self.bits)));
        }
        with_dtype!(self.dtype, T => write!(f, "{:?}", T::of_bits(self.bits)))
    }
}
