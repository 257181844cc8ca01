//! What NumPy gives for a fixed set of cases, which `tests/numpy/cases.py` computed and wrote into files, and what arrays give for the same
//! inputs in several chunkings.
//!
//! Integers and truths are the same, kinds of results too. Floats agree to 1e-11 of their size (`f32`: 2e-6), because sums are made in
//! another order and functions of other libraries differ in their last digits; NaN is NaN, infinities are the same.

use std::collections::BTreeSet;

use partita::graph::Serial;
use partita::ndarray::{ArrayD, IxDyn, NewAxis, array, s};
use partita::prelude::*;
use partita::{
    Between, Bins, Element, Norm, Pad, Side, Tested, concatenate, dstack, einsum, f_oneway, from_blocks, histogramdd, hstack, meshgrid,
    operator_registry, select, stack, vstack, where_,
};

/// An element that files have.
pub trait Filed: Element {
    /// As NumPy writes its kind.
    const KIND: &str;
    fn of_bytes(bytes: &[u8]) -> Self;
}

macro_rules! filed {
    ($($T:ident $kind:literal;)*) => {
        $(
            impl Filed for $T {
                const KIND: &str = $kind;

                fn of_bytes(bytes: &[u8]) -> Self {
                    $T::from_le_bytes(bytes.try_into().expect("as many bytes"))
                }
            }
        )*
    };
    (complex: $($T:ident $kind:literal;)*) => {
        $(
            impl Filed for Complex<$T> {
                const KIND: &str = $kind;

                fn of_bytes(bytes: &[u8]) -> Self {
                    let (re, im) = bytes.split_at(bytes.len() / 2);
                    Complex::new($T::of_bytes(re), $T::of_bytes(im))
                }
            }
        )*
    };
}

filed! {
    i8 "|i1";
    i16 "<i2";
    i32 "<i4";
    i64 "<i8";
    u8 "|u1";
    u16 "<u2";
    u32 "<u4";
    u64 "<u8";
    f32 "<f4";
    f64 "<f8";
}

filed! {
    complex:
    f32 "<c8";
    f64 "<c16";
}

impl Filed for bool {
    const KIND: &str = "|b1";

    fn of_bytes(bytes: &[u8]) -> Self {
        bytes[0] != 0
    }
}

/// An element that is compared one by one.
trait Known: Filed {
    fn near(self, expected: Self) -> bool;
}

macro_rules! exact {
    ($($T:ident)*) => {
        $(
            impl Known for $T {
                fn near(self, expected: Self) -> bool {
                    self == expected
                }
            }
        )*
    };
}

exact!(bool i8 i32 i64 u8 u64);

macro_rules! floats {
    ($($T:ident $tolerance:literal;)*) => {
        $(
            impl Known for $T {
                fn near(self, expected: Self) -> bool {
                    let same = self == expected || (self.is_nan() && expected.is_nan());
                    same || (self - expected).abs() <= $tolerance * expected.abs().max(1.0)
                }
            }
        )*
    };
}

floats! {
    f32 2e-6;
    f64 1e-11;
}

fn folder(name: &str) -> String {
    format!("{}/tests/numpy/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The array in a file of NumPy's first format, which that script wrote.
pub fn read_file<T: Filed>(path: &str, script: &str) -> ArrayD<T> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}; run tests/numpy/{script}"));
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00", "{path}");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).expect("a header of text");
    let part = |from: &str, to: char| header.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map(|(part, _)| part).expect(from);
    assert_eq!(part("'descr': '", '\''), T::KIND, "{path}: elements of another kind");
    assert!(header.contains("'fortran_order': False"), "{path}");
    let shape: Vec<usize> = part("'shape': (", ')').split(',').filter_map(|len| len.trim().parse().ok()).collect();
    let values = bytes[end..].chunks_exact(size_of::<T>()).map(T::of_bytes).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many elements as the shape says")
}

fn read<T: Known>(kept: &str, name: &str) -> ArrayD<T> {
    read_file(&format!("{}/{name}.npy", folder(kept)), "cases.py")
}

/// Ways to cut arrays: in one piece, in twos, in threes, and unevenly with a chunk of nothing.
pub const CHUNKINGS: usize = 4;

pub fn cut<T: Element>(whole: ArrayD<T>, way: usize) -> DArray<T> {
    let along = |len: usize| match way {
        0 => vec![len],
        3 => vec![len.min(1), 0, len.saturating_sub(1)],
        _ => {
            let size = way + 1;
            let mut sizes = vec![size; len / size];
            sizes.extend(Some(len % size).filter(|rest| *rest > 0 || len == 0));
            sizes
        }
    };
    let chunks: Vec<Vec<usize>> = whole.shape().iter().map(|len| along(*len)).collect();
    DArray::from_array(whole, chunks)
}

macro_rules! inputs {
    ($($name:ident: $T:ty,)*) => {
        struct Given {
            $($name: DArray<$T>,)*
        }

        impl Given {
            fn cut(way: usize) -> Self {
                Self { $($name: cut(read("inputs", stringify!($name)), way),)* }
            }
        }
    };
}

