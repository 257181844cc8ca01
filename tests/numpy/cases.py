"""Answers of NumPy that `tests/api/array_numpy.rs` compares ours with. Needs NumPy 2 and nothing else.

    python tests/numpy/cases.py

writes `inputs/NAME.npy` and `answers/NAME.npy` beside this file. Both are committed, so that no test needs Python.
"""

import math
import pathlib
import shutil
import warnings

import numpy as np

HERE = pathlib.Path(__file__).parent
warnings.simplefilter("ignore")
np.seterr(all="ignore")
rng = np.random.default_rng(2026)


def inputs():
    a = np.round(rng.normal(0, 3, (5, 7)), 3)
    n = a.copy()
    n[[0, 1, 1, 3, 4], [2, 0, 6, 3, 3]] = np.nan
    z = n.copy()
    z[[0, 2, 4], [0, 5, 6]] = [np.inf, -np.inf, np.inf]
    sq = rng.normal(0, 1, (4, 4)) + 4 * np.eye(4)
    return {
        "a": a,
        "b": np.round(rng.uniform(0.05, 4, (5, 7)), 3),
        "u": np.round(rng.uniform(-0.99, 0.99, (5, 7)), 3),
        "n": n,
        "z": z,
        "c": np.round(rng.normal(0, 2, (3, 4, 5)), 2),
        "v": np.round(rng.normal(0, 4, 23)),
        "w": np.array([-5.0, -2.5, -1.0, 0.0, 0.0, 1.5, 2.0, 4.0, 7.0]),
        "half": np.arange(-9, 10) / 2,
        "tenth": np.arange(0, 11) / 10,
        "s": np.round(rng.normal(0, 3, (5, 7)), 2).astype(np.float32),
        "i": rng.integers(-9, 10, (4, 6)).astype(np.int32),
        "j": rng.choice([-3, -2, -1, 1, 2, 3], (4, 6)).astype(np.int32),
        "q": rng.choice([-2, 0, 3], (4, 6)).astype(np.int32),
        "x": rng.integers(-4, 5, (5, 7)).astype(np.int32),
        "e8": np.concatenate([[-128, 127, -1, 0, 1], rng.integers(-128, 128, 25)]).reshape(6, 5).astype(np.int8),
        "g8": np.concatenate([[0, 255, 1], rng.integers(0, 256, 21)]).reshape(3, 8).astype(np.uint8),
        "l": np.array([5, -(2**63), 2**63 - 1, 0, -1, 2**63 - 1, 7], dtype=np.int64),
        "h": np.array([2**63, 0, 2**64 - 1, 1, 2**63 - 1, 2**64 - 1, 9], dtype=np.uint64),
        "k": rng.integers(0, 7, 40),
        "t": rng.random((5, 7)) < 0.4,
        "m": np.round(rng.normal(0, 2, (4, 6)), 2),
        "p": np.round(rng.normal(0, 2, (6, 3)), 2),
        "sq": sq,
        "sym": sq @ sq.T,
        "row": np.round(rng.normal(0, 1, 7), 2),
        "col": np.round(rng.normal(0, 1, (5, 1)), 2),
        "o": np.zeros((0, 3)),
    }


G = inputs()
ANSWERS = {}


def case(name, answer):
    assert name not in ANSWERS, name
    ANSWERS[name] = np.array(answer, order="C")


