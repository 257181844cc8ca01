//! Operators: `+ - * / %`, `& | ^ !`, `<< >>`, and minus; between arrays, and with scalars on either side.

use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Rem, Shl, Shr, Sub};

use crate::array::element::{C64, C128, Held, Scalar};
use crate::array::ops::elementwise::{Given, Operand};
use crate::array::tile::{Binary, Op, Unary};
use crate::array::{Bits, DArray, Element, Inexact, Integer, Number, Real};

impl<T: Element> DArray<T> {
    #[track_caller]
    pub(crate) fn unary(&self, op: Unary, method: &str) -> DArray<T> {
        DArray::elementwise(Op::Unary(op), T::DTYPE, vec![Given::Array(self.to_any())], method)
    }

    #[track_caller]
    pub(crate) fn binary(&self, op: Binary, other: impl Operand<T>, method: &str) -> DArray<T> {
        DArray::elementwise(Op::Binary(op), T::DTYPE, vec![Given::Array(self.to_any()), other.into_given()], method)
    }
}

macro_rules! operators {
    ($($Trait:ident $method:ident $Class:ident $symbol:literal;)*) => {
        $(
            operators!(one $Trait $method $Class $symbol &DArray<T>, &DArray<T>);
            operators!(one $Trait $method $Class $symbol &DArray<T>, DArray<T>);
            operators!(one $Trait $method $Class $symbol &DArray<T>, T);
            operators!(one $Trait $method $Class $symbol DArray<T>, &DArray<T>);
            operators!(one $Trait $method $Class $symbol DArray<T>, DArray<T>);
            operators!(one $Trait $method $Class $symbol DArray<T>, T);
        )*
    };
    (one $Trait:ident $method:ident $Class:ident $symbol:literal $Left:ty, $Right:ty) => {
        impl<T: $Class> $Trait<$Right> for $Left {
            type Output = DArray<T>;

            #[track_caller]
            fn $method(self, other: $Right) -> DArray<T> {
                self.binary(Binary::$Trait, other, $symbol)
            }
        }
    };
}

operators! {
    Add add Number "+";
    Sub sub Number "-";
    Mul mul Number "*";
    Div div Number "/";
    Rem rem Real "%";
    Shl shl Integer "<<";
    Shr shr Integer ">>";
}

/// The same where the operation's name is another one.
macro_rules! bit_operators {
    ($($Trait:ident $method:ident $Op:ident $symbol:literal;)*) => {
        $(
            bit_operators!(one $Trait $method $Op $symbol &DArray<T>, &DArray<T>);
            bit_operators!(one $Trait $method $Op $symbol &DArray<T>, DArray<T>);
            bit_operators!(one $Trait $method $Op $symbol &DArray<T>, T);
            bit_operators!(one $Trait $method $Op $symbol DArray<T>, &DArray<T>);
            bit_operators!(one $Trait $method $Op $symbol DArray<T>, DArray<T>);
            bit_operators!(one $Trait $method $Op $symbol DArray<T>, T);
        )*
    };
    (one $Trait:ident $method:ident $Op:ident $symbol:literal $Left:ty, $Right:ty) => {
        impl<T: Bits> $Trait<$Right> for $Left {
            type Output = DArray<T>;

            #[track_caller]
            fn $method(self, other: $Right) -> DArray<T> {
                self.binary(Binary::$Op, other, $symbol)
            }
        }
    };
}

bit_operators! {
    BitAnd bitand And "&";
    BitOr bitor Or "|";
    BitXor bitxor Xor "^";
}

/// A scalar on the left.
macro_rules! scalar_first {
    (rest $($T:ident)*) => {
        $(
            scalar_first!($T Rem rem Rem "%");
        )*
    };
    (bits $($T:ident)*) => {
        $(
            scalar_first!($T BitAnd bitand And "&");
            scalar_first!($T BitOr bitor Or "|");
            scalar_first!($T BitXor bitxor Xor "^");
        )*
    };
    (shifts $($T:ident)*) => {
        $(
            scalar_first!($T Shl shl Shl "<<");
            scalar_first!($T Shr shr Shr ">>");
        )*
    };
    ($($T:ident)*) => {
        $(
            scalar_first!($T Add add Add "+");
            scalar_first!($T Sub sub Sub "-");
            scalar_first!($T Mul mul Mul "*");
            scalar_first!($T Div div Div "/");
        )*
    };
    ($T:ident $Trait:ident $method:ident $Op:ident $symbol:literal) => {
        impl $Trait<&DArray<$T>> for $T {
            type Output = DArray<$T>;

            #[track_caller]
            fn $method(self, other: &DArray<$T>) -> DArray<$T> {
                let operands = vec![Given::Scalar(Scalar::of(self)), Given::Array(other.to_any())];
                DArray::elementwise(Op::Binary(Binary::$Op), <$T as Held>::DTYPE, operands, $symbol)
            }
        }

        impl $Trait<DArray<$T>> for $T {
            type Output = DArray<$T>;

            #[track_caller]
            fn $method(self, other: DArray<$T>) -> DArray<$T> {
                $Trait::$method(self, &other)
            }
        }
    };
}

