//! The factors of a square matrix by Gauss: a lower triangle with ones on its diagonal and an upper one, with rows exchanged so that pivots are
//! as large as can be.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, s};

use super::PANEL;
use super::triangle::{Half, solve};

/// Both factors in one matrix, and the order of rows.
pub struct Lu {
    /// The lower triangle below the diagonal, the upper one on and above it.
    pub factors: Array2<f64>,
    /// Row `i` of the factors' product is row `order[i]` of the matrix.
    pub order: Vec<usize>,
    /// Whether the order is reached by an odd number of exchanges.
    pub odd: bool,
}

/// The factors. A pivot of zero is left there.
pub fn lu(mut a: Array2<f64>) -> Lu {
    let n = a.nrows();
    let mut order: Vec<usize> = (0..n).collect();
    let mut odd = false;
    for start in (0..n).step_by(PANEL) {
        let end = (start + PANEL).min(n);
        for column in start..end {
            let pivot = largest(&a, column);
            if pivot != column {
                let (mut here, mut there) = a.multi_slice_mut((s![column, ..], s![pivot, ..]));
                here.iter_mut().zip(there.iter_mut()).for_each(|(a, b)| std::mem::swap(a, b));
                order.swap(column, pivot);
                odd = !odd;
            }
            eliminate(&mut a, column, end);
        }
        if end < n {
            // What stands right of the panel, and what the panel takes away from the rest.
            let mut right = a.slice(s![start..end, end..]).to_owned();
            solve(&a.slice(s![start..end, start..end]), Half::Lower, true, &mut right);
            a.slice_mut(s![start..end, end..]).assign(&right);
            let below = a.slice(s![end.., start..end]).to_owned();
            general_mat_mul(-1.0, &below, &right, 1.0, &mut a.slice_mut(s![end.., end..]));
        }
    }
    Lu { factors: a, order, odd }
}

/// The row on or below the diagonal with the largest element in a column; the first of several.
fn largest(a: &Array2<f64>, column: usize) -> usize {
    let mut best = column;
    for row in column + 1..a.nrows() {
        if a[[row, column]].abs() > a[[best, column]].abs() {
            best = row;
        }
    }
    best
}

/// Takes multiples of a row from those below it, within the panel.
fn eliminate(a: &mut Array2<f64>, column: usize, end: usize) {
    let pivot = a[[column, column]];
    if pivot == 0.0 {
        return;
    }
    let line = a.slice(s![column, column + 1..end]).to_owned();
    for mut row in a.slice_mut(s![column + 1.., column..end]).rows_mut() {
        let factor = row[0] / pivot;
        row[0] = factor;
        row.slice_mut(s![1..]).zip_mut_with(&line, |value, above| *value -= factor * above);
    }
}

impl Lu {
    /// Whether a pivot is zero, or no number.
    pub fn is_singular(&self) -> bool {
        self.factors.diag().iter().any(|pivot| *pivot == 0.0 || !pivot.is_finite())
    }

    /// Solves the equations in place of the right-hand sides. The matrix is not singular.
    pub fn solve(&self, b: &Array2<f64>) -> Array2<f64> {
        let mut x = b.select(ndarray::Axis(0), &self.order);
        solve(&self.factors.view(), Half::Lower, true, &mut x);
        solve(&self.factors.view(), Half::Upper, false, &mut x);
        x
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, matrix};
    use super::*;
    use ndarray::array;

    #[test]
    fn factors_multiply_to_the_matrix() {
        for n in [0, 1, 2, 17, 64, 100, 200] {
            let given = matrix(n, n);
            let found = lu(given.clone());
            let lower = Array2::from_shape_fn((n, n), |(i, j)| if i > j { found.factors[[i, j]] } else { f64::from(u8::from(i == j)) });
            let upper = Array2::from_shape_fn((n, n), |(i, j)| if i <= j { found.factors[[i, j]] } else { 0.0 });
            assert_close(&lower.dot(&upper), &given.select(ndarray::Axis(0), &found.order), 1e-12 * (n + 1) as f64);
            assert!(lower.iter().all(|value| value.abs() <= 1.0));
            let expected = matrix(n, 2);
            assert_close(&found.solve(&given.dot(&expected)), &expected, 1e-8);
        }
        assert!(lu(array![[1.0, 2.0], [2.0, 4.0]]).is_singular());
        assert!(lu(array![[0.0, 1.0], [1.0, 0.0]]).odd);
        assert!(!lu(array![[0.0, 1.0], [1.0, 0.0]]).is_singular());
    }
}
