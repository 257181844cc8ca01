//! Classes of elements, as users name them in bounds: what an array may be made of, and which of these can be calculated with, be
//! ordered, be divided, and so on. What a class does not have, arrays of it do not have either, so that misuse does not compile.
//!
//! It refuses to know what is done with elements. The invariant: classes are those of the table below and of no other type.

use std::fmt;

use super::element::{C64, C128};
use super::tile::{Arith, Rank};

/// What an array may be made of: `f64 f32 i64 i32 i16 i8 u64 u32 u16 u8 bool`, and `Complex<f64>` and `Complex<f32>` of
/// num-complex. It cannot be implemented for other types.
pub trait Element: Arith + fmt::Display {
    /// The type of a sum: eight bytes for integers, as with NumPy, so that sums of small integers do not wrap; `i64` for `bool`;
    /// the type itself for floats and complex numbers.
    type Sum: Number;
    /// The type of a mean: the type itself for floats and complex numbers, else `f64`.
    type Mean: Number;
    /// The type of a variance: `f32` for `f32` and `Complex<f32>`, else `f64`.
    type Spread: Float;
}

/// Elements of which one is less than another: all but complex numbers.
pub trait Ordered: Element + Rank {}

/// Elements that can be calculated with: all but `bool`.
pub trait Number: Element {
    /// The type of its real part, and of its size: `f64` for `Complex<f64>`, and the type itself for real numbers.
    type Part: Real;
    /// The complex numbers that it is one of: `Complex<f32>` for `f32`, else `Complex<f64>`.
    type Complex: Number;
}

/// Numbers on a line: integers and floats.
pub trait Real: Number<Part = Self> + Ordered {}

/// Whole numbers.
pub trait Integer: Real {}

/// Elements with bits: whole numbers, and `bool`, which has one.
pub trait Bits: Ordered {}

/// Numbers that are rounded: floats, and complex numbers, which are made of them.
pub trait Inexact: Number {}

/// Floating-point numbers: `f64` and `f32`.
pub trait Float: Real + Inexact {}

macro_rules! classes {
    ($($T:ident: sum $Sum:ident, mean $Mean:ident, spread $Spread:ident, $($Class:ident)*;)*) => {
        $(
            impl Element for $T {
                type Sum = $Sum;
                type Mean = $Mean;
                type Spread = $Spread;
            }
            $(impl $Class for $T {})*
        )*
    };
}

classes! {
    bool: sum i64, mean f64, spread f64, Ordered Bits;
    i8: sum i64, mean f64, spread f64, Ordered Real Integer Bits;
    i16: sum i64, mean f64, spread f64, Ordered Real Integer Bits;
    i32: sum i64, mean f64, spread f64, Ordered Real Integer Bits;
    i64: sum i64, mean f64, spread f64, Ordered Real Integer Bits;
    u8: sum u64, mean f64, spread f64, Ordered Real Integer Bits;
    u16: sum u64, mean f64, spread f64, Ordered Real Integer Bits;
    u32: sum u64, mean f64, spread f64, Ordered Real Integer Bits;
    u64: sum u64, mean f64, spread f64, Ordered Real Integer Bits;
    f32: sum f32, mean f32, spread f32, Ordered Real Inexact Float;
    f64: sum f64, mean f64, spread f64, Ordered Real Inexact Float;
    C64: sum C64, mean C64, spread f32, Inexact;
    C128: sum C128, mean C128, spread f64, Inexact;
}

macro_rules! numbers {
    ($($T:ident of $Part:ident in $Complex:ident;)*) => {
        $(
            impl Number for $T {
                type Part = $Part;
                type Complex = $Complex;
            }
        )*
    };
}

numbers! {
    i8 of i8 in C128;
    i16 of i16 in C128;
    i32 of i32 in C128;
    i64 of i64 in C128;
    u8 of u8 in C128;
    u16 of u16 in C128;
    u32 of u32 in C128;
    u64 of u64 in C128;
    f32 of f32 in C64;
    f64 of f64 in C128;
    C64 of f32 in C64;
    C128 of f64 in C128;
}
