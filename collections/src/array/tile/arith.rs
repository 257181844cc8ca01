//! Arithmetic on tiles: what each operation of a program does to elements of each kind.
//!
//! It refuses to know programs and blocks. The invariants: an operation gives for each element what it gives for that element alone,
//! so that tiles may be cut anywhere; integers wrap, and their division by zero gives zero, as with NumPy.

use super::convert::Convert;
use super::program::{Binary, Compare, Component, Test, Unary};
use super::special::{Special, divisor, multiple};
use super::wide::wide;
use crate::array::element::{C64, C128, Held};

/// What programs can do with elements of a kind. An operation that is not defined for the kind returns `false`.
pub trait Arith:
    Held
    + Convert<bool>
    + Convert<i8>
    + Convert<i16>
    + Convert<i32>
    + Convert<i64>
    + Convert<u8>
    + Convert<u16>
    + Convert<u32>
    + Convert<u64>
    + Convert<f32>
    + Convert<f64>
    + Convert<C64>
    + Convert<C128>
{
    /// What the parts of a complex number are; for other kinds itself.
    type Re: Held;
    /// What has two of them for its parts; for kinds that are no parts itself.
    type Pair: Held;
    /// One element to one.
    fn unary(op: Unary, a: &[Self], out: &mut [Self]) -> bool;
    /// Two to one.
    fn binary(op: Binary, a: &[Self], b: &[Self], out: &mut [Self]) -> bool;
    /// One to a truth.
    fn test(op: Test, a: &[Self], out: &mut [bool]) -> bool;
    /// Two elements to a truth.
    fn compare(op: Compare, a: &[Self], b: &[Self], out: &mut [bool]) -> bool;
    /// A complex number to a real one.
    fn component(op: Component, a: &[Self], out: &mut [Self::Re]) -> bool;
    /// Two parts to a complex number.
    fn join(re: &[Self], im: &[Self], out: &mut [Self::Pair]) -> bool;
    /// The exponent to base 2.
    fn exponent(self) -> i32;
    /// Whether it is NaN, or has a part that is.
    fn is_missing(self) -> bool;
}

/// What can be compared by size: all kinds but complex numbers.
pub trait Rank: Arith + PartialOrd {
    /// The element that is not better than any other, where the greatest, or else the least, is looked for.
    fn worst(greatest: bool) -> Self;
    /// NaN, where the kind has it; else as `worst`.
    fn nothing(greatest: bool) -> Self;
}

#[inline(always)]
pub(super) fn map<T: Copy, U>(a: &[T], out: &mut [U], f: impl Fn(T) -> U) -> bool {
    for (out, a) in out.iter_mut().zip(a) {
        *out = f(*a);
    }
    true
}

#[inline(always)]
pub(super) fn zip<T: Copy, U>(a: &[T], b: &[T], out: &mut [U], f: impl Fn(T, T) -> U) -> bool {
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = f(*a, *b);
    }
    true
}

wide! {
    /// Each element to one of the same kind.
    pub fn unary<T: Arith>(op: Unary, a: &[T], out: &mut [T]) -> bool {
        T::unary(op, a, out)
    }
}

wide! {
    /// Pairs of elements to one of the same kind.
    pub fn binary<T: Arith>(op: Binary, a: &[T], b: &[T], out: &mut [T]) -> bool {
        T::binary(op, a, b, out)
    }
}

wide! {
    /// Each element to a truth.
    pub fn test<T: Arith>(op: Test, a: &[T], out: &mut [bool]) -> bool {
        T::test(op, a, out)
    }
}

wide! {
    /// Pairs of elements to a truth.
    pub fn compare<T: Arith>(op: Compare, a: &[T], b: &[T], out: &mut [bool]) -> bool {
        T::compare(op, a, b, out)
    }
}

wide! {
    /// Complex numbers to real ones.
    pub fn component<T: Arith>(op: Component, a: &[T], out: &mut [T::Re]) -> bool {
        T::component(op, a, out)
    }
}

