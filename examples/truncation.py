# SPDX-License-Identifier: BSD-3-Clause
"""Truncated back-propagation through time: how far back can a network learn if gradients go back only some steps?

Letters arrive one by one, without end, and at each step the network has to name the letter d steps before. It reads on
with its current state and learns on the way: after every k1 steps it stops and goes back k2 steps (Williams and Peng,
"An efficient gradient-based algorithm for on-line training of recurrent network trajectories", 1990):

    5, 5      pieces of 5. No error reaches a letter of an earlier piece: older letters are not learned, and younger
              ones only from errors in the same piece.
    5, 20     from the last 5 steps back through 20: each of their errors reaches the 15 letters before its own. Every
              step is run four times.
    20, 20    pieces of 20: a quarter of the work, and of the updates. For d = 12, 8 of 20 errors reach their letter.

The state is not truncated: it is carried on, so it may contain traces of an older letter by chance, which the output
layer can use. But how to keep a letter is learned only through gradients. The first d steps have no answer and are left
out (`ignore_index`).

    python examples/truncation.py
"""

import argparse
import sys
import time

import numpy as np

import fastrnn as fr

LETTERS = 4
N, UNITS, LEARNING_RATE, MAX_NORM = 16, 32, 2e-3, 1.0  # N sequences side by side
DELAYS = 3, 12, 30  # d
WINDOWS = (5, 5), (5, 20), (20, 20)  # k1, k2
LEARNED, GUESSED = 0.9, 0.5  # accuracy: at least, at most
NO_ANSWER = -100


def echo(T, N, delay, rng):
    """Random letters x (T, N, LETTERS), one-hot, and for each step the letter `delay` steps before, (T, N)."""
    letters = rng.integers(LETTERS, size=(T, N))
    answers = np.full_like(letters, NO_ANSWER)
    answers[delay:] = letters[:-delay]
    return np.eye(LETTERS, dtype=np.float32)[letters], answers


def make_model(seed):
    """A network with orthogonal recurrent weights, through which states and gradients last long."""
    rnn = fr.init.orthogonal(fr.RNN(LETTERS, UNITS), seed=seed)
    return fr.Sequential(rnn, fr.Linear(UNITS, LETTERS, seed=seed + 1))


def loss(logits, answers):
    """Nats per answer."""
    return fr.cross_entropy(logits, answers, ignore_index=NO_ANSWER)


def train(model, x, answers, k1, k2):
    """Adam, every k1 steps, on the gradients that come back through k2. Returns the number of updates."""
    adam, updates = fr.Adam(model, lr=LEARNING_RATE), 0
    for _ in fr.truncated_bptt(model, loss, x, answers, k1, k2):  # the gradients of a window are in model.grads
        fr.clip_grad_norm(model, MAX_NORM)
        adam.step()
        updates += 1
    return updates


def right(model, x, answers):
    """The share of answers that are right."""
    guesses = model(x)[0].argmax(axis=-1)
    return (guesses == answers)[answers != NO_ANSWER].mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=12_000, help="steps of each training; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    arguments = parser.parse_args()

    print(f"Accuracy in naming the letter some steps before; {1 / LETTERS:.0%} by chance:\n")
    print(f"{'k1, k2':10}" + "".join(f"{delay:9}" for delay in DELAYS) + f"{'updates':>12}{'seconds':>10}")
    accuracies = {}
    for k1, k2 in WINDOWS:
        start = time.perf_counter()
        for delay in DELAYS:
            rng, model = np.random.default_rng(arguments.seed), make_model(arguments.seed + 1)
            updates = train(model, *echo(arguments.steps, N, delay, rng), k1, k2)
            accuracies[k1, k2, delay] = right(model, *echo(500, 100, delay, rng))
        shares = "".join(f"{accuracies[k1, k2, delay]:9.1%}" for delay in DELAYS)
        print(f"{f'{k1}, {k2}':10}{shares}{updates:12,}{time.perf_counter() - start:10.1f}", flush=True)

    _, between, far = DELAYS
    (k1, _), (_, k2), _ = WINDOWS
    missed, learned = accuracies[k1, k1, between], accuracies[k1, k2, between]
    if not (missed < GUESSED < LEARNED < learned and max(accuracies[k1, k2, far] for k1, k2 in WINDOWS) < GUESSED):
        sys.exit("This run has not shown that gradients have to go back as far as the answer. Try more --steps.")
    print(
        f"\nNaming the letter {between} steps before: {learned:.1%} right if gradients go back {k2} steps, "
        f"{missed:.1%} if they go back {k1}; both with an update every {k1} steps."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
