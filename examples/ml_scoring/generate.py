"""Writes the data of the example as CSV or Parquet: the same numbers, and the same bytes of CSV, as data.rs.

Any number of any row can be computed alone. With all arithmetic on unsigned 64-bit integers, modulo 2^64:

    draw(seed, n):      z = seed + (n + 1) * 0x9E3779B97F4A7C15        output n + 1 of SplitMix64 started at `seed`
                        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
                        z = (z ^ (z >> 27)) * 0x94D049BB133111EB
                        draw = z ^ (z >> 31)
    step(seed, i, j):   ((draw(seed, 16 * i + j) >> 32) * 60000) >> 32     evenly in 0..60000
    feature(seed, i, j) = (step(seed, i, j) - 30000) / 10000               evenly in -3.0000..=2.9999, as float32

Rows i count from 0, columns j are f0 to f15. The text of a number has exactly four decimals ("-0.0500", "2.0000"). Read as
float32, or as float64 and then rounded to float32, it is the number again. A table of n rows in p parts has the rows
n*k//p to n*(k+1)//p in part k, so that the parts one after another are the table.
"""

import argparse
import glob
import os
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = 16
NAMES = [f"f{column}" for column in range(COLUMNS)]
HEADER = ",".join(NAMES) + "\n"
# The seed of the data that is scored. The model is trained on other seeds, see train.py.
SEED = 42
STEPS = 60_000
# Rows that are made at a time; also a row group of a Parquet file.
BATCH = 250_000

# (seed, row, column, feature): the same five stand in data.rs.
VECTOR = [
    (42, 0, 0, 1.4493),
    (42, 0, 15, -1.7794),
    (42, 9_999_999, 7, 0.701),
    (0, 0, 0, 2.2998),
    (2**64 - 1, 123_456_789_012, 3, 1.1117),
]


def steps(seed: int, first: int, last: int) -> np.ndarray:
    """The integers behind the features of the rows `first` to `last` (exclusive), one row of 16 for each."""
    with np.errstate(over="ignore"):
        n = np.arange(first * COLUMNS + 1, last * COLUMNS + 1, dtype=np.uint64)
        z = np.uint64(seed) + n * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (((z >> np.uint64(32)) * np.uint64(STEPS)) >> np.uint64(32)).astype(np.int32).reshape(-1, COLUMNS)


def features(seed: int, first: int, last: int) -> np.ndarray:
    """The features of the rows `first` to `last` (exclusive) as float32, one row of 16 for each."""
    # Both operands are exact in float32, so the quotient is the float32 that is nearest to the decimal number.
    return (steps(seed, first, last) - STEPS // 2).astype(np.float32) / np.float32(10_000)


def texts(end: str) -> np.ndarray:
    """The text of each step, followed by `end`, as eight bytes in one integer; short ones end with zero bytes."""
    values = range(-STEPS // 2, STEPS - STEPS // 2)
    written = [f"{'-' if value < 0 else ''}{abs(value) // 10_000}.{abs(value) % 10_000:04}{end}" for value in values]
    return np.array(written, dtype="S8").view(np.uint64)


def write_csv(path: str, first: int, last: int, seed: int) -> None:
    inner, final = texts(","), texts("\n")
    with open(path, "wb") as out:
        out.write(HEADER.encode())
        for start in range(first, last, BATCH):
            found = steps(seed, start, min(start + BATCH, last))
            cells = inner[found]
            cells[:, -1] = final[found[:, -1]]
            out.write(cells.tobytes().translate(None, b"\0"))


def write_parquet(path: str, first: int, last: int, seed: int) -> None:
    schema = pa.schema([(name, pa.float32()) for name in NAMES])
    with pq.ParquetWriter(path, schema) as out:
        for start in range(first, last, BATCH):
            found = features(seed, start, min(start + BATCH, last))
            columns = [pa.array(np.ascontiguousarray(found[:, column])) for column in range(COLUMNS)]
            out.write_batch(pa.record_batch(columns, schema=schema), row_group_size=BATCH)


WRITERS = {"csv": write_csv, "parquet": write_parquet}


def check() -> None:
    """Numbers that differ from those of data.rs would make every comparison worthless without a word."""
    for seed, row, column, expected in VECTOR:
        found = features(seed, row, row + 1)[0, column]
        if found != np.float32(expected):
            sys.exit(f"generate.py is broken: feature {column} of row {row} with seed {seed} is {found} and not {expected}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where the parts go; parts of the same format that are there already are removed")
    parser.add_argument("--format", choices=WRITERS, default="csv")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    check()
    os.makedirs(args.folder, exist_ok=True)
    for old in glob.glob(os.path.join(glob.escape(args.folder), f"part-*.{args.format}")):
        os.remove(old)
    began, size = time.monotonic(), 0
    for part in range(args.parts):
        path = os.path.join(args.folder, f"part-{part:03}.{args.format}")
        WRITERS[args.format](path, args.rows * part // args.parts, args.rows * (part + 1) // args.parts, args.seed)
        size += os.path.getsize(path)
    seconds = time.monotonic() - began
    print(f"{args.folder}: {args.rows} rows in {args.parts} parts, {size / 1e6:.0f} MB, {seconds:.1f} s")


if __name__ == "__main__":
    main()
