//! What NumPy gives for matrices of both kinds of numbers, which `tests/numpy/linalg.py` computed and wrote into files, and what arrays give for the
//! same matrices in several chunkings.
//!
//! Numbers agree to 1e-10 of the largest of them (of four bytes: 1e-4), because other libraries round otherwise.

use std::collections::BTreeSet;

use super::array_factors::Factored;
use super::array_numpy::{Filed, read_file};
use super::arrays::failure;
use partita::graph::Serial;
use partita::ndarray::ArrayD;
use partita::prelude::*;
use partita::{Axes, Code, Inexact, MatrixNorm, einsum, operator_registry};

/// An element that is compared by its distance.
trait Known: Factored + Filed {
    const TOLERANCE: f64;
    fn off(self, other: Self) -> f64;
}

macro_rules! known {
    ($($T:ident $tolerance:literal;)*) => {
        $(
            impl Known for $T {
                const TOLERANCE: f64 = $tolerance;

                fn off(self, other: Self) -> f64 {
                    if self == other { 0.0 } else { f64::from((self - other).abs()) }
                }
            }

            impl Known for Complex<$T> {
                const TOLERANCE: f64 = $tolerance;

                fn off(self, other: Self) -> f64 {
                    f64::from((self - other).norm())
                }
            }
        )*
    };
}

known! {
    f32 1e-4;
    f64 1e-10;
}

fn folder() -> String {
    format!("{}/tests/numpy/linalg", env!("CARGO_MANIFEST_DIR"))
}

fn read<T: Known>(name: &str) -> ArrayD<T> {
    read_file(&format!("{}/{name}.npy", folder()), "linalg.py")
}

/// Ways to cut arrays: in one piece, in twos, in fours along rows only, along columns only, and unevenly with a chunk of nothing.
const CHUNKINGS: usize = 5;

fn cut<T: Known>(name: &str, way: usize) -> DArray<T> {
    let whole = read::<T>(name);
    let even = |len: usize, size: usize| {
        let mut sizes = vec![size; len / size];
        sizes.extend(Some(len % size).filter(|rest| *rest > 0 || len == 0));
        sizes
    };
    let along = |(axis, len): (usize, &usize)| match (way, axis) {
        (1, _) => even(*len, 2),
        (2, 0) | (3, 1) => even(*len, 4),
        (4, _) => vec![*len.min(&1), 0, len.saturating_sub(1)],
        _ => vec![*len],
    };
    let chunks: Vec<Vec<usize>> = whole.shape().iter().enumerate().map(along).collect();
    DArray::from_array(whole, chunks)
}

/// Where cases run, in which chunking, and of which numbers: names of real ones have no ending.
struct Case {
    serial: Serial,
    local: Client,
    way: usize,
    ending: &'static str,
}

impl Case {
    fn given<T: Known>(&self, name: &str) -> DArray<T> {
        cut(&format!("{name}{}", self.ending), self.way)
    }

    #[track_caller]
    fn same<T: Known>(&self, name: &str, array: &DArray<T>) {
        let name = format!("{name}{}", self.ending);
        let expected = read::<T>(&name);
        let found = array.compute_on(&self.serial).unwrap_or_else(|failure| panic!("{name}, chunking {}: {failure}", self.way));
        assert_eq!(found.shape(), expected.shape(), "{name}, chunking {}", self.way);
        let size = expected.iter().map(|value| value.off(T::default())).filter(|size| size.is_finite()).fold(1.0, f64::max);
        let near = found.iter().zip(&expected).all(|(found, expected)| found.off(*expected) <= T::TOLERANCE * size);
        assert!(near, "{name}, chunking {}: found\n{found}\nNumPy gives\n{expected}", self.way);
        let threads = array.compute_on(&self.local).unwrap_or_else(|failure| panic!("{name}, chunking {}: {failure}", self.way));
        assert_eq!(format!("{threads:?}"), format!("{found:?}"), "{name}, chunking {}: on threads", self.way);
    }
}

/// Checks cases in every chunking.
fn each(ending: &'static str, cases: impl Fn(&Case)) {
    let local = Client::builder().threads(2).set_as_default(false).build().expect("a local engine starts");
    for way in 0..CHUNKINGS {
        cases(&Case { serial: Serial::new(operator_registry()), local: local.clone(), way, ending });
    }
}

