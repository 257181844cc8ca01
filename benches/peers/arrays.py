"""The rows of the speed table of arrays for NumPy, numexpr and Dask: one line of JSON for each.

    python arrays.py                                  all engines, all rows but the largest, on 2 threads
    python arrays.py --engines numpy,dask --rows chain_sum_20k,rechunk_20k
    python arrays.py --threads 4 --runs 3

Needs numpy, numexpr and dask (benches/peers/requirements.txt). `cargo run --release --example array_jobs` prints the
same rows for partita. Each row is run several times on arrays that are in memory; the least and the median of the
seconds are printed. Engines are asked as their documentation asks; Dask keeps what it makes with `persist`.
"""

import argparse
import json
import os
import statistics
import sys
import time

ROWS = [
    "chain_sum_10k",
    "chain_sum_20k",
    "sum_10k",
    "mean_axis0_10k",
    "std_10k",
    "add_transposed_10k",
    "matmul_4k",
    "svd_1e6x50",
    "rechunk_20k",
    "normal_10k",
    "graph_100k_chunks",
    "moving_average_10k",
]
LARGE = {"chain_sum_20k", "rechunk_20k"}


def numpy_jobs(threads: int) -> dict:
    import numpy as np

    def square(side):
        return np.random.default_rng(0).random((side, side))

    def moving_average(x):
        y = np.concatenate([x[:1], x, x[-1:]])
        return (y[:-2] + y[1:-1] + y[2:]) / 3.0

    def svd(x):
        u, s, vt = np.linalg.svd(x, full_matrices=False)
        return float(u[0, 0])

    def normal(_):
        return float(np.random.default_rng(1).standard_normal((10_000, 10_000))[0].sum())

    return {
        "chain_sum_10k": (lambda: square(10_000), lambda x: float(((x + 1) * 2 - x**2).sum())),
        "chain_sum_20k": (lambda: square(20_000), lambda x: float(((x + 1) * 2 - x**2).sum())),
        "sum_10k": (lambda: square(10_000), lambda x: float(x.sum())),
        "mean_axis0_10k": (lambda: square(10_000), lambda x: float(x.mean(axis=0).sum())),
        "std_10k": (lambda: square(10_000), lambda x: float(x.std())),
        "add_transposed_10k": (lambda: square(10_000), lambda x: float((x + x.T)[0, 0])),
        "matmul_4k": (lambda: square(4_000), lambda x: float((x @ x)[0, 0])),
        "svd_1e6x50": (lambda: np.random.default_rng(0).random((1_000_000, 50)), svd),
        "rechunk_20k": (lambda: square(20_000), lambda x: float(np.asfortranarray(x)[0, 0])),
        "normal_10k": (lambda: None, normal),
        "moving_average_10k": (lambda: square(10_000), lambda x: float(moving_average(x)[0, 0])),
    }


def numexpr_jobs(threads: int) -> dict:
    import numexpr as ne
    import numpy as np

    ne.set_num_threads(threads)

    def square(side):
        return np.random.default_rng(0).random((side, side))

    def add_transposed(x):
        y = x.T
        return float(ne.evaluate("x + y")[0, 0])

    return {
        "chain_sum_10k": (lambda: square(10_000), lambda x: float(ne.evaluate("sum((x + 1) * 2 - x**2)"))),
        "chain_sum_20k": (lambda: square(20_000), lambda x: float(ne.evaluate("sum((x + 1) * 2 - x**2)"))),
        "sum_10k": (lambda: square(10_000), lambda x: float(ne.evaluate("sum(x)"))),
        "add_transposed_10k": (lambda: square(10_000), add_transposed),
    }


def dask_jobs(threads: int) -> dict:
    import dask
    import dask.array as da

    dask.config.set(scheduler="threads", num_workers=threads)

    def uniform(shape, chunks):
        return da.random.default_rng(0).random(shape, chunks=chunks).persist()

    def square(side):
        return uniform((side, side), 1000)

    def corner(x):
        kept = x.persist()
        return float(kept[0, 0].compute())

    def svd(x):
        u, s, vt = da.linalg.svd(x)
        u, s, vt = dask.persist(u, s, vt)
        return float(u[0, 0].compute())

    def normal(_):
        made = da.random.default_rng(1).standard_normal((10_000, 10_000), chunks=1000).persist()
        return float(made[0].sum().compute())

    def graph(_):
        x = da.ones((3160, 3160), chunks=10)
        return float((x + x.T - x.mean(axis=0)).sum().compute())

    def averaged(block):
        result = block.copy()
        result[1:-1] = (block[:-2] + block[1:-1] + block[2:]) / 3.0
        return result

    def moving_average(x):
        return corner(x.map_overlap(averaged, depth={0: 1, 1: 0}, boundary={0: "nearest", 1: "none"}, dtype=x.dtype))

    return {
        "chain_sum_10k": (lambda: square(10_000), lambda x: float(((x + 1) * 2 - x**2).sum().compute())),
        "chain_sum_20k": (lambda: square(20_000), lambda x: float(((x + 1) * 2 - x**2).sum().compute())),
        "sum_10k": (lambda: square(10_000), lambda x: float(x.sum().compute())),
        "mean_axis0_10k": (lambda: square(10_000), lambda x: float(x.mean(axis=0).sum().compute())),
        "std_10k": (lambda: square(10_000), lambda x: float(x.std().compute())),
        "add_transposed_10k": (lambda: square(10_000), lambda x: corner(x + x.T)),
        "matmul_4k": (lambda: square(4_000), lambda x: corner(x @ x)),
        "svd_1e6x50": (lambda: uniform((1_000_000, 50), (62_500, 50)), svd),
        "rechunk_20k": (lambda: uniform((20_000, 20_000), (500, 20_000)), lambda x: corner(x.rechunk((20_000, 500)))),
        "normal_10k": (lambda: None, normal),
        "graph_100k_chunks": (lambda: None, graph),
        "moving_average_10k": (lambda: square(10_000), moving_average),
    }


ENGINES = {"numpy": numpy_jobs, "numexpr": numexpr_jobs, "dask": dask_jobs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--rows", default=",".join(row for row in ROWS if row not in LARGE))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    # Before NumPy is loaded, which reads it once.
    for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]:
        os.environ[name] = str(options.threads)
    for engine in options.engines.split(","):
        jobs = ENGINES[engine](options.threads)
        for row in options.rows.split(","):
            if row not in jobs:
                continue
            make, job = jobs[row]
            given = make()
            seconds = []
            for _ in range(options.runs):
                start = time.perf_counter()
                value = job(given)
                seconds.append(time.perf_counter() - start)
            line = {
                "row": row,
                "engine": engine,
                "threads": options.threads,
                "least": round(min(seconds), 4),
                "median": round(statistics.median(seconds), 4),
                "value": value,
            }
            print(json.dumps(line))
            sys.stdout.flush()
            del given


if __name__ == "__main__":
    main()
