# SPDX-License-Identifier: BSD-3-Clause
"""Scores of attention, and input feeding: a hunt from box to box, in which each says where the next one is.

Five boxes stand in a row, in any order. Each has a name, holds a letter, and says which box comes next; the hunt begins
at box A. A network reads the row and writes the letters in the order of the hunt. The letter written last does not say
where to go on; that stands in the box at which attention has just looked. With input feeding (Luong, Pham, Manning
2015, arXiv 1508.04025, section 3.3) the decoder reads at each step what attention found at the step before, and can ask
for the box that is named there. Without, it has to work the hunt out otherwise, say while it reads the row, which is in
no order. At first it learns the first letter only, and the last, of the box that names no other; of those in the middle
which ones they are.

The scores are ways to compare what the decoder asks with what it has read: dot and general multiply the two, additive
and concat add them, and are the same function from other first values. Here dot learns soonest, then general, on some
seeds much later; and input feeding makes both learn sooner, though each step takes longer, since steps then depend on
each other and go one by one. What is shown is how soon, not what is possible: given 1500 steps, dot and general may
follow the hunt without input feeding too, and the other two with it.

    python examples/attention_scores.py
    python examples/attention_scores.py --steps 1500 --plot boxes.png
"""

import argparse
import string
import sys
import time

import numpy as np

import fastrnn as fr

NAMES, LETTERS = "ABCDE", string.ascii_lowercase[:8]
BOXES, START = len(NAMES), len(LETTERS)  # START is what the decoder reads first
FEATURES = 2 * BOXES + len(LETTERS)  # of a box: its name, the name of the next one, its letter
EMBEDDING_SIZE, UNITS, LEARNING_RATE, BATCH, MAX_NORM = 8, 64, 1e-2, 64, 1.0
SCORES = ("dot", "general", "additive", "concat")


def hide(count, rng):
    """Hunts: the names and the letters of boxes in their order, and their places in the row; each (BOXES, count)."""
    names = np.vstack([np.zeros((1, count), int), 1 + rng.random((BOXES - 1, count)).argsort(axis=0)])
    letters = rng.integers(len(LETTERS), size=(BOXES, count))
    return names, letters, rng.random((BOXES, count)).argsort(axis=0)


def row_of_boxes(names, letters, places):
    """What the network reads: (BOXES, count, FEATURES)."""
    name, letter = np.eye(BOXES)[names], np.eye(len(LETTERS))[letters]
    following = np.concatenate([name[1:], np.zeros_like(name[:1])])  # the last box names no other
    boxes = np.concatenate([name, following, letter], axis=-1).astype(np.float32)
    row = np.empty_like(boxes)
    row[places, np.arange(names.shape[1])] = boxes
    return row


