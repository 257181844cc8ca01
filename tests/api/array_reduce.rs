//! Reductions, scans, order statistics and counts: against ndarray and plain loops on the whole array, for random shapes, chunks and axes.

use super::arrays::{bits, check, check_by, chunkings, counted, failure};
use super::check::executors;
use partita::graph::Serial;
use partita::ndarray::{Array, ArrayD, Axis, IxDyn, Slice, arr0, array};
use partita::prelude::*;
use partita::{Between, Code, Element, Norm, operator_registry};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

fn given() -> ArrayD<f64> {
    counted(&[4, 5, 3]).mapv(|x| (x * 7.0) % 11.0 - 4.5)
}

fn lazy() -> DArray<f64> {
    DArray::from_array(given(), [3, 2, 2])
}

#[test]
fn sums_and_means() {
    let (x, whole) = (lazy(), given());
    check(&x.sum(), arr0(whole.sum()));
    check(&x.sum_axis(1), whole.sum_axis(Axis(1)));
    check(&x.sum_axis([0, -1]), whole.sum_axis(Axis(2)).sum_axis(Axis(0)));
    check(&x.sum_axis(Axes::of([0, 2]).keepdims()), whole.sum_axis(Axis(2)).sum_axis(Axis(0)).insert_axis(Axis(0)).insert_axis(Axis(2)));
    check(&x.sum_axis(Vec::<isize>::new()), whole.clone());
    check(&x.mean(), arr0(whole.sum() / 60.0));
    check(&x.mean_axis(0), whole.sum_axis(Axis(0)) / 4.0);
    check(&DArray::arange(1i8, 101, 1, 7).sum(), arr0(5050i64));
    check(&DArray::arange(1u8, 201, 1, 7).mean(), arr0(100.5));
    check(&DArray::<bool>::ones([3, 4], 2).sum_axis(0), array![3i64, 3, 3, 3]);
    check(&DArray::arange(1i64, 11, 1, 3).prod(), arr0(3_628_800i64));
    check(&DArray::full([5], 1.5f32, 2).prod(), arr0(7.59375f32));
    check(&DArray::full([2], u64::MAX, 1).sum(), arr0(u64::MAX - 1));
    check(&DArray::full([2], u64::MAX, 1).mean(), arr0(u64::MAX as f64));
    check(&DArray::full((), 3i32, 1).sum(), arr0(3i64));
    check(&DArray::<f64>::zeros([0, 3], 2).sum_axis(0), Array::zeros(3));
    check(&DArray::<f64>::zeros([0, 3], 2).prod(), arr0(1.0));
    check_by(&DArray::<f64>::zeros([0, 2], 2).mean_axis(0), |found| found.iter().all(|x| x.is_nan()), "NaN");
}

#[test]
fn small_blocks_are_folded_several_at_a_time() {
    let (ones, row) = (DArray::<i64>::ones([99, 131], [3, 4]), DArray::arange(0i64, 131, 1, 4));
    let sum = (&ones + &row).sum();
    assert!(sum.explain().contains("sum of a + b, several blocks at a time"), "{}", sum.explain());
    check(&sum, arr0(99 * (131 + 130 * 131 / 2)));
    check(&(&ones + &row).sum_axis(0), Array::from_shape_fn(131, |column| 99 * (1 + column as i64)));
    check(&(&row - &ones).sum_axis(1), Array::from_elem(99, 130 * 131 / 2 - 131));
    check(&(&ones * &row).max(), arr0(130i64));
    // Neither of few blocks nor of large ones, and where their first elements are wanted one by one.
    let (few, large) = (DArray::<i64>::ones([93, 131], [3, 4]), DArray::<i64>::ones([99, 131 * 512], [3, 4 * 512]));
    for other in [few.sum(), large.sum(), ones.argmax()] {
        assert!(!other.explain().contains("at a time"), "{}", other.explain());
    }
}

