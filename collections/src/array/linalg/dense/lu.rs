//! The factors of a matrix by Gauss: a lower triangle with ones on its diagonal and an upper one, with rows exchanged so that pivots are as
//! large as can be. Columns are taken in halves, so that nearly all is products (S. Toledo, "Locality of reference in LU decomposition with
//! partial pivoting", 1997). A pivot of zero is left where it is, which faer's own factorization would divide by.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{solve_unit_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, Mat, MatMut, MatRef, Par};

use super::{Entry, together};

/// So many columns are worked on one by one.
const NARROW: usize = 16;

/// Brings a matrix with at least as many rows as columns into its factors; row `i` was exchanged with row `swaps[i]`, one after the other.
fn eliminate<E: Entry>(mut a: MatMut<'_, E>, swaps: &mut [usize]) {
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
    matmul(rest.rb_mut(), Accum::Add, below, beside.rb(), E::of(-1.0), Par::Seq);
    eliminate(rest, second);
    exchange(left.split_at_row_mut(half).1, second);
    // They counted from where the rest begins.
    second.iter_mut().for_each(|row| *row += half);
}

/// Exchanges rows, column by column: row `i` with row `swaps[i]`, one after the other.
pub fn exchange<E: Entry>(a: MatMut<'_, E>, swaps: &[usize]) {
    for column in a.col_iter_mut().map(together) {
        swaps.iter().enumerate().for_each(|(row, other)| column.swap(row, *other));
    }
}

fn one_by_one<E: Entry>(mut a: MatMut<'_, E>, swaps: &mut [usize]) {
    for (at, swap) in swaps.iter_mut().enumerate() {
        *swap = largest(together(a.rb_mut().col_mut(at)), at);
        a.rb_mut().col_iter_mut().map(together).for_each(|column| column.swap(at, *swap));
        let (done, rest) = a.rb_mut().split_at_col_mut(at + 1);
        let Some((pivot, own)) = together(done.col_mut(at))[at..].split_first_mut() else { return };
        if *pivot == E::of(0.0) {
            continue;
        }
        own.iter_mut().for_each(|value| *value /= *pivot);
        for column in rest.col_iter_mut().map(together) {
            let Some((above, below)) = column[at..].split_first_mut() else { return };
            below.iter_mut().zip(&*own).for_each(|(value, factor)| *value -= *factor * *above);
        }
    }
}

/// The place of the largest element of a column, from one on; the first of several.
fn largest<E: Entry>(column: &[E], from: usize) -> usize {
    (from + 1..column.len()).fold(from, |best, row| if column[row].size() > column[best].size() { row } else { best })
}

/// Some columns of a larger matrix in all their length, brought into their factors from row `start` on, and the exchanges of rows, counted from
/// there. A pivot of zero is left there.
pub fn panel<E: Entry>(columns: MatRef<'_, E>, start: usize) -> (Mat<E>, Vec<usize>) {
    let mut factors = columns.to_owned();
    let mut swaps = vec![0; columns.ncols()];
    eliminate(factors.as_mut().split_at_row_mut(start).1, &mut swaps);
    (factors, swaps)
}

/// Does to other columns what made the factors of a panel.
pub fn forward<E: Entry>(panel: MatRef<'_, E>, swaps: &[usize], start: usize, columns: MatMut<'_, E>) {
    let mut rest = columns.split_at_row_mut(start).1;
    exchange(rest.rb_mut(), swaps);
    let (corner, below) = panel.split_at_row(start).1.split_at_row(swaps.len());
    let (mut own, under) = rest.split_at_row_mut(swaps.len());
    solve_unit_lower_triangular_in_place(corner, own.rb_mut(), Par::Seq);
    matmul(under, Accum::Add, below, own.rb(), E::of(-1.0), Par::Seq);
}

/// Solves for the unknowns of a panel, and takes them out of the equations above. `false`, and columns as they were, when a pivot is zero or no
/// number.
pub fn back<E: Entry>(panel: MatRef<'_, E>, start: usize, columns: MatMut<'_, E>) -> bool {
    let (above, corner) = panel.split_at_row(start);
    let corner = corner.split_at_row(panel.ncols()).0;
    if (0..panel.ncols()).map(|at| corner[(at, at)]).any(|pivot| pivot == E::of(0.0) || !pivot.is_number()) {
        return false;
    }
    let (over, rest) = columns.split_at_row_mut(start);
    let mut own = rest.split_at_row_mut(panel.ncols()).0;
    solve_upper_triangular_in_place(corner, own.rb_mut(), Par::Seq);
    matmul(over, Accum::Add, above, own.rb(), E::of(-1.0), Par::Seq);
    true
}

/// The product of a sign and of pivots. It is kept near 1, with a power of two beside it: parts of it may be beyond floats where the whole is not.
pub fn product<E: Entry>(sign: E, pivots: impl IntoIterator<Item = E>) -> E {
    let (mut product, mut power) = (sign, 0.0f64);
    for pivot in pivots {
        let (pivot, own) = near_one(pivot);
        let (next, rest) = near_one(product * pivot);
        (product, power) = (next, power + own + rest);
    }
    // In two steps, because the power alone may be beyond floats.
    let power = power.clamp(-2200.0, 2040.0);
    let half = (power / 2.0).floor();
    E::mul_real_impl(&E::mul_real_impl(&product, &half.exp2()), &(power - half).exp2())
}

