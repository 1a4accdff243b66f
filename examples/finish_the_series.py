# SPDX-License-Identifier: BSD-3-Clause
"""A small GRU learns to finish the series A, B, C, ... and Z, Y, X, ..., from any letter, in some seconds.

The alphabet is a circle here: A follows Z, and before A comes Z. Every letter has two neighbours, so
the last letter alone does not tell the next one: the network has to remember which way the series
goes. It learns from series of T letters, and then finishes longer ones, from their first two, with
its own predictions fed back to it: to the end of the alphabet and once more around.

    python examples/finish_the_series.py
    python examples/finish_the_series.py "Q, P, O" "X Y Z"
"""

import argparse
import math
import string
import sys

import numpy as np

import fastrnn as fr

try:
    from tqdm import trange
except ImportError:
    sys.exit('The progress bar of this example needs tqdm: pip install "fastrnn[demo]"')

LETTERS = string.ascii_uppercase
V = len(LETTERS)
T, N = 12, 64  # letters of a series in training, series side by side
EMBEDDING_SIZE, LEARNING_RATE, MAX_NORM = 16, 1e-2, 1.0
LENGTH = 2 * V  # of a finished series
SHOWN = ("A, B, C", "Z, Y, X", "M, N", "F, E")


def series(first, direction, length):
    """Series (length, N) of the indices of letters, given the first ones and directions, +1 or -1, (N,) each."""
    return (first + direction * np.arange(length)[:, None]) % V


def every_series(length):
    """All that there are, (length, 2*V): forwards from every letter, then backwards."""
    return series(np.tile(np.arange(V), 2), np.repeat([1, -1], V), length)


def batches(seed):
    """Endless batches (T, N), drawn from all series."""
    rng, known = np.random.default_rng(seed), every_series(T)
    while True:
        yield known[:, rng.integers(known.shape[1], size=N)]


def make_model(units, seed):
    """Letters in, for each the logits of the next letter out."""
    gru = fr.init.orthogonal(fr.GRU(EMBEDDING_SIZE, units), seed=seed)
    return fr.Sequential(fr.Embedding(V, EMBEDDING_SIZE, seed=seed + 1), gru, fr.Linear(units, V, seed=seed + 2))


def train(model, steps, seed):
    """Adam with a learning rate that falls to 0. Returns the loss of every step, in nats per letter."""
    optimizer, losses, batch = fr.Adam(model, lr=LEARNING_RATE), [], batches(seed)
    bar = trange(steps, bar_format="{desc} |{bar:20}| {rate_fmt}", unit=" steps", mininterval=0.2)
    for k in bar:
        letters = next(batch)
        optimizer.lr = LEARNING_RATE * (1 - k / steps)
        logits, _, tape = model.forward(letters[:-1])
        loss, dlogits = fr.cross_entropy(logits, letters[1:])
        model.zero_grad()
        model.backward(tape, dlogits)
        fr.clip_grad_norm(model, MAX_NORM)
        optimizer.step()
        losses.append(loss)
        bar.set_description_str(f"step {k + 1}/{steps}, loss {loss:.3f}", refresh=False)
    return losses


def finish(model, beginning, length):
    """Series (length, N) that begin like `beginning` (P, N); each further letter is the likeliest, and is fed back."""
    finished, (logits, state) = list(beginning), model(beginning)
    while len(finished) < length:
        finished.append(logits[-1].argmax(axis=-1))
        logits, state = model(finished[-1][None], state)
    return np.stack(finished)


def read(text):
    """The letters in a text, as indices (P,). At least two: one letter does not say which way to go."""
    letters = [letter for letter in text.upper() if letter.isalpha()]
    if len(letters) < 2 or not set(letters) <= set(LETTERS):
        raise argparse.ArgumentTypeError(f"expected two letters of A to Z or more, got {text!r}")
    return np.array([LETTERS.index(letter) for letter in letters])


def write(letters):
    return " ".join(LETTERS[k] for k in letters)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("beginnings", nargs="*", type=read, metavar="SERIES", help="to finish, as 'Q, P, O'")
    parser.add_argument("--steps", type=int, default=1000, help="of training; default: %(default)s")
    parser.add_argument("--units", type=int, default=64, help="of the GRU; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    return parser.parse_args()


def main():
    sys.stdout.reconfigure(line_buffering=True)  # in a log, lines stay in order with the progress
    arguments = parse_arguments()
    model = make_model(arguments.units, arguments.seed)
    size = sum(p.size for p in model.params.values())
    print(f"Model: GRU of {arguments.units} units, {size:,} parameters; fastrnn on {fr.get_num_threads()} threads")
    print(f"It learns from series of {T} letters:\n")

    losses = train(model, arguments.steps, arguments.seed + 3)
    loss = np.mean(losses[-20:])
    print(f"\nLoss in the last steps: {loss:.3f} nats per letter. Nobody can know the second letter of a series,")
    print(f"which is one of two: less than (log 2) / {T - 1} = {math.log(2) / (T - 1):.3f} cannot be had.\n")

    for beginning in arguments.beginnings or map(read, SHOWN):
        finished = finish(model, beginning[:, None], len(beginning) + 10)[:, 0]
        print(f"    {write(beginning)} ...   {write(finished[len(beginning) :])}")

    known = every_series(LENGTH)
    right = finish(model, known[:2], LENGTH)[2:] == known[2:]
    whole = right.all(axis=0).sum()
    if whole < right.shape[1]:
        print(f"\n{right.sum():,} of {right.size:,} letters are right.")
        sys.exit("It has not learned to finish the series: more --steps?")
    print(f"\nFrom two letters it finishes {whole} of {whole} series without a mistake: {right.size:,} letters.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