#[test]
fn small_blocks_that_are_folded_together_give_the_bits_of_each_by_itself() {
    type Fold = fn(&DArray<f64>) -> DArray<f64>;
    let client = Client::builder().threads(2).set_as_default(false).build().unwrap();
    let given = ArrayD::from_shape_fn(IxDyn(&[99, 131]), |at| ((at[0] * 131 + at[1]) as f64 * 0.7).sin() * 1e3);
    let made = DArray::from_array(given, [3, 4]);
    // Blocks that are made for the fold alone are folded where they are made, kept ones are folded together.
    let kept = made.persist_on(&client).unwrap();
    let row = DArray::arange(0.0, 131.0, 1.0, 4);
    let folds: [Fold; 7] = [
        |x| x.sum(),
        |x| x.mean_axis(0),
        |x| x.sum_axis(1),
        |x| x.var(1.0),
        |x| x.std_axis(1, 0.0),
        |x| (x / 90.0).prod_axis(0),
        |x| x.max_axis(0),
    ];
    for (at, fold) in folds.iter().enumerate() {
        let (together, single) = (fold(&(&kept * 0.1 + &row)), fold(&(&made * 0.1 + &row)));
        assert!(together.explain().contains("several blocks at a time"), "{}", together.explain());
        assert!(!single.explain().contains("several blocks at a time"), "{}", single.explain());
        let expected = bits(&single.compute_on(&Serial::new(operator_registry())).unwrap());
        assert_eq!(bits(&together.compute_on(&client).unwrap()), expected, "fold {at}");
    }
}

#[test]
fn sums_are_exact_where_plain_ones_are_not() {
    let x = DArray::from_array(array![1.0, 1e100, 1.0, -1e100], 1);
    check(&x.sum(), arr0(2.0));
    let tenth = DArray::full([1_000_000], 0.1, 70_000);
    check_by(&tenth.sum(), |found: &ArrayD<f64>| (found[[]] - 100_000.0).abs() < 1e-9, "100000");
    let single = DArray::full([1 << 20], 0.1f32, 1 << 17);
    check(&single.sum(), arr0((f64::from(0.1f32) * f64::from(1 << 20)) as f32));
    check(&DArray::from_array(array![f64::MAX, f64::MAX, -1.0], 1).sum(), arr0(f64::INFINITY));
    check_by(&DArray::from_array(array![f64::INFINITY, f64::NEG_INFINITY], 1).sum(), |found: &ArrayD<f64>| found[[]].is_nan(), "NaN");
}

#[test]
fn spread() {
    let x = lazy();
    let mean = given().sum() / 60.0;
    let variance = given().mapv(|x| (x - mean) * (x - mean)).sum() / 60.0;
    check_by(&x.var(0.0), |found| (found[[]] / variance - 1.0).abs() < 1e-13, "the variance");
    check_by(&x.std(1.0), |found| (found[[]] - (variance * 60.0 / 59.0).sqrt()).abs() < 1e-13, "the deviation");
    check_by(&x.var_axis(1, 0.0), |found| close(found, &given().var_axis(Axis(1), 0.0), 1e-13), "by ndarray");
    check_by(&x.std_axis([0], 1.0), |found| close(found, &given().std_axis(Axis(0), 1.0), 1e-13), "by ndarray");
    check_by(&(&x + 1e9).var(0.0), |found| (found[[]] / variance - 1.0).abs() < 1e-6, "the variance");
    check(&DArray::arange(0i32, 5, 1, 2).var(0.0), arr0(2.0));
    check_by(&DArray::full([1], 3.0, 1).var(1.0), |found: &ArrayD<f64>| found[[]].is_nan(), "NaN");
    check_by(&x.moment(4, Axes::all()), |found| (found[[]] - given().mapv(|x| (x - mean).powf(4.0)).sum() / 60.0).abs() < 1e-10, "x^4");
}

fn close(found: &ArrayD<f64>, expected: &ArrayD<f64>, tolerance: f64) -> bool {
    found.shape() == expected.shape()
        && found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= tolerance * e.abs().max(1.0) || (f.is_nan() && e.is_nan()))
}