/// A number divided by a power of two, so that it is near 1, and which power; zero, and what is no number, as it is.
fn near_one<E: Entry>(value: E) -> (E, f64) {
    let power = value.distance().log2().floor();
    if !power.is_finite() {
        return (value, 0.0);
    }
    let power = power.clamp(-1000.0, 1000.0);
    (E::mul_real_impl(&value, &(-power).exp2()), power)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SIDES, assert_close, complex, matrix, only, unit};
    use super::*;
    use faer::{c64, mat};

    /// Both factors of a square matrix in one panel; their product is the matrix in another order of rows.
    fn check<E: Entry>(given: &Mat<E>, tolerance: f64) -> Mat<E> {
        let n = given.nrows();
        let (factors, swaps) = panel(given.as_ref(), 0);
        let lower: Mat<E> = only(&factors, |row, column| row > column) + unit::<E>(n);
        let mut turned = given.clone();
        exchange(turned.as_mut(), &swaps);
        assert_close::<E>(&lower * only(&factors, |row, column| row <= column), turned, tolerance);
        assert!((0..n).all(|column| (0..n).all(|row| lower[(row, column)].distance() <= 2.0f64.sqrt())));
        factors
    }

    fn pivots(factors: &Mat<f64>) -> f64 {
        (0..factors.nrows()).map(|at| factors[(at, at)]).product()
    }

    #[test]
    fn factors_multiply_to_the_matrix() {
        for n in SIDES {
            check(&matrix(n, n), 1e-13 * (n + 1) as f64);
            check(&complex(n, n), 1e-13 * (n + 1) as f64);
        }
    }

    fn check_panels<E: Entry>(matrix: fn(usize, usize) -> Mat<E>) {
        for n in SIDES {
            let (given, expected) = (matrix(n, n), matrix(n, 2));
            for width in [n.max(1), n.div_ceil(2).max(1), 40] {
                let starts: Vec<usize> = (0..n).step_by(width).collect();
                let mut columns: Vec<Mat<E>> =
                    starts.iter().map(|start| given.get(.., *start..(start + width).min(n)).to_owned()).collect();
                let mut x: Mat<E> = &given * &expected;
                for (at, start) in starts.iter().enumerate() {
                    let (factors, swaps) = panel(columns[at].as_ref(), *start);
                    columns[at + 1..]
                        .iter_mut()
                        .chain([&mut x])
                        .for_each(|other| forward(factors.as_ref(), &swaps, *start, other.as_mut()));
                    columns[at] = factors;
                }
                assert!(starts.iter().zip(&columns).rev().all(|(start, factors)| back(factors.as_ref(), *start, x.as_mut())));
                assert_close(&x, &expected, 1e-8);
            }
        }
    }

    #[test]
    fn panels_solve_equations_however_wide_they_are() {
        check_panels(matrix);
        check_panels(complex);
    }

    #[test]
    fn products_are_beyond_floats_only_as_a_whole() {
        assert!((product(-1.0, [1e200, 1e200, 1e-200, 1e-200]) + 1.0).abs() < 1e-14);
        assert!((product(1.0, [1e-200, 1e-200, 1e200, 1e200]) - 1.0).abs() < 1e-14);
        assert_eq!((product(1.0, [1e200, 1e200, 0.0]), product(1.0, [1e200, 1e200])), (0.0, f64::INFINITY));
        assert_eq!((product(-1.0, [3.0, 2.0]), product(1.0, [1e-200, 1e-200]), product(1.0, [])), (-6.0, 0.0, 1.0));
        let turned = product(c64::new(1.0, 0.0), [c64::new(0.0, 1e200), c64::new(1e200, 0.0), c64::new(1e-300, 0.0)]);
        assert!((turned.im / 1e100 - 1.0).abs() < 1e-14 && turned.re == 0.0);
    }

    #[test]
    fn pivots_of_zero_stay_and_solve_nothing() {
        assert_eq!(pivots(&check(&mat![[1.0, 2.0], [2.0, 4.0]], 0.0)), 0.0);
        assert_eq!(pivots(&check(&Mat::<f64>::zeros(40, 40), 0.0)), 0.0);
        let low: Mat<f64> = matrix(50, 3) * matrix(3, 50);
        check(&low, 1e-13);
        let mut gap = matrix(70, 70);
        gap.col_as_slice_mut(20).fill(0.0);
        assert_eq!(pivots(&check(&gap, 1e-12)), 0.0);
        assert_eq!(pivots(&check(&mat![[0.0, 1.0], [1.0, 0.0]], 0.0)), 1.0);
        check(&mat![[c64::new(0.0, 1e-3), c64::new(1.0, 0.0)], [c64::new(1.0, 1.0), c64::new(0.0, 0.0)]], 1e-16);
        let mut x = matrix(70, 1);
        assert!(!back(panel(gap.as_ref(), 0).0.as_ref(), 0, x.as_mut()));
        assert_close(&x, matrix(70, 1), 0.0);
        let wrong = panel(mat![[1.0, 0.0], [f64::NAN, 1.0]].as_ref(), 0).0;
        assert!(pivots(&wrong).is_nan() && !back(wrong.as_ref(), 0, matrix(2, 1).as_mut()));
    }
}
