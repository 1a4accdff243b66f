# SPDX-License-Identifier: BSD-3-Clause
"""Penalties: of forty inputs three matter, and an L1 penalty on the input weights finds out which.

Forty readings arrive at every step, and a number that depends on three of them, each in its own way: one is summed and
slowly forgotten, one is the reading of three steps before, one is its positive part. The other 37 are noise. The
training data have only 1,600 steps, so a network can also memorize which noise came with which number.

    nothing    it does, and is wrong on new series
    L2         l2 / 2 times the sum of squares: all weights shrink by the same factor; small ones remain
    L1         l1 times the sum of magnitudes: all shrink by the same amount, and those that are not worth it end near 0
               (Tibshirani, "Regression shrinkage and selection via the lasso", 1996)

The strengths are chosen on other series, and the final figures are from a third set, which chose nothing.

    python examples/which_inputs.py
    python examples/which_inputs.py --plot inputs.png
"""

import argparse
import sys

import numpy as np

import fastrnn as fr

T, INPUTS = 100, 40
SUMMED, LATE, RECTIFIED = MATTER = 7, 19, 30
KNOWN, VALIDATION, NEW = 16, 100, 200  # series
FORGET, DELAY, NOISE = 0.8, 3, 0.3  # factor per step; steps; standard deviation of the noise in the target
UNITS, LEARNING_RATE, MAX_NORM = 32, 1e-2, 1.0
PENALTIES = {"nothing": (), "L2": (0.03, 0.1, 0.3, 1, 3, 10), "L1": (0.001, 0.003, 0.01, 0.03, 0.1)}
USED = 0.04  # share of the largest weight norm above which an input is in use


def measure(count, rng):
    """Readings x (T, count, INPUTS), and the targets that depend on three of them, (T, count, 1)."""
    x = rng.standard_normal((T, count, INPUTS), np.float32)
    summed, y = np.zeros(count), NOISE * rng.standard_normal((T, count))
    for t in range(T):
        summed = FORGET * summed + x[t, :, SUMMED]
        y[t] += 0.6 * summed + np.maximum(x[t, :, RECTIFIED], 0)
    y[DELAY:] += x[:-DELAY, :, LATE]
    return x, y[..., None].astype(np.float32)


def make_model(seed):
    return fr.Sequential(fr.GRU(INPUTS, UNITS, seed=seed), fr.Linear(UNITS, 1, seed=seed + 1))


def train(model, x, numbers, steps, l1=0.0, l2=0.0):
    """Adam on all series at once, with a learning rate that decays to 0, so that weights pulled to 0 settle."""
    optimizer = fr.Adam(model, lr=LEARNING_RATE)
    for k in range(steps):
        optimizer.lr = LEARNING_RATE * (1 - k / steps)
        y, _, tape = model.forward(x)
        _, dy = fr.mse_loss(y, numbers)
        model.zero_grad()
        model.backward(tape, dy)
        fr.add_penalty(model, l1, l2, names="*weight_ih*")
        fr.clip_grad_norm(model, MAX_NORM)
        optimizer.step()


def error(model, x, numbers):
    """Mean squared error, of which NOISE ** 2 cannot be avoided."""
    return fr.mse_loss(model(x)[0], numbers)[0]


def weights(model):
    """The norm of the weights of each input, relative to the largest, (INPUTS,)."""
    norms = np.linalg.norm(model.params["0.weight_ih_l0"], axis=0)
    return norms / norms.max()


def plot(path, models):
    """Draw the weights of each input."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    for axis, (name, model) in zip(figure.subplots(len(models), 1, sharex=True), models.items(), strict=True):
        colors = ["#d55e00" if k in MATTER else "#0072b2" for k in range(INPUTS)]
        axis.bar(range(INPUTS), weights(model), color=colors)
        axis.set(ylim=(0, 1.05), yticks=(0, 1), ylabel=name)
        axis.spines[["top", "right"]].set_visible(False)
    axis.set(xlabel="input; red ones matter", xlim=(-0.6, INPUTS - 0.4))
    figure.suptitle("Weights of each input, relative to the largest", fontsize=10)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=400, help="steps of each training; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw the weights of each input")
    arguments = parser.parse_args()

    rng = np.random.default_rng(arguments.seed)
    known, validation, new = (measure(count, rng) for count in (KNOWN, VALIDATION, NEW))
    print(f"{KNOWN} series for training, {VALIDATION} for validation, {NEW} new ones; 3 of {INPUTS} inputs matter.")
    print(f"Mean squared errors, of which {NOISE**2:.2f} is unpredictable noise:\n")
    print(f"{'penalty':16}{'training':>10}{'validation':>12}{'inputs in use':>16}")
    best, errors, models = {}, {}, {}
    for name, strengths in PENALTIES.items():
        for strength in strengths or (0,):
            model = make_model(arguments.seed)
            train(model, *known, arguments.steps, **({name.lower(): strength} if strengths else {}))
            training_error, validation_error = error(model, *known), error(model, *validation)
            label = f"{name} {strength:g}" if strengths else name
            in_use = (weights(model) > USED).sum()
            print(f"{label:16}{training_error:10.3f}{validation_error:12.3f}{in_use:16}", flush=True)
            if validation_error < best.get(name, np.inf):
                best[name], errors[name], models[name] = validation_error, error(model, *new), model

    print(f"\n{'the best':16}{'new series':>12}   inputs in use")
    used = {name: np.flatnonzero(weights(model) > USED).tolist() for name, model in models.items()}
    for name, inputs in used.items():
        print(f"{name:16}{errors[name]:12.3f}   {', '.join(map(str, inputs)) if len(inputs) < INPUTS else 'all'}")
    if arguments.plot:
        plot(arguments.plot, models)

    if used["L1"] != sorted(MATTER) or not errors["L1"] < errors["L2"] < errors["nothing"]:
        sys.exit("The network has not found the inputs that matter. Try more --steps.")
    print(
        f"\nL1 keeps {len(used['L1'])} of {INPUTS} inputs, those that matter; error on new series: {errors['L1']:.2f}, "
        f"with L2 {errors['L2']:.2f} ({len(used['L2'])} inputs), with nothing {errors['nothing']:.2f} "
        f"({len(used['nothing'])})."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
