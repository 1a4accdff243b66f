# SPDX-License-Identifier: BSD-3-Clause
"""Default parameters, beside those of others: three data sets of labelled sequences and four series to forecast.

The classifiers of `fastrnn.sklearn` are fitted as they are. So is the same network, a GRU of 64 units with a linear
layer, trained in the same way by skorch in PyTorch, and by Keras in TensorFlow; and MiniRocket, which is no network: it
counts how often random patterns match, and is among the best at such data.

"arrowheads" are outlines of 251 numbers, of three classes (Ye and Keogh, "Time series shapelets", KDD 2009). 36 of them
are not learned with defaults, in any of these libraries: an epoch has two updates, and the last state says little of so
long a sequence. The column "GRU, max" has pooling="max" and batch_size=8, which learn them better. They were chosen on
other data: GunPoint, PickupGestureWiimoteZ and ItalyPowerDemand. With so few samples the accuracy still varies much
with the seed. "motions" and "speakers" are those of classify_sequences.py. MiniRocket reads arrays, so that the
speakers' sequences are padded with zeros for it.

All compute in float32, as PyTorch and TensorFlow do by default, on one thread. Seconds are those of the processor, of
`fit`; of TensorFlow some are those in which a graph is made of the network.

The series are monthly passengers of airlines (Box and Jenkins 1976), yearly lynx furs (Elton and Nicholson 1942),
sunspots by the year, and the temperature of the Pacific by the month (El Nino). Forecasts read the last 24 steps and go
up to a year, or five, ahead, from every origin in the last part of the series. The figure is the mean absolute error
divided by that of the seasonal naive forecast: what was one season ago. Below 1 is better than that. By default the
forecaster averages those of its network and of a linear regression: "GRU, alone" is the network without it. The other
libraries train this network, on the same windows, in the same way, with the last windows for validation. Errors are
means of three networks with different seeds, since those of one vary by a tenth and more.

sktime distributes the labelled sequences and the first two series, statsmodels the others. The other classifiers are
used if they are installed: pip install skorch torch keras tensorflow-cpu aeon

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
    from _other_libraries import Classifier, Forecaster, Keras, MiniRocket, Skorch
except ImportError:
    sys.exit('This example needs scikit-learn: pip install "fastrnn[examples]"')

import fastrnn as fr
from fastrnn.sklearn import ESNClassifier, RNNClassifier, RNNForecaster

LABELLED = {"arrowheads": "ArrowHead", "motions": "BasicMotions", "speakers": "JapaneseVowels"}
# The network that has to have learned, and its accuracy if it has. Of arrowheads no seed of the GRU is sure to.
ENOUGH = {"arrowheads": ("echo state", 0.45), "motions": ("GRU", 0.9), "speakers": ("GRU", 0.95)}
MAX = {"pooling": "max", "batch_size": 8}
SERIES = {"airline": (12, 12, 36), "lynx": (10, 5, 24), "sunspots": (11, 5, 60), "pacific": (12, 12, 120)}
SEEDS = 3
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


# -- the tables --------------------------------------------------------------------------------------------------------


def present(*names):
    return all(importlib.util.find_spec(name) is not None for name in names)


def libraries_here():
    """The libraries with which networks of the same kind are trained, by name."""
    found = {"skorch": Skorch()} if present("skorch", "torch") else {}
    return found | ({"Keras": Keras()} if present("keras", "tensorflow") else {})


def timed(function, *arguments):
    """What a function returns, and the seconds of the processor that it takes."""
    start = time.process_time()
    result = function(*arguments)
    return result, time.process_time() - start


def classify(name, libraries):
    """(accuracy on the test part, seconds of fit) of each classifier that can be used here."""
    (X, y), test = labelled(name, "TRAIN"), labelled(name, "TEST")
    classifiers = {"GRU": RNNClassifier(random_state=0), "GRU, max": RNNClassifier(**MAX, random_state=0)}
    classifiers["echo state"] = ESNClassifier(random_state=0)
    classifiers |= {f"GRU in {name}": Classifier(library) for name, library in libraries.items()}
    if present("aeon"):
        classifiers["MiniRocket"] = MiniRocket(max(len(each) for each in [*X, *test[0]])).fit(X, y)
    results = {}
    for kind, classifier in classifiers.items():
        _, seconds = timed(classifier.fit, X, y)
        results[kind] = classifier.score(*test), seconds
    return results


def forecast(name, libraries):
    """(error relative to the seasonal naive forecast, seconds of fit or None) of each way to forecast."""
    y, (season, horizon, last) = series(name).astype(np.float32), SERIES[name]
    known = len(y) - last
    origins, ahead = np.ogrid[known : len(y) - horizon + 1, :horizon]
    before = -(-horizon // season) * season  # whole seasons ago, so that it is known
    found = {"seasonal naive": [(y[origins + ahead - before], None)], "last value": [(y[origins - 1], None)]}
    for seed in range(SEEDS):
        for kind, linear in ("GRU", "auto"), ("GRU, alone", False):
            forecaster = RNNForecaster(horizon=horizon, linear=linear, random_state=seed)
            _, seconds = timed(forecaster.fit, y[:known])
            found.setdefault(kind, []).append((forecaster.backtest(y[known:])[0], seconds))
        for library, its in libraries.items():
            other, seconds = timed(Forecaster(its, forecaster.window, horizon, seed).fit, y[:known])
            found.setdefault(f"GRU in {library}", []).append((other.backtest(y[known - forecaster.window :]), seconds))
    actual, results = y[origins + ahead], {}
    naive = np.abs(found["seasonal naive"][0][0] - actual).mean()
    for kind, runs in found.items():
        error = np.mean([np.abs(forecasts - actual).mean() for forecasts, _ in runs])
        results[kind] = error / naive, None if runs[0][1] is None else np.mean([took for _, took in runs])
    return results


def show(title, name, results, form):
    """A row of a table; the names of its columns before it if it has a title."""
    if title:
        print(f"{title:18}" + "".join(f"{kind:>19}" for kind in results))
    cells = (
        f"{value:19{form}}" if took is None else f"{value:10{form}}{took:7.2f} s" for value, took in results.values()
    )
    print(f"{name:18}" + "".join(cells), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, help="data sets; default: all")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # a loss that was still falling is a result here

    if absent := [name for name in ("skorch", "torch", "keras", "tensorflow", "aeon") if not present(name)]:
        print(f"Not installed, and left out: {', '.join(absent)}.\n")
    libraries, failed, found = libraries_here(), [], {}
    for name in filter(arguments.sets.__contains__, LABELLED):
        found[name] = results = classify(name, libraries)
        show("" if len(found) > 1 else "accuracy, seconds", name, results, ".1%")
        kind, share = ENOUGH[name]
        failed += [name] if results[kind][0] < share else []
    labelled_sets = len(found)
    for name in filter(arguments.sets.__contains__, SERIES):
        found[name] = results = forecast(name, libraries)
        show("" if len(found) > labelled_sets + 1 else "\nerror, relative  ", name, results, ".2f")
        failed += [name] if results["GRU"][0] > min(results["last value"][0], 1) else []
    if failed:
        sys.exit(f"Not learned: {', '.join(failed)}.")
    for library in libraries:
        longer = (f"{results[f'GRU in {library}'][1] / results['GRU'][1]:.1f}" for results in found.values())
        print(f"\nThe training in {library} takes {', '.join(longer)} times as long.")
    shares = ", ".join(f"{found[name]['GRU'][0]:.1%}" for name in LABELLED if name in found)
    relative = ", ".join(f"{found[name]['GRU'][0]:.2f}" for name in SERIES if name in found)
    print(f"\nWith defaults, the GRU is right about {shares or '-'}; its relative errors are {relative or '-'}.")


if __name__ == "__main__":
    try:
        with fr.threads(1):
            main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
