//! Elementwise operations: against ndarray on the whole, against the standard library element by element, and as one program.

use super::arrays::{bits, check, check_by, chunkings, counted, failure};
use super::check::executors;
use partita::ndarray::{Array, ArrayD, IxDyn, array};
use partita::prelude::*;
use partita::{Code, Element, where_};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, proptest};

/// Numbers at which functions have edges.
const EDGES: [f64; 14] = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.7, 1e-300, 1e300, -1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324];

fn edges() -> DArray<f64> {
    DArray::from_array(Array::from_vec(EDGES.to_vec()), vec![vec![3, 0, 10, 1]])
}

#[test]
fn functions_of_one() {
    let check_one = |lazy: DArray<f64>, function: fn(f64) -> f64| check(&lazy, Array::from_vec(EDGES.map(function).to_vec()));
    let x = edges();
    check_one(-&x, |x| -x);
    check_one(x.abs(), f64::abs);
    check_one(x.square(), |x| x * x);
    check_one(x.reciprocal(), |x| 1.0 / x);
    check_one(x.sqrt(), f64::sqrt);
    check_one(x.cbrt(), f64::cbrt);
    check_one(x.exp(), f64::exp);
    check_one(x.exp2(), f64::exp2);
    check_one(x.exp_m1(), f64::exp_m1);
    check_one(x.ln(), f64::ln);
    check_one(x.log2(), f64::log2);
    check_one(x.log10(), f64::log10);
    check_one(x.ln_1p(), f64::ln_1p);
    check_one(x.sin(), f64::sin);
    check_one(x.cos(), f64::cos);
    check_one(x.tan(), f64::tan);
    check_one(x.asin(), f64::asin);
    check_one(x.acos(), f64::acos);
    check_one(x.atan(), f64::atan);
    check_one(x.sinh(), f64::sinh);
    check_one(x.cosh(), f64::cosh);
    check_one(x.tanh(), f64::tanh);
    check_one(x.asinh(), f64::asinh);
    check_one(x.acosh(), f64::acosh);
    check_one(x.atanh(), f64::atanh);
    check_one(x.to_degrees(), f64::to_degrees);
    check_one(x.to_radians(), f64::to_radians);
    check_one(x.floor(), f64::floor);
    check_one(x.ceil(), f64::ceil);
    check_one(x.trunc(), f64::trunc);
    check_one(x.rint(), f64::round_ties_even);
    check_one(x.powi(3), |x| x.powf(3.0));
    check_one(x.pow(2.0), |x| x * x);
    check_one(x.pow(1.0), |x| x);
    check_one(x.clip(-1.0, 2.0), |x| if x.is_nan() { x } else { x.clamp(-1.0, 2.0) });
    check_one(x.mapv(|x| x + 1.0), |x| x + 1.0);
}

#[test]
fn functions_whose_edges_are_numpys() {
    let check_text = |lazy: DArray<f64>, expected: &str| {
        check_by(&lazy, |found| found.iter().map(|x| format!("{x:?}")).collect::<Vec<_>>().join(" ") == expected, expected);
    };
    let x = edges();
    check_text(x.sign(), "0.0 0.0 1.0 -1.0 1.0 -1.0 1.0 1.0 1.0 -1.0 1.0 -1.0 NaN 1.0");
    check_text(x.nan_to_num_with(7.0, 8.0, 9.0), "0.0 -0.0 1.0 -1.0 0.5 -2.5 3.7 1e-300 1e300 -1e300 8.0 9.0 7.0 5e-324");
    let y = DArray::from_array(array![-2.675, 0.5, 1.5, 1234.567, f64::INFINITY], 2);
    check_text(y.round(0), "-3.0 0.0 2.0 1235.0 inf");
    check_text(y.round(1), "-2.7 0.5 1.5 1234.6 inf");
    check_text(y.round(-2), "-0.0 0.0 0.0 1200.0 inf");
    let (after, before) = y.modf();
    check_text(before, "-2.0 0.0 1.0 1234.0 inf");
    check_by(&after, |found| (found[[0]] + 0.675).abs() < 1e-12 && found[[4]].to_bits() == 0, "-0.675 … 0.0");
    check_text(DArray::linspace(-1.0, 1.0, 3, 2).sinc().nan_to_num().round(12).abs(), "0.0 1.0 0.0");
}

