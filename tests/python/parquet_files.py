"""Writes the Parquet files of tests/corpus/parquet: times with a zone and lists of fixed length, as other writers store them.

    python tests/python/parquet_files.py

`tests/api/kinds.rs` reads them and knows the values.
"""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parent.parent / "corpus" / "parquet"
MICROS = [1_706_700_000_123_456, None, -1, 0, 1_711_846_800_000_000]

FOLDER.mkdir(exist_ok=True)
table = pa.table(
    {
        "row": pa.array(range(5), pa.int64()),
        "utc": pa.array(MICROS, pa.timestamp("us", "UTC")),
        "berlin": pa.array([None if t is None else t // 1000 for t in MICROS], pa.timestamp("ms", "Europe/Berlin")),
        "offset": pa.array(MICROS, pa.timestamp("us", "+05:30")),
        "plain": pa.array([None if t is None else t * 1000 for t in MICROS], pa.timestamp("ns")),
        "pair": pa.array([[1, 2], [3, None], None, [0, 0], [7, 8]], pa.list_(pa.int64(), 2)),
    }
)
# With the Arrow schema beside that of Parquet, as pyarrow and polars write it.
pq.write_table(table, FOLDER / "arrow.parquet", row_group_size=2, compression="NONE")
# Without: a reader sees that times are in UTC, and not which zone they were of. So writes Spark since 3.
bare = table.select(["row", "utc", "berlin", "pair"])
pq.write_table(bare, FOLDER / "bare.parquet", row_group_size=2, compression="NONE", store_schema=False)
# Times of 96 bits without a zone, which Spark and Impala wrote before.
old = table.select(["row", "utc"])
pq.write_table(old, FOLDER / "int96.parquet", row_group_size=2, compression="NONE", store_schema=False, use_deprecated_int96_timestamps=True)
