//! Cholesky's factor of a symmetric positive definite matrix, or of a Hermitian one: a lower triangle whose product with its conjugate transpose is
//! the matrix.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::{Mat, MatRef, Par};

use super::Entry;

/// The factor, made of the lower triangle; `None` when the matrix is not positive definite. Of the diagonal real parts are looked at.
pub fn cholesky<E: Entry>(a: MatRef<'_, E>) -> Option<Mat<E>> {
    let n = a.nrows();
    let mut factor = Mat::<E>::zeros(n, n);
    factor.copy_from_triangular_lower(a);
    (0..n).for_each(|at| factor[(at, at)] = E::of(a[(at, at)].part()));
    if n == 0 {
        return Some(factor);
    }
    let mut memory = MemBuffer::new(cholesky_in_place_scratch::<E>(n, Par::Seq, Default::default()));
    let done = cholesky_in_place(factor.as_mut(), Default::default(), Par::Seq, MemStack::new(&mut memory), Default::default());
    done.ok()?;
    // What stands above the diagonal was place to work in.
    for column in 1..n {
        factor.col_as_slice_mut(column)[..column].fill(E::of(0.0));
    }
    Some(factor)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SIDES, assert_close, complex, matrix, only, unit};
    use super::*;
    use faer::{Scale, c64, mat};

    fn check<E: Entry>(matrix: fn(usize, usize) -> Mat<E>) {
        for n in SIDES {
            let root = matrix(n, n + 3);
            let given: Mat<E> = &root * root.adjoint() + unit::<E>(n);
            // The upper half is not looked at.
            let lower = only(&given, |row, column| row >= column);
            let factor = cholesky(lower.as_ref()).expect("positive definite");
            assert_close::<E>(&factor * factor.adjoint(), &given, 1e-13 * (n + 1) as f64);
            assert_close(only(&factor, |row, column| row < column), Mat::<E>::zeros(n, n), 0.0);
        }
    }

    #[test]
    fn the_product_of_the_factor_is_the_matrix() {
        check(matrix);
        check(complex);
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_has_none() {
        assert!(cholesky(mat![[1.0, 2.0], [2.0, 1.0]].as_ref()).is_none());
        assert!(cholesky(mat![[0.0]].as_ref()).is_none());
        assert!(cholesky(mat![[c64::new(-1.0, 0.5)]].as_ref()).is_none());
        for wrong in [f64::NAN, f64::INFINITY] {
            assert!(cholesky(mat![[wrong]].as_ref()).is_none());
            let mut given = unit(70);
            given[(69, 3)] = wrong;
            assert!(cholesky(given.as_ref()).is_none());
        }
        let mut given = unit(100);
        given[(80, 80)] = -1.0;
        assert!(cholesky(given.as_ref()).is_none());
    }

    #[test]
    fn rows_of_very_different_sizes_do_no_harm() {
        let scale = |at: usize| 10.0f64.powi(at as i32 % 40 * 4 - 80);
        let root = matrix(50, 60);
        let plain: Mat<f64> = &root * root.transpose() + unit::<f64>(50) * Scale(0.1);
        let given = Mat::from_fn(50, 50, |row, column| plain[(row, column)] * scale(row) * scale(column));
        let factor = cholesky(given.as_ref()).expect("positive definite");
        let back = Mat::from_fn(50, 50, |row, column| factor[(row, column)] / scale(row));
        assert_close(&back * back.transpose(), &plain, 1e-12);
    }
}
