//! Functions of one and of two elements: the table of them, as methods.

use num_complex::Complex;

use crate::array::ops::elementwise::{Given, Operand};
use crate::array::tile::{Binary, Op, Unary};
use crate::array::{DArray, Float, Inexact, Integer, Number, Ordered, Real};

macro_rules! unary {
    ($Class:ident: $($(#[$doc:meta])* $name:ident $Op:ident;)*) => {
        impl<T: $Class> DArray<T> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&self) -> DArray<T> {
                    self.unary(Unary::$Op, concat!(".", stringify!($name), "()"))
                }
            )*
        }
    };
}

macro_rules! binary {
    ($Class:ident: $($(#[$doc:meta])* $name:ident $Op:ident;)*) => {
        impl<T: $Class> DArray<T> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&self, other: impl Operand<T>) -> DArray<T> {
                    self.binary(Binary::$Op, other, concat!(".", stringify!($name), "(…)"))
                }
            )*
        }
    };
}

unary! { Number:
    /// -1, 0 or 1; NaN for NaN. Of a complex number what it is by its size.
    #[doc(alias = "signum")]
    sign Sign;
    /// Times itself.
    square Square;
}

unary! { Inexact:
    /// The square root; NaN for negative numbers. Complex numbers have one, of which the real part is not negative.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![1.0, 4.0, 9.0], 2);
    /// assert_eq!(x.sqrt().compute()?.sum(), 6.0);
    /// assert!((x.ln().exp() - &x).abs().compute()?.iter().all(|distance| *distance < 1e-15 * 9.0));
    /// # Ok::<(), partita::Error>(())
    /// ```
    sqrt Sqrt;
    /// One divided by it.
    #[doc(alias = "recip")]
    reciprocal Reciprocal;
    /// e to its power.
    exp Exp;
    /// 2 to its power.
    exp2 Exp2;
    /// e to its power, less one, exact near zero.
    #[doc(alias = "expm1")]
    exp_m1 ExpM1;
    /// The natural logarithm.
    #[doc(alias = "log")]
    ln Ln;
    /// The logarithm to base 2.
    log2 Log2;
    /// The logarithm to base 10.
    log10 Log10;
    /// The natural logarithm of one plus it, exact near zero.
    #[doc(alias = "log1p")]
    ln_1p Ln1p;
    /// The sine of an angle in radians.
    sin Sin;
    /// The cosine of an angle in radians.
    cos Cos;
    /// The tangent of an angle in radians.
    tan Tan;
    /// The angle of this sine, in radians.
    #[doc(alias = "arcsin")]
    asin Asin;
    /// The angle of this cosine, in radians.
    #[doc(alias = "arccos")]
    acos Acos;
    /// The angle of this tangent, in radians.
    #[doc(alias = "arctan")]
    atan Atan;
    /// The hyperbolic sine.
    sinh Sinh;
    /// The hyperbolic cosine.
    cosh Cosh;
    /// The hyperbolic tangent.
    tanh Tanh;
    /// The inverse of the hyperbolic sine.
    #[doc(alias = "arcsinh")]
    asinh Asinh;
    /// The inverse of the hyperbolic cosine.
    #[doc(alias = "arccosh")]
    acosh Acosh;
    /// The inverse of the hyperbolic tangent.
    #[doc(alias = "arctanh")]
    atanh Atanh;
}

unary! { Float:
    /// The cube root.
    cbrt Cbrt;
    /// An angle in degrees from one in radians.
    #[doc(alias = "degrees")]
    #[doc(alias = "rad2deg")]
    to_degrees Degrees;
    /// An angle in radians from one in degrees.
    #[doc(alias = "radians")]
    #[doc(alias = "deg2rad")]
    to_radians Radians;
    /// The largest whole number that is not greater.
    floor Floor;
    /// The smallest whole number that is not less.
    ceil Ceil;
    /// Without what comes after the point.
    #[doc(alias = "fix")]
    trunc Trunc;
    /// The nearest whole number; halves go to the even one.
    rint Rint;
    /// sin(pi x) / (pi x), 1 at zero.
    sinc Sinc;
    /// The modified Bessel function of the first kind, order 0.
    i0 I0;
    /// The distance to the next number of the same type, away from zero.
    spacing Spacing;
}

binary! { Ordered:
    /// The greater of both elements; NaN where one of them is.
    maximum Maximum;
    /// The less of both elements; NaN where one of them is.
    minimum Minimum;
}