wide! {
    /// Pairs of parts to complex numbers.
    pub fn join<T: Arith>(re: &[T], im: &[T], out: &mut [T::Pair]) -> bool {
        T::join(re, im, out)
    }
}

wide! {
    /// One of two elements, as a truth says.
    pub fn select<T: Arith>(truth: &[bool], yes: &[T], no: &[T], out: &mut [T]) -> bool {
        for (((out, truth), yes), no) in out.iter_mut().zip(truth).zip(yes).zip(no) {
            *out = if *truth { *yes } else { *no };
        }
        true
    }
}

wide! {
    /// Elements of another kind.
    pub fn cast<T: Convert<U>, U: Held>(a: &[T], out: &mut [U]) -> bool {
        map(a, out, T::convert)
    }
}

#[inline(always)]
fn ordered<T: Copy + PartialOrd>(op: Compare, a: &[T], b: &[T], out: &mut [bool]) -> bool {
    match op {
        Compare::Eq => zip(a, b, out, |a, b| a == b),
        Compare::Ne => zip(a, b, out, |a, b| a != b),
        Compare::Lt => zip(a, b, out, |a, b| a < b),
        Compare::Le => zip(a, b, out, |a, b| a <= b),
        Compare::Gt => zip(a, b, out, |a, b| a > b),
        Compare::Ge => zip(a, b, out, |a, b| a >= b),
    }
}

/// What is the same for all kinds on a line.
macro_rules! on_a_line {
    () => {
        type Re = Self;

        #[inline(always)]
        fn compare(op: Compare, a: &[Self], b: &[Self], out: &mut [bool]) -> bool {
            ordered(op, a, b, out)
        }

        #[inline(always)]
        fn component(_: Component, _: &[Self], _: &mut [Self]) -> bool {
            false
        }
    };
    (no part) => {
        on_a_line!();

        type Pair = Self;

        #[inline(always)]
        fn join(_: &[Self], _: &[Self], _: &mut [Self]) -> bool {
            false
        }
    };
}

