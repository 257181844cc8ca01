"""Asks partita and its peers the questions of the db-benchmark in turns, checks that they agree, prints a table and writes it as JSON.

Each process is bound to the same processors. From CSV, each question has a process of its own; in memory, the tables are loaded once a process
and all questions are asked of them. Files are read once beforehand, so they are in the page cache. A peer that fails or has no way to say a
question is left out of it, and that is said.
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

from compare import processor, warm

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = ["polars", "duckdb", "datafusion"]
OPTIONAL = ["dask", "pandas"]
QUESTIONS = {"groupby": [f"q{number}" for number in range(1, 11)], "join": [f"q{number}" for number in range(1, 6)]}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benches/peers/run db-benchmark",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="The ten group-by and five join questions of the db-benchmark.",
        epilog="also: --rows N (10000000), --peers-only, --program PATH (else benches/db_benchmark.rs is built)",
    )
    parser.add_argument("--groupby-files", nargs="+", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--join-files", nargs="+", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--program", help=argparse.SUPPRESS)
    parser.add_argument("--tasks", default="groupby,join")
    parser.add_argument("--modes", default="csv,memory")
    parser.add_argument("--questions", help="only these, for example q1,q5")
    parser.add_argument("--runs", type=int, default=5, help="how often each engine has its turn (5)")
    parser.add_argument("--threads", type=int, default=2, help="threads and processors for each engine (2)")
    parser.add_argument("--engines", default=",".join(PEERS), help=f"peers to run ({','.join(PEERS)}; also {','.join(OPTIONAL)})")
    parser.add_argument("--timeout", type=float, default=600, help="seconds after which a process is given up (600)")
    args = parser.parse_args()
    unknown = set(args.engines.split(",")) - set(PEERS + OPTIONAL) - {""}
    if unknown or args.runs < 1:
        parser.error(f"no such engine: {', '.join(sorted(unknown))}" if unknown else "--runs must be at least 1")
    return args


def command(args: argparse.Namespace, engine: str, task: str, mode: str, questions: list[str]) -> list[str]:
    files = args.groupby_files if task == "groupby" else args.join_files
    if engine == "partita":
        return [args.program, task, mode, *files, "--questions", ",".join(questions), "--threads", str(args.threads)]
    return [sys.executable, os.path.join(HERE, "db_engine.py"), engine, task, mode, str(args.threads), ",".join(questions), *files]


def ask(args: argparse.Namespace, engine: str, task: str, mode: str, questions: list[str]) -> list[dict]:
    """The lines that a process printed; a process that fails has printed those before it failed."""
    environment = {**os.environ, "POLARS_MAX_THREADS": str(args.threads), "PARTITA_PROGRESS": "off"}
    asked = command(args, engine, task, mode, questions)
    try:
        done = subprocess.run(asked, stdout=subprocess.PIPE, env=environment, timeout=args.timeout, text=True)
        text, trouble = done.stdout, f"exit code {done.returncode}" if done.returncode else None
    except subprocess.TimeoutExpired as late:
        text, trouble = (late.stdout or b"").decode(), f"not done after {args.timeout:.0f} s"
    if trouble:
        print(f"== {engine}, {task} {mode} {','.join(questions)}: {trouble}", file=sys.stderr)
        if engine == "partita":
            sys.exit(1)
    return [json.loads(line) for line in text.splitlines()]


def disagreement(expected: dict, found: dict) -> str | None:
    if expected["rows"] != found["rows"]:
        return f"{found['rows']} rows instead of {expected['rows']}"
    if expected["sums"].keys() != found["sums"].keys():
        return f"the columns {sorted(found['sums'])} instead of {sorted(expected['sums'])}"
    for name, value in expected["sums"].items():
        if not math.isclose(value, found["sums"][name], rel_tol=1e-9, abs_tol=1e-6):
            return f"{name} sums up to {found['sums'][name]!r} instead of {value!r}"
    return None


class Book:
    """What was measured of one task in one mode."""

    def __init__(self, engines: list[str]):
        self.engines = engines
        self.runs: dict[tuple[str, str], list[dict]] = {}
        self.answers: dict[str, tuple[str, dict]] = {}
        self.versions: dict[str, str] = {}
        self.wrong: list[str] = []

    def enter(self, engine: str, line: dict) -> None:
        question = line["question"]
        self.versions[engine] = line.pop("version")
        first, expected = self.answers.setdefault(question, (engine, line))
        difference = disagreement(expected, line)
        if difference:
            self.wrong.append(f"{question}: {engine} and {first} disagree: {difference}")
        self.runs.setdefault((question, engine), []).append(line)

    def median(self, question: str, engine: str, what: str = "seconds") -> float | None:
        lines = self.runs.get((question, engine))
        return statistics.median(line[what] for line in lines) if lines else None

    def rows(self, questions: list[str]) -> list[dict]:
        rows = []
        for question in questions:
            engines = {}
            for engine in self.engines:
                lines = self.runs.get((question, engine))
                if lines:
                    engines[engine] = {
                        "median_seconds": self.median(question, engine),
                        "min_seconds": min(line["seconds"] for line in lines),
                        "first_median_seconds": self.median(question, engine, "first"),
                        "peak_rss_bytes": max(line["peak_rss_bytes"] for line in lines),
                        "all_seconds": [line["seconds"] for line in lines],
                    }
            peers = {engine: found["median_seconds"] for engine, found in engines.items() if engine != "partita"}
            best = min(peers, key=peers.get) if peers else None
            ratio = peers[best] / engines["partita"]["median_seconds"] if best and "partita" in engines else None
            answer = self.answers.get(question)
            rows.append({
                "question": question, "rows": answer[1]["rows"] if answer else None, "best_peer": best, "ratio": ratio, "engines": engines,
            })
        return rows


def geometric_mean(ratios: list[float]) -> float | None:
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def table(rows: list[dict], engines: list[str]) -> str:
    """Seconds of each engine, the ratio to the best peer (above 1: partita is faster), and the peaks of memory."""
    lines = [
        "| question | " + " | ".join(f"{engine} s" for engine in engines) + " | best peer / partita | peak MB: " + ", ".join(engines) + " |",
        "| --- |" + " ---: |" * (len(engines) + 1) + " --- |",
    ]
    for row in rows:
        seconds = [f"{row['engines'][engine]['median_seconds']:.3f}" if engine in row["engines"] else "—" for engine in engines]
        peaks = [f"{row['engines'][engine]['peak_rss_bytes'] / 1e6:.0f}" if engine in row["engines"] else "—" for engine in engines]
        ratio = f"{row['ratio']:.2f} ({row['best_peer']})" if row["ratio"] else "—"
        lines.append(f"| {row['question']} | {' | '.join(seconds)} | {ratio} | {', '.join(peaks)} |")
    mean = geometric_mean([row["ratio"] for row in rows if row["ratio"]])
    if mean:
        lines.append(f"| geometric mean |{' |' * len(engines)} **{mean:.2f}** | |")
    return "\n".join(lines)


def run(args: argparse.Namespace, task: str, mode: str) -> Book:
    chosen = args.questions.split(",") if args.questions else QUESTIONS[task]
    questions = [question for question in QUESTIONS[task] if question in chosen]
    book = Book((["partita"] if args.program else []) + [name for name in args.engines.split(",") if name])
    # Where files are read each question has a process, so that its memory is its own.
    groups = [[question] for question in questions] if mode == "csv" else [questions]
    for turn in range(args.runs):
        for group in groups:
            for engine in book.engines:
                for line in ask(args, engine, task, mode, group):
                    book.enter(engine, line)
        print(f"== {task} {mode}: turn {turn + 1} of {args.runs} done", file=sys.stderr)
    return book


def main() -> None:
    args = arguments()
    allowed = sorted(os.sched_getaffinity(0))[: args.threads]
    os.sched_setaffinity(0, allowed)
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"== the machine is busy (load {load:.1f}): times will be too long and will vary", file=sys.stderr)
    machine = f"{processor()}, {len(allowed)} of {os.cpu_count()} processors, {platform.system()} {platform.release()}"
    record = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine, "threads": args.threads, "runs": args.runs, "load_before": load, "tables": [],
    }
    wrong = []
    for task in args.tasks.split(","):
        files = args.groupby_files if task == "groupby" else args.join_files
        for file in files:
            warm(file)
        for mode in args.modes.split(","):
            book = run(args, task, mode)
            questions = [question for question in QUESTIONS[task] if question in book.answers]
            rows = book.rows(questions)
            where = "from CSV" if mode == "csv" else "in memory"
            versions = ", ".join(f"{name} {version}" for name, version in book.versions.items())
            print(f"\n### {task}, {where}: {', '.join(os.path.basename(file) for file in files)}\n")
            print(f"Medians of {args.runs} turns, second run of each process, {args.threads} threads; {machine}; {versions}.\n")
            print(table(rows, book.engines))
            wrong += [f"{task} {mode} {text}" for text in book.wrong]
            ratios = [row["ratio"] for row in rows if row["ratio"]]
            record["tables"].append({
                "task": task, "mode": mode, "files": [os.path.basename(file) for file in files], "bytes": sum(map(os.path.getsize, files)),
                "versions": book.versions, "geometric_mean": geometric_mean(ratios), "questions": rows, "disagreements": book.wrong,
            })
            # After each table, so that a run that is broken off leaves what it has.
            os.makedirs(os.path.dirname(args.results), exist_ok=True)
            with open(args.results, "w") as out:
                json.dump(record, out, indent=2)
                out.write("\n")
    if wrong:
        sys.exit("\n".join(["", "ANSWERS DIFFER:", *wrong]))
    print("\nAll answers are equal: rows, and the sums of all columns of numbers to 1e-9.")


if __name__ == "__main__":
    main()