scalar_first!(i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 C64 C128);
scalar_first!(rest i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
scalar_first!(bits bool i8 i16 i32 i64 u8 u16 u32 u64);
scalar_first!(shifts i8 i16 i32 i64 u8 u16 u32 u64);

macro_rules! negation {
    ($($T:ident)*) => {
        $(
            impl Neg for &DArray<$T> {
                type Output = DArray<$T>;

                #[track_caller]
                fn neg(self) -> DArray<$T> {
                    self.unary(Unary::Neg, "-")
                }
            }

            impl Neg for DArray<$T> {
                type Output = DArray<$T>;

                #[track_caller]
                fn neg(self) -> DArray<$T> {
                    self.unary(Unary::Neg, "-")
                }
            }
        )*
    };
}

negation!(i8 i16 i32 i64 f32 f64 C64 C128);

impl<T: Bits> Not for &DArray<T> {
    type Output = DArray<T>;

    #[track_caller]
    fn not(self) -> DArray<T> {
        self.unary(Unary::Not, "!")
    }
}

impl<T: Bits> Not for DArray<T> {
    type Output = DArray<T>;

    #[track_caller]
    fn not(self) -> DArray<T> {
        self.unary(Unary::Not, "!")
    }
}

impl<T: Real> DArray<T> {
    /// The quotient rounded down. Integers divided by zero give zero, as with NumPy.
    ///
    /// The operators `/` and `%` are those of Rust: quotients of integers are cut towards zero, and what is left has the sign of the
    /// dividend.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![-7i64, 7], 1);
    /// assert_eq!((&x / 2).compute()?, array![-3, 3].into_dyn());
    /// assert_eq!(x.floor_divide(2).compute()?, array![-4, 3].into_dyn());
    /// assert_eq!(((&x % 2).compute()?, x.remainder(2).compute()?), (array![-1, 1].into_dyn(), array![1, 1].into_dyn()));
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn floor_divide(&self, other: impl Operand<T>) -> DArray<T> {
        self.binary(Binary::FloorDiv, other, ".floor_divide(…)")
    }

    /// What [`DArray::floor_divide`] leaves; it has the sign of `other`.
    #[doc(alias = "mod")]
    #[track_caller]
    pub fn remainder(&self, other: impl Operand<T>) -> DArray<T> {
        self.binary(Binary::FloorMod, other, ".remainder(…)")
    }

    /// What is left of a division that is cut towards zero; it has the sign of `self`, as with the operator `%`.
    #[track_caller]
    pub fn fmod(&self, other: impl Operand<T>) -> DArray<T> {
        self.binary(Binary::Rem, other, ".fmod(…)")
    }

    /// Quotient and remainder, see [`DArray::floor_divide`] and [`DArray::remainder`].
    #[track_caller]
    pub fn divmod(&self, other: &DArray<T>) -> (DArray<T>, DArray<T>) {
        (self.floor_divide(other), self.remainder(other))
    }
}

impl<T: Number> DArray<T> {
    /// To the power of `exponent`. Integers wrap; to a negative power they are cut towards zero. Of the powers of a complex number the
    /// principal one is meant.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0.0, 4.0, 1.0, 2);
    /// assert_eq!(x.pow(2.0).compute()?.into_iter().collect::<Vec<_>>(), [0.0, 1.0, 4.0, 9.0]);
    /// assert_eq!(x.pow(&x).compute()?.into_iter().collect::<Vec<_>>(), [1.0, 1.0, 4.0, 27.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "power")]
    #[doc(alias = "powf")]
    #[doc(alias = "float_power")]
    #[track_caller]
    pub fn pow(&self, exponent: impl Operand<T>) -> DArray<T> {
        let exponent = exponent.into_given();
        if let Given::Scalar(scalar) = &exponent
            && let Some(whole) = scalar.get::<T>().filter(|exponent| *exponent == T::of_i64(1) || *exponent == T::of_i64(2))
        {
            return if whole == T::of_i64(1) { self.clone() } else { self.unary(Unary::Square, ".pow(2)") };
        }
        DArray::elementwise(Op::Binary(Binary::Pow), T::DTYPE, vec![Given::Array(self.to_any()), exponent], ".pow(…)")
    }
}

impl<T: Inexact> DArray<T> {
    /// To the power of a whole number.
    ///
    /// ```
    /// use partita::prelude::*;
    /// assert_eq!(DArray::full([1], 2.0, 1).powi(-2).compute()?[[0]], 0.25);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn powi(&self, exponent: i32) -> DArray<T> {
        self.pow(T::of_i64(exponent.into()))
    }
}
