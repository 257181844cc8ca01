"""Makes tests/tidy/dask_names.txt: the public names of Dask's arrays and frames, of which docs/parity.md must say what stands for each here.

Names only, found by asking the modules and classes. Needs dask[array,dataframe] 2026.8:

    python tests/python/dask_names.py [SECTION ...]
"""

import inspect
import sys
from pathlib import Path

OUT = Path(__file__).parent.parent / "tidy" / "dask_names.txt"
# What is public by accident: switches, warnings, plumbing between modules, and what Python itself puts there.
INNER = {"ARRAY_EXPR_ENABLED", "array_expr_enabled", "Array", "get_collection_type", "kwargs", "namedtuple", "normalize_masked_array", "wraps"}
# Of overlap.py only these are documented.
OVERLAP = ["add_dummy_padding", "map_overlap", "overlap", "sliding_window_view", "trim_internal", "trim_overlap"]


def public(owner):
    return [name for name in dir(owner) if not name.startswith("_") and name not in INNER]


def functions(module, own=False):
    """The functions of a module; `own`: without those of other modules of Dask. Wrapped ones say that they are NumPy's."""
    from dask.array.ufunc import ufunc

    def belongs(thing):
        if inspect.ismodule(thing) or inspect.isclass(thing) or not callable(thing):
            return isinstance(thing, ufunc)
        home = getattr(thing, "__module__", None) or ""
        return not own or home == module.__name__ or not home.startswith("dask")

    return [name for name in public(module) if belongs(getattr(module, name))]


def arrays():
    import dask.array as da
    from dask.array import fft, linalg, ma, overlap, stats

    yield "", functions(da) + ["gufunc"]
    yield "Array.", public(da.Array)
    yield "fft.", functions(fft, own=True)
    yield "linalg.", functions(linalg, own=True)
    yield "ma.", functions(ma, own=True)
    yield "overlap.", [name for name in OVERLAP if hasattr(overlap, name)]
    yield "stats.", functions(stats, own=True)
    yield "random.", sorted({"default_rng", "seed", *public(da.random.RandomState), *public(da.random.Generator)})
    yield "image.", ["imread"]
    yield "lib.stride_tricks.", ["sliding_window_view"]


def frames():
    import dask.dataframe as dd
    from dask.dataframe.dask_expr import _collection, _groupby, _rolling
    from dask.dataframe.dask_expr._categorical import CategoricalAccessor
    from dask.dataframe.dask_expr._datetime import DatetimeAccessor
    from dask.dataframe.dask_expr._str_accessor import StringAccessor
    from dask.dataframe.tseries.resample import Resampler

    yield "", functions(dd)
    yield "frame.", sorted({*public(_collection.DataFrame), *public(_collection.Series), *public(_collection.Index)})
    yield "groupby.", sorted({*public(_groupby.GroupBy), *public(_groupby.SeriesGroupBy)})
    yield "rolling.", public(_rolling.Rolling)
    yield "resample.", public(Resampler)
    yield "str.", public(StringAccessor)
    yield "dt.", public(DatetimeAccessor)
    yield "cat.", public(CategoricalAccessor)


def main(wanted):
    lines = []
    for title, sections in [("dask.array", arrays), ("dask.dataframe", frames)]:
        if wanted and title not in wanted:
            continue
        lines.append(f"# {title}")
        lines += [f"{prefix}{name}" for prefix, names in sections() for name in names]
    OUT.write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} lines")


if __name__ == "__main__":
    main(sys.argv[1:])
