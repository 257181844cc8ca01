"""Writes the group-by file of the db-benchmark: G1_<rows>_1e2_0_0.csv, the same bytes for the same number of rows.

Nine columns: id1, id2 (100 short texts each), id3 (rows/100 longer texts), id4, id5 (100 integers), id6 (rows/100
integers), v1 in 1..5, v2 in 1..15, v3 uniform in 0..100 with at most 6 decimals. No nulls, no quotes, not sorted.
Prints the path. An existing complete file is kept: it is written under another name and renamed at the end.
"""

import argparse
import os
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

GROUPS = 100
SEED = 108
STEP = 500_000
COLUMNS = "id1,id2,id3,id4,id5,id6,v1,v2,v3"


def scientific(rows: int) -> str:
    """10000000 -> 1e7, and 1500000 -> 1500000: the benchmark's way to name files."""
    exponent = len(str(rows)) - 1
    return f"1e{exponent}" if rows == 10**exponent else str(rows)


def batch(rng: np.random.Generator, count: int, short: pa.Array, long: pa.Array) -> pa.RecordBatch:
    """`count` rows. Texts are drawn as indices into the lists of all texts."""
    many = len(long)
    columns = [
        short.take(pa.array(rng.integers(0, GROUPS, count, dtype=np.int32))),
        short.take(pa.array(rng.integers(0, GROUPS, count, dtype=np.int32))),
        long.take(pa.array(rng.integers(0, many, count, dtype=np.int32))),
        pa.array(rng.integers(1, GROUPS + 1, count, dtype=np.int32)),
        pa.array(rng.integers(1, GROUPS + 1, count, dtype=np.int32)),
        pa.array(rng.integers(1, many + 1, count, dtype=np.int32)),
        pa.array(rng.integers(1, 6, count, dtype=np.int32)),
        pa.array(rng.integers(1, 16, count, dtype=np.int32)),
        # Rounded to a multiple of 1e-6, whose shortest text has at most 6 decimals.
        pa.array(np.round(rng.uniform(0.0, 100.0, count), 6)),
    ]
    return pa.record_batch(columns, names=COLUMNS.split(","))


def write(path: str, rows: int) -> None:
    rng = np.random.default_rng(SEED)
    short = pa.array([f"id{i:03d}" for i in range(1, GROUPS + 1)])
    long = pa.array([f"id{i:010d}" for i in range(1, max(1, rows // GROUPS) + 1)])
    options = pacsv.WriteOptions(include_header=False, quoting_style="none", batch_size=65536)
    with open(path, "wb") as out:
        # The header is written by hand: the writer would put its names in quotes.
        out.write(f"{COLUMNS}\n".encode())
        for start in range(0, rows, STEP):
            pacsv.write_csv(batch(rng, min(STEP, rows - start), short, long), out, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", required=True)
    args = parser.parse_args()
    path = os.path.join(args.folder, f"G1_{scientific(args.rows)}_1e2_0_0.csv")
    if not os.path.exists(path):
        os.makedirs(args.folder, exist_ok=True)
        began = time.monotonic()
        write(path + ".part", args.rows)
        os.rename(path + ".part", path)
        size = os.path.getsize(path) / 1e6
        print(f"== wrote {path}: {size:.0f} MB in {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(path)


if __name__ == "__main__":
    main()
