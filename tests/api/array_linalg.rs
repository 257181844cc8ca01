//! Linear algebra: products against loops, factors by what they must multiply to, and equations by their solutions.

use super::arrays::{check, check_by, chunkings, counted, failure};
use partita::graph::Serial;
use partita::ndarray::{Array, Array2, ArrayD, Axis, Ix2, arr0, array};
use partita::prelude::*;
use partita::{Code, Random, einsum, operator_registry};
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_assert_eq, proptest};

fn serial(array: &DArray<f64>) -> Array2<f64> {
    array.compute_on(&Serial::new(operator_registry())).unwrap().into_dimensionality::<Ix2>().unwrap()
}

/// A matrix of small whole numbers, so that products are exact.
fn whole(rows: usize, columns: usize) -> ArrayD<f64> {
    counted(&[rows, columns]).mapv(|x| (x * 7.0) % 11.0 - 5.0)
}

fn two(array: &ArrayD<f64>) -> Array2<f64> {
    array.clone().into_dimensionality::<Ix2>().unwrap()
}

#[track_caller]
fn check_close(array: &DArray<f64>, expected: &Array2<f64>, tolerance: f64) {
    let near =
        |found: &ArrayD<f64>| found.shape() == expected.shape() && found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= tolerance);
    check_by(array, near, &format!("{expected}"));
}

#[test]
fn products_of_matrices_and_vectors() {
    let (a, b) = (whole(7, 50), whole(50, 6));
    let (x, y) = (DArray::from_array(a.clone(), [3, 2]), DArray::from_array(b.clone(), [5, 4]));
    check(&x.matmul(&y), two(&a).dot(&two(&b)));
    check(&x.dot(&y), two(&a).dot(&two(&b)));
    check(&y.t().matmul(&x.t()), two(&a).dot(&two(&b)).reversed_axes());
    let line = DArray::from_array(counted(&[50]), 7);
    let column = counted(&[50]).into_dimensionality::<partita::ndarray::Ix1>().unwrap();
    check(&x.matmul(&line), two(&a).dot(&column));
    check(&line.matmul(&y), column.dot(&two(&b)));
    check(&line.dot(&line), arr0(column.dot(&column)));
    check(&line.vdot(&line.reshape([5, 10])), arr0(column.dot(&column)));
    check(&DArray::<f64>::zeros([3, 0], 2).matmul(&DArray::zeros([0, 2], 2)), Array::zeros((3, 2)));
    check(&DArray::full([2, 3], 200u8, 2).matmul(&DArray::full([3, 1], 2u8, 2)), array![[176u8], [176]]);
    check(&DArray::full([1, 2], 1.5f32, 1).matmul(&DArray::full([2, 1], 2.0f32, 1)), array![[6.0f32]]);
    let text = failure(&x.matmul(&x), Code::ShapeMismatch);
    assert!(text.contains("(7, 50) and (7, 50)") && text.contains("array_linalg.rs"), "{text}");
    failure(&x.matmul(&DArray::full((), 1.0, 1)), Code::ShapeMismatch);
}

#[test]
fn matrices_side_by_side() {
    let (a, b) = (counted(&[2, 3, 4, 5]), counted(&[3, 5, 2]));
    let (x, y) = (DArray::from_array(a.clone(), [1, 2, 3, 2]), DArray::from_array(b.clone(), 2));
    let expected = Array::from_shape_fn((2, 3, 4, 2), |(g, h, i, k)| (0..5).map(|j| a[[g, h, i, j]] * b[[h, j, k]]).sum::<f64>());
    check(&x.matmul(&y), expected);
    let expected = Array::from_shape_fn((3, 4, 2), |(h, i, k)| (0..5).map(|j| a[[0, 0, i, j]] * b[[h, j, k]]).sum::<f64>());
    check(&x.index_axis(0, 0).slice_axis(0, ..1).matmul(&y), expected);
    let expected = Array::from_shape_fn((3, 7, 2), |(h, i, k)| (0..5).map(|j| whole(7, 5)[[i, j]] * b[[h, j, k]]).sum::<f64>());
    check(&DArray::from_array(whole(7, 5), 3).matmul(&y), expected);
    failure(&DArray::<f64>::zeros([2, 3, 4], 2).matmul(&DArray::zeros([3, 4, 2], 2)), Code::ShapeMismatch);
}