/// The same cases for both kinds of numbers.
macro_rules! both {
    ($name:ident) => {
        mod $name {
            #[test]
            fn of_real_numbers() {
                super::each("", super::$name::<f64>);
            }

            #[test]
            fn of_complex_numbers() {
                super::each("_c", super::$name::<partita::prelude::Complex<f64>>);
            }
        }
    };
}

fn sizes<T: Inexact>(array: &DArray<T>) -> DArray<T::Part> {
    (array.re().square() + array.im().square()).cast::<f64>().sqrt().cast()
}

fn determinants<T: Known<Part: Known>>(case: &Case) {
    for name in ["square", "definite", "one"] {
        let x = case.given::<T>(name);
        let (sign, log) = T::slogdet(&x);
        case.same(&format!("det_{name}"), &x.det());
        case.same(&format!("slogdet_sign_{name}"), &sign);
        case.same(&format!("slogdet_log_{name}"), &log);
        case.same(&format!("inv_{name}"), &x.inv());
    }
}

both!(determinants);

fn equations<T: Known<Part: Known>>(case: &Case) {
    let [square, definite, sides, line] = ["square", "definite", "sides", "line"].map(|name| case.given::<T>(name));
    case.same("solve", &square.solve(&sides));
    case.same("solve_line", &square.solve(&line));
    case.same("solve_lower", &definite.solve_triangular(&sides, true));
    case.same("solve_upper", &definite.solve_triangular(&sides, false));
    let found = T::lstsq_full(&case.given("tall"), &case.given("long"));
    case.same("lstsq", &found.solution);
    case.same("lstsq_residuals", &found.residuals);
    case.same("lstsq_singular", &found.singular_values);
}

both!(equations);

fn spectra<T: Known<Part: Known>>(case: &Case) {
    let [square, definite] = ["square", "definite"].map(|name| case.given::<T>(name));
    let (values, vectors) = T::eigh(&definite);
    case.same("cholesky", &definite.cholesky());
    case.same("eigh_values", &values);
    case.same("eigh_vectors", &sizes(&vectors));
    case.same("eigvalsh", &T::eigvalsh(&(&square + square.conj().t())));
}

both!(spectra);

fn factors<T: Known<Part: Known>>(case: &Case) {
    for name in ["square", "tall", "oblong", "wide", "one"] {
        let x = case.given::<T>(name);
        let (q, r) = x.qr();
        case.same(&format!("qr_q_{name}"), &q);
        case.same(&format!("qr_r_{name}"), &r);
        let (u, s, vt) = T::svd(&x);
        case.same(&format!("svd_u_{name}"), &sizes(&u));
        case.same(&format!("svd_s_{name}"), &s);
        case.same(&format!("svd_s_{name}"), &T::svdvals(&x));
        case.same(&format!("svd_vt_{name}"), &sizes(&vt));
        let (p, l, u) = x.lu();
        case.same(&format!("lu_p_{name}"), &p);
        case.same(&format!("lu_l_{name}"), &l);
        case.same(&format!("lu_u_{name}"), &u);
    }
}

both!(factors);

fn products<T: Known<Part: Known>>(case: &Case) {
    let [square, sides, line] = ["square", "sides", "line"].map(|name| case.given::<T>(name));
    case.same("matmul", &square.matmul(&sides));
    case.same("matmul_line", &square.matmul(&line));
    case.same("vdot", &line.vdot(&(&line + square.index_axis(0, 0))));
    case.same("outer", &line.outer(&sides.index_axis(1, 0)));
    case.same("kron", &case.given::<T>("wide").kron(&case.given("one")));
    case.same("trace", &square.trace(0).cast::<T>());
}

both!(products);

fn refused<T: Known>(case: &Case) {
    let [definite, sides, wide] = ["definite", "sides", "wide"].map(|name| case.given::<T>(name));
    // What the other executors say is asked in one chunking.
    if case.way != 1 {
        return;
    }
    failure(&(definite.zeros_like() - &definite).cholesky(), Code::SingularMatrix);
    failure(&definite.zeros_like().solve(&sides), Code::SingularMatrix);
    failure(&definite.zeros_like().inv(), Code::SingularMatrix);
    for array in [wide.inv(), wide.det(), T::eigh(&wide).1, wide.cholesky(), wide.solve(&sides)] {
        failure(&array, Code::ShapeMismatch);
    }
}