#[test]
fn extremes_places_and_truths() {
    let (x, whole) = (lazy(), given());
    let fold = |axis: usize, better: fn(f64, f64) -> f64| whole.map_axis(Axis(axis), |lane| lane.iter().copied().reduce(better).unwrap());
    check(&x.min_axis(1), fold(1, f64::min));
    check(&x.max_axis(-1), fold(2, f64::max));
    check(&x.ptp_axis(0), fold(0, f64::max) - fold(0, f64::min));
    let n = DArray::from_array(array![[3, 1, 1], [0, 5, 5], [0, 5, 2]], 2);
    check(&n.argmin(), arr0(3i64));
    check(&n.argmax(), arr0(4i64));
    check(&n.argmin_axis(0), array![1i64, 0, 0]);
    check(&n.argmax_axis(Axes::of(1).keepdims()), array![[0i64], [1], [1]]);
    check(&n.t().argmin(), arr0(1i64));
    check(&n.any_axis(0), array![true, true, true]);
    check(&n.all_axis(0), array![false, true, true]);
    check(&n.count_nonzero_axis(1), array![3i64, 2, 2]);
    check(&DArray::<bool>::zeros([0], 1).all(), arr0(true));
    check(&DArray::<bool>::zeros([0], 1).any(), arr0(false));
    let text = failure(&DArray::<f64>::zeros([3, 0], 2).min_axis(1), Code::EmptyReduction);
    assert!(text.contains("shape (3, 0)") && text.contains("array_reduce.rs"), "{text}");
    check(&DArray::<f64>::zeros([0, 3], 2).max_axis(1), Array::zeros(0));
    failure(&x.sum_axis(3), Code::AxisOutOfRange);
    failure(&x.sum_axis([0, -3]), Code::InvalidOption);
    let kept = x.compress(&DArray::<bool>::zeros([4], 2), 0);
    check(&kept.sum_axis(0), Array::zeros((5, 3)).into_dyn());
    failure(&kept.max_axis(0), Code::EmptyReduction);
    failure(&kept.argmax_axis(0), Code::UnknownSizes);
}

#[test]
fn nan_wins_or_is_skipped() {
    let nan = f64::NAN;
    let x = DArray::from_array(array![[1.0, nan, 3.0], [nan, nan, 4.0]], [1, 2]);
    check(&x.min_axis(1), array![nan, nan]);
    check(&x.nanmin_axis(0), array![1.0, nan, 3.0]);
    check(&x.nanmax(), arr0(4.0));
    check(&x.nansum_axis(0), array![1.0, 0.0, 7.0]);
    check(&x.nanprod(), arr0(12.0));
    check(&x.nanmean_axis(1), array![2.0, 4.0]);
    check(&x.nanvar_axis(0, 0.0), array![0.0, nan, 0.25]);
    check_by(&x.nanstd(0.0), |found| (found[[]] - (14.0f64 / 9.0).sqrt()).abs() < 1e-15, "the root of 14/9");
    check(&x.argmax(), arr0(1i64));
    check(&x.nanargmax(), arr0(5i64));
    check(&x.nanargmin_axis(1), array![0i64, 2]);
    failure(&x.nanargmin_axis(0), Code::EmptyReduction);
    check(&x.nancumsum(1), array![[1.0, 1.0, 4.0], [0.0, 0.0, 4.0]]);
    check(&x.nanmedian(1), array![2.0, 4.0]);
    check(&x.median(1), array![nan, nan]);
    check(&x.topk(2, 1), array![[nan, 3.0], [nan, nan]]);
}

#[test]
fn scans() {
    let x = DArray::from_array(counted(&[7, 3]), [2, 2]);
    let expected = |axis: usize| {
        let mut whole = counted(&[7, 3]);
        whole.accumulate_axis_inplace(Axis(axis), |before, here| *here += before);
        whole
    };
    check(&x.cumsum(0), expected(0));
    check(&x.cumsum(-1), expected(1));
    check(&DArray::arange(1i32, 8, 1, 2).cumprod(0), array![1i64, 2, 6, 24, 120, 720, 5040]);
    check(&DArray::full([4], 200u8, 1).cumsum(0), array![200u64, 400, 600, 800]);
    check(&DArray::<f64>::zeros([3, 0], 2).cumsum(0), Array::zeros((3, 0)));
    check(&DArray::from_array(array![0.5, 2.0, 3.0], vec![vec![1, 0, 2]]).cumprod(0), array![0.5, 1.0, 3.0]);
    failure(&x.cumsum(2), Code::AxisOutOfRange);
}

#[test]
fn the_greatest_few() {
    let x = DArray::from_array(array![[5, 1, 3, 4, 5], [2, 8, 6, 7, 0]], [1, 2]);
    check(&x.topk(3, 1), array![[5, 5, 4], [8, 7, 6]]);
    check(&x.topk(-2, 1), array![[1, 3], [0, 2]]);
    check(&x.argtopk(3, 1), array![[0i64, 4, 3], [1, 3, 2]]);
    check(&x.topk(9, 0), array![[5, 8, 6, 7, 5], [2, 1, 3, 4, 0]]);
    check(&x.topk(0, 1), Array::zeros((2, 0)));
    failure(&x.topk(1, 2), Code::AxisOutOfRange);
}

