//! Places that other arrays have, diagonals of any axes, numbers pushed over NaN, points in bins: against loops over the whole array.

use super::arrays::{bits, check, check_by, chunkings, counted, failure};
use partita::graph::Serial;
use partita::ndarray::{Array, ArrayD, IxDyn, array};
use partita::prelude::*;
use partita::{Bins, Code, histogramdd, histogramdd_density, histogramdd_weighted, operator_registry};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_assert_eq, prop_oneof, proptest};

fn given() -> ArrayD<f64> {
    counted(&[5, 7, 3])
}

fn lazy() -> DArray<f64> {
    DArray::from_array(given(), [2, 3, 2])
}

#[test]
fn places_of_arrays() {
    let (x, whole) = (lazy(), given());
    let places = |places: &[i64], chunks: usize| DArray::from_array(Array::from_vec(places.to_vec()), chunks);
    let select = |axis: usize, at: &[usize]| whole.select(partita::ndarray::Axis(axis), at);
    check(&x.take_array(&places(&[6, 0, 0, -1, 3], 2), 1), select(1, &[6, 0, 0, 6, 3]));
    check(&x.take_array(&places(&[4, -5, 2], 5), 0), select(0, &[4, 0, 2]));
    check(&x.take_array(&places(&[], 1), -1), select(2, &[]));
    // The places may be as many as they turn out to be.
    let late = DArray::arange(0i64, 7, 1, 3).gt(4).flatnonzero();
    check(&x.take_array(&late, 1), select(1, &[5, 6]));
    let square = places(&[0, 1, 2, 0], 3).reshape([2, 2]);
    let expected = Array::from_shape_fn((5, 2, 2, 3), |(i, a, b, k)| whole[[i, [0, 1, 2, 0][2 * a + b], k]]);
    check(&x.take_array(&square, 1), expected);
    let text = failure(&x.take_array(&places(&[1, 7], 2), 1), Code::IndexOutOfRange);
    assert!(text.contains("there is no place 7 along axis 1, which has 7 elements") && text.contains("array_places.rs"), "{text}");
    failure(&x.take_array(&places(&[0], 1), 3), Code::AxisOutOfRange);
    let (rows, columns, last) = (places(&[0, 4, -1], 2), places(&[0, 3, 6], 1), places(&[2, 0, 1], 3));
    check(&x.vindex_arrays(&[&rows, &columns, &last]), array![2.0, 93.0, 103.0]);
    check(&x.vindex_arrays(&[&rows.expand_dims(1), &columns, &places(&[1], 1)]), {
        Array::from_shape_fn((3, 3), |(i, j)| whole[[[0, 4, 4][i], [0, 3, 6][j], 1]])
    });
    failure(&x.vindex_arrays(&[&rows, &columns]), Code::ShapeMismatch);
    failure(&x.vindex_arrays(&[&rows, &places(&[0, 7, 0], 2), &last]), Code::IndexOutOfRange);
    failure(&x.vindex_arrays(&[&rows, &places(&[0, 1], 2), &last]), Code::ShapeMismatch);
}

#[test]
fn places_in_row_major_order() {
    let places = |places: &[i64], chunks: usize| DArray::from_array(Array::from_vec(places.to_vec()), chunks);
    let flat = places(&[0, 5, 3, 1], 3);
    let along = flat.unravel_index([2, 3]);
    check(&along[0], array![0i64, 1, 1, 0]);
    check(&along[1], array![0i64, 2, 0, 1]);
    check(&DArray::ravel_multi_index(&along, [2, 3]), array![0i64, 5, 3, 1]);
    check(&DArray::ravel_multi_index(&[places(&[0, 1], 1).expand_dims(1), places(&[2, 0], 2)], [2, 3]), array![[2i64, 0], [5, 3]]);
    assert!(flat.unravel_index(()).is_empty());
    let text = failure(&places(&[0, 6], 1).unravel_index([2, 3])[0], Code::IndexOutOfRange);
    assert!(text.contains("there is no place 6 in an array of shape (2, 3), which has 6 elements"), "{text}");
    failure(&places(&[-1], 1).unravel_index([2, 3])[1], Code::IndexOutOfRange);
    failure(&places(&[0], 1).unravel_index([2, 0])[1], Code::IndexOutOfRange);
    let text = failure(&DArray::ravel_multi_index(&[places(&[0], 1), places(&[3], 1)], [2, 3]), Code::IndexOutOfRange);
    assert!(text.contains("there is no place 3 along axis 1, which has 3 elements"), "{text}");
    failure(&DArray::ravel_multi_index(&[places(&[0], 1), places(&[-1], 1)], [2, 3]), Code::IndexOutOfRange);
    failure(&DArray::ravel_multi_index(&[places(&[0], 1)], [2, 3]), Code::ShapeMismatch);
    failure(&DArray::ravel_multi_index(&[], ()), Code::ShapeMismatch);
}

#[test]
fn diagonals_of_any_axes() {
    let (x, whole) = (lazy(), given());
    let expected = |k: isize, first: usize, second: usize| {
        let other = 3 - first - second;
        let (row, column) = ((-k).max(0) as usize, k.max(0) as usize);
        let len = whole.shape()[first].saturating_sub(row).min(whole.shape()[second].saturating_sub(column));
        Array::from_shape_fn((whole.shape()[other], len), |(i, d)| {
            let mut at = [0; 3];
            (at[other], at[first], at[second]) = (i, row + d, column + d);
            whole[at]
        })
    };
    for k in [-9, -3, -1, 0, 1, 2, 5] {
        check(&x.diagonal(k, 0, 1), expected(k, 0, 1));
        check(&x.diagonal(k, 2, 0), expected(k, 2, 0));
        check(&x.diagonal(k, -2, -1), expected(k, 1, 2));
    }
    check(&DArray::from_array(counted(&[3, 4]), 2).diagonal(1, 0, 1), array![1.0, 6.0, 11.0]);
    failure(&x.diagonal(0, 1, -2), Code::InvalidOption);
    failure(&x.diagonal(0, 1, 3), Code::AxisOutOfRange);
    failure(&x.compress(&DArray::<bool>::ones([5], 2), 0).diagonal(0, 0, 1), Code::UnknownSizes);
}

