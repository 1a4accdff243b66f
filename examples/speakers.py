# SPDX-License-Identifier: BSD-3-Clause
"""Many to one: who of nine men is speaking? A bidirectional GRU reads utterances of different lengths.

Each says the Japanese vowels "ae": 7 to 29 steps of 12 LPC cepstrum coefficients, 270 utterances to learn from and 370
others to be judged (Kudo, Toyama, Shimbo, "Multidimensional curve classification using passing-through regions",
Pattern Recognition Letters 20, 1999; UCI Machine Learning Repository). A batch is padded to its longest row; `lengths`
says where each ends, and nothing behind that is read: a row has the same bits alone and in any batch. So one can also
ask, with shorter lengths, what the network would have said earlier. Beside it a linear layer on the mean of the steps,
which knows no order: a strong opponent here.

The data are those that the package sktime carries.

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
ENOUGH = 0.95  # of the utterances, to have learned
SHOWN = (1, 2, 4, 6, 8, 10, 12, 16, 20, 29)  # steps


def read(part):
    """The utterances of a part, "TRAIN" or "TEST": x (T, N, 12), 0 behind the end of a row; lengths and speakers (N,).

    In the file a line is an utterance: its 12 coefficients, one behind the other with colons between, and the speaker.
    """
    package = importlib.util.find_spec("sktime")  # found, not imported: that would take seconds
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


def standardised(known, new):
    """Both parts, with coefficients of mean 0 and standard deviation 1 in the utterances to learn from."""
    x, lengths, _ = known
    steps = x[np.arange(len(x))[:, None] < lengths]
    mean, std = steps.mean(axis=0), steps.std(axis=0)
    return [((x - mean) / std, *others) for x, *others in (known, new)]


def make_model(units, seed):
    """Two layers, each in both directions, read a row; the mean of what they say at its steps is judged."""
    gru = fr.GRU(FEATURES, units, num_layers=2, bidirectional=True, dropout=0.3, seed=seed)
    linear = fr.Linear(2 * units, SPEAKERS, seed=seed + 2)
    return fr.Sequential(fr.Dropout(0.1, seed=seed + 1), gru, fr.MeanPool(), fr.Dropout(0.5, seed=seed + 3), linear)


def train(model, x, lengths, speakers, epochs, seed, lr=LEARNING_RATE):
    """Adam with a learning rate that falls to 0. Returns the mean loss of every epoch, in nats per utterance."""
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


def recognise(model, x, lengths, steps=None):
    """The likeliest speaker of each utterance, from its first steps."""
    logits, _ = model(x, lengths=lengths if steps is None else np.minimum(lengths, steps))
    return logits.argmax(axis=-1)


def plot(path, heard):
    """How many each model recognises after so many steps."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    for (name, shares), color, marker in zip(heard.items(), ("#d55e00", "#0072b2"), "so", strict=True):
        axis.plot(SHOWN, shares, color=color, marker=marker, label=name)
    axis.set(xlabel="steps of the utterance", ylabel="right of 370 utterances", ylim=(0.5, 1.01))
    axis.yaxis.set_major_formatter("{x:.0%}")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=150, help="of training; default: %(default)s")
    parser.add_argument("--units", type=int, default=64, help="of each direction; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw how many are recognised after so many steps")
    arguments = parser.parse_args()

    known, (x, lengths, speakers) = standardised(read("TRAIN"), read("TEST"))
    print(f"{len(known[1])} utterances to learn from, {len(lengths)} to judge, of {SPEAKERS} men; ", end="")
    print(f"{lengths.min()} to {lengths.max()} steps of {FEATURES} numbers\n")
    linear = fr.Sequential(fr.MeanPool(), fr.Linear(FEATURES, SPEAKERS, seed=arguments.seed))
    gru, heard = make_model(arguments.units, arguments.seed), {}
    print(f"{'right, after the first steps':34}" + "".join(f"{steps:6}" for steps in SHOWN))
    for name, model, lr in (("linear, the mean of the steps", linear, LINEAR_RATE), ("GRU", gru, LEARNING_RATE)):
        train(model, *known, arguments.epochs, arguments.seed, lr)
        heard[name] = [(recognise(model, x, lengths, steps) == speakers).mean() for steps in SHOWN]
        print(f"{name:34}" + "".join(f"{share:6.0%}" for share in heard[name]))
    if arguments.plot:
        plot(arguments.plot, heard)

    mean_alone, right = (shares[-1] for shares in heard.values())
    if right < max(ENOUGH, mean_alone):
        sys.exit("It has not learned to tell the speakers: more --epochs?")
    print(
        f"\nThe GRU knows the speaker of {right:.1%} of {len(lengths)} new utterances, the mean alone {mean_alone:.1%}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
