"""What calls of user functions cost with Dask: `tasks_dask.py [--tasks N] [--runs N] [--only map,latency,...]` prints one JSON object for
each measure, with the seconds of each run, as `cargo bench --bench tasks` does for partita.

The cluster is a LocalCluster of two worker processes with one thread each, without dashboard and memory limit; everything else is
left at Dask's defaults. Starting it and a first round that warms it up are not measured. Run it in the environment that
`benches/peers/cluster/run` makes: `benches/peers/cluster/.venv/bin/python benches/peers/tasks_dask.py`.
"""

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable

import distributed
from distributed import Client, LocalCluster, as_completed

TRIPS = 1_000
LINKS = 10_000
READERS = 1_000
LARGE = 64 << 20
fresh = itertools.count(1)


def nothing(x: int) -> int:
    return x


def following(x: int) -> int:
    return x + 1


def byte_at(data: bytes, at: int) -> int:
    return data[at]


def numbers(count: int) -> list[int]:
    return list(itertools.islice(fresh, count))


def map_all(client: Client, tasks: int) -> float:
    items = numbers(tasks)
    begun = time.perf_counter()
    results = client.gather(client.map(nothing, items))
    seconds = time.perf_counter() - begun
    assert results == items
    return seconds


def latency(client: Client) -> float:
    trips = []
    for x in numbers(TRIPS):
        begun = time.perf_counter()
        assert client.submit(nothing, x).result() == x
        trips.append(time.perf_counter() - begun)
    return statistics.median(trips)


def completed(client: Client, tasks: int) -> float:
    items = numbers(tasks)
    begun = time.perf_counter()
    total = sum(result for _, result in as_completed(client.map(nothing, items), with_results=True))
    seconds = time.perf_counter() - begun
    assert total == sum(items)
    return seconds


def chain(client: Client) -> float:
    first = numbers(LINKS + 1)[0]
    begun = time.perf_counter()
    last = client.submit(nothing, first)
    for _ in range(LINKS):
        last = client.submit(following, last)
    assert last.result() == first + LINKS
    return time.perf_counter() - begun


def scatter(client: Client) -> float:
    seed = numbers(1)[0]
    data = bytes((at * 31 + seed) & 255 for at in range(READERS)) + bytes(LARGE - READERS)
    begun = time.perf_counter()
    there = client.scatter(data, hash=False)
    found = client.gather([client.submit(byte_at, there, at) for at in range(READERS)])
    seconds = time.perf_counter() - begun
    assert bytes(found) == data[:READERS]
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=1, help="how often each is measured (1: the map alone takes minutes)")
    parser.add_argument("--only", default="", help="only these measures, by commas")
    args = parser.parse_args()
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0) as cluster,
        Client(cluster) as client,
    ):
        map_all(client, 1_000)
        measures: list[tuple[str, Callable[[], float]]] = [
            ("map", lambda: map_all(client, args.tasks)),
            ("latency", lambda: latency(client)),
            ("completed_tenth", lambda: completed(client, args.tasks // 10)),
            ("completed", lambda: completed(client, args.tasks)),
            ("chain", lambda: chain(client)),
            ("scatter", lambda: scatter(client)),
        ]
        for what, measure in measures:
            if args.only and what not in args.only.split(","):
                continue
            seconds = [measure() for _ in range(args.runs)]
            said = {"what": what, "seconds": seconds, "median": statistics.median(seconds), "tasks": args.tasks}
            print(json.dumps(said | {"program": f"dask {distributed.__version__}", "python": sys.version.split()[0]}), flush=True)


if __name__ == "__main__":
    main()