inputs! {
    a: f64, b: f64, u: f64, n: f64, z: f64, c: f64, v: f64, w: f64, half: f64, tenth: f64, s: f32,
    i: i32, j: i32, q: i32, x: i32, e8: i8, g8: u8, l: i64, h: u64, k: i64, t: bool,
    m: f64, p: f64, sq: f64, sym: f64, row: f64, col: f64, o: f64,
}

/// Where a case runs, and in which chunking.
struct Case {
    serial: Serial,
    local: Client,
    way: usize,
}

impl Case {
    #[track_caller]
    fn same<T: Known>(&self, name: &str, array: &DArray<T>) {
        let expected = read::<T>("answers", name);
        let found = array.compute_on(&self.serial).unwrap_or_else(|failure| panic!("{name}, chunking {}: {failure}", self.way));
        assert_eq!(found.shape(), expected.shape(), "{name}, chunking {}", self.way);
        let near = found.iter().zip(&expected).all(|(found, expected)| found.near(*expected));
        assert!(near, "{name}, chunking {}: found\n{found}\nNumPy gives\n{expected}\n{}", self.way, array.explain());
        let threads = array.compute_on(&self.local).unwrap_or_else(|failure| panic!("{name}, chunking {}: {failure}", self.way));
        assert_eq!(format!("{threads:?}"), format!("{found:?}"), "{name}, chunking {}: on threads", self.way);
    }
}

/// Checks cases in every chunking.
fn each(cases: impl Fn(&Given, &Case)) {
    let local = Client::builder().threads(2).set_as_default(false).build().expect("a local engine starts");
    for way in 0..CHUNKINGS {
        let case = Case { serial: Serial::new(operator_registry()), local: local.clone(), way };
        cases(&Given::cut(way), &case);
    }
}

#[test]
fn every_answer_is_compared() {
    let source = include_str!("array_numpy.rs");
    let names: BTreeSet<String> = std::fs::read_dir(folder("answers"))
        .expect("tests/numpy/cases.py wrote it")
        .map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().trim_end_matches(".npy").to_string())
        .collect();
    assert!(names.len() >= 350, "{} answers", names.len());
    let left: Vec<&String> = names.iter().filter(|name| !source.contains(&format!("\"{name}\", "))).collect();
    assert!(left.is_empty(), "not compared: {left:?}");
}

#[test]
fn arithmetic() {
    each(|Given { a, b, u, n, z, i, j, q, e8, g8, s, row, col, .. }, case| {
        case.same("add", &(a + b));
        case.same("add_row", &(a + row));
        case.same("add_outer", &(col + row));
        case.same("subtract", &(a - b));
        case.same("multiply", &(a * b));
        case.same("divide", &(a / b));
        case.same("divide_by_zero", &(a / u.trunc()));
        case.same("negative", &-a);
        case.same("negative_i8", &-e8);
        case.same("heaviside", &z.trunc().heaviside(b));
        case.same("gcd", &i.gcd(j));
        case.same("gcd_i8", &e8.gcd(e8.flip(0)));
        case.same("lcm", &i.lcm(j));
        case.same("lcm_u8", &g8.lcm(g8.flip(0)));
        case.same("bitwise_count", &e8.bitwise_count());
        case.same("add_i8_wraps", &(e8 + e8));
        case.same("multiply_u8_wraps", &(g8 * 3));
        case.same("floor_divide", &a.floor_divide(b));
        case.same("remainder", &a.remainder(b));
        case.same("remainder_negative", &a.remainder(-b));
        case.same("fmod", &a.fmod(b));
        case.same("floor_divide_i32", &i.floor_divide(j));
        case.same("remainder_i32", &i.remainder(j));
        case.same("fmod_i32", &i.fmod(j));
        case.same("floor_divide_i32_zero", &i.floor_divide(q));
        case.same("remainder_i32_zero", &i.remainder(q));
        case.same("power", &b.pow(1.7));
        case.same("power_arrays", &b.pow(a));
        case.same("power_negative_base", &a.pow(1.5));
        case.same("power_i32", &i.pow(3));
        case.same("square", &a.square());
        case.same("absolute", &a.abs());
        case.same("absolute_i8", &e8.abs());
        case.same("sign", &z.sign());
        case.same("sign_i32", &i.sign());
        case.same("sqrt", &b.sqrt());
        case.same("sqrt_negative", &a.sqrt());
        case.same("cbrt", &a.cbrt());
        case.same("reciprocal", &b.reciprocal());
        case.same("maximum", &n.maximum(b));
        case.same("minimum", &n.minimum(b));
        case.same("fmax", &n.fmax(b));
        case.same("fmin", &n.fmin(b));
        case.same("spacing", &a.spacing());
        case.same("exp_f32", &s.exp());
        case.same("sin_f32", &s.sin());
    });
}

