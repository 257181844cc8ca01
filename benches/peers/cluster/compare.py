"""Runs partita's cluster and its peers in turn, prints one table with ratios and writes it as JSON.

Each run is a process of its own that prints one JSON object; a run that takes too long is killed with all processes that it
started, and the table says so. For each measure the programs take turns (A B C, A B C, ...), so that a slow minute of the machine
meets all of them. A program whose first run took longer than a minute is not repeated.
"""

import argparse
import dataclasses
import datetime
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NOT_REPEATED_AFTER = 60.0
GIB = 1 << 30


@dataclasses.dataclass
class Program:
    """One column of a measure: who, and the arguments of its process."""

    name: str
    arguments: list[str]
    note: str = ""


@dataclasses.dataclass
class Measure:
    """One line of the table. The first program is the one that ratios are made with; `unit` says how `value` is shown."""

    name: str
    title: str
    unit: str
    programs: list[Program]
    target: str = ""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/peers/cluster/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="how often each program runs each measure (3)")
    parser.add_argument("--tasks", type=int, default=100_000, help="tasks of `independent` and `merge` (100000), for Dask too")
    parser.add_argument("--dask-tasks", type=int, help="another number for Dask; its figure is then marked as extrapolated")
    parser.add_argument("--processes", type=int, default=4_000, help="tasks of HyperQueue, each of which starts a process (4000)")
    parser.add_argument("--depth", type=int, default=15, help="the tree has 2^depth - 1 tasks (15)")
    parser.add_argument("--bytes", type=int, default=GIB, help="bytes to move from one worker to the other (1 GiB)")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds after which a run is killed (600)")
    parser.add_argument("--only", default="", help="only these measures, by commas: independent,million,merge,tree,latency,transfer,memory,headline")
    parser.add_argument("--no-dask", action="store_true")
    parser.add_argument("--no-hyperqueue", action="store_true")
    parser.add_argument("--graphs", help=argparse.SUPPRESS)
    parser.add_argument("--headline", help=argparse.SUPPRESS)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    parser.add_argument("--results", default=os.path.join(HERE, "results", "latest.json"), help=argparse.SUPPRESS)
    return parser.parse_args()


def graphs(args: argparse.Namespace, what: str, *more: str) -> list[Program]:
    """Our program, over plain connections and over mutual TLS."""
    if not args.graphs:
        return []
    plain = [args.graphs, what, *more]
    return [Program("partita", plain), Program("partita, TLS", [*plain, "--tls"])]


def dask(args: argparse.Namespace, what: str, *more: str, note: str = "") -> list[Program]:
    if args.no_dask:
        return []
    return [Program("Dask", [sys.executable, os.path.join(HERE, "dask_peer.py"), what, *more], note)]


def raw(args: argparse.Namespace, what: str, *more: str) -> list[Program]:
    return [Program("raw TCP", [args.graphs, what, *more])] if args.graphs else []


