"""Trains the classifier of the example and writes it as ONNX: `python train.py` makes model.onnx beside this file.

The task is made up, but has something to learn: each row belongs to one of four classes, that of the largest of four curved
functions of its features, on which noise is laid so that no model can be right always. Beside the accuracy of the model the
script prints that of the functions themselves, which is the best that can be reached.

The file holds nothing but float32 matrix products, sums, Relu and Softmax, from `features` [batch, 16] to `probabilities`
[batch, 4]. The usual export also has a branch that names the most probable class; it is cut off here, because it is made of
operators on integers that some runtimes do not have, and whoever reads four probabilities finds the largest himself.

Four classes, because tract adds up the Softmax of three in an order that depends on where the row lies in memory: the last bit
of a probability then depends on the rows before it. With four it does not, so neither the size of batches nor where a table is
cut changes a bit of the result.
"""

import argparse
import os
import sys
import warnings

import numpy as np
import onnx
import onnx.utils
import onnxruntime
import skl2onnx
import sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from generate import COLUMNS, features

HERE = os.path.dirname(os.path.abspath(__file__))
# Other seeds than that of the data which is scored: the model meets no row of its training again.
TRAIN_SEED = 1
TEST_SEED = 2
TEST_ROWS = 50_000
LAYERS = (128, 256, 128)
NOISE = 0.35
# tract is tested with operator sets up to 18.
OPSET = 17


def scores(x: np.ndarray) -> np.ndarray:
    """For each row four numbers; the largest one names its class. Features 13 to 15 say nothing, as in real tables."""
    return np.stack(
        [
            np.sin(1.3 * x[:, 0]) + 0.4 * x[:, 1] * x[:, 2] + 0.5 * np.abs(x[:, 3]),
            np.cos(1.1 * x[:, 4]) + 0.4 * x[:, 5] * x[:, 6] + 0.2 * x[:, 7] ** 2,
            np.tanh(x[:, 8] + x[:, 9]) + 0.3 * x[:, 1] * x[:, 10] + 0.6 * np.abs(x[:, 11]),
            np.sin(0.9 * x[:, 12]) + 0.3 * x[:, 2] * x[:, 8] + 0.4 * np.abs(x[:, 0] - x[:, 5]),
        ],
        axis=1,
    )


def table(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, the class that is seen, and the class that the functions say."""
    x = features(seed, 0, rows)
    true = scores(x)
    noisy = true + NOISE * np.random.default_rng(seed).gumbel(size=true.shape)
    return x, noisy.argmax(axis=1).astype(np.int32), true.argmax(axis=1).astype(np.int32)


def export(model: MLPClassifier, note: str) -> onnx.ModelProto:
    whole = skl2onnx.to_onnx(
        model,
        initial_types=[("features", FloatTensorType([None, COLUMNS]))],
        options={"zipmap": False},
        target_opset={"": OPSET, "ai.onnx.ml": 3},
    )
    cut = onnx.utils.Extractor(whole).extract_model(["features"], ["probabilities"])
    for value in (*cut.graph.input, *cut.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    cut.graph.name = "ml_scoring"
    cut.doc_string = note
    onnx.checker.check_model(cut, full_check=True)
    return cut


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000, help="rows to train on")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--out", default=os.path.join(HERE, "model.onnx"))
    args = parser.parse_args()

    x, seen, _ = table(TRAIN_SEED, args.rows)
    test_x, test_seen, test_true = table(TEST_SEED, TEST_ROWS)
    model = MLPClassifier(
        LAYERS, batch_size=512, alpha=1e-4, max_iter=args.epochs, tol=0.0, n_iter_no_change=args.epochs, random_state=0, verbose=True
    )
    # One thread: sums in parallel have another order each time, and the model would be another one.
    with threadpool_limits(1), warnings.catch_warnings():
        # It ends after a number of epochs on purpose and not because nothing is left to be gained.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, seen)

    accuracy = float((model.predict(test_x) == test_seen).mean())
    best = float((test_true == test_seen).mean())
    majority = float(np.bincount(test_seen).max() / TEST_ROWS)
    said = (
        f"accuracy {accuracy:.4f} on {TEST_ROWS} rows that it was not trained on "
        f"(best possible {best:.4f}, always the commonest class {majority:.4f})"
    )
    versions = f"scikit-learn {sklearn.__version__}, skl2onnx {skl2onnx.__version__}"
    onnx.save(export(model, f"Classifier of Partita's example ml_scoring: {said}; {versions}."), args.out)

    session = onnxruntime.InferenceSession(args.out, providers=["CPUExecutionProvider"])
    (found,) = session.run(["probabilities"], {"features": test_x[:10_000]})
    apart = float(np.abs(found - model.predict_proba(test_x[:10_000])).max())
    if apart > 1e-5:
        sys.exit(f"the exported model says something else than the trained one: {apart:.1e} apart")
    print(f"{args.out}: {os.path.getsize(args.out)} bytes; {said}; at most {apart:.1e} from scikit-learn")


if __name__ == "__main__":
    main()