binary! { Integer:
    /// The greatest number that divides both without a rest, not negative; of zero and another number the other.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0, 7, 1, 3);
    /// assert_eq!(x.gcd(6).compute()?.into_iter().collect::<Vec<_>>(), [6, 1, 2, 3, 2, 1, 6]);
    /// assert_eq!(x.lcm(4).compute()?.into_iter().collect::<Vec<_>>(), [0, 4, 4, 12, 4, 20, 12]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    gcd Gcd;
    /// The least number that both divide without a rest; zero where one of them is. One that does not fit the type loses its upper bits.
    lcm Lcm;
}

impl<T: Integer> DArray<T> {
    /// How many bits of its size, without its sign, are 1.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![0, 7, -7, 255], 3);
    /// assert_eq!(x.bitwise_count().compute()?.into_iter().collect::<Vec<_>>(), [0u8, 3, 3, 8]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "count_ones")]
    #[track_caller]
    pub fn bitwise_count(&self) -> DArray<u8> {
        self.unary(Unary::CountOnes, ".bitwise_count()").cast::<u8>()
    }
}

binary! { Float:
    /// 0 where it is negative, 1 where it is positive, and the other element where it is zero; NaN stays NaN.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![-1.5, 0.0, 2.0], 2);
    /// assert_eq!(x.heaviside(0.5).compute()?.into_iter().collect::<Vec<_>>(), [0.0, 0.5, 1.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    heaviside Heaviside;
    /// The greater of both elements; where one is NaN, the other.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![1.0, f64::NAN], 1);
    /// assert_eq!(x.fmax(0.5).compute()?.into_iter().collect::<Vec<_>>(), [1.0, 0.5]);
    /// assert!(x.maximum(0.5).compute()?[[1]].is_nan());
    /// # Ok::<(), partita::Error>(())
    /// ```
    fmax FMax;
    /// The less of both elements; where one is NaN, the other.
    fmin FMin;
    /// The angle of a point with this y and the other x, in radians.
    #[doc(alias = "arctan2")]
    atan2 Atan2;
    /// The length of the longest side of a right-angled triangle with these sides.
    hypot Hypot;
    /// Its size with the other's sign.
    copysign CopySign;
    /// The logarithm of the sum of both exponentials.
    #[doc(alias = "logaddexp")]
    log_add_exp LogAddExp;
    /// The logarithm to base 2 of the sum of 2 to the power of both.
    #[doc(alias = "logaddexp2")]
    log_add_exp2 LogAddExp2;
    /// The next number of the same type on the way to the other.
    #[doc(alias = "nextafter")]
    next_after NextAfter;
}

impl<T: Float> DArray<T> {
    /// Times 2 to the power of whole numbers.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![0.75, -3.0], 1);
    /// let (mantissas, exponents) = x.frexp();
    /// assert_eq!(exponents.compute()?.into_iter().collect::<Vec<_>>(), [0, 2]);
    /// assert_eq!(mantissas.ldexp(&exponents).compute()?, x.compute()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn ldexp(&self, exponents: &DArray<i32>) -> DArray<T> {
        self.binary(Binary::Ldexp, exponents.cast::<T>(), ".ldexp(…)")
    }

    /// Mantissas of size 0.5 to 1, and exponents to base 2.
    #[track_caller]
    pub fn frexp(&self) -> (DArray<T>, DArray<i32>) {
        let exponents = DArray::elementwise(Op::Exponent, T::DTYPE, vec![Given::Array(self.to_any())], ".frexp()");
        (self.unary(Unary::Mantissa, ".frexp()"), exponents)
    }

    /// What comes after the point, and what stands before it, both with the sign.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let (after, before) = DArray::from_array(partita::ndarray::array![-2.5, 3.25], 1).modf();
    /// assert_eq!(after.compute()?.into_iter().collect::<Vec<_>>(), [-0.5, 0.25]);
    /// assert_eq!(before.compute()?.into_iter().collect::<Vec<_>>(), [-2.0, 3.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn modf(&self) -> (DArray<T>, DArray<T>) {
        let before = self.trunc();
        // Of an infinity nothing comes after the point, where the difference would be NaN.
        let after = (self - &before).where_(&!self.is_infinite(), T::default()).copysign(self);
        (after, before)
    }

    /// NaN as 0, and infinities as the largest and the smallest finite number.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![f64::NAN, f64::INFINITY, 1.0], 2);
    /// assert_eq!(x.nan_to_num().compute()?.into_iter().collect::<Vec<_>>(), [0.0, f64::MAX, 1.0]);
    /// assert_eq!(x.nan_to_num_with(-1.0, 9.0, -9.0).compute()?.into_iter().collect::<Vec<_>>(), [-1.0, 9.0, 1.0]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn nan_to_num(&self) -> DArray<T> {
        let largest = if T::DTYPE.size() == 4 { f64::from(f32::MAX) } else { f64::MAX };
        self.nan_to_num_with(T::default(), T::of_f64(largest), T::of_f64(-largest))
    }

    /// NaN and infinities as these numbers.
    #[track_caller]
    pub fn nan_to_num_with(&self, nan: T, pos_inf: T, neg_inf: T) -> DArray<T> {
        let number = self.where_(&!self.is_nan(), nan);
        number.where_(&!self.is_pos_inf(), pos_inf).where_(&!self.is_neg_inf(), neg_inf)
    }
}

