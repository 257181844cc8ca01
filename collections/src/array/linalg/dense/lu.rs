//! The factors of a matrix by Gauss: a lower triangle with ones on its diagonal and an upper one, with rows exchanged so that pivots are as
//! large as can be. Columns are taken in halves, so that nearly all is products (S. Toledo, "Locality of reference in LU decomposition with
//! partial pivoting", 1997). A pivot of zero is left where it is, which faer's own factorization would divide by.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{solve_unit_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, Mat, MatMut, MatRef, Par};

use super::together;

/// So many columns are worked on one by one.
const NARROW: usize = 16;

/// Both factors in one matrix, and the order of rows.
pub struct Lu {
    /// The lower triangle below the diagonal, the upper one on and above it.
    pub factors: Mat<f64>,
    /// Row `i` of the factors' product is row `order[i]` of the matrix.
    pub order: Vec<usize>,
    /// Whether the order is reached by an odd number of exchanges.
    pub odd: bool,
}

/// The factors of a square matrix. A pivot of zero is left there.
pub fn lu(a: MatRef<'_, f64>) -> Lu {
    let mut factors = a.to_owned();
    let mut swaps = vec![0; a.ncols()];
    eliminate(factors.as_mut(), &mut swaps);
    let mut order: Vec<usize> = (0..a.nrows()).collect();
    let mut odd = false;
    for (row, other) in swaps.into_iter().enumerate() {
        order.swap(row, other);
        odd ^= row != other;
    }
    Lu { factors, order, odd }
}

/// Brings a matrix with at least as many rows as columns into its factors; row `i` was exchanged with row `swaps[i]`, one after the other.
fn eliminate(mut a: MatMut<'_, f64>, swaps: &mut [usize]) {
    let n = a.ncols();
    if n <= NARROW {
        return one_by_one(a, swaps);
    }
    let half = (n / 2).next_multiple_of(8);
    let (first, second) = swaps.split_at_mut(half);
    let (mut left, mut right) = a.rb_mut().split_at_col_mut(half);
    eliminate(left.rb_mut(), first);
    exchange(right.rb_mut(), first);
    let (corner, below) = left.rb().split_at_row(half);
    let (mut beside, mut rest) = right.split_at_row_mut(half);
    solve_unit_lower_triangular_in_place(corner, beside.rb_mut(), Par::Seq);
    matmul(rest.rb_mut(), Accum::Add, below, beside.rb(), -1.0, Par::Seq);
    eliminate(rest, second);
    exchange(left.split_at_row_mut(half).1, second);
    // They counted from where the rest begins.
    second.iter_mut().for_each(|row| *row += half);
}

/// Exchanges rows, column by column.
fn exchange(a: MatMut<'_, f64>, swaps: &[usize]) {
    for column in a.col_iter_mut().map(together) {
        swaps.iter().enumerate().for_each(|(row, other)| column.swap(row, *other));
    }
}

fn one_by_one(mut a: MatMut<'_, f64>, swaps: &mut [usize]) {
    for (at, swap) in swaps.iter_mut().enumerate() {
        *swap = largest(together(a.rb_mut().col_mut(at)), at);
        a.rb_mut().col_iter_mut().map(together).for_each(|column| column.swap(at, *swap));
        let (done, rest) = a.rb_mut().split_at_col_mut(at + 1);
        let Some((pivot, own)) = together(done.col_mut(at))[at..].split_first_mut() else { return };
        if *pivot == 0.0 {
            continue;
        }
        own.iter_mut().for_each(|value| *value /= *pivot);
        for column in rest.col_iter_mut().map(together) {
            let Some((above, below)) = column[at..].split_first_mut() else { return };
            below.iter_mut().zip(&*own).for_each(|(value, factor)| *value -= factor * *above);
        }
    }
}

/// The place of the largest element of a column, from one on; the first of several.
fn largest(column: &[f64], from: usize) -> usize {
    (from + 1..column.len()).fold(from, |best, row| if column[row].abs() > column[best].abs() { row } else { best })
}

impl Lu {
    /// The determinant of the matrix.
    pub fn determinant(&self) -> f64 {
        let sign = if self.odd { -1.0 } else { 1.0 };
        (0..self.order.len()).fold(sign, |product, at| product * self.factors[(at, at)])
    }
}

