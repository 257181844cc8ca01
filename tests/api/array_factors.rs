//! Factors of matrices, by what they must multiply to: at sizes around those at which kernels do something else, cut in several ways, of both
//! kinds of floats, of rows and columns that are very unlike each other, and of low rank.

use super::arrays::{check_by, failure};
use partita::graph::Serial;
use partita::prelude::*;
use partita::{Code, Float, Random, operator_registry};

const SIDES: [usize; 7] = [1, 2, 31, 32, 33, 64, 100];

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

fn near<T: Float>(found: &DArray<T>, expected: &DArray<T>, tolerance: f64) -> DArray<bool> {
    found.all_close(expected, 0.0, tolerance)
}

fn unit<T: Float>(n: usize) -> DArray<T> {
    DArray::eye(n, n.max(1))
}

fn at_right_angles<T: Float>(columns: &DArray<T>, count: usize, tolerance: f64) -> DArray<bool> {
    near(&columns.t().matmul(columns), &unit(count), tolerance)
}

fn check_tall<T: Float>(name: &str, x: &DArray<T>, tolerance: f64) {
    let [rows, columns] = x.shape().expect("known")[..] else { panic!("a matrix") };
    let rank = rows.min(columns);
    let (q, r) = x.qr();
    let (u, s, vt) = x.svd();
    let descending = (s.slice_axis(0, 1..).cast::<f64>() - s.slice_axis(0, ..-1).cast::<f64>()).lt_eq(0.0).all();
    check_all(
        name,
        [
            near(&q.matmul(&r), x, tolerance),
            at_right_angles(&q, rank, tolerance),
            near(&r.tril(-1), &DArray::zeros([rank, columns], 50), 0.0),
            r.diag(0).cast::<f64>().gt_eq(0.0).all(),
            near(&(&u * &s).matmul(&vt), x, tolerance),
            at_right_angles(&u, rank, tolerance),
            at_right_angles(&vt.t(), rank, tolerance),
            descending,
        ],
    );
}

fn check_square<T: Float>(name: &str, x: &DArray<T>, n: usize, tolerance: f64) {
    let (p, l, u) = x.lu();
    let product = x.matmul(&x.t()) + unit::<T>(n);
    let factor = product.cholesky();
    let (values, vectors) = product.eigh();
    let wanted = x.slice_axis(1, ..1.min(n as isize));
    let size = n as f64 * tolerance;
    check_all(
        name,
        [
            near(&p.matmul(&l).matmul(&u), x, tolerance),
            near(&l.triu(1), &DArray::zeros([n, n], 50), 0.0),
            near(&u.tril(-1), &DArray::zeros([n, n], 50), 0.0),
            near(&factor.matmul(&factor.t()), &product, size),
            near(&factor.triu(1), &DArray::zeros([n, n], 50), 0.0),
            near(&product.matmul(&vectors), &(&vectors * &values), size),
            at_right_angles(&vectors, n, tolerance),
            near(&product.matmul(&product.solve(&wanted)), &wanted, size),
            near(&factor.matmul(&factor.solve_triangular(&wanted, true)), &wanted, size),
            near(&factor.t().matmul(&factor.t().solve_triangular(&wanted, false)), &wanted, size),
            near(&product.inv().matmul(&product), &unit(n), size),
        ],
    );
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
        [wide.cholesky(), wide.inv(), wide.det(), wide.eigh().0, wide.lu().0, wide.solve(&wide), wide.solve_triangular(&wide, true)]
    {
        let text = failure(&array, Code::ShapeMismatch);
        assert!(text.contains("(3, 4) is no square matrix") && text.contains("array_factors.rs"), "{text}");
    }
    let text = failure(&DArray::<f64>::zeros([50_000, 50_000], 5000).det(), Code::Unsupported);
    assert!(text.contains("50000 columns are made in one task, which would hold 55 GiB") && text.contains("array_factors.rs"), "{text}");
    failure(&DArray::<f64>::zeros([50_000, 50_000], 5000).qr().1, Code::Unsupported);
    let text = failure(&unit::<f64>(4).solve(&DArray::ones([3], 3)), Code::ShapeMismatch);
    assert!(text.contains("shape (3,) for 4 equations"), "{text}");
}

#[test]
fn empty_matrices_have_empty_factors() {
    let x = DArray::<f64>::zeros([0, 0], 3);
    for array in [x.cholesky(), x.inv(), x.lu().1, x.eigh().1, x.qr().0, x.svd().2, x.solve(&DArray::zeros([0, 2], 2)).t()] {
        check_by(&array, |found| found.is_empty(), "no elements");
    }
    check_by(&x.det(), |found| found[[]] == 1.0, "1");
    check_by(&DArray::<f64>::zeros([5, 0], 2).qr().0, |found| found.shape() == [5, 0], "no columns");
    check_by(&DArray::<f64>::zeros([0, 5], 2).qr().1, |found| found.shape() == [0, 5], "no rows");
}
