# SPDX-License-Identifier: BSD-3-Clause
"""Forecast the next twelve months of carbon dioxide over Mauna Loa with an RNN, LSTM, GRU and an echo state network.

The series is real: weekly samples of air from 1958 to 2001 (Keeling and Whorf), as distributed with statsmodels. It
rises, ever faster, and oscillates with the growing season of the northern hemisphere. From every month on, each network
forecasts the next twelve months, having read the monthly changes of the level up to then.

The months up to 1984 are for training, and determine all scales. 1985 to 1991 are for validation: they choose the
number of units and of training steps. 1992 to 2001 are for testing and are used once, at the end, in comparison with
three naive forecasts: the level of this month again, that of the same month a year before, and the latter plus the
growth of the last twelve months.

    python examples/co2.py
    python examples/co2.py --plot co2.png
"""

import argparse
import sys
from typing import NamedTuple

import numpy as np

import fastrnn as fr

HORIZON = 12  # months; a year
VALIDATION, TESTING = "1985-01", "1992-01"  # first months of these parts
WASHOUT = 24  # months at the beginning, which do not suffice to know a season and do not count
UNITS = 16, 32
RESERVOIRS = (100, 0.8), (100, 0.95), (300, 0.8), (300, 0.95)  # (units, spectral radius)
RIDGES = 0.1, 1.0, 10.0
LEARNING_RATE, MAX_NORM, INTERVAL = 1e-2, 1.0, 50  # INTERVAL: training steps between candidates


def monthly():
    """Months, as "1958-03", and their mean levels in parts per million (ppm). The five gaps are before 1965."""
    try:
        import pandas
        from statsmodels.datasets import co2
    except ImportError:
        sys.exit('The data of this example come with statsmodels: pip install "fastrnn[examples]"')
    weekly = co2.load().data["co2"]
    means = weekly.groupby(weekly.index.to_period("M")).mean()
    means = means.reindex(pandas.period_range(means.index[0], means.index[-1], freq="M")).interpolate()
    return np.array(means.index.astype(str)), means.to_numpy()


class Data(NamedTuple):
    """The data of each month t except the first: T months. "scaled": mean 0 and standard deviation 1 in training."""

    months: np.ndarray  # (T,)
    level: np.ndarray  # (T,) ppm
    future: np.ndarray  # (T, HORIZON) levels of the months after t; NaN if one is unknown
    x: np.ndarray  # (T, 1) the change from t-1 to t, scaled
    y: np.ndarray  # (T, HORIZON) future - level, scaled
    shift: np.ndarray  # (HORIZON,) to scale it back
    scale: np.ndarray  # (HORIZON,)
    training: slice  # of t, such that the future lies in the same part
    validation: slice
    testing: slice

    def forecasts(self, y):
        """Scaled outputs (T, HORIZON) as levels."""
        return y * self.scale + self.shift + self.level[:, None]


def prepare(months, levels):
    change, months, level = np.diff(levels), months[1:], levels[1:]
    T = len(level)
    future = np.full((T, HORIZON), np.nan)
    future[:-HORIZON] = fr.windows(level, 1, HORIZON, batch_first=True)[1][..., 0]
    begin = [0, *np.searchsorted(months, [VALIDATION, TESTING]), T]
    # the first forecast of a part is made in the last month of the part before
    training, validation, testing = (slice(max(a - 1, 0), b - HORIZON) for a, b in zip(begin, begin[1:], strict=False))
    x = (change - change[training].mean()) / change[training].std()
    rise = future - level[:, None]
    shift, scale = rise[training].mean(axis=0), rise[training].std(axis=0)
    return Data(months, level, future, x[:, None], (rise - shift) / scale, shift, scale, training, validation, testing)


# -- forecasts: levels (T, HORIZON), made in every month -------------------------------------------------------------


def naive(data):
    """The level of this month."""
    return np.repeat(data.level[:, None], HORIZON, axis=1)


def seasonal_naive(data):
    """The level of the same month a year before."""
    before = np.full_like(data.future, np.nan)
    before[HORIZON:] = data.future[:-HORIZON]
    return before


def seasonal_growth(data):
    """The level of the same month a year before, plus the growth of the last twelve months."""
    growth = np.full_like(data.level, np.nan)
    growth[HORIZON:] = data.level[HORIZON:] - data.level[:-HORIZON]
    return seasonal_naive(data) + growth[:, None]


def train(kind, units, data, steps, seed):
    """Forecasts (snapshots, T, HORIZON), one every `INTERVAL` steps: Adam on all training months at once."""
    model = fr.Sequential(kind(1, units, seed=seed), fr.Linear(units, HORIZON, seed=seed + 1))
    optimizer, snapshots = fr.Adam(model, lr=LEARNING_RATE), []
    x, y = data.x.astype(np.float32), data.y[data.training].astype(np.float32)
    for step in range(steps):
        optimizer.lr = LEARNING_RATE * (1 - step / steps)
        outputs, _, tape = model.forward(x[data.training])
        _, dy = fr.mse_loss(outputs[WASHOUT:], y[WASHOUT:])
        model.zero_grad()
        model.backward(tape, np.concatenate([np.zeros_like(y[:WASHOUT]), dy]))
        fr.clip_grad_norm(model, MAX_NORM)
        optimizer.step()
        if (step + 1) % INTERVAL == 0:
            snapshots.append(data.forecasts(model(x)[0]))
    return np.stack(snapshots)