def make_model(score, input_feeding, seed):
    """With input feeding the GRU of the decoder reads UNITS more features."""
    fed = UNITS if input_feeding else 0
    return fr.Seq2Seq(
        encoder=fr.GRU(FEATURES, UNITS // 2, bidirectional=True, seed=seed),
        embedding=fr.Embedding(len(LETTERS) + 1, EMBEDDING_SIZE, seed=seed + 1),
        decoder=fr.AttentionDecoder(
            fr.GRU(EMBEDDING_SIZE + fed, UNITS, seed=seed + 2),
            fr.Attention(UNITS, UNITS, score=score, seed=seed + 3),
            fr.Linear(2 * UNITS, UNITS, bias=False, seed=seed + 4),
            input_feeding=input_feeding,
        ),
        output=fr.Linear(UNITS, len(LETTERS) + 1, seed=seed + 5),
        start=START,
    )


def train(model, steps, seed):
    """Adam on ever new hunts, with a learning rate that falls to 0."""
    optimizer, rng = fr.Adam(model, lr=LEARNING_RATE), np.random.default_rng(seed)
    for k in range(steps):
        optimizer.lr = LEARNING_RATE * (1 - k / steps)
        names, letters, places = hide(BATCH, rng)
        logits, _, tape = model.forward(row_of_boxes(names, letters, places), letters)
        _, dlogits = fr.cross_entropy(logits, letters)
        model.zero_grad()
        model.backward(tape, dlogits)
        fr.clip_grad_norm(model, MAX_NORM)
        optimizer.step()


def follow(model, hunt):
    """What a model writes, (BOXES, count), and how it attends meanwhile, (BOXES, count, BOXES)."""
    found = fr.decoding.greedy(model, row_of_boxes(*hunt), stop=None, max_length=BOXES)
    return found.tokens, found.weights


def judge(written, weights, hunt):
    """The share of whole hunts that are right, and of steps at which attention is most with the box in question."""
    _, letters, places = hunt
    return (written == letters).all(axis=0).mean(), (weights.argmax(axis=-1) == places).mean()


def chance(count, rng):
    """The share of hunts that who knows all but the order of the boxes in the middle gets right."""
    _, letters, _ = hide(count, rng)
    middle = rng.permuted(letters[1:-1], axis=0)
    return (middle == letters[1:-1]).all(axis=0).mean()


def spelled(letters):
    return "".join(LETTERS[k] if k < START else "?" for k in letters)


def labels(hunt, n):
    """The boxes of row n, as "A:d>C": box A holds d, box C is next."""
    names, letters, places = (array[:, n] for array in hunt)
    following = [f">{NAMES[k]}" for k in names[1:]] + [""]
    boxes = [f"{NAMES[k]}:{LETTERS[l]}{after}" for k, l, after in zip(names, letters, following, strict=True)]
    return [boxes[k] for k in places.argsort()]


def plot(path, hunt, n, models):
    """Where each network looks in row n while it writes each letter."""
    try:
        from matplotlib.figure import Figure

        from fastrnn.inspect import plot_attention
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for (title, model), axes in zip(models.items(), figure.subplots(1, len(models)), strict=True):
        written, weights = follow(model, hunt)
        plot_attention(weights[:, n], spelled(written[:, n]), labels(hunt, n), ax=axes)
        axes.set_title(title, fontsize=10)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=600, help="of training, for each network; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw where dot attention looks, with input feeding and without")
    arguments = parser.parse_args()

    rng = np.random.default_rng(arguments.seed + 1)
    new = hide(2000, rng)
    shown = next(n for n, letters in enumerate(new[1].T) if len(set(letters)) == BOXES)
    print(f"boxes {' '.join(labels(new, shown))}: to be written is {spelled(new[1][:, shown])}\n")
    print(f"{'on new hunts':32}{'writes':>8}{'all right':>12}{'looks right':>14}{'seconds':>10}")
    models, right = {}, {}
    for input_feeding in (True, False):
        for score in SCORES:
            start = time.perf_counter()
            model = models[score, input_feeding] = make_model(score, input_feeding, arguments.seed)
            train(model, arguments.steps, arguments.seed)
            seconds = time.perf_counter() - start
            written, weights = follow(model, new)
            right[score, input_feeding], looks = judge(written, weights, new)
            name = f"{score}, {'with' if input_feeding else 'without'} input feeding"
            print(f"{name:32}{spelled(written[:, shown]):>8}{right[score, input_feeding]:>12.1%}", end="")
            print(f"{looks:>14.1%}{seconds:>10.1f}", flush=True)
    if arguments.plot:
        titles = {"dot, with input feeding": models["dot", True], "dot, without": models["dot", False]}
        plot(arguments.plot, new, shown, titles)

    fed, unfed = (max(right[score, input_feeding] for score in SCORES) for input_feeding in (True, False))
    if fed < 0.9:
        sys.exit("It has not learned to follow the hunt: more --steps?")
    print(f"\nAfter {arguments.steps} steps the best with input feeding gets {fed:.0%} of new hunts right,", end=" ")
    print(f"without {unfed:.0%}; who guesses the order in the middle {chance(20_000, rng):.0%}.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