#[test]
fn tests_and_comparisons() {
    let check_one = |lazy: DArray<bool>, function: fn(f64) -> bool| check(&lazy, Array::from_vec(EDGES.map(function).to_vec()));
    let x = edges();
    check_one(x.is_nan(), f64::is_nan);
    check_one(x.is_not_nan(), |x| !x.is_nan());
    check_one(x.is_finite(), f64::is_finite);
    check_one(x.is_infinite(), f64::is_infinite);
    check_one(x.is_pos_inf(), |x| x == f64::INFINITY);
    check_one(x.is_neg_inf(), |x| x == f64::NEG_INFINITY);
    check_one(x.signbit(), f64::is_sign_negative);
    check_one(x.is_nonzero(), |x| x != 0.0);
    check_one(x.logical_not(), |x| x == 0.0);
    check_one(x.gt(0.5), |x| x > 0.5);
    check_one(x.gt_eq(0.5), |x| x >= 0.5);
    check_one(x.lt(0.5), |x| x < 0.5);
    check_one(x.lt_eq(0.5), |x| x <= 0.5);
    check_one(x.eq(0.5), |x| x == 0.5);
    check_one(x.neq(0.5), |x| x != 0.5);
    check_one(x.eq(&x), |x| !x.is_nan());
    check_one(x.is_close(&x.clone(), 0.0, 0.0), |x| !x.is_nan());
    check_one(x.gt(0.0) & x.lt(2.0), |x| x > 0.0 && x < 2.0);
    check_one(x.gt(2.0) | x.lt(0.0), |x| !(0.0..=2.0).contains(&x) && !x.is_nan());
    check_one(!x.gt(0.0) ^ x.is_nan(), |x| x <= 0.0);
    let n = DArray::arange(-2, 3, 1, 2);
    check(&n.logical_and(&n.gt(0)), array![false, false, false, true, true]);
    check(&n.logical_or(&n.gt(0)), array![true, true, false, true, true]);
    check(&n.logical_xor(&n.gt(0)), array![true, true, false, false, false]);
    check(&n.signbit(), array![true, true, false, false, false]);
}

#[test]
fn operators_on_either_side() {
    let (x, y) = (DArray::from_array(array![1.0, 2.0, 4.0], 2), DArray::from_array(array![3.0, -2.0, 0.5], 1));
    check(&(&x + &y), array![4.0, 0.0, 4.5]);
    check(&(x.clone() - &y), array![-2.0, 4.0, 3.5]);
    check(&(&x * y.clone()), array![3.0, -4.0, 2.0]);
    check(&(x.clone() / y.clone()), array![1.0 / 3.0, -1.0, 8.0]);
    check(&(&x % 1.5), array![1.0, 0.5, 1.0]);
    check(&(1.0 - &x), array![0.0, -1.0, -3.0]);
    check(&(2.0 / x.clone()), array![2.0, 1.0, 0.5]);
    check(&(x.clone() + 1.0), array![2.0, 3.0, 5.0]);
    check(&x.hypot(&y), array![1f64.hypot(3.0), 2f64.hypot(2.0), 4f64.hypot(0.5)]);
    check(&x.atan2(1.0), array![1f64.atan2(1.0), 2f64.atan2(1.0), 4f64.atan2(1.0)]);
    check(&x.copysign(&y), array![1.0, -2.0, 4.0]);
    let (m, n) = (DArray::from_array(array![7, -7, 12], 2), DArray::from_array(array![2, 2, 0], 3));
    check(&(&m / &n), array![3, -3, 0]);
    check(&m.floor_divide(&n), array![3, -4, 0]);
    check(&(&m & 6), array![6, 0, 4]);
    check(&(&m | &n), array![7, -5, 12]);
    check(&(&m ^ &n), array![5, -5, 12]);
    check(&(&m << 1), array![14, -14, 24]);
    check(&(&m >> &n), array![1, -2, 12]);
    check(&!&m, array![-8, 6, -13]);
    check(&(6 & &m), array![6, 0, 4]);
    check(&(6 | m.clone()), array![7, -1, 14]);
    check(&(6 ^ &m), array![1, -1, 10]);
    check(&(1 << &n), array![4, 4, 1]);
    check(&(-8 >> n.clone()), array![-2, -2, -8]);
    let large = x.gt(1.0);
    check(&(true ^ &large), array![true, false, false]);
    check(&(true & large.clone()), array![false, true, true]);
    check(&(true | &large), array![true, true, true]);
    check(&m.pow(&n), array![49, 49, 1]);
    check(&DArray::from_array(array![250u8, 3], 1).cast::<i8>(), array![-6i8, 3]);
    let (quotient, rest) = m.divmod(&n);
    check(&quotient, array![3, -4, 0]);
    check(&rest, array![1, 1, 0]);
}