def measures(args: argparse.Namespace) -> list[Measure]:
    tasks, tree = str(args.tasks), str(2**args.depth - 1)
    fewer = args.dask_tasks or args.tasks
    extrapolated = f"extrapolated from {fewer:,} tasks" if fewer != args.tasks else ""
    found = [
        Measure("independent", f"{args.tasks:,} independent tasks", "s", graphs(args, "independent", "--tasks", tasks)
                + dask(args, "independent", "--tasks", str(fewer), note=extrapolated), "200,000 tasks/s with TLS"),
        Measure("million", "1,000,000 independent tasks", "s", graphs(args, "independent", "--tasks", "1000000"), "200,000 tasks/s with TLS"),
        Measure("merge", f"merge-{args.tasks // 1000}K: as many and one that reads all", "s", graphs(args, "merge", "--tasks", tasks)
                + dask(args, "merge", "--tasks", str(fewer), note=extrapolated), "<= 1.5 s"),
        Measure("tree", f"tree-{args.depth}: binary reduction of {int(tree):,} tasks", "s", graphs(args, "tree", "--tasks", tree)
                + dask(args, "tree", "--tasks", tree), "<= 0.5 s"),
        Measure("latency", "submit to result of one task", "us", graphs(args, "latency", "--repeat", "500")
                + dask(args, "latency", "--repeat", "200") + raw(args, "round-trip"), "<= 300 us"),
        Measure("transfer", f"{args.bytes / GIB:g} GiB from worker to worker", "GB/s", graphs(args, "transfer", "--bytes", str(args.bytes), "--repeat", "3")
                + [program for kind in ("numpy", "pandas") for program in
                   [dataclasses.replace(each, name=f"Dask, {kind}") for each in dask(args, f"transfer-{kind}", "--bytes", str(args.bytes), "--repeat", "3")]]
                + raw(args, "copy", "--bytes", str(args.bytes), "--repeat", "3")
                + [dataclasses.replace(each, name="raw TCP, kept") for each in raw(args, "copy-kept", "--bytes", str(args.bytes), "--repeat", "3")], ">= 60 % of raw, TLS >= 35 %"),
        Measure("memory", "scheduler memory per pending task", "B", graphs(args, "memory", "--tasks", "1000000")[:1], "<= 400 B"),
        Measure("headline", "mean of v3 by id1 of the CSV file", "s", headline(args), "<= 1.25 of two threads"),
    ]
    if not args.no_hyperqueue:
        script = os.path.join(HERE, "hyperqueue_peer.py")
        count = str(args.processes)
        found.append(Measure("processes", f"{args.processes:,} processes that end at once", "s", [
            Program("HyperQueue", [sys.executable, script, "independent", "--tasks", count]),
            Program("starting them, nothing else", [sys.executable, script, "processes", "--tasks", count])]))
    only = set(args.only.split(",")) - {""}
    unknown = only - {measure.name for measure in found}
    if unknown:
        sys.exit(f"no such measure: {', '.join(sorted(unknown))}")
    return [measure for measure in found if measure.programs and (not only or measure.name in only)]


def headline(args: argparse.Namespace) -> list[Program]:
    """One process measures both, in turn: the engine on two threads of its own and a cluster of two worker processes."""
    if not args.headline or not args.data:
        return []
    return [Program("partita", [args.headline, "--file", args.data])] + dask(args, "headline", "--file", args.data, "--repeat", "2")


def stop(process: subprocess.Popen) -> None:
    """Ends a run and all that it started: each run has a process group of its own."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sent)
            process.wait(timeout=5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def run_once(command: list[str], timeout: float) -> dict:
    """What the process printed, or `{"failed": why}`."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return {"failed": f"killed after {timeout:.0f} s"}
        finally:
            # Also when this program is told to end, and for what a run that ended leaves behind.
            stop(process)
        out.seek(0)
        lines = [line for line in out.read().decode().splitlines() if line.startswith("{")]
        if code == 0 and lines:
            return json.loads(lines[-1])
        err.seek(0)
        sys.stderr.write(err.read().decode(errors="replace")[-2000:])
        return {"failed": f"exit code {code}"}


def measure_all(args: argparse.Namespace) -> list[dict]:
    records = []
    for measure in measures(args):
        found: dict[str, list[dict]] = {program.name: [] for program in measure.programs}
        slow: set[str] = set()
        for turn in range(args.runs):
            for program in measure.programs:
                if program.name in slow:
                    continue
                begun = time.monotonic()
                found[program.name].append(run_once(program.arguments, args.timeout))
                took = time.monotonic() - begun
                if took > NOT_REPEATED_AFTER or "failed" in found[program.name][-1]:
                    slow.add(program.name)
                print(f"== {measure.name}, {program.name}, run {turn + 1}: {took:.1f} s in all", file=sys.stderr)
        records.append(summary(args, measure, found))
    return records


def summary(args: argparse.Namespace, measure: Measure, found: dict[str, list[dict]]) -> dict:
    """One value for each program, the median over all its repetitions in all its runs, in the measure's unit."""
    columns = []
    for program in measure.programs:
        runs = found[program.name]
        values = [value for run in runs if "failed" not in run for value in in_unit(args, measure, program, run)]
        failed = next((run["failed"] for run in runs if "failed" in run), None)
        columns.append({
            "program": program.name,
            "value": statistics.median(values) if values else None,
            "failed": failed if not values else None,
            "note": program.note,
            "runs": runs,
        })
    base = columns[0]["value"]
    for column in columns:
        column["ratio"] = column["value"] / base if column["value"] and base else None
    return {"measure": measure.name, "title": measure.title, "unit": measure.unit, "target": measure.target, "programs": columns}


