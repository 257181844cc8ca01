//! Arrays from nothing, from memory and from functions; other chunks; what is known without running.

use super::arrays::{bits, check, check_by, chunkings, counted, failure, shapes};
use super::check::executors;
use partita::Code;
use partita::ndarray::{Array, ArrayD, Axis, IxDyn, array};
use partita::prelude::*;
use proptest::prelude::{ProptestConfig, Strategy, prop_assert_eq, proptest};

#[test]
fn constants() {
    check(&DArray::<f64>::zeros([2, 3], 2), Array::zeros((2, 3)));
    check(&DArray::<f32>::ones([4], 3), Array::ones(4));
    check(&DArray::<bool>::ones([2, 1], 1), array![[true], [true]]);
    check(&DArray::full((), 7u8, 1), partita::ndarray::arr0(7u8));
    check(&DArray::<i16>::empty([0, 3], 2), Array::zeros((0, 3)));
    check(&DArray::full([5], -3i64, 2).zeros_like(), Array::zeros(5));
    check(&DArray::<u32>::zeros([5], 2).ones_like(), Array::ones(5));
    check(&DArray::<u16>::zeros([2, 2], 1).full_like(9), Array::from_elem((2, 2), 9));
}

#[test]
fn ranges() {
    check(&DArray::arange(0, 10, 3, 2), array![0, 3, 6, 9]);
    check(&DArray::arange(5i64, 0, -2, 2), array![5, 3, 1]);
    check(&DArray::arange(0u64, 3, 1, 2), array![0, 1, 2]);
    check(&DArray::arange(u64::MAX - 3, u64::MAX, 2, 1), array![u64::MAX - 3, u64::MAX - 1]);
    check(&DArray::arange(-3i8, 3, 2, 2), array![-3, -1, 1]);
    check(&DArray::arange(0.0, 1.0, 0.25, 3), array![0.0, 0.25, 0.5, 0.75]);
    check(&DArray::arange(3, 0, 1, 2), Array::<i32, _>::zeros(0));
    check(&DArray::linspace(1.0f32, 2.0, 5, 2), array![1.0, 1.25, 1.5, 1.75, 2.0]);
    check(&DArray::linspace(3.0, 9.0, 1, 2), array![3.0]);
    check(&DArray::linspace(3.0, 9.0, 0, 2), Array::zeros(0));
    failure(&DArray::arange(0, 10, 0, 2), Code::InvalidOption);
    failure(&DArray::arange(0.0, f64::INFINITY, 1.0, 2), Code::InvalidOption);
    failure(&DArray::arange(0.0, 1.0, f64::NAN, 2), Code::InvalidOption);
}

#[test]
fn diagonals() {
    check(&DArray::<i32>::eye(3, 2), Array::eye(3));
    check(&DArray::<i32>::eye_with(2, 4, 1, 1), array![[0, 1, 0, 0], [0, 0, 1, 0]]);
    check(&DArray::<i32>::eye_with(3, 2, -2, 2), array![[0, 0], [0, 0], [1, 0]]);
    check(&DArray::<i32>::eye_with(2, 2, isize::MAX, 1), Array::zeros((2, 2)));
    check(&DArray::<u8>::tri(3, 4, 0, 2), array![[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]]);
    check(&DArray::<u8>::tri(2, 3, -1, 1), array![[0, 0, 0], [1, 0, 0]]);
    for k in [-3isize, -1, 0, 2] {
        let line: Vec<i64> = (1..6).collect();
        let n = 5 + k.unsigned_abs();
        let (row, column) = if k < 0 { (k.unsigned_abs(), 0) } else { (0, k.unsigned_abs()) };
        let mut square = Array::zeros((n, n));
        line.iter().enumerate().for_each(|(at, value)| square[[at + row, at + column]] = *value);
        let lazy = DArray::from_array(Array::from_vec(line.clone()), vec![vec![2, 1, 2]]);
        check(&lazy.diag(k), square.clone());
        check(&DArray::from_array(square, [3, 2]).diag(k), Array::from_vec(line));
    }
    check(&DArray::from_array(counted(&[2, 4]), 1).diag(9), Array::zeros(0));
    failure(&DArray::<f64>::zeros([2, 2, 2], 1).diag(0), Code::ShapeMismatch);
}

#[test]
fn memory_of_any_layout() {
    let given = counted(&[4, 6]);
    check(&DArray::from_array(given.clone(), [3, 4]), given.clone());
    check(&DArray::from_array(given.clone().reversed_axes(), 4), given.clone().reversed_axes());
    let mut turned = given.clone();
    turned.invert_axis(Axis(0));
    check(&DArray::from_array(turned.clone(), 4), turned);
    let text = failure(&DArray::from_array(given, [1, 2, 3]), Code::ShapeMismatch);
    assert!(text.contains("array_make.rs"), "{text}");
}

#[test]
fn functions() {
    let table = DArray::from_fn([3, 4], [2, 3], |index| index[0] as f64 * 10.0 + index[1] as f64);
    check_by(&table, |found| found.indexed_iter().all(|(at, value)| *value == at[0] as f64 * 10.0 + at[1] as f64), "10 i + j");
}