#[test]
fn shapes_are_repeated_and_chunks_cut() {
    let (rows, columns) = (DArray::from_array(array![[1], [2], [3]], 2), DArray::from_array(array![10, 20, 30, 40], 3));
    check(&(&rows + &columns), array![[11, 21, 31, 41], [12, 22, 32, 42], [13, 23, 33, 43]]);
    check(&(&rows * DArray::full((), 5, 1)), array![[5], [10], [15]]);
    let sum = DArray::from_array(counted(&[5]), 2) + DArray::from_array(counted(&[5]), 3);
    assert_eq!(sum.chunks().unwrap(), [vec![2, 1, 1, 1]]);
    assert!(sum.explain().contains("rechunk (2,) to (2,)"), "{}", sum.explain());
    check(&sum, counted(&[5]) * 2.0);
    let text = failure(&(DArray::<f64>::zeros([3], 3) + DArray::zeros([2, 4], 2)), Code::ShapeMismatch);
    assert!(text.contains("shapes (3,) and (2, 4) do not fit together") && text.contains("array_elementwise.rs"), "{text}");
    check(&where_(&rows.gt(1), &columns, -1), array![[-1, -1, -1, -1], [10, 20, 30, 40], [10, 20, 30, 40]]);
    check(&partita::select(&[(columns.gt(30), &columns * 2), (columns.gt(10), &columns - 1)], 7), array![7, 19, 29, 80]);
    let mask = DArray::from_array(array![true, false, true, true], 2);
    let kept = columns.compress(&mask, 0);
    check(&(&kept + &kept * 2), array![30, 90, 120]);
    failure(&(&kept + &columns), Code::UnknownSizes);
}

#[test]
fn transposes() {
    let x = DArray::from_array(counted(&[3, 4, 2]), [2, 3, 1]);
    check(&x.t(), counted(&[3, 4, 2]).reversed_axes());
    check(&x.transpose([1, -1, 0]), counted(&[3, 4, 2]).permuted_axes(IxDyn(&[1, 2, 0])));
    check(&x.t().t(), counted(&[3, 4, 2]));
    let y = DArray::from_array(counted(&[70, 70]), 40);
    check(&(&y + y.t()), counted(&[70, 70]) + counted(&[70, 70]).reversed_axes());
    failure(&x.transpose([0, 1]), Code::ShapeMismatch);
    failure(&x.transpose([0, 1, 1]), Code::ShapeMismatch);
    failure(&x.transpose([0, 1, 3]), Code::AxisOutOfRange);
}

/// The number of layers that do elementwise work.
fn maps<T: Element>(array: &DArray<T>) -> usize {
    let text = array.explain();
    let layers = text.split("layers\n").nth(1).unwrap_or_default();
    let step = |line: &str| line.trim_start_matches(|c: char| !c.is_alphabetic()).starts_with("map ") && !line.contains(" task");
    layers.lines().filter(|line| step(line)).count()
}

