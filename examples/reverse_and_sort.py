# SPDX-License-Identifier: BSD-3-Clause
"""Why attention: writing letters in reverse or in alphabetical order, and how much a single vector can hold.

The same encoder and decoder are used twice. In one model the decoder knows the letters only from the final state of the
encoder, a vector of fixed size (Sutskever, Vinyals, Le 2014); in the other it also looks back at every step of the
encoder (Bahdanau, Cho, Bengio 2015). Both learn from random words of 8 to 16 letters and are tested on new ones. With
attention the decoder only has to keep track of its position. Without it the decoder has to remember the word: it starts
well and then gets lost. Longer training helps, and longer words undo that again.

    python examples/reverse_and_sort.py
    python examples/reverse_and_sort.py attention fastrnnlibrary
"""

import argparse
import string
import sys

import numpy as np

import fastrnn as fr

LETTERS = string.ascii_lowercase
V = len(LETTERS) + 1  # symbols of the target: the letters, and one that starts and ends it
STOP = len(LETTERS)
SHORTEST, LONGEST = 8, 16
TASKS = {"reversed": lambda word: word[::-1], "sorted": np.sort}
EMBEDDING_SIZE, UNITS, LEARNING_RATE, BATCH, MAX_NORM = 24, 64, 1e-2, 64, 1.0


def words(count, rng):
    """Random words, each an array of its letters."""
    return [rng.integers(STOP, size=rng.integers(SHORTEST, LONGEST + 1)) for _ in range(count)]


def padded(rows):
    """Arrays of different lengths as one array (T, N), padded with stops, at least one each."""
    out = np.full((max(map(len, rows)) + 1, len(rows)), STOP)
    for n, row in enumerate(rows):
        out[: len(row), n] = row
    return out


def make_model(attention, seed):
    """A model with attention, or one whose decoder is only a GRU."""
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
    """Adam with a learning rate that decays to 0. Returns the loss of the last step, in nats per letter."""
    optimizer, rng = fr.Adam(model, lr=LEARNING_RATE), np.random.default_rng(seed)
    for k in range(steps):
        optimizer.lr = LEARNING_RATE * (1 - k / steps)
        batch = words(BATCH, rng)
        lengths = np.array([len(word) for word in batch])
        target = padded([task(word) for word in batch])
        logits, _, tape = model.forward(padded(batch), target, lengths, lengths + 1)  # the stop counts, too
        loss, dlogits = fr.cross_entropy(logits, target, lengths=lengths + 1)
        model.zero_grad()
        model.backward(tape, dlogits)
        fr.clip_grad_norm(model, MAX_NORM)
        optimizer.step()
    return loss


def write(model, batch):
    """What a model writes for each word."""
    lengths = [len(word) for word in batch]
    result = fr.decoding.greedy(model, padded(batch), lengths, stop=STOP, max_length=2 * max(lengths))
    return [tokens[:length] for tokens, length in zip(result.tokens.T, result.lengths, strict=True)]


def shares(model, task, batch):
    """The share of words that a model gets right, and of letters in the right place."""
    pairs = [(task(word), answer) for word, answer in zip(batch, write(model, batch), strict=True)]
    places = [answer[: len(expected)] == expected[: len(answer)] for expected, answer in pairs]
    whole = np.mean([np.array_equal(expected, answer) for expected, answer in pairs])
    return whole, sum(map(np.sum, places)) / sum(len(expected) for expected, _ in pairs)


def word(text):
    """A word on the command line, as an array of letter indices."""
    if not text or not set(text.lower()) <= set(LETTERS):
        raise argparse.ArgumentTypeError(f"expected letters of a to z, got {text!r}")
    return np.array([LETTERS.index(letter) for letter in text.lower()])


def text(word):
    """The inverse of `word`."""
    return "".join(LETTERS[k] for k in word)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", type=word, help=f"to process, best of {SHORTEST} to {LONGEST} letters")
    parser.add_argument("--steps", type=int, default=700, help="training steps for each model; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    arguments = parser.parse_args()

    new = words(500, np.random.default_rng(arguments.seed + 1))
    shown = arguments.words or new[:2]
    print(f"{f'new words of {SHORTEST} to {LONGEST} letters':40}{'letters right':>16}{'words right':>14}")
    right = {}
    for name, task in TASKS.items():
        for attention in (True, False):
            model = make_model(attention, arguments.seed)
            train(model, task, arguments.steps, arguments.seed)
            right[name, attention], letters = shares(model, task, new)
            method = "with attention" if attention else "a fixed vector"
            print(f"\n{name + ', ' + method:40}{letters:>16.1%}{right[name, attention]:>14.1%}")
            for source, result in zip(shown, write(model, shown), strict=True):
                print(f"    {text(source)} -> {text(result)}")

    seeing, blind = ([right[name, attention] for name in TASKS] for attention in (True, False))
    if min(seeing) < 0.7 or max(blind) > 0.3:
        sys.exit("The network has not learned what attention is good for. Try more --steps.")
    print("\nWith attention {:.0%} of new words are reversed correctly and {:.0%} sorted;".format(*seeing), end=" ")
    print("with a vector of {} numbers {:.0%} and {:.0%}.".format(UNITS, *blind))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