#[test]
fn counts() {
    let x = DArray::from_array(counted(&[10, 10]) / 100.0, [3, 4]);
    check(&x.histogram((4, 0.0, 1.0)), array![25i64, 25, 25, 25]);
    check(&x.histogram(vec![0.0, 0.1, 0.5]), array![10i64, 41]);
    let weights = DArray::from_array(counted(&[10, 10]), 10);
    check(&x.histogram_weighted((2, 0.0, 1.0), &weights), array![1225.0, 3725.0]);
    check(&x.histogram_density((2, 0.0, 1.0)), array![1.0, 1.0]);
    let n = DArray::from_array(array![1, 4, 1, 2, 1], 2);
    check(&n.bincount(6), array![0i64, 3, 1, 0, 1, 0]);
    check(&n.bincount_weighted(5, &DArray::arange(0.0, 5.0, 1.0, 3)), array![0.0, 6.0, 3.0, 0.0, 1.0]);
    failure(&n.bincount(4), Code::InvalidOption);
    failure(&x.histogram((0, 0.0, 1.0)), Code::InvalidOption);
    failure(&x.histogram_weighted((2, 0.0, 1.0), &DArray::zeros([10], 5)), Code::ShapeMismatch);
}

#[test]
fn order_statistics() {
    let x = DArray::from_array(array![[4.0, 1.0, 3.0, 2.0], [8.0, 6.0, 7.0, 5.0]], [1, 3]);
    check(&x.median(1), array![2.5, 6.5]);
    check(&x.median(Axes::all()), arr0(4.5));
    check(&x.median(Axes::of(0).keepdims()), array![[6.0, 3.5, 5.0, 3.5]]);
    check(&x.quantile_with(0.4, 1, Between::Lower), array![2.0, 6.0]);
    check(&x.quantile_with(0.4, 1, Between::Higher), array![3.0, 7.0]);
    check(&x.percentile(100.0, [0, 1]), arr0(8.0));
    check(&x.quantiles(&[0.0, 1.0], 1), array![[1.0, 5.0], [4.0, 8.0]]);
    check(&DArray::arange(0u8, 5, 1, 2).median(0), arr0(2.0));
    failure(&x.quantile(1.5, 0), Code::InvalidOption);
}

#[test]
fn weights_norms_and_covariances() {
    let x = DArray::from_array(counted(&[3, 4]), 2);
    check(&x.average(&DArray::from_array(array![1.0, 0.0, 0.0, 3.0], 3), 1), array![2.25, 6.25, 10.25]);
    check(&x.norm_axis(Norm::Sum, 0), array![12.0, 15.0, 18.0, 21.0]);
    check(&x.norm_axis(Norm::Count, 1), array![3.0, 4.0, 4.0]);
    check(&x.norm_axis(Norm::Min, Axes::all()), arr0(0.0));
    check(&DArray::from_array(array![3.0, 4.0], 1).norm(), arr0(5.0));
    check_by(&x.norm_axis(Norm::Power(3.0), 1), |found| (found[[0]] - 36f64.cbrt()).abs() < 1e-12, "cbrt(0 + 1 + 8 + 27)");
    let table = counted(&[4, 50]).mapv(|x| (x * 37.0) % 53.0 + 1e6);
    let (rows, n) = (4, 50.0);
    let means = table.sum_axis(Axis(1)) / n;
    let product = |i: usize, j: usize| (0..50).map(|k| (table[[i, k]] - means[[i]]) * (table[[j, k]] - means[[j]])).sum::<f64>();
    let lazy = DArray::from_array(table.clone(), [3, 7]);
    let covariance = Array::from_shape_fn(IxDyn(&[rows, rows]), |at| product(at[0], at[1]) / (n - 1.0));
    check_by(&lazy.cov(1.0), |found| close(found, &covariance, 1e-9), "the covariance");
    let correlation =
        Array::from_shape_fn(IxDyn(&[rows, rows]), |at| product(at[0], at[1]) / (product(at[0], at[0]) * product(at[1], at[1])).sqrt());
    check_by(&lazy.corrcoef(), |found| close(found, &correlation, 1e-9), "the correlation");
    failure(&DArray::<f64>::zeros([3], 3).cov(1.0), Code::ShapeMismatch);
}

