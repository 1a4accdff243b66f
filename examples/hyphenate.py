# SPDX-License-Identifier: BSD-3-Clause
"""Many to many, in step: where may a word be hyphenated? It takes the letters on both sides to say so.

A GRU reads a word and tells for every letter whether a hyphen may follow it: "de-sign", but "des-ig-nat-ed". One that
reads from left to right has not seen the letters behind the place, a bidirectional one has (Schuster and Paliwal,
"Bidirectional recurrent neural networks", 1997). Both have about as many parameters and the same training.

A hyphen in a wrong place is worse than one that is missing. A third network, like the second, learns that by its loss:
what it says of places where a hyphen may stand counts a tenth (`pos_weight`; for more classes, cross_entropy has
`weight`), so it sets one only if it is rather sure.

The words are those of the documentation in Python's own modules and help; the hyphens are those of TeX's patterns for
American English (Liang, "Word hy-phen-a-tion by com-put-er", 1983), which the package pyphen carries. Words that begin
alike ("divide", "divided", "dividend") stand on the same side of the split: else there would be little to find out.

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

LETTERS = " " + string.ascii_lowercase  # the first is none: what stands behind the end of a word
EMBEDDING_SIZE, LEARNING_RATE, BATCH, MAX_NORM = 24, 5e-3, 64, 1.0
CAUTION = 0.1  # how much the places count where a hyphen may stand
UNITS = {False: 116, True: 76}  # bidirectional or not: about as many parameters
ALIKE = 4  # letters at the beginning
EVERY = 5  # one of so many families of words is kept back
ONE, BOTH, CAUTIOUS = "from left to right", "in both directions", "the same, cautious"
ENOUGH = 0.75  # F1 of the bidirectional one, to have learned


def read_words():
    """The words of five letters or more in Python's documentation, in alphabetical order."""
    texts = list(topics.values())
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                texts.append(ast.get_docstring(node) or "")
    word = r"(?<![\w.`'*])[A-Za-z][a-z]{4,}(?![\w(`'*=])"  # no names of functions or arguments
    return sorted({found.lower() for text in texts for found in re.findall(word, text)})


def split(words):
    """Those to learn from, and those kept back: some families of words that begin alike, all of each."""
    families = [list(family) for _, family in groupby(words, key=lambda word: word[:ALIKE])]
    known = [word for k, family in enumerate(families) for word in family if k % EVERY]
    new = [word for family in families[::EVERY] for word in family]
    return known, new


def spelled(words):
    """Letters (T, N), 0 (no letter) behind the end of a word, and lengths (N,)."""
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
    """Letters in, for each the logit of a hyphen behind it out."""
    H = UNITS[bidirectional]
    embedding = fr.Embedding(len(LETTERS), EMBEDDING_SIZE, padding_idx=0, seed=seed)  # no letter is a vector of 0
    gru = fr.GRU(EMBEDDING_SIZE, H, bidirectional=bidirectional, seed=seed + 1)
    linear = fr.Linear(gru.num_directions * H, 1, seed=seed + 3)
    return fr.Sequential(embedding, gru, fr.Dropout(0.3, seed=seed + 2), linear)


def train(model, words, epochs, seed, pos_weight=None):
    """Adam with a learning rate that falls to 0. Returns the mean loss of every epoch, in nats per letter."""
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


def found(model, words):
    """Where the model sets hyphens, (T, N, 1)."""
    letters, lengths = spelled(words)
    logits, _ = model(letters, lengths=lengths)
    return (logits > 0) & (np.arange(len(letters))[:, None] < lengths)[..., None]


def hyphenated(model, words):
    """The words as the model hyphenates them."""
    texts = []
    for word, does in zip(words, found(model, words)[..., 0].T, strict=True):
        texts.append("".join(letter + "-" if may else letter for letter, may in zip(word, does, strict=False)))
    return texts


def scores(model, words):
    """Precision and recall of the hyphens, their harmonic mean F1, and the share of words without a mistake."""
    may, does = hyphens(words), found(model, words)
    hits = (may & does).sum()
    precision, recall = hits / max(does.sum(), 1), hits / max(may.sum(), 1)
    f1 = 2 * hits / max(does.sum() + may.sum(), 1)
    return precision, recall, f1, (may == does).all(axis=(0, 2)).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", help="to hyphenate, of the letters a to z")
    parser.add_argument("--epochs", type=int, default=20, help="of training; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    arguments = parser.parse_args()
    for word in arguments.words:
        if not word or not set(word) <= set(LETTERS[1:]):
            parser.error(f"expected words of the letters a to z, got {word!r}")

    known, new = split(read_words())
    print(f"{len(known):,} words to learn from, {len(new)} kept back\n")
    print(f"{'on the words kept back':24}{'parameters':>12}{'precision':>12}{'recall':>10}{'F1':>8}{'words right':>14}")
    models, precision, f1 = {}, {}, {}
    for what, bidirectional, pos_weight in ((ONE, False, None), (BOTH, True, None), (CAUTIOUS, True, CAUTION)):
        model = models[what] = make_model(bidirectional, arguments.seed)
        train(model, known, arguments.epochs, arguments.seed, pos_weight)
        precision[what], recall, f1[what], right = scores(model, new)
        size = sum(p.size for p in model.params.values())
        print(f"{what:24}{size:12,}{precision[what]:12.1%}{recall:10.1%}{f1[what]:8.3f}{right:14.1%}")

    shown = arguments.words or new[7 :: len(new) // 10]
    dictionary = pyphen.Pyphen(lang="en_US")
    print("\n" + "".join(f"{what:24}" for what in models) + "TeX's patterns")
    for word, *tried in zip(shown, *(hyphenated(model, shown) for model in models.values()), strict=True):
        print(*(f"{text:23}" for text in tried), dictionary.inserted(word))

    if f1[BOTH] < max(ENOUGH, f1[ONE] + 0.1) or precision[CAUTIOUS] < precision[BOTH]:
        sys.exit("It has not learned to hyphenate: more --epochs?")
    print(
        f"\nHyphens in new words: F1 {f1[BOTH]:.2f} in both directions, {f1[ONE]:.2f} from left to right; "
        f"{precision[BOTH]:.0%} of them are right, {precision[CAUTIOUS]:.0%} with caution."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