/// Some columns of a larger matrix in all their length, brought into their factors from row `start` on, and the exchanges of rows, counted from
/// there. `None` when a pivot is zero, or no number.
pub fn panel(columns: MatRef<'_, f64>, start: usize) -> Option<(Mat<f64>, Vec<usize>)> {
    let mut factors = columns.to_owned();
    let mut swaps = vec![0; columns.ncols()];
    eliminate(factors.as_mut().split_at_row_mut(start).1, &mut swaps);
    let is_regular = (0..columns.ncols()).map(|at| factors[(start + at, at)]).all(|pivot| pivot != 0.0 && pivot.is_finite());
    is_regular.then_some((factors, swaps))
}

/// Does to other columns what made the factors of a panel.
pub fn forward(panel: MatRef<'_, f64>, swaps: &[usize], start: usize, columns: MatMut<'_, f64>) {
    let mut rest = columns.split_at_row_mut(start).1;
    exchange(rest.rb_mut(), swaps);
    let (corner, below) = panel.split_at_row(start).1.split_at_row(swaps.len());
    let (mut own, under) = rest.split_at_row_mut(swaps.len());
    solve_unit_lower_triangular_in_place(corner, own.rb_mut(), Par::Seq);
    matmul(under, Accum::Add, below, own.rb(), -1.0, Par::Seq);
}

/// Solves for the unknowns of a panel, and takes them out of the equations above.
pub fn back(panel: MatRef<'_, f64>, start: usize, columns: MatMut<'_, f64>) {
    let (above, corner) = panel.split_at_row(start);
    let corner = corner.split_at_row(panel.ncols()).0;
    let (over, rest) = columns.split_at_row_mut(start);
    let mut own = rest.split_at_row_mut(panel.ncols()).0;
    solve_upper_triangular_in_place(corner, own.rb_mut(), Par::Seq);
    matmul(over, Accum::Add, above, own.rb(), -1.0, Par::Seq);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SIDES, assert_close, matrix, only, unit};
    use super::*;
    use faer::mat;

    fn check(given: &Mat<f64>, tolerance: f64) -> Lu {
        let n = given.nrows();
        let found = lu(given.as_ref());
        let lower: Mat<f64> = only(&found.factors, |row, column| row > column) + unit(n);
        let upper = only(&found.factors, |row, column| row <= column);
        assert_close(&lower * &upper, Mat::from_fn(n, n, |row, column| given[(found.order[row], column)]), tolerance);
        assert!((0..n).all(|column| (0..n).all(|row| lower[(row, column)].abs() <= 1.0)));
        found
    }

    #[test]
    fn factors_multiply_to_the_matrix() {
        for n in SIDES {
            let given = matrix(n, n);
            check(&given, 1e-13 * (n + 1) as f64);
        }
    }

    #[test]
    fn panels_solve_equations_however_wide_they_are() {
        for n in SIDES {
            let (given, expected) = (matrix(n, n), matrix(n, 2));
            for width in [n.max(1), n.div_ceil(2).max(1), 40] {
                let starts: Vec<usize> = (0..n).step_by(width).collect();
                let mut columns: Vec<Mat<f64>> =
                    starts.iter().map(|start| given.get(.., *start..(start + width).min(n)).to_owned()).collect();
                let mut x: Mat<f64> = &given * &expected;
                for (at, start) in starts.iter().enumerate() {
                    let (factors, swaps) = panel(columns[at].as_ref(), *start).expect("regular");
                    columns[at + 1..]
                        .iter_mut()
                        .chain([&mut x])
                        .for_each(|other| forward(factors.as_ref(), &swaps, *start, other.as_mut()));
                    columns[at] = factors;
                }
                starts.iter().zip(&columns).rev().for_each(|(start, factors)| back(factors.as_ref(), *start, x.as_mut()));
                assert_close(&x, &expected, 1e-8);
            }
        }
        assert!(panel(Mat::<f64>::zeros(5, 2).as_ref(), 1).is_none());
        assert!(panel(matrix(5, 2).as_ref(), 5 - 2).is_some());
    }

    #[test]
    fn pivots_of_zero_stay() {
        assert_eq!(check(&mat![[1.0, 2.0], [2.0, 4.0]], 0.0).determinant(), 0.0);
        assert_eq!(check(&Mat::<f64>::zeros(40, 40), 0.0).determinant(), 0.0);
        let low: Mat<f64> = matrix(50, 3) * matrix(3, 50);
        check(&low, 1e-13);
        let mut gap = matrix(70, 70);
        gap.col_as_slice_mut(20).fill(0.0);
        assert_eq!(check(&gap, 1e-12).determinant(), 0.0);
        assert_eq!(check(&mat![[0.0, 1.0], [1.0, 0.0]], 0.0).determinant(), -1.0);
        assert!(lu(mat![[1.0, 0.0], [f64::NAN, 1.0]].as_ref()).determinant().is_nan());
    }
}
