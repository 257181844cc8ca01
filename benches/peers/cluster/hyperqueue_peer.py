"""HyperQueue from its PyPI wheel: `hyperqueue_peer.py WHAT --tasks N` prints one JSON object with the seconds of each repetition.

The wheel holds a server and a worker that run on threads of this process and talk over loopback TCP; the `hq` program is not in
it. What HyperQueue can do here is start a *process* for each task, `/bin/true`, so most of what is measured is the kernel's work
of starting processes. `processes` is that work alone: the same number of `/bin/true`, two at a time, from two threads of this process.
The figures that its authors publish (191,000 tasks/s) come from a worker that starts nothing, which the wheel does not have.

Whether its connections are encrypted is read from the server's own access file and printed: the wheel's server has no key.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version

from hyperqueue import Job
from hyperqueue.cluster import LocalCluster, WorkerConfig


def encrypted(folder: str) -> bool:
    """Whether the server asks its workers for a key, by the file that workers read."""
    for path, _, files in os.walk(folder):
        if "access.json" in files:
            with open(os.path.join(path, "access.json")) as access:
                return json.load(access)["worker"]["secret_key"] is not None
    sys.exit("HyperQueue's server wrote no access file")


def independent(args: argparse.Namespace) -> dict:
    """From submitting the job to knowing that all its tasks have ended. The client asks once a second, so up to one second is added."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder, LocalCluster(folder, WorkerConfig(cores=2)) as cluster:
        sealed = encrypted(folder)
        client = cluster.client()
        # A first job, so that the worker is connected when the clock starts.
        for tasks in [10] + [args.tasks] * args.repeat:
            job = Job(default_workdir=folder)
            for _ in range(tasks):
                job.program(["/bin/true"], stdout=None, stderr=None)
            begun = time.perf_counter()
            if not client.wait_for_jobs([client.submit(job)]):
                sys.exit("a task failed")
            seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds[1:], "tasks": args.tasks, "encrypted": sealed}


def processes(args: argparse.Namespace) -> dict:
    """The floor below HyperQueue's figure: `/bin/true` so many times, without anybody who schedules."""

    def start(count: int) -> None:
        for _ in range(count):
            subprocess.Popen(["/bin/true"]).wait()

    seconds = []
    for _ in range(args.repeat):
        halves = [threading.Thread(target=start, args=(count,)) for count in (args.tasks // 2, args.tasks - args.tasks // 2)]
        begun = time.perf_counter()
        for half in halves:
            half.start()
        for half in halves:
            half.join()
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds, "tasks": args.tasks}


WHAT = {"independent": independent, "processes": processes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()
    # The server prints a table when it starts; the result is the only thing that belongs on the standard output.
    result = os.dup(1)
    os.dup2(2, 1)
    found = WHAT[args.what](args)
    if args.what != "processes":
        found["version"] = version("hyperqueue")
    with os.fdopen(result, "w") as out:
        print(json.dumps(found), file=out)


if __name__ == "__main__":
    main()
