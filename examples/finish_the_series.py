# SPDX-License-Identifier: BSD-3-Clause
"""A small GRU learns to finish the series A, B, C, ... and Z, Y, X, ..., from any letter, in a few seconds.

The alphabet is a circle: A follows Z, and Z comes before A. Every letter has two neighbours, so the last letter alone
does not determine the next one: the network has to remember the direction of the series. It learns from series of T
letters and then continues longer ones from their first two letters, by feeding its own predictions back: to the end of
the alphabet and once more around.

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
T, N = 12, 64  # letters of a training series, series in a batch
EMBEDDING_SIZE, LEARNING_RATE, MAX_NORM = 16, 1e-2, 1.0
LENGTH = 2 * V  # of a finished series
SHOWN = ("A, B, C", "Z, Y, X", "M, N", "F, E")


def series(first, direction, length):
    """Series (length, N) of letter indices, from the first letters and the directions, +1 or -1, each (N,)."""
    return (first + direction * np.arange(length)[:, None]) % V


def every_series(length):
    """All possible series, (length, 2*V): forwards from every letter, then backwards."""
    return series(np.tile(np.arange(V), 2), np.repeat([1, -1], V), length)


def batches(seed):
    """Endless batches (T, N), drawn from all series."""
    rng, known = np.random.default_rng(seed), every_series(T)
    while True:
        yield known[:, rng.integers(known.shape[1], size=N)]


def make_model(units, seed):
    """A network that maps each letter to the logits of the next one."""
    gru = fr.init.orthogonal(fr.GRU(EMBEDDING_SIZE, units), seed=seed)
    return fr.Sequential(fr.Embedding(V, EMBEDDING_SIZE, seed=seed + 1), gru, fr.Linear(units, V, seed=seed + 2))


def train(model, steps, seed):
    """Adam with a learning rate that decays to 0. Returns the loss of every step, in nats per letter."""
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
    """Series (length, N) that begin with `beginning` (P, N); each further letter is the likeliest one, fed back."""
    finished, (logits, state) = list(beginning), model(beginning)
    while len(finished) < length:
        finished.append(logits[-1].argmax(axis=-1))
        logits, state = model(finished[-1][None], state)
    return np.stack(finished)


def read(text):
    """The letters in a text, as indices (P,). At least two, because one letter has no direction."""
    letters = [letter for letter in text.upper() if letter.isalpha()]
    if len(letters) < 2 or not set(letters) <= set(LETTERS):
        raise argparse.ArgumentTypeError(f"expected two letters of A to Z or more, got {text!r}")
    return np.array([LETTERS.index(letter) for letter in letters])


def write(letters):
    return " ".join(LETTERS[k] for k in letters)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("beginnings", nargs="*", type=read, metavar="SERIES", help="to finish, such as 'Q, P, O'")
    parser.add_argument("--steps", type=int, default=1000, help="training steps; default: %(default)s")
    parser.add_argument("--units", type=int, default=64, help="units of the GRU; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    return parser.parse_args()


def main():
    sys.stdout.reconfigure(line_buffering=True)  # keeps the lines in order with the progress bar in a log
    arguments = parse_arguments()
    model = make_model(arguments.units, arguments.seed)
    size = sum(p.size for p in model.params.values())
    print(f"Model: GRU of {arguments.units} units, {size:,} parameters; fastrnn on {fr.get_num_threads()} threads")
    print(f"Training on series of {T} letters:\n")

    losses = train(model, arguments.steps, arguments.seed + 3)
    loss = np.mean(losses[-20:])
    print(f"\nLoss in the last steps: {loss:.3f} nats per letter. The second letter of a series is one of two and")
    print(f"cannot be predicted, so the loss is at least (log 2) / {T - 1} = {math.log(2) / (T - 1):.3f}.\n")

    for beginning in arguments.beginnings or map(read, SHOWN):
        finished = finish(model, beginning[:, None], len(beginning) + 10)[:, 0]
        print(f"    {write(beginning)} ...   {write(finished[len(beginning) :])}")

    known = every_series(LENGTH)
    right = finish(model, known[:2], LENGTH)[2:] == known[2:]
    whole = right.all(axis=0).sum()
    if whole < right.shape[1]:
        print(f"\n{right.sum():,} of {right.size:,} letters are right.")
        sys.exit("The network has not learned to finish the series. Try more --steps.")
    print(f"\nFrom two letters it finishes {whole} of {whole} series without a mistake: {right.size:,} letters.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
