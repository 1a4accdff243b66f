# SPDX-License-Identifier: BSD-3-Clause
"""Where each digit of a translated date comes from: attention and gradient answer, and here we know what is right.

The translator of dates writes "2019-03-05" when it reads "Tue 5 Mar 2019". Its attention says at which characters it
looked; its gradient says on which characters the choice hangs (Simonyan, Vedaldi, Zisserman 2013, arXiv 1312.6034): the
norm of d log p(written digit) / d x_t, by every way that leads from x_t to it. Attention shows one of these ways, and
what it looks at are states that have read their neighbours, too ("Attention is not explanation", Jain and Wallace 2019,
arXiv 1902.10186). Right is: the year hangs on the digits of the year, the month on its name, the day on its number.

    python examples/where_dates_come_from.py
    python examples/where_dates_come_from.py "the 14th of July 1989" --plot where.png
    python examples/where_dates_come_from.py --model dates.safetensors    that translate_dates.py has saved
"""

import argparse
import re
import sys

import numpy as np
import translate_dates as translator

import fastrnn as fr

FIELDS = {"year": slice(0, 4), "month": slice(5, 7), "day": slice(8, 10)}  # of what is written
SPELLED = [form for form in translator.FORMS if any(map(str.isalpha, form(translator.FIRST)))]  # the month has a name
MONTH = re.compile(r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*")  # none of them is in a day's name
ASKED = 300  # dates that are kept back
ENOUGH = 2.0  # times the share that a field would have by chance


def fields(text):
    """Which characters of a date with a spelled month are its year, month and day: slices of the text by field."""
    day, year = re.finditer(r"\d+", text)
    return {"year": slice(*year.span()), "month": slice(*MONTH.search(text.lower()).span()), "day": slice(*day.span())}


def influence(model, text, written):
    """The norm of d log p(written[s]) / d x_t, (T, T_s): all rows in one pass forward and one back.

    The embedding is taken out, so that x_t are vectors; row s of the batch asks about character s.
    """
    tokens, _ = translator.read([text])
    symbols = translator.spelled([written])[:-1]
    reader, encoder = model.encoder.layers
    T = len(symbols)
    vectors = np.repeat(reader(tokens), T, axis=1)  # (T_s, T, E)
    inner = fr.Seq2Seq(encoder, model.embedding, model.decoder, model.output, start=model.start).still()
    logits, _, tape = inner.forward(vectors, np.repeat(symbols, T, axis=1))
    s = np.arange(T)
    chosen, dlogits = logits[s, s], np.zeros_like(logits)
    p = np.exp(chosen - chosen.max(axis=-1, keepdims=True))
    dlogits[s, s] = -p / p.sum(axis=-1, keepdims=True)  # d log softmax(z)_k / dz = 1_k - p
    dlogits[s, s, symbols[:, 0]] += 1
    return np.linalg.norm(inner.backward(tape, dlogits), axis=-1).T


def shares(matrix, text):
    """Which share of each row of (T, T_s) is on the right field, by field; and which is by chance."""
    found = {}
    for name, there in fields(text).items():
        rows = matrix[FIELDS[name]]
        chance = (there.stop - there.start) / len(text)
        found[name] = float((rows[:, there].sum(axis=1) / rows.sum(axis=1)).mean()), chance
    return found


def plot(path, text, written, matrices):
    try:
        from matplotlib.figure import Figure

        from fastrnn.inspect import plot_attention
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[inspect]"')

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for ax, (name, matrix) in zip(figure.subplots(1, len(matrices)), matrices.items(), strict=True):
        plot_attention(matrix / matrix.sum(axis=1, keepdims=True), written, text, ax=ax)
        ax.set_title(name, fontsize=10)
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("date", nargs="?", type=translator.text_to_read, help="to draw; default: one kept back")
    parser.add_argument("--model", metavar="PATH", help="that translate_dates.py has saved; default: one is trained")
    parser.add_argument("--steps", type=int, default=1000, help="of training; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw attention and influence for one date")
    arguments = parser.parse_args()

    known, new = translator.split(arguments.seed)
    if arguments.model:
        model = fr.load(arguments.model)
    else:
        model = translator.make_model(64, arguments.seed)
        translator.train(model, known, arguments.steps, arguments.seed)
    model = model.still()  # gradients are added up in a copy

    texts = [SPELLED[k % len(SPELLED)](new[k]) for k in range(ASKED)]
    written, weights = translator.translate(model, texts)
    right = [k for k in range(ASKED) if written[k] == new[k].isoformat()]
    if len(right) < ASKED / 2:
        sys.exit(f"It translates {len(right)} of {ASKED} dates: more --steps?")
    means = {}
    for k in right:
        matrices = {
            "attention": weights[: len(written[k]), k, : len(texts[k])],
            "influence": influence(model, texts[k], written[k]),
        }
        for way, matrix in matrices.items():
            for field, pair in shares(matrix, texts[k]).items():
                means.setdefault((way, field), []).append(pair)
    means = {key: np.mean(pairs, axis=0) for key, pairs in means.items()}

    print(f"\nOf {len(right)} dates that are kept back, which share lies on the characters of the right field:\n")
    print(f"{'':8}{'attention':>12}{'influence':>12}{'by chance':>12}")
    for field in FIELDS:
        attention, influenced = (means[way, field] for way in ("attention", "influence"))
        print(f"{field:8}{attention[0]:12.0%}{influenced[0]:12.0%}{attention[1]:12.0%}")
    if arguments.plot:
        text = arguments.date or texts[right[4]]
        (iso,), looked = translator.translate(model, [text])
        plot(arguments.plot, text, iso, {"attention": looked[: len(iso), 0], "influence": influence(model, text, iso)})

    attention, influenced, chance = (
        np.mean([means[way, field][k] for field in FIELDS])
        for way, k in (("attention", 0), ("influence", 0), ("attention", 1))
    )
    if influenced < ENOUGH * chance:
        sys.exit("What it writes does not hang on the right characters.")
    print(
        f"\nOf the influence on a digit {influenced:.0%} comes from the characters of its own field, "
        f"and {attention:.0%} of the attention goes there; by chance it would be {chance:.0%}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
