//! What NumPy gives for each kind of whole numbers and of complex numbers, and for Fourier transforms, which `tests/numpy/kinds.py` computed and
//! wrote into files, and what arrays give for the same inputs in several chunkings.
//!
//! Whole numbers and truths are the same. Others agree up to a few roundings of the largest element of the answer.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::array_any::{C64, C128, Kind, near};
use super::array_numpy::{CHUNKINGS, Filed, cut, read_file};
use partita::ndarray::ArrayD;
use partita::prelude::*;
use partita::{Bits, Element, Fft, FftNorm, Inexact, Integer, Norm, Side, einsum, where_};

/// One kind's answers, in one chunking.
struct Case {
    kind: &'static str,
    way: usize,
    seen: RefCell<BTreeSet<String>>,
}

impl Case {
    fn folder(&self) -> String {
        format!("{}/tests/numpy/kinds/{}", env!("CARGO_MANIFEST_DIR"), self.kind)
    }

    fn read<T: Filed>(&self, name: &str) -> ArrayD<T> {
        self.seen.borrow_mut().insert(format!("{name}.npy"));
        read_file(&format!("{}/{name}.npy", self.folder()), "kinds.py")
    }

    fn input<T: Filed>(&self, name: &str) -> DArray<T> {
        cut(self.read(&format!("in_{name}")), self.way)
    }

    #[track_caller]
    fn same<T: Kind + Filed>(&self, name: &str, found: &DArray<T>) {
        let expected = self.read::<T>(name);
        let sizes = expected.iter().flat_map(|x| x.parts()).map(f64::abs).filter(|size| size.is_finite());
        let largest = sizes.fold(1.0, f64::max);
        let numbers: Vec<([f64; 2], f64)> = expected.iter().map(|x| (x.parts(), largest)).collect();
        near(&format!("{name} of {}, chunking {}", self.kind, self.way), found, expected.shape(), &numbers);
    }
}

/// Checks cases in every chunking, and that none of the answers was left out.
fn each(kind: &'static str, cases: impl Fn(&Case)) {
    for way in 0..CHUNKINGS {
        let case = Case { kind, way, seen: RefCell::default() };
        cases(&case);
        let entries = std::fs::read_dir(case.folder()).expect("tests/numpy/kinds.py wrote it");
        let names: BTreeSet<String> =
            entries.map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned()).collect();
        assert_eq!(names, case.seen.into_inner(), "{kind}: what NumPy answered, and what was compared");
    }
}

