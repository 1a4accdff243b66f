# SPDX-License-Identifier: BSD-3-Clause
"""CTC: a network reads handwritten numbers from left to right without ever being told where a digit stands.

A line of one to six handwritten digits, with random gaps between them, is a sequence of columns. The target is the
number, "4071", not which columns belong to the 4. Connectionist temporal classification (Graves, Fernandez, Gomez and
Schmidhuber, ICML 2006) lets the network output a digit or a blank at every column, and requires only that the outputs,
without repetitions and blanks, are the number: the loss is -log of the total probability of all such outputs.

The network has two bidirectional GRUs, each followed by `LayerNorm`; the second one is in `Residual`, so it adds to the
output of the first. It learns on up to six digits and also reads twelve.

The images are scikit-learn's: the test part of "Optical recognition of handwritten digits", Alpaydin and Kaynak, UCI
Machine Learning Repository, 1998. Training lines are made of the first two thirds, new ones of the last third.

    python examples/read_numbers.py
    python examples/read_numbers.py --plot numbers.png
"""

import argparse
import sys

import numpy as np

import fastrnn as fr

try:
    from sklearn.datasets import load_digits
except ImportError:
    sys.exit('The images of this example need scikit-learn: pip install "fastrnn[examples]"')

BLANK = 10  # the class of blanks; 0 to 9 are the digits
HEIGHT, WIDTH, GAP = 10, 8, 4  # pixels: of a line, of a digit, and the widest gap
LEARNING_RATE, BATCH, MAX_NORM, DROPOUT = 5e-3, 32, 1.0, 0.4
TESTED, SHOWN = 1000, 3  # lines
ENOUGH = 0.75  # share of new numbers read without a mistake that counts as learned
INK = " .:*#"


def read():
    """((images, digits) for training, (images, digits) held out); images (N, 8, 8), pixels are 0 to 1."""
    images, digits = load_digits(return_X_y=True)
    images = (images / 16).reshape(-1, 8, WIDTH).astype(np.float32)
    split = len(images) * 2 // 3
    return (images[:split], digits[:split]), (images[split:], digits[split:])


def write_line(images, rng):
    """Images (n, 8, 8) side by side, a little up or down, with gaps around them: columns (T, 10)."""
    gaps = rng.integers(GAP + 1, size=len(images) + 1)
    line = np.zeros((len(images) * WIDTH + gaps.sum(), HEIGHT), np.float32)
    left = 0
    for image, gap in zip(images, gaps, strict=False):
        left, top = left + gap, rng.integers(HEIGHT - 8 + 1)
        line[left : left + WIDTH, top : top + 8] = image.T
        left += WIDTH
    return line


def write_numbers(images, digits, count, rng, most=6, least=1):
    """Lists of `count` lines, each of columns (T, 10), and of their numbers, each of digits (n,)."""
    chosen = [rng.integers(len(digits), size=rng.integers(least, most + 1)) for _ in range(count)]
    return [write_line(images[rows], rng) for rows in chosen], [digits[rows] for rows in chosen]


def make_model(units, seed):
    first = fr.GRU(HEIGHT, units, bidirectional=True, seed=seed)
    second = fr.GRU(2 * units, units, bidirectional=True, seed=seed + 1)
    return fr.Sequential(
        first,
        fr.LayerNorm(2 * units),
        fr.Residual(fr.Sequential(fr.Dropout(DROPOUT, seed=seed + 2), second)),
        fr.LayerNorm(2 * units),
        fr.Dropout(DROPOUT, seed=seed + 3),
        fr.Linear(2 * units, BLANK + 1, seed=seed + 4),
    )


def loss(logits, numbers, input_lengths):
    """The CTC loss as `fit` calls it, in nats per digit. Its `input_lengths` says that it is a loss of whole rows."""
    return fr.ctc_loss(logits, numbers, input_lengths, blank=BLANK)


