# SPDX-License-Identifier: BSD-3-Clause
"""Where each digit of a translated date comes from: attention and gradients answer, and here the right answer is known.

The model of translate_dates.py writes "2019-03-05" when it reads "Tue 5 Mar 2019". Its attention shows at which
characters it looked. Its gradient shows on which characters the output depends (Simonyan, Vedaldi, Zisserman 2013,
arXiv 1312.6034): the norm of d log p(written digit) / d x_t, along every path from x_t to it. Attention is only one of
these paths, and the states that it looks at have read their neighbours, too ("Attention is not explanation", Jain and
Wallace 2019, arXiv 1902.10186). The right answer: the year depends on the digits of the year, the month on its name,
the day on its number.

    python examples/where_dates_come_from.py
    python examples/where_dates_come_from.py "the 14th of July 1989" --plot where.png
    python examples/where_dates_come_from.py --model dates.safetensors    saved by translate_dates.py
"""

import argparse
import re
import sys

import numpy as np
import translate_dates as translator

import fastrnn as fr

FIELDS = {"year": slice(0, 4), "month": slice(5, 7), "day": slice(8, 10)}  # in the output
SPELLED = [form for form in translator.FORMS if any(map(str.isalpha, form(translator.FIRST)))]  # the month has a name
MONTH = re.compile(r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*")  # none of them is part of a weekday
DATES = 300  # dates held out
ENOUGH = 2.0  # times the share by chance


def fields(text):
    """The slices of a text that are its year, month and day, for a date whose month is spelled."""
    day, year = re.finditer(r"\d+", text)
    return {"year": slice(*year.span()), "month": slice(*MONTH.search(text.lower()).span()), "day": slice(*day.span())}


def influence(model, text, written):
    """The norm of d log p(written[s]) / d x_t, (T, T_s), from one forward and one backward pass.

    The embedding is applied beforehand, so x_t are vectors; row s of the batch is for character s.
    """
    tokens, _ = translator.read([text])
    symbols = translator.spelled([written])[:-1]
    reader, encoder = model.encoder.layers
    T = len(symbols)
    vectors = np.repeat(reader(tokens), T, axis=1)  # (T_s, T, E)
    inner = fr.Seq2Seq(encoder, model.embedding, model.decoder, model.output, start=model.start).inference_copy()
    logits, _, tape = inner.forward(vectors, np.repeat(symbols, T, axis=1))
    s = np.arange(T)
    dlogits = np.zeros_like(logits)
    dlogits[s, s] = -fr.softmax(logits[s, s])  # d log softmax(z)_k / dz = 1_k - p
    dlogits[s, s, symbols[:, 0]] += 1
    return np.linalg.norm(inner.backward(tape, dlogits), axis=-1).T


def shares(matrix, text):
    """The share of each row of (T, T_s) that is on the right field, and the share by chance, by field."""
    results = {}
    for name, part in fields(text).items():
        rows = matrix[FIELDS[name]]
        chance = (part.stop - part.start) / len(text)
        results[name] = float((rows[:, part].sum(axis=1) / rows.sum(axis=1)).mean()), chance
    return results


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
    parser.add_argument("date", nargs="?", type=translator.text_to_read, help="to draw; default: a held-out date")
    parser.add_argument("--model", metavar="PATH", help="saved by translate_dates.py; default: train one")
    parser.add_argument("--steps", type=int, default=1000, help="training steps; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw attention and influence for one date")
    arguments = parser.parse_args()

    known, new = translator.split(arguments.seed)
    if arguments.model:
        model = fr.load(arguments.model)
    else:
        model = translator.make_model(64, arguments.seed)
        translator.train(model, known, arguments.steps, arguments.seed)
    model = model.inference_copy()  # a copy collects the gradients

    texts = [SPELLED[k % len(SPELLED)](new[k]) for k in range(DATES)]
    written, weights = translator.translate(model, texts)
    right = [k for k in range(DATES) if written[k] == new[k].isoformat()]
    if len(right) < DATES / 2:
        sys.exit(f"It translates {len(right)} of {DATES} dates. Try more --steps.")
    means = {}
    for k in right:
        matrices = {
            "attention": weights[: len(written[k]), k, : len(texts[k])],
            "influence": influence(model, texts[k], written[k]),
        }
        for method, matrix in matrices.items():
            for field, pair in shares(matrix, texts[k]).items():
                means.setdefault((method, field), []).append(pair)
    means = {key: np.mean(pairs, axis=0) for key, pairs in means.items()}

    print(f"\nShare on the characters of the right field, over {len(right)} held-out dates:\n")
    print(f"{'':8}{'attention':>12}{'influence':>12}{'by chance':>12}")
    for field in FIELDS:
        attention, influenced = (means[method, field] for method in ("attention", "influence"))
        print(f"{field:8}{attention[0]:12.0%}{influenced[0]:12.0%}{attention[1]:12.0%}")
    if arguments.plot:
        text = arguments.date or texts[right[4]]
        (iso,), looked = translator.translate(model, [text])
        plot(arguments.plot, text, iso, {"attention": looked[: len(iso), 0], "influence": influence(model, text, iso)})

    attention, influenced, chance = (
        np.mean([means[method, field][k] for field in FIELDS])
        for method, k in (("attention", 0), ("influence", 0), ("attention", 1))
    )
    if influenced < ENOUGH * chance:
        sys.exit("The output does not depend on the right characters.")
    print(
        f"\nThe characters of its own field have {influenced:.0%} of the influence on a digit "
        f"and get {attention:.0%} of the attention; by chance it would be {chance:.0%}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
