"""Runs TPC-H queries on one peer in this process and prints one JSON object.

    python tpch_engine.py ENGINE FOLDER SCALE QUERIES RUNS THREADS

FOLDER holds a folder of Parquet files for each table. Each query runs RUNS times over opened tables; a time ends when the rows are in
memory. Imports and the opening of the tables are in no time. `peak_rss_bytes` is that of the process so far.
"""

import json
import math
import os
import resource
import sys
import time
import types

from tpch_sql import TABLES, sql


def polars(folder: str, scale: float, threads: int):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl
    import tpch_polars

    tables = types.SimpleNamespace(**{name: pl.scan_parquet(f"{folder}/{name}/*.parquet") for name in TABLES})
    return pl.__version__, range(1, 23), lambda number: tpch_polars.query(tables, number, scale).collect(engine="streaming").rows()


def duckdb(folder: str, scale: float, threads: int):
    import duckdb as db

    connection = db.connect()
    connection.execute(f"SET threads = {threads}")
    for name in TABLES:
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder}/{name}/*.parquet')")
    return db.__version__, range(1, 23), lambda number: connection.execute(sql(number, scale)).fetchall()


def datafusion(folder: str, scale: float, threads: int):
    import datafusion as df

    context = df.SessionContext(df.SessionConfig().with_target_partitions(threads))
    for name in TABLES:
        context.register_parquet(name, f"{folder}/{name}/")

    def run(number: int):
        table = context.sql(sql(number, scale)).to_arrow_table()
        return list(zip(*[column.to_pylist() for column in table.columns])) if table.num_rows else []

    return df.__version__, range(1, 23), run


def dask(folder: str, scale: float, threads: int):
    import dask
    import dask.dataframe as dd
    import pyarrow as pa
    import tpch_dask

    pa.set_cpu_count(threads)
    dask.config.set({"dataframe.convert-string": True, "scheduler": "threads", "num_workers": threads})
    tables = types.SimpleNamespace(scale=scale, **{name: dd.read_parquet(f"{folder}/{name}/") for name in TABLES})

    def run(number: int):
        return list(tpch_dask.QUERIES[number](tables).itertuples(index=False, name=None))

    return dask.__version__, tpch_dask.QUERIES.keys(), run


ENGINES = {engine.__name__: engine for engine in [polars, duckdb, datafusion, dask]}


def plain(value):
    """A cell as JSON has it: dates as text, numbers of all libraries as numbers."""
    if value is None or isinstance(value, str):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()[:10]
    number = float(value)
    if math.isnan(number):
        return None
    return int(value) if not hasattr(value, "is_integer") and number.is_integer() else number


def main() -> None:
    name, folder, scale, wanted, runs, threads = sys.argv[1:]
    version, known, run = ENGINES[name](folder, float(scale), int(threads))
    queries = []
    for number in [int(number) for number in wanted.split(",") if int(number) in known]:
        seconds = []
        for _ in range(int(runs)):
            began = time.perf_counter()
            rows = run(number)
            seconds.append(time.perf_counter() - began)
        rows = [[plain(value) for value in row] for row in rows]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        queries.append({"query": number, "all_seconds": seconds, "rows": rows, "peak_rss_bytes": peak})
    print(json.dumps({"version": version, "queries": queries}))


if __name__ == "__main__":
    main()
