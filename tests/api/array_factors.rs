//! Factors of matrices, by what they must multiply to: at sizes around those at which kernels do something else, cut in several ways, of both
//! kinds of floats and of complex numbers, of rows and columns that are very unlike each other, and of low rank.

use super::arrays::{check_by, failure};
use std::sync::Mutex;

use partita::graph::{Executor, Failure, Graph, Run, RunEach, Serial};
use partita::prelude::*;
use partita::{Axes, Code, Float, Inexact, LeastSquares, MatrixNorm, Norm, Random, operator_registry};

/// Sides of squares: one pivot; a panel for each column; more columns than any kernel works on one by one (8 and 16), whose panels do not come
/// out even; and as many that panels are wider than that too, both in seven even ones and with a shorter last one. Where kernels split what is
/// one panel, the tests of `linalg/dense` go through all sizes, which cost little there.
const SIDES: [usize; 4] = [1, 2, 17, 49];

/// Lengths of chunks along a side: one, a few of different lengths, and many.
fn cuts(n: usize) -> Vec<usize> {
    let mut cuts = vec![n, n.div_ceil(3), n.div_ceil(7)];
    cuts.dedup();
    cuts
}

/// All of several conditions; what is found has a bit for each that does not hold.
#[track_caller]
fn check_all(name: &str, conditions: impl IntoIterator<Item = DArray<bool>>) {
    let bits = conditions.into_iter().enumerate().map(|(at, condition)| (!condition).cast::<i64>() * (1i64 << at));
    let all = bits.reduce(|a, b| a + b).expect("a condition at least");
    let found = all.compute_on(&Serial::new(operator_registry())).expect("it runs")[[]];
    assert_eq!(found, 0, "{name}: the conditions of these bits do not hold: {found:#b}");
    check_by(&all, |found| found[[]] == 0, &format!("{name}: no condition that does not hold"));
}

/// Numbers that matrices are factored of. What gives real numbers for complex ones stands once for each kind.
pub trait Factored: Inexact<Part: Float> {
    fn svd(x: &DArray<Self>) -> (DArray<Self>, DArray<Self::Part>, DArray<Self>);
    fn svdvals(x: &DArray<Self>) -> DArray<Self::Part>;
    fn eigh(x: &DArray<Self>) -> (DArray<Self::Part>, DArray<Self>);
    fn eigvalsh(x: &DArray<Self>) -> DArray<Self::Part>;
    fn slogdet(x: &DArray<Self>) -> (DArray<Self>, DArray<Self::Part>);
    fn lstsq_full(a: &DArray<Self>, b: &DArray<Self>) -> LeastSquares<Self, Self::Part>;
    fn norm_axis(x: &DArray<Self>, axes: Axes) -> DArray<Self::Part>;
    fn matrix_norm(x: &DArray<Self>, norm: MatrixNorm) -> DArray<Self::Part>;
    fn cond(x: &DArray<Self>) -> DArray<Self::Part>;
}

macro_rules! factored {
    ($($T:ty)*) => {
        $(
            impl Factored for $T {
                fn svd(x: &DArray<Self>) -> (DArray<Self>, DArray<Self::Part>, DArray<Self>) {
                    x.svd()
                }

                fn svdvals(x: &DArray<Self>) -> DArray<Self::Part> {
                    x.svdvals()
                }

                fn eigh(x: &DArray<Self>) -> (DArray<Self::Part>, DArray<Self>) {
                    x.eigh()
                }

                fn eigvalsh(x: &DArray<Self>) -> DArray<Self::Part> {
                    x.eigvalsh()
                }

                fn slogdet(x: &DArray<Self>) -> (DArray<Self>, DArray<Self::Part>) {
                    x.slogdet()
                }

                fn lstsq_full(a: &DArray<Self>, b: &DArray<Self>) -> LeastSquares<Self, Self::Part> {
                    a.lstsq_full(b)
                }

                fn norm_axis(x: &DArray<Self>, axes: Axes) -> DArray<Self::Part> {
                    x.norm_axis(Norm::Euclidean, axes)
                }

                fn matrix_norm(x: &DArray<Self>, norm: MatrixNorm) -> DArray<Self::Part> {
                    x.matrix_norm(norm)
                }

                fn cond(x: &DArray<Self>) -> DArray<Self::Part> {
                    x.cond()
                }
            }
        )*
    };
}

