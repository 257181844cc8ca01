"""TPC-H: partita and its peers on the same Parquet files, on this machine, in one sitting.

    benches/peers/run tpch                               scale 1, all 22 queries, 2 threads, against all peers
    benches/peers/run tpch --sf 10 --engines duckdb,datafusion
    benches/peers/run tpch --queries 1,6 --rounds 5

`partita tpch` makes the files when they are not there. In each round every engine runs the queries in a process of its own, all of them
bound to the same processors, each query twice; the second time counts. All engines must give the same rows, floats to 1e-9 of their size.
A ratio is a peer's median over partita's: above 1 partita is faster.
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

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = ["duckdb", "polars", "datafusion", "dask"]
# The second run counts.
RUNS = 2


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benches/peers/run tpch", formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__,
    )
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--sf", type=float, default=1.0, help="scale factor (1)")
    parser.add_argument("--queries", default=",".join(map(str, range(1, 23))), help="numbers with commas (all)")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each engine (3)")
    parser.add_argument("--threads", type=int, default=2, help="threads and processors for each engine (2)")
    parser.add_argument("--engines", default=",".join(PEERS), help=f"peers to run ({','.join(PEERS)})")
    parser.add_argument("--folder", default=os.path.join(HERE, "data", "tpch"), help="where the files are, or are made")
    parser.add_argument("--results", default=None, help="a file for all numbers as JSON")
    args = parser.parse_args()
    args.engines = [name for name in args.engines.split(",") if name]
    unknown = set(args.engines) - set(PEERS)
    if unknown:
        parser.error(f"no such engine: {', '.join(sorted(unknown))}")
    return args


def output(command: list[str], threads: int) -> str:
    environment = {**os.environ, "POLARS_MAX_THREADS": str(threads), "PARTITA_PROGRESS": "off"}
    return subprocess.run(command, stdout=subprocess.PIPE, env=environment, text=True, check=True).stdout


def partita(args: argparse.Namespace, *more: str) -> list[str]:
    return [args.binary, "tpch", "--sf", f"{args.sf:g}", "--folder", args.folder, "--threads", str(args.threads), *more]


def run(name: str, args: argparse.Namespace, files: str) -> dict:
    """One process of one engine: what it prints."""
    if name == "partita":
        command = partita(args, "--query", args.queries, "--runs", str(RUNS), "--json")
    else:
        command = [sys.executable, os.path.join(HERE, "tpch_engine.py"), name, files, str(args.sf), args.queries, str(RUNS), str(args.threads)]
    return json.loads(output(command, args.threads))


def warm(folder: str) -> int:
    """Reads all files once, so that every run finds them in the page cache. The bytes of all."""
    total = 0
    for below, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(below, name), "rb", buffering=0) as source:
                while block := source.read(1 << 24):
                    total += len(block)
    return total


def in_order(row: list, floats: list[bool]) -> tuple:
    """What is no float, because rows that are equal in what they are sorted by have no order."""
    return tuple(str(value) for value, float_ in zip(row, floats) if not float_)


def table(query: dict) -> list[list]:
    """Rows of partita are objects; those of peers are lists."""
    return [[row[name] for name in query["columns"]] if "columns" in query else row for row in query["rows"]]


def disagreement(expected: list[list], found: list[list]) -> str | None:
    """The first rows that differ by more than the order of additions can explain, in words."""
    if len(expected) != len(found):
        return f"{len(found)} rows instead of {len(expected)}"
    width = len(expected[0]) if expected else 0
    floats = [any(isinstance(row[at], float) for row in expected + found) for at in range(width)]
    for left, right in zip(sorted(expected, key=lambda row: in_order(row, floats)), sorted(found, key=lambda row: in_order(row, floats))):
        for a, b, float_ in zip(left, right, floats):
            both = float_ and a is not None and b is not None
            if not (math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) if both else a == b):
                return f"{right} instead of {left}"
    return None


def run_all(args: argparse.Namespace, files: str) -> tuple[dict, dict, dict]:
    """For each engine and query its seconds; versions; and the greatest memory of each engine."""
    names = ["partita", *args.engines]
    seconds: dict[str, dict[int, list[float]]] = {name: {} for name in names}
    versions = {"partita": output([args.binary, "--version"], args.threads).split()[1]}
    peaks: dict[str, int] = {}
    expected: dict[int, tuple[str, list]] = {}
    for turn in range(args.rounds):
        for name in names:
            found = run(name, args, files)
            versions.setdefault(name, found.get("version", ""))
            for query in found["queries"]:
                first, rows = expected.setdefault(query["query"], (name, table(query)))
                difference = disagreement(rows, table(query))
                if difference:
                    sys.exit(f"query {query['query']}: {name} and {first} disagree: {difference}")
                seconds[name].setdefault(query["query"], []).append(query["all_seconds"][-1])
                peaks[name] = max(peaks.get(name, 0), query["peak_rss_bytes"])
        print(f"== round {turn + 1} of {args.rounds} done", file=sys.stderr)
    return seconds, versions, peaks


def geometric_mean(numbers: list[float]) -> float:
    return math.exp(statistics.fmean(math.log(number) for number in numbers))


def print_tables(medians: dict[str, dict[int, float]], versions: dict, peaks: dict) -> dict:
    names = list(medians)
    print("| query | " + " | ".join(f"{name} {versions[name]}" for name in names) + " | best peer / partita |")
    print("| --- |" + " ---: |" * (len(names) + 1))
    best = {}
    for number, ours in medians["partita"].items():
        peers = [medians[name][number] for name in names[1:] if number in medians[name]]
        cells = [f"{medians[name][number]:.3f}" if number in medians[name] else "" for name in names]
        if peers:
            best[number] = min(peers) / ours
        print(f"| {number} | " + " | ".join(cells) + (f" | {best[number]:.2f} |" if number in best else " | |"))
    means = {}
    for name in names[1:]:
        common = [number for number in medians["partita"] if number in medians[name]]
        if common:
            means[name] = geometric_mean([medians[name][number] / medians["partita"][number] for number in common])
    if best:
        means["best of all"] = geometric_mean(list(best.values()))
    print("\n| peer | geometric mean of its median over partita's | queries | peak RSS MB |\n| --- | ---: | ---: | ---: |")
    for name, mean in means.items():
        queries = len(best) if name == "best of all" else len(medians[name])
        print(f"| {name} | {mean:.2f} | {queries} | {f'{peaks[name] / 1e6:.0f}' if name in peaks else ''} |")
    print(f"| partita | 1 | {len(medians['partita'])} | {peaks['partita'] / 1e6:.0f} |")
    return means


def main() -> None:
    args = arguments()
    allowed = sorted(os.sched_getaffinity(0))[: args.threads]
    files = output(partita(args, "--only-make"), args.threads).strip()
    # After the files are made, which may use all processors.
    os.sched_setaffinity(0, allowed)
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"== the machine is busy (load {load:.1f}): times will be too long and will vary", file=sys.stderr)
    size = warm(files)
    seconds, versions, peaks = run_all(args, files)
    medians = {name: {number: statistics.median(all_) for number, all_ in found.items()} for name, found in seconds.items()}
    machine = f"{platform.machine()}, {len(allowed)} of {os.cpu_count()} processors, {platform.system()} {platform.release()}"
    print(f"TPC-H scale {args.sf:g}, Parquet ({size / 1e6:.0f} MB), medians of {args.rounds} in seconds, {args.threads} threads each, page cache warm,")
    print(f"the second run of a process counts, all results equal to 1e-9. {machine}. Load before: {load:.1f}.\n")
    means = print_tables(medians, versions, peaks)
    if args.results:
        record = {
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "scale": args.sf, "bytes": size,
            "rounds": args.rounds, "threads": args.threads, "machine": machine, "load_before": load, "versions": versions,
            "seconds": seconds, "peak_rss_bytes": peaks, "geometric_means": means,
        }
        os.makedirs(os.path.dirname(os.path.abspath(args.results)), exist_ok=True)
        with open(args.results, "w") as out:
            json.dump(record, out, indent=2)
            out.write("\n")


main()
