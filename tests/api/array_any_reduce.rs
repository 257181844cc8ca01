//! What brings elements together, for every kind of element, any shape, chunks and axes, kept or not: sums and their like, extremes, order,
//! counts, products of arrays; against loops over the lanes of the whole array.

use std::cmp::Ordering;

use super::array_any::{C64, C128, Given, Kind, equal, every_kind, every_real_kind, given, near, same};
use partita::ndarray::{Array1, ArrayD, ArrayViewD, Axis, IxDyn};
use partita::prelude::*;
use partita::{Bins, Element, Float, Inexact, Integer, Norm, Number, Ordered, Real, Side, einsum};
use proptest::prelude::{ProptestConfig, proptest};

/// Axes to reduce, what is left of the shape, and the elements of each lane: lanes in row-major order of the other axes, elements in that of
/// the reduced ones.
struct Over<T> {
    axes: Axes,
    shape: Vec<usize>,
    lanes: Vec<Vec<T>>,
}

impl<T: Kind> Over<T> {
    fn some_axes(given: &Given<T>) -> Self {
        let (whole, choose) = (&given.whole, &given.choose);
        let ndim = whole.ndim();
        let reduced: Vec<bool> = (0..ndim).map(|_| choose.is()).collect();
        let named: Vec<isize> =
            (0..ndim).filter(|axis| reduced[*axis]).map(|axis| axis as isize - if choose.is() { ndim as isize } else { 0 }).collect();
        let all = reduced.iter().all(|reduced| *reduced) && choose.is();
        let (axes, kept) = (if all { Axes::all() } else { Axes::of(named) }, choose.is());
        let (gone, others): (Vec<usize>, Vec<usize>) = (0..ndim).partition(|axis| reduced[*axis]);
        let count: usize = others.iter().map(|axis| whole.shape()[*axis]).product();
        let order: Vec<usize> = others.into_iter().chain(gone).collect();
        let values: Vec<T> = whole.view().permuted_axes(order).iter().copied().collect();
        let len = values.len().checked_div(count).unwrap_or(0);
        let lanes = (0..count).map(|lane| values[lane * len..(lane + 1) * len].to_vec()).collect();
        let shape =
            (0..ndim).filter(|axis| kept || !reduced[*axis]).map(|axis| if reduced[axis] { 1 } else { whole.shape()[axis] }).collect();
        Self { axes: if kept { axes.keepdims() } else { axes }, shape, lanes }
    }

    fn axes(&self) -> Axes {
        self.axes.clone()
    }

    #[track_caller]
    fn equal<U: Element>(&self, what: &str, found: &DArray<U>, of: impl Fn(&[T]) -> U) {
        let expected = self.lanes.iter().map(|lane| of(lane)).collect();
        equal(what, found, ArrayD::from_shape_vec(IxDyn(&self.shape), expected).expect("one for each lane"));
    }

    /// Near what a loop gives: its result and how large the numbers were that it came from.
    #[track_caller]
    fn near<U: Kind>(&self, what: &str, found: &DArray<U>, of: impl Fn(&[T]) -> ([f64; 2], f64)) {
        near(what, found, &self.shape, &self.lanes.iter().map(|lane| of(lane)).collect::<Vec<_>>());
    }

    /// Whether each lane has elements that are wanted.
    fn all_have(&self, wanted: impl Fn(T) -> bool) -> bool {
        self.lanes.iter().all(|lane| lane.iter().any(|x| wanted(*x)))
    }
}

/// What a function makes of each lane along an axis, so many elements.
fn lanes_along<T: Kind, U: Element>(whole: &ArrayD<T>, axis: usize, len: usize, of: impl Fn(&[T]) -> Vec<U>) -> ArrayD<U> {
    let mut shape = whole.shape().to_vec();
    shape[axis] = len;
    let mut found = ArrayD::from_elem(IxDyn(&shape), U::default());
    for (lane, mut out) in whole.lanes(Axis(axis)).into_iter().zip(found.lanes_mut(Axis(axis))) {
        out.assign(&Array1::from_vec(of(&lane.to_vec())));
    }
    found
}

fn is_nan<T: Kind>(x: T) -> bool {
    x.parts().iter().any(|part| part.is_nan())
}

fn is_finite<T: Kind>(x: T) -> bool {
    x.parts().iter().all(|part| part.is_finite())
}

fn size<T: Kind>(x: T) -> f64 {
    x.parts()[0].hypot(x.parts()[1])
}

/// The size of the largest number of a lane that is finite.
fn largest<T: Kind>(lane: &[T]) -> f64 {
    lane.iter().filter(|x| is_finite(**x)).map(|x| size(*x)).fold(0.0, f64::max)
}