#[test]
fn reductions_of_the_users_own() {
    let x = lazy();
    let sum = |x: partita::ndarray::ArrayViewD<'_, f64>, axes: &[usize]| x.sum_axis(Axis(axes[0])).insert_axis(Axis(axes[0]));
    let together = |states: &[ArrayD<f64>], _: &[usize]| states.iter().skip(1).fold(states[0].clone(), |sum, state| sum + state);
    let found = x.reduction(1, sum, together, together);
    check_by(&found, |found| close(found, &given().sum_axis(Axis(1)), 1e-14), "the sum");
    let wrong = x.reduction(0, sum, together, |states: &[ArrayD<f64>], _: &[usize]| states[0].clone().index_axis_move(Axis(0), 0));
    failure(&wrong, Code::UserFunction);
}

/// The layers of a plan, without the steps above them.
fn layers<T: Element>(array: &DArray<T>) -> String {
    array.explain().split("layers\n").nth(1).unwrap_or_default().to_string()
}

#[test]
fn a_reduction_takes_the_chain_before_it_in() {
    let x = DArray::from_array(counted(&[40, 40]), 10);
    let chain = ((&x + 1.0) * 2.0 - x.pow(2.0)).sum();
    let plan = layers(&chain);
    assert!(plan.contains("sum of ((a + 1.0) * 2.0) - square(a)"), "{plan}");
    assert!(!plan.contains("map "), "{plan}");
    check(&chain, arr0(counted(&[40, 40]).mapv(|x| (x + 1.0) * 2.0 - x * x).sum()));
    // What two reductions read is calculated twice where that is cheap, and kept where it is dear.
    let cheap = &x * 2.0;
    let plan = layers(&(cheap.sum() + cheap.max()));
    assert!(plan.contains("sum of a * 2.0") && plan.contains("max of a * 2.0"), "{plan}");
    let dear = x.exp();
    let plan = layers(&(dear.sum() + dear.max()));
    assert!(plan.contains("sum of a\n") && plan.contains("map exp(a)"), "{plan}");
    // The mean is taken away in the same pass in which it is written.
    let centred = (&x - x.mean_axis(0)).sum_axis(1);
    check_by(
        &centred,
        |found| found.iter().enumerate().all(|(row, x)| (x - (row as f64 * 1600.0 - 31_200.0)).abs() < 1e-6),
        "40 (40 r - 780)",
    );
}

#[test]
fn many_blocks_are_brought_together_in_a_tree() {
    let x = DArray::from_array(counted(&[100, 40]), [1, 10]);
    let plan = layers(&x.sum());
    assert!(plan.contains("groups of 16 of"), "{plan}");
    check(&x.sum(), arr0(counted(&[100, 40]).sum()));
    check(&x.sum_axis(0), counted(&[100, 40]).sum_axis(Axis(0)));
    check(&x.argmax_axis(0), Array::from_elem(40, 99i64));
    check(&x.max_axis(1), counted(&[100, 40]).map_axis(Axis(1), |lane| lane[39]));
    check(&x.topk(1, 0), counted(&[100, 40]).slice_axis(Axis(0), Slice::from(99..100usize)).to_owned());
    check(&x.cumsum(0).sum_axis(1).max(), arr0(counted(&[100, 40]).sum()));
}

/// Numbers that sums, products and comparisons may go wrong on.
fn numbers() -> impl Strategy<Value = f64> {
    let plain = any::<i16>().prop_map(|x| f64::from(x) / 16.0);
    prop_oneof![8 => plain, 1 => Just(0.0), 1 => Just(-0.0), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)]
}

#[derive(Clone, Debug)]
struct Case {
    whole: ArrayD<f64>,
    chunks: Vec<Vec<usize>>,
    reduced: Vec<bool>,
    turned: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    vec(0usize..7, 0..4).prop_flat_map(|shape| {
        let count = shape.iter().product::<usize>();
        let ndim = shape.len();
        (Just(shape.clone()), vec(numbers(), count), chunkings(shape), vec(any::<bool>(), ndim), any::<bool>()).prop_map(
            |(shape, values, chunks, reduced, turned)| {
                let whole = ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap();
                Case { whole, chunks, reduced, turned }
            },
        )
    })
}

