//! Arithmetic on tiles of complex numbers, as NumPy defines it.
//!
//! It refuses to compare them by size. The invariant: what is made of a number and what is made of its conjugate are conjugates, as far as
//! the standard library keeps signs.

use super::arith::{Arith, map, zip};
use super::program::{Binary, Compare, Component, Test, Unary};
use crate::array::element::{C64, C128};

/// The largest exponent that is taken to a power by multiplying.
const MULTIPLIED: i32 = 100;

/// Functions of complex numbers that the library of numbers does not have, or not as exactly.
trait Plane: Copy {
    fn sign(self) -> Self;
    fn over(self, other: Self) -> Self;
    fn exp_m1(self) -> Self;
    fn ln_1p(self) -> Self;
    fn power(self, exponent: Self) -> Self;
}

macro_rules! complex {
    ($C:ident $Part:ident) => {
        impl Plane for $C {
            /// The number by its size.
            fn sign(self) -> Self {
                if self == Self::default() { Self::default() } else { self.unscale(self.norm()) }
            }

            /// Scaled by the larger part of the divisor, so that nothing overflows that has a quotient (Smith 1962).
            #[inline(always)]
            fn over(self, other: Self) -> Self {
                let (a, b) = (self, other);
                if b.re.abs() >= b.im.abs() {
                    if b == Self::default() {
                        return Self::new(a.re / b.re.abs(), a.im / b.re.abs());
                    }
                    let ratio = b.im / b.re;
                    let scale = 1.0 / (b.re + b.im * ratio);
                    Self::new((a.re + a.im * ratio) * scale, (a.im - a.re * ratio) * scale)
                } else {
                    let ratio = b.re / b.im;
                    let scale = 1.0 / (b.im + b.re * ratio);
                    Self::new((a.re * ratio + a.im) * scale, (a.im * ratio - a.re) * scale)
                }
            }

            /// Near zero both parts keep their digits.
            fn exp_m1(self) -> Self {
                let half = (self.im / 2.0).sin();
                Self::new(self.re.exp_m1() * self.im.cos() - 2.0 * half * half, self.re.exp() * self.im.sin())
            }

            fn ln_1p(self) -> Self {
                let above = self.re + 1.0;
                if self.re.abs() < 0.5 && self.im.abs() < 0.5 {
                    // The square of the size, less one.
                    return Self::new((self.re * (2.0 + self.re) + self.im * self.im).ln_1p() / 2.0, self.im.atan2(above));
                }
                Self::new(above.hypot(self.im).ln(), self.im.atan2(above))
            }

            fn power(self, exponent: Self) -> Self {
                let whole = exponent.re as i32;
                if exponent.im == 0.0 && whole as $Part == exponent.re && whole.abs() < MULTIPLIED {
                    let power = self.powu(whole.unsigned_abs());
                    return if whole < 0 { Self::new(1.0, 0.0).over(power) } else { power };
                }
                if self == Self::default() {
                    return if exponent.re > 0.0 { Self::default() } else { Self::new($Part::NAN, $Part::NAN) };
                }
                self.powc(exponent)
            }
        }

        impl Arith for $C {
            type Re = $Part;
            type Pair = Self;

            #[inline(always)]
            fn unary(op: Unary, a: &[$C], out: &mut [$C]) -> bool {
                match op {
                    Unary::Neg => map(a, out, |a| -a),
                    Unary::Sign => map(a, out, Plane::sign),
                    Unary::Square => map(a, out, |a| a * a),
                    Unary::Reciprocal => map(a, out, |a| $C::new(1.0, 0.0).over(a)),
                    Unary::Sqrt => map(a, out, $C::sqrt),
                    Unary::Exp => map(a, out, $C::exp),
                    Unary::Exp2 => map(a, out, $C::exp2),
                    Unary::ExpM1 => map(a, out, Plane::exp_m1),
                    Unary::Ln => map(a, out, $C::ln),
                    Unary::Log2 => map(a, out, $C::log2),
                    Unary::Log10 => map(a, out, $C::log10),
                    Unary::Ln1p => map(a, out, Plane::ln_1p),
                    Unary::Sin => map(a, out, $C::sin),
                    Unary::Cos => map(a, out, $C::cos),
                    Unary::Tan => map(a, out, $C::tan),
                    Unary::Asin => map(a, out, $C::asin),
                    Unary::Acos => map(a, out, $C::acos),
                    Unary::Atan => map(a, out, $C::atan),
                    Unary::Sinh => map(a, out, $C::sinh),
                    Unary::Cosh => map(a, out, $C::cosh),
                    Unary::Tanh => map(a, out, $C::tanh),
                    Unary::Asinh => map(a, out, $C::asinh),
                    Unary::Acosh => map(a, out, $C::acosh),
                    Unary::Atanh => map(a, out, $C::atanh),
                    Unary::Conj => map(a, out, |a: $C| a.conj()),
                    Unary::Abs
                    | Unary::Cbrt
                    | Unary::Not
                    | Unary::Degrees
                    | Unary::Radians
                    | Unary::Floor
                    | Unary::Ceil
                    | Unary::Trunc
                    | Unary::Rint
                    | Unary::Sinc
                    | Unary::I0
                    | Unary::Spacing
                    | Unary::Mantissa
                    | Unary::CountOnes => false,
                }
            }

            #[inline(always)]
            fn binary(op: Binary, a: &[$C], b: &[$C], out: &mut [$C]) -> bool {
                match op {
                    Binary::Add => zip(a, b, out, |a, b| a + b),
                    Binary::Sub => zip(a, b, out, |a, b| a - b),
                    Binary::Mul => zip(a, b, out, |a, b| a * b),
                    Binary::Div => zip(a, b, out, Plane::over),
                    Binary::Pow => zip(a, b, out, Plane::power),
                    _ => false,
                }
            }

            #[inline(always)]
            fn test(op: Test, a: &[$C], out: &mut [bool]) -> bool {
                match op {
                    Test::NonZero => map(a, out, |a| a != $C::default()),
                    Test::IsNan => map(a, out, |a: $C| a.re.is_nan() || a.im.is_nan()),
                    Test::IsFinite => map(a, out, |a: $C| a.re.is_finite() && a.im.is_finite()),
                    Test::IsInfinite => map(a, out, |a: $C| a.re.is_infinite() || a.im.is_infinite()),
                    Test::IsPosInf | Test::IsNegInf | Test::SignBit => false,
                }
            }

            #[inline(always)]
            fn compare(op: Compare, a: &[$C], b: &[$C], out: &mut [bool]) -> bool {
                match op {
                    Compare::Eq => zip(a, b, out, |a, b| a == b),
                    Compare::Ne => zip(a, b, out, |a, b| a != b),
                    Compare::Lt | Compare::Le | Compare::Gt | Compare::Ge => false,
                }
            }

            #[inline(always)]
            fn component(op: Component, a: &[$C], out: &mut [$Part]) -> bool {
                match op {
                    Component::Re => map(a, out, |a: $C| a.re),
                    Component::Im => map(a, out, |a: $C| a.im),
                    Component::Abs => map(a, out, |a: $C| a.norm()),
                    Component::Angle => map(a, out, |a: $C| a.arg()),
                }
            }

            #[inline(always)]
            fn join(_: &[$C], _: &[$C], _: &mut [$C]) -> bool {
                false
            }

            fn exponent(self) -> i32 {
                0
            }

            #[inline(always)]
            fn is_missing(self) -> bool {
                self.re.is_nan() || self.im.is_nan()
            }
        }
    };
}

