# SPDX-License-Identifier: BSD-3-Clause
"""What units of a character model learn: one tracks whether a quotation is open, although nothing asked for it.

The model of language_model.py learns to predict the next character. For that it has to remember what the last character
does not tell: the position in the line, the current word, whether a quotation or a bracket is open. Karpathy, Johnson
and Fei-Fei ("Visualizing and understanding recurrent networks", 2015, arXiv 1506.02078) found single units that do just
that. This example searches all units: which state, cell or gate predicts a property of the text best? The best of many
units looks good by chance as well, so each is scored again on text that was not searched.

    python examples/what_units_learn.py
    python examples/what_units_learn.py --model novel.safetensors --text novel.txt    a model saved by language_model.py
    python examples/what_units_learn.py --plot units.png
"""

import argparse
import sys

import language_model as demo
import numpy as np

import fastrnn as fr
from fastrnn import inspect

SEARCHED = 12_000  # characters of the validation text; later ones are for the score
REMEMBERED = "inside_quotes", "inside_brackets", "bracket_depth", "position_in_line", "position_in_word"
SHOWN = "inside_quotes", "is_space"  # properties in the plot
CHARACTERS, WIDTH = 460, 92  # of the plot, and of a line in it
ENOUGH = 0.8  # strength of the best unit for a remembered property, on text that was not searched
NAMES = {
    "h": "state", "c": "cell", "i": "input gate", "f": "forget gate", "g": "candidate", "o": "output gate",
    "r": "reset gate", "z": "update gate", "n": "candidate",
}  # fmt: skip


def trained(epochs, seed):
    """A model trained by language_model.py, its vocabulary, and the validation text."""
    text = demo.read_text()
    split = len(text) * 9 // 10
    vocabulary = sorted(set(text[:split]))
    tokens = demo.encode(text, vocabulary)
    model = demo.make_model(len(vocabulary) + 1, 256, seed)
    demo.train(model, tokens[:split], tokens[split:], epochs, progress=False)
    return model, vocabulary, text[split:]


def saved(path, text):
    """A model saved by language_model.py, its vocabulary, and a text."""
    return fr.load(path), fr.load_notes(path)["vocabulary"], demo.read_text(text)


def read(model, vocabulary, text):
    """States, cells and gates after each character of a text."""
    return inspect.trace(model, demo.encode(text, vocabulary)[:, None])


def rescore(match, traced, text, name):
    """The score of a unit for a property in another text."""
    values = traced[match.name][match.layer, match.direction, :, 0, match.unit, None]
    score = inspect.auc if measure(name) == "AUC" else inspect.correlation
    return float(score(values, inspect.PROPERTIES[name](text))[0])


def measure(name):
    """The kind of score of a property."""
    return "AUC" if inspect.PROPERTIES[name]("a").dtype == bool else "correlation"


def strength(score, name):
    """The strength of a score, from 0 to 1."""
    return abs(2 * score - 1) if measure(name) == "AUC" else abs(score)


def plot(path, traced, text, best):
    """Draw the text for each property, with the value of the best unit as background colour."""
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
        values = traced[match.name][match.layer, match.direction, part, 0, match.unit]
        inspect.plot_text(values, text[part], width=WIDTH, ax=ax)
        ax.set_title(f"{name.replace('_', ' ')}: {described(match)}", fontsize=10, loc="left")
    figure.savefig(path, dpi=110)


def liveliest(text):
    """The start of a line from which about half of the next CHARACTERS are quoted."""
    quoted = np.cumsum([0, *inspect.inside_quotes(text)])
    begins = [0, *(k + 1 for k, character in enumerate(text) if character == "\n")]
    begins = [begin for begin in begins if begin + CHARACTERS <= len(text)] or [0]
    return min(begins, key=lambda b: abs(quoted[min(b + CHARACTERS, len(text))] - quoted[b] - CHARACTERS / 2))


def described(match):
    return f"{NAMES[match.name.rpartition('.')[2]]} of unit {match.unit}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", metavar="PATH", help="saved by language_model.py; default: train one")
    parser.add_argument("--text", metavar="FILE", help="text for that model, UTF-8")
    parser.add_argument("--epochs", type=int, default=5, help="training epochs; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of the initial parameters; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw the values of some units on a text")
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
    traced = read(model, vocabulary, fresh)
    print(f"{len(searched):,} characters searched, {len(fresh):,} others for scoring\n")
    print(f"{'property':18}{'best unit':28}{'score':>7}{'on other text':>16}")
    scores = {name: rescore(match, traced, fresh, name) for name, match in best.items()}
    for name, match in best.items():
        print(f"{name:18}{described(match):28}{match.score:7.2f}{scores[name]:16.2f}  {measure(name)}")
    if arguments.plot:
        plot(arguments.plot, traced, fresh, best)

    name = max(scores.keys() & set(REMEMBERED), key=lambda name: strength(scores[name], name), default=None)
    if name is None or strength(scores[name], name) < ENOUGH:
        sys.exit("No unit has learned to remember a property of the text. Try more --epochs.")
    print(
        f"\nThe {described(best[name])} tracks {name.replace('_', ' ')}, which no single character tells "
        f"({measure(name)} {scores[name]:.2f} on text that was not searched)."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
