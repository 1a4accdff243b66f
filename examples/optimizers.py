# SPDX-License-Identifier: BSD-3-Clause
"""Optimizers and schedules at six learning rates on one task: the rate matters more than the choice of the optimizer.

A small GRU reads handwritten digits row by row for twelve epochs, each time from the same initial parameters: with
plain gradient descent, with momentum and with Nesterov momentum; with Adagrad, RMSprop, Adam, AdamW, NAdam and RAdam,
which adapt the step size of every parameter; and with Adam under nine learning rate schedules. AdamW appears twice: in
its second row one group of parameters, the biases, is not decayed. The table shows the loss on validation images; "-"
is a training that diverged. The best method and rate are then tested on images that played no part in the choice. Other
seeds move the best numbers by about 0.1, so the order of close ones means little.

The images are scikit-learn's: the test part of "Optical recognition of handwritten digits", Alpaydin and Kaynak, UCI
Machine Learning Repository, 1998. In their order: the first half for training, a sixth for validation, a third for
testing.

    python examples/optimizers.py
    python examples/optimizers.py --plot optimizers.png
"""

import argparse
import math
import sys

import numpy as np

import fastrnn as fr

try:
    from sklearn.datasets import load_digits
except ImportError:
    sys.exit('The images of this example need scikit-learn: pip install "fastrnn[examples]"')

RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
BATCH, DECAY = 32, 0.1
ENOUGH = 0.85  # accuracy on the test digits that counts as learned
SPREAD = 3  # times the best validation loss: a rate that matters is worse than that
NO_DECAY = {"*bias*": {"weight_decay": 0.0}}
OPTIMIZERS = {
    "SGD": fr.SGD,
    "SGD, momentum": lambda model, lr: fr.SGD(model, lr, momentum=0.9),
    "SGD, Nesterov": lambda model, lr: fr.SGD(model, lr, momentum=0.9, nesterov=True),
    "Adagrad": fr.Adagrad,
    "RMSprop": fr.RMSprop,
    "Adam": fr.Adam,
    "AdamW": lambda model, lr: fr.AdamW(model, lr, weight_decay=DECAY),
    "AdamW, not on biases": lambda model, lr: fr.AdamW(model, lr, weight_decay=DECAY, groups=NO_DECAY),
    "NAdam": fr.NAdam,
    "RAdam": fr.RAdam,
}
SCHEDULES = {  # for an optimizer and its number of steps; two of them count epochs
    "StepLR": lambda adam, steps: fr.StepLR(adam, step_size=math.ceil(steps / 3), gamma=0.3),
    "MultiStepLR": lambda adam, steps: fr.MultiStepLR(
        adam, [math.ceil(steps / 2), math.ceil(steps * 3 / 4)], gamma=0.3
    ),
    "ExponentialLR": lambda adam, steps: fr.ExponentialLR(adam, gamma=0.8, per="epoch"),
    "LambdaLR": lambda adam, steps: fr.LambdaLR(adam, lambda count: 1 - count / steps),
    "CosineAnnealingLR": lambda adam, steps: fr.CosineAnnealingLR(adam, steps),
    "WarmRestarts": lambda adam, steps: fr.CosineAnnealingWarmRestarts(adam, math.ceil(steps / 3), T_mult=2),
    "OneCycleLR": lambda adam, steps: fr.OneCycleLR(adam, max_lr=adam.lr, total_steps=steps),
    "LinearWarmup": lambda adam, steps: fr.LinearWarmup(adam, math.ceil(steps / 6)),
    "ReduceLROnPlateau": lambda adam, steps: fr.ReduceLROnPlateau(adam, factor=0.3, patience=1),
}
SCHEDULES = {f"Adam, {name}": make for name, make in SCHEDULES.items()}
METHODS = {name: (make, None) for name, make in OPTIMIZERS.items()}
METHODS |= {name: (fr.Adam, schedule) for name, schedule in SCHEDULES.items()}


def read():
    """Pairs of rows x (8, N, 8), pixels of 0 to 1, and digits (N,): for training, validation and testing."""
    images, digits = load_digits(return_X_y=True)
    x = np.moveaxis((images / 16).reshape(-1, 8, 8).astype(np.float32), 1, 0)
    half, two_thirds = len(digits) // 2, len(digits) * 2 // 3
    return [(x[:, part], digits[part]) for part in (slice(half), slice(half, two_thirds), slice(two_thirds, None))]