#[test]
fn functions() {
    each(|Given { a, b, u, z, x, half, .. }, case| {
        case.same("exp", &a.exp());
        case.same("exp2", &a.exp2());
        case.same("expm1", &a.exp_m1());
        case.same("log", &b.ln());
        case.same("log_edges", &z.ln());
        case.same("log2", &b.log2());
        case.same("log10", &b.log10());
        case.same("log1p", &b.ln_1p());
        case.same("sin", &a.sin());
        case.same("cos", &a.cos());
        case.same("tan", &a.tan());
        case.same("arcsin", &u.asin());
        case.same("arccos", &u.acos());
        case.same("arctan", &a.atan());
        case.same("arctan2", &a.atan2(u));
        case.same("hypot", &a.hypot(b));
        case.same("sinh", &a.sinh());
        case.same("cosh", &a.cosh());
        case.same("tanh", &a.tanh());
        case.same("arcsinh", &a.asinh());
        case.same("arccosh", &(b + 1.0).acosh());
        case.same("arctanh", &u.atanh());
        case.same("degrees", &a.to_degrees());
        case.same("radians", &a.to_radians());
        case.same("floor", &a.floor());
        case.same("ceil", &a.ceil());
        case.same("trunc", &a.trunc());
        case.same("rint", &half.rint());
        case.same("round_1", &a.round(1));
        case.same("round_before_the_point", &(a * 100.0).round(-1));
        case.same("sinc", &a.sinc());
        case.same("i0", &b.i0());
        case.same("copysign", &b.copysign(a));
        case.same("logaddexp", &a.log_add_exp(b));
        case.same("logaddexp2", &a.log_add_exp2(b));
        case.same("nextafter", &a.next_after(b));
        case.same("ldexp", &a.ldexp(x));
        case.same("frexp_mantissa", &a.frexp().0);
        case.same("frexp_exponent", &a.frexp().1);
        case.same("modf_after", &z.modf().0);
        case.same("modf_before", &z.modf().1);
    });
}

#[test]
fn choices_and_bits() {
    each(|Given { a, b, n, z, i, j, q, t, row, .. }, case| {
        case.same("signbit", &z.signbit());
        case.same("isnan", &z.is_nan());
        case.same("isfinite", &z.is_finite());
        case.same("isinf", &z.is_infinite());
        case.same("isposinf", &z.is_pos_inf());
        case.same("isneginf", &z.is_neg_inf());
        case.same("nan_to_num", &z.nan_to_num());
        case.same("clip", &n.clip(-1.0, 2.0));
        case.same("clip_row", &a.clip(row - 1.0, row + 1.0));
        case.same("where", &where_(t, a, b));
        case.same("where_number", &a.where_(&a.gt(0.0), -1.0));
        case.same("select", &select(&[(a.gt(2.0), b.clone()), (a.lt(-2.0), a.clone())], 0.5));
        case.same("isclose", &a.is_close(&(a * (1.0 + 1e-5)), 1e-5, 1e-8));
        case.same("isclose_infinite", &z.is_close(&(z + 1e-9), 1e-5, 1e-8));
        case.same("equal", &a.trunc().eq(b.trunc()));
        case.same("not_equal", &n.neq(n));
        case.same("less", &n.lt(b));
        case.same("greater_equal", &n.gt_eq(b));
        case.same("logical_and", &q.logical_and(&i.gt(0)));
        case.same("logical_or", &q.logical_or(&i.gt(0)));
        case.same("logical_xor", &q.logical_xor(i));
        case.same("logical_not", &q.logical_not());
        case.same("bitwise_and", &(i & j));
        case.same("bitwise_or", &(i | j));
        case.same("bitwise_xor", &(i ^ j));
        case.same("invert", &!i);
        case.same("left_shift", &(i << 2));
        case.same("right_shift", &(i >> 1));
        case.same("astype_i32", &a.cast::<i32>());
        case.same("astype_u8", &i.cast::<u8>());
        case.same("astype_f32", &a.cast::<f32>());
        case.same("astype_f64", &t.cast::<f64>());
    });
}

