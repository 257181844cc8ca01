//! Complex numbers and their parts: `re`, `im`, `abs`, `angle`, `conj`, and back with `to_complex`.

use num_complex::Complex;

use crate::array::element::{Held, Scalar};
use crate::array::ops::elementwise::{Given, Operand};
use crate::array::tile::{Binary, Component, Op, Unary};
use crate::array::{DArray, Float, Number, Real};

impl<T: Number> DArray<T> {
    /// The real parts; of real numbers the array itself.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![Complex::new(3.0f64, -4.0), Complex::new(0.0, 2.0)], 1);
    /// assert_eq!((x.re().compute()?, x.im().compute()?), (array![3.0, 0.0].into_dyn(), array![-4.0, 2.0].into_dyn()));
    /// assert_eq!((x.abs().compute()?, x.conj().im().compute()?), (array![5.0, 2.0].into_dyn(), array![4.0, -2.0].into_dyn()));
    /// assert_eq!((&x * x.conj()).re().sum().compute_scalar()?, 29.0);
    /// assert_eq!(x.re().to_complex(x.im()).compute()?, x.compute()?);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "real")]
    #[track_caller]
    pub fn re(&self) -> DArray<T::Part> {
        if T::DTYPE.is_complex() { self.component(Component::Re, ".re()") } else { DArray::of(self.to_any()) }
    }

    /// The imaginary parts; of real numbers zeros.
    #[doc(alias = "imag")]
    #[track_caller]
    pub fn im(&self) -> DArray<T::Part> {
        if T::DTYPE.is_complex() {
            return self.component(Component::Im, ".im()");
        }
        // In the shape of the array, also where its sizes are not known.
        let operands = vec![Given::Scalar(Scalar::of(true)), Given::Scalar(Scalar::of(T::Part::default())), Given::Array(self.to_any())];
        DArray::elementwise(Op::Select, T::DTYPE, operands, ".im()")
    }

    /// The size, of every kind of numbers.
    #[track_caller]
    pub(crate) fn magnitude(&self, method: &str) -> DArray<T::Part> {
        let op = if T::DTYPE.is_complex() { Op::Component(Component::Abs) } else { Op::Unary(Unary::Abs) };
        DArray::elementwise(op, T::DTYPE, vec![Given::Array(self.to_any())], method)
    }

    /// With the imaginary part of the other sign; of real numbers the array itself.
    #[doc(alias = "conjugate")]
    #[track_caller]
    pub fn conj(&self) -> DArray<T> {
        if T::DTYPE.is_complex() { self.unary(Unary::Conj, ".conj()") } else { self.clone() }
    }

    /// Whether elements have no imaginary part.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![Complex::new(3.0f64, 0.0), Complex::new(0.0, 2.0)], 1);
    /// assert_eq!(x.is_real().compute()?, array![true, false].into_dyn());
    /// assert_eq!(x.is_complex().compute()?, array![false, true].into_dyn());
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "isreal")]
    #[track_caller]
    pub fn is_real(&self) -> DArray<bool> {
        self.im().eq(T::Part::default())
    }

    /// Whether elements have an imaginary part that is not zero.
    #[doc(alias = "iscomplex")]
    #[track_caller]
    pub fn is_complex(&self) -> DArray<bool> {
        self.im().neq(T::Part::default())
    }

    /// The angle between the line of positive numbers and the one to the element, in radians from -pi to pi; of real numbers 0 or pi, as an
    /// `f64` for integers.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use std::f64::consts::PI;
    /// let x = DArray::from_array(partita::ndarray::array![Complex::new(0.0f64, 1.0), Complex::new(-1.0, 0.0)], 1);
    /// assert_eq!(x.angle().compute()?.into_iter().collect::<Vec<_>>(), [PI / 2.0, PI]);
    /// assert_eq!(DArray::full([1], -2i32, 1).angle().compute()?[[0]], PI);
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[track_caller]
    pub fn angle(&self) -> DArray<<T::Complex as Number>::Part> {
        if T::DTYPE.is_complex() {
            return DArray::elementwise(Op::Component(Component::Angle), T::DTYPE, vec![Given::Array(self.to_any())], ".angle()");
        }
        let numbers = self.cast::<<T::Complex as Number>::Part>();
        let dtype = <<T::Complex as Number>::Part as Held>::DTYPE;
        let zero = Scalar::of(<<T::Complex as Number>::Part as Default>::default());
        let operands = vec![Given::Scalar(zero), Given::Array(numbers.to_any())];
        DArray::elementwise(Op::Binary(Binary::Atan2), dtype, operands, ".angle()")
    }

    #[track_caller]
    fn component(&self, op: Component, method: &str) -> DArray<T::Part> {
        DArray::elementwise(Op::Component(op), T::DTYPE, vec![Given::Array(self.to_any())], method)
    }
}

impl<T: Real> DArray<T> {
    /// The size without the sign.
    ///
    /// ```
    /// use partita::prelude::*;
    /// use partita::ndarray::array;
    /// let x = DArray::from_array(array![-2, 0, 3], 2);
    /// assert_eq!(x.abs().compute()?, array![2, 0, 3].into_dyn());
    /// assert_eq!((x.sign().compute()?, x.square().compute()?), (array![-1, 0, 1].into_dyn(), array![4, 0, 9].into_dyn()));
    /// # Ok::<(), partita::Error>(())
    /// ```
    #[doc(alias = "absolute")]
    #[doc(alias = "fabs")]
    #[track_caller]
    pub fn abs(&self) -> DArray<T> {
        self.magnitude(".abs()")
    }
}

// Beside the one of real numbers, and not one for both, so that the type of `x.abs()` is known where `x` is made of numbers without a suffix.
impl<F: Float> DArray<Complex<F>>
where
    Complex<F>: Number<Part = F>,
{
    /// How far each element lies from zero.
    #[doc(alias = "absolute")]
    #[track_caller]
    pub fn abs(&self) -> DArray<F> {
        self.magnitude(".abs()")
    }
}

impl<T: Float> DArray<T> {
    /// Complex numbers of these real parts and of the imaginary parts given, which may also be a single number.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::arange(0.0f64, 3.0, 1.0, 2).to_complex(1.0);
    /// assert_eq!(x.compute()?[[2]], Complex::new(2.0, 1.0));
    /// assert_eq!(x.dtype(), DType::Complex128);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// At `compute`: shapes that do not fit together.
    #[track_caller]
    pub fn to_complex(&self, im: impl Operand<T>) -> DArray<T::Complex> {
        DArray::elementwise(Op::Join, T::DTYPE, vec![Given::Array(self.to_any()), im.into_given()], ".to_complex(…)")
    }
}