def train(model, lines, numbers, epochs, seed, progress=None):
    """Adam with a learning rate that decays to 0. Lines of similar lengths share a batch."""
    adam = fr.Adam(model, lr=LEARNING_RATE)
    schedule = fr.CosineAnnealingLR(adam, epochs * -(-len(lines) // BATCH))
    return fr.fit(
        model, loss, lines, numbers, optimizer=adam, schedule=schedule, clip=MAX_NORM, epochs=epochs,
        batch_size=BATCH, seed=seed, progress=progress,
    )  # fmt: skip


def classify(model, lines):
    """The likeliest class at every column of each line: a list of (T,)."""
    return [logits.argmax(axis=-1) for logits in fr.predict(model, lines, batch_size=100)]


def spell(classes):
    """The digits that the columns of a line spell: repetitions are merged, then blanks are dropped."""
    return [int(c) for before, c in zip([BLANK, *classes], classes, strict=False) if c not in (before, BLANK)]


def mistakes(reading, number):
    """The fewest insertions, deletions and changes of digits between the two numbers (Levenshtein 1966)."""
    row = list(range(len(number) + 1))
    for i, read_digit in enumerate(reading, 1):
        corner, row[0] = row[0], i
        for j, digit in enumerate(number, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (read_digit != digit))
    return row[-1]


def judge(model, lines, numbers):
    """The share of numbers read without a mistake, and the mistakes per digit."""
    wrong = [mistakes(spell(classes), number) for classes, number in zip(classify(model, lines), numbers, strict=True)]
    return np.mean(np.equal(wrong, 0)), sum(wrong) / sum(map(len, numbers))


def text(digits):
    return "".join(map(str, digits))


def show(line, number, classes):
    """Print a line, with the output of the network below each column."""
    for row in line.T:
        print("    " + "".join(INK[round(pixel * (len(INK) - 1))] for pixel in row).rstrip())
    print("    " + "".join("-" if c == BLANK else str(c) for c in classes))
    print(f"    read as {text(spell(classes))}, written as {text(number)}\n")


def plot(path, model, lines, numbers):
    """Draw some lines, and the probability of each digit at each column."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(9, 2.4 * len(lines)), layout="constrained")
    axes = figure.subplots(2 * len(lines), 1, height_ratios=[1, 1.2] * len(lines))
    for line, number, above, below in zip(lines, numbers, axes[::2], axes[1::2], strict=True):
        p = fr.softmax(model(line[:, None])[0][:, 0])  # (T, 11)
        above.imshow(line.T, cmap="gray_r", aspect="auto")
        above.set(xticks=[], yticks=[])
        above.set_title(text(number), fontsize=9)
        below.plot(p[:, BLANK], color="0.7", linestyle=":")
        below.plot(p[:, :BLANK])
        likeliest = p.argmax(axis=-1)
        for t in np.flatnonzero((likeliest != np.roll(likeliest, 1)) & (likeliest != BLANK)):
            below.annotate(likeliest[t], (t, p[t].max()), (0, 2), textcoords="offset points", ha="center")
        below.set(xlim=(-0.5, len(line) - 0.5), ylim=(0, 1.25), yticks=(0, 1), ylabel="probability")
        below.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("column; dotted: blank")
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=8000, help="training lines; default: %(default)s")
    parser.add_argument("--epochs", type=int, default=4, help="over them; default: %(default)s")
    parser.add_argument("--units", type=int, default=40, help="units of each GRU and direction; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw the outputs along some lines")
    arguments = parser.parse_args()

    known, new = read()
    rng, seed = np.random.default_rng(arguments.seed), arguments.seed
    lines, numbers = write_numbers(*known, arguments.lines, rng)
    print(f"{len(lines):,} lines for training, made of {len(known[1]):,} digits; {len(new[1])} other digits held out\n")
    model = make_model(arguments.units, seed)
    history = train(model, lines, numbers, arguments.epochs, seed)
    print("Loss in nats per digit: " + ", ".join(f"{loss:.3f}" for loss in history["loss"]) + "\n")

    print(f"{'':34}{'numbers read right':>20}{'mistakes per digit':>20}")
    results = {}
    for name, part, least, most in (
        ("1 to 6 training digits", known, 1, 6),
        ("1 to 6 new digits", new, 1, 6),
        ("12 new digits", new, 12, 12),
    ):
        lines, numbers = write_numbers(*part, TESTED, np.random.default_rng(seed + 1), most, least)
        results[name] = right, wrong = judge(model, lines, numbers)
        print(f"{name:34}{right:20.1%}{wrong:20.3f}")
        if name == "1 to 6 new digits":
            long = [n for n, number in enumerate(numbers) if len(number) == 6][:SHOWN]
            shown = [lines[n] for n in long], [numbers[n] for n in long]

    print("\nThe output at each column of new lines; - is a blank:\n")
    for line, number, classes in zip(*shown, classify(model, shown[0]), strict=True):
        show(line, number, classes)
    if arguments.plot:
        plot(arguments.plot, model, *shown)

    right, wrong = results["1 to 6 new digits"]
    if right < ENOUGH:
        sys.exit("The network has not learned to read numbers. Try more --epochs.")
    print(
        f"It reads {right:.1%} of {TESTED:,} new numbers without a mistake ({wrong:.3f} mistakes per digit), "
        "without being told where a digit stands."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