#[test]
fn sums_of_products_over_any_axes() {
    let (a, b) = (counted(&[3, 4, 5]), counted(&[4, 3, 2]));
    let (x, y) = (DArray::from_array(a.clone(), 2), DArray::from_array(b.clone(), [3, 2, 1]));
    let expected =
        Array::from_shape_fn((5, 2), |(k, l)| (0..3).map(|i| (0..4).map(|j| a[[i, j, k]] * b[[j, i, l]]).sum::<f64>()).sum::<f64>());
    check(&x.tensordot(&y, &[0, 1], &[1, 0]), expected.clone());
    check(&einsum("ijk,jil->kl", &[&x, &y]), expected.clone());
    check(&einsum("ijk,jil", &[&x, &y]), expected.clone());
    check(&einsum("ijk,jil->lk", &[&x, &y]), expected.reversed_axes());
    check(&einsum("ijk->ki", &[&x]), Array::from_shape_fn((5, 3), |(k, i)| (0..4).map(|j| a[[i, j, k]]).sum::<f64>()));
    let expected =
        Array::from_shape_fn((3, 4), |(i, j)| (0..5).map(|k| a[[i, j, k]]).sum::<f64>() * (0..2).map(|l| b[[j, i, l]]).sum::<f64>());
    check(&einsum("ijk,jil->ij", &[&x, &y]), expected);
    check(&einsum("ij,jk,kl->il", &[&x.index_axis(2, 0), &y.index_axis(2, 1), &x.index_axis(2, 1)]), {
        let (p, q, r) = (a.index_axis(Axis(2), 0).to_owned(), b.index_axis(Axis(2), 1).to_owned(), a.index_axis(Axis(2), 1).to_owned());
        two(&p).dot(&two(&q)).dot(&two(&r))
    });
    check(&einsum("ii->i", &[&DArray::from_array(whole(4, 4), 3)]), two(&whole(4, 4)).diag().to_owned());
    check(&einsum("ii", &[&DArray::from_array(whole(4, 4), 3)]), arr0(two(&whole(4, 4)).diag().sum()));
    failure(&x.tensordot(&y, &[0], &[0]), Code::ShapeMismatch);
    failure(&x.tensordot(&y, &[0], &[0, 1]), Code::ShapeMismatch);
    failure(&x.tensordot(&y, &[3], &[0]), Code::AxisOutOfRange);
    failure(&einsum("ij,jk->ik", &[&x]), Code::InvalidOption);
    failure(&einsum("ijk->z", &[&x]), Code::InvalidOption);
    failure(&einsum("...k->k", &[&x]), Code::InvalidOption);
    failure(&einsum("..k->k", &[&x]), Code::InvalidOption);
    failure(&einsum("...k...->k...", &[&x]), Code::InvalidOption);
    failure(&einsum("...jkl", &[&x.index_axis(0, 0)]), Code::ShapeMismatch);
    failure(&einsum("ij->i", &[&x]), Code::ShapeMismatch);
    let text = failure(&einsum("iij->j", &[&x]), Code::ShapeMismatch);
    assert!(text.contains("axes `i` are of different lengths: 3 and 4"), "{text}");
    let cube = DArray::from_array(whole(3, 9), [2, 4]).reshape([3, 3, 3]);
    check(&einsum("iii", &[&cube]), arr0(whole(3, 9)[[0, 0]] + whole(3, 9)[[1, 4]] + whole(3, 9)[[2, 8]]));
    check(&einsum("iji->j", &[&cube]), (0..3).map(|j| (0..3).map(|i| whole(3, 9)[[i, 3 * j + i]]).sum::<f64>()).collect::<Array<f64, _>>());
}

