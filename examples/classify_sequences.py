# SPDX-License-Identifier: BSD-3-Clause
"""scikit-learn: four data sets, three classifiers, and no training loop.

A GRU and an echo state network are estimators of scikit-learn here. Both read sequences of any lengths and number of
channels and scale the channels themselves. The GRU has its default options and at most 300 epochs. An echo state
network is fitted in a fraction of a second, so cross-validation on the training part can choose its options. The
baseline, logistic regression, needs rows of equal lengths: it reads all steps as one row of numbers, or their mean
where lengths differ.

"days" are 24 hourly values of Italy's power demand, from October to March or from April to September (Keogh et al.,
"Intelligent Icons", ICDM 2006). "motions" are 100 steps of 6 channels of a smart watch, whose wearer stands, walks,
runs or plays badminton (Bagnall et al., "The UEA multivariate time series classification archive", 2018). "speakers"
are 7 to 29 steps of 12 channels, two vowels of one of nine men (Kudo, Toyama, Shimbo, Pattern Recognition Letters 20,
1999). "digits" are handwritten, 8 rows of 8 pixels from top to bottom (Alpaydin and Kaynak, UCI Machine Learning
Repository, 1998). sktime distributes the first three, scikit-learn the last.

    python examples/classify_sequences.py
    python examples/classify_sequences.py --sets days motions
"""

import argparse
import importlib.util
import sys
import time
from pathlib import Path

import numpy as np

try:
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler
except ImportError:
    sys.exit('This example needs scikit-learn: pip install "fastrnn[examples]"')

from fastrnn.sklearn import ESNClassifier, RNNClassifier

FILES = {"days": "ItalyPowerDemand", "motions": "BasicMotions", "speakers": "JapaneseVowels"}
SETS = (*FILES, "digits")
GRID = {"pooling": ["mean", "last"], "input_scaling": [0.1, 1.0], "ridge": [0.01, 1.0]}
ENOUGH = {"days": 0.94, "motions": 0.9, "speakers": 0.95, "digits": 0.88}  # accuracy that counts as learned


def read(name, part):
    """Sequences, an array or a list of (T, C), and their labels, of a part: "TRAIN" or "TEST".

    A line of a file is a sequence: its channels and the label, separated by colons.
    """
    if name == "digits":
        images, digits = load_digits(return_X_y=True)
        chosen = slice(1200) if part == "TRAIN" else slice(1200, None)
        return images.reshape(-1, 8, 8)[chosen], digits[chosen]
    package = importlib.util.find_spec("sktime")  # without importing it, which would take seconds
    if package is None:
        sys.exit('The data of this example come with sktime: pip install "fastrnn[examples]"')
    path = Path(package.origin).parent / "datasets" / "data" / FILES[name] / f"{FILES[name]}_{part}.ts"
    sequences, labels = [], []
    for line in path.read_text().partition("@data\n")[2].splitlines():
        *channels, label = line.split(":")
        sequences.append(np.array([channel.split(",") for channel in channels], np.float64).T)
        labels.append(label)
    ragged = len({len(sequence) for sequence in sequences}) > 1
    return sequences if ragged else np.stack(sequences), np.array(labels)


def as_rows(sequences):
    """Sequences as rows of numbers: all of their steps, or the mean of the steps where lengths differ."""
    if isinstance(sequences, list):
        return np.stack([sequence.mean(axis=0) for sequence in sequences])
    return sequences.reshape(len(sequences), -1)


def classifiers(seed):
    linear = make_pipeline(FunctionTransformer(as_rows), StandardScaler(), LogisticRegression(max_iter=1000))
    reservoir = GridSearchCV(ESNClassifier(random_state=seed), GRID, cv=3)
    return {"linear": linear, "echo state": reservoir, "GRU": RNNClassifier(max_iter=300, random_state=seed)}


def compare(name, seed):
    """(accuracy on the test part, seconds of fit) of each classifier."""
    X, y = read(name, "TRAIN")
    results = {}
    for kind, classifier in classifiers(seed).items():
        start = time.perf_counter()
        classifier.fit(X, y)
        results[kind] = classifier.score(*read(name, "TEST")), time.perf_counter() - start
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, help="data sets; default: all")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    arguments = parser.parse_args()

    print(f"{'':10}{'linear':>18}{'echo state':>18}{'GRU':>18}")
    best = {}
    for name in arguments.sets:
        results = compare(name, arguments.seed)
        columns = (f"{share:9.1%}{seconds:7.1f} s" for share, seconds in results.values())
        print(f"{name:10}" + "".join(columns), flush=True)
        best[name] = max(results["echo state"][0], results["GRU"][0])
    failed = [name for name in best if best[name] < ENOUGH[name]]
    if failed:
        sys.exit(f"Neither network has learned {', '.join(failed)}.")
    shares = ", ".join(f"{name} {share:.1%}" for name, share in best.items())
    print(f"\nThe better network is right about new sequences: {shares}.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