factored! { f32 f64 Complex<f32> Complex<f64> }

fn near<T: Inexact<Part: Float>>(found: &DArray<T>, expected: &DArray<T>, tolerance: f64) -> DArray<bool> {
    found.all_close(expected, 0.0, tolerance)
}

fn unit<T: Inexact>(n: usize) -> DArray<T> {
    DArray::eye(n, n.max(1))
}

/// Rows for columns, conjugated.
fn turned<T: Inexact>(x: &DArray<T>) -> DArray<T> {
    x.conj().t()
}

fn at_right_angles<T: Inexact<Part: Float>>(columns: &DArray<T>, count: usize, tolerance: f64) -> DArray<bool> {
    near(&turned(columns).matmul(columns), &unit(count), tolerance)
}

fn check_tall<T: Factored>(name: &str, x: &DArray<T>, tolerance: f64) {
    let [rows, columns] = x.shape().expect("known")[..] else { panic!("a matrix") };
    let rank = rows.min(columns);
    let (q, r) = x.qr();
    let (u, s, vt) = T::svd(x);
    let descending = (s.slice_axis(0, 1..).cast::<f64>() - s.slice_axis(0, ..-1).cast::<f64>()).lt_eq(0.0).all();
    check_all(
        name,
        [
            near(&q.matmul(&r), x, tolerance),
            at_right_angles(&q, rank, tolerance),
            near(&r.tril(-1), &DArray::zeros([rank, columns], 50), 0.0),
            r.diag(0).re().cast::<f64>().gt_eq(0.0).all() & r.diag(0).is_real().all(),
            near(&(&u * &s.cast::<T>()).matmul(&vt), x, tolerance),
            at_right_angles(&u, rank, tolerance),
            at_right_angles(&turned(&vt), rank, tolerance),
            descending,
            near(&s, &T::svdvals(x), tolerance),
        ],
    );
}

/// The factors of any matrix by Gauss.
fn check_lu<T: Inexact<Part: Float>>(name: &str, x: &DArray<T>, tolerance: f64) {
    let [rows, columns] = x.shape().expect("known")[..] else { panic!("a matrix") };
    let rank = rows.min(columns);
    let (p, l, u) = x.lu();
    check_all(
        name,
        [
            near(&p.matmul(&l).matmul(&u), x, tolerance),
            near(&l.triu(1), &DArray::zeros([rows, rank], 50), 0.0),
            near(&l.diag(0), &DArray::ones([rank], 50), 0.0),
            // Pivots are the largest of their columns; of complex numbers they are compared by the sum of their parts.
            l.re().cast::<f64>().square().lt_eq(2.0).all() & l.im().cast::<f64>().square().lt_eq(2.0).all(),
            near(&u.tril(-1), &DArray::zeros([rank, columns], 50), 0.0),
            near(&p.sum_axis(0).cast::<T>(), &DArray::ones([rows], 50), 0.0),
            near(&p.sum_axis(1).cast::<T>(), &DArray::ones([rows], 50), 0.0),
        ],
    );
}

fn check_square<T: Factored>(name: &str, x: &DArray<T>, n: usize, tolerance: f64) {
    check_lu(name, x, tolerance);
    let product = x.matmul(&turned(x)) + unit::<T>(n);
    let factor = product.cholesky();
    let (values, vectors) = T::eigh(&product);
    let (direction, logarithm) = T::slogdet(&product);
    let few = ..n.min(5) as isize;
    let corner = product.slice_axis(0, few).slice_axis(1, few);
    let logarithms = values.cast::<f64>().ln().sum();
    let wanted = x.slice_axis(1, ..1.min(n as isize));
    let size = n as f64 * tolerance;
    check_all(
        name,
        [
            near(&factor.matmul(&turned(&factor)), &product, size),
            near(&factor.triu(1), &DArray::zeros([n, n], 50), 0.0),
            near(&product.matmul(&vectors), &(&vectors * &values.cast::<T>()), size),
            at_right_angles(&vectors, n, tolerance),
            near(&values, &T::eigvalsh(&product), size),
            near(&product.matmul(&product.solve(&wanted)), &wanted, size),
            near(&factor.matmul(&factor.solve_triangular(&wanted, true)), &wanted, size),
            near(&turned(&factor).matmul(&turned(&factor).solve_triangular(&wanted, false)), &wanted, size),
            near(&product.inv().matmul(&product), &unit(n), size),
            // The determinant is the product of eigenvalues.
            near(&direction, &DArray::ones((), 1), size),
            near(&logarithm.cast::<f64>(), &logarithms, 10.0 * size),
            near(&corner.det().re().cast::<f64>().ln(), &T::slogdet(&corner).1.cast::<f64>(), size),
        ],
    );
}

