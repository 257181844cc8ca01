"""Writes the join files of the db-benchmark, the same bytes for the same number of rows: x, small, medium and big.

x has the keys id1, id2, id3 (integers of rows/1e6, rows/1e3 and rows different values), id4, id5, id6 (the same as text) and v1; small has
rows/1e6 rows (id1, id4, v2), medium rows/1e3 (id1, id2, id4, id5, v2), big as many as x (all six keys, v2). Nine of ten keys of one side are
on the other side too. Few rows have at least 10 keys of the smallest kind. Prints the four paths. Complete files are kept.
"""

import argparse
import os
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from generate import STEP, scientific

SEED = 108


class Keys:
    """Numbers that both sides know, that only x knows, and that only the other side knows."""

    def __init__(self, rng: np.random.Generator, count: int):
        all_keys = rng.permutation(np.arange(1, count + count // 10 + 1, dtype=np.int64))
        shared = count - count // 10
        self.left = all_keys[:count]
        self.right = np.concatenate([all_keys[:shared], all_keys[count:]])


def draw(rng: np.random.Generator, keys: np.ndarray, rows: int) -> np.ndarray:
    """Every key once while rows last, the rest by chance, mixed."""
    chosen = keys[:rows] if len(keys) >= rows else np.concatenate([keys, rng.choice(keys, rows - len(keys))])
    return rng.permutation(chosen)


def write(path: str, columns: dict[str, np.ndarray]) -> None:
    """A column of texts is given as the numbers in them."""
    rows = len(next(iter(columns.values())))
    options = pacsv.WriteOptions(include_header=False, quoting_style="none", batch_size=65536)
    with open(path + ".part", "wb") as out:
        out.write((",".join(columns) + "\n").encode())
        for start in range(0, rows, STEP):
            piece = {}
            for name, values in columns.items():
                cut = values[start : start + STEP]
                piece[name] = pa.array([f"id{key}" for key in cut]) if name in ("id4", "id5", "id6") else pa.array(cut)
            pacsv.write_csv(pa.record_batch(piece), out, options)
    os.rename(path + ".part", path)


def tables(rows: int) -> list[tuple[str, dict[str, np.ndarray]]]:
    rng = np.random.default_rng(SEED)
    few, some = max(10, rows // 1_000_000), max(10, rows // 1_000)
    keys = [Keys(rng, count) for count in (few, some, rows)]

    def value(count: int) -> np.ndarray:
        return np.round(rng.uniform(0.0, 100.0, count), 6)

    left = [draw(rng, key.left, rows) for key in keys]
    x = dict(zip(["id1", "id2", "id3", "id4", "id5", "id6"], left + left)) | {"v1": value(rows)}
    first = draw(rng, keys[0].right, few)
    small = {"id1": first, "id4": first, "v2": value(few)}
    first, second = draw(rng, keys[0].right, some), draw(rng, keys[1].right, some)
    medium = {"id1": first, "id2": second, "id4": first, "id5": second, "v2": value(some)}
    right = [draw(rng, key.right, rows) for key in keys]
    big = dict(zip(["id1", "id2", "id3", "id4", "id5", "id6"], right + right)) | {"v2": value(rows)}
    name = scientific(rows)
    return [(f"J1_{name}_NA_0_0", x), (f"J1_{name}_small_0_0", small), (f"J1_{name}_medium_0_0", medium), (f"J1_{name}_big_0_0", big)]


def names(rows: int) -> list[str]:
    return [f"J1_{scientific(rows)}_{which}_0_0" for which in ("NA", "small", "medium", "big")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", required=True)
    args = parser.parse_args()
    paths = [os.path.join(args.folder, f"{name}.csv") for name in names(args.rows)]
    if not all(os.path.exists(path) for path in paths):
        os.makedirs(args.folder, exist_ok=True)
        began = time.monotonic()
        for name, columns in tables(args.rows):
            write(os.path.join(args.folder, f"{name}.csv"), columns)
        size = sum(os.path.getsize(path) for path in paths) / 1e6
        print(f"== wrote the tables of the joins: {size:.0f} MB in {time.monotonic() - began:.0f} s", file=sys.stderr)
    print("\n".join(paths))


if __name__ == "__main__":
    main()
