# SPDX-License-Identifier: BSD-3-Clause
"""An echo state network learns the chaotic Mackey-Glass system from 3000 steps, then predicts 84 steps without it.

The system is y'(t) = 0.2 y(t-17) / (1 + y(t-17)^10) - 0.1 y(t): its next state depends on its state 17 time units ago.
The network reads y once per time unit and learns to predict the next value. To predict further it reads its own outputs
instead, so every error is fed back. This is the test of Jaeger, "The echo state approach to analysing and training
recurrent neural networks", GMD report 148, 2001, section 6, and of Jaeger and Haas, "Harnessing nonlinearity", Science
304, 2004: many continuations of new histories, and the root mean squared error after 84 steps, divided by the standard
deviation of the series. Predicting the mean of the series has an error of 1. (Their series were integrated with Euler
steps of 1/10, these with Runge-Kutta steps of 1/10.)

    python examples/mackey_glass.py
    python examples/mackey_glass.py --plot mackey_glass.png
"""

import argparse
import math
import sys

import numpy as np

import fastrnn as fr

DELAY, SUBSTEPS = 17, 10  # in units of time; Runge-Kutta steps per unit
WARM_UP = 1000  # units of time, from a random level to the attractor
TRAINING, WASHOUT = 3000, 1000  # training steps, of which the first only wash out the initial state
CONTINUATIONS, READ, HORIZON = 100, 500, 84  # new histories, steps that the network reads of each, steps to predict
RIDGE = 1e-14  # almost none, because the data have no noise

# Chosen by hand, on histories other than those of the test.
OPTIONS = dict(leak=0.6, spectral_radius=0.9, input_scaling=1.0, bias_scaling=0.2, density=0.01, washout=WASHOUT)

PUBLISHED = (  # error, and the method
    (0.0088, "self-organizing map of local models, 10,000 of them (the best before, according to Jaeger 2001)"),
    (0.00028, "echo state network of 400 units (Jaeger 2001)"),
    (10**-4.2, "echo state network of 1000 units (Jaeger and Haas 2004)"),
)


def mackey_glass(steps, histories, seed):
    """Series (steps, histories), one value per time unit, each starting at a random time.

    Integrated with classical Runge-Kutta steps; delayed values at half steps are interpolated by a cubic.
    """
    rng, past, h = np.random.default_rng(seed), DELAY * SUBSTEPS, 1 / SUBSTEPS
    first = WARM_UP + rng.integers(500, size=histories)
    y = np.empty((past + (first.max() + steps) * SUBSTEPS, histories))
    y[: past + 1] = rng.uniform(0.5, 1.3, histories)

    def slope(now, then):
        return 0.2 * then / (1 + then**10) - 0.1 * now

    for k in range(past, len(y) - 1):
        now, then, later = y[k], y[k - past], y[k - past + 1]
        between = (9 * (then + later) - y[max(k - past - 1, 0)] - y[k - past + 2]) / 16
        a = slope(now, then)
        b = slope(now + h / 2 * a, between)
        c = slope(now + h / 2 * b, between)
        d = slope(now + h * c, later)
        y[k + 1] = now + h / 6 * (a + 2 * b + 2 * c + d)
    return y[past::SUBSTEPS][first + np.arange(steps)[:, None], np.arange(histories)]


def squash(y):
    """Map values into (-1, 1), as Jaeger does."""
    return np.tanh(y - 1)[..., None]


def stretch(x):
    """The inverse of `squash`."""
    return np.arctanh(np.clip(x[..., 0], -1 + 1e-12, 1 - 1e-12)) + 1


def train(units, series, seed):
    """A network trained to predict the next value of a series (T, 1)."""
    x = squash(series)
    network = fr.EchoState(1, units, **OPTIONS, dtype=np.float64, seed=seed)
    return network.fit(x[:-1], x[1:], RIDGE)


def errors(network, history, future):
    """Free-running predictions (HORIZON, N), and the normalized error at each of these steps, (HORIZON,)."""
    y, _ = network.generate(squash(history), len(future))
    return stretch(y), np.sqrt(np.square(stretch(y) - future).mean(axis=1) / np.concatenate([history, future]).var())


def plot(path, future, predictions, curves):
    """Draw the first continuation, and how the errors grow."""
    try:
        import matplotlib
    except ImportError:
        sys.exit('The plot of this example needs matplotlib: pip install "fastrnn[examples]"')
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    left.plot(future[:, 0], color="0.7", linewidth=4, label="Mackey-Glass")
    left.plot(predictions[:, 0], color="C3", linewidth=1, label="the network, free-running")
    left.set(xlabel="step", ylabel="y", title="one of the continuations")
    left.legend()
    steps = np.arange(1, HORIZON + 1)
    for name, curve in curves.items():
        right.semilogy(steps, curve, label=name)
    for error, _ in PUBLISHED:
        right.plot(HORIZON, error, "kx", clip_on=False)
    right.set(xlabel="step", ylabel="normalized error", title="all continuations; x: published")
    right.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--units", type=int, nargs="+", default=[400, 1000], help="of each network; default: 400 1000")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw a continuation, and the errors")
    arguments = parser.parse_args()

    series = mackey_glass(TRAINING + 1, 1, arguments.seed)
    new = mackey_glass(READ + HORIZON, CONTINUATIONS, arguments.seed + 1)
    history, future = new[:READ], new[READ:]
    print(f"{TRAINING} training steps. {CONTINUATIONS} new histories, read for {READ} steps, then predicted freely:\n")
    print(f"{'':24}{'error after 1 step':>20}{'42':>12}{'84':>12}{'log10':>8}")
    curves = {"repeat the last value": np.sqrt(np.square(history[-1] - future).mean(axis=1) / new.var())}
    for units in arguments.units:
        network = train(units, series, arguments.seed)
        predictions, curves[f"{units} units"] = errors(network, history, future)
    for name, curve in curves.items():
        print(f"{name:24}{curve[0]:>20.1e}{curve[41]:>12.1e}{curve[-1]:>12.1e}{math.log10(curve[-1]):>8.1f}")
    print("\nPublished, after 84 steps:")
    for error, method in PUBLISHED:
        print(f"{error:>9.1e}{math.log10(error):>6.1f}   {method}")
    if arguments.plot:
        plot(arguments.plot, future, predictions, curves)

    reached = curve[-1]
    if not reached < PUBLISHED[0][0]:
        sys.exit(f"The network has not learned the system: error {reached:.1e}, expected below {PUBLISHED[0][0]}.")
    best = PUBLISHED[2][0]
    print(
        f"\n{HORIZON} steps ahead, {units} units are wrong by {reached:.1e} standard deviations; published: {best:.1e}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