fn sum<T: Kind>(lane: &[T]) -> [f64; 2] {
    lane.iter().fold([0.0, 0.0], |sum, x| [sum[0] + x.parts()[0], sum[1] + x.parts()[1]])
}

fn mean<T: Kind>(lane: &[T]) -> [f64; 2] {
    sum(lane).map(|part| part / lane.len() as f64)
}

/// The mean of the distances from the mean to a power, of which the divisor is less by `ddof`, and how large the numbers were.
fn spread<T: Kind>(lane: &[T], power: i32, ddof: f64) -> ([f64; 2], f64) {
    let mean = mean(lane);
    let distance = |x: &T, part: usize| (x.parts()[part] - mean[part]).powi(power);
    let sum: f64 = lane.iter().map(|x| distance(x, 0) + distance(x, 1)).sum();
    ([sum / (lane.len() as f64 - ddof).max(0.0), 0.0], largest(lane).powi(power))
}

/// The root of a spread; where it is small, little is left of the numbers that it came from.
fn root((parts, size): ([f64; 2], f64)) -> ([f64; 2], f64) {
    let root = parts[0].sqrt();
    ([root, 0.0], if root > 0.0 { size / root } else { size.sqrt() * 1e8 })
}

fn there<T: Kind>(lane: &[T]) -> Vec<T> {
    lane.iter().copied().filter(|x| !is_nan(*x)).collect()
}

/// What all kinds have.
fn together<T: Kind + Element<Mean: Kind, Spread: Kind>>(given: &Given<T>) {
    let (x, over) = (given.lazy(), Over::some_axes(given));
    let truth = |x: &T| *x != T::default();
    over.near("mean", &x.mean_axis(over.axes()), |lane| (mean(lane), largest(lane)));
    let ddof = given.choose.below(2) as f64;
    over.near("var", &x.var_axis(over.axes(), ddof), |lane| spread(lane, 2, ddof));
    over.near("std", &x.std_axis(over.axes(), ddof), |lane| root(spread(lane, 2, ddof)));
    over.equal("any", &x.any_axis(over.axes()), |lane| lane.iter().any(truth));
    over.equal("all", &x.all_axis(over.axes()), |lane| lane.iter().all(truth));
    over.equal("count_nonzero", &x.count_nonzero_axis(over.axes()), |lane| lane.iter().filter(|x| truth(x)).count() as i64);
    let count = |states: &[ArrayD<i64>], _: &[usize]| states.iter().skip(1).fold(states[0].clone(), |sum, state| sum + state);
    if let Some(axis) = given.whole.ndim().checked_sub(1) {
        let ones = |block: ArrayViewD<'_, T>, axes: &[usize]| block.mapv(|_| 1i64).sum_axis(Axis(axes[0])).insert_axis(Axis(axes[0]));
        let found = x.reduction(axis as isize, ones, count, count);
        same("reduction", &found, given.whole.map_axis(Axis(axis), |lane| lane.len() as i64));
    }
}

/// Sums and products of whole numbers and truths: of eight bytes, wrapping.
fn whole_sums<T: Kind + Into<i128> + Element<Sum: Kind>>(given: &Given<T>)
where
    T::Sum: TryFrom<i128>,
{
    let (x, over) = (given.lazy(), Over::some_axes(given));
    let wide = |x: &T| -> i128 { (*x).into() };
    // Sums of unsigned numbers have none.
    let signed = T::Sum::try_from(-1i128).is_ok();
    let cut = |sum: i128| {
        T::Sum::try_from(if signed { i128::from(sum as i64) } else { i128::from(sum as u64) }).ok().expect("cut to eight bytes")
    };
    let summed = |lane: &[T]| cut(lane.iter().map(wide).sum());
    let product = |lane: &[T]| cut(lane.iter().map(wide).fold(1, |product, x| i128::from((product as u64).wrapping_mul(x as u64))));
    over.equal("sum", &x.sum_axis(over.axes()), summed);
    over.equal("prod", &x.prod_axis(over.axes()), product);
    if given.whole.ndim() > 0 {
        let axis = given.choose.below(given.whole.ndim());
        let running = |of: &dyn Fn(&[T]) -> T::Sum| {
            lanes_along(&given.whole, axis, given.whole.shape()[axis], |lane| (1..=lane.len()).map(|end| of(&lane[..end])).collect())
        };
        same("cumsum", &x.cumsum(axis as isize), running(&summed));
        same("cumprod", &x.cumprod(axis as isize), running(&product));
    }
}

