# SPDX-License-Identifier: BSD-3-Clause
"""The next twelve months of carbon dioxide over Mauna Loa, forecast by an RNN, LSTM, GRU and an echo state network.

The series is real: weekly samples of air from 1958 to 2001 (Keeling and Whorf), as statsmodels carries them. It rises,
ever faster, and it breathes with the plants of the northern half of the earth. From every month on, each network says
the twelve months to come, having read how the level changed from month to month until then.

The months up to 1984 are for learning, and all scales are theirs. 1985 to 1991 are for choosing: how many units, how
many steps of training. 1992 to 2001 are looked at once, at the end, beside what costs nothing: the level of this month
again; that of the same month a year before; and the latter with the growth of the last twelve months added.

    python examples/co2.py
    python examples/co2.py --plot co2.png
"""

import argparse
import sys
from typing import NamedTuple

import numpy as np

import fastrnn as fr

HORIZON = 12  # months; a year
CHOOSING, TESTING = "1985-01", "1992-01"  # where these parts begin
WASHOUT = 24  # months at the beginning, from which nobody is asked to know a season
UNITS, RESERVOIRS = (16, 32), ((100, 0.8), (100, 0.95), (300, 0.8), (300, 0.95))  # to choose from: (units, radius)
RIDGES = 0.1, 1.0, 10.0
LEARNING_RATE, MAX_NORM, LOOK = 1e-2, 1.0, 50  # LOOK: steps of training from one choice to the next


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
    """What there is to learn, for each month t but the first: T months. "scaled": mean 0, deviation 1 in learning."""

    months: np.ndarray  # (T,)
    level: np.ndarray  # (T,) ppm
    future: np.ndarray  # (T, HORIZON) levels of the months after t; NaN where they are not known
    x: np.ndarray  # (T, 1) the change from t-1 to t, scaled
    y: np.ndarray  # (T, HORIZON) future - level, scaled
    shift: np.ndarray  # (HORIZON,) to scale it back
    scale: np.ndarray  # (HORIZON,)
    learning: slice  # of t, whose future lies in the same part
    choosing: slice
    testing: slice

    def forecasts(self, y):
        """Scaled outputs (T, HORIZON) as levels."""
        return y * self.scale + self.shift + self.level[:, None]


def prepare(months, levels):
    change, months, level = np.diff(levels), months[1:], levels[1:]
    T = len(level)
    future = np.full((T, HORIZON), np.nan)
    for k in range(1, HORIZON + 1):
        future[:-k, k - 1] = level[k:]
    begin = [0, *np.searchsorted(months, [CHOOSING, TESTING]), T]
    # the last month that is known at the first forecast of a part is the last of the part before
    learning, choosing, testing = (slice(max(a - 1, 0), b - HORIZON) for a, b in zip(begin, begin[1:], strict=False))
    x = (change - change[learning].mean()) / change[learning].std()
    rise = future - level[:, None]
    shift, scale = rise[learning].mean(axis=0), rise[learning].std(axis=0)
    return Data(months, level, future, x[:, None], (rise - shift) / scale, shift, scale, learning, choosing, testing)


# -- forecasts: levels (T, HORIZON) from every month on --------------------------------------------


def naive(data):
    """The level stays."""
    return np.repeat(data.level[:, None], HORIZON, axis=1)


def seasonal_naive(data):
    """It is the one of the same month a year before."""
    before = np.full_like(data.future, np.nan)
    before[HORIZON:] = data.future[:-HORIZON]
    return before


def seasonal_growth(data):
    """The same, and the growth of the last twelve months."""
    growth = np.full_like(data.level, np.nan)
    growth[HORIZON:] = data.level[HORIZON:] - data.level[:-HORIZON]
    return seasonal_naive(data) + growth[:, None]