#[test]
fn points_in_bins() {
    let (x, y) = (DArray::from_array(counted(&[10, 10]) / 100.0, [3, 4]), DArray::from_array(counted(&[10, 10]) % 10.0, [10, 1]));
    let counts = Array::from_shape_fn((2, 5), |_| 10i64);
    check(&x.histogram2d(&y, (2, 0.0, 1.0), (5, 0.0, 10.0)), counts);
    check(&x.histogram2d(&y, (1, 0.0, 1.0), vec![8.0, 9.0]), array![[20i64]]);
    let bins: [Bins; 2] = [(2, 0.0, 1.0).into(), (1, 0.0, 10.0).into()];
    check(&histogramdd_weighted(&[&x, &y], &bins, &DArray::ones([10, 10], 7)), array![[50.0], [50.0]]);
    check(&histogramdd_density(&[&x, &y], &bins), array![[0.1], [0.1]]);
    failure(&histogramdd(&[&x], &bins), Code::InvalidOption);
    failure(&histogramdd::<f64>(&[], &[]), Code::InvalidOption);
    failure(&x.histogram2d(&y.ravel(), (2, 0.0, 1.0), (2, 0.0, 1.0)), Code::ShapeMismatch);
    failure(&x.histogram2d(&y, (0, 0.0, 1.0), (2, 0.0, 1.0)), Code::InvalidOption);
    failure(&histogramdd_weighted(&[&x, &y], &bins, &DArray::ones([10], 7)), Code::ShapeMismatch);
}

#[test]
fn triangles_and_least_squares() {
    let places = DArray::triu_indices(3, 3, 1, 2).expect("a triangle");
    check(&places[0], array![0i64, 0, 1]);
    check(&places[1], array![1i64, 2, 2]);
    let a = DArray::from_array(array![[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]], [2, 2]);
    let b = DArray::from_array(array![[1.0, 0.0], [3.0, 0.0], [5.0, 0.0], [7.0, 4.0]], [2, 1]);
    let found = a.lstsq_full(&b);
    let near = |expected: [f64; 2]| move |found: &ArrayD<f64>| found.iter().zip(expected).all(|(x, expected)| (x - expected).abs() < 1e-12);
    check_by(&found.residuals, near([0.0, 4.8]), "0 and 4.8");
    check(&found.rank, partita::ndarray::arr0(2i64));
    check_by(&found.singular_values, |values| values.len() == 2 && values[[0]] > values[[1]], "two, the greatest first");
    failure(&a.t().lstsq_full(&b).residuals, Code::ShapeMismatch);
}

fn holes() -> impl Strategy<Value = f64> {
    prop_oneof![3 => Just(f64::NAN), 2 => (-9i8..9).prop_map(f64::from)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn numbers_are_pushed_over_nan(
        (values, chunks) in (0usize..20).prop_flat_map(|len| (vec(holes(), 3 * len), chunkings(vec![3, len]))),
        limit in proptest::option::of(0usize..5),
    ) {
        let whole = ArrayD::from_shape_vec(IxDyn(&[3, values.len() / 3]), values).unwrap();
        let mut expected = whole.clone();
        for mut line in expected.rows_mut() {
            let (mut last, mut since) = (f64::NAN, 0);
            for x in &mut line {
                if x.is_nan() {
                    since += 1;
                    *x = if limit.is_none_or(|limit| since <= limit) { last } else { *x };
                } else {
                    (last, since) = (*x, 0);
                }
            }
        }
        let serial = Serial::new(operator_registry());
        let x = DArray::from_array(whole, chunks);
        prop_assert_eq!(bits(&x.push(1, limit).compute_on(&serial).unwrap()), bits(&expected));
        prop_assert_eq!(bits(&x.t().push(-2, limit).t().compute_on(&serial).unwrap()), bits(&expected));
    }

    #[test]
    fn places_of_arrays_are_places(
        (shape, chunks, places, cut) in (1usize..8, 1usize..6).prop_flat_map(|(rows, columns)| {
            let places = vec(-(rows as i64)..rows as i64, 0..12);
            (Just([rows, columns]), chunkings(vec![rows, columns]), places, 1usize..5)
        }),
    ) {
        let whole = counted(&shape);
        let x = DArray::from_array(whole.clone(), chunks);
        let lazy = DArray::from_array(Array::from_vec(places.clone()), cut);
        let expected: Vec<usize> = places.iter().map(|place| place.rem_euclid(shape[0] as i64) as usize).collect();
        let serial = Serial::new(operator_registry());
        let found = x.take_array(&lazy, 0).compute_on(&serial).unwrap();
        prop_assert_eq!(bits(&found), bits(&whole.select(partita::ndarray::Axis(0), &expected)));
        let columns = x.ravel().take_array(&(lazy * shape[1] as i64), 0).compute_on(&serial).unwrap();
        prop_assert_eq!(columns.into_iter().collect::<Vec<_>>(), expected.iter().map(|row| whole[[*row, 0]]).collect::<Vec<_>>());
    }
}