#[test]
fn sums_means_and_spread() {
    each(|Given { a, b, z, c, s, e8, g8, l, h, t, o, .. }, case| {
        case.same("sum", &a.sum());
        case.same("sum_axis_0", &a.sum_axis(0));
        case.same("sum_axis_1_kept", &a.sum_axis(Axes::of(1).keepdims()));
        case.same("sum_axes", &c.sum_axis([0, 2]));
        case.same("sum_no_axes", &c.sum_axis(Vec::<isize>::new()));
        case.same("sum_i8", &e8.sum_axis(0));
        case.same("sum_u8", &g8.sum_axis(1));
        case.same("sum_bool", &t.sum_axis(0));
        case.same("sum_i64_wraps", &l.sum());
        case.same("sum_u64_wraps", &h.sum());
        case.same("sum_f32", &s.sum_axis(0));
        case.same("sum_infinite", &z.sum_axis(1));
        case.same("sum_of_nothing", &o.sum_axis(0));
        case.same("prod", &b.prod());
        case.same("prod_axis_1", &a.prod_axis(1));
        case.same("prod_i8", &e8.prod_axis(1));
        case.same("prod_of_nothing", &o.prod_axis(0));
        case.same("mean", &a.mean());
        case.same("mean_axis_0", &a.mean_axis(0));
        case.same("mean_axes_kept", &c.mean_axis(Axes::of([0, 1]).keepdims()));
        case.same("mean_i8", &e8.mean_axis(1));
        case.same("mean_u64", &h.mean());
        case.same("mean_bool", &t.mean_axis(1));
        case.same("mean_f32", &s.mean_axis(1));
        case.same("mean_of_nothing", &o.mean_axis(0));
        case.same("std", &a.std(0.0));
        case.same("std_ddof_1", &a.std_axis(0, 1.0));
        case.same("std_f32", &s.std_axis(0, 0.0));
        case.same("var", &c.var_axis([0, 1], 0.0));
        case.same("var_ddof_1", &c.var_axis(2, 1.0));
        case.same("var_i8", &e8.var_axis(0, 0.0));
        case.same("var_ddof_is_count", &a.var_axis(0, 5.0));
        case.same("var_one_element", &a.slice_axis(0, ..1).var_axis(0, 1.0));
    });
}

#[test]
fn extremes_places_and_truths() {
    each(|Given { a, n, c, e8, l, h, t, o, v, .. }, case| {
        case.same("min", &n.min_axis(0));
        case.same("max", &a.max_axis(1));
        case.same("max_all", &a.max());
        case.same("min_i64", &l.min());
        case.same("max_u64", &h.max());
        case.same("min_bool", &t.min_axis(0));
        case.same("ptp", &c.ptp_axis(1));
        case.same("ptp_i8_wraps", &e8.ptp_axis(0));
        case.same("any", &t.any_axis(0));
        case.same("all", &t.all_axis(1));
        case.same("any_of_nothing", &o.any_axis(0));
        case.same("all_of_nothing", &o.all_axis(0));
        case.same("any_nan", &n.is_nan().any_axis(1));
        case.same("argmin", &a.argmin_axis(0));
        case.same("argmax", &a.argmax_axis(1));
        case.same("argmax_flat", &c.argmax());
        case.same("argmin_nan", &n.argmin_axis(1));
        case.same("argmax_ties_i64", &l.argmax());
        case.same("argmax_ties_u64", &h.argmax());
        case.same("argmax_ties_f64", &v.argmax());
        case.same("count_nonzero", &a.trunc().count_nonzero_axis(0));
    });
}

#[test]
fn without_nan_and_running() {
    each(|Given { a, n, z, c, e8, g8, t, .. }, case| {
        case.same("nansum", &n.nansum_axis(1));
        case.same("nanprod", &n.nanprod_axis(0));
        case.same("nanmean", &n.nanmean_axis(0));
        case.same("nanmean_of_nan", &n.slice(s![1..2, ..1]).nanmean_axis(0));
        case.same("nanmean_infinite", &z.nanmean_axis(1));
        case.same("nanmean_infinite_flat", &z.slice_axis(0, ..3).nanmean());
        case.same("nanvar_infinite", &z.nanvar_axis(0, 0.0));
        case.same("nanstd", &n.nanstd(0.0));
        case.same("nanvar", &n.nanvar_axis(1, 0.0));
        case.same("nanvar_ddof_1", &n.nanvar_axis(0, 1.0));
        case.same("nanvar_ddof_is_count", &n.slice_axis(0, ..2).nanvar_axis(0, 2.0));
        case.same("nanmin", &n.nanmin_axis(0));
        case.same("nanmax", &n.nanmax());
        case.same("nanargmin", &n.nanargmin_axis(1));
        case.same("nanargmax", &n.nanargmax_axis(0));
        case.same("cumsum_axis_0", &a.cumsum(0));
        case.same("cumsum_axis_1", &c.cumsum(1));
        case.same("cumsum_i8", &e8.cumsum(0));
        case.same("cumsum_u8", &g8.cumsum(1));
        case.same("cumsum_bool", &t.cumsum(1));
        case.same("cumsum_infinite", &z.cumsum(1));
        case.same("cumprod", &a.cumprod(1));
        case.same("cumprod_i8", &e8.cumprod(0));
        case.same("nancumsum", &n.nancumsum(0));
        case.same("nancumprod", &n.nancumprod(1));
        case.same("push", &n.push(1, None));
    });
}

#[test]
fn weights_norms_and_covariances() {
    each(|Given { a, b, m, .. }, case| {
        case.same("average", &a.average(&a.index_axis(0, 0).abs(), 1));
        case.same("average_2d", &a.average(b, 0));
        case.same("norm", &a.norm());
        case.same("norm_1", &a.norm_axis(Norm::Sum, 0));
        case.same("norm_2", &a.norm_axis(Norm::Euclidean, 1));
        case.same("norm_3", &a.norm_axis(Norm::Power(3.0), 0));
        case.same("norm_max", &a.norm_axis(Norm::Max, 1));
        case.same("norm_min", &a.norm_axis(Norm::Min, 1));
        case.same("cov", &m.cov(1.0));
        case.same("cov_ddof_0", &m.cov(0.0));
        case.same("cov_columns", &m.t().cov(1.0));
        case.same("corrcoef", &m.corrcoef());
    });
}