both!(refused);

#[test]
fn other_kinds_and_forms() {
    type C = Complex<f64>;
    each("", |case| {
        let (gap, empty, cube) = (case.given::<f64>("gap"), case.given::<f64>("empty"), case.given::<C>("cube_c"));
        case.same("tensordot_c", &cube.tensordot(&cube, &[0, 2], &[0, 2]));
        case.same("einsum_c", &einsum("ijk,ljk->il", &[&cube, &cube.conj()]));
        case.same("dot_c", &cube.dot(&case.given::<C>("tall_c").slice_axis(0, ..5)));
        case.same("solve_f", &case.given::<f32>("square_f").solve(&case.given::<f32>("square_f").slice_axis(1, ..2)));
        let single = case.given::<Complex<f32>>("square_cf");
        case.same("solve_cf", &single.solve(&single.slice_axis(1, ..2)));
        case.same("det_gap", &gap.det());
        case.same("slogdet_sign_gap", &gap.slogdet().0);
        case.same("slogdet_log_gap", &gap.slogdet().1);
        case.same("svd_s_gap", &gap.svdvals());
        case.same("pinv_gap", &gap.pinv());
        case.same("rank_gap", &gap.matrix_rank().cast::<f64>());
        case.same("det_empty", &empty.det());
        case.same("slogdet_log_empty", &empty.slogdet().1);
        case.same("inv_empty", &empty.inv());
        if case.way == 1 {
            failure(&gap.solve(&case.given("sides")), Code::SingularMatrix);
            failure(&gap.inv(), Code::SingularMatrix);
        }
    });
}

fn inverses<T: Known<Part: Known>>(case: &Case) {
    let square = case.given::<T>("square");
    case.same("power_3", &square.matrix_power(3));
    case.same("power_0", &square.matrix_power(0));
    case.same("power_inverse", &square.matrix_power(-2));
    for name in ["square", "tall", "wide", "one"] {
        let x = case.given::<T>(name);
        case.same(&format!("pinv_{name}"), &x.pinv());
        case.same(&format!("cond_{name}"), &T::cond(&x));
    }
}

both!(inverses);

fn norms<T: Known<Part: Known>>(case: &Case) {
    let square = case.given::<T>("square");
    case.same("norm", &T::norm_axis(&square, Axes::all()));
    case.same("norm_axis", &T::norm_axis(&square, Axes::of(0)));
    let wide = case.given::<T>("wide");
    let names = [
        ("norm_fro", MatrixNorm::Frobenius),
        ("norm_nuc", MatrixNorm::Nuclear),
        ("norm_2", MatrixNorm::Spectral),
        ("norm_least_2", MatrixNorm::LeastSingular),
        ("norm_1", MatrixNorm::Columns),
        ("norm_least_1", MatrixNorm::LeastColumn),
        ("norm_inf", MatrixNorm::Rows),
        ("norm_least_inf", MatrixNorm::LeastRow),
    ];
    for (name, norm) in names {
        case.same(name, &T::matrix_norm(&wide, norm));
    }
    if case.way == 1 {
        failure(&T::matrix_norm(&square.index_axis(0, 0), MatrixNorm::Rows), Code::ShapeMismatch);
    }
}

both!(norms);

#[test]
fn every_answer_is_compared() {
    let source = include_str!("array_numpy_linalg.rs");
    let made = std::fs::read_dir(folder()).expect("tests/numpy/linalg.py wrote it");
    let names: BTreeSet<String> =
        made.map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().trim_end_matches(".npy").to_string()).collect();
    assert!(names.len() >= 170, "{} files", names.len());
    let kinds = ["square", "definite", "tall", "oblong", "wide", "one"];
    let is_compared = |name: &str| {
        let plain = name.strip_suffix("_c").unwrap_or(name);
        let of_several = kinds.iter().find_map(|kind| plain.strip_suffix(kind)).map(|stem| format!("\"{stem}{{name}}\""));
        [Some(format!("\"{plain}\"")), Some(format!("\"{name}\"")), of_several].into_iter().flatten().any(|text| source.contains(&text))
    };
    let left: Vec<&String> = names.iter().filter(|name| !is_compared(name)).collect();
    assert!(left.is_empty(), "not compared: {left:?}");
}
