# SPDX-License-Identifier: BSD-3-Clause
"""Why attention: to write letters backwards, or sorted, and what a single vector can hold of them.

The same encoder and decoder twice: once all that the decoder knows of the letters is the final state of the encoder, a
vector of a fixed size (Sutskever, Vinyals, Le 2014); once it also looks back at every step of the encoder (Bahdanau,
Cho, Bengio 2015). Both learn from the same random words of 8 to 16 letters, and are then asked for new ones. Looking
back, the decoder has to keep in mind only how far it has come. Without, it has to keep the word: it begins well, and
loses its way; longer training helps, and longer words undo that again.

    python examples/reverse_and_sort.py
    python examples/reverse_and_sort.py attention fastrnnlibrary
"""

import argparse
import string
import sys

import numpy as np

import fastrnn as fr

LETTERS = string.ascii_lowercase
V = len(LETTERS) + 1  # symbols of the target, with the one that starts and ends it
STOP = len(LETTERS)
SHORTEST, LONGEST = 8, 16
TASKS = {"reversed": lambda word: word[::-1], "sorted": np.sort}
EMBEDDING_SIZE, UNITS, LEARNING_RATE, BATCH, MAX_NORM = 24, 64, 1e-2, 64, 1.0


def words(count, rng):
    """Random words, each an array of its letters."""
    return [rng.integers(STOP, size=rng.integers(SHORTEST, LONGEST + 1)) for _ in range(count)]


def padded(rows):
    """Arrays of different lengths as one, (T, N), each with a stop at its end and beyond."""
    out = np.full((max(map(len, rows)) + 1, len(rows)), STOP)
    for n, row in enumerate(rows):
        out[: len(row), n] = row
    return out


def make_model(attention, seed):
    """With attention, or without: then the decoder is the GRU alone."""
    decoder = fr.GRU(EMBEDDING_SIZE, UNITS, seed=seed)
    if attention:
        combine = fr.Linear(2 * UNITS, UNITS, bias=False, seed=seed + 1)
        decoder = fr.AttentionDecoder(decoder, fr.Attention(UNITS, UNITS, seed=seed + 2), combine)
    reader = fr.GRU(EMBEDDING_SIZE, UNITS // 2, bidirectional=True, seed=seed + 3)
    return fr.Seq2Seq(
        encoder=fr.Sequential(fr.Embedding(V, EMBEDDING_SIZE, seed=seed + 4), reader),
        embedding=fr.Embedding(V, EMBEDDING_SIZE, seed=seed + 5),
        decoder=decoder,
        output=fr.Linear(UNITS, V, seed=seed + 6),
        start=STOP,
    )


def train(model, task, steps, seed):
    """Adam with a learning rate that falls to 0. Returns the loss of the last step, in nats per letter."""
    optimizer, rng = fr.Adam(model, lr=LEARNING_RATE), np.random.default_rng(seed)
    for k in range(steps):
        optimizer.lr = LEARNING_RATE * (1 - k / steps)
        batch = words(BATCH, rng)
        lengths = np.array([len(word) for word in batch])
        target = padded([task(word) for word in batch])
        logits, _, tape = model.forward(padded(batch), target, lengths, lengths + 1)  # the stop is to be written too
        loss, dlogits = fr.cross_entropy(logits, target, lengths=lengths + 1)
        model.zero_grad()
        model.backward(tape, dlogits)
        fr.clip_grad_norm(model, MAX_NORM)
        optimizer.step()
    return loss


def write(model, batch):
    """What a model makes of words."""
    lengths = [len(word) for word in batch]
    found = fr.decoding.greedy(model, padded(batch), lengths, stop=STOP, max_length=2 * max(lengths))
    return [tokens[:length] for tokens, length in zip(found.tokens.T, found.lengths, strict=True)]


def shares(model, task, batch):
    """The share of the words that a model gets right, and of the letters at their places."""
    pairs = [(task(word), found) for word, found in zip(batch, write(model, batch), strict=True)]
    places = [found[: len(wanted)] == wanted[: len(found)] for wanted, found in pairs]
    whole = np.mean([len(wanted) == len(found) and (wanted == found).all() for wanted, found in pairs])
    return whole, sum(map(np.sum, places)) / sum(len(wanted) for wanted, _ in pairs)


def word(text):
    """A word on the command line, as an array of its letters."""
    if not text or not set(text.lower()) <= set(LETTERS):
        raise argparse.ArgumentTypeError(f"expected letters of a to z, got {text!r}")
    return np.array([LETTERS.index(letter) for letter in text.lower()])


def text(word):
    """The other way."""
    return "".join(LETTERS[k] for k in word)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", type=word, help=f"to reverse and sort; it learns {SHORTEST} to {LONGEST}")
    parser.add_argument("--steps", type=int, default=700, help="of training, for each model; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    arguments = parser.parse_args()

    new = words(500, np.random.default_rng(arguments.seed + 1))
    asked = arguments.words or new[:2]
    print(f"{f'new words of {SHORTEST} to {LONGEST} letters':40}{'letters right':>16}{'words right':>14}")
    right = {}
    for name, task in TASKS.items():
        for attention in (True, False):
            model = make_model(attention, arguments.seed)
            train(model, task, arguments.steps, arguments.seed)
            right[name, attention], letters = shares(model, task, new)
            how = "with attention" if attention else "a fixed vector"
            print(f"\n{name + ', ' + how:40}{letters:>16.1%}{right[name, attention]:>14.1%}")
            for given, found in zip(asked, write(model, asked), strict=True):
                print(f"    {text(given)} -> {text(found)}")

    seeing, blind = ([right[name, attention] for name in TASKS] for attention in (True, False))
    if min(seeing) < 0.7 or max(blind) > 0.3:
        sys.exit("It has not learned what attention is good for: more --steps?")
    print("\nWith attention it gets {:.0%} of new words right reversed and {:.0%} sorted;".format(*seeing), end=" ")
    print("with a vector of {} numbers {:.0%} and {:.0%}.".format(UNITS, *blind))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
