//! Order: sorting, searching, what is there once; against the standard library on the whole array.

use super::arrays::{bits, check, counted, cuts, failure};
use super::check::executors;
use partita::graph::Serial;
use partita::ndarray::{Array, ArrayD, Axis, array};
use partita::prelude::*;
use partita::{Between, Code, Side, operator_registry};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};

#[test]
fn lanes_are_sorted() {
    let x = DArray::from_array(array![[3, 1, 2], [6, 5, 4], [0, 9, 7]], 2);
    check(&x.sort(-1), array![[1, 2, 3], [4, 5, 6], [0, 7, 9]]);
    check(&x.sort(0), array![[0, 1, 2], [3, 5, 4], [6, 9, 7]]);
    check(&x.argsort(0), array![[2i64, 0, 0], [0, 1, 1], [1, 2, 2]]);
    check(&DArray::from_array(array![2.0, f64::NAN, -1.0, f64::INFINITY], 4).sort(0), array![-1.0, 2.0, f64::INFINITY, f64::NAN]);
    check(&DArray::<f64>::zeros([0, 2], 1).sort(0), Array::zeros((0, 2)));
    failure(&x.sort(2), Code::AxisOutOfRange);
    failure(&DArray::full((), 1, 1).sort(0), Code::AxisOutOfRange);
}

#[test]
fn a_long_array_stays_in_its_chunks() {
    let numbers: Vec<i64> = (0..500).map(|at| at * 7919 % 503).collect();
    let x = DArray::from_array(Array::from_vec(numbers.clone()), 60);
    let mut expected = numbers.clone();
    expected.sort_unstable();
    let sorted = x.sort(0);
    assert_eq!(sorted.chunks().unwrap(), x.chunks().unwrap());
    check(&sorted, Array::from_vec(expected));
    let mut places: Vec<i64> = (0..500).collect();
    places.sort_by_key(|place| numbers[*place as usize]);
    check(&x.argsort(0), Array::from_vec(places));
    // All the same: nothing but places tells them apart.
    let same = DArray::<u8>::ones([100], 30);
    check(&same.sort(0), Array::from_elem(100, 1u8));
    check(&same.argsort(0), Array::from_iter(0..100i64));
    check(&DArray::from_array(Array::<f64, _>::zeros(0), vec![vec![0, 0]]).sort(0), Array::zeros(0));
}

#[test]
fn places_among_others() {
    let sorted = DArray::from_array(array![1.0, 2.0, 2.0, 5.0, f64::NAN], 2);
    let values = DArray::from_array(array![0.0, 2.0, 5.5, f64::NAN], 3);
    check(&sorted.searchsorted(&values, Side::Left), array![0i64, 1, 4, 4]);
    check(&sorted.searchsorted(&values, Side::Right), array![0i64, 3, 4, 5]);
    check(&values.digitize(&[0.0, 2.0], Side::Right), array![1i64, 2, 2, 2]);
    check(&values.digitize(&[0.0, 2.0], Side::Left), array![0i64, 1, 2, 2]);
    check(&DArray::arange(0, 4, 1, 2).digitize(&[], Side::Left), array![0i64, 0, 0, 0]);
    check(&values.digitize(&[2.0, 0.0], Side::Right), array![1i64, 0, 0, 0]);
    check(&values.digitize(&[2.0, 0.0], Side::Left), array![2i64, 1, 0, 0]);
    failure(&values.digitize(&[1.0, 0.0, 1.0], Side::Left), Code::InvalidOption);
    failure(&DArray::from_array(counted(&[2, 2]), 1).searchsorted(&values, Side::Left), Code::ShapeMismatch);
    check(&values.is_in(&[5.5, f64::NAN, 0.0]), array![true, false, true, false]);
    check(&DArray::arange(0, 4, 1, 3).is_in_array(&DArray::from_array(array![[1, 1], [3, 7]], 1)), array![false, true, false, true]);
    check(&DArray::arange(0, 2, 1, 1).is_in(&[]), array![false, false]);
}