#[test]
fn quantiles() {
    each(|Given { a, n, c, e8, .. }, case| {
        case.same("median", &a.median(Axes::all()));
        case.same("median_axis_0", &a.median(0));
        case.same("median_kept", &c.median(Axes::of([0, 2]).keepdims()));
        case.same("median_nan", &n.median(1));
        case.same("nanmedian", &n.nanmedian(1));
        case.same("quantile", &a.quantile(0.3, 1));
        case.same("quantiles", &c.quantiles(&[0.0, 0.1, 0.5, 0.77, 1.0], 1));
        case.same("quantile_i8", &e8.quantile(0.9, 0));
        case.same("percentile", &a.percentile(37.0, Axes::all()));
        case.same("quantile_lower", &a.quantile_with(0.4, 0, Between::Lower));
        case.same("quantile_higher", &a.quantile_with(0.4, 0, Between::Higher));
        case.same("quantile_nearest", &c.quantile_with(0.5, 1, Between::Nearest));
        case.same("quantile_midpoint", &a.quantile_with(0.4, 0, Between::Midpoint));
        case.same("nanquantile", &n.nanquantile(0.2, 0));
        case.same("nanpercentile", &n.nanpercentile(80.0, Axes::all()));
    });
}

#[test]
fn in_order() {
    each(|Given { a, n, c, v, w, e8, l, h, t, .. }, case| {
        case.same("sort", &v.sort(0));
        case.same("sort_axis_0", &c.sort(0));
        case.same("sort_axis_1", &c.sort(1));
        case.same("sort_nan", &n.sort(1));
        case.same("sort_nan_flat", &n.ravel().sort(0));
        case.same("sort_i64", &l.sort(0));
        case.same("sort_u64", &h.sort(-1));
        case.same("sort_i8", &e8.ravel().sort(0));
        case.same("sort_bool", &t.ravel().sort(0));
        case.same("argsort", &v.argsort(0));
        case.same("argsort_axis_1", &n.argsort(1));
        case.same("argsort_nan_flat", &n.ravel().argsort(0));
        case.same("argsort_u64", &h.argsort(0));
        case.same("topk", &a.topk(3, 1));
        case.same("topk_least", &a.topk(-2, 0));
        case.same("argtopk", &v.argtopk(6, 0));
        case.same("unique", &v.unique());
        case.same("unique_counts", &v.unique_counts().1);
        case.same("unique_inverse", &a.trunc().unique_inverse().1);
        case.same("unique_nan", &n.unique());
        case.same("unique_u64", &h.unique());
        case.same("union1d", &concatenate(&[v.clone(), w.clone()], 0).unique());
        case.same("isin", &a.trunc().is_in(&[0.0, 2.0, -3.0, f64::NAN]));
        case.same("searchsorted_left", &w.searchsorted(v, Side::Left));
        case.same("searchsorted_right", &w.searchsorted(v, Side::Right));
        case.same("searchsorted_nan", &w.searchsorted(n, Side::Left));
        case.same("digitize", &v.digitize(&[-4.0, -1.0, 0.0, 2.0, 3.5], Side::Right));
        case.same("digitize_right", &v.digitize(&[-4.0, -1.0, 0.0, 2.0, 3.5], Side::Left));
    });
}

#[test]
fn counts() {
    each(|Given { a, b, n, e8, k, tenth, .. }, case| {
        case.same("histogram", &a.histogram((7, -4.0, 5.0)));
        case.same("histogram_edges", &a.histogram(vec![-6.0, -1.0, 0.0, 0.5, 9.0]));
        case.same("histogram_on_edges", &tenth.histogram((10, 0.0, 1.0)));
        case.same("histogram_on_edges_wide", &tenth.histogram((5, 0.1, 0.8)));
        case.same("histogram_weighted", &a.histogram_weighted((5, -5.0, 5.0), b));
        case.same("histogram_density", &a.histogram_density(vec![-6.0, -1.0, 0.0, 0.5, 9.0]));
        case.same("histogram_i8", &e8.histogram((8, -128.0, 127.0)));
        let (even, edges) = (((4, -5.0, 5.0), (3, 0.0, 4.0)), (vec![-5.0, 0.0, 1.0, 6.0], vec![0.0, 1.0, 4.0]));
        case.same("histogram2d", &a.histogram2d(b, even.0, even.1).cast::<f64>());
        case.same("histogram2d_edges", &a.histogram2d(b, edges.0.clone(), edges.1.clone()).cast::<f64>());
        case.same("histogram2d_weighted", &a.histogram2d_weighted(b, even.0, even.1, &a.abs()));
        case.same("histogram2d_density", &a.histogram2d_density(b, edges.0, edges.1));
        let bins: [Bins; 3] = [(3, -5.0, 5.0).into(), (2, 0.0, 4.0).into(), (4, -4.0, 4.0).into()];
        case.same("histogramdd", &histogramdd(&[a, b, n], &bins).cast::<f64>());
        case.same("bincount", &k.bincount(9));
        case.same("bincount_weighted", &k.bincount_weighted(8, &(DArray::arange(0.0, 40.0, 1.0, 7) / 8.0)));
    });
}

