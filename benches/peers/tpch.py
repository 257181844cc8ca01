"""TPC-H: partita and its peers on the same Parquet files, on this machine, in one sitting.

    benches/peers/run tpch                               scale 1, all 22 queries, 2 threads, against all peers
    benches/peers/run tpch --sf 10 --engines duckdb,datafusion
    benches/peers/run tpch --queries 1,6 --rounds 5
    benches/peers/run tpch --rounds 1 --answers          and the first 10 rows of each answer, of every engine

`partita tpch` makes the files when they are not there. In each round every engine runs the queries in a process of its own, all of them
bound to the same processors, each query twice; the second time counts. All engines must give the same rows, floats to 1e-9 of their size,
in the same order, but for rows that are equal in what the query sorts by.
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
# By which columns each query sorts, as their places in its result. Rows that are equal in these have no order.
SORTED_BY = {
    1: [0, 1], 2: [0, 2, 1, 3], 3: [1, 2], 4: [0], 5: [1], 6: [], 7: [0, 1, 2], 8: [0], 9: [0, 1], 10: [2], 11: [1], 12: [0], 13: [1, 0], 14: [],
    15: [0], 16: [3, 0, 1, 2], 17: [], 18: [4, 3], 19: [], 20: [0], 21: [1, 0], 22: [0],
}


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
    parser.add_argument("--answers", nargs="?", type=int, const=10, default=None, metavar="ROWS", help="print so many rows of each answer, 0 for all (10)")
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


def one_process(name: str, args: argparse.Namespace, files: str, queries: str) -> dict:
    """What one process of one engine prints."""
    if name == "partita":
        command = partita(args, "--query", queries, "--runs", str(RUNS), "--json")
    else:
        command = [sys.executable, os.path.join(HERE, "tpch_engine.py"), name, files, str(args.sf), queries, str(RUNS), str(args.threads)]
    return json.loads(output(command, args.threads))


def run(name: str, args: argparse.Namespace, files: str) -> dict:
    """All queries of one engine, in one process. When a peer's process dies (of memory, as a rule), each query gets one of its own."""
    try:
        return one_process(name, args, files, args.queries)
    except subprocess.CalledProcessError as died:
        if name == "partita":
            raise
        print(f"== {name} died ({died.returncode}): one process for each query", file=sys.stderr)
    together: dict = {"queries": []}
    for number in args.queries.split(","):
        try:
            found = one_process(name, args, files, number)
        except subprocess.CalledProcessError as died:
            print(f"== {name} did not end query {number} ({died.returncode})", file=sys.stderr)
            continue
        together["queries"] += found["queries"]
        together["version"] = found["version"]
    return together


def warm(folder: str) -> int:
    """Reads all files once, so that every run finds them in the page cache. The bytes of all."""
    total = 0
    for below, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(below, name), "rb", buffering=0) as source:
                while block := source.read(1 << 24):
                    total += len(block)
    return total


def table(query: dict) -> list[list]:
    """Rows of partita are objects; those of peers are lists."""
    return [[row[name] for name in query["columns"]] if "columns" in query else row for row in query["rows"]]


def same(a, b) -> bool:
    """Whether two cells differ by no more than the order of additions can explain."""
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and (isinstance(a, float) or isinstance(b, float)):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
    return a == b


def runs(rows: list[list], keys: list[int]) -> list[tuple[int, int]]:
    """From where to where rows are equal in the columns that they are sorted by."""
    begins = [at for at in range(len(rows)) if at == 0 or not all(same(rows[at][key], rows[at - 1][key]) for key in keys)]
    return list(zip(begins, [*begins[1:], len(rows)]))


def disagreement(number: int, expected: list[list], found: list[list]) -> str | None:
    """The first rows that differ, in words."""
    if len(expected) != len(found):
        return f"{len(found)} rows instead of {len(expected)}"
    width = len(expected[0]) if expected else 0
    exact = [at for at in range(width) if not any(isinstance(row[at], float) for row in expected + found)]

    def order(row: list) -> list[str]:
        # Floats last, and not all of their digits, because the last ones may differ.
        return [str(row[at]) for at in exact] + [f"{row[at]:.6e}" for at in range(width) if at not in exact and row[at] is not None]

    for start, end in runs(expected, SORTED_BY[number]):
        for left, right in zip(sorted(expected[start:end], key=order), sorted(found[start:end], key=order)):
            if not all(map(same, left, right)):
                return f"{right} instead of {left}"
    return None


def print_answers(answers: dict[int, dict[str, list]], columns: dict[int, list[str]], most: int) -> None:
    """Row by row what each engine gave."""
    for number, of_engines in answers.items():
        count = len(next(iter(of_engines.values())))
        shown = min(count, most or count)
        print(f"\nQuery {number}: {count} rows of each engine" + (f", the first {shown}" if shown < count else "") + "\n")
        print("| row | engine | " + " | ".join(columns[number]) + " |\n| ---: | --- |" + " --- |" * len(columns[number]))
        for at in range(shown):
            for name, rows in of_engines.items():
                print(f"| {at + 1} | {name} | " + " | ".join(str(value) for value in rows[at]) + " |")
    print()


def run_all(args: argparse.Namespace, files: str) -> tuple[dict, dict, dict]:
    """For each engine and query its seconds; versions; and the greatest memory of each engine. Prints answers that were asked for."""
    names = ["partita", *args.engines]
    seconds: dict[str, dict[int, list[float]]] = {name: {} for name in names}
    versions = {"partita": output([args.binary, "--version"], args.threads).split()[1]}
    peaks: dict[str, int] = {}
    answers: dict[int, dict[str, list]] = {}
    columns: dict[int, list[str]] = {}
    for turn in range(args.rounds):
        for name in names:
            found = run(name, args, files)
            versions.setdefault(name, found.get("version", ""))
            for query in found["queries"]:
                number = query["query"]
                columns.setdefault(number, query.get("columns", []))
                answer = answers.setdefault(number, {}).setdefault(name, table(query))
                first, rows = next(iter(answers[number].items()))
                difference = disagreement(number, rows, table(query))
                if difference:
                    if args.answers is not None and len(answer) == len(rows):
                        print_answers({number: answers[number]}, columns, args.answers)
                    sys.exit(f"query {number}: {name} and {first} disagree: {difference}")
                seconds[name].setdefault(query["query"], []).append(query["all_seconds"][-1])
                peaks[name] = max(peaks.get(name, 0), query["peak_rss_bytes"])
        print(f"== round {turn + 1} of {args.rounds} done", file=sys.stderr)
    if args.answers is not None:
        print_answers(answers, columns, args.answers)
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
