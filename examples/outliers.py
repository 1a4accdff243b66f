# SPDX-License-Identifier: BSD-3-Clause
"""Losses and outliers: a sensor with spikes, and three networks, each asked for its next reading in another way.

The signal is a sum of two waves of unknown phases and periods, read with a little noise, and one reading in twenty is
too large by ten: a loose contact. When it comes nobody can know. So the mean of what may come next lies half a unit
above the signal (0.05 times 10), its median next to it; and what a network learns is what its loss asks for:

    mse_loss      squares: the mean; an error of ten counts as much as 10,000 of a tenth
    l1_loss       magnitudes: the median; an error of ten counts as much as 100 of a tenth
    huber_loss    squares up to 1, magnitudes beyond (Huber, "Robust estimation of a location parameter", 1964)

All learn from readings alone and read spikes themselves. They are compared with the signal, which is known here since
it is generated, and was never shown to them.

    python examples/outliers.py
    python examples/outliers.py --plot outliers.png
"""

import argparse
import math
import sys

import numpy as np

import fastrnn as fr

T, KNOWN, NEW = 100, 512, 200  # steps; series to learn from, and new ones
PERIODS = (10, 23)  # steps, give or take a tenth
NOISE, SPIKE, SHARE = 0.05, 10.0, 0.05  # standard deviation; how large a spike is, and how many readings are one
SETTLED = 20  # steps: before, too little of a series has been seen to tell its waves
LEARNING_RATE, BATCH, MAX_NORM = 1e-2, 32, 1.0
LOSSES = {"mse_loss": fr.mse_loss, "huber_loss": fr.huber_loss, "l1_loss": fr.l1_loss}


def measure(count, rng):
    """Signals and readings, each (T + 1, count, 1)."""
    t = np.arange(T + 1)[:, None]
    periods = [period * rng.uniform(0.9, 1.1, count) for period in PERIODS]
    signal = sum(np.sin(2 * np.pi * (t / period + rng.random(count))) for period in periods)
    readings = signal + NOISE * rng.standard_normal(signal.shape) + SPIKE * (rng.random(signal.shape) < SHARE)
    return signal[..., None].astype(np.float32), readings[..., None].astype(np.float32)


def make_model(units, seed):
    return fr.Sequential(fr.GRU(1, units, seed=seed), fr.Linear(units, 1, seed=seed + 1))


def train(model, loss, readings, epochs, seed):
    """Every reading but the last is an input, the one after it the target."""
    adam = fr.Adam(model, lr=LEARNING_RATE)
    schedule = fr.CosineAnnealingLR(adam, epochs * math.ceil(readings.shape[1] / BATCH))
    return fr.fit(
        model, loss, readings[:-1], readings[1:], optimizer=adam, schedule=schedule, epochs=epochs, batch_size=BATCH,
        clip=MAX_NORM, seed=seed, progress=False,
    )  # fmt: skip


def judge(guess, signal, readings):
    """(mean error, mean magnitude of the error, mean square of its distance to the readings)."""
    guess, signal, readings = (array[SETTLED:].astype(np.float64) for array in (guess, signal[1:], readings[1:]))
    return (guess - signal).mean(), np.abs(guess - signal).mean(), np.square(guess - readings).mean()


def plot(path, guesses, signal, readings):
    """One new series, and what each network says will come next."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(9, 4), layout="constrained")
    axis = figure.subplots()
    t = np.arange(SETTLED, T)
    axis.plot(t, readings[1:, 0, 0][SETTLED:], ".", color="0.6", label="readings")
    axis.plot(t, signal[1:, 0, 0][SETTLED:], color="black", linewidth=3, alpha=0.25, label="signal")
    for (name, guess), color in zip(guesses.items(), ("#d55e00", "#009e73", "#0072b2"), strict=True):
        axis.plot(t, guess[SETTLED:, 0, 0], color=color, label=name)
    axis.set(xlabel="step", ylim=(-3, 13))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.1))
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=30, help="of each training; default: %(default)s")
    parser.add_argument("--units", type=int, default=32, help="of the GRU; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw a new series and what each network says of it")
    arguments = parser.parse_args()

    rng = np.random.default_rng(arguments.seed)
    (_, known), (signal, readings) = measure(KNOWN, rng), measure(NEW, rng)
    print(
        f"{KNOWN} series of {T} steps to learn from, {NEW} new ones; {SHARE:.0%} of all readings {SPIKE:g} too large\n"
    )
    print(f"{'':14}{'too large by':>14}{'off by':>10}{'squared distance to readings':>32}")
    guesses, found = {}, {}
    for name, loss in LOSSES.items():
        model = make_model(arguments.units, arguments.seed)
        train(model, loss, known, arguments.epochs, arguments.seed)
        guesses[name], _ = model(readings[:-1])
        found[name] = error, size, square = judge(guesses[name], signal, readings)
        print(f"{name:14}{error:14.3f}{size:10.3f}{square:32.3f}")
    if arguments.plot:
        plot(arguments.plot, guesses, signal, readings)

    squares = [square for _, _, square in found.values()]
    (mse, size, _), (huber, huber_size, _), (l1, l1_size, _) = found.values()
    if not (abs(l1) < abs(huber) < mse and max(huber_size, l1_size) < size / 2 and squares[0] == min(squares)):
        sys.exit("It has not shown what outliers do: more --epochs?")
    print("\nBy its own measure, the last column, mse_loss is the best: it is not wrong, it is asked for the mean.")
    print(
        f"\nThe mean of what may come is {SHARE * SPIKE:.2f} too large, and so is mse_loss's guess, by {mse:.2f}; "
        f"huber_loss's by {huber:.2f}, l1_loss's by {l1:.2f}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
