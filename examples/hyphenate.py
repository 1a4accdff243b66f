# SPDX-License-Identifier: BSD-3-Clause
"""Many to many, in step: where may a word be hyphenated? That depends on the letters on both sides.

A GRU reads a word and predicts after every letter whether a hyphen may follow: "de-sign", but "des-ig-nat-ed". A GRU
that reads from left to right has not seen the letters after that place; a bidirectional one has (Schuster and Paliwal,
"Bidirectional recurrent neural networks", 1997). Both have about the same number of parameters and the same training.

A hyphen in the wrong place is worse than a missing one. A third network, otherwise like the second, learns to be
cautious from its loss: places where a hyphen may stand count only a tenth (`pos_weight`; for more than two classes,
cross_entropy has `weight`), so it sets a hyphen only if it is rather sure.

The words are from the documentation of Python's own modules and help topics; the hyphens follow TeX's patterns for
American English (Liang, "Word hy-phen-a-tion by com-put-er", 1983), as distributed with the package pyphen. Words that
start alike ("divide", "divided", "dividend") are all in the training part or all held out: otherwise the test would be
too easy.

    python examples/hyphenate.py
    python examples/hyphenate.py backpropagation recurrence
"""

import argparse
import ast
import re
import string
import sys
import sysconfig
from itertools import groupby
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

import fastrnn as fr

try:
    import pyphen
except ImportError:
    sys.exit('The hyphens of this example come with pyphen: pip install "fastrnn[examples]"')

LETTERS = " " + string.ascii_lowercase  # the first stands for no letter, after the end of a word
EMBEDDING_SIZE, LEARNING_RATE, BATCH, MAX_NORM = 24, 5e-3, 64, 1.0
CAUTION = 0.1  # weight of the places where a hyphen may stand
UNITS = {False: 116, True: 76}  # by bidirectional: about the same number of parameters
PREFIX = 4  # letters that the words of a family share
HELD_OUT = 5  # one in this many families of words is held out
ONE, BOTH, CAUTIOUS = "from left to right", "in both directions", "the same, cautious"
ENOUGH = 0.75  # F1 of the bidirectional network that counts as learned


def read_words():
    """The words of five letters or more in Python's documentation, in alphabetical order."""
    texts = list(topics.values())
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                texts.append(ast.get_docstring(node) or "")
    word = r"(?<![\w.`'*])[A-Za-z][a-z]{4,}(?![\w(`'*=])"  # excludes names of functions and arguments
    return sorted({match.lower() for text in texts for match in re.findall(word, text)})


def split(words):
    """Words for training, and words held out: whole families of words that start alike."""
    families = [list(family) for _, family in groupby(words, key=lambda word: word[:PREFIX])]
    known = [word for k, family in enumerate(families) for word in family if k % HELD_OUT]
    new = [word for family in families[::HELD_OUT] for word in family]
    return known, new


def spelled(words):
    """Letters (T, N), 0 (no letter) after the end of a word, and lengths (N,)."""
    lengths = np.array([len(word) for word in words])
    letters = np.zeros((lengths.max(), len(words)), np.intp)
    for n, word in enumerate(words):
        letters[: lengths[n], n] = [LETTERS.index(letter) for letter in word]
    return letters, lengths


def hyphens(words):
    """Whether a hyphen may follow each letter, (T, N, 1)."""
    dictionary = pyphen.Pyphen(lang="en_US")
    may = np.zeros((max(map(len, words)), len(words), 1), bool)
    for n, word in enumerate(words):
        may[[position - 1 for position in dictionary.positions(word)], n] = True
    return may


def make_model(bidirectional, seed):
    """A network that maps each letter to the logit of a hyphen after it."""
    H = UNITS[bidirectional]
    embedding = fr.Embedding(len(LETTERS), EMBEDDING_SIZE, padding_idx=0, seed=seed)  # no letter: a vector of zeros
    gru = fr.GRU(EMBEDDING_SIZE, H, bidirectional=bidirectional, seed=seed + 1)
    linear = fr.Linear(gru.num_directions * H, 1, seed=seed + 3)
    return fr.Sequential(embedding, gru, fr.Dropout(0.3, seed=seed + 2), linear)


