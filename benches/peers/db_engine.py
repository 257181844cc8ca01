"""Asks one peer questions of the db-benchmark, each twice in this process, and prints one JSON object for each.

    python db_engine.py ENGINE TASK MODE THREADS QUESTIONS FILE...

TASK is groupby or join, MODE is csv (the files are opened, read and asked in the measured time) or memory (they are loaded before).
`first` is the first time that a question was asked, `seconds` the second. An answer is in memory when the time ends, as a frame or an Arrow
table. Each engine is asked as its documentation asks; what it has no way to say is left out.
"""

import json
import os
import resource
import sys
import time

KEYS = ["id1", "id2", "id3", "id4", "id5", "id6"]
TABLES = ["x", "small", "medium", "big"]

# Group-bys in SQL. DuckDB and DataFusion say the first rows of groups differently.
SQL_GROUP_BYS = {
    "q1": "SELECT id1, sum(v1) AS v1 FROM x GROUP BY id1",
    "q2": "SELECT id1, id2, sum(v1) AS v1 FROM x GROUP BY id1, id2",
    "q3": "SELECT id3, sum(v1) AS v1, avg(v3) AS v3 FROM x GROUP BY id3",
    "q4": "SELECT id4, avg(v1) AS v1, avg(v2) AS v2, avg(v3) AS v3 FROM x GROUP BY id4",
    "q5": "SELECT id6, sum(v1) AS v1, sum(v2) AS v2, sum(v3) AS v3 FROM x GROUP BY id6",
    "q6": "SELECT id4, id5, median(v3) AS median_v3, stddev(v3) AS sd_v3 FROM x GROUP BY id4, id5",
    "q7": "SELECT id3, max(v1) - min(v2) AS range_v1_v2 FROM x GROUP BY id3",
    "q9": "SELECT id2, id4, pow(corr(v1, v2), 2) AS r2 FROM x GROUP BY id2, id4",
    "q10": "SELECT id1, id2, id3, id4, id5, id6, sum(v3) AS v3, count(*) AS count FROM x GROUP BY id1, id2, id3, id4, id5, id6",
}
TOP_BY_WINDOW = (
    "SELECT id6, v3 FROM (SELECT id6, v3, row_number() OVER (PARTITION BY id6 ORDER BY v3 DESC) AS place FROM x WHERE v3 IS NOT NULL) "
    "WHERE place <= 2"
)
TOP_BY_AGGREGATE = "SELECT id6, unnest(max(v3, 2)) AS v3 FROM x WHERE v3 IS NOT NULL GROUP BY id6"

# A join: the other table, the kind, the key, and the other's columns besides the key and v2.
JOINS = {
    "q1": ("small", "inner", "id1", ["id4"]),
    "q2": ("medium", "inner", "id2", ["id1", "id4", "id5"]),
    "q3": ("medium", "left", "id2", ["id1", "id4", "id5"]),
    "q4": ("medium", "inner", "id5", ["id1", "id2", "id4"]),
    "q5": ("big", "inner", "id3", ["id1", "id2", "id4", "id5", "id6"]),
}


def sql(task: str, question: str, top: str) -> str:
    if task == "groupby":
        return top if question == "q8" else SQL_GROUP_BYS[question]
    other, kind, key, columns = JOINS[question]
    named = "".join(f", {other}.{column} AS {column}_right" for column in columns)
    mine = ", ".join(f"x.{column}" for column in KEYS + ["v1"])
    return f"SELECT {mine}{named}, {other}.v2 FROM x {kind} JOIN {other} ON x.{key} = {other}.{key}"


def arrow_answer(table) -> tuple[int, dict[str, float]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    def is_number(dtype) -> bool:
        return pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype)

    numbers = [name for name, column in zip(table.column_names, table.columns) if is_number(column.type)]
    def total(name: str) -> float:
        column = pc.cast(table[name], pa.float64())
        return float(pc.sum(column.filter(pc.is_finite(column))).as_py() or 0.0)

    return table.num_rows, {name: total(name) for name in numbers}