macro_rules! float {
    ($T:ident in $Pair:ident) => {
        impl Arith for $T {
            on_a_line!();

            type Pair = $Pair;

            #[inline(always)]
            fn join(re: &[$T], im: &[$T], out: &mut [$Pair]) -> bool {
                for ((out, re), im) in out.iter_mut().zip(re).zip(im) {
                    *out = $Pair::new(*re, *im);
                }
                true
            }

            #[inline(always)]
            fn unary(op: Unary, a: &[$T], out: &mut [$T]) -> bool {
                match op {
                    Unary::Neg => map(a, out, |a| -a),
                    Unary::Abs => map(a, out, $T::abs),
                    Unary::Sign => map(a, out, Special::sign),
                    Unary::Square => map(a, out, |a| a * a),
                    Unary::Reciprocal => map(a, out, |a| 1.0 / a),
                    Unary::Sqrt => map(a, out, $T::sqrt),
                    Unary::Cbrt => map(a, out, $T::cbrt),
                    Unary::Not | Unary::Conj | Unary::CountOnes => false,
                    Unary::Exp => map(a, out, $T::exp),
                    Unary::Exp2 => map(a, out, $T::exp2),
                    Unary::ExpM1 => map(a, out, $T::exp_m1),
                    Unary::Ln => map(a, out, $T::ln),
                    Unary::Log2 => map(a, out, $T::log2),
                    Unary::Log10 => map(a, out, $T::log10),
                    Unary::Ln1p => map(a, out, $T::ln_1p),
                    Unary::Sin => map(a, out, $T::sin),
                    Unary::Cos => map(a, out, $T::cos),
                    Unary::Tan => map(a, out, $T::tan),
                    Unary::Asin => map(a, out, $T::asin),
                    Unary::Acos => map(a, out, $T::acos),
                    Unary::Atan => map(a, out, $T::atan),
                    Unary::Sinh => map(a, out, $T::sinh),
                    Unary::Cosh => map(a, out, $T::cosh),
                    Unary::Tanh => map(a, out, $T::tanh),
                    Unary::Asinh => map(a, out, $T::asinh),
                    Unary::Acosh => map(a, out, $T::acosh),
                    Unary::Atanh => map(a, out, $T::atanh),
                    Unary::Degrees => map(a, out, $T::to_degrees),
                    Unary::Radians => map(a, out, $T::to_radians),
                    Unary::Floor => map(a, out, $T::floor),
                    Unary::Ceil => map(a, out, $T::ceil),
                    Unary::Trunc => map(a, out, $T::trunc),
                    Unary::Rint => map(a, out, $T::round_ties_even),
                    Unary::Sinc => map(a, out, Special::sinc),
                    Unary::I0 => map(a, out, Special::bessel_i0),
                    Unary::Spacing => map(a, out, Special::spacing),
                    Unary::Mantissa => map(a, out, |a: $T| a.parts().0),
                }
            }

            #[inline(always)]
            fn binary(op: Binary, a: &[$T], b: &[$T], out: &mut [$T]) -> bool {
                match op {
                    Binary::Add => zip(a, b, out, |a, b| a + b),
                    Binary::Sub => zip(a, b, out, |a, b| a - b),
                    Binary::Mul => zip(a, b, out, |a, b| a * b),
                    Binary::Div => zip(a, b, out, |a, b| a / b),
                    Binary::Rem => zip(a, b, out, |a, b| a % b),
                    Binary::FloorDiv => zip(a, b, out, Special::floor_div),
                    Binary::FloorMod => zip(a, b, out, Special::floor_mod),
                    Binary::Pow => zip(a, b, out, $T::powf),
                    // NaN on either side is the result.
                    Binary::Minimum => zip(a, b, out, |a, b| if a < b || a.is_nan() { a } else { b }),
                    Binary::Maximum => zip(a, b, out, |a, b| if a > b || a.is_nan() { a } else { b }),
                    Binary::FMin => zip(a, b, out, $T::min),
                    Binary::FMax => zip(a, b, out, $T::max),
                    Binary::Atan2 => zip(a, b, out, $T::atan2),
                    Binary::Hypot => zip(a, b, out, $T::hypot),
                    Binary::CopySign => zip(a, b, out, $T::copysign),
                    Binary::LogAddExp => zip(a, b, out, Special::log_add_exp),
                    Binary::LogAddExp2 => zip(a, b, out, Special::log_add_exp2),
                    Binary::NextAfter => zip(a, b, out, Special::next_after),
                    Binary::Ldexp => zip(a, b, out, |a: $T, b| a.scaled(b as i32)),
                    Binary::Heaviside => zip(a, b, out, Special::heaviside),
                    Binary::And | Binary::Or | Binary::Xor | Binary::Shl | Binary::Shr | Binary::Gcd | Binary::Lcm => false,
                }
            }

            #[inline(always)]
            fn test(op: Test, a: &[$T], out: &mut [bool]) -> bool {
                match op {
                    Test::NonZero => map(a, out, |a| a != 0.0),
                    Test::IsNan => map(a, out, $T::is_nan),
                    Test::IsFinite => map(a, out, $T::is_finite),
                    Test::IsInfinite => map(a, out, $T::is_infinite),
                    Test::IsPosInf => map(a, out, |a| a == $T::INFINITY),
                    Test::IsNegInf => map(a, out, |a| a == $T::NEG_INFINITY),
                    Test::SignBit => map(a, out, $T::is_sign_negative),
                }
            }

            fn exponent(self) -> i32 {
                self.parts().1
            }

            #[inline(always)]
            fn is_missing(self) -> bool {
                self.is_nan()
            }
        }

        impl Rank for $T {
            fn worst(greatest: bool) -> $T {
                if greatest { $T::NEG_INFINITY } else { $T::INFINITY }
            }

            fn nothing(_: bool) -> $T {
                $T::NAN
            }
        }
    };
}