def train(kind, units, data, steps, seed):
    """Forecasts (snapshots, T, HORIZON), one for every `LOOK` steps: Adam on all learning months at once."""
    model = fr.Sequential(kind(1, units, seed=seed), fr.Linear(units, HORIZON, seed=seed + 1))
    optimizer, found = fr.Adam(model, lr=LEARNING_RATE), []
    x, y = data.x.astype(np.float32), data.y[data.learning].astype(np.float32)
    for step in range(steps):
        optimizer.lr = LEARNING_RATE * (1 - step / steps)
        outputs, _, tape = model.forward(x[data.learning])
        _, dy = fr.mse_loss(outputs[WASHOUT:], y[WASHOUT:])
        model.zero_grad()
        model.backward(tape, np.concatenate([np.zeros_like(y[:WASHOUT]), dy]))
        fr.clip_grad_norm(model, MAX_NORM)
        optimizer.step()
        if (step + 1) % LOOK == 0:
            found.append(data.forecasts(model(x)[0]))
    return np.stack(found)


def solve(units, radius, data, seed):
    """Forecasts (ridges, T, HORIZON) of an echo state network."""
    network = fr.EchoState(
        1, units, output_size=HORIZON, spectral_radius=radius, input_scaling=0.3, bias_scaling=0.2, washout=WASHOUT,
        dtype=np.float64, seed=seed,
    )  # fmt: skip
    x, y = data.x[data.learning], data.y[data.learning]
    return np.stack([data.forecasts(network.fit(x, y, ridge).predict(data.x)) for ridge in RIDGES])


def candidates(data, steps, seeds):
    """For each kind of network, what there is to choose from: [(name, forecasts)], the means over all seeds."""
    for kind in (fr.RNN, fr.LSTM, fr.GRU):
        yield (
            kind.__name__,
            [
                (f"{units} units, {LOOK * (k + 1)} steps", forecasts)
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
    """Root of the mean squared error for each month ahead, (HORIZON,), in ppm."""
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
    left.set(ylabel="carbon dioxide (ppm)", title="the years that nobody had seen")
    left.legend()
    for name, curve in errors.items():
        right.plot(np.arange(1, HORIZON + 1), curve, "-" if name in forecasts else "--", label=name)
    right.set(xlabel="months ahead", ylabel="error (ppm)", ylim=(0, 6), title="root mean squared error")
    right.legend(ncols=2)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=600, help="of training, at the most; default: %(default)s")
    parser.add_argument("--seeds", type=int, default=3, help="networks of each kind, averaged; default: %(default)s")
    parser.add_argument("--plot", metavar="PNG", help="draw forecasts and errors")
    arguments = parser.parse_args()
    if arguments.steps < LOOK or arguments.seeds < 1:
        parser.error(f"expected at least {LOOK} steps and 1 seed, got {arguments.steps} and {arguments.seeds}")

    data = prepare(*monthly())
    print(f"{len(data.level) + 1} months; errors in ppm, root mean squares\n")
    chosen, choice, doubt = {}, {}, {}
    for name, options in candidates(data, arguments.steps, range(arguments.seeds)):
        doubts = [overall(error(forecasts, data, data.choosing)) for _, forecasts in options]
        k = int(np.argmin(doubts))
        doubt[name], (choice[name], chosen[name]) = doubts[k], options[k]
    free = {"this month again": naive, "a year before": seasonal_naive, "that, and the growth": seasonal_growth}
    forecasts = {name: make(data) for name, make in free.items()} | chosen
    errors = {name: error(found, data, data.testing) for name, found in forecasts.items()}

    print(f"{'forecast':22}{'1985-91':>8}{'1992-01':>9}{'1 month':>9}{'6':>6}{'12':>6}   chosen")
    for name, curve in errors.items():
        known = overall(error(forecasts[name], data, data.choosing))
        ahead = f"{curve[0]:>9.2f}{curve[5]:>6.2f}{curve[-1]:>6.2f}"
        print(f"{name:22}{known:>8.2f}{overall(curve):>9.2f}{ahead}   {choice.get(name, '')}")
    best = min(doubt, key=doubt.get)
    if arguments.plot:
        plot(arguments.plot, data, chosen, errors, best)

    found, others = overall(errors[best]), [overall(errors[name]) for name in free]
    if not found < min(others):
        sys.exit(f"It has not learned to forecast: {best} is wrong by {found:.2f} ppm, and {min(others):.2f} is free.")
    words = ", ".join(f"{other:.2f}" for other in others)
    print(f"\nThe {best}, best in choosing, is wrong by {found:.2f} ppm in new years; what costs nothing by {words}.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
