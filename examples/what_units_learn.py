# SPDX-License-Identifier: BSD-3-Clause
"""What units of a character model learn: nobody asked one of them to know whether a quotation is open, and yet it does.

The demo's model learns to say which character comes next. For that it has to keep in mind what the last character does
not say: how far the line has come, in which word this is, whether a quotation or a bracket is open. Karpathy, Johnson
and Fei-Fei ("Visualizing and understanding recurrent networks", 2015, arXiv 1506.02078) found single units that do just
that. Here the units are asked, all of them: which state, cell or gate tells a property of the text best? Of many units
the best looks good by chance as well, so each is scored again, on text that was not searched.

    python examples/what_units_learn.py
    python examples/what_units_learn.py --model novel.safetensors --text novel.txt    a model that the demo has saved
    python examples/what_units_learn.py --plot units.png
"""

import argparse
import sys

import language_model as demo
import numpy as np

import fastrnn as fr
from fastrnn import inspect

SEARCHED = 12_000  # characters of the validation text; the rest is for the score
REMEMBERED = "inside_quotes", "inside_brackets", "bracket_depth", "position_in_line", "position_in_word"
SHOWN = "inside_quotes", "is_space"  # in the picture
CHARACTERS, WIDTH = 460, 92  # of the picture, and of a line in it
ENOUGH = 0.8  # strength of the best unit for something remembered, on text that was not searched
NAMES = {
    "h": "state", "c": "cell", "i": "input gate", "f": "forget gate", "g": "candidate", "o": "output gate",
    "r": "reset gate", "z": "update gate", "n": "candidate",
}  # fmt: skip


def trained(epochs, seed):
    """The demo's model on the demo's text, its vocabulary, and text that it has not learned from."""
    text = demo.read_text()
    split = len(text) * 9 // 10
    vocabulary = sorted(set(text[:split]))
    tokens = demo.encode(text, vocabulary)
    model = demo.make_model(len(vocabulary) + 1, 256, seed)
    demo.train(model, tokens[:split], tokens[split:], epochs, progress=False)
    return model, vocabulary, text[split:]


def saved(path, text):
    """A model that the demo has saved, its vocabulary, and a text."""
    return fr.load(path), fr.load_notes(path)["vocabulary"], demo.read_text(text)


def read(model, vocabulary, text):
    """States, cells and gates after each character of a text."""
    return inspect.trace(model, demo.encode(text, vocabulary)[:, None])


def again(match, found, text, name):
    """How well a unit that has been found tells the property in another text."""
    values = found[match.name][match.layer, match.direction, :, 0, match.unit, None]
    score = inspect.auc if measure(name) == "AUC" else inspect.correlation
    return float(score(values, inspect.PROPERTIES[name](text))[0])


def measure(name):
    """What the score of a property is."""
    return "AUC" if inspect.PROPERTIES[name]("a").dtype == bool else "correlation"


def strength(score, name):
    """From 0, nothing, to 1."""
    return abs(2 * score - 1) if measure(name) == "AUC" else abs(score)


def plot(path, found, text, best):
    """The text once for each property, each character on the colour that its best unit has there."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[inspect]"')

    begin = liveliest(text)
    part = slice(begin, begin + CHARACTERS)
    shown = [name for name in SHOWN if name in best]
    figure = Figure(figsize=(8.2, 2.8 * len(shown)), layout="constrained")
    for ax, name in zip(np.atleast_1d(figure.subplots(len(shown))), shown, strict=True):
        match = best[name]
        values = found[match.name][match.layer, match.direction, part, 0, match.unit]
        inspect.plot_text(values, text[part], width=WIDTH, ax=ax)
        ax.set_title(f"{name.replace('_', ' ')}: {described(match)}", fontsize=10, loc="left")
    figure.savefig(path, dpi=110)


def liveliest(text):
    """Where a stretch of CHARACTERS begins in which about half is quoted, at the beginning of a line."""
    quoted = np.cumsum([0, *inspect.inside_quotes(text)])
    begins = [0, *(k + 1 for k, character in enumerate(text) if character == "\n")]
    begins = [begin for begin in begins if begin + CHARACTERS <= len(text)] or [0]
    return min(begins, key=lambda b: abs(quoted[min(b + CHARACTERS, len(text))] - quoted[b] - CHARACTERS / 2))


def described(match):
    return f"{NAMES[match.name.rpartition('.')[2]]} of unit {match.unit}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", metavar="PATH", help="that the demo has saved; default: one is trained")
    parser.add_argument("--text", metavar="FILE", help="to read with that model, UTF-8")
    parser.add_argument("--epochs", type=int, default=5, help="of training; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the first parameters; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw what some units do on a stretch of text")
    arguments = parser.parse_args()
    if arguments.model:
        model, vocabulary, text = saved(arguments.model, arguments.text)
    elif arguments.text:
        parser.error("--text: expected a --model to read it with")
    else:
        model, vocabulary, text = trained(arguments.epochs, arguments.seed)
    half = min(SEARCHED, len(text) // 2)
    searched, fresh = text[:half], text[half : half + 2 * SEARCHED]

    best = {
        name: matches[0] for name, matches in inspect.survey_units(read(model, vocabulary, searched), searched).items()
    }
    found = read(model, vocabulary, fresh)
    print(f"{len(searched):,} characters searched, {len(fresh):,} others for the score\n")
    print(f"{'property':18}{'its best unit':28}{'score':>7}{'on other text':>16}")
    scores = {name: again(match, found, fresh, name) for name, match in best.items()}
    for name, match in best.items():
        print(f"{name:18}{described(match):28}{match.score:7.2f}{scores[name]:16.2f}  {measure(name)}")
    if arguments.plot:
        plot(arguments.plot, found, fresh, best)

    name = max(scores.keys() & set(REMEMBERED), key=lambda name: strength(scores[name], name), default=None)
    if name is None or strength(scores[name], name) < ENOUGH:
        sys.exit("No unit has learned to keep a property of the text in mind: more --epochs?")
    print(
        f"\nNo character says it alone, but the {described(best[name])} tells {name.replace('_', ' ')} "
        f"({measure(name)} {scores[name]:.2f} on text that was not searched)."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
