//! Functions of one or two floats that the standard library does not have, as NumPy defines them.

/// What every float type needs of them.
macro_rules! special {
    ($T:ident) => {
        impl Special for $T {
            #[inline(always)]
            fn sign(self) -> Self {
                if self > 0.0 {
                    1.0
                } else if self < 0.0 {
                    -1.0
                } else {
                    // Zero of either sign, and NaN.
                    self + 0.0
                }
            }

            #[inline(always)]
            fn floor_div(self, other: Self) -> Self {
                if other == 0.0 {
                    return self / other;
                }
                let rest = self % other;
                let mut quotient = (self - rest) / other;
                if rest != 0.0 && (rest < 0.0) != (other < 0.0) {
                    quotient -= 1.0;
                }
                if quotient == 0.0 {
                    return quotient.copysign(self / other);
                }
                // The division may have rounded to just below a whole number.
                let floor = quotient.floor();
                if quotient - floor > 0.5 { floor + 1.0 } else { floor }
            }

            #[inline(always)]
            fn floor_mod(self, other: Self) -> Self {
                let rest = self % other;
                if rest == 0.0 {
                    rest.copysign(other)
                } else if (rest < 0.0) != (other < 0.0) {
                    rest + other
                } else {
                    rest
                }
            }

            fn log_add_exp(self, other: Self) -> Self {
                // The same infinity twice: their difference would be NaN.
                if self == other {
                    return self + $T::ln(2.0);
                }
                let distance = self - other;
                if distance > 0.0 {
                    self + (-distance).exp().ln_1p()
                } else if distance <= 0.0 {
                    other + distance.exp().ln_1p()
                } else {
                    distance
                }
            }

            fn log_add_exp2(self, other: Self) -> Self {
                if self == other {
                    return self + 1.0;
                }
                let per_two = $T::ln(2.0);
                let distance = self - other;
                if distance > 0.0 {
                    self + (-distance).exp2().ln_1p() / per_two
                } else if distance <= 0.0 {
                    other + distance.exp2().ln_1p() / per_two
                } else {
                    distance
                }
            }

            #[inline(always)]
            fn heaviside(self, other: Self) -> Self {
                if self == 0.0 {
                    other
                } else if self.is_nan() {
                    self
                } else if self > 0.0 {
                    1.0
                } else {
                    0.0
                }
            }

            #[inline(always)]
            fn next_after(self, other: Self) -> Self {
                if self.is_nan() || other.is_nan() {
                    self + other
                } else if self == other {
                    other
                } else if self < other {
                    self.next_up()
                } else {
                    self.next_down()
                }
            }

            #[inline(always)]
            fn spacing(self) -> Self {
                if !self.is_finite() {
                    return $T::NAN;
                }
                let away = if self < 0.0 { self.next_down() } else { self.next_up() };
                away - self
            }

            fn parts(self) -> (Self, i32) {
                if self == 0.0 || !self.is_finite() {
                    return (self, 0);
                }
                // Subnormal numbers have fewer bits; in the normal range the exponent is in its field.
                let (normal, shift) = if self.abs() < $T::MIN_POSITIVE { (self * $T::powi(2.0, 60), 60) } else { (self, 0) };
                let exponent = field(normal.abs().to_bits().into(), $T::MANTISSA_DIGITS);
                let bias = $T::MAX_EXP - 2;
                let mantissa = normal.scaled(bias - exponent);
                (mantissa, exponent - bias - shift)
            }

            fn scaled(self, exponent: i32) -> Self {
                // In steps that are powers of two themselves, so that each is exact unless it leaves the range.
                let step = $T::MAX_EXP - 2;
                let (mut value, mut left) = (self, exponent.clamp(-5000, 5000));
                while left > step {
                    value *= $T::powi(2.0, step);
                    left -= step;
                }
                while left < -step {
                    value *= $T::powi(2.0, -step);
                    left += step;
                }
                value * $T::powi(2.0, left)
            }

            fn sinc(self) -> Self {
                let angle = self * std::$T::consts::PI;
                if angle == 0.0 { 1.0 } else { angle.sin() / angle }
            }

            fn bessel_i0(self) -> Self {
                bessel_i0(f64::from(self)) as $T
            }
        }
    };
}

/// The exponent field of a float of so many digits, as it stands there.
fn field(bits: u64, digits: u32) -> i32 {
    (bits >> (digits - 1)) as i32
}

/// The modified Bessel function of order zero, by its power series, all of whose terms are positive.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 && sum < f64::INFINITY {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    if x.is_nan() { x } else { sum }
}