float!(f64 in C128);
float!(f32 in C64);

/// Base to the power of an exponent that is not negative, wrapping.
#[inline(always)]
fn power<T: Copy>(mut base: T, mut exponent: u64, one: T, times: impl Fn(T, T) -> T) -> T {
    let mut result = one;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    result
}

macro_rules! integer {
    ($T:ident $class:ident) => {
        impl Arith for $T {
            on_a_line!(no part);

            #[inline(always)]
            fn unary(op: Unary, a: &[$T], out: &mut [$T]) -> bool {
                match op {
                    Unary::Neg => map(a, out, $T::wrapping_neg),
                    Unary::Abs => map(a, out, |a| integer!($class abs a)),
                    Unary::Sign => map(a, out, |a| integer!($class sign a)),
                    Unary::Square => map(a, out, |a| a.wrapping_mul(a)),
                    Unary::Not => map(a, out, |a: $T| !a),
                    Unary::CountOnes => map(a, out, |a| integer!($class size a).count_ones() as $T),
                    _ => false,
                }
            }

            #[inline(always)]
            fn binary(op: Binary, a: &[$T], b: &[$T], out: &mut [$T]) -> bool {
                match op {
                    Binary::Add => zip(a, b, out, $T::wrapping_add),
                    Binary::Sub => zip(a, b, out, $T::wrapping_sub),
                    Binary::Mul => zip(a, b, out, $T::wrapping_mul),
                    Binary::Div => zip(a, b, out, |a, b| if b == 0 { 0 } else { a.wrapping_div(b) }),
                    Binary::Rem => zip(a, b, out, |a, b| if b == 0 { 0 } else { a.wrapping_rem(b) }),
                    Binary::FloorDiv => zip(a, b, out, |a, b| if b == 0 { 0 } else { integer!($class floor_div a, b) }),
                    Binary::FloorMod => zip(a, b, out, |a, b| if b == 0 { 0 } else { integer!($class floor_mod a, b) }),
                    Binary::Pow => zip(a, b, out, |a, b| integer!($class pow $T a, b)),
                    Binary::Minimum | Binary::FMin => zip(a, b, out, Ord::min),
                    Binary::Maximum | Binary::FMax => zip(a, b, out, Ord::max),
                    Binary::And => zip(a, b, out, |a, b| a & b),
                    Binary::Or => zip(a, b, out, |a, b| a | b),
                    Binary::Xor => zip(a, b, out, |a, b| a ^ b),
                    // Bits that are shifted out are gone, however far they are shifted.
                    Binary::Shl => zip(a, b, out, |a, b| if integer!($class within $T b) { a << b } else { 0 }),
                    Binary::Shr => zip(a, b, out, |a, b| if integer!($class within $T b) { a >> b } else { integer!($class fill a) }),
                    Binary::Gcd => zip(a, b, out, |a, b| divisor(integer!($class size a), integer!($class size b)) as $T),
                    Binary::Lcm => zip(a, b, out, |a, b| multiple(integer!($class size a), integer!($class size b)) as $T),
                    _ => false,
                }
            }

            #[inline(always)]
            fn test(op: Test, a: &[$T], out: &mut [bool]) -> bool {
                match op {
                    Test::NonZero => map(a, out, |a| a != 0),
                    Test::IsFinite => map(a, out, |_| true),
                    Test::IsNan | Test::IsInfinite | Test::IsPosInf | Test::IsNegInf => map(a, out, |_| false),
                    Test::SignBit => map(a, out, |a| integer!($class sign_bit a)),
                }
            }

            fn exponent(self) -> i32 {
                0
            }

            #[inline(always)]
            fn is_missing(self) -> bool {
                false
            }
        }

        impl Rank for $T {
            fn worst(greatest: bool) -> $T {
                if greatest { $T::MIN } else { $T::MAX }
            }

            fn nothing(greatest: bool) -> $T {
                $T::worst(greatest)
            }
        }
    };
    (signed abs $a:ident) => { $a.wrapping_abs() };
    (unsigned abs $a:ident) => { $a };
    (signed size $a:ident) => { u64::from($a.unsigned_abs()) };
    (unsigned size $a:ident) => { u64::from($a) };
    (signed sign $a:ident) => { $a.signum() };
    (unsigned sign $a:ident) => { $a.min(1) };
    (signed sign_bit $a:ident) => { $a < 0 };
    (unsigned sign_bit $a:ident) => {{
        let _ = $a;
        false
    }};
    (signed floor_div $a:ident, $b:ident) => {{
        let quotient = $a.wrapping_div($b);
        if $a.wrapping_rem($b) != 0 && ($a < 0) != ($b < 0) { quotient - 1 } else { quotient }
    }};
    (unsigned floor_div $a:ident, $b:ident) => { $a / $b };
    (signed floor_mod $a:ident, $b:ident) => {{
        let rest = $a.wrapping_rem($b);
        if rest != 0 && ($a < 0) != ($b < 0) { rest + $b } else { rest }
    }};
    (unsigned floor_mod $a:ident, $b:ident) => { $a % $b };
    (signed pow $T:ident $a:ident, $b:ident) => {
        match ($a, $b) {
            (_, 0..) => power($a, $b as u64, 1, $T::wrapping_mul),
            // One by a whole number is a whole number for 1 and -1 only.
            (1, _) => 1,
            (-1, _) => if $b & 1 == 0 { 1 } else { -1 },
            _ => 0,
        }
    };
    (unsigned pow $T:ident $a:ident, $b:ident) => { power($a, u64::from($b), 1, $T::wrapping_mul) };
    (signed within $T:ident $b:ident) => { (0..$T::BITS as $T).contains(&$b) };
    (unsigned within $T:ident $b:ident) => { $b < $T::BITS as $T };
    (signed fill $a:ident) => { if $a < 0 { -1 } else { 0 } };
    (unsigned fill $a:ident) => {{
        let _ = $a;
        0
    }};
}