#[test]
fn differences() {
    each(|Given { a, n, c, v, g8, half, .. }, case| {
        case.same("diff", &a.diff(1, -1));
        case.same("diff_twice", &c.diff(2, 1));
        case.same("diff_u8_wraps", &g8.diff(1, 1));
        case.same("diff_axis_0", &a.diff(1, 0));
        case.same("ediff1d", &a.ravel().diff(1, 0));
        let places = [0.0, 1.0, 2.5, 4.0, 4.5];
        case.same("gradient_places", &a.gradient_with(&places, 0, 1));
        case.same("gradient_places_2", &a.gradient_with(&places, 0, 2));
        case.same("gradient_even_2", &a.gradient_with(&[0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0], 1, 2));
        case.same("gradient", &v.gradient(1.0, 0));
        case.same("gradient_spaced", &a.gradient(0.5, 1));
        case.same("gradient_axis_0", &c.gradient(2.0, 0));
        case.same("interp", &a.interp(&[-3.0, -1.0, 0.0, 4.0], &[1.0, 0.0, 5.0, -2.0]));
        case.same("interp_nan", &n.interp(&[-3.0, -1.0, 0.0, 4.0], &[1.0, 0.0, 5.0, -2.0]));
        case.same("interp_on_points", &half.interp(&[-2.0, 0.0, 1.5], &[4.0, 1.0, 7.0]));
    });
}

#[test]
fn parts_and_places() {
    each(|Given { a, c, x, k, t, row, .. }, case| {
        case.same("slice", &a.slice(s![1..4, ..;2]));
        case.same("slice_back", &a.slice(s![..;-1, ..;-2]));
        case.same("slice_from_to_back", &a.slice(s![1..5;-2, 2..6;-1]));
        case.same("slice_place", &a.slice(s![-2, 1..]));
        case.same("slice_new_axis", &c.slice(s![1, NewAxis, .., ..;3]));
        case.same("slice_empty", &a.slice(s![3..3]));
        case.same("take", &c.take([3, 0, 0, -1], 1));
        case.same("insert", &a.insert(2, &row.expand_dims(0), 0));
        case.same("delete", &a.delete([1, -1], 1));
        case.same("compress", &a.compress(&a.index_axis(1, 0).gt(0.0), 0));
        case.same("extract", &a.mask(t));
        case.same("argwhere", &c.gt(0.0).argwhere());
        case.same("flatnonzero", &t.flatnonzero());
        let places = x.nonzero().expect("known sizes");
        case.same("nonzero_rows", &places[0]);
        case.same("nonzero_columns", &places[1]);
        case.same("unravel_index", &stack(&k.unravel_index([2, 2, 2]), 0));
        let whole = x.abs().cast::<i64>();
        case.same("ravel_multi_index", &DArray::ravel_multi_index(&[whole.remainder(3), whole.clone()], [3, 5]));
        case.same("vindex", &c.vindex(&[&[0, 2, -1], &[3, 0, 1], &[4, -1, 0]]));
        case.same("take_array", &a.take_array(&whole.index_axis(0, 0).remainder(5), 0));
        case.same("vindex_arrays", &a.vindex_arrays(&[&whole.remainder(5), &whole.remainder(7)]));
        case.same("assigned_slice", &a.with_slice(s![1..4, ..;2], row.slice(s![..4])));
        case.same("assigned_mask", &a.where_(&!a.gt(1.0), 0.0));
        let running = |lane: partita::ndarray::ArrayView1<'_, f64>| {
            let sums = lane.iter().rev().scan(0.0, |sum, x| {
                *sum += x;
                Some(*sum)
            });
            sums.collect::<partita::ndarray::Array1<f64>>()
        };
        case.same("apply_along_axis", &a.apply_along_axis(0, 5, running));
    });
}

#[test]
fn what_stands_around() {
    each(|Given { a, c, i, .. }, case| {
        case.same("pad_constant", &a.pad(&[(1, 2), (0, 3)], Pad::Constant(7.0)));
        case.same("pad_edge", &a.pad(&[(2, 2)], Pad::Edge));
        case.same("pad_reflect", &a.pad(&[(6, 3), (1, 8)], Pad::Reflect));
        case.same("pad_symmetric", &a.pad(&[(6, 3), (1, 8)], Pad::Symmetric));
        case.same("pad_wrap", &a.pad(&[(6, 3), (1, 8)], Pad::Wrap));
        case.same("pad_linear_ramp", &c.pad(&[(1, 2), (0, 0), (3, 1)], Pad::LinearRamp(-2.0)));
        case.same("pad_linear_ramp_i32", &i.pad(&[(3, 2), (0, 4)], Pad::LinearRamp(-7)));
        case.same("pad_maximum", &a.pad(&[(1, 1)], Pad::Maximum));
        case.same("pad_minimum", &a.pad(&[(1, 1)], Pad::Minimum));
        case.same("pad_mean", &a.pad(&[(1, 0), (0, 2)], Pad::Mean));
        case.same("pad_mean_i32", &i.pad(&[(1, 0), (0, 0)], Pad::Mean));
    });
}

