//! Factors of one matrix in memory, of `f64` or of complex numbers of two, by faer on one thread. They refuse to know blocks and tasks: tasks are what runs side by side.
//!
//! Where faer's own factorizations leave out what is nearly zero, or divide by a pivot of zero, they are put together here from its products,
//! reflections and triangles.

pub mod cholesky;
pub mod lu;
pub mod qr;
pub mod reflect;
pub mod spectrum;
pub mod triangle;

use std::ops::{Add, Div, Mul, Neg, Sub};

use faer::traits::ComplexField;
use faer::{ColMut, c64};

/// What factors are made of: `f64`, or complex numbers of two.
pub trait Entry:
    ComplexField<Real = f64>
    + Copy
    + Default
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// A real number.
    fn of(real: f64) -> Self {
        Self::from_real_impl(&real)
    }

    /// The real part.
    fn part(self) -> f64 {
        Self::real_part_impl(&self)
    }

    /// The number on the other side of the real line; a real one itself.
    fn mirrored(self) -> Self {
        Self::conj_impl(&self)
    }

    /// How large it is, as pivots are compared: the sum of the sizes of both parts.
    fn size(self) -> f64 {
        Self::abs1_impl(&self)
    }

    /// Its distance from zero.
    fn distance(self) -> f64 {
        Self::abs_impl(&self)
    }

    /// Whether it is neither infinite nor no number.
    fn is_number(self) -> bool {
        Self::is_finite_impl(&self)
    }

    /// The number of size 1 in its direction; 1 of zero, and of what is no number.
    fn direction(self) -> Self {
        let inverse = self.distance().recip();
        if inverse > 0.0 && inverse.is_finite() { Self::mul_real_impl(&self, &inverse) } else { Self::of(1.0) }
    }
}

impl Entry for f64 {
    fn direction(self) -> Self {
        if self < 0.0 { -1.0 } else { 1.0 }
    }
}

impl Entry for c64 {}

/// A column of a matrix whose columns lie together, which all are that are made here.
fn together<E: Entry>(column: ColMut<'_, E>) -> &mut [E] {
    column.try_as_col_major_mut().expect("columns lie together").as_slice_mut()
}

#[cfg(test)]
pub mod tests {
    use std::borrow::Borrow;

    use faer::{Mat, c64};

    use super::Entry;

    /// Lengths of sides around those at which faer does something else.
    pub const SIDES: [usize; 9] = [0, 1, 2, 31, 32, 33, 64, 100, 257];

    /// A matrix whose elements look random.
    pub fn matrix(rows: usize, columns: usize) -> Mat<f64> {
        let mut state = 0x9E37_79B9u32 ^ (rows * 1000 + columns) as u32;
        Mat::from_fn(rows, columns, |_, _| {
            // Marsaglia's xorshift of 32 bits.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            f64::from(state) / f64::from(u32::MAX) - 0.5
        })
    }

    /// A matrix whose elements look random, in both parts.
    pub fn complex(rows: usize, columns: usize) -> Mat<c64> {
        let both = matrix(rows, 2 * columns);
        Mat::from_fn(rows, columns, |row, column| c64::new(both[(row, column)], both[(row, columns + column)]))
    }

    /// Ones on the diagonal.
    pub fn unit<E: Entry>(n: usize) -> Mat<E> {
        Mat::identity(n, n)
    }

    /// The elements that a condition on row and column holds for; zero elsewhere.
    pub fn only<E: Entry>(a: &Mat<E>, keeps: impl Fn(usize, usize) -> bool) -> Mat<E> {
        Mat::from_fn(a.nrows(), a.ncols(), |row, column| if keeps(row, column) { a[(row, column)] } else { E::of(0.0) })
    }

    /// They are the same up to rounding.
    #[track_caller]
    pub fn assert_close<E: Entry>(found: impl Borrow<Mat<E>>, expected: impl Borrow<Mat<E>>, tolerance: f64) {
        let (found, expected) = (found.borrow(), expected.borrow());
        assert_eq!(found.shape(), expected.shape());
        for row in 0..found.nrows() {
            for column in 0..found.ncols() {
                let (here, there) = (found[(row, column)], expected[(row, column)]);
                let off = (here - there).distance();
                assert!(off <= tolerance, "{off} off at {row}, {column}: {here:?} for {there:?}");
            }
        }
    }
}
