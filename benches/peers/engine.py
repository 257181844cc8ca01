"""Runs one query on one peer, twice, in this process, and prints one JSON object.

    python engine.py ENGINE FILE QUERY THREADS

`first` is the first query of the process and `seconds` the second one; imports are in neither, everything else is:
looking at the file, finding its types, reading, grouping, and having the result in memory. `peak_rss_bytes` is taken
after the first query. Each engine is asked as its documentation asks, for the columns of the query only.
"""

import json
import os
import resource
import sys
import time

from queries import QUERIES, Query


def polars(file: str, query: Query, threads: int):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    def run():
        aggregates = [getattr(pl.col(column), function)().alias(f"{column}_{function}") for function, column in query.aggregates]
        return pl.scan_csv(file).group_by(query.by).agg(aggregates).collect(engine="streaming")

    return pl.__version__, run, lambda result: [column.to_list() for column in result.get_columns()]


def duckdb(file: str, query: Query, threads: int):
    import duckdb as db

    names = {"mean": "avg"}
    aggregates = ", ".join(f"{names.get(function, function)}({column})" for function, column in query.aggregates)

    def run():
        connection = db.connect()
        connection.execute(f"SET threads = {threads}")
        return connection.execute(f"SELECT {query.by}, {aggregates} FROM read_csv('{file}') GROUP BY {query.by}").fetchnumpy()

    return db.__version__, run, lambda result: [column.tolist() for column in result.values()]


def datafusion(file: str, query: Query, threads: int):
    import datafusion as df

    names = {"mean": "avg"}
    aggregates = ", ".join(f"{names.get(function, function)}({column})" for function, column in query.aggregates)

    def run():
        context = df.SessionContext(df.SessionConfig().with_target_partitions(threads))
        context.register_csv("data", file)
        return context.sql(f"SELECT {query.by}, {aggregates} FROM data GROUP BY {query.by}").to_arrow_table()

    return df.__version__, run, lambda result: [column.to_pylist() for column in result.columns]


def from_pandas(result) -> list[list]:
    """Keys and values of a pandas result whose index holds the keys."""
    return [result.index.tolist()] + [result[column].tolist() for column in result.columns]


def spread(frame, query: Query):
    """The pandas spelling of a query: one function for each column, columns in the query's order."""
    return frame.groupby(query.by).agg({column: function for function, column in query.aggregates})


def dask(file: str, query: Query, threads: int):
    import dask
    import dask.dataframe as dd

    # Text as Arrow strings is dask's default; it is said here so that a changed default cannot change the comparison.
    dask.config.set({"dataframe.convert-string": True})

    def run():
        frame = dd.read_csv(file, usecols=query.columns)
        return spread(frame, query).compute(scheduler="threads", num_workers=threads)

    return dask.__version__, run, from_pandas


def pandas(file: str, query: Query, threads: int):
    import pandas as pd

    return pd.__version__, lambda: spread(pd.read_csv(file, usecols=query.columns), query), from_pandas


def pandas_pyarrow(file: str, query: Query, threads: int):
    import pandas as pd
    import pyarrow as pa

    pa.set_cpu_count(threads)

    def run():
        frame = pd.read_csv(file, usecols=query.columns, engine="pyarrow", dtype_backend="pyarrow")
        return spread(frame, query)

    return f"{pd.__version__} + pyarrow {pa.__version__}", run, from_pandas


ENGINES = {engine.__name__.replace("_", "-"): engine for engine in [polars, duckdb, datafusion, dask, pandas, pandas_pyarrow]}


def main() -> None:
    name, file, query, threads = sys.argv[1:]
    version, run, columns = ENGINES[name](file, QUERIES[query], int(threads))
    began = time.perf_counter()
    run()
    first = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    began = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - began
    rows = [list(row) for row in zip(*columns(result))]
    print(json.dumps({"version": version, "first": first, "seconds": seconds, "peak_rss_bytes": peak, "rows": rows}))


if __name__ == "__main__":
    main()