impl<T: Real> DArray<T> {
    /// Rounded to so many digits after the point; halves go to the even digit. Negative numbers round before the point, integers too.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::from_array(partita::ndarray::array![1.25, 2.345, 1234.5], 2);
    /// assert_eq!(x.round(1).compute()?.into_iter().collect::<Vec<_>>(), [1.2, 2.3, 1234.5]);
    /// assert_eq!(x.round(-2).compute()?.into_iter().collect::<Vec<_>>(), [0.0, 0.0, 1200.0]);
    /// assert_eq!(DArray::arange(13, 30, 6, 2).round(-1).compute()?.into_iter().collect::<Vec<_>>(), [10, 20, 20]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "around")]
    #[track_caller]
    pub fn round(&self, decimals: i32) -> DArray<T> {
        let scale = 10f64.powi(decimals.clamp(-400, 400).abs());
        if !T::DTYPE.is_float() {
            // Whole numbers have no digits behind the point.
            return if decimals >= 0 { self.clone() } else { ((self.cast::<f64>() / scale).rint() * scale).cast::<T>() };
        }
        let scale = T::of_f64(scale);
        match decimals {
            0 => self.unary(Unary::Rint, ".round(…)"),
            1.. => (self * scale).unary(Unary::Rint, ".round(…)") / scale,
            _ => (self / scale).unary(Unary::Rint, ".round(…)") * scale,
        }
    }
}

// Of both parts; not one method for all numbers, so that types are known where an array is made of numbers without a suffix.
impl<F: Float> DArray<Complex<F>>
where
    Complex<F>: Number<Part = F>,
{
    /// Both parts rounded to so many digits after the point; halves go to the even digit.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::full([1], Complex::new(1.25f64, f64::NAN), 1);
    /// assert_eq!(x.round(1).re().compute()?[[0]], 1.2);
    /// assert_eq!(x.nan_to_num().compute()?[[0]], Complex::new(1.25, 0.0));
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn round(&self, decimals: i32) -> DArray<Complex<F>> {
        self.re().round(decimals).to_complex(self.im().round(decimals)).cast::<Complex<F>>()
    }

    /// In both parts NaN as 0, and infinities as the largest and the smallest finite number.
    #[track_caller]
    pub fn nan_to_num(&self) -> DArray<Complex<F>> {
        self.re().nan_to_num().to_complex(self.im().nan_to_num()).cast::<Complex<F>>()
    }

    /// In both parts NaN and infinities as these numbers.
    #[track_caller]
    pub fn nan_to_num_with(&self, nan: F, pos_inf: F, neg_inf: F) -> DArray<Complex<F>> {
        let part = self.re().nan_to_num_with(nan, pos_inf, neg_inf);
        part.to_complex(self.im().nan_to_num_with(nan, pos_inf, neg_inf)).cast::<Complex<F>>()
    }
}

impl<T: Ordered> DArray<T> {
    /// Nothing less than `low` and nothing greater than `high`. NaN stays NaN.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0, 6, 1, 4);
    /// assert_eq!(x.clip(2, 3).compute()?.into_iter().collect::<Vec<_>>(), [2, 2, 2, 3, 3, 3]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "clamp")]
    #[track_caller]
    pub fn clip(&self, low: impl Operand<T>, high: impl Operand<T>) -> DArray<T> {
        self.maximum(low).minimum(high)
    }
}
