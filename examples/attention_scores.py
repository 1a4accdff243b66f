# SPDX-License-Identifier: BSD-3-Clause
"""Attention scores and input feeding: a scavenger hunt from box to box, where each box names the next one.

Five boxes stand in a row, in any order. Each has a name, holds a letter, and names the box that comes next; the hunt
starts at box A. A network reads the row and writes the letters in the order of the hunt. The last letter written does
not say where to go next: that is in the box that attention has just looked at. With input feeding (Luong, Pham, Manning
2015, arXiv 1508.04025, section 3.3) the decoder reads at each step what attention returned at the step before, so it
can look for the box that is named there. Without it the network has to work out the hunt in some other way, for example
while it reads the row, which is in no particular order. It first learns only the first letter, the letter of the last
box (which names no other), and which letters are in between.

The scores are four ways to compare the decoder's query with what was read. dot and general multiply the two; additive
and concat add them, and are the same function with different initial values. In this task dot learns soonest, then
general, with some seeds much later. Input feeding makes both learn sooner, although each training step takes longer
because the time steps then depend on each other and run one by one. The example shows how soon each variant learns, not
what it can learn: in 1500 steps dot and general may follow the hunt without input feeding too, and the other two with
it.

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
FEATURES = 2 * BOXES + len(LETTERS)  # of a box: its name, the name of the next box, its letter
EMBEDDING_SIZE, UNITS, LEARNING_RATE, BATCH, MAX_NORM = 8, 64, 1e-2, 64, 1.0
SCORES = ("dot", "general", "additive", "concat")


def hide(count, rng):
    """Random hunts: names and letters of boxes in the order of the hunt, and places in the row, (BOXES, count)."""
    names = np.vstack([np.zeros((1, count), int), 1 + rng.random((BOXES - 1, count)).argsort(axis=0)])
    letters = rng.integers(len(LETTERS), size=(BOXES, count))
    return names, letters, rng.random((BOXES, count)).argsort(axis=0)


def row_of_boxes(names, letters, places):
    """The input of the network, (BOXES, count, FEATURES)."""
    name, letter = np.eye(BOXES)[names], np.eye(len(LETTERS))[letters]
    following = np.concatenate([name[1:], np.zeros_like(name[:1])])  # the last box names no other
    boxes = np.concatenate([name, following, letter], axis=-1).astype(np.float32)
    row = np.empty_like(boxes)
    row[places, np.arange(names.shape[1])] = boxes
    return row


def make_model(score, input_feeding, seed):
    """A model; with input feeding the GRU of the decoder reads UNITS more features."""
    extra = UNITS if input_feeding else 0
    return fr.Seq2Seq(
        encoder=fr.GRU(FEATURES, UNITS // 2, bidirectional=True, seed=seed),
        embedding=fr.Embedding(len(LETTERS) + 1, EMBEDDING_SIZE, seed=seed + 1),
        decoder=fr.AttentionDecoder(
            fr.GRU(EMBEDDING_SIZE + extra, UNITS, seed=seed + 2),
            fr.Attention(UNITS, UNITS, score=score, seed=seed + 3),
            fr.Linear(2 * UNITS, UNITS, bias=False, seed=seed + 4),
            input_feeding=input_feeding,
        ),
        output=fr.Linear(UNITS, len(LETTERS) + 1, seed=seed + 5),
        start=START,
    )


def train(model, steps, seed):
    """Adam on new hunts at every step, with a learning rate that decays to 0."""
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
    """The letters that a model writes, (BOXES, count), and its attention weights, (BOXES, count, BOXES)."""
    result = fr.decoding.greedy(model, row_of_boxes(*hunt), stop=None, max_length=BOXES)
    return result.tokens, result.weights


def judge(written, weights, hunt):
    """The share of hunts that are entirely right, and of steps at which attention is highest at the right box."""
    _, letters, places = hunt
    return (written == letters).all(axis=0).mean(), (weights.argmax(axis=-1) == places).mean()


def chance(count, rng):
    """The share of hunts that is right if the boxes in the middle are put in random order."""
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
    """Draw where each network looks in row n while it writes each letter."""
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
    parser.add_argument("--steps", type=int, default=600, help="training steps for each network; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw where dot attention looks, with and without input feeding")
    arguments = parser.parse_args()

    rng = np.random.default_rng(arguments.seed + 1)
    new = hide(2000, rng)
    shown = next(n for n, letters in enumerate(new[1].T) if len(set(letters)) == BOXES)
    print(f"Boxes {' '.join(labels(new, shown))}: the answer is {spelled(new[1][:, shown])}\n")
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

    feeding, without = (max(right[score, input_feeding] for score in SCORES) for input_feeding in (True, False))
    if feeding < 0.9:
        sys.exit("The network has not learned to follow the hunt. Try more --steps.")
    print(
        f"\nAfter {arguments.steps} steps the best model with input feeding gets {feeding:.0%} of new hunts right,",
        end=" ",
    )
    print(f"without {without:.0%}; guessing the order in the middle gets {chance(20_000, rng):.0%}.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
