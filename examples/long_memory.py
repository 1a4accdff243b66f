# SPDX-License-Identifier: BSD-3-Clause
"""Why an LSTM remembers: what is left of a gradient after many steps back, before and after training.

The adding problem (Hochreiter and Schmidhuber 1997): two of 100 random numbers are marked, and the target at the end is
their sum. To learn which numbers count, a gradient has to get from the end back to the marks. A network of tanh units
and an LSTM, whose units start with memories of 2 to 100 steps (chrono initialization, Tallec and Ollivier 2018), train
on the same sequences, and fastrnn.inspect looks into both:

    left of a gradient     root mean square of the singular values of ds_T / ds_(T-d), the product of d Jacobians
    effective memory       the distance d at which that has fallen to 1/e
    Lyapunov exponent      the logarithm of the factor by which one step back multiplies a gradient, in the long run

    python examples/long_memory.py
    python examples/long_memory.py --length 60 --plot memory.png
"""

import argparse
import sys

import numpy as np

import fastrnn as fr
from fastrnn.inspect import FlowRecorder, diagnose, jacobian_norms, lyapunov_exponents, memory_length, plot_memory

UNITS, BATCH, LEARNING_RATE, CLIP = 32, 50, 5e-3, 1.0
SEQUENCES = 6000  # for training
PROBES = 16  # new sequences on which gradients are measured
BASELINE = 1 / 6  # squared error of the constant answer 1: the variance of a sum of two numbers uniform in 0..1
NAMES = "tanh RNN", "LSTM"


def adding_problem(length, count, rng):
    """Sequences of (number, mark), x (T, N, 2), and the sums of the two marked numbers, (N, 1)."""
    x = np.zeros((length, count, 2), np.float32)
    x[..., 0] = rng.random((length, count))
    rows = np.arange(count)
    first, second = rng.integers(0, length // 2, count), rng.integers(length // 2, length, count)
    x[first, rows, 1] = x[second, rows, 1] = 1
    return x, (x[first, rows, 0] + x[second, rows, 0])[:, None]


def make_model(name, length, seed):
    """A layer of that name, with a linear layer that reads the sum from its last step."""
    if name == "LSTM":
        layer = fr.init.chrono(fr.LSTM(2, UNITS, seed=seed), T_max=length, seed=seed + 1)
    else:
        layer = fr.RNN(2, UNITS, seed=seed)
    return fr.Sequential(layer, fr.LastStep(), fr.Linear(UNITS, 1, seed=seed + 2))


def look_inside(model, x):
    """The part of a gradient left at every distance (T + 1,), a geometric mean over sequences, and the exponent."""
    norms = jacobian_norms(model, x)["0.l0"]
    return np.exp(np.log(norms).mean(axis=1)), float(lyapunov_exponents(model, x)["0.l0"].mean())


def train(model, data, new, epochs, seed, recorder=None):
    """Train with Adam. Returns the squared error on new sequences."""
    fr.fit(
        model, fr.mse_loss, *data, optimizer=fr.Adam(model, lr=LEARNING_RATE), epochs=epochs, batch_size=BATCH,
        clip=CLIP, callbacks=[recorder] if recorder else [], seed=seed,
    )  # fmt: skip
    (y, _), target = model(new[0]), new[1]
    return fr.mse_loss(y, target)[0]


def draw(path, norms, recorders):
    """Draw what is left of a gradient by distance, and what arrives at each step during training."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(14, 4.2), layout="constrained", width_ratios=[1.25, 1, 1])
    plot_memory(norms, ax=axes[0]).legend(frameon=False, fontsize=8, handlelength=1.5, loc="lower left")
    axes[0].set_title("What is left of a gradient, and the effective memory", loc="left", fontsize=10)
    for ax, (name, recorder) in zip(axes[1:], recorders.items(), strict=True):
        recorder.plot(ax=ax)
        ax.set_title(f"{name}: what arrives at each step", loc="left", fontsize=10)
    figure.savefig(path, dpi=100)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--length", type=int, default=100, help="length of a sequence in steps; default: %(default)s")
    parser.add_argument("--epochs", type=int, default=12, help="training epochs; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="FILE", help="draw a picture, such as memory.png; needs matplotlib")
    arguments = parser.parse_args()
    if arguments.length < 4:
        parser.error(f"--length: expected at least 4 steps, got {arguments.length}")
    return arguments


def main():
    arguments = parse_arguments()
    T, rng = arguments.length, np.random.default_rng(arguments.seed)
    data, new = adding_problem(T, SEQUENCES, rng), adding_problem(T, 1000, rng)
    probes = new[0][:, :PROBES]
    print(f"The adding problem with {T} steps; always answering 1 has a squared error of {BASELINE:.3f}.\n")
    print(f"{'':26}{'left of a gradient':>20}{'effective':>14}{'Lyapunov':>12}{'squared':>10}")
    print(f"{'':26}{f'{T} steps back':>20}{'memory, steps':>14}{'exponent':>12}{'error':>10}")

    norms, recorders, errors, findings = {}, {}, {}, {}
    for name in NAMES:
        model = make_model(name, T, arguments.seed)
        findings[name] = diagnose(model, probes)
        recorders[name] = FlowRecorder(probes, every=max(1, arguments.epochs * SEQUENCES // BATCH // 60))
        for when in ("before", "after"):
            if when == "after":
                errors[name] = train(model, data, new, arguments.epochs, arguments.seed, recorders[name])
            left, exponent = look_inside(model, probes)
            norms[f"{name}, {when}"] = left
            steps = memory_length(left)
            memory = f"{steps:.1f}" if np.isfinite(steps) else f"> {T}"
            error = f"{errors[name]:.4f}" if when == "after" else ""
            print(f"{name + ', ' + when:26}{left[-1]:>20.1e}{memory:>14}{exponent:>12.3f}{error:>10}")

    print("\nThe diagnosis of fastrnn.inspect before training:\n")
    for name in NAMES:
        print(findings[name])
    if arguments.plot:
        draw(arguments.plot, norms, recorders)
        print(f"\nWrote {arguments.plot}.")
    if errors["LSTM"] > 0.1 * BASELINE:
        sys.exit(f"\nThe LSTM has not learned to add: squared error {errors['LSTM']:.3f}. More --epochs?")
    rnn, lstm = (norms[f"{name}, after"][-1] for name in NAMES)
    print(
        f"\n{T} steps back {lstm:.2g} of a gradient is left in the LSTM, {rnn:.0e} in the tanh RNN: "
        f"their squared errors are {errors['LSTM']:.4f} and {errors['tanh RNN']:.3f}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
