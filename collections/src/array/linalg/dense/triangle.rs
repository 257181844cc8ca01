//! Systems of equations whose matrix is a triangle.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::PANEL;

/// Which half of a matrix is looked at.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Half {
    /// On and below the diagonal.
    Lower,
    /// On and above it.
    Upper,
}

/// Solves `a x = b` in place of `b`; with `unit`, ones stand on the diagonal whatever is there. `false` when a zero does.
pub fn solve(a: &ArrayView2<'_, f64>, half: Half, unit: bool, b: &mut Array2<f64>) -> bool {
    let n = a.nrows();
    if !unit && (0..n).any(|at| a[[at, at]] == 0.0) {
        return false;
    }
    let panels: Vec<usize> = (0..n).step_by(PANEL).collect();
    match half {
        Half::Lower => panels.iter().for_each(|start| {
            let (start, end) = (*start, (start + PANEL).min(n));
            (start..end).for_each(|row| one_row(a, start..row, row, unit, b));
            let done = b.slice(s![start..end, ..]).to_owned();
            general_mat_mul(-1.0, &a.slice(s![end.., start..end]), &done, 1.0, &mut b.slice_mut(s![end.., ..]));
        }),
        Half::Upper => panels.iter().rev().for_each(|start| {
            let (start, end) = (*start, (start + PANEL).min(n));
            (start..end).rev().for_each(|row| one_row(a, row + 1..end, row, unit, b));
            let done = b.slice(s![start..end, ..]).to_owned();
            general_mat_mul(-1.0, &a.slice(s![..start, start..end]), &done, 1.0, &mut b.slice_mut(s![..start, ..]));
        }),
    }
    true
}

/// One row of the solution, given others.
fn one_row(a: &ArrayView2<'_, f64>, known: std::ops::Range<usize>, row: usize, unit: bool, b: &mut Array2<f64>) {
    for other in known {
        let factor = a[[row, other]];
        if factor != 0.0 {
            let (mut row, other) = b.multi_slice_mut((s![row, ..], s![other, ..]));
            row.zip_mut_with(&other, |value, other| *value -= factor * other);
        }
    }
    if !unit {
        let pivot = a[[row, row]];
        b.row_mut(row).mapv_inplace(|value| value / pivot);
    }
}

/// Solves `x aᵀ = b` in place of `b`, where `a` is a lower triangle without zeros on its diagonal.
pub fn solve_lower_from_right(a: &ArrayView2<'_, f64>, b: &mut ArrayViewMut2<'_, f64>) {
    for mut line in b.rows_mut() {
        for column in 0..a.ncols() {
            let mut value = line[column];
            for at in 0..column {
                value -= line[at] * a[[column, at]];
            }
            line[column] = value / a[[column, column]];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, matrix};
    use super::*;

    #[test]
    fn what_is_found_solves_the_equations() {
        for n in [1, 7, 64, 130] {
            let full = matrix(n, n) / n as f64 + Array2::<f64>::eye(n);
            let expected = matrix(n, 3);
            for half in [Half::Lower, Half::Upper] {
                let keeps = |row: usize, column: usize| if half == Half::Lower { row >= column } else { row <= column };
                let triangle = Array2::from_shape_fn((n, n), |(row, column)| if keeps(row, column) { full[[row, column]] } else { 0.0 });
                let mut b = triangle.dot(&expected);
                assert!(solve(&full.view(), half, false, &mut b), "the other half is not looked at");
                assert_close(&b, &expected, 1e-10);
                let mut unit = triangle.clone();
                unit.diag_mut().fill(1.0);
                let mut b = unit.dot(&expected);
                assert!(solve(&full.view(), half, true, &mut b));
                assert_close(&b, &expected, 1e-10);
            }
        }
        assert!(!solve(&Array2::zeros((2, 2)).view(), Half::Lower, false, &mut matrix(2, 1)));
    }
}