/// A size to compare with: that of infinities and NaN is none.
fn finite(size: f64) -> f64 {
    if size.is_finite() { size } else { 0.0 }
}

/// The product of numbers of which all are finite; of infinities and NaN what comes out depends on the order, as long as they are complex.
fn product<T: Kind>(lane: &[T]) -> ([f64; 2], f64) {
    let times = |a: [f64; 2], b: [f64; 2]| {
        if T::of([0.0, 1.0]) == T::default() { [a[0] * b[0], 0.0] } else { [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]] }
    };
    let found = lane.iter().fold([1.0, 0.0], |product, x| times(product, x.parts()));
    let is_open = T::of([0.0, 1.0]) != T::default() && !lane.iter().all(|x| is_finite(*x));
    (found, if is_open { f64::INFINITY } else { finite(found[0].hypot(found[1])) })
}

/// What a lane comes to, and how large the numbers are that it is made of.
type OfLane<'a, T> = dyn Fn(&[T]) -> ([f64; 2], f64) + 'a;

/// Sums and products of floats and complex numbers.
fn rounded_sums<T: Kind + Inexact + Element<Sum = T, Mean = T>>(given: &Given<T>) {
    let (x, over) = (given.lazy(), Over::some_axes(given));
    let summed = |lane: &[T]| (sum(lane), largest(lane) * lane.len() as f64);
    over.near("sum", &x.sum_axis(over.axes()), summed);
    over.near("nansum", &x.nansum_axis(over.axes()), |lane| summed(&there(lane)));
    over.near("prod", &x.prod_axis(over.axes()), product);
    over.near("nanprod", &x.nanprod_axis(over.axes()), |lane| product(&there(lane)));
    if given.whole.ndim() > 0 {
        let axis = given.choose.below(given.whole.ndim());
        let running = |of: &OfLane<'_, T>| -> Vec<([f64; 2], f64)> {
            let lens = given.whole.shape()[axis];
            let mut found = ArrayD::from_elem(given.whole.raw_dim(), ([0.0; 2], 0.0));
            for (lane, mut out) in given.whole.lanes(Axis(axis)).into_iter().zip(found.lanes_mut(Axis(axis))) {
                (1..=lens).for_each(|end| out[end - 1] = of(&lane.to_vec()[..end]));
            }
            found.into_iter().collect()
        };
        near("cumsum", &x.cumsum(axis as isize), given.whole.shape(), &running(&summed));
        near("cumprod", &x.cumprod(axis as isize), given.whole.shape(), &running(&product));
        let weights = given.filled(given.whole.shape(), |_| false).mapv(|x| T::of([x.parts()[0], 0.0]));
        // A complex infinity times a number is NaN in parts.
        if given.whole.iter().all(|x| is_finite(*x)) {
            let lanes = |array: &ArrayD<T>| array.lanes(Axis(axis)).into_iter().map(|lane| lane.to_vec()).collect::<Vec<_>>();
            let weighted = |(lane, weights): (&Vec<T>, &Vec<T>)| {
                let products: Vec<T> = lane.iter().zip(weights).map(|(x, weight)| x.times(*weight)).collect();
                (sum(&products).map(|part| part / sum(weights)[0]), largest(lane) * 3.0)
            };
            let expected: Vec<_> = lanes(&given.whole).iter().zip(&lanes(&weights)).map(weighted).collect();
            let mut shape = given.whole.shape().to_vec();
            shape.remove(axis);
            near("average", &x.average(&given.cut(&weights), axis), &shape, &expected);
        }
    }
}

/// The order of elements: NaN is the greatest, zeros are equal.
fn order<T: Kind + PartialOrd>(a: &T, b: &T) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| is_nan(*a).cmp(&is_nan(*b)))
}

/// The elements of a lane in order, each with its place; of equal ones the first come first.
fn in_order<T: Kind + PartialOrd>(lane: &[T]) -> Vec<(usize, T)> {
    let mut all: Vec<(usize, T)> = lane.iter().copied().enumerate().collect();
    all.sort_by(|a, b| order(&a.1, &b.1));
    all
}

/// The place of the first that is the least or the greatest; of the first NaN, where there is one.
fn best<T: Kind + PartialOrd>(lane: &[T], greatest: bool) -> usize {
    let before = |a: &T, b: &T| (is_nan(*b) && !is_nan(*a)) || (!is_nan(*a) && if greatest { b > a } else { b < a });
    (1..lane.len()).fold(0, |best, at| if before(&lane[best], &lane[at]) { at } else { best })
}