fn whole<T: Kind + Filed + Integer + Bits + Element<Sum: Kind + Filed, Mean: Kind + Filed, Spread: Kind + Filed>>(case: &Case) {
    let (a, b, c) = (&case.input::<T>("a"), &case.input::<T>("b"), &case.input::<T>("c"));
    let number = |number: f64| T::of([number, 0.0]);
    case.same("add", &(a + b));
    case.same("add_row", &(a + b.index_axis(0, 1)));
    case.same("add_column", &(a.slice_axis(1, 1..2) + b));
    case.same("subtract", &(a - b));
    case.same("multiply", &(a * b));
    case.same("floor_divide", &a.floor_divide(b));
    case.same("remainder", &a.remainder(b));
    case.same("fmod", &a.fmod(b));
    case.same("power", &a.pow(number(3.0)));
    case.same("power_arrays", &b.pow(b.abs().remainder(number(2.0))));
    case.same("square", &a.square());
    case.same("absolute", &a.abs());
    case.same("sign", &a.sign());
    case.same("maximum", &a.maximum(b));
    case.same("minimum", &a.minimum(b));
    case.same("clip", &a.clip(b, number(50.0)));
    case.same("bitwise_and", &(a & b));
    case.same("bitwise_or", &(a | b));
    case.same("bitwise_xor", &(a ^ b));
    case.same("invert", &!a);
    case.same("left_shift", &(a << number(2.0)));
    case.same("right_shift", &(a >> number(2.0)));
    case.same("bitwise_count", &a.bitwise_count());
    case.same("gcd", &a.gcd(b));
    case.same("lcm", &b.lcm(b.flip(0)));
    case.same("less", &a.lt(b));
    case.same("greater_equal", &a.gt_eq(b));
    case.same("equal", &b.eq(b.flip(0)));
    case.same("logical_not", &b.logical_not());
    case.same("where", &where_(&a.gt(b), a, b));
    case.same("astype_f64", &a.cast::<f64>());
    case.same("astype_f32", &a.cast::<f32>());
    case.same("astype_i8", &a.cast::<i8>());
    case.same("astype_u16", &a.cast::<u16>());
    case.same("astype_i64", &a.cast::<i64>());
    case.same("astype_bool", &a.cast::<bool>());
    case.same("astype_c128", &a.cast::<C128>());
    case.same("sum", &a.sum());
    case.same("sum_axis_0", &a.sum_axis(0));
    case.same("sum_kept", &a.sum_axis(Axes::of(1).keepdims()));
    case.same("prod", &b.prod_axis(1));
    case.same("mean", &a.mean());
    case.same("mean_axis_1", &a.mean_axis(1));
    case.same("std", &b.std(0.0));
    case.same("var_ddof_1", &b.var_axis(0, 1.0));
    case.same("cumsum", &a.cumsum(0));
    case.same("cumsum_axis_1", &a.cumsum(1));
    case.same("cumprod", &b.cumprod(1));
    case.same("min", &a.min_axis(0));
    case.same("max", &a.max_axis(1));
    case.same("ptp", &b.ptp_axis(0));
    case.same("argmin", &a.argmin_axis(0));
    case.same("argmax", &a.argmax());
    case.same("any", &b.any_axis(0));
    case.same("all", &b.all_axis(1));
    case.same("count_nonzero", &b.count_nonzero_axis(1));
    case.same("median", &b.median(0));
    case.same("quantile", &b.quantile(0.3, 1));
    case.same("sort", &a.sort(1));
    case.same("sort_flat", &a.ravel().sort(0));
    case.same("argsort", &b.argsort(0));
    case.same("topk", &b.topk(3, 1));
    case.same("unique", &b.unique());
    case.same("unique_counts", &b.unique_counts().1);
    case.same("searchsorted", &b.ravel().sort(0).searchsorted(a, Side::Right));
    case.same("isin", &b.is_in_array(c));
    case.same("bincount", &c.bincount(6));
    case.same("histogram", &b.histogram((5, -5.0, 5.0)));
    case.same("diff", &a.diff(1, 1));
    case.same("matmul", &a.matmul(c));
    case.same("tensordot", &b.tensordot(a, &[0, 1], &[0, 1]));
    case.same("outer", &b.index_axis(0, 0).outer(c));
    case.same("cov", &b.cov(1.0));
}

/// Complex numbers of either kind, and whether they lie on all sides of zero.
fn elementwise<T: Kind + Filed + Inexact>(case: &Case, [a, b, n]: [&DArray<T>; 3])
where
    DArray<T>: std::ops::Neg<Output = DArray<T>>,
{
    case.same("add", &(a + b));
    case.same("add_row", &(a + b.index_axis(0, 1)));
    case.same("add_hard", &(n + a));
    case.same("subtract", &(a - b));
    case.same("multiply", &(a * b));
    case.same("divide", &(a / b));
    case.same("negative", &-a.clone());
    case.same("square", &a.square());
    case.same("reciprocal", &a.reciprocal());
    case.same("power_3", &a.powi(3));
    case.same("power_arrays", &a.pow(b));
    case.same("sign", &a.sign());
    case.same("conj", &a.conj());
    case.same("iscomplex", &a.is_complex());
    case.same("isnan", &n.is_nan());
    case.same("isfinite", &n.is_finite());
    case.same("isinf", &n.is_infinite());
    case.same("diff", &a.diff(1, 1));
    case.same("transpose", &a.t());
    case.same("roll", &a.roll(2, 1));
    case.same("take", &a.take([3, 0, -1], 1));
}

