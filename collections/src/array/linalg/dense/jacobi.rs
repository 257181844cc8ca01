//! Singular values and eigenvalues by Jacobi's rotations: slow for large matrices, and as exact as can be.

use ndarray::{Array1, Array2, Axis, s};

/// Rounds through all pairs. Far fewer are needed.
const ROUNDS: usize = 60;

/// `u`, singular values in descending order, and `v` transposed, of a matrix with at least as many rows as columns (M. R. Hestenes 1958).
pub fn svd(a: Array2<f64>) -> (Array2<f64>, Array1<f64>, Array2<f64>) {
    let n = a.ncols();
    // Rows and columns exchanged, so that columns lie together.
    let mut u: Array2<f64> = a.reversed_axes().as_standard_layout().into_owned();
    let mut v = Array2::<f64>::eye(n);
    for _ in 0..ROUNDS {
        let mut turned = false;
        for first in 0..n {
            for second in first + 1..n {
                turned |= rotate(&mut u, &mut v, first, second);
            }
        }
        if !turned {
            break;
        }
    }
    let lens: Vec<f64> = u.rows().into_iter().map(|row| row.dot(&row).sqrt()).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| lens[*b].total_cmp(&lens[*a]));
    let mut u = u.select(Axis(0), &order);
    let values: Array1<f64> = order.iter().map(|at| lens[*at]).collect();
    for (mut row, value) in u.rows_mut().into_iter().zip(&values) {
        if *value > 0.0 {
            row /= *value;
        }
    }
    fill_in(&mut u, &values);
    (u.reversed_axes(), values, v.select(Axis(0), &order))
}

/// Turns two columns so that they stand at right angles; whether they did not.
fn rotate(u: &mut Array2<f64>, v: &mut Array2<f64>, first: usize, second: usize) -> bool {
    let (a, b) = (u.row(first), u.row(second));
    let (alpha, beta, gamma) = (a.dot(&a), b.dot(&b), a.dot(&b));
    // Rounding alone makes sums of so many products as wrong as that.
    let nothing = f64::EPSILON * (u.ncols() as f64).sqrt() * (alpha * beta).sqrt();
    if gamma == 0.0 || gamma.abs() <= nothing || !gamma.is_finite() {
        return false;
    }
    let zeta = (beta - alpha) / (2.0 * gamma);
    let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
    turn(u, first, second, tangent);
    turn(v, first, second, tangent);
    true
}

/// Turns two rows by an angle.
fn turn(rows: &mut Array2<f64>, first: usize, second: usize, tangent: f64) {
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = cosine * tangent;
    let (mut a, mut b) = rows.multi_slice_mut((s![first, ..], s![second, ..]));
    for (a, b) in a.iter_mut().zip(b.iter_mut()) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

/// Rows of length zero become such that all stand at right angles: the unit vectors that the others hold least of.
fn fill_in(u: &mut Array2<f64>, values: &Array1<f64>) {
    for at in (0..values.len()).filter(|at| values[*at] == 0.0) {
        for axis in 0..u.ncols() {
            let mut candidate = Array1::<f64>::zeros(u.ncols());
            candidate[axis] = 1.0;
            // Twice, because the first time leaves rounding behind.
            for _ in 0..2 {
                for other in (0..u.nrows()).filter(|other| *other < at || values[*other] > 0.0) {
                    let share = candidate.dot(&u.row(other));
                    candidate.scaled_add(-share, &u.row(other));
                }
            }
            let len = candidate.dot(&candidate).sqrt();
            if len > 0.5 / (u.ncols() as f64).sqrt() {
                u.row_mut(at).assign(&(candidate / len));
                break;
            }
        }
    }
}

/// Eigenvalues in ascending order, and the vectors that belong to them as columns, of a symmetric matrix, of which the lower triangle is looked
/// at.
pub fn eigh(a: &Array2<f64>) -> (Array1<f64>, Array2<f64>) {
    let n = a.nrows();
    let mut a = Array2::from_shape_fn((n, n), |(row, column)| a[[row.max(column), row.min(column)]]);
    let mut vectors = Array2::<f64>::eye(n);
    let size = a.iter().map(|x| x * x).sum::<f64>().sqrt();
    for _ in 0..ROUNDS {
        let mut turned = false;
        for first in 0..n {
            for second in first + 1..n {
                let element = a[[first, second]];
                if element.abs() <= f64::EPSILON * 0.1 * size || !element.is_finite() {
                    continue;
                }
                turned = true;
                let theta = (a[[second, second]] - a[[first, first]]) / (2.0 * element);
                let sign = if theta >= 0.0 { 1.0 } else { -1.0 };
                let tangent = sign / (theta.abs() + theta.hypot(1.0));
                turn(&mut a, first, second, tangent);
                a.swap_axes(0, 1);
                turn(&mut a, first, second, tangent);
                a.swap_axes(0, 1);
                (a[[first, second]], a[[second, first]]) = (0.0, 0.0);
                turn(&mut vectors, first, second, tangent);
            }
        }
        if !turned {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|x, y| a[[*x, *x]].total_cmp(&a[[*y, *y]]));
    let values = order.iter().map(|at| a[[*at, *at]]).collect();
    (values, vectors.select(Axis(0), &order).reversed_axes())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, matrix};
    use super::*;

    #[test]
    fn singular_values_and_vectors() {
        for (rows, columns) in [(1, 1), (4, 4), (30, 7), (60, 60), (3, 0)] {
            let given = matrix(rows, columns);
            let (u, values, v) = svd(given.clone());
            assert!(values.windows(2).into_iter().all(|pair| pair[0] >= pair[1]));
            assert_close(&(&u * &values).dot(&v), &given, 1e-13 * (rows + 1) as f64);
            assert_close(&u.t().dot(&u), &Array2::eye(columns), 1e-13 * (rows + 1) as f64);
            assert_close(&v.dot(&v.t()), &Array2::eye(columns), 1e-13 * (rows + 1) as f64);
        }
    }

    #[test]
    fn a_matrix_of_lower_rank_has_singular_values_of_zero() {
        let given = matrix(20, 2).dot(&matrix(2, 5));
        let (u, values, v) = svd(given.clone());
        assert!(values[1] > 1e-3 && values[2] < 1e-14);
        assert_close(&(&u * &values).dot(&v), &given, 1e-13);
        let (u, values, _) = svd(Array2::zeros((4, 3)));
        assert!(values.iter().all(|value| *value == 0.0));
        assert_close(&u.t().dot(&u), &Array2::eye(3), 1e-14);
    }

    #[test]
    fn eigenvalues_and_vectors() {
        for n in [0, 1, 2, 10, 50] {
            let root = matrix(n, n);
            let given = &root + &root.t();
            let (values, vectors) = eigh(&given);
            assert!(values.windows(2).into_iter().all(|pair| pair[0] <= pair[1]));
            assert_close(&given.dot(&vectors), &(&vectors * &values), 1e-12 * (n + 1) as f64);
            assert_close(&vectors.t().dot(&vectors), &Array2::eye(n), 1e-12);
        }
    }
}