/// The element below which the share `q` lies, between two in proportion.
fn quantile<T: Kind + PartialOrd>(lane: &[T], q: f64) -> ([f64; 2], f64) {
    let sorted: Vec<f64> = in_order(lane).iter().map(|(_, x)| x.parts()[0]).collect();
    if lane.is_empty() || lane.iter().any(|x| is_nan(*x)) {
        return ([f64::NAN, 0.0], 0.0);
    }
    let at = q * (lane.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    // Between an infinity and something else lies what is not settled.
    let is_open = low != high && !(low.is_finite() && high.is_finite());
    (if low == high { [low, 0.0] } else { [low + (high - low) * at.fract(), 0.0] }, if is_open { f64::INFINITY } else { largest(lane) })
}

/// What kinds with an order have.
fn orders<T: Kind + Ordered + PartialOrd + Element<Mean: Kind>>(given: &Given<T>) {
    let (x, whole, choose, over) = (given.lazy(), &given.whole, &given.choose, Over::some_axes(given));
    if over.all_have(|_| true) {
        over.equal("min", &x.min_axis(over.axes()), |lane| lane[best(lane, false)]);
        over.equal("max", &x.max_axis(over.axes()), |lane| lane[best(lane, true)]);
        over.equal("argmin", &x.argmin_axis(over.axes()), |lane| best(lane, false) as i64);
        over.equal("argmax", &x.argmax_axis(over.axes()), |lane| best(lane, true) as i64);
    }
    let q = choose.one_of(&[0.0, 0.25, 0.3, 0.5, 0.8, 1.0]);
    over.near("median", &x.median(over.axes()), |lane| quantile(lane, 0.5));
    over.near("quantile", &x.quantile(q, over.axes()), |lane| quantile(lane, q));
    over.near("percentile", &x.percentile(q * 100.0, over.axes()), |lane| quantile(lane, q));
    let sorted: Vec<T> = in_order(&whole.iter().copied().collect::<Vec<T>>()).into_iter().map(|(_, x)| x).collect();
    let mut once = sorted.clone();
    once.dedup_by(|a, b| order(a, b).is_eq());
    let line = |values: &[T]| ArrayD::from_shape_vec(IxDyn(&[values.len()]), values.to_vec()).expect("a line");
    let (unique, counts) = x.unique_counts();
    equal("unique", &unique, line(&once));
    let count = |x: &T| sorted.iter().filter(|other| order(x, other).is_eq()).count() as i64;
    same("unique_counts", &counts, once.iter().map(count).collect::<Array1<i64>>().into_dyn());
    let place = |x: &T| once.iter().position(|other| order(x, other).is_eq()).expect("it is there") as i64;
    same("unique_inverse", &x.unique_inverse().1, whole.map(place));
    let sought = given.filled(&[3, 2], |_| true);
    for (side, behind) in [(Side::Left, false), (Side::Right, true)] {
        let before = |among: &[T], x: &T| among.iter().filter(|&y| order(y, x).is_lt() || (behind && order(y, x).is_eq())).count() as i64;
        same("searchsorted", &given.cut(&line(&sorted)).searchsorted(&given.cut(&sought), side), sought.map(|x| before(&sorted, x)));
        let edges: Vec<T> = once.iter().copied().filter(|x| !is_nan(*x)).step_by(2).collect();
        same("digitize", &x.digitize(&edges, side), whole.map(|x| before(&edges, x)));
    }
    let others: Vec<T> = sought.iter().copied().take(4).collect();
    same("is_in", &x.is_in(&others), whole.map(|x| others.contains(x)));
    if whole.ndim() == 0 {
        return;
    }
    let at = choose.below(whole.ndim());
    let (axis, len) = (at as isize, whole.shape()[at]);
    equal("sort", &x.sort(axis), lanes_along(whole, at, len, |lane| in_order(lane).into_iter().map(|(_, x)| x).collect()));
    same("argsort", &x.argsort(axis), lanes_along(whole, at, len, |lane| in_order(lane).iter().map(|(place, _)| *place as i64).collect()));
    let k = choose.within(-4, 5);
    let few = |lane: &[T]| {
        let mut all = in_order(lane);
        if k > 0 {
            all.sort_by(|a, b| order(&b.1, &a.1));
        }
        all.truncate(k.unsigned_abs());
        all
    };
    let count = len.min(k.unsigned_abs());
    equal("topk", &x.topk(k, axis), lanes_along(whole, at, count, |lane| few(lane).into_iter().map(|(_, x)| x).collect()));
    same("argtopk", &x.argtopk(k, axis), lanes_along(whole, at, count, |lane| few(lane).iter().map(|(place, _)| *place as i64).collect()));
}

/// What numbers on a line have: distances between extremes, counts in bins, how they vary together.
fn on_a_line<T: Kind + Real>(given: &Given<T>) {
    let (x, whole, choose, over) = (given.lazy(), &given.whole, &given.choose, Over::some_axes(given));
    if over.all_have(|_| true) {
        over.equal("ptp", &x.ptp_axis(over.axes()), |lane| lane[best(lane, true)].minus(lane[best(lane, false)]));
    }
    let edges = vec![-5.0, -1.0, 0.0, 0.5, 7.0];
    let bins: Bins = choose.one_of(&[Bins::from((4, -6.0, 6.0)), Bins::from(edges)]);
    let bin = |x: &T| {
        let (value, edges) = (x.parts()[0], bins.edges());
        (0..4).find(|at| edges[*at] <= value && (value < edges[at + 1] || (*at == 3 && value == edges[4])))
    };
    let weights = whole.mapv(|_| choose.below(9) as f64);
    // Rust's sum of no numbers is -0.0.
    let weighed = |at: usize, weight: &dyn Fn(&IxDyn) -> f64| {
        0.0 + whole.indexed_iter().filter(|(_, x)| bin(x) == Some(at)).map(|(place, _)| weight(&place)).sum::<f64>()
    };
    let in_bins = |weight: &dyn Fn(&IxDyn) -> f64| (0..4).map(|at| weighed(at, weight)).collect::<Array1<f64>>().into_dyn();
    equal("histogram", &x.histogram(bins.clone()).cast::<f64>(), in_bins(&|_| 1.0));
    equal("histogram_weighted", &x.histogram_weighted(bins.clone(), &given.cut(&weights)), in_bins(&|at| weights[at]));
    let counts = in_bins(&|_| 1.0);
    let density: Vec<([f64; 2], f64)> =
        (0..4).map(|at| ([counts[[at]] / counts.sum() / (bins.edges()[at + 1] - bins.edges()[at]), 0.0], 1.0)).collect();
    near("histogram_density", &x.histogram_density(bins.clone()), &[4], &density);
    let pairs = |at: IxDyn| whole.iter().filter(|x| bin(x) == Some(at[0]) && bin(x) == Some(at[1])).count() as i64;
    same("histogram2d", &x.histogram2d(&given.cut(whole), bins.clone(), bins.clone()), ArrayD::from_shape_fn(IxDyn(&[4, 4]), pairs));
    if let [variables, n] = *whole.shape() {
        let rows: Vec<Vec<T>> = whole.rows().into_iter().map(|row| row.to_vec()).collect();
        let means: Vec<f64> = rows.iter().map(|row| mean(row)[0]).collect();
        let product =
            |i: usize, j: usize| (0..n).map(|k| (rows[i][k].parts()[0] - means[i]) * (rows[j][k].parts()[0] - means[j])).sum::<f64>();
        let all: Vec<(usize, usize)> = (0..variables * variables).map(|at| (at / variables, at % variables)).collect();
        let divisor = (n as f64 - 1.0).max(0.0);
        let reach = |i: usize| largest(&rows[i]);
        let covariances: Vec<_> = all.iter().map(|(i, j)| ([product(*i, *j) / divisor, 0.0], reach(*i) * reach(*j) * n as f64)).collect();
        near("cov", &x.cov(1.0), &[variables, variables], &covariances);
        // Where rows hardly vary, nothing certain is left to divide by.
        let varies = |i: usize| product(i, i) > 1e-6 * reach(i).powi(2) || product(i, i).is_nan();
        let correlation = |(i, j): &(usize, usize)| {
            let share = product(*i, *j) / product(*i, *i).sqrt() / product(*j, *j).sqrt();
            ([share, 0.0], if varies(*i) && varies(*j) { 1e7 } else { f64::INFINITY })
        };
        near("corrcoef", &x.corrcoef(), &[variables, variables], &all.iter().map(correlation).collect::<Vec<_>>());
    }
}

/// Whole numbers are counted one by one.
fn counted<T: Kind + Integer>(given: &Given<T>) {
    let small = given.whole.mapv(|x| T::of([x.parts()[0].abs() % 7.0, 0.0]));
    let weights = given.whole.mapv(|_| given.choose.below(9) as f64);
    let x = DArray::from_array(small.clone(), given.chunks.clone());
    let of = |number: usize, weight: &dyn Fn(&IxDyn) -> f64| {
        0.0 + small.indexed_iter().filter(|(_, x)| x.parts()[0] == number as f64).map(|(at, _)| weight(&at)).sum::<f64>()
    };
    equal("bincount", &x.bincount(7).cast::<f64>(), (0..7).map(|number| of(number, &|_| 1.0)).collect::<Array1<f64>>().into_dyn());
    let weighted = (0..8).map(|number| of(number, &|at| weights[at])).collect::<Array1<f64>>().into_dyn();
    equal("bincount_weighted", &x.bincount_weighted(8, &given.cut(&weights)), weighted);
}

/// What floats have: reductions that pass over NaN, norms, slopes.
fn of_floats<T: Kind + Float + PartialOrd + Element<Mean = T, Sum = T, Spread = T>>(given: &Given<T>) {
    let (x, whole, choose, over) = (given.lazy(), &given.whole, &given.choose, Over::some_axes(given));
    over.near("nanmean", &x.nanmean_axis(over.axes()), |lane| (mean(&there(lane)), largest(lane)));
    let ddof = choose.below(2) as f64;
    over.near("nanvar", &x.nanvar_axis(over.axes(), ddof), |lane| spread(&there(lane), 2, ddof));
    over.near("nanstd", &x.nanstd_axis(over.axes(), ddof), |lane| root(spread(&there(lane), 2, ddof)));
    over.near("nanmedian", &x.nanmedian(over.axes()), |lane| quantile(&there(lane), 0.5));
    let q = choose.one_of(&[0.0, 0.3, 0.75, 1.0]);
    over.near("nanquantile", &x.nanquantile(q, over.axes()), |lane| quantile(&there(lane), q));
    over.near("nanpercentile", &x.nanpercentile(q * 100.0, over.axes()), |lane| quantile(&there(lane), q));
    let known = |lane: &[T], greatest: bool| there(lane).get(best(&there(lane), greatest)).copied().unwrap_or(T::of([f64::NAN, 0.0]));
    if over.all_have(|_| true) {
        over.equal("nanmin", &x.nanmin_axis(over.axes()), |lane| known(lane, false));
        over.equal("nanmax", &x.nanmax_axis(over.axes()), |lane| known(lane, true));
        over.equal("greatest size", &x.norm_axis(Norm::Max, over.axes()), |lane| {
            let sizes: Vec<T> = lane.iter().map(|x| T::of([x.parts()[0].abs(), 0.0])).collect();
            sizes[best(&sizes, true)]
        });
    }
    if over.all_have(|x| !is_nan(x)) {
        let at = |lane: &[T], greatest: bool| lane.iter().position(|x| *x == known(lane, greatest)).expect("it is there") as i64;
        over.equal("nanargmin", &x.nanargmin_axis(over.axes()), |lane| at(lane, false));
        over.equal("nanargmax", &x.nanargmax_axis(over.axes()), |lane| at(lane, true));
    }
    over.near("moment", &x.moment(3, over.axes()), |lane| spread(lane, 3, 0.0));
    let powers = |lane: &[T], power: f64| {
        ([lane.iter().map(|x| x.parts()[0].abs().powf(power)).sum::<f64>().powf(1.0 / power), 0.0], largest(lane) * lane.len() as f64)
    };
    over.near("norm", &x.norm_axis(Norm::Euclidean, over.axes()), |lane| powers(lane, 2.0));
    over.near("norm of sizes", &x.norm_axis(Norm::Sum, over.axes()), |lane| powers(lane, 1.0));
    over.near("norm of cubes", &x.norm_axis(Norm::Power(3.0), over.axes()), |lane| powers(lane, 3.0));
    if whole.ndim() == 0 {
        return;
    }
    let at = choose.below(whole.ndim());
    let (axis, len) = (at as isize, whole.shape()[at]);
    let running = |first: T, of: fn(T, T) -> T| {
        lanes_along(whole, at, len, |lane| {
            let step = |state: &mut T, x: &T| {
                *state = if is_nan(*x) { *state } else { of(*state, *x) };
                Some(*state)
            };
            lane.iter().scan(first, step).collect()
        })
    };
    let sums = running(T::of([0.0, 0.0]), T::plus);
    let reach = largest(&whole.iter().copied().collect::<Vec<_>>()) * len as f64;
    let around = |found: &ArrayD<T>, size: &dyn Fn(T) -> f64| found.iter().map(|x| (x.parts(), size(*x))).collect::<Vec<_>>();
    near("nancumsum", &x.nancumsum(axis), whole.shape(), &around(&sums, &|_| reach));
    near("nancumprod", &x.nancumprod(axis), whole.shape(), &around(&running(T::of([1.0, 0.0]), T::times), &|x| finite(size(x))));
    let limit = choose.one_of(&[None, Some(1), Some(2)]);
    let pushed = lanes_along(whole, at, len, |lane| {
        let mut last = None;
        let value = |(at, x): (usize, &T)| {
            last = if is_nan(*x) { last } else { Some((at, *x)) };
            last.filter(|(from, _)| limit.is_none_or(|limit| at - from <= limit)).map_or(*x, |(_, x)| x)
        };
        lane.iter().enumerate().map(value).collect()
    });
    equal("push", &x.push(axis, limit), pushed);
    if len >= 2 {
        let half = T::of([0.5, 0.0]);
        let slopes = lanes_along(whole, at, len, |lane| {
            let inner = (1..len - 1).map(|at| lane[at + 1].minus(lane[at - 1]).times(half));
            let ends = [lane[1].minus(lane[0]), lane[len - 1].minus(lane[len - 2])];
            [ends[0]].into_iter().chain(inner).chain([ends[1]]).collect()
        });
        equal("gradient", &x.gradient(1.0, axis), slopes);
    }
}

/// The sum of products that a notation says, in the order of the letters, and the sum of their sizes.
fn summed<T: Kind>(notation: &str, arrays: &[&ArrayD<T>]) -> (ArrayD<T>, ArrayD<f64>) {
    let (inputs, out) = notation.split_once("->").expect("an arrow");
    let inputs: Vec<&str> = inputs.split(',').collect();
    let mut letters: Vec<char> = out.chars().collect();
    letters.extend(inputs.iter().flat_map(|names| names.chars()));
    let mut known = Vec::new();
    letters.retain(|letter| {
        !known.contains(letter) && {
            known.push(*letter);
            true
        }
    });
    let len = |letter: &char| {
        let of = inputs
            .iter()
            .zip(arrays)
            .find_map(|(names, array)| names.chars().position(|name| name == *letter).map(|axis| array.shape()[axis]));
        of.expect("each letter names an axis")
    };
    let lens: Vec<usize> = letters.iter().map(len).collect();
    let (kept, count) = (out.len(), lens.iter().product::<usize>());
    let mut found = ArrayD::from_elem(IxDyn(&lens[..kept]), T::default());
    let mut sizes = ArrayD::zeros(IxDyn(&lens[..kept]));
    for number in 0..count {
        let mut left = number;
        let mut at = vec![0; lens.len()];
        for axis in (0..lens.len()).rev() {
            (at[axis], left) = (left % lens[axis], left / lens[axis]);
        }
        let place = |names: &str| {
            names.chars().map(|name| at[letters.iter().position(|letter| *letter == name).expect("known")]).collect::<Vec<_>>()
        };
        let product = inputs.iter().zip(arrays).map(|(names, array)| array[IxDyn(&place(names))]).reduce(T::times).expect("an array");
        let to = IxDyn(&at[..kept]);
        found[&to] = found[&to].plus(product);
        sizes[&to] += inputs.iter().zip(arrays).map(|(names, array)| size(array[IxDyn(&place(names))])).product::<f64>();
    }
    (found, sizes)
}

#[track_caller]
fn is_sum<T: Kind>(notation: &str, found: &DArray<T>, arrays: &[&ArrayD<T>], formed: impl Fn(ArrayD<T>) -> ArrayD<T>) {
    let (expected, sizes) = summed(notation, arrays);
    let expected = formed(expected);
    if T::ROUNDED == 0.0 {
        return same(notation, found, expected);
    }
    // Infinities and NaN have sizes too, which are none to compare with.
    let sizes = sizes.iter().map(|size| finite(*size));
    near(notation, found, expected.shape(), &expected.iter().map(|x| x.parts()).zip(sizes).collect::<Vec<_>>());
}

/// Products of arrays, all of which are sums that a notation says.
fn products<T: Kind + Number + Element<Sum: Kind>>(given: &Given<T>) {
    let choose = &given.choose;
    let is_complex = T::of([0.0, 1.0]) != T::default();
    // Products of complex infinities have more than one answer.
    let takes = |x: T| !is_complex || is_finite(x);
    let lens: Vec<usize> = (0..4).map(|_| choose.one_of(&[0, 1, 2, 3, 4, 5])).collect();
    let [i, j, k, b] = lens[..] else { unreachable!("four lengths") };
    let filled = |shape: &[usize]| given.filled(shape, takes);
    let (m, n, t, line, other) = (filled(&[i, j]), filled(&[j, k]), filled(&[b, i, j]), filled(&[j]), filled(&[i]));
    let lazy = |array: &ArrayD<T>| given.cut(array);
    let (x, y, z, l, o) = (lazy(&m), lazy(&n), lazy(&t), lazy(&line), lazy(&other));
    let as_it_is = |found: ArrayD<T>| found;
    is_sum("ij,jk->ik", &x.matmul(&y), &[&m, &n], as_it_is);
    is_sum("bij,jk->bik", &z.matmul(&y), &[&t, &n], as_it_is);
    is_sum("ij,j->i", &x.matmul(&l), &[&m, &line], as_it_is);
    is_sum("i,ij->j", &o.matmul(&x), &[&other, &m], as_it_is);
    is_sum("bij,jk->bik", &z.dot(&y), &[&t, &n], as_it_is);
    is_sum("bij,ij->b", &z.tensordot(&x, &[1, -1], &[0, 1]), &[&t, &m], as_it_is);
    is_sum("bij,jk->bik", &z.tensordot(&y, &[2], &[0]), &[&t, &n], as_it_is);
    is_sum("i,j->ij", &o.outer(&l), &[&other, &line], as_it_is);
    let formed = |found: ArrayD<T>| ArrayD::from_shape_vec(IxDyn(&[i * j, j * k]), found.iter().copied().collect()).expect("as many");
    is_sum("ac,bd->abcd", &x.kron(&y), &[&m, &n], formed);
    let conjugated = m.mapv(|x| if is_complex { T::of([x.parts()[0], -x.parts()[1]]) } else { x });
    is_sum("ij,ij->", &x.vdot(&lazy(&m)), &[&conjugated, &m], as_it_is);
    is_sum("ij,kj->ki", &einsum("ij,kj->ki", &[&x, &y.t()]), &[&m, &n.t().to_owned()], as_it_is);
    is_sum("bij->jb", &einsum("bij->jb", &[&z]), &[&t], as_it_is);
    is_sum("bij,bij->bij", &einsum("bij,bij->bij", &[&z, &z]), &[&t, &t], as_it_is);
    // Axes that only one of them has are summed over first, which must not be seen where zeros and infinities meet.
    is_sum("ij,jk->", &einsum("ij,jk->", &[&x, &y]), &[&m, &n], as_it_is);
    is_sum("ij,jk->i", &einsum("ij,jk->i", &[&x, &y]), &[&m, &n], as_it_is);
    is_sum("ij,j->j", &einsum("ij,j->j", &[&x, &l]), &[&m, &line], as_it_is);
    is_sum("i,jk->", &einsum("i,jk->", &[&o, &y]), &[&other, &n], as_it_is);
    // Of three the product of the first two is made first, sums and all.
    let [m, t] = [m, t].map(|array| array.mapv(|x| if is_finite(x) { x } else { T::of([2.0, 1.0]) }));
    let line = given.filled(&[j], is_finite);
    let (x, z, l) = (lazy(&m), lazy(&t), lazy(&line));
    is_sum("ij,bij,j->b", &einsum("ij,bij,j->b", &[&x, &z, &l]), &[&m, &t, &line], as_it_is);
    let times = choose.below(3);
    if j > times {
        let less = (0..times).fold(m.clone(), |lane, _| {
            lanes_along(&lane, 1, lane.shape()[1] - 1, |lane| lane.windows(2).map(|pair| pair[1].minus(pair[0])).collect())
        });
        equal("diff", &x.diff(times, 1), less);
    }
}

mod of_any_kind {
    use super::*;
    every_kind! { 12 together }
}

mod sums_of_whole_numbers {
    use super::*;
    every_kind! { 10 whole_sums: bool bool; i8 i8; i16 i16; i32 i32; i64 i64; u8 u8; u16 u16; u32 u32; u64 u64; }
}

mod sums_of_rounded_numbers {
    use super::*;
    every_kind! { 16 rounded_sums: f32 f32; f64 f64; complex64 C64; complex128 C128; }
}

mod of_kinds_with_an_order {
    use super::*;
    every_kind! { 8 orders: bool bool; }
    every_real_kind! { 8 orders }
}

mod of_numbers_on_a_line {
    use super::*;
    every_real_kind! { 8 on_a_line }
}

mod of_whole_numbers {
    use super::*;
    every_kind! { 8 counted: i8 i8; i16 i16; i32 i32; i64 i64; u8 u8; u16 u16; u32 u32; u64 u64; }
}

mod of_real_numbers {
    use super::*;
    every_kind! { 16 of_floats: f32 f32; f64 f64; }
}

mod of_products {
    use super::*;
    every_kind! { 6 products: complex64 C64; complex128 C128; }
    every_real_kind! { 6 products }
}