#[test]
fn a_mask_leaves_sizes_unknown_until_they_are_found() {
    let x = DArray::from_array(counted(&[6, 2]), [2, -1]);
    let mask = DArray::from_array(array![true, false, false, false, true, true], 4);
    let kept = x.compress(&mask, 0);
    check(&kept, array![[0.0, 1.0], [8.0, 9.0], [10.0, 11.0]]);
    assert_eq!(kept.shape().unwrap_err().code, Code::UnknownSizes);
    failure(&kept.rechunk(2), Code::UnknownSizes);
    check(&kept.rechunk([(1, 1)]), array![[0.0, 1.0], [8.0, 9.0], [10.0, 11.0]]);
    for (name, executor) in executors() {
        let sized = kept.compute_chunk_sizes_on(&*executor).unwrap();
        assert_eq!(sized.chunks().unwrap(), [vec![1, 0, 2], vec![2]], "{name}");
        let again = sized.rechunk(2).compute_on(&*executor).unwrap();
        assert_eq!(again, array![[0.0, 1.0], [8.0, 9.0], [10.0, 11.0]].into_dyn(), "{name}");
    }
    failure(&x.compress(&mask, 1), Code::ShapeMismatch);
    failure(&x.compress(&mask, 2), Code::AxisOutOfRange);
}

#[test]
fn a_persisted_array_is_not_made_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let client = Client::builder().threads(2).set_as_default(false).build().unwrap();
    let array = DArray::from_fn([4], 2, move |index| {
        counter.fetch_add(1, Ordering::SeqCst);
        index[0] as i64
    });
    let kept = array.persist_on(&client).unwrap();
    assert_eq!(kept.rechunk(3).compute_on(&client).unwrap(), array![0, 1, 2, 3].into_dyn());
    assert_eq!(kept.compute_on(&client).unwrap().sum(), 6);
    assert_eq!(calls.load(Ordering::SeqCst), 4, "the function ran again");
}

#[test]
fn what_an_array_says_of_itself() {
    let x = DArray::<f64>::zeros([6, 4], [2, 3]);
    assert_eq!(format!("{x:?}"), "DArray<full, shape=(6, 4), dtype=f64, chunksize=(2, 3)>");
    assert!(x.to_string().contains("6 chunks, 1 layer"), "{x}");
    assert!(DArray::<f64>::zeros([3], 3).to_string().ends_with("└────┘"));
    let broken = DArray::<f64>::zeros([6, 4], 2).rechunk("a lot");
    assert!(broken.to_string().starts_with("error[E0108]"));
    assert!(broken.explain().starts_with("error[E0108]"));
    assert_eq!(broken.to_any().dtype().unwrap_err().code, Code::InvalidOption);
    assert_eq!(x.to_any().typed::<f32>().unwrap_err().code, Code::TypeMismatch);
}

#[test]
fn long_chains_use_up_no_stack() {
    let mut x = DArray::<u8>::zeros([2], 1);
    for _ in 0..50_000 {
        x = x.rechunk(1);
    }
    assert_eq!(x.check().unwrap().numblocks().unwrap(), [2]);
    assert!(x.explain().contains("… and what that reads"));
}

fn rechunked() -> impl Strategy<Value = (Vec<usize>, Vec<Vec<usize>>, Vec<Vec<usize>>)> {
    shapes().prop_flat_map(|shape| (proptest::prelude::Just(shape.clone()), chunkings(shape.clone()), chunkings(shape)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn rechunking_changes_no_element((shape, first, second) in rechunked()) {
        let given = counted(&shape);
        let lazy = DArray::from_array(given.clone(), first).rechunk(second.clone());
        prop_assert_eq!(lazy.chunks().unwrap(), second);
        for (name, executor) in executors() {
            prop_assert_eq!(bits(&lazy.compute_on(&*executor).unwrap()), bits(&given), "{}", name);
        }
    }
}

/// Each of the three ways, and two steps where pieces are many.
#[test]
fn rows_become_columns_in_every_way() {
    let check_way = |from: [usize; 3], to: [usize; 3], shape: [usize; 3], layers: &[&str]| {
        let given: ArrayD<f64> = counted(&shape);
        let lazy = DArray::from_array(given.clone(), from).rechunk(to);
        let plan = lazy.explain();
        layers.iter().for_each(|layer| assert!(plan.contains(layer), "no {layer}: {plan}"));
        let client = Client::builder().threads(2).set_as_default(false).build().unwrap();
        assert_eq!(lazy.compute_on(&client).unwrap(), given);
    };
    check_way([1, 4, 2], [2, 2, 2], [4, 4, 2], &["rechunk"]);
    check_way([1, 12, 2], [12, 1, 2], [12, 12, 2], &["split", "part of"]);
    check_way([1, 12, 1], [12, 1, 1], [12, 12, 3], &["cut", "rechunk"]);
    check_way([1, 400, 1], [400, 1, 1], [400, 400, 1], &["rechunk (1, 400, 1) to (400, 400, 1)", "rechunk (400, 400, 1) to (400, 1, 1)"]);
    let unit = DArray::from_array(ArrayD::from_elem(IxDyn(&[]), 1u8), Chunks::from(Vec::<usize>::new()));
    check(&unit.rechunk("auto"), partita::ndarray::arr0(1u8));
}