/// Numbers of both parts, both normal.
fn complex(seed: u64, shape: [usize; 2], chunk: usize) -> DArray<Complex<f64>> {
    let rng = Random::new(seed);
    rng.normal(shape, chunk).to_complex(Random::new(seed + 1000).normal(shape, chunk))
}

#[test]
fn complex_squares_of_all_sizes() {
    for n in [1, 2, 33] {
        for chunk in cuts(n) {
            let x = complex(n as u64, [n, n], chunk);
            check_square(&format!("{n} in {chunk}"), &x, n, 1e-12);
            check_tall(&format!("{n} in {chunk}"), &x, 1e-11);
        }
    }
    let single = complex(5, [33, 33], 10).cast::<Complex<f32>>();
    check_square("single", &single, 33, 1e-4);
    check_tall("single", &single, 1e-4);
    for (rows, columns, chunk) in [(200, 7, 30), (90, 40, 20), (31, 60, 10), (80, 1, 1)] {
        check_tall(&format!("{rows} by {columns}"), &complex(7, [rows, columns], chunk), 1e-11);
    }
}

#[test]
fn complex_numbers_are_conjugated_where_they_have_to_be() {
    let (a, b) = (complex(3, [60, 5], 13), complex(4, [60, 2], 20));
    let found = a.lstsq_full(&b);
    let missing = &b - a.matmul(&found.solution);
    let (low, high) = (complex(8, [50, 3], 20), complex(9, [3, 40], 20));
    let product = low.matmul(&high);
    let (u, s, vt) = product.svd_compressed(3, 1, 5);
    check_all(
        "least squares and compressed",
        [
            near(&turned(&a).matmul(&missing), &DArray::zeros([5, 2], 5), 1e-11),
            near(&found.residuals, &missing.abs().square().sum_axis(0), 1e-11),
            found.rank.eq(5).all(),
            near(&(&u * &s.cast::<Complex<f64>>()).matmul(&vt), &product, 1e-9),
            near(&a.index_axis(1, 0).vdot(&a.index_axis(1, 0)).re(), &a.index_axis(1, 0).abs().square().sum(), 1e-11),
        ],
    );
    failure(&(complex(3, [4, 4], 2) * Complex::new(0.0, 0.0)).solve(&complex(4, [4, 1], 2)), Code::SingularMatrix);
    failure(&(-complex(3, [4, 4], 2).matmul(&turned(&complex(3, [4, 4], 2)))).cholesky(), Code::SingularMatrix);
}

#[test]
fn matrices_of_other_forms_have_factors_by_gauss() {
    for (rows, columns, chunk) in
        [(40, 90, [10, 20]), (90, 40, [25, 15]), (31, 100, [10, 100]), (100, 31, [100, 10]), (7, 1, [2, 1]), (1, 7, [1, 2])]
    {
        check_lu(&format!("{rows} by {columns}"), &Random::new(5).normal([rows, columns], chunk), 1e-12);
    }
    let low = Random::new(1).normal([50, 3], 20).matmul(&Random::new(2).normal([3, 50], 20));
    check_lu("low rank", &low, 1e-12);
    for chunk in [50, 13] {
        let zeros = DArray::<f64>::zeros([50, 50], chunk);
        check_lu("zeros", &zeros, 0.0);
        let (direction, logarithm) = zeros.slogdet();
        check_all("zeros", [zeros.det().eq(0.0), direction.eq(0.0), logarithm.eq(f64::NEG_INFINITY)]);
    }
}

/// An executor that looks at the plans that it gets.
struct Watching {
    serial: Serial,
    plans: Mutex<Vec<String>>,
}

impl Executor for Watching {
    fn submit(&self, graph: Graph) -> Result<Run, Failure> {
        self.plans.lock().expect("no thread panicked").push(graph.explain());
        self.serial.submit(graph)
    }