def elementwise(a, b, u, n, z, s, i, j, q, x, e8, g8, t, row, col, half, **_):
    case("add", a + b)
    case("add_row", a + row)
    case("add_outer", col + row)
    case("subtract", a - b)
    case("multiply", a * b)
    case("divide", a / b)
    case("divide_by_zero", a / np.trunc(u))
    case("negative", -a)
    case("negative_i8", -e8)
    case("heaviside", np.heaviside(np.trunc(z), b))
    case("gcd", np.gcd(i, j))
    case("gcd_i8", np.gcd(e8, e8[::-1]))
    case("lcm", np.lcm(i, j))
    case("lcm_u8", np.lcm(g8, g8[::-1]))
    case("bitwise_count", np.bitwise_count(e8))
    case("add_i8_wraps", e8 + e8)
    case("multiply_u8_wraps", g8 * np.uint8(3))
    case("floor_divide", a // b)
    case("remainder", a % b)
    case("remainder_negative", a % -b)
    case("fmod", np.fmod(a, b))
    case("floor_divide_i32", i // j)
    case("remainder_i32", i % j)
    case("fmod_i32", np.fmod(i, j))
    case("floor_divide_i32_zero", i // q)
    case("remainder_i32_zero", i % q)
    case("power", b**1.7)
    case("power_arrays", b**a)
    case("power_negative_base", a**1.5)
    case("power_i32", i**3)
    case("square", np.square(a))
    case("absolute", np.abs(a))
    case("absolute_i8", np.abs(e8))
    case("sign", np.sign(z))
    case("sign_i32", np.sign(i))
    case("sqrt", np.sqrt(b))
    case("sqrt_negative", np.sqrt(a))
    case("cbrt", np.cbrt(a))
    case("reciprocal", np.reciprocal(b))
    case("exp", np.exp(a))
    case("exp_f32", np.exp(s))
    case("exp2", np.exp2(a))
    case("expm1", np.expm1(a))
    case("log", np.log(b))
    case("log_edges", np.log(z))
    case("log2", np.log2(b))
    case("log10", np.log10(b))
    case("log1p", np.log1p(b))
    case("sin", np.sin(a))
    case("sin_f32", np.sin(s))
    case("cos", np.cos(a))
    case("tan", np.tan(a))
    case("arcsin", np.arcsin(u))
    case("arccos", np.arccos(u))
    case("arctan", np.arctan(a))
    case("arctan2", np.arctan2(a, u))
    case("hypot", np.hypot(a, b))
    case("sinh", np.sinh(a))
    case("cosh", np.cosh(a))
    case("tanh", np.tanh(a))
    case("arcsinh", np.arcsinh(a))
    case("arccosh", np.arccosh(b + 1))
    case("arctanh", np.arctanh(u))
    case("degrees", np.degrees(a))
    case("radians", np.radians(a))
    case("floor", np.floor(a))
    case("ceil", np.ceil(a))
    case("trunc", np.trunc(a))
    case("rint", np.rint(half))
    case("round_1", np.round(a, 1))
    case("round_before_the_point", np.round(a * 100, -1))
    case("sinc", np.sinc(a))
    case("i0", np.i0(b))
    case("spacing", np.spacing(a))
    case("maximum", np.maximum(n, b))
    case("minimum", np.minimum(n, b))
    case("fmax", np.fmax(n, b))
    case("fmin", np.fmin(n, b))
    case("copysign", np.copysign(b, a))
    case("logaddexp", np.logaddexp(a, b))
    case("logaddexp2", np.logaddexp2(a, b))
    case("nextafter", np.nextafter(a, b))
    case("ldexp", np.ldexp(a, x))
    case("frexp_mantissa", np.frexp(a)[0])
    case("frexp_exponent", np.frexp(a)[1])
    case("modf_after", np.modf(z)[0])
    case("modf_before", np.modf(z)[1])
    case("signbit", np.signbit(z))
    case("isnan", np.isnan(z))
    case("isfinite", np.isfinite(z))
    case("isinf", np.isinf(z))
    case("isposinf", np.isposinf(z))
    case("isneginf", np.isneginf(z))
    case("nan_to_num", np.nan_to_num(z))
    case("clip", np.clip(n, -1, 2))
    case("clip_row", np.clip(a, row - 1, row + 1))
    case("where", np.where(t, a, b))
    case("where_number", np.where(a > 0, a, -1.0))
    case("select", np.select([a > 2, a < -2], [b, a], 0.5))
    case("isclose", np.isclose(a, a * (1 + 1e-5)))
    case("isclose_infinite", np.isclose(z, z + 1e-9))
    case("equal", np.trunc(a) == np.trunc(b))
    case("not_equal", n != n)
    case("less", n < b)
    case("greater_equal", n >= b)
    case("logical_and", np.logical_and(q, i > 0))
    case("logical_or", np.logical_or(q, i > 0))
    case("logical_xor", np.logical_xor(q, i))
    case("logical_not", np.logical_not(q))
    case("bitwise_and", i & j)
    case("bitwise_or", i | j)
    case("bitwise_xor", i ^ j)
    case("invert", ~i)
    case("left_shift", i << 2)
    case("right_shift", i >> 1)
    case("astype_i32", a.astype(np.int32))
    case("astype_u8", i.astype(np.uint8))
    case("astype_f32", a.astype(np.float32))
    case("astype_f64", t.astype(np.float64))


def reductions(a, b, n, z, c, s, e8, g8, l, h, t, o, m, v, **_):
    case("sum", a.sum())
    case("sum_axis_0", a.sum(0))
    case("sum_axis_1_kept", a.sum(1, keepdims=True))
    case("sum_axes", c.sum((0, 2)))
    case("sum_no_axes", c.sum(()))
    case("sum_i8", e8.sum(0))
    case("sum_u8", g8.sum(1))
    case("sum_bool", t.sum(0))
    case("sum_i64_wraps", l.sum())
    case("sum_u64_wraps", h.sum())
    case("sum_f32", s.sum(0))
    case("sum_infinite", z.sum(1))
    case("sum_of_nothing", o.sum(0))
    case("prod", b.prod())
    case("prod_axis_1", a.prod(1))
    case("prod_i8", e8.prod(1))
    case("prod_of_nothing", o.prod(0))
    case("mean", a.mean())
    case("mean_axis_0", a.mean(0))
    case("mean_axes_kept", c.mean((0, 1), keepdims=True))
    case("mean_i8", e8.mean(1))
    case("mean_u64", h.mean())
    case("mean_bool", t.mean(1))
    case("mean_f32", s.mean(1))
    case("mean_of_nothing", o.mean(0))
    case("std", a.std())
    case("std_ddof_1", a.std(0, ddof=1))
    case("std_f32", s.std(0))
    case("var", c.var((0, 1)))
    case("var_ddof_1", c.var(2, ddof=1))
    case("var_i8", e8.var(0))
    case("var_ddof_is_count", a.var(0, ddof=5))
    case("var_one_element", a[:1].var(0, ddof=1))
    case("min", n.min(0))
    case("max", a.max(1))
    case("max_all", a.max())
    case("min_i64", l.min())
    case("max_u64", h.max())
    case("min_bool", t.min(0))
    case("ptp", np.ptp(c, 1))
    case("ptp_i8_wraps", np.ptp(e8, 0))
    case("any", t.any(0))
    case("all", t.all(1))
    case("any_of_nothing", o.any(0))
    case("all_of_nothing", o.all(0))
    case("any_nan", np.isnan(n).any(1))
    case("argmin", a.argmin(0))
    case("argmax", a.argmax(1))
    case("argmax_flat", c.argmax())
    case("argmin_nan", n.argmin(1))
    case("argmax_ties_i64", l.argmax())
    case("argmax_ties_u64", h.argmax())
    case("argmax_ties_f64", v.argmax())
    case("count_nonzero", np.count_nonzero(np.trunc(a), axis=0))
    case("nansum", np.nansum(n, 1))
    case("nanprod", np.nanprod(n, 0))
    case("nanmean", np.nanmean(n, 0))
    case("nanmean_of_nan", np.nanmean(n[1:2, :1], 0))
    case("nanmean_infinite", np.nanmean(z, 1))
    case("nanmean_infinite_flat", np.nanmean(z[:3]))
    case("nanvar_infinite", np.nanvar(z, 0))
    case("nanstd", np.nanstd(n))
    case("nanvar", np.nanvar(n, 1))
    case("nanvar_ddof_1", np.nanvar(n, 0, ddof=1))
    case("nanvar_ddof_is_count", np.nanvar(n[:2], 0, ddof=2))
    case("nanmin", np.nanmin(n, 0))
    case("nanmax", np.nanmax(n))
    case("nanargmin", np.nanargmin(n, 1))
    case("nanargmax", np.nanargmax(n, 0))
    case("cumsum_axis_0", a.cumsum(0))
    case("cumsum_axis_1", c.cumsum(1))
    case("cumsum_i8", e8.cumsum(0))
    case("cumsum_u8", g8.cumsum(1))
    case("cumsum_bool", t.cumsum(1))
    case("cumsum_infinite", z.cumsum(1))
    case("cumprod", a.cumprod(1))
    case("cumprod_i8", e8.cumprod(0))
    case("nancumsum", np.nancumsum(n, 0))
    case("nancumprod", np.nancumprod(n, 1))
    case("average", np.average(a, 1, weights=np.abs(a[0])))
    case("average_2d", np.average(a, 0, weights=b))
    case("norm", np.linalg.norm(a))
    case("norm_1", np.linalg.norm(a, 1, axis=0))
    case("norm_2", np.linalg.norm(a, 2, axis=1))
    case("norm_3", np.linalg.norm(a, 3, axis=0))
    case("norm_max", np.linalg.norm(a, np.inf, axis=1))
    case("norm_min", np.linalg.norm(a, -np.inf, axis=1))
    case("cov", np.cov(m))
    case("cov_ddof_0", np.cov(m, ddof=0))
    case("cov_columns", np.cov(m, rowvar=False))
    case("corrcoef", np.corrcoef(m))


def order(a, n, c, v, w, k, e8, g8, l, h, t, s, half, tenth, b, row, **_):
    case("median", np.median(a))
    case("median_axis_0", np.median(a, 0))
    case("median_kept", np.median(c, (0, 2), keepdims=True))
    case("median_nan", np.median(n, 1))
    case("nanmedian", np.nanmedian(n, 1))
    case("quantile", np.quantile(a, 0.3, axis=1))
    case("quantiles", np.quantile(c, [0, 0.1, 0.5, 0.77, 1], axis=1))
    case("quantile_i8", np.quantile(e8, 0.9, axis=0))
    case("percentile", np.percentile(a, 37))
    case("quantile_lower", np.quantile(a, 0.4, axis=0, method="lower"))
    case("quantile_higher", np.quantile(a, 0.4, axis=0, method="higher"))
    case("quantile_nearest", np.quantile(c, 0.5, axis=1, method="nearest"))
    case("quantile_midpoint", np.quantile(a, 0.4, axis=0, method="midpoint"))
    case("nanquantile", np.nanquantile(n, 0.2, axis=0))
    case("nanpercentile", np.nanpercentile(n, 80))
    case("sort", np.sort(v))
    case("sort_axis_0", np.sort(c, 0))
    case("sort_axis_1", np.sort(c, 1))
    case("sort_nan", np.sort(n, 1))
    case("sort_nan_flat", np.sort(n, None))
    case("sort_i64", np.sort(l))
    case("sort_u64", np.sort(h))
    case("sort_i8", np.sort(e8, None))
    case("sort_bool", np.sort(t, None))
    case("argsort", np.argsort(v, kind="stable"))
    case("argsort_axis_1", np.argsort(n, 1, kind="stable"))
    case("argsort_nan_flat", np.argsort(n, None, kind="stable"))
    case("argsort_u64", np.argsort(h, kind="stable"))
    case("topk", np.flip(np.sort(a, 1), 1)[:, :3])
    case("topk_least", np.sort(a, 0)[:2])
    case("argtopk", np.argsort(-v, kind="stable")[:6])
    case("unique", np.unique(v))
    case("unique_counts", np.unique(v, return_counts=True)[1])
    case("unique_inverse", np.unique(np.trunc(a), return_inverse=True)[1])
    case("unique_nan", np.unique(n))
    case("unique_u64", np.unique(h))
    case("union1d", np.union1d(v, w))
    case("isin", np.isin(np.trunc(a), [0.0, 2.0, -3.0, np.nan]))
    case("searchsorted_left", np.searchsorted(w, v))
    case("searchsorted_right", np.searchsorted(w, v, side="right"))
    case("searchsorted_nan", np.searchsorted(w, n))
    case("digitize", np.digitize(v, [-4, -1, 0, 2, 3.5]))
    case("digitize_right", np.digitize(v, [-4, -1, 0, 2, 3.5], right=True))
    case("histogram", np.histogram(a, 7, (-4, 5))[0])
    case("histogram_edges", np.histogram(a, [-6, -1, 0, 0.5, 9])[0])
    case("histogram_on_edges", np.histogram(tenth, 10, (0, 1))[0])
    case("histogram_on_edges_wide", np.histogram(tenth, 5, (0.1, 0.8))[0])
    case("histogram_weighted", np.histogram(a, 5, (-5, 5), weights=b)[0])
    case("histogram_density", np.histogram(a, [-6, -1, 0, 0.5, 9], density=True)[0])
    case("histogram_i8", np.histogram(e8, 8, (-128, 127))[0])
    case("histogram2d", np.histogram2d(a.ravel(), b.ravel(), (4, 3), ((-5, 5), (0, 4)))[0])
    case("histogram2d_edges", np.histogram2d(a.ravel(), b.ravel(), ([-5, 0, 1, 6], [0, 1, 4]))[0])
    case("histogram2d_weighted", np.histogram2d(a.ravel(), b.ravel(), (4, 3), ((-5, 5), (0, 4)), weights=np.abs(a).ravel())[0])
    sample = np.stack([a.ravel(), b.ravel(), n.ravel()], 1)
    case("histogramdd", np.histogramdd(np.nan_to_num(sample, nan=99), (3, 2, 4), ((-5, 5), (0, 4), (-4, 4)))[0])
    case("histogram2d_density", np.histogram2d(a.ravel(), b.ravel(), ([-5, 0, 1, 6], [0, 1, 4]), density=True)[0])
    case("bincount", np.bincount(k, minlength=9))
    case("bincount_weighted", np.bincount(k, weights=np.arange(40) / 8, minlength=8))
    case("diff", np.diff(a))
    case("diff_twice", np.diff(c, 2, axis=1))
    case("diff_u8_wraps", np.diff(g8))
    case("diff_axis_0", np.diff(a, axis=0))
    case("ediff1d", np.ediff1d(a))
    case("gradient_places", np.gradient(a, [0.0, 1.0, 2.5, 4.0, 4.5], axis=0))
    case("gradient_places_2", np.gradient(a, [0.0, 1.0, 2.5, 4.0, 4.5], axis=0, edge_order=2))
    case("gradient_even_2", np.gradient(a, 0.5, axis=1, edge_order=2))
    case("gradient", np.gradient(v))
    case("gradient_spaced", np.gradient(a, 0.5, axis=1))
    case("gradient_axis_0", np.gradient(c, 2.0, axis=0))
    case("interp", np.interp(a, [-3, -1, 0, 4], [1, 0, 5, -2]))
    case("interp_nan", np.interp(n, [-3, -1, 0, 4], [1, 0, 5, -2]))
    case("interp_on_points", np.interp(half, [-2, 0, 1.5], [4, 1, 7]))


def shape(a, n, c, v, i, g8, x, m, t, row, col, s, k, **_):
    case("slice", a[1:4, ::2])
    case("slice_back", a[::-1, ::-2])
    case("slice_from_to_back", a[4:0:-2, 5:1:-1])
    case("slice_place", a[-2, 1:])
    case("slice_new_axis", c[1, None, :, ::3])
    case("slice_empty", a[3:3])
    case("take", np.take(c, [3, 0, 0, -1], axis=1))
    case("pad_constant", np.pad(a, ((1, 2), (0, 3)), constant_values=7))
    case("pad_edge", np.pad(a, 2, mode="edge"))
    case("pad_reflect", np.pad(a, ((6, 3), (1, 8)), mode="reflect"))
    case("pad_symmetric", np.pad(a, ((6, 3), (1, 8)), mode="symmetric"))
    case("pad_wrap", np.pad(a, ((6, 3), (1, 8)), mode="wrap"))
    case("pad_linear_ramp", np.pad(c, ((1, 2), (0, 0), (3, 1)), mode="linear_ramp", end_values=-2))
    case("pad_linear_ramp_i32", np.pad(i, ((3, 2), (0, 4)), mode="linear_ramp", end_values=-7))
    case("pad_maximum", np.pad(a, 1, mode="maximum"))
    case("pad_minimum", np.pad(a, 1, mode="minimum"))
    case("pad_mean", np.pad(a, ((1, 0), (0, 2)), mode="mean"))
    case("pad_mean_i32", np.pad(i, ((1, 0), (0, 0)), mode="mean"))
    case("roll", np.roll(a, 2, axis=1))
    case("roll_back", np.roll(c, -5, axis=1))
    case("roll_flat", np.roll(a, 4))
    case("flip", np.flip(c, (0, 2)))
    case("rot90", np.rot90(a))
    case("rot90_back", np.rot90(c, -1, axes=(1, 2)))
    case("transpose", c.transpose(2, 0, 1))
    case("moveaxis", np.moveaxis(c, 0, -1))
    case("swapaxes", np.swapaxes(c, 0, 1))
    case("reshape", c.reshape(6, 10))
    case("ravel", c.ravel())
    case("expand_dims", np.expand_dims(c, (0, 2)))
    case("tile", np.tile(a, (2, 3)))
    case("repeat", np.repeat(a, 3, axis=1))
    case("concatenate", np.concatenate([a, n], axis=1))
    case("stack", np.stack([a, n], axis=1))
    case("vstack", np.vstack([row, row * 2]))
    case("hstack", np.hstack([row, v]))
    case("dstack", np.dstack([a, n]))
    case("block", np.block([[a, col], [row.reshape(1, 7), np.ones((1, 1))]]))
    case("broadcast_to", np.broadcast_to(col, (2, 5, 7)))
    case("tril", np.tril(c, 1))
    case("triu", np.triu(c, -1))
    case("diag_of_line", np.diag(row, 2))
    case("diag_of_matrix", np.diag(a, -1))
    case("diagonal", np.diagonal(c, 1, 0, 2))
    case("diagonal_below", np.diagonal(c, -1))
    case("trace", np.trace(a, 2))
    case("eye", np.eye(4))
    case("tri", np.tri(4, 6, 1))
    case("tril_indices_rows", np.tril_indices(4, 1, 5)[0])
    case("tril_indices_columns", np.tril_indices(4, 1, 5)[1])
    case("triu_indices_rows", np.triu_indices(5, -1)[0])
    case("triu_indices_columns", np.triu_indices(5, -1)[1])
    case("arange", np.arange(-3.0, 4, 0.7))
    case("arange_back", np.arange(9, -4, -3))
    case("linspace", np.linspace(-1, 2, 13))
    case("meshgrid", np.stack(np.meshgrid(row, v, indexing="ij")))
    case("indices", np.indices((3, 4)))
    case("insert", np.insert(a, 2, row, axis=0))
    case("delete", np.delete(a, [1, -1], axis=1))
    case("compress", np.compress(a[:, 0] > 0, a, axis=0))
    case("extract", a[t])
    case("argwhere", np.argwhere(c > 0))
    case("flatnonzero", np.flatnonzero(t))
    case("nonzero_rows", np.nonzero(x)[0])
    case("nonzero_columns", np.nonzero(x)[1])
    case("unravel_index", np.stack(np.unravel_index(k, (2, 2, 2))))
    case("ravel_multi_index", np.ravel_multi_index((np.abs(x) % 3, np.abs(x)), (3, 5)))
    case("sliding_window_view", np.lib.stride_tricks.sliding_window_view(a, 3, axis=1))
    case("vindex", c[[0, 2, -1], [3, 0, 1], [4, -1, 0]])
    case("take_array", np.take(a, np.abs(x[0]) % 5, axis=0))
    case("vindex_arrays", a[np.abs(x) % 5, np.abs(x) % 7])
    replaced = a.copy()
    replaced[1:4, ::2] = row[:4]
    case("assigned_slice", replaced)
    case("assigned_mask", np.where(a > 1, 0, a))
    case("apply_along_axis", np.apply_along_axis(lambda lane: lane[::-1].cumsum(), 0, a))
    case("coarsen", c.reshape(3, 2, 2, 5).mean(2))
    forward = n.copy()
    for line in forward:
        for at in range(1, len(line)):
            line[at] = line[at - 1] if np.isnan(line[at]) else line[at]
    case("push", forward)


def products(a, b, c, m, p, i, j, sq, sym, row, e8, g8, v, w, x, z, **_):
    case("matmul", m @ p)
    case("matmul_line", a @ row)
    case("matmul_i32", i @ j.T)
    case("matmul_stacked", c @ np.swapaxes(c, 1, 2))
    case("dot", np.dot(c, a[:, :4]))
    case("tensordot", np.tensordot(c, c, ((0, 2), (0, 2))))
    case("vdot", np.vdot(a, b))
    case("outer", np.outer(row, v))
    case("kron", np.kron(m, p))
    case("einsum_product", np.einsum("ij,jk->ik", m, p))
    case("einsum_diagonal", np.einsum("ii->i", sq))
    case("einsum_diagonal_between", np.einsum("iji->ij", c[:, :, :3]))
    case("einsum_traces", np.einsum("bii->b", c[:, :, :4]))
    case("einsum_sum", np.einsum("ijk->j", c))
    case("einsum_three", np.einsum("ij,jk,lk->il", m, p, p))
    case("einsum_batch", np.einsum("bij,bkj->bik", c, c))
    case("einsum_dots", np.einsum("...ij,...jk->...ik", c, a[:, :4]))
    case("einsum_dots_without_arrow", np.einsum("i...,i...", c, c[:, :1]))
    case("einsum_dots_moved", np.einsum("...k->k...", c))
    case("einsum_outer", np.einsum("i,j->ij", row, v))
    case("einsum_without_arrow", np.einsum("ij,kj", a, b))
    # Zeros and infinities meet one by one, though sums are made first.
    some = np.where(np.isnan(z), 0.0, z)
    case("einsum_alone", np.einsum("ij,kj->k", some[:2], np.abs(x)))
    case("einsum_alone_both", np.einsum("ij,kl->il", some, np.abs(x)))
    case("einsum_alone_outer", np.einsum("ij,k->i", some, w[5:]))
    case("einsum_alone_signs", np.einsum("ij,k->i", some, w[5:] - 8))
    # NumPy's own loop adds up `k` first here and so meets no zero and no other sign; these are all products.
    case("einsum_alone_zero", (z[:, :, None] * (w[5:] - 2)).sum((1, 2)))
    case("einsum_alone_mixed", (some[:, :, None] * (w[5:] - 3)).sum((1, 2)))
    case("einsum_alone_i32", np.einsum("ij,kj->k", x, x))
    case("inv", np.linalg.inv(sq))
    case("det", np.linalg.det(sq))
    case("solve", np.linalg.solve(sq, m))
    case("cholesky", np.linalg.cholesky(sym))
    case("lstsq", np.linalg.lstsq(p, m.T, rcond=None)[0])
    case("lstsq_residuals", np.linalg.lstsq(p, m.T, rcond=None)[1])
    case("lstsq_rank", np.int64(np.linalg.lstsq(p, m.T, rcond=None)[2]))
    case("lstsq_singular", np.linalg.lstsq(p, m.T, rcond=None)[3])
    case("svd_values", np.linalg.svd(p)[1])
    case("eigh_values", np.linalg.eigh(sym)[0])


def above(density, x):
    """The integral of a density from each of these on, by the rule of Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(600)
    share = (nodes + 1) / 2
    places = np.asarray(x)[..., None] + share / (1 - share)
    return (density(places) * weights / 2 / (1 - share) ** 2).sum(-1)


def chi_square(x, n):
    return above(lambda t: np.exp((n / 2 - 1) * np.log(t) - t / 2 - math.lgamma(n / 2) - n / 2 * math.log(2)), x)


def student(x, n):
    scale = math.lgamma((n + 1) / 2) - math.lgamma(n / 2) - math.log(n * math.pi) / 2
    return 2 * above(lambda t: np.exp(scale - (n + 1) / 2 * np.log1p(t * t / n)), np.abs(x))


def fisher(x, m, n):
    scale = math.lgamma((m + n) / 2) - math.lgamma(m / 2) - math.lgamma(n / 2) + m / 2 * math.log(m / n)
    return above(lambda t: np.exp(scale + (m / 2 - 1) * np.log(t) - (m + n) / 2 * np.log1p(m * t / n)), x)


def tested(name, statistic, pvalue):
    case(name, statistic)
    case(f"{name}_p", pvalue)


def samples(a, b, v, k, m, i, **_):
    """Tests of samples by their formulas, with probabilities by integration."""

    def form(x, axis, power):
        x = x - x.mean(axis, keepdims=True)
        return (x**power).mean(axis) / (x**2).mean(axis) ** (power / 2)

    case("skew", form(a, 1, 3))
    case("skew_line", form(v, 0, 3))
    case("kurtosis", form(a, 0, 4) - 3)
    wide = k.reshape(10, 4).astype(float)
    n = 10
    y = form(wide, 0, 3) * np.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    beta = 3 * (n**2 + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    square = np.sqrt(2 * (beta - 1)) - 1
    skewed = np.arcsinh(y / np.sqrt(2 / (square - 1))) / np.sqrt(np.log(square) / 2)
    x = form(wide, 0, 4) - 3 * (n - 1) / (n + 1)
    x /= np.sqrt(24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5)))
    root = 6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9)) * np.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    c = 6 + 8 / root * (2 / root + np.sqrt(1 + 4 / root**2))
    tails = (1 - 2 / (9 * c) - np.cbrt((1 - 2 / c) / (1 + x * np.sqrt(2 / (c - 4))))) / np.sqrt(2 / (9 * c))
    normal = np.vectorize(lambda z: math.erfc(abs(z) / math.sqrt(2)))
    tested("skewtest", skewed, normal(skewed))
    tested("kurtosistest", tails, normal(tails))
    tested("normaltest", skewed**2 + tails**2, np.exp(-(skewed**2 + tails**2) / 2))

    def one(x, mean, axis):
        n = x.shape[axis]
        t = (x.mean(axis) - mean) / np.sqrt(x.var(axis, ddof=1) / n)
        return t, student(t, n - 1)

    tested("ttest_1samp", *one(a, 0.5, 0))
    tested("ttest_rel", *one(a - b, 0.0, 1))
    p, q = a, b[:, :6]
    v1, v2 = p.var(1, ddof=1), q.var(1, ddof=1)
    t = (p.mean(1) - q.mean(1)) / np.sqrt((6 * v1 + 5 * v2) / 11 * (1 / 7 + 1 / 6))
    tested("ttest_ind", t, student(t, 11))
    v1, v2 = v1 / 7, v2 / 6
    t, n = (p.mean(1) - q.mean(1)) / np.sqrt(v1 + v2), (v1 + v2) ** 2 / (v1**2 / 6 + v2**2 / 5)
    tested("ttest_welch", t, np.array([student(t, n) for t, n in zip(t, n)]))
    counts = i**2 + 3.0
    expected = counts.mean(1, keepdims=True)
    for name, power in [("chisquare", 1), ("power_cressie", 2 / 3), ("power_neyman", -2)]:
        found = 2 / (power * (power + 1)) * (counts * ((counts / expected) ** power - 1)).sum(1)
        tested(name, found, chi_square(found, 5))
    found = 2 * (counts * np.log(counts / expected)).sum(1)
    tested("power_likelihood", found, chi_square(found, 5))
    found = 2 * (expected * np.log(expected / counts)).sum(1)
    tested("power_turned", found, chi_square(found, 5))
    found = ((counts - b[:4, :6] * 10) ** 2 / (b[:4, :6] * 10)).sum(0)
    tested("chisquare_expected", found, chi_square(found, 3))
    groups = [v, k + 0.5, m.ravel()]
    all_of_them = np.concatenate(groups)
    between = sum(len(x) * (x.mean() - all_of_them.mean()) ** 2 for x in groups) / 2
    within = sum(((x - x.mean()) ** 2).sum() for x in groups) / (len(all_of_them) - 3)
    tested("f_oneway", between / within, fisher(between / within, 2, len(all_of_them) - 3))


for group in [elementwise, reductions, order, shape, products, samples]:
    group(**G)
for folder, arrays in [("inputs", G), ("answers", ANSWERS)]:
    shutil.rmtree(HERE / folder, ignore_errors=True)
    (HERE / folder).mkdir()
    for name, array in arrays.items():
        np.save(HERE / folder / f"{name}.npy", array, allow_pickle=False)
print(f"{len(G)} inputs, {len(ANSWERS)} answers of NumPy {np.__version__}")