def train(model, words, epochs, seed, pos_weight=None):
    """Adam with a learning rate that decays to 0. Returns the mean loss of every epoch, in nats per letter."""
    (letters, lengths), may = spelled(words), hyphens(words)
    optimizer, rng, means = fr.Adam(model, lr=LEARNING_RATE), np.random.default_rng(seed), []
    for epoch in range(epochs):
        optimizer.lr = LEARNING_RATE * (1 - epoch / epochs)
        losses = []
        for rows in np.array_split(rng.permutation(len(words)), len(words) // BATCH):
            logits, _, tape = model.forward(letters[:, rows], lengths=lengths[rows])
            loss, dlogits = fr.binary_cross_entropy_with_logits(
                logits, may[:, rows], lengths=lengths[rows], pos_weight=pos_weight
            )
            model.zero_grad()
            model.backward(tape, dlogits)
            fr.clip_grad_norm(model, MAX_NORM)
            optimizer.step()
            losses.append(loss)
        means.append(np.mean(losses))
    return means


def predict(model, words):
    """Where the model sets hyphens, (T, N, 1)."""
    letters, lengths = spelled(words)
    logits, _ = model(letters, lengths=lengths)
    return (logits > 0) & (np.arange(len(letters))[:, None] < lengths)[..., None]


def hyphenated(model, words):
    """The words as the model hyphenates them."""
    texts = []
    for word, does in zip(words, predict(model, words)[..., 0].T, strict=True):
        texts.append("".join(letter + "-" if may else letter for letter, may in zip(word, does, strict=False)))
    return texts


def scores(model, words):
    """Precision, recall and F1 of the hyphens, and the share of words without a mistake."""
    may, does = hyphens(words), predict(model, words)
    hits = (may & does).sum()
    precision, recall = hits / max(does.sum(), 1), hits / max(may.sum(), 1)
    f1 = 2 * hits / max(does.sum() + may.sum(), 1)
    return precision, recall, f1, (may == does).all(axis=(0, 2)).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", help="to hyphenate, in letters a to z")
    parser.add_argument("--epochs", type=int, default=20, help="training epochs; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    arguments = parser.parse_args()
    for word in arguments.words:
        if not word or not set(word) <= set(LETTERS[1:]):
            parser.error(f"expected words of the letters a to z, got {word!r}")

    known, new = split(read_words())
    print(f"{len(known):,} words for training, {len(new)} held out\n")
    print(f"{'on the words held out':24}{'parameters':>12}{'precision':>12}{'recall':>10}{'F1':>8}{'words right':>14}")
    models, precision, f1 = {}, {}, {}
    for name, bidirectional, pos_weight in ((ONE, False, None), (BOTH, True, None), (CAUTIOUS, True, CAUTION)):
        model = models[name] = make_model(bidirectional, arguments.seed)
        train(model, known, arguments.epochs, arguments.seed, pos_weight)
        precision[name], recall, f1[name], right = scores(model, new)
        size = sum(p.size for p in model.params.values())
        print(f"{name:24}{size:12,}{precision[name]:12.1%}{recall:10.1%}{f1[name]:8.3f}{right:14.1%}")

    shown = arguments.words or new[7 :: len(new) // 10]
    dictionary = pyphen.Pyphen(lang="en_US")
    print("\n" + "".join(f"{name:24}" for name in models) + "TeX's patterns")
    for word, *tried in zip(shown, *(hyphenated(model, shown) for model in models.values()), strict=True):
        print(*(f"{text:23}" for text in tried), dictionary.inserted(word))

    if f1[BOTH] < max(ENOUGH, f1[ONE] + 0.1) or precision[CAUTIOUS] < precision[BOTH]:
        sys.exit("The network has not learned to hyphenate. Try more --epochs.")
    print(
        f"\nHyphens in new words: F1 {f1[BOTH]:.2f} in both directions, {f1[ONE]:.2f} from left to right; "
        f"{precision[BOTH]:.0%} of them are right, {precision[CAUTIOUS]:.0%} with caution."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