fn functions<T: Kind + Filed + Inexact>(case: &Case, u: &DArray<T>) {
    case.same("sqrt", &u.sqrt());
    case.same("exp", &u.exp());
    case.same("exp2", &u.exp2());
    case.same("expm1", &u.exp_m1());
    case.same("log", &u.ln());
    case.same("log2", &u.log2());
    case.same("log10", &u.log10());
    case.same("log1p", &u.ln_1p());
    case.same("sin", &u.sin());
    case.same("cos", &u.cos());
    case.same("tan", &u.tan());
    case.same("arcsin", &u.asin());
    case.same("arccos", &u.acos());
    case.same("arctan", &u.atan());
    case.same("sinh", &u.sinh());
    case.same("cosh", &u.cosh());
    case.same("tanh", &u.tanh());
    case.same("arcsinh", &u.asinh());
    case.same("arccosh", &u.acosh());
    case.same("arctanh", &u.atanh());
}

fn together<T>(case: &Case, [a, b, c, n, u]: [&DArray<T>; 5])
where
    T: Kind + Filed + Inexact + Element<Sum = T, Mean = T, Spread: Kind + Filed>,
{
    case.same("sum", &a.sum());
    case.same("sum_axis_0", &a.sum_axis(0));
    case.same("sum_kept", &a.sum_axis(Axes::of(1).keepdims()));
    case.same("sum_hard", &n.sum_axis(1));
    case.same("nansum", &n.slice_axis(0, ..2).nansum_axis(1));
    case.same("prod", &u.prod_axis(0));
    case.same("nanprod", &n.slice_axis(0, ..2).nanprod_axis(1));
    case.same("mean", &a.mean());
    case.same("mean_axis_1", &a.mean_axis(1));
    case.same("std", &a.std(0.0));
    case.same("std_axis_0", &a.std_axis(0, 0.0));
    case.same("var_ddof_1", &a.var_axis(1, 1.0));
    case.same("cumsum", &a.cumsum(0));
    case.same("cumsum_axis_1", &a.cumsum(1));
    case.same("cumprod", &u.cumprod(1));
    case.same("any", &a.any_axis(0));
    case.same("all", &a.all_axis(1));
    case.same("count_nonzero", &a.count_nonzero_axis(0));
    case.same("matmul", &a.matmul(c));
    case.same("vdot", &a.vdot(b));
    case.same("tensordot", &a.tensordot(b, &[0], &[0]));
    case.same("outer", &a.index_axis(0, 0).outer(c));
    case.same("einsum", &einsum("ij,jk->ki", &[a, c]));
    case.same("trace", &a.trace(1));
}

macro_rules! complex {
    ($($name:ident $C:ident $kind:ident;)*) => {
        $(
            fn $name(case: &Case) {
                let (a, b, c) = (&case.input::<$C>("a"), &case.input::<$C>("b"), &case.input::<$C>("c"));
                let (n, u) = (&case.input::<$C>("n"), &case.input::<$C>("u"));
                elementwise(case, [a, b, n]);
                functions(case, u);
                together(case, [a, b, c, n, u]);
                case.same("real", &a.re());
                case.same("imag", &a.im());
                case.same("absolute", &a.abs());
                case.same("angle", &a.angle());
                case.same("isreal", &a.re().to_complex(0.0).is_real());
                case.same("equal", &a.eq(where_(&a.re().gt(0.0), a, b)));
                case.same("where", &where_(&a.re().gt(0.0), a, b));
                case.same("isclose", &a.is_close(&(a * Complex::new(1.0, 1e-6)), 1e-5, 1e-8));
                case.same("average", &a.average(&a.index_axis(0, 0).abs().to_complex(0.0), 1));
                case.same("norm", &a.norm());
                case.same("norm_axis_1", &a.norm_axis(Norm::Euclidean, 1));
            }

            #[test]
            fn $kind() {
                each(stringify!($kind), $name);
            }
        )*
    };
}

complex! {
    of_c64 C64 complex64;
    of_c128 C128 complex128;
}