integer!(i8 signed);
integer!(i16 signed);
integer!(i32 signed);
integer!(i64 signed);
integer!(u8 unsigned);
integer!(u16 unsigned);
integer!(u32 unsigned);
integer!(u64 unsigned);

impl Arith for bool {
    on_a_line!(no part);

    #[inline(always)]
    fn unary(op: Unary, a: &[bool], out: &mut [bool]) -> bool {
        match op {
            Unary::Not => map(a, out, |a: bool| !a),
            _ => false,
        }
    }

    #[inline(always)]
    fn binary(op: Binary, a: &[bool], b: &[bool], out: &mut [bool]) -> bool {
        match op {
            Binary::And | Binary::Minimum | Binary::FMin => zip(a, b, out, |a, b| a & b),
            Binary::Or | Binary::Maximum | Binary::FMax => zip(a, b, out, |a, b| a | b),
            Binary::Xor => zip(a, b, out, |a, b| a ^ b),
            _ => false,
        }
    }

    #[inline(always)]
    fn test(op: Test, a: &[bool], out: &mut [bool]) -> bool {
        match op {
            Test::NonZero => map(a, out, |a| a),
            Test::IsFinite => map(a, out, |_| true),
            Test::IsNan | Test::IsInfinite | Test::IsPosInf | Test::IsNegInf | Test::SignBit => map(a, out, |_| false),
        }
    }

    fn exponent(self) -> i32 {
        0
    }

    #[inline(always)]
    fn is_missing(self) -> bool {
        false
    }
}

impl Rank for bool {
    fn worst(greatest: bool) -> bool {
        !greatest
    }

    fn nothing(greatest: bool) -> bool {
        !greatest
    }
}

#[cfg(test)]
mod tests;