#[test]
fn other_shapes() {
    each(|Given { a, n, c, v, row, col, .. }, case| {
        case.same("roll", &a.roll(2, 1));
        case.same("roll_back", &c.roll(-5, 1));
        case.same("roll_flat", &a.ravel().roll(4, 0).reshape([5, 7]));
        case.same("flip", &c.flip([0, 2]));
        case.same("rot90", &a.rot90(1, [0, 1]));
        case.same("rot90_back", &c.rot90(-1, [1, 2]));
        case.same("transpose", &c.transpose([2, 0, 1]));
        case.same("moveaxis", &c.move_axis(0, -1));
        case.same("swapaxes", &c.swap_axes(0, 1));
        case.same("reshape", &c.reshape([6, 10]));
        case.same("ravel", &c.ravel());
        case.same("expand_dims", &c.expand_dims([0, 2]));
        case.same("tile", &a.tile(&[2, 3]));
        case.same("repeat", &a.repeat(3, 1));
        case.same("concatenate", &concatenate(&[a.clone(), n.clone()], 1));
        case.same("stack", &stack(&[a.clone(), n.clone()], 1));
        case.same("vstack", &vstack(&[row.clone(), row * 2.0]));
        case.same("hstack", &hstack(&[row.clone(), v.clone()]));
        case.same("dstack", &dstack(&[a.clone(), n.clone()]));
        case.same("block", &from_blocks(&[&[a.clone(), col.clone()], &[row.reshape([1, 7]), DArray::ones([1, 1], 1)]]));
        case.same("broadcast_to", &col.broadcast_to([2, 5, 7]));
        case.same("tril", &c.tril(1));
        case.same("triu", &c.triu(-1));
        case.same("diag_of_line", &row.diag(2));
        case.same("diag_of_matrix", &a.diag(-1));
        case.same("diagonal", &c.diagonal(1, 0, 2));
        case.same("diagonal_below", &c.diagonal(-1, 0, 1));
        case.same("trace", &a.trace(2));
        case.same("sliding_window_view", &a.sliding_window_view(&[(1, 3)]));
        case.same("coarsen", &c.coarsen(&[(1, 2)], |windows, axes| windows.mean_axis(axes)));
        case.same("meshgrid", &stack(&meshgrid(&[row.clone(), v.clone()]).expect("two lines"), 0));
    });
}

#[test]
fn made_of_nothing() {
    each(|_, case| {
        let chunks = [-1, 2, 3, 1][case.way];
        case.same("eye", &DArray::<f64>::eye(4, chunks));
        case.same("tri", &DArray::<f64>::tri(4, 6, 1, chunks));
        let (below, above) = (DArray::tril_indices(4, 5, 1, chunks), DArray::triu_indices(5, 5, -1, chunks));
        let (below, above) = (below.expect("a triangle"), above.expect("a triangle"));
        case.same("tril_indices_rows", &below[0]);
        case.same("tril_indices_columns", &below[1]);
        case.same("triu_indices_rows", &above[0]);
        case.same("triu_indices_columns", &above[1]);
        case.same("arange", &DArray::arange(-3.0, 4.0, 0.7, chunks));
        case.same("arange_back", &DArray::arange(9i64, -4, -3, chunks));
        case.same("linspace", &DArray::linspace(-1.0, 2.0, 13, chunks));
        case.same("indices", &DArray::indices([3, 4], chunks));
    });
}

