//! Factors of one matrix in memory, in `f64`. They refuse to know blocks and tasks.
//!
//! The trailing parts of large matrices are updated by products, which is where nearly all the time goes.

pub mod cholesky;
pub mod jacobi;
pub mod lu;
pub mod qr;
pub mod triangle;

/// Columns that are worked on at a time before the rest is updated with all of them.
const PANEL: usize = 64;

#[cfg(test)]
pub mod tests {
    use ndarray::Array2;

    /// A matrix whose elements look random.
    pub fn matrix(rows: usize, columns: usize) -> Array2<f64> {
        let mut state = 0x9E37_79B9u32 ^ (rows * 1000 + columns) as u32;
        Array2::from_shape_simple_fn((rows, columns), || {
            // Marsaglia's xorshift of 32 bits.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            f64::from(state) / f64::from(u32::MAX) - 0.5
        })
    }

    /// They are the same up to rounding.
    #[track_caller]
    pub fn assert_close(found: &Array2<f64>, expected: &Array2<f64>, tolerance: f64) {
        assert_eq!(found.dim(), expected.dim());
        let worst = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
        assert!(worst <= tolerance, "{worst} off\n{found}\n{expected}");
    }
}