def solve(units, radius, data, seed):
    """Forecasts (ridges, T, HORIZON) of an echo state network."""
    network = fr.EchoState(
        1, units, output_size=HORIZON, spectral_radius=radius, input_scaling=0.3, bias_scaling=0.2, washout=WASHOUT,
        dtype=np.float64, seed=seed,
    )  # fmt: skip
    x, y = data.x[data.training], data.y[data.training]
    return np.stack([data.forecasts(network.fit(x, y, ridge).predict(data.x)) for ridge in RIDGES])


def candidates(data, steps, seeds):
    """The candidates of each kind of network: (kind, [(name, forecasts)]), with means over all seeds."""
    for kind in (fr.RNN, fr.LSTM, fr.GRU):
        yield (
            kind.__name__,
            [
                (f"{units} units, {INTERVAL * (k + 1)} steps", forecasts)
                for units in UNITS
                for k, forecasts in enumerate(np.mean([train(kind, units, data, steps, 10 * s) for s in seeds], axis=0))
            ],
        )
    yield (
        "EchoState",
        [
            (f"{units} units, radius {radius}, ridge {ridge}", forecasts)
            for units, radius in RESERVOIRS
            for ridge, forecasts in zip(
                RIDGES, np.mean([solve(units, radius, data, s) for s in seeds], axis=0), strict=True
            )
        ],
    )


def error(forecasts, data, part):
    """The root mean squared error for each month ahead, (HORIZON,), in ppm."""
    return np.sqrt(np.square(forecasts[part] - data.future[part]).mean(axis=0))


def overall(errors):
    return float(np.sqrt(np.square(errors).mean()))


def plot(path, data, forecasts, errors, best):
    try:
        import matplotlib
    except ImportError:
        sys.exit('The plot of this example needs matplotlib: pip install "fastrnn[examples]"')
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    shown = np.arange(data.testing.start, len(data.level))
    left.plot(shown, data.level[shown], color="0.7", linewidth=4, label="measured")
    for t in shown[:-1:HORIZON]:
        ahead = np.arange(t, t + HORIZON + 1)
        line = np.concatenate([data.level[t : t + 1], forecasts[best][t]])
        left.plot(ahead, line, color="C3", linewidth=1, label=f"{best}, a year ahead" if t == shown[0] else None)
    left.set_xticks(shown[1::24], [month[:4] for month in data.months[shown[1::24]]])
    left.set(ylabel="carbon dioxide (ppm)", title="the test years")
    left.legend()
    for name, curve in errors.items():
        right.plot(np.arange(1, HORIZON + 1), curve, "-" if name in forecasts else "--", label=name)
    right.set(xlabel="months ahead", ylabel="error (ppm)", ylim=(0, 6), title="root mean squared error")
    right.legend(ncols=2)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=600, help="maximum of training steps; default: %(default)s")
    parser.add_argument("--seeds", type=int, default=3, help="networks to average; default: %(default)s")
    parser.add_argument("--plot", metavar="PNG", help="draw forecasts and errors")
    arguments = parser.parse_args()
    if arguments.steps < INTERVAL or arguments.seeds < 1:
        parser.error(f"expected at least {INTERVAL} steps and 1 seed, got {arguments.steps} and {arguments.seeds}")

    data = prepare(*monthly())
    print(f"{len(data.level) + 1} months; root mean squared errors in ppm\n")
    chosen, choice, validation = {}, {}, {}
    for name, options in candidates(data, arguments.steps, range(arguments.seeds)):
        candidate_errors = [overall(error(forecasts, data, data.validation)) for _, forecasts in options]
        k = int(np.argmin(candidate_errors))
        validation[name], (choice[name], chosen[name]) = candidate_errors[k], options[k]
    naive_forecasts = {"this month": naive, "a year before": seasonal_naive, "that plus growth": seasonal_growth}
    forecasts = {name: make(data) for name, make in naive_forecasts.items()} | chosen
    errors = {name: error(levels, data, data.testing) for name, levels in forecasts.items()}

    print(f"{'forecast':22}{'1985-91':>8}{'1992-01':>9}{'1 month':>9}{'6':>6}{'12':>6}   chosen")
    for name, curve in errors.items():
        known = overall(error(forecasts[name], data, data.validation))
        ahead = f"{curve[0]:>9.2f}{curve[5]:>6.2f}{curve[-1]:>6.2f}"
        print(f"{name:22}{known:>8.2f}{overall(curve):>9.2f}{ahead}   {choice.get(name, '')}")
    best = min(validation, key=validation.get)
    if arguments.plot:
        plot(arguments.plot, data, chosen, errors, best)

    reached, others = overall(errors[best]), [overall(errors[name]) for name in naive_forecasts]
    if not reached < min(others):
        sys.exit(
            f"The network has not learned to forecast: error of {best} {reached:.2f} ppm, naive {min(others):.2f}."
        )
    text = ", ".join(f"{other:.2f}" for other in others)
    print(
        f"\nThe {best}, best in validation, is wrong by {reached:.2f} ppm in the test years; naive forecasts by {text}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