#[test]
fn products() {
    each(|Given { a, b, c, v, w, i, j, m, p, x, z, row, sq, .. }, case| {
        case.same("matmul", &m.matmul(p));
        case.same("matmul_line", &a.matmul(row));
        case.same("matmul_i32", &i.matmul(&j.t()));
        case.same("matmul_stacked", &c.matmul(&c.swap_axes(1, 2)));
        case.same("dot", &c.dot(&a.slice_axis(1, ..4)));
        case.same("tensordot", &c.tensordot(c, &[0, 2], &[0, 2]));
        case.same("vdot", &a.vdot(b));
        case.same("outer", &row.outer(v));
        case.same("kron", &m.kron(p));
        case.same("einsum_product", &einsum("ij,jk->ik", &[m, p]));
        case.same("einsum_diagonal", &einsum("ii->i", &[sq]));
        case.same("einsum_diagonal_between", &einsum("iji->ij", &[&c.slice_axis(2, ..3)]));
        case.same("einsum_traces", &einsum("bii->b", &[&c.slice_axis(2, ..4)]));
        case.same("einsum_sum", &einsum("ijk->j", &[c]));
        case.same("einsum_three", &einsum("ij,jk,lk->il", &[m, p, p]));
        case.same("einsum_batch", &einsum("bij,bkj->bik", &[c, c]));
        case.same("einsum_dots", &einsum("...ij,...jk->...ik", &[c, &a.slice_axis(1, ..4)]));
        case.same("einsum_dots_without_arrow", &einsum("i...,i...", &[c, &c.slice_axis(1, ..1)]));
        case.same("einsum_dots_moved", &einsum("...k -> k...", &[c]));
        case.same("einsum_outer", &einsum("i,j->ij", &[row, v]));
        case.same("einsum_without_arrow", &einsum("ij,kj", &[a, b]));
        let (some, sizes, some_w) = (where_(&z.is_nan(), 0.0, z), x.abs().cast::<f64>(), w.slice_axis(0, 5..));
        case.same("einsum_alone", &einsum("ij,kj->k", &[&some.slice_axis(0, ..2), &sizes]));
        case.same("einsum_alone_both", &einsum("ij,kl->il", &[&some, &sizes]));
        case.same("einsum_alone_outer", &einsum("ij,k->i", &[&some, &some_w]));
        case.same("einsum_alone_signs", &einsum("ij,k->i", &[&some, &(&some_w - 8.0)]));
        case.same("einsum_alone_zero", &einsum("ij,k->i", &[z, &(&some_w - 2.0)]));
        case.same("einsum_alone_mixed", &einsum("ij,k->i", &[&some, &(some_w - 3.0)]));
        case.same("einsum_alone_i32", &einsum("ij,kj->k", &[x, x]));
    });
}

#[test]
fn equations() {
    each(|Given { m, p, sq, sym, .. }, case| {
        case.same("inv", &sq.inv());
        case.same("det", &sq.det());
        case.same("solve", &sq.solve(m));
        case.same("cholesky", &sym.cholesky());
        let found = p.lstsq_full(&m.t());
        case.same("lstsq", &found.solution);
        case.same("lstsq_residuals", &found.residuals);
        case.same("lstsq_rank", &found.rank);
        case.same("lstsq_singular", &found.singular_values);
        case.same("svd_values", &p.svd().1);
        // NumPy has the least first.
        case.same("eigh_values", &sym.eigh().0.sort(0));
    });
}

/// Both numbers of a test of samples.
macro_rules! tested {
    ($case:ident, $($name:literal, $p:literal, $found:expr;)*) => {
        $(
            let found: Tested = $found;
            $case.same($name, &found.statistic);
            $case.same($p, &found.pvalue);
        )*
    };
}

#[test]
fn samples_and_their_tests() {
    each(|Given { a, b, v, k, m, i, .. }, case| {
        case.same("skew", &a.skew(1));
        case.same("skew_line", &v.skew(0));
        case.same("kurtosis", &a.kurtosis(0));
        let wide = k.reshape([10, 4]);
        let counts = i.square().cast::<f64>() + 3.0;
        let expected = b.slice(s![..4, ..6]) * 10.0;
        let shifted = k.cast::<f64>() + 0.5;
        tested! {
            case,
            "skewtest", "skewtest_p", wide.skewtest(0);
            "kurtosistest", "kurtosistest_p", wide.kurtosistest(0);
            "normaltest", "normaltest_p", wide.normaltest(0);
            "ttest_1samp", "ttest_1samp_p", a.ttest_1samp(0.5, 0);
            "ttest_rel", "ttest_rel_p", a.ttest_rel(b, 1);
            "ttest_ind", "ttest_ind_p", a.ttest_ind(&b.slice_axis(1, ..6), 1, true);
            "ttest_welch", "ttest_welch_p", a.ttest_ind(&b.slice_axis(1, ..6), 1, false);
            "chisquare", "chisquare_p", counts.chisquare(None, 1);
            "chisquare_expected", "chisquare_expected_p", counts.chisquare(Some(&expected), 0);
            "power_cressie", "power_cressie_p", counts.power_divergence(None, 1, 2.0 / 3.0);
            "power_neyman", "power_neyman_p", counts.power_divergence(None, 1, -2.0);
            "power_likelihood", "power_likelihood_p", counts.power_divergence(None, 1, 0.0);
            "power_turned", "power_turned_p", counts.power_divergence(None, 1, -1.0);
            "f_oneway", "f_oneway_p", f_oneway(&[v, &shifted, &m.ravel()]);
        }
    });
}

/// The reader of files reads what is known of one of them.
#[test]
fn files_are_read() {
    assert_eq!(read::<f64>("inputs", "w"), array![-5.0, -2.5, -1.0, 0.0, 0.0, 1.5, 2.0, 4.0, 7.0].into_dyn());
    assert_eq!(read::<u64>("inputs", "h")[[2]], u64::MAX);
    assert!(!f64::NAN.near(1.0) && !1.0f64.near(f64::NAN) && f64::NAN.near(f64::NAN) && !1.000_000_001f64.near(1.0));
}
