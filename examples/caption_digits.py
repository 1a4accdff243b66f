# SPDX-License-Identifier: BSD-3-Clause
"""One to many: from the image of a digit to its name, letter by letter, until the network writes that the word ends.

An encoder turns the image into a vector, which becomes the initial state of a GRU that writes letters. So the decoder
has all the information before the first letter and never sees the image again (Vinyals et al., "Show and tell", CVPR
2015, with a digit in place of a scene). A full stop starts and ends every name, ".seven.". In training each step reads
the correct letter and has to predict the next one (teacher forcing); afterwards each step reads the likeliest letter of
the step before (greedy decoding).

The encoder learns from the gradient of the decoder's initial state, which `backward` returns.

    python examples/caption_digits.py
    python examples/caption_digits.py --plot captions.png
"""

import argparse
import sys
from collections import Counter

import numpy as np

import fastrnn as fr

try:
    from sklearn.datasets import load_digits
except ImportError:
    sys.exit('The images of this example need scikit-learn: pip install "fastrnn[examples]"')

NAMES = "zero one two three four five six seven eight nine".split()
STOP = "."
LETTERS = [STOP, *sorted(set("".join(NAMES)))]
LONGEST = max(map(len, NAMES)) + 1  # steps: the letters and the full stop
EMBEDDING_SIZE, LEARNING_RATE, BATCH = 8, 3e-3, 50
SPREAD = 0.2  # standard deviation of the noise on the pixels, 0 to 1, in training
ENOUGH = 0.9  # share of correct names that counts as learned


def read():
    """((images, digits) for training, (images, digits) held out); images (1, N, 64): one step."""
    images, digits = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)[None]
    split = len(digits) * 2 // 3
    return (images[:, :split], digits[:split]), (images[:, split:], digits[split:])


def spelled(digits):
    """The letters that the decoder reads and those that it has to predict, each (T, N), and their numbers, (N,)."""
    T = LONGEST + 1
    texts = [f"{STOP}{NAMES[digit]}{STOP}".ljust(T, STOP) for digit in digits]
    letters = np.array([[LETTERS.index(letter) for letter in text] for text in texts]).T
    return letters[:-1], letters[1:], np.array([len(NAMES[digit]) + 1 for digit in digits])


def make_model(units, seed):
    """The encoder, one step of an RNN, tanh(W x + b), and the decoder, which returns logits of letters."""
    V = len(LETTERS)
    encoder = fr.RNN(64, units, seed=seed)
    embedding = fr.Embedding(V, EMBEDDING_SIZE, seed=seed + 1)
    decoder = fr.Sequential(embedding, fr.GRU(EMBEDDING_SIZE, units, seed=seed + 2), fr.Linear(units, V, seed=seed + 3))
    return encoder, decoder


def step(encoder, decoder, images, digits):
    """The loss of a batch, in nats per letter; adds its gradients to both networks."""
    letters, targets, lengths = spelled(digits)
    _, state, encoder_tape = encoder.forward(images)
    logits, _, decoder_tape = decoder.forward(letters, (state,), lengths)
    loss, dlogits = fr.cross_entropy(logits, targets, lengths=lengths)
    _, (dstate,) = decoder.backward(decoder_tape, dlogits)
    encoder.backward(encoder_tape, None, dstate)
    return loss


def train(encoder, decoder, images, digits, epochs, seed):
    """Adam with a learning rate that decays to 0. Returns the mean loss of every epoch, in nats per letter."""
    parts, rng, means = (encoder, decoder), np.random.default_rng(seed), []
    optimizers = [fr.Adam(part, lr=LEARNING_RATE) for part in parts]
    for epoch in range(epochs):
        for optimizer in optimizers:
            optimizer.lr = LEARNING_RATE * (1 - epoch / epochs)
        losses = []
        for rows in np.array_split(rng.permutation(len(digits)), len(digits) // BATCH):
            noise = SPREAD * rng.standard_normal((1, len(rows), 64), np.float32)
            for part in parts:
                part.zero_grad()
            losses.append(step(encoder, decoder, images[:, rows] + noise, digits[rows]))
            for optimizer in optimizers:
                optimizer.step()
        means.append(np.mean(losses))
    return means


def write(decoder, h):
    """The names that the decoder writes from the states h (1, N, H), letter by letter, up to the full stop."""
    letter, state, texts = np.full(h.shape[:2], LETTERS.index(STOP)), (h,), [""] * h.shape[1]
    for _ in range(LONGEST):
        logits, state = decoder(letter, state)
        letter = logits.argmax(axis=-1)  # (1, N)
        texts = [text if text.endswith(STOP) else text + LETTERS[k] for text, k in zip(texts, letter[0], strict=True)]
    return texts


def plot(path, images, digits, written):
    """Draw images with the names written for them: two rows of correct names, one of mistakes."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    wrong = np.array([text != NAMES[digit] + STOP for digit, text in zip(digits, written, strict=True)])
    shown = [*np.flatnonzero(~wrong)[:16], *np.flatnonzero(wrong)[:8]]
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots(3, 8).flat
    for axis, n in zip(axes, shown, strict=False):
        axis.imshow(images[0, n].reshape(8, 8), cmap="gray_r")
        axis.set_title(written[n], fontsize=10, color="#d55e00" if wrong[n] else "#0072b2")
        axis.axis("off")
    figure.suptitle("Names written for unseen digits; the last row shows mistakes", fontsize=10)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=60, help="training epochs; default: %(default)s")
    parser.add_argument("--units", type=int, default=64, help="units of encoder and decoder; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw images and the names written for them")
    arguments = parser.parse_args()

    (known, known_digits), (new, new_digits) = read()
    print(f"{len(known_digits):,} digits for training, {len(new_digits)} held out\n")
    encoder, decoder = make_model(arguments.units, arguments.seed)
    losses = train(encoder, decoder, known, known_digits, arguments.epochs, arguments.seed)
    print(f"Loss: {losses[0]:.2f} nats per letter in the first epoch, {losses[-1]:.3f} in the last one\n")

    _, h = encoder(new)
    written = write(decoder, h)
    for digit in range(10):
        texts = Counter(text for text, k in zip(written, new_digits, strict=True) if k == digit)
        print(f"    {digit}   {', '.join(f'{count} x {text}' for text, count in texts.most_common())}")
    right = np.mean([text == NAMES[digit] + STOP for text, digit in zip(written, new_digits, strict=True)])
    if arguments.plot:
        plot(arguments.plot, new, new_digits, written)
    if right < ENOUGH:
        sys.exit("The network has not learned to name digits. Try more --epochs.")
    print(f"\nIt names {right:.1%} of {len(written)} unseen digits correctly, to the last letter and the full stop.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
