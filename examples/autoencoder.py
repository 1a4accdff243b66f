# SPDX-License-Identifier: BSD-3-Clause
"""Many to one to many: an autoencoder says a day of electric power in one or two numbers, and tells it again from them.

A GRU reads the 24 hours of a day and leaves K numbers, its code. They are all that a second GRU gets, the same at every
step, and it has to give the day back. So the code must hold what days differ in. Principal components do this too, by
planes through the days: the best that is linear. Both are asked for days that they have not seen.

The days are 1096 of Italy, each scaled to mean 0 and standard deviation 1: ItalyPowerDemand of the UCR archive (Keogh
and others, "Intelligent icons", ICDM 2006), as the package sktime carries it. Which of them are from October to March
is known, and is not told to anybody. But is it in the codes?

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

HOURS, KNOWN = 24, 800  # KNOWN: days to learn from; the others are to be told again
CODES, COMPONENTS = (1, 2), (1, 2, 3, 4)  # so many numbers of a network, and of the principal components
LEARNING_RATE, BATCH, MAX_NORM = 1e-2, 50, 1.0
NEIGHBOURS = 15  # days whose codes are nearest; most of them say which season it is


def read():
    """All days (days, 24), and which of them are from October to March, winter's, (days,)."""
    package = importlib.util.find_spec("sktime")  # found, not imported: that would take seconds
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
    teller, power = fr.GRU(numbers, units, seed=seed + 2), fr.Linear(units, 1, seed=seed + 3)
    encoder = fr.Sequential(reader, fr.LastStep(), code)
    decoder = fr.Sequential(fr.RepeatVector(HOURS), teller, power)
    return fr.Sequential(encoder, decoder)


def sequences(days):
    """Days (days, 24) as sequences (24, days, 1)."""
    return days.T[..., None]


def train(model, days, epochs, seed):
    """What it reads is what it is to say."""
    adam = fr.Adam(model, lr=LEARNING_RATE)
    schedule = fr.CosineAnnealingLR(adam, epochs * math.ceil(len(days) / BATCH))
    x = sequences(days)
    return fr.fit(
        model, fr.mse_loss, x, x, optimizer=adam, schedule=schedule, epochs=epochs, batch_size=BATCH, clip=MAX_NORM,
        seed=seed, progress=False,
    )  # fmt: skip


def by_network(model, days):
    """Codes (days, K), and the days told again, (days, 24)."""
    encoder, decoder = model.layers
    codes, _ = encoder(sequences(days))
    return codes, decoder(codes)[0][..., 0].T


def by_components(count, known, days):
    """The same by the first principal components of the known days."""
    mean = known.mean(axis=0)
    directions = np.linalg.svd(known - mean, full_matrices=False)[2][:count]
    codes = (days - mean) @ directions.T
    return codes, mean + codes @ directions


def left_over(told, days, known):
    """The share of the variance about the mean of the known days that is not told."""
    return np.square(told - days).mean() / np.square(days - known.mean(axis=0)).mean()


def season_known(codes_known, winter_known, codes, winter):
    """Of how many days the season is that of most of the known days with codes like theirs."""
    spread = codes_known.std(axis=0)
    distance = np.square((codes[:, None] - codes_known) / spread).sum(axis=-1)
    nearest = distance.argsort(axis=1)[:, :NEIGHBOURS]
    return ((winter_known[nearest].mean(axis=1) > 0.5) == winter).mean()


def plot(path, decoder, codes, winter):
    """What the one number of a network means, and of which season the days are that have it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    colors = {"October to March": "#0072b2", "April to September": "#d55e00"}
    for (name, color), days in zip(colors.items(), (winter, ~winter), strict=True):
        left.hist(codes[days, 0], np.linspace(codes.min(), codes.max(), 40), color=color, alpha=0.6, label=name)
    left.set(xlabel="the number", ylabel="days that it had not seen")
    left.legend(frameon=False)
    shown = np.quantile(codes, [0.05, 0.25, 0.5, 0.75, 0.95]).astype(np.float32)
    told, _ = decoder(shown[:, None])
    for k, number in enumerate(shown):
        right.plot(told[:, k, 0], color=str(0.8 * (1 - k / 4)), label=f"{number:.1f}")
    right.set(xlabel="hour", ylabel="power, scaled", xticks=range(0, HOURS + 1, 6), title="days told from the number")
    right.legend(frameon=False)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=200, help="of training; default: %(default)s")
    parser.add_argument("--units", type=int, default=32, help="of each GRU; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers, and of who is new; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw what one number means")
    arguments = parser.parse_args()

    days, winter = read()
    order = np.random.default_rng(arguments.seed).permutation(len(days))
    old, new = order[:KNOWN], order[KNOWN:]
    print(f"{len(old)} days to learn from, {len(new)} new ones, of which this share of the variance is not told:\n")
    print(f"{'':29}{'not told':>10}{'season known':>15}")
    found = {}
    for numbers in CODES:
        model = autoencoder(arguments.units, numbers, arguments.seed)
        train(model, days[old], arguments.epochs, arguments.seed)
        found["network", numbers] = by_network(model, days)
        if numbers == 1:
            decoder = model.layers[1]
    for numbers in COMPONENTS:
        found["components", numbers] = by_components(numbers, days[old], days)
    judged = {}
    for (name, numbers), (codes, told) in found.items():
        missing = left_over(told[new], days[new], days[old])
        season = season_known(codes[old], winter[old], codes[new], winter[new])
        judged[name, numbers] = missing, season
        print(f"{name + ',':12}{numbers} number{'s' * (numbers > 1):10}{missing:>10.1%}{season:>15.1%}")
    if arguments.plot:
        plot(arguments.plot, decoder, found["network", 1][0][new], winter[new])

    (missing, season), (missing_linear, season_linear) = judged["network", 1], judged["components", 1]
    if not (missing < missing_linear / 2 and season > season_linear + 0.2):
        sys.exit("It has not learned to say a day in one number: more --epochs?")
    print(
        f"\nOne number of the network tells a new day but for {missing:.0%} of the variance, and {season:.0%} of the "
        f"seasons; the first principal component but for {missing_linear:.0%}, and {season_linear:.0%}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