/// The greatest number that divides both; of zero and another number that number.
pub fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The least number that both divide, wrapping; zero where one of them is.
pub fn multiple(a: u64, b: u64) -> u64 {
    if a == 0 || b == 0 { 0 } else { (a / divisor(a, b)).wrapping_mul(b) }
}

/// See the functions of the same names in NumPy.
pub trait Special: Sized {
    /// -1, 0 or 1.
    fn sign(self) -> Self;
    /// The quotient rounded down.
    fn floor_div(self, other: Self) -> Self;
    /// What is left after it; it has the sign of `other`.
    fn floor_mod(self, other: Self) -> Self;
    /// The logarithm of the sum of two exponentials.
    fn log_add_exp(self, other: Self) -> Self;
    /// The same to base 2.
    fn log_add_exp2(self, other: Self) -> Self;
    /// 0 of negative numbers, 1 of positive ones, `other` of zero.
    fn heaviside(self, other: Self) -> Self;
    /// The next float on the way to `other`.
    fn next_after(self, other: Self) -> Self;
    /// The distance to the next float away from zero.
    fn spacing(self) -> Self;
    /// Mantissa of size 0.5 to 1, and the exponent to base 2.
    fn parts(self) -> (Self, i32);
    /// Multiplied by two to the power of `exponent`.
    fn scaled(self, exponent: i32) -> Self;
    /// sin(pi x) / (pi x).
    fn sinc(self) -> Self;
    /// The modified Bessel function of the first kind, order 0.
    fn bessel_i0(self) -> Self;
}

special!(f64);
special!(f32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_rounds_down_and_what_is_left_fits() {
        for (a, b, quotient, rest) in [(7.0, 2.0, 3.0, 1.0), (-7.0, 2.0, -4.0, 1.0), (7.0, -2.0, -4.0, -1.0), (-7.0, -2.0, 3.0, -1.0)] {
            assert_eq!((f64::floor_div(a, b), f64::floor_mod(a, b)), (quotient, rest), "{a} by {b}");
        }
        assert_eq!((1.0f64.floor_div(0.1), 0.3f64.floor_div(0.1)), (9.0, 2.0));
        assert!(1.0f64.floor_mod(0.0).is_nan());
        assert_eq!((1.0f64.floor_div(0.0), (-1.0f32).floor_mod(f32::INFINITY)), (f64::INFINITY, f32::INFINITY));
    }

    #[test]
    fn floats_come_apart_and_together() {
        for x in [1.0, -0.3, 1e300, 5e-324, -2.5e-310, f64::MIN_POSITIVE, f64::MAX] {
            let (mantissa, exponent) = x.parts();
            assert!((0.5..1.0).contains(&mantissa.abs()), "{x}: {mantissa}");
            assert_eq!(mantissa.scaled(exponent), x);
        }
        for x in [1.0f32, -0.3, 1e38, 1e-45, f32::MIN_POSITIVE] {
            let (mantissa, exponent) = x.parts();
            assert!((0.5..1.0).contains(&mantissa.abs()), "{x}: {mantissa}");
            assert_eq!(mantissa.scaled(exponent), x);
        }
        assert_eq!((8.0f64.parts(), 0.0f64.parts()), ((0.5, 4), (0.0, 0)));
        assert_eq!((1.0f64.scaled(-1074), 1.0f64.scaled(5000), 1.0f64.scaled(-5000)), (5e-324, f64::INFINITY, 0.0));
    }

    #[test]
    fn edges_are_numpys() {
        assert_eq!(((-0.0f64).sign(), (-3.0f64).sign(), 2.0f32.sign()), (0.0, -1.0, 1.0));
        assert!(f64::NAN.sign().is_nan());
        assert_eq!(f64::NEG_INFINITY.log_add_exp(f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert!((0.0f64.log_add_exp(0.0) - 2.0f64.ln()).abs() < 1e-15);
        assert!((3.0f64.log_add_exp2(1.0) - 10.0f64.log2()).abs() < 1e-15);
        assert_eq!((1.0f64.next_after(2.0) - 1.0, 1.0f64.spacing()), (f64::EPSILON, f64::EPSILON));
        assert_eq!(0.0f64.next_after(-1.0), -5e-324);
        assert_eq!((0.0f64.sinc(), 1.0f64.sinc().abs() < 1e-16), (1.0, true));
        for (x, expected) in [(0.0, 1.0), (1.0, 1.266_065_877_752_008_4), (-3.0, 4.880_792_585_865_024), (20.0, 43_558_282.559_553_53)] {
            assert!((f64::bessel_i0(x) / expected - 1.0).abs() < 1e-14, "{x}: {}", f64::bessel_i0(x));
        }
        assert_eq!((1e4f64.bessel_i0(), f64::NAN.bessel_i0().is_nan()), (f64::INFINITY, true));
    }
}