complex!(C64 f32);
complex!(C128 f64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::tile::arith::{binary, component, join, unary};

    fn near(found: C128, expected: C128) {
        assert!((found - expected).norm() <= 1e-14 * expected.norm().max(1e-300), "{found} and not {expected}");
    }

    fn of(op: Unary, a: C128) -> C128 {
        let mut out = [C128::default()];
        assert!(unary(op, &[a], &mut out), "{op:?}");
        out[0]
    }

    fn of_two(op: Binary, a: C128, b: C128) -> C128 {
        let mut out = [C128::default()];
        assert!(binary(op, &[a], &[b], &mut out), "{op:?}");
        out[0]
    }

    #[test]
    fn quotients_do_not_overflow_on_the_way() {
        let c = C128::new;
        near(of_two(Binary::Div, c(1.0, 2.0), c(3.0, -4.0)), c(-0.2, 0.4));
        near(of_two(Binary::Div, c(1e300, 1e300), c(2e300, 2e300)), c(0.5, 0.0));
        near(of_two(Binary::Div, c(1e-300, 0.0), c(1e-300, 1e-300)), c(0.5, -0.5));
        near(of(Unary::Reciprocal, c(0.0, 2.0)), c(0.0, -0.5));
        let none = of_two(Binary::Div, c(1.0, 0.0), c(0.0, 0.0));
        assert!(none.re == f64::INFINITY && none.im.is_nan());
    }

    #[test]
    fn whole_powers_are_products() {
        let c = C128::new;
        assert_eq!(of_two(Binary::Pow, c(1.0, 2.0), c(3.0, 0.0)), c(-11.0, -2.0));
        assert_eq!(of_two(Binary::Pow, c(0.0, 2.0), c(-2.0, 0.0)), c(-0.25, 0.0));
        assert_eq!(of_two(Binary::Pow, c(0.0, 0.0), c(0.0, 0.0)), c(1.0, 0.0));
        assert_eq!(of_two(Binary::Pow, c(0.0, 0.0), c(0.5, 1.0)), c(0.0, 0.0));
        near(of_two(Binary::Pow, c(-4.0, 0.0), c(0.5, 0.0)), c(0.0, 2.0));
    }

    #[test]
    fn small_numbers_keep_their_digits() {
        let small = C128::new(1e-10, -2e-10);
        near(of(Unary::ExpM1, small), small + small * small / 2.0);
        near(of(Unary::Ln1p, small), small - small * small / 2.0);
        near(of(Unary::Ln1p, C128::new(2.0, 3.0)), C128::new(3.0, 3.0).ln());
        near(of(Unary::ExpM1, C128::new(1.0, 3.0)), C128::new(1.0, 3.0).exp() - 1.0);
        assert_eq!((of(Unary::Sign, C128::new(3.0, -4.0)), of(Unary::Sign, C128::default())), (C128::new(0.6, -0.8), C128::default()));
    }

    #[test]
    fn parts_are_taken_and_put_together() {
        let mut parts = [0.0f32];
        let mut part = |op: Component| {
            assert!(component(op, &[C64::new(-3.0, 4.0)], &mut parts));
            parts[0]
        };
        assert_eq!((part(Component::Re), part(Component::Im), part(Component::Abs)), (-3.0, 4.0, 5.0));
        assert_eq!(part(Component::Angle), 4.0f32.atan2(-3.0));
        let mut whole = [C64::default()];
        assert!(join(&[1.0f32], &[f32::NAN], &mut whole) && whole[0].re == 1.0 && whole[0].im.is_nan());
        assert!(!join(&[1i32], &[2], &mut [0]) && !component(Component::Re, &[1.0], &mut [0.0]));
    }

    #[test]
    fn size_orders_nothing() {
        let (a, mut truth) = ([C64::new(1.0, 0.0)], [false]);
        assert!(C64::compare(Compare::Eq, &a, &a, &mut truth) && truth[0]);
        assert!(!C64::compare(Compare::Lt, &a, &a, &mut truth) && !C64::test(Test::SignBit, &a, &mut truth));
        assert!(!C64::unary(Unary::Floor, &a, &mut [a[0]]) && !C64::binary(Binary::Maximum, &a, &a, &mut [a[0]]));
    }
}
