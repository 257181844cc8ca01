"""Dask and onnxruntime: `dask.dataframe` reads the files, scores each partition with `map_partitions`, and writes Parquet.

Three ways to run it, all with two workers that have one thread each for the model:

    threads     two threads of this process, which share one loaded model
    processes   two processes of a pool, each of which loads the model once
    cluster     a distributed.LocalCluster of two processes with one thread each, without dashboard and memory limit

Starting the processes and importing libraries in them is not measured; loading the model is. Sizes of partitions are Dask's own.
Features are read as float32, which saves a conversion. Prints one JSON object.
"""

import argparse
import contextlib
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from generate import NAMES
from scoring import CLASSES, arguments, predictions, probabilities, report, session

META = pd.DataFrame({**{name: pd.Series(dtype=np.float32) for name in CLASSES}, "label": pd.Series(dtype=np.int32)})


def score(partition: pd.DataFrame, model: str, batch: int) -> pd.DataFrame:
    features = np.ascontiguousarray(partition[NAMES].to_numpy(np.float32))
    return pd.DataFrame(predictions(probabilities(features, session(model, 1), batch)))


def awake(_: int) -> str:
    """Something to do for a new worker, slow enough that every one of them gets its share. Its code brings the imports along."""
    time.sleep(0.2)
    return f"{dd.__name__} {session.__name__}"


@contextlib.contextmanager
def workers(args: argparse.Namespace) -> Iterator[dict]:
    """Workers that are started and have imported everything; yields the arguments of `compute`."""
    if args.scheduler == "threads":
        yield {"scheduler": "threads", "num_workers": args.workers}
    elif args.scheduler == "processes":
        with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(awake, range(4 * args.workers)))
            # One task at a time; the default of six leaves a process without work while the other has a queue.
            yield {"scheduler": "processes", "pool": pool, "num_workers": args.workers, "chunksize": 1}
    else:
        from distributed import Client, LocalCluster

        logging.getLogger("distributed").setLevel(logging.ERROR)
        cluster = LocalCluster(
            n_workers=args.workers, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0, silence_logs=logging.ERROR
        )
        with cluster, Client(cluster) as client:
            client.wait_for_workers(args.workers)
            client.gather(client.map(awake, range(4 * args.workers), pure=False))
            yield {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scheduler", choices=["threads", "processes", "cluster"], default="threads")
    parser.add_argument("--workers", type=int, default=2)
    args = arguments(parser)
    with workers(args) as where:
        began = time.perf_counter()
        if args.format == "csv":
            frame = dd.read_csv(args.files, dtype={name: np.float32 for name in NAMES})
        else:
            frame = dd.read_parquet(args.files, columns=NAMES)
        scored = frame.map_partitions(score, args.model, args.batch, meta=META)
        scored.to_parquet(args.out, write_index=False, compute_kwargs=where)
        seconds = time.perf_counter() - began
    report(
        args,
        seconds,
        peer="dask",
        scheduler=args.scheduler,
        workers=args.workers,
        partitions=scored.npartitions,
        dask=dask.__version__,
        pandas=pd.__version__,
    )


if __name__ == "__main__":
    main()
