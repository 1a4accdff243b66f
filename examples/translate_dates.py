# SPDX-License-Identifier: BSD-3-Clause
"""Many to many of another length: dates as people write them, to ISO 8601, character by character, with attention.

"March 3rd, 2019", "Tue 3 Mar 2019" and "03/03/19" all become "2019-03-03". An encoder, a bidirectional GRU, reads the
characters. A decoder writes one character after another and looks back at the source each time: at the year for the
first four, at the month for the next two. Nothing tells it where they are; the attention weights learn that.

The dates are those of 1970 to 2068, for which two digits of the year suffice, in forms drawn at random. One date in ten
is held out in all of its forms, so it is new to the model in the test. In dates of digits only, the day comes first.

    python examples/translate_dates.py
    python examples/translate_dates.py "the 14th of July 1989" "mon, 20 jul 2026" --plot attention.png
    python examples/translate_dates.py --save dates.safetensors
"""

import argparse
import string
import sys
from datetime import date, timedelta

import numpy as np

import fastrnn as fr

FIRST, LAST = date(1970, 1, 1), date(2068, 12, 31)
HELD_OUT = 0.1  # share of the dates
READ = string.ascii_lowercase + string.digits + " ,./-'"  # characters of the source, in lower case
STOP = "."
WRITTEN = STOP + "-" + string.digits  # characters of the target; the stop also starts it
EMBEDDING_SIZE, LEARNING_RATE, BATCH, MAX_NORM = 16, 5e-3, 64, 1.0
ENOUGH = 0.98  # share of new dates right that counts as learned


def nth(day):
    """ "1st", "2nd", "3rd", "4th", ..."""
    return f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


FORMS = (
    lambda d: f"{d.day} {d:%B %Y}",  # 3 March 2019
    lambda d: f"{d:%B} {nth(d.day)}, {d.year}",  # March 3rd, 2019
    lambda d: f"{d:%B} {d.day}, {d.year}",  # March 3, 2019
    lambda d: f"the {nth(d.day)} of {d:%B %Y}",  # the 3rd of March 2019
    lambda d: f"{d:%a} {d.day} {d:%b %Y}",  # Sun 3 Mar 2019
    lambda d: f"{d:%A}, {d.day} {d:%B %Y}",  # Sunday, 3 March 2019
    lambda d: f"{d:%a, %d %b %Y}",  # Sun, 03 Mar 2019
    lambda d: f"{d:%b} {d.day} '{d:%y}",  # Mar 3 '19
    lambda d: f"{d:%d-%b-%y}",  # 03-Mar-19
    lambda d: f"{d:%d/%m/%y}",  # 03/03/19
    lambda d: f"{d.day}/{d.month}/{d.year}",  # 3/3/2019
    lambda d: f"{d.day}.{d.month}.{d:%y}",  # 3.3.19
    lambda d: f"{d:%Y/%m/%d}",  # 2019/03/03
    lambda d: f"{d:%Y%m%d}",  # 20190303
)


def split(seed):
    """All dates, split into those for training and those held out."""
    days = np.random.default_rng(seed).permutation((LAST - FIRST).days + 1)
    dates = [FIRST + timedelta(days=int(k)) for k in days]
    count = int(HELD_OUT * len(dates))
    return dates[count:], dates[:count]


def draw(dates, count, rng):
    """Pairs of a date in some form and in ISO 8601: [("Sun 3 Mar 2019", "2019-03-03"), ...]."""
    chosen, forms = rng.integers(len(dates), size=count), rng.integers(len(FORMS), size=count)
    return [(FORMS[form](dates[k]), dates[k].isoformat()) for k, form in zip(chosen, forms, strict=True)]


def read(texts):
    """Characters as tokens (T, N), padded, and the lengths (N,)."""
    lengths = np.array([len(text) for text in texts])
    tokens = np.zeros((lengths.max(), len(texts)), int)
    for n, text in enumerate(texts):
        tokens[: len(text), n] = [READ.index(character) for character in text.lower()]
    return tokens, lengths


def spelled(texts):
    """Target tokens (T, N), with the stop; all have the same length."""
    return np.array([[WRITTEN.index(character) for character in text + STOP] for text in texts]).T


