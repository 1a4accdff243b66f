# SPDX-License-Identifier: BSD-3-Clause
"""One to one, many to one: a handwritten digit seen at once, or row by row from top to bottom.

What counts as a sequence is a choice. The same kind of network, a GRU and a linear layer on its last state, gets an
image of 8 by 8 pixels either as one step of 64 numbers, which makes it a feed-forward network, or as eight steps of
eight. The second network has eight times fewer input weights, which it reuses in every row, and it must remember the
rows above. Some of its training images end early, so it can be tested after any row: how much of a digit does it need
to see?

The images are scikit-learn's: the test part of "Optical recognition of handwritten digits", Alpaydin and Kaynak, UCI
Machine Learning Repository, 1998. The last third is held out, not a random one, because neighbouring images may be by
the same writer.

    python examples/digits.py
    python examples/digits.py --plot digits.png
"""

import argparse
import sys

import numpy as np

import fastrnn as fr

try:
    from sklearn.datasets import load_digits
except ImportError:
    sys.exit('The images of this example need scikit-learn: pip install "fastrnn[examples]"')

LEARNING_RATE, BATCH = 3e-3, 50
CUT = 0.3  # share of the training images that end early, if they are read row by row
ENOUGH = 0.88  # accuracy on held-out digits that counts as learned


def at_once(images):
    """Images (N, 8, 8) as one step, x (1, N, 64)."""
    return images.reshape(1, len(images), -1)


def row_by_row(images):
    """Images (N, 8, 8) as eight steps, x (8, N, 8)."""
    return images.swapaxes(0, 1)


def read():
    """((images, digits) for training, (images, digits) held out); pixels are 0 to 1."""
    images, digits = load_digits(return_X_y=True)
    images = (images / 16).reshape(-1, 8, 8).astype(np.float32)
    split = len(images) * 2 // 3
    return (images[:split], digits[:split]), (images[split:], digits[split:])


def make_model(features, units, seed):
    gru = fr.init.orthogonal(fr.GRU(features, units), seed=seed)
    return fr.Sequential(gru, fr.LastStep(), fr.Dropout(0.3, seed=seed + 1), fr.Linear(units, 10, seed=seed + 2))


def shift(images, rng):
    """The images, all shifted by the same random step of at most one pixel in each direction."""
    i, j = rng.integers(3, size=2)
    return np.pad(images, ((0, 0), (1, 1), (1, 1)))[:, i : i + 8, j : j + 8]


def train(model, way, images, digits, epochs, seed):
    """Adam with a learning rate that decays to 0. Returns the mean loss of every epoch, in nats per image."""
    optimizer, rng, means = fr.Adam(model, lr=LEARNING_RATE), np.random.default_rng(seed), []
    for epoch in range(epochs):
        optimizer.lr = LEARNING_RATE * (1 - epoch / epochs)
        losses = []
        for rows in np.array_split(rng.permutation(len(digits)), len(digits) // BATCH):
            x = way(shift(images[rows], rng))
            T = len(x)
            lengths = np.where(rng.random(len(rows)) < CUT, rng.integers(1, T + 1, len(rows)), T)
            logits, _, tape = model.forward(x, lengths=lengths)
            loss, dlogits = fr.cross_entropy(logits, digits[rows])
            model.zero_grad()
            model.backward(tape, dlogits)
            optimizer.step()
            losses.append(loss)
        means.append(np.mean(losses))
    return means


def predict(model, x, steps=None):
    """The likeliest digit for each image of x (T, N, features), from its first steps."""
    return fr.predict(model, x[:steps]).argmax(axis=-1)


def plot(path, model, images, digits, wrong):
    """Draw some images that are misread row by row, with the prediction after each row."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(9, 4.4), layout="constrained")
    axes = figure.subplots(2, 5)
    for axis in axes.flat:
        axis.axis("off")
    for axis, n in zip(axes.flat, wrong, strict=False):
        axis.imshow(images[n], cmap="gray_r")
        axis.set_title(f"a {digits[n]}, read as", fontsize=9)
        for t in range(8):
            digit = predict(model, row_by_row(images[n : n + 1]), t + 1)[0]
            axis.text(
                8,
                t,
                digit,
                va="center",
                fontsize=9,
                weight="bold",
                color="#0072b2" if digit == digits[n] else "#d55e00",
            )
    figure.suptitle("Digits that are misread row by row, and the prediction after each row", fontsize=10)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=200, help="training epochs; default: %(default)s")
    parser.add_argument("--units", type=int, default=64, help="units of the GRU; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw digits that are misread")
    arguments = parser.parse_args()

    (known, known_digits), (new, new_digits) = read()
    print(f"{len(known):,} digits for training, {len(new)} held out\n")
    print(f"{'':14}{'parameters':>12}{'training digits right':>28}{'held out':>20}")
    right = {}
    for way, name in ((at_once, "at once"), (row_by_row, "row by row")):
        x = way(known)
        model = make_model(x.shape[-1], arguments.units, arguments.seed)
        train(model, way, known, known_digits, arguments.epochs, arguments.seed)
        guesses = predict(model, way(new))
        right[way] = (guesses == new_digits).mean()
        size = sum(p.size for p in model.params.values())
        learned = (predict(model, x) == known_digits).mean()
        print(f"{name:14}{size:12,}{learned:28.1%}{right[way]:20.1%}")

    print("\nRow by row, after the first rows only:")
    print("rows    " + "".join(f"{rows:8}" for rows in range(1, 9)))
    seen = [(predict(model, row_by_row(new), rows) == new_digits).mean() for rows in range(1, 9)]
    print("right   " + "".join(f"{share:8.1%}" for share in seen))
    if arguments.plot:
        plot(arguments.plot, model, new, new_digits, np.flatnonzero(guesses != new_digits))

    if min(right.values()) < ENOUGH:
        sys.exit("The network has not learned to read digits. Try more --epochs.")
    once, rows = (f"{right[way]:.1%}" for way in (at_once, row_by_row))
    print(f"\nIt reads {once} of {len(new)} unseen digits correctly at once, {rows} row by row.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