def polars(task: str, mode: str, threads: int, files: dict[str, str]):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    loaded = {name: pl.read_csv(file) for name, file in files.items()} if mode == "memory" else {}

    def ask(question: str):
        tables = {name: loaded[name].lazy() if mode == "memory" else pl.scan_csv(file) for name, file in files.items()}
        x, c = tables["x"], pl.col
        if task == "join":
            other, kind, key, _ = JOINS[question]
            plan = x.join(tables[other], on=key, how=kind, suffix="_right")
        else:
            plan = {
                "q1": lambda: x.group_by("id1").agg(c("v1").sum()),
                "q2": lambda: x.group_by("id1", "id2").agg(c("v1").sum()),
                "q3": lambda: x.group_by("id3").agg(c("v1").sum(), c("v3").mean()),
                "q4": lambda: x.group_by("id4").agg(c("v1", "v2", "v3").mean()),
                "q5": lambda: x.group_by("id6").agg(c("v1", "v2", "v3").sum()),
                "q6": lambda: x.group_by("id4", "id5").agg(c("v3").median().alias("median_v3"), c("v3").std().alias("sd_v3")),
                "q7": lambda: x.group_by("id3").agg((c("v1").max() - c("v2").min()).alias("range_v1_v2")),
                "q8": lambda: x.drop_nulls("v3").group_by("id6").agg(c("v3").top_k(2)).explode("v3"),
                "q9": lambda: x.group_by("id2", "id4").agg((pl.corr("v1", "v2") ** 2).alias("r2")),
                "q10": lambda: x.group_by(KEYS).agg(c("v3").sum(), pl.len().alias("count")),
            }[question]()
        return plan.collect(engine="streaming")

    def answer(frame):
        numbers = [name for name, dtype in frame.schema.items() if dtype.is_numeric()]
        return frame.height, {name: float(frame[name].cast(pl.Float64).fill_nan(None).sum()) for name in numbers}

    return pl.__version__, ask, answer


def duckdb(task: str, mode: str, threads: int, files: dict[str, str]):
    import duckdb as db

    def connect(kind: str):
        connection = db.connect(config={"threads": threads})
        for name, file in files.items():
            connection.execute(f"CREATE {kind} {name} AS SELECT * FROM read_csv('{file}')")
        return connection

    loaded = connect("TABLE") if mode == "memory" else None

    def ask(question: str):
        connection = loaded or connect("VIEW")
        return connection.sql(sql(task, question, TOP_BY_AGGREGATE)).to_arrow_table()

    return db.__version__, ask, arrow_answer


def datafusion(task: str, mode: str, threads: int, files: dict[str, str]):
    import datafusion as df

    def context(memory: bool):
        made = df.SessionContext(df.SessionConfig().with_target_partitions(threads))
        for name, file in files.items():
            made.register_csv(f"{name}_file" if memory else name, file)
            if memory:
                batches = made.table(f"{name}_file").collect()
                shares = [batches[at::threads] for at in range(threads)]
                made.register_record_batches(name, [share for share in shares if share])
        return made

    loaded = context(True) if mode == "memory" else None

    def ask(question: str):
        return (loaded or context(False)).sql(sql(task, question, TOP_BY_WINDOW)).to_arrow_table()

    return df.__version__, ask, arrow_answer


