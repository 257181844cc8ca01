//! Systems of equations whose matrix is a triangle.

use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{MatMut, MatRef, Par};

use super::Entry;

/// Which half of a matrix is looked at.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Half {
    /// On and below the diagonal.
    Lower,
    /// On and above it.
    Upper,
}

/// Solves `a x = b` in place of `b`. `false`, and `b` as it was, when a zero stands on the diagonal.
pub fn solve<E: Entry>(a: MatRef<'_, E>, half: Half, b: MatMut<'_, E>) -> bool {
    if (0..a.nrows()).any(|at| a[(at, at)] == E::of(0.0)) {
        return false;
    }
    match half {
        Half::Lower => solve_lower_triangular_in_place(a, b, Par::Seq),
        Half::Upper => solve_upper_triangular_in_place(a, b, Par::Seq),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SIDES, assert_close, complex, matrix, only, unit};
    use super::*;
    use faer::{Mat, Scale};

    fn check<E: Entry>(matrix: fn(usize, usize) -> Mat<E>) {
        for n in SIDES {
            let full: Mat<E> = matrix(n, n) * Scale(E::of(1.0 / (n + 1) as f64)) + unit::<E>(n);
            let expected = matrix(n, 3);
            for half in [Half::Lower, Half::Upper] {
                let triangle = only(&full, |row, column| if half == Half::Lower { row >= column } else { row <= column });
                let mut b: Mat<E> = &triangle * &expected;
                assert!(solve(full.as_ref(), half, b.as_mut()), "the other half is not looked at");
                assert_close(&b, &expected, 1e-10);
                let mut b: Mat<E> = &triangle * &expected;
                // Rows that lie together are read where they lie.
                let turned = full.transpose().to_owned();
                assert!(solve(turned.transpose(), half, b.as_mut()));
                assert_close(&b, &expected, 1e-10);
            }
        }
    }

    #[test]
    fn what_is_found_solves_the_equations() {
        check(matrix);
        check(complex);
        assert!(!solve(Mat::<f64>::zeros(2, 2).as_ref(), Half::Lower, matrix(2, 1).as_mut()));
    }
}