def in_unit(args: argparse.Namespace, measure: Measure, program: Program, run: dict) -> list[float]:
    match measure.unit:
        case "us":
            return [seconds * 1e6 for seconds in run["seconds"]]
        case "GB/s":
            return [args.bytes / seconds / 1e9 for seconds in run["seconds"]]
        case "B":
            return [run["bytes_per_task"]]
        case _:
            # Only Dask is ever given fewer tasks, and its note says so.
            factor = args.tasks / run["tasks"] if program.note.startswith("extrapolated") else 1.0
            return [seconds * factor for seconds in run["seconds"]]


def percentile(run: dict, share: float) -> float:
    seconds = sorted(run["seconds"])
    return seconds[min(len(seconds) - 1, int(share * len(seconds)))]


def details(record: dict, column: dict) -> str:
    """What else is worth a word: rates, slow ends, and what is special of a program."""
    runs = [run for run in column["runs"] if "failed" not in run]
    words = [column["note"]] if column["note"] else []
    if column["failed"]:
        words.append(column["failed"])
    if runs and record["measure"] in ("independent", "million", "merge", "tree", "processes"):
        words.append(f"{runs[0]['tasks'] / statistics.median(s for run in runs for s in run['seconds']):,.0f} tasks/s")
    if runs and record["measure"] == "latency":
        words.append(f"p99 {statistics.median(percentile(run, 0.99) for run in runs) * 1e6:,.0f} us")
    if runs and record["measure"] == "headline":
        local = statistics.median(s for run in runs for s in run["local_seconds"])
        words.append(f"two threads of one process {local:.3g} s, ratio to that {column['value'] / local:.2f}")
    if runs and record["measure"] == "memory":
        accepted = statistics.median(s for run in runs for s in run["seconds"])
        shapes = runs[0]["shapes"]
        words.append(f"{runs[0]['tasks']:,} tasks accepted in {accepted:.2g} s; in a tree {shapes['tree']['bytes_per_task']:.0f} B")
        if "submits" in shapes:
            words.append(f"each submitted by itself {shapes['submits']['bytes_per_task']:.0f} B")
    if runs and "encrypted" in runs[0]:
        words.append("encrypted" if runs[0]["encrypted"] else "not encrypted")
    return ", ".join(words)


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(records: list[dict]) -> str:
    lines = ["| measure | program | value | ratio | remarks | target |", "| --- | --- | ---: | ---: | --- | --- |"]
    for record in records:
        for at, column in enumerate(record["programs"]):
            title, target = (record["title"], record["target"]) if at == 0 else ("", "")
            value = f"{number(column['value'])} {record['unit']}" if column["value"] is not None else "-"
            lines.append(f"| {title} | {column['program']} | {value} | {number(column['ratio'])} | {details(record, column)} | {target} |")
    return "\n".join(lines)


def versions(records: list[dict]) -> dict[str, str]:
    found = {}
    for record in records:
        for column in record["programs"]:
            for run in column["runs"]:
                if run.get("version"):
                    found[column["program"].split(",")[0]] = run["version"]
    return found


def processor() -> str:
    with open("/proc/cpuinfo") as info:
        names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"== the machine is busy (load {load:.1f}): times will be too long and will vary", file=sys.stderr)
    records = measure_all(args)
    machine = f"{processor()}, {os.cpu_count()} processors, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    known = versions(records)
    print(f"{machine}. Load before: {load:.1f}, after: {os.getloadavg()[0]:.1f}.")
    print(", ".join(f"{name} {version}" for name, version in known.items()) + ".")
    print("Two worker processes of one thread, a scheduler and a client on loopback; medians of all runs. `ratio` is the value over that of the first")
    print("line of its measure. Dask: LocalCluster, plain TCP, no dashboard. HyperQueue starts a process for each task, so it is compared with that alone.\n")
    print(table(records))
    record = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine, "load_before": load, "versions": known, "runs": args.runs, "measures": records,
    }
    os.makedirs(os.path.dirname(args.results), exist_ok=True)
    with open(args.results, "w") as out:
        json.dump(record, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