def make_model(units, seed):
    return fr.Sequential(fr.GRU(8, units, seed=seed), fr.LastStep(), fr.Linear(units, 10, seed=seed + 1))


def train(method, rate, known, validation, units, epochs, seed):
    """Returns the model and the history, which is empty if the training diverged."""
    make, schedule = METHODS[method]
    model = make_model(units, seed)
    optimizer = make(model, rate)
    if schedule is not None:
        schedule = schedule(optimizer, epochs * math.ceil(len(known[1]) / BATCH))
    try:
        history = fr.fit(
            model, fr.cross_entropy, *known, optimizer=optimizer, schedule=schedule, epochs=epochs, batch_size=BATCH,
            validation=validation, restore_best=False, seed=seed, progress=False,
        )  # fmt: skip
    except FloatingPointError:
        history = {}
    return model, history


def final(histories):
    """The validation loss after the last epoch, averaged over the seeds; inf if one of them diverged."""
    return float(np.mean([history["val_loss"][-1] if history else np.inf for history in histories]))


def accuracy(model, data):
    x, digits = data
    return float((model(x)[0].argmax(axis=-1) == digits).mean())


def plot(path, histories_of, rates):
    """Draw the training loss of each method at its best rate, epoch by epoch."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, names in zip(axes, (list(OPTIMIZERS), ["Adam", *SCHEDULES]), strict=True):
        for name in names:
            histories = [history for history in histories_of[name, rates[name]] if history]
            if histories:
                means = np.mean([history["loss"] for history in histories], axis=0)
                axis.semilogy(range(1, len(means) + 1), means, label=f"{name}, {rates[name]:g}")
        axis.set_xlabel("epoch")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8)
    axes[0].set_ylabel("training loss, nats per image")
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=12, help="epochs of each training; default: %(default)s")
    parser.add_argument("--units", type=int, default=32, help="units of the GRU; default: %(default)s")
    parser.add_argument("--seeds", type=int, default=1, help="trainings at each rate; default: %(default)s")
    parser.add_argument("--plot", metavar="PNG", help="draw the training loss by epoch")
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error(f"--seeds: expected at least 1, got {arguments.seeds}")

    known, validation, test = read()
    settings = known, validation, arguments.units, arguments.epochs
    print(f"{len(known[1])} digits for training, {len(validation[1])} for validation, {len(test[1])} for testing\n")
    print("Validation loss after the last epoch, in nats; * marks the best of a row:\n")
    print(f"{'learning rate':24}" + "".join(f"{rate:>9g} " for rate in RATES))
    histories_of, losses, rates, models = {}, {}, {}, {}
    for method in METHODS:
        for rate in RATES:
            runs = [train(method, rate, *settings, seed) for seed in range(arguments.seeds)]
            models[method, rate], histories_of[method, rate] = zip(*runs, strict=True)
        losses[method] = [final(histories_of[method, rate]) for rate in RATES]
        rates[method] = RATES[np.argmin(losses[method])]
        cells = (f"{loss:9.3f}" if math.isfinite(loss) else f"{'-':>9}" for loss in losses[method])
        print(f"{method:24}", end="")
        marks = (" *"[rate == rates[method]] for rate in RATES)
        print("".join(cell + mark for cell, mark in zip(cells, marks, strict=True)), flush=True)
    if arguments.plot:
        plot(arguments.plot, histories_of, rates)

    bests = {method: min(values) for method, values in losses.items()}
    best = min(bests, key=bests.get)
    right = np.mean([accuracy(model, test) for model in models[best, rates[best]]])
    least, most = (extreme(bests[method] for method in OPTIMIZERS) for extreme in (min, max))
    same = [losses[method][RATES.index(rates["Adam"])] for method in OPTIMIZERS]
    print(f"\nBest: {best} at {rates[best]:g}; {right:.1%} of the test digits are right.")
    if right < ENOUGH or max(same) < SPREAD * least:
        sys.exit("This run has not shown how much the learning rate matters. Try more --epochs.")
    print(
        f"Each optimizer at its best rate: {least:.2f} to {most:.2f} nats per digit; "
        f"all at that of Adam, {rates['Adam']:g}: {min(same):.2f} to {max(same):.2f}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
