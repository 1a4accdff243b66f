# SPDX-License-Identifier: BSD-3-Clause
"""Many to one: which of nine men is speaking? A bidirectional GRU reads utterances of different lengths.

Each utterance is the Japanese vowels "ae": 7 to 29 steps of 12 LPC cepstrum coefficients, 270 utterances for training
and 370 others for testing (Kudo, Toyama, Shimbo, "Multidimensional curve classification using passing-through regions",
Pattern Recognition Letters 20, 1999; UCI Machine Learning Repository). A batch is padded to its longest row; `lengths`
says where each row ends, and nothing after that is read: the result of a row is the same bits alone and in any batch.
So shorter lengths show what the network would have answered earlier. The comparison is a linear layer on the mean of
the steps, which ignores their order and is a strong baseline here.

The data are distributed with the package sktime.

    python examples/speakers.py
    python examples/speakers.py --plot speakers.png
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np

import fastrnn as fr

SPEAKERS, FEATURES = 9, 12
LEARNING_RATE, LINEAR_RATE, BATCH, MAX_NORM = 3e-3, 0.1, 30, 1.0
ENOUGH = 0.95  # accuracy that counts as learned
SHOWN = (1, 2, 4, 6, 8, 10, 12, 16, 20, 29)  # steps


def read(part):
    """The utterances of a part, "TRAIN" or "TEST": x (T, N, 12), 0 after the end of a row; lengths and speakers (N,).

    A line of the file is an utterance: the series of its 12 coefficients and the speaker, separated by colons.
    """
    package = importlib.util.find_spec("sktime")  # without importing it, which would take seconds
    if package is None:
        sys.exit('The data of this example come with sktime: pip install "fastrnn[examples]"')
    folder = Path(package.origin).parent / "datasets" / "data" / "JapaneseVowels"
    _, _, data = (folder / f"JapaneseVowels_{part}.ts").read_text().partition("@data\n")
    utterances, speakers = [], []
    for line in data.splitlines():
        *features, speaker = line.split(":")
        utterances.append(np.array([feature.split(",") for feature in features], np.float32).T)
        speakers.append(int(speaker) - 1)
    lengths = np.array([len(utterance) for utterance in utterances])
    x = np.zeros((lengths.max(), len(lengths), FEATURES), np.float32)
    for n, utterance in enumerate(utterances):
        x[: lengths[n], n] = utterance
    return x, lengths, np.array(speakers)


def standardize(known, new):
    """Both parts, scaled so that training coefficients have mean 0 and standard deviation 1."""
    x, lengths, _ = known
    steps = x[np.arange(len(x))[:, None] < lengths]
    mean, std = steps.mean(axis=0), steps.std(axis=0)
    return [((x - mean) / std, *others) for x, *others in (known, new)]


def make_model(units, seed):
    """Two bidirectional layers; a linear layer classifies the mean of their outputs."""
    gru = fr.GRU(FEATURES, units, num_layers=2, bidirectional=True, dropout=0.3, seed=seed)
    linear = fr.Linear(2 * units, SPEAKERS, seed=seed + 2)
    return fr.Sequential(fr.Dropout(0.1, seed=seed + 1), gru, fr.MeanPool(), fr.Dropout(0.5, seed=seed + 3), linear)


def train(model, x, lengths, speakers, epochs, seed, lr=LEARNING_RATE):
    """Adam with a learning rate that decays to 0. Returns the mean loss of every epoch, in nats per utterance."""
    optimizer, rng, means = fr.Adam(model, lr=lr), np.random.default_rng(seed), []
    for epoch in range(epochs):
        optimizer.lr = lr * (1 - epoch / epochs)
        losses = []
        for rows in np.array_split(rng.permutation(len(lengths)), len(lengths) // BATCH):
            logits, _, tape = model.forward(x[:, rows], lengths=lengths[rows])
            loss, dlogits = fr.cross_entropy(logits, speakers[rows])
            model.zero_grad()
            model.backward(tape, dlogits)
            fr.clip_grad_norm(model, MAX_NORM)
            optimizer.step()
            losses.append(loss)
        means.append(np.mean(losses))
    return means


def predict(model, x, lengths, steps=None):
    """The likeliest speaker of each utterance, from its first steps."""
    logits, _ = model(x, lengths=lengths if steps is None else np.minimum(lengths, steps))
    return logits.argmax(axis=-1)


def plot(path, accuracies):
    """Draw the accuracy of each model after the first steps."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    for (name, shares), color, marker in zip(accuracies.items(), ("#d55e00", "#0072b2"), "so", strict=True):
        axis.plot(SHOWN, shares, color=color, marker=marker, label=name)
    axis.set(xlabel="steps of the utterance", ylabel="right of 370 utterances", ylim=(0.5, 1.01))
    axis.yaxis.set_major_formatter("{x:.0%}")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=150, help="training epochs; default: %(default)s")
    parser.add_argument("--units", type=int, default=64, help="units of each direction; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw the accuracy after the first steps")
    arguments = parser.parse_args()

    known, (x, lengths, speakers) = standardize(read("TRAIN"), read("TEST"))
    print(f"{len(known[1])} utterances for training, {len(lengths)} for testing, of {SPEAKERS} men; ", end="")
    print(f"{lengths.min()} to {lengths.max()} steps of {FEATURES} numbers\n")
    linear = fr.Sequential(fr.MeanPool(), fr.Linear(FEATURES, SPEAKERS, seed=arguments.seed))
    gru, accuracies = make_model(arguments.units, arguments.seed), {}
    print(f"{'accuracy after the first steps':34}" + "".join(f"{steps:6}" for steps in SHOWN))
    for name, model, lr in (("linear, mean of the steps", linear, LINEAR_RATE), ("GRU", gru, LEARNING_RATE)):
        train(model, *known, arguments.epochs, arguments.seed, lr)
        accuracies[name] = [(predict(model, x, lengths, steps) == speakers).mean() for steps in SHOWN]
        print(f"{name:34}" + "".join(f"{share:6.0%}" for share in accuracies[name]))
    if arguments.plot:
        plot(arguments.plot, accuracies)

    baseline, right = (shares[-1] for shares in accuracies.values())
    if right < max(ENOUGH, baseline):
        sys.exit("The network has not learned to recognize the speakers. Try more --epochs.")
    print(
        f"\nThe GRU recognizes {right:.1%} of the speakers of {len(lengths)} new utterances, the mean {baseline:.1%}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
