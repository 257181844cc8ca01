"""What the Python peers share: the model of one process, scoring in batches, and the report.

Results are written as the Rust example writes them: Parquet with p0 to p3 (float32, the probabilities) and label (int32, the
largest of them, the first of equal ones), rows in the order of the input.
"""

import argparse
import glob
import json
import os
import sys
import threading

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "model.onnx")
CLASSES = ["p0", "p1", "p2", "p3"]

_sessions: dict[tuple[str, int], onnxruntime.InferenceSession] = {}
_lock = threading.Lock()


def session(model: str, threads: int) -> onnxruntime.InferenceSession:
    """The model, loaded by the first caller of this process; threads share it."""
    with _lock:
        if (model, threads) not in _sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
            _sessions[model, threads] = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return _sessions[model, threads]


def probabilities(features: np.ndarray, model: onnxruntime.InferenceSession, batch: int) -> np.ndarray:
    """Scores a C-ordered float32 array of 16 columns, `batch` rows at a time."""
    found = np.empty((len(features), len(CLASSES)), dtype=np.float32)
    for start in range(0, len(features), batch):
        rows = slice(start, start + batch)
        (found[rows],) = model.run(["probabilities"], {"features": features[rows]})
    return found


def predictions(found: np.ndarray) -> dict[str, np.ndarray]:
    """The columns that are written."""
    columns = {name: np.ascontiguousarray(found[:, at]) for at, name in enumerate(CLASSES)}
    return {**columns, "label": found.argmax(axis=1).astype(np.int32)}


def arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Reads the arguments of both peers; removes an old result, so that nothing of it is taken for a new one."""
    parser.add_argument("data", help="a folder that generate.py or the Rust example wrote")
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--out", required=True, help="folder for the predictions; its part files are replaced")
    parser.add_argument("--batch", type=int, default=1024, help="rows given to the model at a time")
    parser.add_argument("--model", default=MODEL)
    args = parser.parse_args()
    args.files = sorted(glob.glob(os.path.join(glob.escape(args.data), f"*.{args.format}")))
    if not args.files:
        sys.exit(f"no {args.format} files in {args.data}: make them with generate.py")
    os.makedirs(args.out, exist_ok=True)
    for old in glob.glob(os.path.join(glob.escape(args.out), "*.parquet")):
        os.remove(old)
    return args


def report(args: argparse.Namespace, seconds: float, **more) -> None:
    """Prints one JSON object, with sums over the file that was written: equal results have equal sums."""
    table = ds.dataset(args.out, format="parquet").to_table()
    labels = np.bincount(table["label"].to_numpy(), minlength=len(CLASSES))
    said = {
        "rows": table.num_rows,
        "seconds": round(seconds, 3),
        "rows_per_second": round(table.num_rows / seconds),
        "format": args.format,
        "batch": args.batch,
        **more,
        "sums": [round(pc.sum(pc.cast(table[name], pa.float64())).as_py(), 3) for name in CLASSES],
        "labels": [int(count) for count in labels],
        "onnxruntime": onnxruntime.__version__,
        "load": round(os.getloadavg()[0], 2),
    }
    print(json.dumps(said), flush=True)
