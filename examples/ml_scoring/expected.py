"""Writes sample.csv and sample_expected.csv beside this file: a thousand rows, and what onnxruntime makes of them.

The rows are the first of the data with the default seed; the probabilities have 9 significant digits, enough for any float32.
"""

import argparse
import os

import numpy as np

from generate import SEED, check, features, write_csv
from scoring import CLASSES, HERE, MODEL, probabilities, session

ROWS = 1000


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    check()
    write_csv(os.path.join(HERE, "sample.csv"), 0, ROWS, SEED)
    found = probabilities(features(SEED, 0, ROWS), session(MODEL, 1), ROWS)
    with open(os.path.join(HERE, "sample_expected.csv"), "w", newline="\n") as out:
        out.write(",".join(CLASSES) + "\n")
        out.writelines(",".join(f"{value:.9g}" for value in row) + "\n" for row in found.astype(np.float64))
    print(f"{ROWS} rows; classes {np.bincount(found.argmax(axis=1))}")


if __name__ == "__main__":
    main()
