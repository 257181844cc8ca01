"""One measurement of Dask: `dask_peer.py WHAT --tasks N` prints one JSON object with the seconds of each repetition.

The cluster is a LocalCluster of two worker processes with one thread each, without dashboard and memory limit. Everything else
is left at Dask's defaults: nannies run, the scheduler lives in this process, connections are plain TCP. Starting it and a first
round of small tasks that warms it up are not measured. Graphs are plain dictionaries: building one through `delayed` or a
collection costs more.
"""

import argparse
import json
import logging
import os
import sys
import time

import distributed
import numpy as np
import pandas as pd
from distributed import Client, LocalCluster, wait


def nothing(_=None) -> int:
    return 0


def count(inputs: list) -> int:
    return len(inputs)


def add(left: int, right: int) -> int:
    return left + right


def leaf(_: int) -> int:
    return 1


def array(nbytes: int, seed: int) -> np.ndarray:
    return np.full(nbytes // 8, float(seed))


def frame(nbytes: int, seed: int) -> pd.DataFrame:
    rows = nbytes // 8 // 8
    return pd.DataFrame({f"c{at}": np.full(rows, float(seed + at)) for at in range(8)})


def last(value) -> float:
    """Reads the end of the value, so that it must be there, and nothing more of it."""
    return float(value[-1] if isinstance(value, np.ndarray) else value.iloc[-1, 0])


def independent(client: Client, args: argparse.Namespace) -> list[float]:
    def once() -> float:
        begun = time.perf_counter()
        futures = client.map(nothing, range(args.tasks), pure=False)
        wait(futures)
        seconds = time.perf_counter() - begun
        if not all(future.status == "finished" for future in futures):
            sys.exit("a task did not finish")
        return seconds

    return [once() for _ in range(args.repeat)]


def merge(client: Client, args: argparse.Namespace) -> list[float]:
    def once(turn: int) -> float:
        keys = [f"leaf-{turn}-{at}" for at in range(args.tasks)]
        begun = time.perf_counter()
        graph = {key: (nothing, at) for at, key in enumerate(keys)}
        graph[f"total-{turn}"] = (count, keys)
        found = client.get(graph, f"total-{turn}")
        seconds = time.perf_counter() - begun
        if found != args.tasks:
            sys.exit(f"merge: {found} instead of {args.tasks}")
        return seconds

    return [once(turn) for turn in range(args.repeat)]


def tree(client: Client, args: argparse.Namespace) -> list[float]:
    """A binary reduction: `tasks` is 2^k - 1, of which 2^(k-1) are leaves."""

    def once(turn: int) -> float:
        begun = time.perf_counter()
        leaves = (args.tasks + 1) // 2
        level = [f"leaf-{turn}-{at}" for at in range(leaves)]
        graph = {key: (leaf, at) for at, key in enumerate(level)}
        depth = 0
        while len(level) > 1:
            depth += 1
            above = [f"add-{turn}-{depth}-{at}" for at in range(len(level) // 2)]
            graph.update({key: (add, level[2 * at], level[2 * at + 1]) for at, key in enumerate(above)})
            level = above
        found = client.get(graph, level[0])
        seconds = time.perf_counter() - begun
        if found != leaves or len(graph) != args.tasks:
            sys.exit(f"tree: {found} of {leaves} leaves, {len(graph)} tasks")
        return seconds

    return [once(turn) for turn in range(args.repeat)]


def latency(client: Client, args: argparse.Namespace) -> list[float]:
    """From submit to the result in the client's hands, of one task at a time."""
    seconds = []
    for at in range(args.repeat):
        begun = time.perf_counter()
        client.submit(nothing, at, pure=False).result()
        seconds.append(time.perf_counter() - begun)
    return seconds


def transfer(client: Client, args: argparse.Namespace) -> list[float]:
    """A value made on one worker is read by a task that is bound to the other one."""
    make = array if args.what == "transfer-numpy" else frame
    first, second = sorted(client.scheduler_info()["workers"])
    seconds = []
    for turn in range(args.repeat):
        source = client.submit(make, args.bytes, turn, workers=[first], pure=False)
        wait(source)
        begun = time.perf_counter()
        found = client.submit(last, source, workers=[second], pure=False).result()
        seconds.append(time.perf_counter() - begun)
        if found != float(turn):
            sys.exit(f"transfer: {found} instead of {turn}")
        source.release()
        time.sleep(0.5)
    return seconds


def headline(client: Client, args: argparse.Namespace) -> list[float]:
    """Mean of v3 by id1 of a CSV file. The same on two threads of one process goes to `args.local_seconds`."""
    import dask.dataframe as dd

    def once(**where) -> float:
        begun = time.perf_counter()
        found = dd.read_csv(args.file, usecols=["id1", "v3"]).groupby("id1")["v3"].mean().compute(**where)
        if len(found) != 100:
            sys.exit(f"headline: {len(found)} groups instead of 100")
        return time.perf_counter() - begun

    seconds, args.local_seconds = [], []
    for _ in range(args.repeat):
        args.local_seconds.append(once(scheduler="threads", num_workers=2))
        seconds.append(once())
    return seconds


WHAT = {
    "independent": independent,
    "merge": merge,
    "tree": tree,
    "latency": latency,
    "transfer-numpy": transfer,
    "transfer-pandas": transfer,
    "headline": headline,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--bytes", type=int, default=1 << 30)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--file")
    args = parser.parse_args()
    logging.getLogger("distributed").setLevel(logging.ERROR)
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0, silence_logs=logging.ERROR)
    with cluster, Client(cluster) as client:
        client.wait_for_workers(2)
        client.gather(client.map(nothing, range(200), pure=False))
        load = os.getloadavg()[0]
        seconds = WHAT[args.what](client, args)
        print(json.dumps({
            "seconds": seconds,
            **({"local_seconds": args.local_seconds} if args.what == "headline" else {}),
            "tasks": args.tasks,
            "version": distributed.__version__,
            "load_before": load,
        }), flush=True)


if __name__ == "__main__":
    main()
