"""onnxruntime without any scheduler: reads, scores and writes one block after another in one loop, on two threads.

Reading (pyarrow, which may use all of its threads) and the model (onnxruntime, `--threads` of its own) take turns, so this is
what a plain script reaches and not the most that two cores can do. `scoring_seconds` is the time inside the model alone.
Prints one JSON object.
"""

import argparse
import os
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from generate import NAMES
from scoring import CLASSES, arguments, predictions, probabilities, report, session

BLOCK_BYTES = 16 << 20
SCHEMA = pa.schema([*((name, pa.float32()) for name in CLASSES), ("label", pa.int32())])


def blocks(args: argparse.Namespace) -> Iterator[pa.RecordBatch]:
    for path in args.files:
        if args.format == "csv":
            yield from pacsv.open_csv(
                path,
                read_options=pacsv.ReadOptions(block_size=BLOCK_BYTES),
                convert_options=pacsv.ConvertOptions(column_types={name: pa.float32() for name in NAMES}),
            )
        else:
            yield from pq.ParquetFile(path).iter_batches(batch_size=250_000, columns=NAMES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    args = arguments(parser)
    pa.set_cpu_count(args.threads)
    began, scoring = time.perf_counter(), 0.0
    model = session(args.model, args.threads)
    with pq.ParquetWriter(os.path.join(args.out, "part-000.parquet"), SCHEMA) as out:
        for block in blocks(args):
            features = np.stack([column.to_numpy() for column in block.columns], axis=1)
            start = time.perf_counter()
            found = probabilities(features, model, args.batch)
            scoring += time.perf_counter() - start
            columns = [pa.array(column) for column in predictions(found).values()]
            out.write_batch(pa.record_batch(columns, schema=SCHEMA))
    seconds = time.perf_counter() - began
    report(args, seconds, peer="onnxruntime", threads=args.threads, scoring_seconds=round(scoring, 3), pyarrow=pa.__version__)


if __name__ == "__main__":
    main()
