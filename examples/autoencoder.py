# SPDX-License-Identifier: BSD-3-Clause
"""Many to one to many: an autoencoder compresses a day of electric power into one or two numbers, and reconstructs it.

A GRU reads the 24 hours of a day and produces K numbers, the code. The code is the only input of a second GRU, the same
at every step, which has to reproduce the day. So the code must describe how days differ. Principal components do the
same with planes through the days, and are the best linear method. Both are tested on days that they have not seen.

The data are 1096 days in Italy, each scaled to mean 0 and standard deviation 1: ItalyPowerDemand of the UCR archive
(Keogh and others, "Intelligent icons", ICDM 2006), as distributed with the package sktime. Which days are from October
to March is known, but neither method is told. Can the season be read from the codes?

    python examples/autoencoder.py
    python examples/autoencoder.py --plot autoencoder.png
"""

import argparse
import importlib.util
import math
import sys
from pathlib import Path

import numpy as np

import fastrnn as fr

HOURS, KNOWN = 24, 800  # KNOWN: days for training; the others are for testing
CODES, COMPONENTS = (1, 2), (1, 2, 3, 4)  # sizes of the code: of the network, and of principal components
LEARNING_RATE, BATCH, MAX_NORM = 1e-2, 50, 1.0
NEIGHBOURS = 15  # days with the nearest codes, whose majority predicts the season


def read():
    """All days (days, 24), and whether each is in the winter half-year, October to March, (days,)."""
    package = importlib.util.find_spec("sktime")  # without importing it, which would take seconds
    if package is None:
        sys.exit('The data of this example come with sktime: pip install "fastrnn[examples]"')
    folder = Path(package.origin).parent / "datasets" / "data" / "ItalyPowerDemand"
    days, winter = [], []
    for part in ("TRAIN", "TEST"):
        _, _, data = (folder / f"ItalyPowerDemand_{part}.ts").read_text().partition("@data\n")
        for line in data.splitlines():
            powers, season = line.split(":")
            days.append(powers.split(","))
            winter.append(float(season) == 1)
    return np.array(days, np.float32), np.array(winter)


def autoencoder(units, numbers, seed):
    reader, code = fr.GRU(1, units, seed=seed), fr.Linear(units, numbers, seed=seed + 1)
    writer, power = fr.GRU(numbers, units, seed=seed + 2), fr.Linear(units, 1, seed=seed + 3)
    encoder = fr.Sequential(reader, fr.LastStep(), code)
    decoder = fr.Sequential(fr.RepeatVector(HOURS), writer, power)
    return fr.Sequential(encoder, decoder)


def sequences(days):
    """Days (days, 24) as sequences (24, days, 1)."""
    return days.T[..., None]


def train(model, days, epochs, seed):
    """Train the model to reproduce its input."""
    adam = fr.Adam(model, lr=LEARNING_RATE)
    schedule = fr.CosineAnnealingLR(adam, epochs * math.ceil(len(days) / BATCH))
    x = sequences(days)
    return fr.fit(
        model, fr.mse_loss, x, x, optimizer=adam, schedule=schedule, epochs=epochs, batch_size=BATCH, clip=MAX_NORM,
        seed=seed, progress=False,
    )  # fmt: skip


def by_network(model, days):
    """Codes (days, K) and reconstructed days (days, 24)."""
    encoder, decoder = model.layers
    codes, _ = encoder(sequences(days))
    return codes, decoder(codes)[0][..., 0].T


def by_components(count, known, days):
    """The same with the first principal components of the known days."""
    mean = known.mean(axis=0)
    directions = np.linalg.svd(known - mean, full_matrices=False)[2][:count]
    codes = (days - mean) @ directions.T
    return codes, mean + codes @ directions


def unexplained(restored, days, known):
    """The share of the variance around the mean of the known days that the reconstruction misses."""
    return np.square(restored - days).mean() / np.square(days - known.mean(axis=0)).mean()


def season_accuracy(codes_known, winter_known, codes, winter):
    """The share of days whose season is that of most known days with similar codes."""
    spread = codes_known.std(axis=0)
    distance = np.square((codes[:, None] - codes_known) / spread).sum(axis=-1)
    nearest = distance.argsort(axis=1)[:, :NEIGHBOURS]
    return ((winter_known[nearest].mean(axis=1) > 0.5) == winter).mean()


def plot(path, decoder, codes, winter):
    """Draw what the single number of a network means, and the seasons of the days that have it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    colors = {"October to March": "#0072b2", "April to September": "#d55e00"}
    for (name, color), days in zip(colors.items(), (winter, ~winter), strict=True):
        left.hist(codes[days, 0], np.linspace(codes.min(), codes.max(), 40), color=color, alpha=0.6, label=name)
    left.set(xlabel="the number", ylabel="unseen days")
    left.legend(frameon=False)
    shown = np.quantile(codes, [0.05, 0.25, 0.5, 0.75, 0.95]).astype(np.float32)
    restored, _ = decoder(shown[:, None])
    for k, number in enumerate(shown):
        right.plot(restored[:, k, 0], color=str(0.8 * (1 - k / 4)), label=f"{number:.1f}")
    right.set(xlabel="hour", ylabel="power, scaled", xticks=range(0, HOURS + 1, 6), title="reconstructed days")
    right.legend(frameon=False)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=200, help="training epochs; default: %(default)s")
    parser.add_argument("--units", type=int, default=32, help="units of each GRU; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw what the single number means")
    arguments = parser.parse_args()

    days, winter = read()
    order = np.random.default_rng(arguments.seed).permutation(len(days))
    old, new = order[:KNOWN], order[KNOWN:]
    print(f"{len(old)} days for training, {len(new)} new ones. Results on the new days:\n")
    print(f"{'':23}{'variance missed':>17}{'season right':>15}")
    results = {}
    for numbers in CODES:
        model = autoencoder(arguments.units, numbers, arguments.seed)
        train(model, days[old], arguments.epochs, arguments.seed)
        results["network", numbers] = by_network(model, days)
        if numbers == 1:
            decoder = model.layers[1]
    for numbers in COMPONENTS:
        results["components", numbers] = by_components(numbers, days[old], days)
    judged = {}
    for (name, numbers), (codes, restored) in results.items():
        missing = unexplained(restored[new], days[new], days[old])
        season = season_accuracy(codes[old], winter[old], codes[new], winter[new])
        judged[name, numbers] = missing, season
        print(f"{name + ',':12}{numbers} number{'s' * (numbers > 1):10}{missing:>10.1%}{season:>15.1%}")
    if arguments.plot:
        plot(arguments.plot, decoder, results["network", 1][0][new], winter[new])

    (missing, season), (missing_linear, season_linear) = judged["network", 1], judged["components", 1]
    if not (missing < missing_linear / 2 and season > season_linear + 0.2):
        sys.exit("The network has not learned to describe a day in one number. Try more --epochs.")
    print(
        f"\nOne number of the network misses {missing:.0%} of the variance of new days and predicts {season:.0%} of "
        f"the seasons; the first principal component misses {missing_linear:.0%} and predicts {season_linear:.0%}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