    fn submit_each(&self, graph: Graph) -> Result<RunEach, Failure> {
        self.serial.submit_each(graph)
    }

    fn threads(&self) -> usize {
        1
    }
}

#[test]
fn what_several_factors_need_is_done_once() {
    let executor = Watching { serial: Serial::new(operator_registry()), plans: Mutex::default() };
    let plan = |array: &DArray<f64>| {
        array.compute_on(&executor).expect("it runs");
        executor.plans.lock().expect("no thread panicked").pop().expect("a plan")
    };
    let x = Random::new(1).normal([60, 60], 20);
    let (u, s, vt) = x.svd();
    let both = plan(&(&u * &s).matmul(&vt));
    assert_eq!(both.matches("svd of triangles").count(), 1, "{both}");
    assert!(!both.contains("singular values of triangles"), "{both}");
    assert_eq!(plan(&x.svdvals()).matches("singular values of triangles").count(), 1);
    // Three panels; the last has no columns right of it.
    let (q, r) = x.qr();
    let both = plan(&q.matmul(&r));
    assert_eq!((both.matches("qr of a panel").count(), both.matches("reflect\n").count()), (3, 2), "{both}");
    let (p, l, u) = x.lu();
    let all = plan(&(p.matmul(&l).matmul(&u) + x.solve(&x) + x.det()));
    assert_eq!(all.matches("lu of a panel").count(), 3, "{all}");
}

#[test]
fn squares_of_all_sizes() {
    for n in SIDES {
        for chunk in cuts(n) {
            let x = Random::new(n as u64).normal([n, n], chunk);
            check_square(&format!("{n} in {chunk}"), &x, n, 1e-12);
            check_tall(&format!("{n} in {chunk}"), &x, 1e-11);
        }
    }
}

#[test]
fn single_floats() {
    for n in [1, 33, 64] {
        let x = Random::new(7).normal([n, n], n.div_ceil(2)).cast::<f32>();
        check_square(&format!("{n}"), &x, n, 1e-4);
        check_tall(&format!("{n}"), &x, 1e-4);
    }
    check_tall("tall", &Random::new(8).normal([300, 9], 40).cast::<f32>(), 1e-4);
}

#[test]
fn tall_and_wide_ones() {
    for (rows, columns, chunk) in
        [(700, 7, [20, 3]), (1000, 33, [500, 33]), (257, 32, [257, 5]), (90, 40, [4, 40]), (31, 100, [10, 10]), (50, 1, [1, 1])]
    {
        check_tall(&format!("{rows} by {columns}"), &Random::new(5).normal([rows, columns], chunk), 1e-11);
    }
    // More blocks than triangles that come together at a time, twice.
    check_tall("a tree", &Random::new(6).normal([80, 2], [2, 2]), 1e-12);
    check_tall("a higher tree", &Random::new(6).normal([300, 1], [1, 1]), 1e-12);
}

#[test]
fn low_rank_and_unlike_scales() {
    let rng = Random::new(11);
    for chunk in [60, 25] {
        let low = rng.normal([60, 3], chunk).matmul(&rng.normal([3, 40], chunk));
        check_tall("low rank", &low, 1e-11);
        check_all("values of low rank", [low.svd().1.slice_axis(0, 3..).lt(1e-11).all(), low.svd().1.slice_axis(0, ..3).gt(1.0).all()]);
        check_tall("zeros", &DArray::<f64>::zeros([60, 40], chunk), 1e-13);
        check_tall("ones", &DArray::<f64>::ones([60, 40], chunk), 1e-12);
        // Columns from 1e-80 to 1e76, which the triangle keeps apart.
        let scale = DArray::from_fn([40], chunk, |at| 10.0f64.powi(at[0] as i32 * 4 - 80));
        let plain = rng.normal([60, 40], chunk);
        let (q, r) = (&plain * &scale).qr();
        check_all("scales", [near(&q.matmul(&(r / &scale)), &plain, 1e-12), at_right_angles(&q, 40, 1e-12)]);
        let square = rng.normal([40, 40], chunk);
        let found = (&square * scale.expand_dims(1)).solve(&(&scale * 2.0));
        check_all("equations of unlike scales", [near(&found, &square.solve(&DArray::full([40], 2.0, 40)), 1e-6)]);
    }
}

