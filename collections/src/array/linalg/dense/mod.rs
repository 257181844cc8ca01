//! Factors of one matrix in memory, in `f64`, by faer on one thread. They refuse to know blocks and tasks: tasks are what runs side by side.
//!
//! Where faer's own factorizations leave out what is nearly zero, or divide by a pivot of zero, they are put together here from its products,
//! reflections and triangles.

pub mod cholesky;
pub mod lu;
pub mod qr;
pub mod spectrum;
pub mod triangle;

use faer::ColMut;

/// A column of a matrix whose columns lie together, which all are that are made here.
fn together(column: ColMut<'_, f64>) -> &mut [f64] {
    column.try_as_col_major_mut().expect("columns lie together").as_slice_mut()
}

#[cfg(test)]
pub mod tests {
    use std::borrow::Borrow;

    use faer::Mat;

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

    /// Ones on the diagonal.
    pub fn unit(n: usize) -> Mat<f64> {
        Mat::identity(n, n)
    }

    /// The elements that a condition on row and column holds for; zero elsewhere.
    pub fn only(a: &Mat<f64>, keeps: impl Fn(usize, usize) -> bool) -> Mat<f64> {
        Mat::from_fn(a.nrows(), a.ncols(), |row, column| if keeps(row, column) { a[(row, column)] } else { 0.0 })
    }

    /// They are the same up to rounding.
    #[track_caller]
    pub fn assert_close(found: impl Borrow<Mat<f64>>, expected: impl Borrow<Mat<f64>>, tolerance: f64) {
        let (found, expected) = (found.borrow(), expected.borrow());
        assert_eq!(found.shape(), expected.shape());
        for row in 0..found.nrows() {
            for column in 0..found.ncols() {
                let (here, there) = (found[(row, column)], expected[(row, column)]);
                assert!((here - there).abs() <= tolerance, "{} off at {row}, {column}: {here} for {there}", (here - there).abs());
            }
        }
    }
}