#[test]
fn chains_become_one_program() {
    let x = DArray::from_array(counted(&[6, 6]), 3).rechunk(2);
    let chain = (&x + 1.0) * 2.0 - x.pow(2.0);
    assert!(chain.explain().contains("map ((a + 1.0) * 2.0) - square(a)"), "{}", chain.explain());
    assert_eq!(maps(&chain), 1);
    check(&chain, counted(&[6, 6]).mapv(|x| (x + 1.0) * 2.0 - x * x));
    // A branch that comes together again is calculated once, however dear.
    let dear = x.exp();
    assert_eq!(maps(&(&dear / (&dear + 1.0))), 1);
    // A dear step that other steps read as blocks has blocks.
    assert_eq!(maps(&(&dear + dear.t())), 2);
    // What is repeated is not calculated for each repetition.
    assert_eq!(maps(&(&x + DArray::from_array(counted(&[6]), 3).exp())), 2);
    let mut long = x.clone();
    for step in 0..200 {
        long = long + f64::from(step);
    }
    assert!((3..8).contains(&maps(&long)), "{}", maps(&long));
    check(&long, counted(&[6, 6]).mapv(|x| (0..200).fold(x, |x, step| x + f64::from(step))));
    let mut doubling = x.clone();
    for _ in 0..60 {
        doubling = &doubling * 0.5 + &doubling * 0.5;
    }
    check(&doubling, counted(&[6, 6]));
    assert!(doubling.explain().len() < 100_000);
}

#[test]
fn constants_stay_small() {
    let sum = DArray::<f64>::ones([1 << 20, 1 << 20], 1 << 18) + DArray::<f64>::ones([1 << 20, 1 << 20], 1 << 18);
    let client = Client::builder().threads(1).memory_limit("64MiB").set_as_default(false).build().unwrap();
    let kept = sum.persist_on(&client).unwrap();
    assert_eq!(kept.npartitions().unwrap(), 16);
}

/// Two arrays that fit together, each in its own chunks, and the shape of both together.
#[derive(Clone, Debug)]
struct Pair {
    shapes: [Vec<usize>; 2],
    cuts: [Vec<Vec<usize>>; 2],
}

fn pairs() -> impl Strategy<Value = Pair> {
    let axes = vec((0usize..6, any::<[bool; 2]>()), 0..4);
    (axes, 0usize..3, any::<bool>()).prop_flat_map(|(axes, dropped, first)| {
        let shape =
            |which: usize| axes.iter().map(|(len, ones)| if ones[which] && !ones[1 - which] { 1 } else { *len }).collect::<Vec<_>>();
        let mut shapes = [shape(0), shape(1)];
        // Axes in front may be missing where they would be repeated anyway.
        let short = usize::from(first);
        let dropped = dropped.min(axes.len());
        shapes[short].drain(..dropped);
        let cuts = (chunkings(shapes[0].clone()), chunkings(shapes[1].clone()));
        (Just(shapes), cuts).prop_map(|(shapes, (a, b))| Pair { shapes, cuts: [a, b] })
    })
}

/// The same by ndarray, which repeats axes itself.
fn whole(a: &ArrayD<f64>, b: &ArrayD<f64>, function: impl Fn(f64, f64) -> f64) -> ArrayD<f64> {
    let ndim = a.ndim().max(b.ndim());
    let len = |array: &ArrayD<f64>, axis: usize| (axis + array.ndim()).checked_sub(ndim).map_or(1, |own| array.shape()[own]);
    let shape: Vec<usize> = (0..ndim).map(|axis| if len(a, axis) == 1 { len(b, axis) } else { len(a, axis) }).collect();
    let (a, b) = (a.broadcast(IxDyn(&shape)).expect("it fits"), b.broadcast(IxDyn(&shape)).expect("it fits"));
    Array::from_shape_fn(IxDyn(&shape), |index| function(a[index.clone()], b[index]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn any_shapes_and_chunks_give_what_ndarray_gives(pair in pairs(), turned: bool) {
        let (a, b) = (counted(&pair.shapes[0]) / 4.0 - 3.0, counted(&pair.shapes[1]) - 2.5);
        let lazy = |array: &ArrayD<f64>, cuts: &Vec<Vec<usize>>| DArray::from_array(array.clone(), cuts.clone());
        let (x, y) = (lazy(&a, &pair.cuts[0]), lazy(&b, &pair.cuts[1]));
        let found = if turned { (x.t().t() + &y) * (&x - 1.0) / (y.abs() + 0.5) } else { (&x + &y) * (&x - 1.0) / (y.abs() + 0.5) };
        let expected = whole(&a, &b, |a, b| (a + b) * (a - 1.0) / (b.abs() + 0.5));
        for (name, executor) in executors() {
            prop_assert_eq!(bits(&found.compute_on(&*executor).unwrap()), bits(&expected), "{}", name);
        }
    }
}