#[test]
fn what_least_squares_leave_stands_at_right_angles() {
    let rng = Random::new(31);
    for (rows, columns, chunk) in [(300, 9, 40), (300, 1, 1), (80, 2, 2), (20, 20, 7), (64, 33, 50)] {
        let (a, b) = (rng.normal([rows, columns], [chunk, columns]), rng.normal([rows, 5], [33, 2]));
        let line = b.index_axis(1, 3);
        check_all(
            &format!("{rows} by {columns}"),
            [
                near(&a.t().matmul(&(&b - a.matmul(&a.lstsq(&b)))), &DArray::zeros([columns, 5], 50), 1e-10),
                near(&a.lstsq(&line), &a.lstsq(&b).index_axis(1, 3), 1e-11),
                near(&a.cast::<f32>().lstsq(&line.cast::<f32>()).cast::<f64>(), &a.lstsq(&line), 1e-2),
            ],
        );
    }
    let text = failure(&DArray::<f64>::zeros([9, 2], 4).lstsq(&DArray::ones([9], 4)), Code::SingularMatrix);
    assert!(text.contains("depend on each other") && text.contains("array_factors.rs"), "{text}");
    let double = DArray::from_fn([9, 2], 4, |at| ((at[0] + 1) * (at[1] + 1)) as f64);
    failure(&double.lstsq(&DArray::ones([9], 4)), Code::SingularMatrix);
    failure(&DArray::<f64>::zeros([9, 2], 4).lstsq(&DArray::ones([8], 4)), Code::ShapeMismatch);
    failure(&DArray::<f64>::zeros([9], 4).lstsq(&DArray::ones([9], 4)), Code::ShapeMismatch);
}

#[test]
fn the_greatest_singular_values_of_a_noisy_matrix() {
    let rng = Random::new(21);
    for chunk in [30, 120] {
        let x = rng.normal([120, 5], chunk).matmul(&rng.normal([5, 60], chunk)) + rng.normal([120, 60], chunk) * 1e-3;
        let (u, s, vt) = x.svd_compressed(5, 2, 3);
        let exact = x.svd();
        let part = |array: &DArray<f64>, axis: isize| array.slice_axis(axis, ..5);
        let rank_five = (part(&exact.0, 1) * part(&exact.1, 0)).matmul(&part(&exact.2, 0));
        check_all(
            "compressed",
            [
                near(&s, &part(&exact.1, 0), 1e-8),
                near(&(&u * &s).matmul(&vt), &rank_five, 1e-8),
                at_right_angles(&u, 5, 1e-12),
                at_right_angles(&vt.t(), 5, 1e-12),
                // Vectors of either way point the same way.
                near(&u, &part(&exact.0, 1), 1e-6),
                near(&vt, &part(&exact.2, 0), 1e-6),
            ],
        );
    }
}

#[test]
fn tiles_change_what_is_found_by_rounding_only() {
    let root = Random::new(3).normal([70, 70], 70);
    let whole = root.matmul(&root.t()) + unit::<f64>(70);
    for chunks in [vec![70], vec![35, 35], vec![1, 40, 0, 29], vec![5; 14]] {
        let x = whole.rechunk(vec![chunks.clone(), vec![33, 37]]);
        check_all(
            &format!("{chunks:?}"),
            [
                near(&x.cholesky(), &whole.cholesky(), 1e-11),
                near(&x.inv(), &whole.inv(), 1e-11),
                near(&x.solve(&root), &whole.solve(&root), 1e-11),
                near(&x.tril(0).solve_triangular(&root, true), &whole.tril(0).solve_triangular(&root, true), 1e-11),
                near(&x.triu(0).solve_triangular(&root, false), &whole.triu(0).solve_triangular(&root, false), 1e-11),
            ],
        );
    }
}

#[test]
fn rows_change_places_across_chunks() {
    // Without it the first pivot of each panel would be zero.
    let n = 12;
    let turned = DArray::<f64>::eye(n, 5).flip(0) * 2.0;
    let b = DArray::arange(0.0, n as f64, 1.0, 4);
    check_all("turned", [near(&turned.solve(&b), &(b.flip(0) / 2.0), 0.0), near(&turned.inv(), &(DArray::eye(n, 5).flip(0) / 2.0), 0.0)]);
}

