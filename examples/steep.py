# SPDX-License-Identifier: BSD-3-Clause
"""The next letter of STEEP: an E follows the first E and a P the second one, so the letter alone does not determine it.

A network of three tanh units learns the word, letter by letter, in two ways: carrying its state from letter to letter,
and without a state, as a feed-forward network that sees only the current letter. Then it is unrolled, step by step, in
NumPy:

    h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)        the state: h_t depends on all letters so far
    p_t = softmax(W h_t + b)                                 the probability of each letter to come next

    python examples/steep.py
    python examples/steep.py REFEREE --units 5
"""

import argparse
import sys

import numpy as np

import fastrnn as fr

LEARNING_RATE = 0.03


def one_hot(word):
    """A word as vectors x (T, 1, V), the letters that follow as targets (T, 1), and its alphabet."""
    alphabet = sorted(set(word))
    letters = np.array([[alphabet.index(letter)] for letter in word])
    return np.eye(len(alphabet), dtype=np.float32)[letters[:-1]], letters[1:], alphabet


def with_state(x):
    """One row of T letters: the state is carried from letter to letter."""
    return x


def without_state(x):
    """T rows of one letter: each starts with a state of 0."""
    return x.swapaxes(0, 1)


def make_model(V, units, seed):
    return fr.Sequential(fr.RNN(V, units, seed=seed), fr.Linear(units, V, seed=seed + 1))


def train(model, x, targets, steps):
    """Train on the word with Adam. Returns the loss of every step, in nats per letter."""
    optimizer, losses = fr.Adam(model, lr=LEARNING_RATE), []
    for _ in range(steps):
        logits, _, tape = model.forward(x)
        loss, dlogits = fr.cross_entropy(logits, targets)
        model.zero_grad()
        model.backward(tape, dlogits)
        optimizer.step()
        losses.append(loss)
    return losses


def unroll(model, x, carry=True):
    """Run the network by hand. Yields the state (H,) and the probabilities (V,) after each letter of x (T, 1, V)."""
    w_ih, w_hh, b_ih, b_hh, w, b = model.params.values()
    h = np.zeros(len(b_hh), np.float32)
    for x_t in x[:, 0]:
        h = np.tanh(w_ih @ x_t + b_ih + w_hh @ h + b_hh)
        p = np.exp(w @ h + b)
        yield h, p / p.sum()
        if not carry:
            h = np.zeros_like(h)


def show(model, word, alphabet, x, carry):
    """Print the network unrolled. Returns how many letters it predicts correctly."""
    right = 0
    for letter, target, (h, p) in zip(word, word[1:], unroll(model, x, carry), strict=False):
        likeliest = [alphabet[k] for k in np.argsort(-p)[:2]]
        right += likeliest[0] == target
        print(f"    {letter} -> {target}   h = [{' '.join(f'{value:5.2f}' for value in h)}]   ", end="")
        print("  ".join(f"{likely} {p[alphabet.index(likely)]:4.0%}" for likely in likeliest))
    return right


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("word", nargs="?", default="STEEP", help="to learn; default: %(default)s")
    parser.add_argument("--units", type=int, default=3, help="units of the network; default: %(default)s")
    parser.add_argument("--steps", type=int, default=500, help="training steps; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of the initial parameters; default: 0")
    arguments = parser.parse_args()
    pairs = set(zip(arguments.word, arguments.word[1:], strict=False))
    if len(pairs) == len({first for first, _ in pairs}):
        parser.error(f"expected a word in which a letter has two successors, like E in STEEP; got {arguments.word!r}")
    return arguments


def main():
    arguments = parse_arguments()
    word, right = arguments.word, {}
    x, targets, alphabet = one_hot(word)
    for way, title in ((without_state, "Without its state"), (with_state, "With its state")):
        model = make_model(len(alphabet), arguments.units, arguments.seed)
        loss = train(model, way(x), way(targets), arguments.steps)[-1]
        print(f"{title}: loss {loss:.3f} nats per letter")
        right[way] = show(model, word, alphabet, x, carry=way is with_state)
        print()

    T = len(targets)
    if right[with_state] < T or right[without_state] == T:
        sys.exit(f"The network has not learned {word}. Try more --steps or --units.")
    alone = right[without_state]
    print(f"With its state it predicts {T} of {T} next letters of {word}, from the letter alone {alone}.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
