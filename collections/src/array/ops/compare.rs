//! Comparisons, and the logic of their results.

use crate::array::element::Held;
use crate::array::ops::elementwise::{Given, Operand};
use crate::array::tile::{Compare, Op, Test};
use crate::array::{DArray, Element, Float, Inexact, Ordered};

impl<T: Element> DArray<T> {
    #[track_caller]
    fn compared(&self, op: Compare, other: impl Operand<T>, method: &str) -> DArray<bool> {
        DArray::elementwise(Op::Compare(op), T::DTYPE, vec![Given::Array(self.to_any()), other.into_given()], method)
    }

    #[track_caller]
    fn tested(&self, op: Test, method: &str) -> DArray<bool> {
        DArray::elementwise(Op::Test(op), T::DTYPE, vec![Given::Array(self.to_any())], method)
    }
}

macro_rules! comparisons {
    ($Class:ident: $($(#[$doc:meta])* $name:ident $Op:ident;)*) => {
        impl<T: $Class> DArray<T> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&self, other: impl Operand<T>) -> DArray<bool> {
                    self.compared(Compare::$Op, other, concat!(".", stringify!($name), "(…)"))
                }
            )*
        }
    };
}

comparisons! { Ordered:
    /// Whether elements are greater than those of another array, or than one number.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::arange(0, 4, 1, 2);
    /// assert_eq!(x.gt(1).compute()?, array![false, false, true, true].into_dyn());
    /// assert_eq!((x.gt(0) & x.lt(3)).compute()?, array![false, true, true, false].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "greater")]
    gt Gt;
    /// Whether elements are greater or equal.
    #[doc(alias = "greater_equal")]
    gt_eq Ge;
    /// Whether elements are less.
    #[doc(alias = "less")]
    lt Lt;
    /// Whether elements are less or equal.
    #[doc(alias = "less_equal")]
    lt_eq Le;
}

comparisons! { Element:
    /// Whether elements are equal. NaN equals nothing.
    #[doc(alias = "equal")]
    eq Eq;
    /// Whether elements differ.
    #[doc(alias = "not_equal")]
    neq Ne;
}

impl<T: Element> DArray<T> {
    /// Whether elements are other than zero (`false` for `bool`).
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// assert_eq!(DArray::arange(-1, 2, 1, 2).is_nonzero().compute()?, array![true, false, true].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn is_nonzero(&self) -> DArray<bool> {
        self.tested(Test::NonZero, ".is_nonzero()")
    }

    /// Whether both elements are other than zero. Between arrays of `bool` the operator `&` says the same.
    #[track_caller]
    pub fn logical_and<U: Element>(&self, other: &DArray<U>) -> DArray<bool> {
        self.is_nonzero() & other.is_nonzero()
    }

    /// Whether one of both elements is other than zero.
    #[track_caller]
    pub fn logical_or<U: Element>(&self, other: &DArray<U>) -> DArray<bool> {
        self.is_nonzero() | other.is_nonzero()
    }

    /// Whether exactly one of both elements is other than zero.
    #[track_caller]
    pub fn logical_xor<U: Element>(&self, other: &DArray<U>) -> DArray<bool> {
        self.is_nonzero() ^ other.is_nonzero()
    }

    /// Whether elements are zero.
    #[track_caller]
    pub fn logical_not(&self) -> DArray<bool> {
        !self.is_nonzero()
    }
}

impl<T: Ordered> DArray<T> {
    /// Whether elements are negative; of floats, whether they have the sign, which also -0.0 has.
    #[track_caller]
    pub fn signbit(&self) -> DArray<bool> {
        self.tested(Test::SignBit, ".signbit()")
    }
}

macro_rules! tests {
    ($Class:ident: $($(#[$doc:meta])* $name:ident $Op:ident;)*) => {
        impl<T: $Class> DArray<T> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&self) -> DArray<bool> {
                    self.tested(Test::$Op, concat!(".", stringify!($name), "()"))
                }
            )*
        }
    };
}

tests! { Inexact:
    /// Whether elements are NaN; a complex number is where one of its parts is.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![1.0, f64::NAN, f64::INFINITY], 2);
    /// assert_eq!(x.is_nan().compute()?, array![false, true, false].into_dyn());
    /// assert_eq!(x.is_finite().compute()?, array![true, false, false].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "isnull")]
    is_nan IsNan;
    /// Whether elements are neither NaN nor infinite.
    is_finite IsFinite;
    /// Whether elements are infinite, of either sign.
    #[doc(alias = "isinf")]
    is_infinite IsInfinite;
}

tests! { Float:
    /// Whether elements are positive infinity.
    #[doc(alias = "isposinf")]
    is_pos_inf IsPosInf;
    /// Whether elements are negative infinity.
    #[doc(alias = "isneginf")]
    is_neg_inf IsNegInf;
}

impl<T: Inexact> DArray<T> {
    /// Whether elements are anything but NaN.
    #[doc(alias = "notnull")]
    #[track_caller]
    pub fn is_not_nan(&self) -> DArray<bool> {
        !self.is_nan()
    }

    /// Whether elements differ by at most `absolute` plus `relative` times the size of those of `other`. Infinities are close to
    /// themselves, NaN to nothing. NumPy's tolerances are `1e-5` and `1e-8`.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let (x, y) = (DArray::from_array(array![1.0, 2.0], 1), DArray::from_array(array![1.000001, 2.1], 1));
    /// assert_eq!(x.is_close(&y, 1e-5, 1e-8).compute()?, array![true, false].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "isclose")]
    #[track_caller]
    pub fn is_close(&self, other: &DArray<T>, relative: f64, absolute: f64) -> DArray<bool>
    where
        T::Part: Float,
    {
        let (relative, absolute) = (<T::Part as Held>::of_f64(relative), <T::Part as Held>::of_f64(absolute));
        let near = (self - other).magnitude(".is_close(…)").lt_eq(other.magnitude(".is_close(…)") * relative + absolute);
        (near & other.is_finite()) | self.eq(other)
    }
}