#[test]
fn plans_of_products_show_what_was_written() {
    let x = DArray::<f64>::ones([2, 3, 3], 2);
    let plans = [
        (einsum("...ij,...jk", &[&x, &x]), "product ...ij, ...jk to ...ik"),
        (einsum("bij,bjk->bki", &[&x, &x]), "product bij, bjk to bik"),
        (einsum("...ij,kl->...ik", &[&x, &x.index_axis(0, 0)]), "infinite product ...i*, k+ to ...ik"),
        (x.matmul(&x), "product amk, akn to amn"),
        (x.tensordot(&x, &[1], &[2]), "product abc, deb to acde"),
    ];
    for (product, line) in plans {
        let plan = product.explain();
        assert!(plan.contains(line), "{plan}");
        let nobody_reads = |c: char| ('\u{E000}'..='\u{F8FF}').contains(&c) || c >= '\u{F0000}';
        assert!(!plan.contains(nobody_reads), "{plan}");
    }
    let text = failure(&einsum("...i,...i", &[&x, &DArray::ones([5, 3, 3], 2)]), Code::ShapeMismatch);
    assert!(text.contains("axes `...`"), "{text}");
}

#[test]
fn products_of_all_with_all() {
    let (x, y) = (DArray::from_array(array![1, 2, 3], 2), DArray::from_array(array![[10, 20], [30, 40]], 1));
    check(&x.outer(&x), array![[1, 2, 3], [2, 4, 6], [3, 6, 9]]);
    check(&y.kron(&DArray::from_array(array![[1, 2]], 1)), array![[10, 20, 20, 40], [30, 60, 40, 80]]);
    check(&y.trace(0), arr0(50i64));
    check(&y.trace(1), arr0(20i64));
    failure(&x.kron(&y), Code::ShapeMismatch);
    failure(&x.trace(0), Code::ShapeMismatch);
}

#[test]
fn tall_matrices() {
    let given = Random::new(3).normal([90, 7], [20, 3]);
    let matrix = serial(&given);
    let (q, r) = given.qr();
    check_close(&q.matmul(&r), &matrix, 1e-12);
    check_close(&q.t().matmul(&q), &Array2::eye(7), 1e-13);
    check_close(&r.tril(-1), &Array2::zeros((7, 7)), 0.0);
    let (u, s, vt) = given.svd();
    check_close(&(&u * &s).matmul(&vt), &matrix, 1e-12);
    check_close(&u.t().matmul(&u), &Array2::eye(7), 1e-13);
    check_close(&vt.matmul(&vt.t()), &Array2::eye(7), 1e-13);
    check_by(&s, |found| found.iter().zip(found.iter().skip(1)).all(|(a, b)| a >= b), "in descending order");
    // Wide ones, and blocks with fewer rows than columns.
    let (u, s, vt) = given.t().svd();
    check_close(&(&u * &s).matmul(&vt), &matrix.t().to_owned(), 1e-12);
    let (q, r) = given.rechunk([4, -1]).t().qr();
    check_close(&q.matmul(&r), &matrix.t().to_owned(), 1e-12);
    let single = given.cast::<f32>();
    check_by(&single.qr().0.matmul(&single.qr().1).all_close(&single, 1e-4, 1e-4), |found| found[[]], "close");
    failure(&DArray::<f64>::zeros([3], 3).qr().0, Code::ShapeMismatch);
    failure(&DArray::full([3, 2], f64::NAN, 2).svd().1, Code::SingularMatrix);
}

#[test]
fn large_matrices_of_low_rank() {
    let rng = Random::new(9);
    let low = rng.normal([80, 3], 30).matmul(&rng.normal([3, 40], 40));
    let (u, s, vt) = low.svd_compressed(3, 1, 5);
    check_by(&(u * &s).matmul(&vt).all_close(&low, 1e-9, 1e-9), |found| found[[]], "close");
    failure(&low.svd_compressed(41, 1, 5).1, Code::ShapeMismatch);
    failure(&low.svd_compressed(0, 1, 5).1, Code::ShapeMismatch);
}