def make_model(units, seed):
    """A model whose decoder starts with the last state of the encoder, its two directions concatenated."""
    return fr.Seq2Seq(
        encoder=fr.Sequential(
            fr.Embedding(len(READ), EMBEDDING_SIZE, seed=seed),
            fr.GRU(EMBEDDING_SIZE, units // 2, bidirectional=True, seed=seed + 1),
        ),
        embedding=fr.Embedding(len(WRITTEN), EMBEDDING_SIZE, seed=seed + 2),
        decoder=fr.AttentionDecoder(
            fr.GRU(EMBEDDING_SIZE, units, seed=seed + 3),
            fr.Attention(units, units, seed=seed + 4),
            fr.Linear(2 * units, units, bias=False, seed=seed + 5),
        ),
        output=fr.Linear(units, len(WRITTEN), seed=seed + 6),
        start=WRITTEN.index(STOP),
    )


def train(model, dates, steps, seed):
    """Adam with a learning rate that decays to 0. Returns the loss of every step, in nats per character."""
    optimizer, losses, rng = fr.Adam(model, lr=LEARNING_RATE), [], np.random.default_rng(seed)
    for k in range(steps):
        optimizer.lr = LEARNING_RATE * (1 - k / steps)
        texts, expected = zip(*draw(dates, BATCH, rng), strict=True)
        source, lengths = read(texts)
        target = spelled(expected)
        logits, _, tape = model.forward(source, target, lengths)
        loss, dlogits = fr.cross_entropy(logits, target)
        model.zero_grad()
        model.backward(tape, dlogits)
        fr.clip_grad_norm(model, MAX_NORM)
        optimizer.step()
        losses.append(loss)
        if (k + 1) % max(steps // 5, 1) == 0:
            print(f"    step {k + 1:5}: {np.mean(losses[-steps // 5 :]):.4f} nats per character")
    return losses


def translate(model, texts):
    """The translation of each text, and the attention weights (T, N, T_s)."""
    result = fr.decoding.greedy(model, *read(texts), stop=WRITTEN.index(STOP), max_length=12)
    rows = zip(result.tokens.T, result.lengths, strict=True)
    return ["".join(WRITTEN[k] for k in tokens[:length]) for tokens, length in rows], result.weights


def plot(path, text, written, weights):
    """Draw where the model looks while it writes each character."""
    try:
        from fastrnn.inspect import plot_attention

        axes = plot_attention(weights, written, text)
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')
    axes.set_title("Where the model looks, for each character that it writes", fontsize=10)
    axes.figure.savefig(path, dpi=150, bbox_inches="tight")


def text_to_read(text):
    """A date on the command line, in characters that the model knows."""
    if not text or not set(text.lower()) <= set(READ):
        raise argparse.ArgumentTypeError(f"expected letters, digits and {READ[36:]!r}, got {text!r}")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dates", nargs="*", type=text_to_read, help="to translate, in any form")
    parser.add_argument("--steps", type=int, default=1000, help="training steps; default: %(default)s")
    parser.add_argument("--units", type=int, default=64, help="units of encoder and decoder; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw where the model looks while it writes the first date")
    parser.add_argument("--save", metavar="PATH", help="save the model, with its characters as notes")
    arguments = parser.parse_args()

    known, new = split(arguments.seed)
    print(f"{len(known):,} dates for training, {len(new):,} held out, in {len(FORMS)} forms\n")
    model = make_model(arguments.units, arguments.seed)
    train(model, known, arguments.steps, arguments.seed)
    if arguments.save:
        fr.save(model, arguments.save, notes={"read": READ, "written": WRITTEN, "stop": STOP})

    shown = arguments.dates or [form(new[k]) for k, form in enumerate(FORMS)]
    written, weights = translate(model, shown)
    print()
    for text, result in zip(shown, written, strict=True):
        print(f"    {text:28} {result}")
    if arguments.plot:
        T, T_s = len(written[0]), len(shown[0])
        plot(arguments.plot, shown[0], written[0], weights[:T, 0, :T_s])

    texts, expected = zip(*draw(new, 2000, np.random.default_rng(arguments.seed + 1)), strict=True)
    right = np.mean([result == iso for result, iso in zip(translate(model, texts)[0], expected, strict=True)])
    if right < ENOUGH:
        sys.exit(f"The network has not learned to translate dates ({right:.1%} are right). Try more --steps.")
    print(f"\nOf {len(texts):,} unseen dates, in all forms, it translates {right:.1%} correctly to the last digit.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