#[test]
fn what_has_no_factors_is_told() {
    let not = |at: usize| DArray::<f64>::eye(30, 8) - DArray::from_fn([30, 30], 8, move |place| if place == [at, at] { 2.0 } else { 0.0 });
    for at in [0, 13, 29] {
        let text = failure(&not(at).cholesky(), Code::SingularMatrix);
        assert!(text.contains("not positive definite") && text.contains("array_factors.rs"), "{text}");
        let gap = DArray::<f64>::eye(30, 8) - DArray::from_fn([30, 30], 8, move |place| if place == [at, at] { 1.0 } else { 0.0 });
        let text = failure(&gap.solve(&DArray::ones([30], 8)), Code::SingularMatrix);
        assert!(text.contains("no inverse") && text.contains("array_factors.rs"), "{text}");
        failure(&gap.inv(), Code::SingularMatrix);
        failure(&gap.solve_triangular(&DArray::ones([30], 8), true), Code::SingularMatrix);
        failure(&gap.cholesky(), Code::SingularMatrix);
    }
    for wrong in [f64::NAN, f64::INFINITY] {
        let x = DArray::full([20, 20], wrong, 7);
        failure(&x.cholesky(), Code::SingularMatrix);
        failure(&x.inv(), Code::SingularMatrix);
        failure(&x.svd().0, Code::SingularMatrix);
        failure(&x.svd().1, Code::SingularMatrix);
        failure(&x.eigh().0, Code::SingularMatrix);
    }
    let wide = DArray::<f64>::ones([3, 4], 2);
    for array in
        [wide.cholesky(), wide.inv(), wide.det(), wide.eigh().0, wide.slogdet().1, wide.solve(&wide), wide.solve_triangular(&wide, true)]
    {
        let text = failure(&array, Code::ShapeMismatch);
        assert!(text.contains("(3, 4) is no square matrix") && text.contains("array_factors.rs"), "{text}");
    }
    failure(&wide.matrix_power(2), Code::ShapeMismatch);
    failure(&DArray::<f64>::zeros([3, 3], 2).matrix_power(-1), Code::SingularMatrix);
    failure(&DArray::<f64>::ones([4], 2).lu().0, Code::ShapeMismatch);
    failure(&DArray::<f64>::ones([4], 2).qr().0, Code::ShapeMismatch);
    let large = DArray::<f64>::zeros([50_000, 50_000], 5000);
    let text = failure(&large.eigvalsh(), Code::Unsupported);
    assert!(text.contains("50000 columns are made in one task, which would hold 55 GiB") && text.contains("array_factors.rs"), "{text}");
    failure(&large.svd().1, Code::Unsupported);
    let text = failure(&large.rechunk(-1).lu().1, Code::Unsupported);
    assert!(text.contains("panels of 50000 rows and 50000 columns") && text.contains(".rechunk(1000)"), "{text}");
    assert_eq!(large.lu().1.chunksize().expect("panels"), [50_000, 5000]);
    let text = failure(&unit::<f64>(4).solve(&DArray::ones([3], 3)), Code::ShapeMismatch);
    assert!(text.contains("shape (3,) for 4 equations"), "{text}");
}

#[test]
fn empty_matrices_have_empty_factors() {
    let x = DArray::<f64>::zeros([0, 0], 3);
    for array in
        [x.cholesky(), x.inv(), x.lu().0, x.lu().1, x.lu().2, x.eigh().1, x.qr().0, x.svd().2, x.solve(&DArray::zeros([0, 2], 2)).t()]
    {
        check_by(&array, |found| found.is_empty(), "no elements");
    }
    check_by(&x.det(), |found| found[[]] == 1.0, "1");
    check_by(&x.slogdet().1, |found| found[[]] == 0.0, "0");
    check_by(&DArray::<f64>::zeros([4, 0], 2).lu().1, |found| found.shape() == [4, 0], "no columns");
    check_by(&DArray::<f64>::zeros([0, 4], 2).lu().2, |found| found.shape() == [0, 4], "no rows");
    check_by(&DArray::<f64>::zeros([5, 0], 2).qr().0, |found| found.shape() == [5, 0], "no columns");
    check_by(&DArray::<f64>::zeros([0, 5], 2).qr().1, |found| found.shape() == [0, 5], "no rows");
}