#[test]
fn square_matrices() {
    let given = Random::new(4).normal([20, 20], 6);
    let matrix = serial(&given);
    let (p, l, u) = given.lu();
    check_close(&p.matmul(&l).matmul(&u), &matrix, 1e-12);
    check_close(&l.triu(1), &Array2::zeros((20, 20)), 0.0);
    check_close(&u.tril(-1), &Array2::zeros((20, 20)), 0.0);
    check_close(&given.inv().matmul(&given), &Array2::eye(20), 1e-10);
    let product = given.matmul(&given.t());
    let factor = product.cholesky();
    check_close(&factor.matmul(&factor.t()), &serial(&product), 1e-11);
    let (values, vectors) = product.eigh();
    check_close(&product.matmul(&vectors), &serial(&(&vectors * &values)), 1e-10);
    // The determinant of a product is the product of determinants.
    let ratio = product.det() / given.det().square();
    check_by(&ratio, |found| (found[[]] - 1.0).abs() < 1e-9, "1");
    check(&DArray::from_array(array![[0.0, 1.0], [1.0, 0.0]], 1).det(), arr0(-1.0));
    failure(&DArray::<f64>::ones([3, 3], 2).inv(), Code::SingularMatrix);
    failure(&(-&product).cholesky(), Code::SingularMatrix);
    failure(&given.slice_axis(0, ..3).inv(), Code::ShapeMismatch);
}

#[test]
fn equations() {
    let rng = Random::new(5);
    let (a, expected) = (rng.normal([15, 15], 4), rng.normal([15, 6], [5, 2]));
    check_close(&a.solve(&a.matmul(&expected)), &serial(&expected), 1e-10);
    let line = expected.index_axis(1, 0);
    check_by(&a.solve(&a.matmul(&line)).all_close(&line, 1e-9, 1e-9), |found| found[[]], "close");
    let unit = DArray::<f64>::eye(15, 4) * 5.0;
    for lower in [true, false] {
        let triangle = if lower { a.tril(0) } else { a.triu(0) } + &unit;
        check_close(&triangle.solve_triangular(&triangle.matmul(&expected), lower), &serial(&expected), 1e-9);
    }
    let tall = rng.normal([100, 4], 30);
    let wanted = rng.normal([4, 2], 2);
    check_close(&tall.lstsq(&tall.matmul(&wanted)), &serial(&wanted), 1e-11);
    // What is missing stands at right angles to all columns.
    let b = rng.normal([100], 40);
    let rest = &b - tall.matmul(&tall.lstsq(&b));
    check_by(&tall.t().matmul(&rest), |found| found.iter().all(|x| x.abs() < 1e-11), "0");
    failure(&DArray::<f64>::ones([3, 3], 2).solve(&DArray::ones([3], 2)), Code::SingularMatrix);
    failure(&a.solve(&DArray::ones([3], 2)), Code::ShapeMismatch);
    failure(&DArray::<f64>::zeros([2, 2], 1).solve_triangular(&DArray::ones([2], 2), true), Code::SingularMatrix);
    failure(&tall.t().lstsq(&wanted), Code::ShapeMismatch);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn chunks_change_no_product(
        (sides, first, second) in (0usize..8, 0usize..30, 0usize..8).prop_flat_map(|(m, k, n)| {
            (Just((m, k, n)), chunkings(vec![m, k]), chunkings(vec![k, n]))
        })
    ) {
        let (m, k, n) = sides;
        let (a, b) = (whole(m, k), whole(k, n));
        let product = DArray::from_array(a.clone(), first).matmul(&DArray::from_array(b.clone(), second));
        prop_assert_eq!(serial(&product), two(&a).dot(&two(&b)));
    }
}
