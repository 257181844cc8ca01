//! Functions that are not of floats alone: what integers, complex numbers and truths have of them, with NumPy's answers.

use super::arrays::{check, check_by, failure};
use partita::Code;
use partita::ndarray::{Array, ArrayD, Ix2, arr0, array};
use partita::prelude::*;

type C = Complex<f64>;

fn c(re: f64, im: f64) -> C {
    Complex::new(re, im)
}

/// Numbers of which two have a part that is NaN.
fn holes() -> DArray<C> {
    DArray::from_array(array![c(1.0, 2.0), c(f64::NAN, 1.0), c(3.0, 6.0), c(5.0, f64::NAN)], vec![vec![1, 2, 1]])
}

#[test]
fn integers_have_means_and_slopes() {
    let x = DArray::from_array(array![1u8, 4, 9, 16], 3);
    check(&x.gradient(1.0, 0), array![3.0, 4.0, 6.0, 7.0]);
    check(&x.gradient_with(&[0.0, 1.0, 2.0, 3.0], 0, 1), array![3.0, 4.0, 6.0, 7.0]);
    check(&DArray::from_array(array![1i32, 2, 4], 2).average(&DArray::from_array(array![1.0, 1.0, 2.0], 1), 0), arr0(2.75));
    check(&DArray::from_array(array![1i64, 2, 6], 2).moment(3, Axes::all()), arr0(6.0));
    check(&DArray::from_array(array![0u8, 255], 1).moment(2, 0), arr0(127.5 * 127.5));
    check(&DArray::from_array(array![15, 25, -14], 2).round(-1), array![20, 20, -10]);
    check(&DArray::from_array(array![15u8, 25], 2).round(2), array![15u8, 25]);
    check(&DArray::from_array(array![0.5f32, 1.5], 1).interp(&[1.0, 2.0], &[10.0, 30.0]), array![10.0, 20.0]);
    check(&DArray::arange(0, 3, 1, 2).interp(&[1.0, 2.0], &[10.0, 30.0]), array![10.0, 10.0, 30.0]);
    failure(&x.slice_axis(0, ..1).gradient(1.0, 0), Code::ShapeMismatch);
}

#[test]
fn complex_numbers_without_those_that_are_nan() {
    let x = holes();
    check(&x.nanmean(), arr0(c(2.0, 4.0)));
    check(&x.nanvar(0.0), arr0(5.0));
    check(&x.nanstd(1.0), arr0(10f64.sqrt()));
    check(&x.nancumsum(0), array![c(1.0, 2.0), c(1.0, 2.0), c(4.0, 8.0), c(4.0, 8.0)]);
    check(&x.nancumprod(0), array![c(1.0, 2.0), c(1.0, 2.0), c(-9.0, 12.0), c(-9.0, 12.0)]);
    let columns = DArray::from_array(array![[c(1.0, 0.0), c(f64::NAN, 0.0)], [c(2.0, 2.0), c(0.0, f64::NAN)]], 1);
    let is_nan = |found: &ArrayD<C>| found[[1]].re.is_nan() && found[[1]].im.is_nan();
    check_by(&columns.nanmean_axis(0), |found| found[[0]] == c(1.5, 1.0) && is_nan(found), "1.5 + i and NaN");
    check_by(&columns.nanvar_axis(0, 0.0), |found| found[[0]] == 1.25 && found[[1]].is_nan(), "1.25 and NaN");
    check(&x.cast::<Complex<f32>>().nanvar(0.0), arr0(5f32));
    check(&x.nan_to_num(), array![c(1.0, 2.0), c(0.0, 1.0), c(3.0, 6.0), c(5.0, 0.0)]);
    let odd = DArray::from_array(array![c(f64::INFINITY, f64::NAN), c(1.0, f64::NEG_INFINITY)], 1);
    check(&odd.nan_to_num(), array![c(f64::MAX, 0.0), c(1.0, f64::MIN)]);
    check(&odd.nan_to_num_with(7.0, 8.0, 9.0), array![c(8.0, 7.0), c(1.0, 9.0)]);
}

#[test]
fn complex_numbers_on_lines() {
    check(&DArray::linspace(c(1.0, 1.0), c(3.0, -1.0), 3, 2), array![c(1.0, 1.0), c(2.0, 0.0), c(3.0, -1.0)]);
    check(&DArray::linspace(c(1.0, 1.0), c(3.0, -1.0), 1, 2), array![c(1.0, 1.0)]);
    let x = DArray::from_array(array![c(0.0, 0.0), c(1.0, 1.0), c(4.0, 2.0)], 2);
    check(&x.gradient(1.0, 0), array![c(1.0, 1.0), c(2.0, 1.0), c(3.0, 1.0)]);
    check(&DArray::from_array(array![c(1.26, -2.5), c(3.16, 0.06)], 1).round(1), array![c(1.3, -2.5), c(3.2, 0.1)]);
}

#[test]
fn complex_rows_vary_together() {
    let x = DArray::from_array(array![[c(1.0, 0.0), c(0.0, 1.0)], [c(2.0, 0.0), c(0.0, 0.0)]], 1);
    let near = |expected: Array<C, Ix2>| move |found: &ArrayD<C>| found.iter().zip(&expected).all(|(a, b)| (a - b).norm() < 1e-12);
    check_by(&x.cov(0.0), near(array![[c(0.5, 0.0), c(0.5, -0.5)], [c(0.5, 0.5), c(1.0, 0.0)]]), "as NumPy's");
    check_by(&x.cov(1.0), near(array![[c(1.0, 0.0), c(1.0, -1.0)], [c(1.0, 1.0), c(2.0, 0.0)]]), "twice as much");
    let half = 0.5f64.sqrt();
    check_by(&x.corrcoef(), near(array![[c(1.0, 0.0), c(half, -half)], [c(half, half), c(1.0, 0.0)]]), "as NumPy's");
    failure(&holes().cov(0.0), Code::ShapeMismatch);
}

#[test]
fn complex_numbers_are_told_apart() {
    let x = DArray::from_array(array![c(1.0, 2.0), c(1.0, 1.0), c(f64::NAN, 0.0), c(1.0, 2.0), c(0.0, 5.0), c(0.0, f64::NAN)], 2);
    let expected = |found: &ArrayD<C>| {
        let numbers = [c(0.0, 5.0), c(1.0, 1.0), c(1.0, 2.0)];
        found.len() == 4 && found.iter().zip(numbers).all(|(a, b)| *a == b) && (found[[3]].re + found[[3]].im).is_nan()
    };
    check_by(&x.unique(), expected, "three numbers and NaN");
    check(&x.unique_counts().1, array![1i64, 1, 2, 2]);
    check(&x.unique_index().1, array![4i64, 1, 0, 2]);
    check(&x.unique_inverse().1, array![2i64, 1, 3, 2, 0, 3]);
    check(&x.is_in(&[c(1.0, 2.0), c(0.0, 0.0), c(f64::NAN, 0.0)]), array![true, false, false, true, false, false]);
    check(&DArray::from_array(array![u64::MAX, 1, 1 << 63, 1], 1).unique(), array![1u64, 1 << 63, u64::MAX]);
}

#[test]
fn truths_on_diagonals() {
    check(&DArray::<bool>::eye(2, 1), array![[true, false], [false, true]]);
    check(&DArray::<bool>::tri(2, 3, 1, 2), array![[true, true, false], [true, true, true]]);
}
