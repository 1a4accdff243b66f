# SPDX-License-Identifier: BSD-3-Clause
"""Losses and outliers: a sensor with spikes, whose next reading four networks predict, each with another loss.

The signal is a sum of two waves with unknown phases and periods, read with a little noise, and one reading in twenty is
too large by ten, because of a loose contact. Nobody can know when. So the mean of the next reading lies half a unit
above the signal (0.05 times 10), while its median is close to the signal. What a network learns depends on its loss:

    mse_loss      squares: the mean; an error of ten counts as much as 10,000 errors of a tenth
    l1_loss       magnitudes: the median; an error of ten counts as much as 100 errors of a tenth
    huber_loss    squares up to 1, magnitudes beyond (Huber, "Robust estimation of a location parameter", 1964)

    quantile_loss three quantiles at once, of a fourth network: how large the next reading is at most in 10%, 50% and
                  90% of all cases (Koenker and Bassett, "Regression quantiles", 1978)

All networks read spikes and learn from readings only. They are compared with the true signal, which is known because it
is simulated, but which they never see.

    python examples/outliers.py
    python examples/outliers.py --plot outliers.png
"""

import argparse
import math
import sys

import numpy as np

import fastrnn as fr

T, KNOWN, NEW = 100, 512, 200  # steps; series for training, and new ones
PERIODS = (10, 23)  # steps, plus or minus a tenth
NOISE, SPIKE, SHARE = 0.05, 10.0, 0.05  # standard deviation; size of a spike, and share of the readings that are spikes
SETTLED = 20  # steps; before them too little of a series has been read to know its waves
LEARNING_RATE, BATCH, MAX_NORM = 1e-2, 32, 1.0
LOSSES = {"mse_loss": fr.mse_loss, "huber_loss": fr.huber_loss, "l1_loss": fr.l1_loss}
QUANTILES = 0.1, 0.5, 0.9


def measure(count, rng):
    """Signals and readings, each (T + 1, count, 1)."""
    t = np.arange(T + 1)[:, None]
    periods = [period * rng.uniform(0.9, 1.1, count) for period in PERIODS]
    signal = sum(np.sin(2 * np.pi * (t / period + rng.random(count))) for period in periods)
    readings = signal + NOISE * rng.standard_normal(signal.shape) + SPIKE * (rng.random(signal.shape) < SHARE)
    return signal[..., None].astype(np.float32), readings[..., None].astype(np.float32)


def quantile_loss(prediction, target):
    """The loss of predictions (T, N, Q) of a target (T, N, 1)."""
    return fr.quantile_loss(prediction, target[..., 0], quantiles=QUANTILES)


def make_model(units, seed, outputs=1):
    return fr.Sequential(fr.GRU(1, units, seed=seed), fr.Linear(units, outputs, seed=seed + 1))


def train(model, loss, readings, epochs, seed):
    """Train the model to predict each reading from those before it."""
    adam = fr.Adam(model, lr=LEARNING_RATE)
    schedule = fr.CosineAnnealingLR(adam, epochs * math.ceil(readings.shape[1] / BATCH))
    return fr.fit(
        model, loss, readings[:-1], readings[1:], optimizer=adam, schedule=schedule, epochs=epochs, batch_size=BATCH,
        clip=MAX_NORM, seed=seed, progress=False,
    )  # fmt: skip


def judge(prediction, signal, readings):
    """Mean and mean absolute error against the signal, and mean squared error against the readings."""
    arrays = prediction, signal[1:], readings[1:]
    prediction, signal, readings = (array[SETTLED:].astype(np.float64) for array in arrays)
    return (prediction - signal).mean(), np.abs(prediction - signal).mean(), np.square(prediction - readings).mean()


def shares_below(quantiles, readings):
    """The part of the readings that lies below each predicted quantile."""
    return (readings[1:] < quantiles)[SETTLED:].mean(axis=(0, 1))


def plot(path, predictions, signal, readings):
    """Draw a new series and the predictions of each network."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(9, 4), layout="constrained")
    axis = figure.subplots()
    t = np.arange(SETTLED, T)
    axis.plot(t, readings[1:, 0, 0][SETTLED:], ".", color="0.6", label="readings")
    axis.plot(t, signal[1:, 0, 0][SETTLED:], color="black", linewidth=3, alpha=0.25, label="signal")
    for (name, prediction), color in zip(predictions.items(), ("#d55e00", "#009e73", "#0072b2"), strict=True):
        axis.plot(t, prediction[SETTLED:, 0, 0], color=color, label=name)
    axis.set(xlabel="step", ylim=(-3, 13))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.1))
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=30, help="epochs of each training; default: %(default)s")
    parser.add_argument("--units", type=int, default=32, help="units of the GRU; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw a new series and the predictions")
    arguments = parser.parse_args()

    rng = np.random.default_rng(arguments.seed)
    (_, known), (signal, readings) = measure(KNOWN, rng), measure(NEW, rng)
    print(
        f"{KNOWN} series of {T} steps for training, {NEW} new ones; {SHARE:.0%} of all readings {SPIKE:g} too large\n"
    )
    print(f"{'':14}{'mean error':>14}{'absolute':>10}{'squared error against readings':>32}")
    predictions, figures = {}, {}
    for name, loss in LOSSES.items():
        model = make_model(arguments.units, arguments.seed)
        train(model, loss, known, arguments.epochs, arguments.seed)
        predictions[name], _ = model(readings[:-1])
        figures[name] = error, size, square = judge(predictions[name], signal, readings)
        print(f"{name:14}{error:14.3f}{size:10.3f}{square:32.3f}")
    model = make_model(arguments.units, arguments.seed, outputs=len(QUANTILES))
    train(model, quantile_loss, known, arguments.epochs, arguments.seed)
    below = shares_below(model(readings[:-1])[0], readings)
    if arguments.plot:
        plot(arguments.plot, predictions, signal, readings)

    squares = [square for _, _, square in figures.values()]
    (mse, size, _), (huber, huber_size, _), (l1, l1_size, _) = figures.values()
    calibrated = np.abs(below - QUANTILES).max() < 0.05
    if not (
        calibrated and abs(l1) < abs(huber) < mse and max(huber_size, l1_size) < size / 2 and squares[0] == min(squares)
    ):
        sys.exit("This run has not shown what outliers do. Try more --epochs.")
    print("\nBy its own measure, the last column, mse_loss is the best: it does predict the mean.")
    print(
        f"\nOf the new readings, {', '.join(f'{share:.1%}' for share in below)} lie below the quantiles "
        f"{', '.join(map(str, QUANTILES))} of quantile_loss."
    )
    print(
        f"\nSpikes raise the mean of the readings by {SHARE * SPIKE:.2f}. Predictions are too large by {mse:.2f} with "
        f"mse_loss, by {huber:.2f} with huber_loss, by {l1:.2f} with l1_loss."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