def frames(x, tables, task: str, question: str, compute):
    """The questions as pandas and Dask both write them; None where one of them has no way that ends in reasonable time."""
    if task == "join":
        other, kind, key, _ = JOINS[question]
        return compute(x.merge(tables[other], on=key, how=kind, suffixes=("", "_right")))

    def grouped(keys, columns, frame=None):
        options = {} if hasattr(x, "npartitions") else {"as_index": False, "sort": False}
        return (x if frame is None else frame).groupby(keys, **options)[columns]

    if question == "q8":
        return None
    if question == "q9":
        frame = x[["id2", "id4", "v1", "v2"]].assign(n=1, xy=x["v1"] * x["v2"], xx=x["v1"] ** 2, yy=x["v2"] ** 2)
        s = compute(grouped(["id2", "id4"], ["n", "v1", "v2", "xy", "xx", "yy"], frame).sum())
        r2 = (s["n"] * s["xy"] - s["v1"] * s["v2"]) ** 2 / ((s["n"] * s["xx"] - s["v1"] ** 2) * (s["n"] * s["yy"] - s["v2"] ** 2))
        return s[[key for key in ("id2", "id4") if key in s]].assign(r2=r2)
    found = {
        "q1": lambda: grouped("id1", ["v1"]).sum(),
        "q2": lambda: grouped(["id1", "id2"], ["v1"]).sum(),
        "q3": lambda: grouped("id3", ["v1", "v3"]).agg({"v1": "sum", "v3": "mean"}),
        "q4": lambda: grouped("id4", ["v1", "v2", "v3"]).mean(),
        "q5": lambda: grouped("id6", ["v1", "v2", "v3"]).sum(),
        "q6": lambda: grouped(["id4", "id5"], ["v3"]).agg(["median", "std"]),
        "q7": lambda: grouped("id3", ["v1", "v2"]).agg({"v1": "max", "v2": "min"}),
        "q10": lambda: grouped(KEYS, ["v3"]).agg(["sum", "count"]),
    }[question]()
    found = compute(found)
    found.columns = ["_".join(name).strip("_") if isinstance(name, tuple) else name for name in found.columns]
    if question == "q7":
        found["range_v1_v2"] = found.pop("v1") - found.pop("v2")
    return found.rename(columns={"v3_median": "median_v3", "v3_std": "sd_v3", "v3_sum": "v3", "v3_count": "count"})


def frame_answer(frame):
    frame = frame.reset_index() if any(frame.index.names) else frame
    numbers = frame.select_dtypes("number")
    return len(frame), {name: float(numbers[name].sum()) for name in numbers.columns}


def dask(task: str, mode: str, threads: int, files: dict[str, str]):
    import dask
    import dask.dataframe as dd

    dask.config.set({"dataframe.convert-string": True, "scheduler": "threads", "num_workers": threads})
    loaded = {name: dd.read_csv(file).persist() for name, file in files.items()} if mode == "memory" else None

    def ask(question: str):
        tables = loaded or {name: dd.read_csv(file) for name, file in files.items()}
        return frames(tables["x"], tables, task, question, lambda lazy: lazy.compute())

    return dask.__version__, ask, frame_answer


def pandas(task: str, mode: str, threads: int, files: dict[str, str]):
    import pandas as pd

    loaded = {name: pd.read_csv(file) for name, file in files.items()} if mode == "memory" else None

    def ask(question: str):
        tables = loaded or {name: pd.read_csv(file) for name, file in files.items()}
        return frames(tables["x"], tables, task, question, lambda frame: frame)

    return pd.__version__, ask, frame_answer


ENGINES = {engine.__name__: engine for engine in [polars, duckdb, datafusion, dask, pandas]}


def needed(task: str, questions: list[str]) -> set[str]:
    """The tables that the questions read: loading others would cost memory that is not the question's."""
    return {"x"} | ({JOINS[question][0] for question in questions} if task == "join" else set())


def main() -> None:
    engine, task, mode, threads, questions, *paths = sys.argv[1:]
    asked = questions.split(",")
    files = {name: path for name, path in zip(TABLES, paths) if name in needed(task, asked)}
    version, ask, answer = ENGINES[engine](task, mode, int(threads), files)
    for question in asked:
        seconds, result = [], None
        for _ in range(2):
            result = None
            began = time.perf_counter()
            result = ask(question)
            seconds.append(time.perf_counter() - began)
        if result is None:
            continue
        rows, sums = answer(result)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        line = {"question": question, "first": seconds[0], "seconds": seconds[1], "rows": rows, "sums": sums, "peak_rss_bytes": peak}
        print(json.dumps(line | {"version": version}), flush=True)


if __name__ == "__main__":
    main()
