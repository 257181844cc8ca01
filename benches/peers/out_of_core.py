"""Sorts and joins files that are larger than the memory limit, by partita and its peers, one after the other, and writes the results as Parquet.

Each engine is given the limit in its own words: partita, DuckDB, DataFusion and Dask have such a setting; polars has none, and the most memory
that it took is in the table. All have the same processors, write uncompressed Parquet into a folder beside the data, and are stopped after
`--timeout`. The memory is that of the process and all that it started, as the kernel tells it every 20 ms. What was written is looked at:
its rows, and of a sort that row groups come one after the other.
"""

import argparse
import datetime
import glob
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

from compare import processor

HERE = os.path.abspath(__file__)
PEERS = ["polars", "duckdb", "datafusion", "dask"]
SORT_KEYS = ["id6", "v3"]
JOIN_KEY = "id3"
# An engine whose memory passes its limit by more did not hold it.
HELD = 1.25
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "KB": 10**3, "MB": 10**6, "GB": 10**9, "B": 1}


def size(text: str) -> int:
    for unit, bytes_ in UNITS.items():
        if text.endswith(unit):
            return int(float(text[: -len(unit)]) * bytes_)
    return int(text)


# What runs in an engine's own process.


def polars(job: str, limit: int, threads: int, output: str, files: list[str]) -> str:
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    os.environ["POLARS_TEMP_DIR"] = output
    import polars as pl

    frame = pl.scan_csv(files[0])
    frame = frame.sort(SORT_KEYS) if job == "sort" else frame.join(pl.scan_csv(files[1]), on=JOIN_KEY, suffix="_right")
    frame.sink_parquet(os.path.join(output, "out.parquet"), compression="uncompressed", engine="streaming")
    return pl.__version__


def statement(job: str) -> str:
    if job == "sort":
        return f"SELECT * FROM x ORDER BY {', '.join(SORT_KEYS)}"
    others = ", ".join(f"y.{name} AS {name}_right" for name in ("id1", "id2", "id4", "id5", "id6"))
    return f"SELECT x.*, {others}, y.v2 FROM x JOIN y ON x.{JOIN_KEY} = y.{JOIN_KEY}"


def duckdb(job: str, limit: int, threads: int, output: str, files: list[str]) -> str:
    import duckdb as db

    settings = {"threads": threads, "memory_limit": f"{limit}B", "temp_directory": os.path.join(output, "spilled")}
    connection = db.connect(config=settings | {"preserve_insertion_order": False})
    for name, file in zip("xy", files):
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_csv('{file}')")
    connection.execute(f"COPY ({statement(job)}) TO '{output}/out.parquet' (FORMAT parquet, COMPRESSION uncompressed)")
    return db.__version__


def datafusion(job: str, limit: int, threads: int, output: str, files: list[str]) -> str:
    import datafusion as df

    runtime = df.RuntimeEnvBuilder().with_disk_manager_os().with_fair_spill_pool(limit)
    context = df.SessionContext(df.SessionConfig().with_target_partitions(threads), runtime)
    for name, file in zip("xy", files):
        context.register_csv(name, file)
    context.sql(statement(job)).write_parquet(os.path.join(output, "out.parquet"), compression="uncompressed")
    return df.__version__


def dask(job: str, limit: int, threads: int, output: str, files: list[str]) -> str:
    import dask
    import dask.dataframe as dd
    from dask.distributed import Client

    dask.config.set({"dataframe.convert-string": True, "temporary-directory": output})
    with Client(n_workers=1, threads_per_worker=threads, memory_limit=limit, dashboard_address=None):
        frame = dd.read_csv(files[0])
        frame = frame.sort_values(SORT_KEYS) if job == "sort" else frame.merge(dd.read_csv(files[1]), on=JOIN_KEY, suffixes=("", "_right"))
        frame.to_parquet(os.path.join(output, "out"), compression=None, write_index=False)
    return dask.__version__


ENGINES = {engine.__name__: engine for engine in [polars, duckdb, datafusion, dask]}


def engine(arguments: list[str]) -> None:
    name, job, limit, threads, output, *files = arguments
    began = time.perf_counter()
    version = ENGINES[name](job, int(limit), int(threads), output, files)
    print(json.dumps({"seconds": time.perf_counter() - began, "version": version}))


# What runs in this one.