macro_rules! whole {
    ($($T:ident $kind:ident;)*) => {
        $(
            #[test]
            fn $kind() {
                each(stringify!($kind), whole::<$T>);
            }
        )*
    };
}

whole! {
    i8 int8;
    i16 int16;
    i32 int32;
    i64 int64;
    u8 uint8;
    u16 uint16;
    u32 uint32;
    u64 uint64;
}

#[test]
fn fft() {
    each("fft", |case| {
        let (z, z32, r) = (&case.input::<C128>("z"), &case.input::<C64>("z32"), &case.input::<f64>("r"));
        complex_transforms(case, z);
        let (r32, i) = (&case.input::<f32>("r32"), &case.input::<i16>("i"));
        case.same("fft_c64", &z32.fft(-1));
        case.same("ifft_c64", &z32.ifft(-1));
        case.same("irfft_c64", &z32.irfft(-1));
        case.same("fft_i16", &i.fft(-1));
        case.same("rfft_i16", &i.rfft(-1));
        case.same("rfft_f32", &r32.rfft(-1));
        real_transforms(case, r);
        let chunks = [-1, 2, 3, 1][case.way];
        case.same("fftfreq", &DArray::fftfreq(7, 0.2, chunks));
        case.same("fftfreq_even", &DArray::fftfreq(8, 3.0, chunks));
        case.same("rfftfreq", &DArray::rfftfreq(7, 0.2, chunks));
        case.same("rfftfreq_even", &DArray::rfftfreq(8, 3.0, chunks));
    });
}

fn complex_transforms(case: &Case, z: &DArray<C128>) {
    let last = || Fft::along(-1);
    case.same("fft", &z.fft(-1));
    case.same("fft_axis_0", &z.fft(0));
    case.same("fft_shorter", &z.fft(last().len(4)));
    case.same("fft_longer", &z.fft(last().len(11)));
    case.same("fft_ortho", &z.fft(last().norm(FftNorm::Ortho)));
    case.same("fft_forward", &z.fft(last().norm(FftNorm::Forward)));
    case.same("ifft", &z.ifft(-1));
    case.same("ifft_longer", &z.ifft(Fft::along(0).len(9).norm(FftNorm::Ortho)));
    case.same("fft2", &z.fft2(Fft::default()));
    case.same("fft2_lens", &z.fft2(Fft::default().lens([4, 9])));
    case.same("ifft2", &z.ifft2(Fft::default().norm(FftNorm::Forward)));
    case.same("irfft", &z.irfft(-1));
    case.same("irfft_odd", &z.irfft(last().len(13)));
    case.same("irfft_axis_0", &z.irfft(Fft::along(0).norm(FftNorm::Ortho)));
    case.same("irfft2", &z.irfft2(Fft::default()));
    case.same("irfftn", &z.irfftn([1, 0]));
    case.same("irfftn_lens", &z.irfftn(Fft::default().lens([5, 10])));
    case.same("hfft", &z.hfft(-1));
    case.same("hfft_odd", &z.hfft(last().len(9).norm(FftNorm::Ortho)));
    case.same("ifftshift", &z.ifftshift(Axes::all()));
}

fn real_transforms(case: &Case, r: &DArray<f64>) {
    case.same("fftn", &r.fftn(Fft::default()));
    case.same("fftn_axes", &r.fftn([0, 2]));
    case.same("ifftn", &r.ifftn([1, 0]));
    case.same("rfft", &r.rfft(-1));
    case.same("rfft_odd", &r.rfft(1));
    case.same("rfft_shorter", &r.rfft(Fft::along(-1).len(3).norm(FftNorm::Ortho)));
    case.same("rfft2", &r.rfft2(Fft::default()));
    case.same("rfftn", &r.rfftn(Fft::default()));
    case.same("rfftn_axes", &r.rfftn([2, 0]));
    case.same("ihfft", &r.ihfft(-1));
    case.same("ihfft_longer", &r.ihfft(Fft::along(1).len(9)));
    case.same("fftshift", &r.fftshift(Axes::all()));
    case.same("fftshift_axis_1", &r.fftshift(1));
}
