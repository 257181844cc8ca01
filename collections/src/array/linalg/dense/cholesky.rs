//! Cholesky's factor of a symmetric positive definite matrix: a lower triangle whose product with its transpose is the matrix.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, s};

use super::PANEL;
use super::triangle::solve_lower_from_right;

/// The factor, made of the lower triangle; `None` when the matrix is not positive definite.
pub fn cholesky(mut a: Array2<f64>) -> Option<Array2<f64>> {
    let n = a.nrows();
    for start in (0..n).step_by(PANEL) {
        let end = (start + PANEL).min(n);
        if !small(&mut a, start, end) {
            return None;
        }
        if end == n {
            break;
        }
        // The rows below the panel, and what they take away from the rest.
        let corner = a.slice(s![start..end, start..end]).to_owned();
        solve_lower_from_right(&corner.view(), &mut a.slice_mut(s![end.., start..end]));
        let below = a.slice(s![end.., start..end]).to_owned();
        general_mat_mul(-1.0, &below, &below.t(), 1.0, &mut a.slice_mut(s![end.., end..]));
    }
    for row in 0..n {
        a.slice_mut(s![row, row + 1..]).fill(0.0);
    }
    Some(a)
}

/// The factor of a block on the diagonal, in place.
fn small(a: &mut Array2<f64>, start: usize, end: usize) -> bool {
    for column in start..end {
        let mut pivot = a[[column, column]];
        for at in start..column {
            pivot -= a[[column, at]] * a[[column, at]];
        }
        // NaN is not positive either.
        if pivot.is_nan() || pivot <= 0.0 || pivot.is_infinite() {
            return false;
        }
        let root = pivot.sqrt();
        a[[column, column]] = root;
        for row in column + 1..end {
            let mut value = a[[row, column]];
            for at in start..column {
                value -= a[[row, at]] * a[[column, at]];
            }
            a[[row, column]] = value / root;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, matrix};
    use super::*;
    use ndarray::array;

    #[test]
    fn the_product_of_the_factor_is_the_matrix() {
        for n in [0, 1, 5, 64, 65, 150] {
            let root = matrix(n, n + 3);
            let given = root.dot(&root.t()) + Array2::<f64>::eye(n);
            let factor = cholesky(given.clone()).expect("positive definite");
            assert_close(&factor.dot(&factor.t()), &given, 1e-12 * (n + 1) as f64);
            assert!(factor.indexed_iter().all(|((row, column), value)| row >= column || *value == 0.0));
        }
        assert!(cholesky(array![[1.0, 2.0], [2.0, 1.0]]).is_none());
        assert!(cholesky(array![[0.0]]).is_none());
        assert!(cholesky(array![[f64::NAN]]).is_none());
    }
}
