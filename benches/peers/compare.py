"""Runs the engines in turn (A B C, A B C, ...), checks that they agree, prints a table and writes it as JSON.

Each run is a process of its own, bound to the same processors. The file is read once beforehand, so it is in the page cache.
"""

import argparse
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys

from queries import QUERIES, Query

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = ["polars", "duckdb", "datafusion", "dask", "pandas", "pandas-pyarrow"]


def arguments() -> argparse.Namespace:
    queries = "\n".join(f"  {name:22} {query.about}" for name, query in QUERIES.items())
    parser = argparse.ArgumentParser(
        prog="benches/peers/run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Partita and its peers on one query over one CSV file.",
        epilog=f"queries:\n{queries}\n\nalso: --rows N (10000000), --peers-only, --binary PATH (else partita is built)",
    )
    parser.add_argument("--file", help=argparse.SUPPRESS)
    parser.add_argument("--results", help=argparse.SUPPRESS)
    parser.add_argument("--binary", help=argparse.SUPPRESS)
    parser.add_argument("--query", choices=QUERIES, default="mean_v3_by_id1")
    parser.add_argument("--runs", type=int, default=7, help="how often each engine runs (7)")
    parser.add_argument("--threads", type=int, default=2, help="threads and processors for each engine (2)")
    parser.add_argument("--engines", default=",".join(PEERS), help=f"peers to run ({','.join(PEERS)})")
    args = parser.parse_args()
    unknown = set(args.engines.split(",")) - set(PEERS) - {""}
    if unknown or args.runs < 1:
        parser.error(f"no such engine: {', '.join(sorted(unknown))}" if unknown else "--runs must be at least 1")
    return args


def warm(file: str) -> None:
    """Reads the file once, so that every run finds it in the page cache."""
    with open(file, "rb", buffering=0) as source:
        while source.read(1 << 24):
            pass


def run_process(command: list[str], threads: int) -> tuple[dict, int]:
    """The JSON that the command prints, and the peak resident memory of its process as the kernel saw it, in bytes."""
    environment = {**os.environ, "POLARS_MAX_THREADS": str(threads), "PARTITA_PROGRESS": "off"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"failed with exit code {process.returncode}: {' '.join(command)}")
    return json.loads(text), usage.ru_maxrss * 1024


def run_partita(binary: str, file: str, query: Query, threads: int) -> dict:
    """One query by the command-line program. It has no warm-up: its first query is the one that is measured."""
    command = [binary, "groupby", file, "--by", query.by, "--threads", str(threads), "--json"]
    for function, column in query.aggregates:
        command += [f"--{function}", column]
    found, peak = run_process(command, threads)
    # A column's name stays, unless two aggregates of it are asked for, which no query here does.
    rows = [[row[query.by]] + [row[column] for _, column in query.aggregates] for row in found["rows"]]
    # The larger of what the program says of itself and what the kernel says of it.
    peak = max(peak, found["peak_rss_bytes"])
    return {"first": found["seconds"], "seconds": found["seconds"], "peak_rss_bytes": peak, "rows": rows}


def run_peer(name: str, file: str, query: str, threads: int) -> dict:
    return run_process([sys.executable, os.path.join(HERE, "engine.py"), name, file, query, str(threads)], threads)[0]


def disagreement(expected: list, found: list) -> str | None:
    """Where two sorted results differ by more than the order of additions can explain, in words."""
    if len(expected) != len(found):
        return f"{len(found)} groups instead of {len(expected)}"
    for left, right in zip(expected, found):
        same = left[0] == right[0] and len(left) == len(right)
        if not same or not all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(left[1:], right[1:])):
            return f"{right} instead of {left}"
    return None


def run_all(args: argparse.Namespace) -> tuple[dict[str, list[dict]], dict[str, str], int]:
    """All runs of all engines, their versions, and the number of groups they agree on."""
    query = QUERIES[args.query]
    names = (["partita"] if args.binary else []) + [name for name in args.engines.split(",") if name]
    runs: dict[str, list[dict]] = {name: [] for name in names}
    versions: dict[str, str] = {}
    if args.binary:
        versions["partita"] = subprocess.check_output([args.binary, "--version"], text=True).split()[1]
    expected, first_name = None, ""
    for turn in range(args.runs):
        for name in names:
            if name == "partita":
                run = run_partita(args.binary, args.file, query, args.threads)
            else:
                run = run_peer(name, args.file, args.query, args.threads)
                versions[name] = run.pop("version")
            rows = sorted(run.pop("rows"))
            if expected is None:
                expected, first_name = rows, name
            difference = disagreement(expected, rows)
            if difference:
                sys.exit(f"{name} and {first_name} disagree: {difference}")
            runs[name].append(run)
        print(f"== run {turn + 1} of {args.runs} done", file=sys.stderr)
    return runs, versions, len(expected or [])


def summary(runs: dict[str, list[dict]], versions: dict[str, str]) -> list[dict]:
    """One line for each engine, the fastest first. Ratios compare medians, with partita when it ran, else with the fastest."""
    lines = []
    for name, found in runs.items():
        seconds = [run["seconds"] for run in found]
        lines.append({
            "engine": name,
            "version": versions[name],
            "min_seconds": min(seconds),
            "median_seconds": statistics.median(seconds),
            "first_query_median_seconds": statistics.median(run["first"] for run in found),
            "peak_rss_bytes": max(run["peak_rss_bytes"] for run in found),
            "all_seconds": seconds,
        })
    lines.sort(key=lambda line: line["median_seconds"])
    base = next((line for line in lines if line["engine"] == "partita"), lines[0])
    for line in lines:
        line["ratio"] = line["median_seconds"] / base["median_seconds"]
    return lines


def processor() -> str:
    with open("/proc/cpuinfo") as info:
        names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    args = arguments()
    allowed = sorted(os.sched_getaffinity(0))[: args.threads]
    os.sched_setaffinity(0, allowed)
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"== the machine is busy (load {load:.1f}): times will be too long and will vary", file=sys.stderr)
    warm(args.file)
    runs, versions, groups = run_all(args)
    lines = summary(runs, versions)
    machine = f"{processor()}, {len(allowed)} of {os.cpu_count()} processors, {platform.system()} {platform.release()}"
    size = os.path.getsize(args.file)
    print(f"{args.query} on {os.path.basename(args.file)} ({size / 1e6:.0f} MB), {args.runs} interleaved runs, page cache warm, {groups} groups,")
    print(f"results equal to 1e-9. {machine}. Load before: {load:.1f}.")
    print("Seconds are those of the second query of a process; partita, a program for one query, is measured on its first.\n")
    print("| engine | version | median s | min s | ratio | first query s | peak RSS MB |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for line in lines:
        print(
            f"| {line['engine']} | {line['version']} | {line['median_seconds']:.3f} | {line['min_seconds']:.3f} | {line['ratio']:.2f} "
            f"| {line['first_query_median_seconds']:.3f} | {line['peak_rss_bytes'] / 1e6:.0f} |"
        )
    record = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "query": args.query, "file": os.path.basename(args.file), "bytes": size, "groups": groups, "runs": args.runs,
        "threads": args.threads, "machine": machine, "load_before": load, "engines": lines,
    }
    os.makedirs(os.path.dirname(args.results), exist_ok=True)
    with open(args.results, "w") as out:
        json.dump(record, out, indent=2)
        out.write("\n")


if __name__ == "__main__":
    main()