/// Each lane of the whole array, in row-major order of the kept axes; elements in row-major order of the reduced ones.
fn lanes(case: &Case) -> (Vec<usize>, Vec<Vec<f64>>) {
    let ndim = case.whole.ndim();
    let kept: Vec<usize> = (0..ndim).filter(|axis| !case.reduced[*axis]).collect();
    let order: Vec<usize> = kept.iter().copied().chain((0..ndim).filter(|axis| case.reduced[*axis])).collect();
    let shape: Vec<usize> = kept.iter().map(|axis| case.whole.shape()[*axis]).collect();
    let turned = case.whole.view().permuted_axes(order);
    let values: Vec<f64> = turned.iter().copied().collect();
    let count = shape.iter().product::<usize>();
    let len = values.len().checked_div(count).unwrap_or(0);
    (shape, (0..count).map(|lane| values[lane * len..(lane + 1) * len].to_vec()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_reduction_gives_what_a_loop_gives(case in cases()) {
        let axes: Vec<isize> = (0..case.whole.ndim()).filter(|axis| case.reduced[*axis]).map(|axis| axis as isize).collect();
        let x = DArray::from_array(case.whole.clone(), case.chunks.clone());
        let x = if case.turned { x.t().t() } else { x };
        let (shape, lanes) = lanes(&case);
        let serial = Serial::new(operator_registry());
        let near = |found: ArrayD<f64>, function: &dyn Fn(&[f64]) -> f64| {
            assert_eq!(found.shape(), shape);
            found.iter().zip(&lanes).all(|(found, lane)| {
                let expected = function(lane);
                let same = *found == expected || (found.is_nan() && expected.is_nan());
                same || (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
            })
        };
        let sum = x.sum_axis(axes.clone());
        prop_assert!(near(sum.compute_on(&serial).unwrap(), &|lane| lane.iter().sum::<f64>()));
        let there = |lane: &[f64]| lane.iter().copied().filter(|x| !x.is_nan()).collect::<Vec<f64>>();
        prop_assert!(near(x.nansum_axis(axes.clone()).compute_on(&serial).unwrap(), &|lane| there(lane).iter().sum::<f64>()));
        let mean = |lane: &[f64]| lane.iter().sum::<f64>() / lane.len() as f64;
        prop_assert!(near(x.mean_axis(axes.clone()).compute_on(&serial).unwrap(), &mean));
        let variance = |lane: &[f64]| lane.iter().map(|x| (x - mean(lane)).powi(2)).sum::<f64>() / lane.len() as f64;
        prop_assert!(near(x.var_axis(axes.clone(), 0.0).compute_on(&serial).unwrap(), &variance));
        prop_assert!(near(x.nanvar_axis(axes.clone(), 0.0).compute_on(&serial).unwrap(), &|lane| variance(&there(lane))));
        if lanes.iter().all(|lane| !lane.is_empty()) {
            let least = |lane: &[f64]| lane.iter().copied().reduce(|a, b| if b < a || b.is_nan() { b } else { a }).unwrap();
            prop_assert!(near(x.min_axis(axes.clone()).compute_on(&serial).unwrap(), &least));
            let place = |lane: &[f64]| {
                let wanted = lane.iter().copied().reduce(|a, b| if b > a || (b.is_nan() && !a.is_nan()) { b } else { a }).unwrap();
                lane.iter().position(|x| *x == wanted || (x.is_nan() && wanted.is_nan())).unwrap() as f64
            };
            prop_assert!(near(x.argmax_axis(axes.clone()).cast::<f64>().compute_on(&serial).unwrap(), &place));
        }
        let counted = x.count_nonzero_axis(axes.clone()).cast::<f64>();
        prop_assert!(near(counted.compute_on(&serial).unwrap(), &|lane| lane.iter().filter(|x| **x != 0.0).count() as f64));
        // The form of the tree does not depend on who runs it.
        let expected = bits(&sum.compute_on(&serial).unwrap());
        for (name, executor) in executors() {
            prop_assert_eq!(&bits(&sum.compute_on(&*executor).unwrap()), &expected, "{}", name);
        }
    }
}