#[test]
fn every_element_once() {
    let x = DArray::from_array(array![[3, 1, 3], [2, 1, 3]], [1, 2]);
    check(&x.unique(), array![1, 2, 3]);
    check(&x.unique_counts().1, array![2i64, 1, 3]);
    check(&x.unique_inverse().1, array![[2i64, 0, 2], [1, 0, 2]]);
    check(&x.unique_index().1, array![1i64, 3, 0]);
    let equal = DArray::from_array(array![f64::NAN, 0.0, -0.0, f64::NAN], 1);
    check(&equal.unique(), array![0.0, f64::NAN]);
    check(&equal.unique_index().1, array![1i64, 0]);
    check(&DArray::from_array(counted(&[40, 5]).mapv(|x| x % 7.0), [1, 2]).unique_index().1, array![0i64, 1, 2, 3, 4, 5, 6]);
    check(&DArray::<u8>::zeros([0], 1).unique(), Array::zeros(0));
    check(&DArray::from_array(counted(&[40, 5]).mapv(|x| x % 7.0), [1, 2]).unique(), counted(&[7]));
    for (name, executor) in executors() {
        assert_eq!(x.unique().compute_chunk_sizes_on(&*executor).unwrap().shape().unwrap(), [3], "{name}");
    }
}

#[test]
fn quantiles_in_other_ways() {
    let nan = f64::NAN;
    let x = DArray::from_array(array![[4.0, nan, 1.0], [8.0, 2.0, 6.0]], 2);
    check(&x.nanquantiles(&[0.0, 0.5], 1), array![[1.0, 2.0], [2.5, 6.0]]);
    check(&x.nanquantile_with(0.5, 1, Between::Lower), array![1.0, 6.0]);
    check(&x.nanquantiles_with(&[0.5], 1, Between::InvertedCdf), array![[1.0, 6.0]]);
    check(&x.quantiles_with(&[0.5], 0, Between::Higher), array![[8.0, nan, 6.0]]);
    check(&x.quantile_with(0.75, Axes::all(), Between::Hazen), partita::ndarray::arr0(nan));
}

#[test]
fn numbers_are_counted_as_far_as_they_go() {
    let x = DArray::from_array(array![1, 9, 1, 0, 4], 2);
    check(&x.bincount_at_least(0), array![1i64, 2, 0, 0, 1, 0, 0, 0, 0, 1]);
    check(&x.bincount_at_least(12), array![1i64, 2, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0]);
    check(&DArray::<u8>::zeros([0], 1).bincount_at_least(2), array![0i64, 0]);
    failure(&(&x - 1).bincount_at_least(3), Code::InvalidOption);
    failure(&DArray::full([2], i64::MAX, 1).bincount_at_least(3), Code::InvalidOption);
}

fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![6 => any::<i8>().prop_map(f64::from), 2 => Just(1.0), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)]
}

fn lines() -> impl Strategy<Value = (Vec<f64>, Vec<usize>)> {
    vec(numbers(), 0..60).prop_flat_map(|line| (Just(line.clone()), cuts(line.len())))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn sorted_like_the_whole((line, cuts) in lines()) {
        let x = DArray::from_array(Array::from_vec(line.clone()), vec![cuts]);
        let serial = Serial::new(operator_registry());
        let mut pairs: Vec<(f64, i64)> = line.iter().copied().zip(0..).collect();
        // NaN is here positive and so comes last, and there is no -0.0.
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let sorted: ArrayD<f64> = Array::from_iter(pairs.iter().map(|pair| pair.0)).into_dyn();
        prop_assert_eq!(bits(&x.sort(0).compute_on(&serial).unwrap()), bits(&sorted));
        let places = Array::from_iter(pairs.iter().map(|pair| pair.1)).into_dyn();
        prop_assert_eq!(x.argsort(0).compute_on(&serial).unwrap(), places);
        let mut once: Vec<f64> = sorted.iter().copied().collect();
        once.dedup_by(|a, b| a == b || (a.is_nan() && b.is_nan()));
        prop_assert_eq!(bits(&x.unique().compute_on(&serial).unwrap()), bits(&Array::from_vec(once).into_dyn()));
        let counts = x.unique_counts().1.compute_on(&serial).unwrap();
        prop_assert_eq!(counts.sum_axis(Axis(0))[[]], line.len() as i64);
    }
}