def memory_of_tree(root: int) -> int:
    """Resident bytes of a process and all that it started, each page of a file that several map counted for each."""
    children: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry))
        resident[int(entry)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    total, waiting = 0, [root]
    while waiting:
        process = waiting.pop()
        total += resident.get(process, 0)
        waiting += children.get(process, [])
    return total


def run(command: list[str], timeout: float) -> dict:
    """The JSON that the command printed last, the peak of its memory, or why it did not end well."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True, start_new_session=True)
        began, peak, failed = time.monotonic(), 0, None
        while process.poll() is None:
            peak = max(peak, memory_of_tree(process.pid))
            if time.monotonic() - began > timeout:
                os.killpg(process.pid, 9)
                failed = f"not done after {timeout:.0f} s"
                break
            time.sleep(0.02)
        errors = process.communicate()[1]
        out.seek(0)
        lines = [line for line in out.read().splitlines() if line.startswith("{")]
        if failed is None and (process.returncode or not lines):
            failed = f"exit code {process.returncode}: {(errors.strip().splitlines() or ['no word'])[-1][:200]}"
        found = {"failed": failed} if failed else json.loads(lines[-1])
        # The program's own figure has no gaps between looks.
        found["peak_rss_bytes"] = max(peak, found.get("peak_rss_bytes", 0))
        return found


def looked_at(job: str, output: str) -> tuple[int, str | None]:
    """The rows that were written, and what is wrong with their order."""
    import pyarrow.parquet as pq

    rows, last, wrong = 0, None, None
    # Dask counts its parts without zeros in front.
    paths = [path for path in glob.glob(f"{output}/**/*.parquet", recursive=True) if os.path.isfile(path)]
    for path in sorted(paths, key=lambda path: [int(text) for text in re.findall(r"\d+", os.path.relpath(path, output))]):
        meta = pq.ParquetFile(path).metadata
        rows += meta.num_rows
        at = meta.schema.names.index(SORT_KEYS[0]) if job == "sort" else 0
        for group in range(meta.num_row_groups if job == "sort" else 0):
            found = meta.row_group(group).column(at).statistics
            if found is not None and found.has_min_max:
                if last is not None and found.min < last:
                    wrong = f"{found.min} comes after {last}"
                last = found.max
    return rows, wrong


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benches/peers/run out-of-core",
        description="Sort and join of files larger than the memory limit.",
        epilog="also: --rows N of the sort (100000000: 5 GB; the join has two thirds of them), --peers-only, --program PATH",
    )
    parser.add_argument("--sort-files", nargs="+", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--join-files", nargs="+", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--program", help=argparse.SUPPRESS)
    parser.add_argument("--limit", default="2GiB", help="the memory limit (2GiB)")
    parser.add_argument("--jobs", default="sort,join")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--engines", default=",".join(PEERS))
    parser.add_argument("--timeout", type=float, default=3600)
    return parser.parse_args()


def command(args: argparse.Namespace, name: str, job: str, output: str, files: list[str]) -> list[str]:
    if name != "partita":
        return [sys.executable, HERE, "engine", name, job, str(size(args.limit)), str(args.threads), output, *files]
    asked = [args.program, "--limit", args.limit, "--threads", str(args.threads), "--jobs", job, "--output", output, "--json", "--keep"]
    asked += ["--by", ",".join(SORT_KEYS), "--on", JOIN_KEY]
    return asked + [word for file in files for word in ("--csv", file)]


def print_best(lines: dict[str, list[dict]], limit: int) -> None:
    """Partita beside the fastest peer that ended, and beside the fastest of those whose memory was what they were allowed and a quarter."""

    def best(name: str, most: float) -> float | None:
        return min((found["seconds"] for found in lines[name] if "failed" not in found and found["peak_rss_bytes"] <= most), default=None)

    ours = best("partita", math.inf) if "partita" in lines else None
    if ours is None:
        return
    for said, most in [("ended", math.inf), ("ended and held the limit", HELD * limit)]:
        peers = {name: seconds for name in lines if name != "partita" and (seconds := best(name, most)) is not None}
        if peers:
            fastest = min(peers, key=peers.get)
            print(f"\nThe fastest peer that {said}: {fastest}, {peers[fastest] / ours:.2f} times as long as partita.")
        else:
            print(f"\nNo peer {said}.")


def main() -> None:
    args = arguments()
    allowed = sorted(os.sched_getaffinity(0))[: args.threads]
    os.sched_setaffinity(0, allowed)
    machine = f"{processor()}, {len(allowed)} of {os.cpu_count()} processors, {platform.system()} {platform.release()}"
    names = (["partita"] if args.program else []) + [name for name in args.engines.split(",") if name]
    record = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "machine": machine, "limit": size(args.limit),
        "threads": args.threads, "load_before": os.getloadavg()[0], "jobs": [],
    }
    for job in args.jobs.split(","):
        files = args.sort_files[:1] if job == "sort" else [args.join_files[0], args.join_files[3]]
        lines: dict[str, list[dict]] = {name: [] for name in names}
        for turn in range(args.runs):
            for name in names:
                output = tempfile.mkdtemp(prefix="out-of-core-", dir=os.path.dirname(files[0]))
                found = run(command(args, name, job, output, files), args.timeout)
                if "failed" not in found:
                    found["rows"], wrong = looked_at(job, output)
                    if wrong:
                        found["failed"] = f"out of order: {wrong}"
                shutil.rmtree(output, ignore_errors=True)
                lines[name].append(found)
                print(f"== {job}, turn {turn + 1}: {name}: {found}", file=sys.stderr)
        rows = {found["rows"] for runs in lines.values() for found in runs if "rows" in found}
        size_mb = sum(map(os.path.getsize, files)) / 1e6
        print(f"\n### {job} of {size_mb:.0f} MB under {args.limit}, {args.threads} threads; {machine}\n")
        print("| engine | version | s | peak MB | peak / limit | spilled MB | ended |\n| --- | --- | ---: | ---: | ---: | ---: | --- |")
        for name, runs in lines.items():
            good = sorted((found for found in runs if "failed" not in found), key=lambda found: found["seconds"])
            shown = good[len(good) // 2] if good else runs[0]
            seconds = f"{shown['seconds']:.1f}" if good else "—"
            spilled = f"{shown['spilled_bytes'] / 1e6:.0f}" if "spilled_bytes" in shown else "—"
            peak = max(found["peak_rss_bytes"] for found in runs)
            ended = f"{len(good)} of {len(runs)}" + ("" if good else f": {runs[0]['failed']}")
            print(f"| {name} | {shown.get('version', '')} | {seconds} | {peak / 1e6:.0f} | {peak / size(args.limit):.2f} | {spilled} | {ended} |")
        if len(rows) > 1:
            print(f"\nROWS DIFFER: {sorted(rows)}")
        print_best(lines, size(args.limit))
        record["jobs"].append({"job": job, "files": [os.path.basename(file) for file in files], "engines": lines, "rows": sorted(rows)})
        os.makedirs(os.path.dirname(args.results), exist_ok=True)
        with open(args.results, "w") as out:
            json.dump(record, out, indent=2)
            out.write("\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["engine"]:
        engine(sys.argv[2:])
    else:
        main()
