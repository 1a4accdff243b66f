# SPDX-License-Identifier: BSD-3-Clause
"""Overfitting and what helps against it: one small network, fourteen thousand characters of text, nine trainings.

An LSTM that predicts the next character has more parameters than its text has characters: it soon memorizes the text,
and its predictions for other text get worse. Each remedy restricts something:

    early stopping      time: training ends when the validation loss has not improved for three epochs
    weight decay        large weights: all shrink at every step (Loshchilov and Hutter, arXiv 1711.05101)
    input dropout       features of the input, one mask for all steps (Gal and Ghahramani, arXiv 1512.05287)
    recurrent dropout   features of the state, one mask for all steps (the same)
    zoneout             updates: some units keep their state for a step (Krueger et al., arXiv 1606.01305)
    weight drop         recurrent weights (Merity, Keskar and Socher, arXiv 1708.02182)
    label smoothing     certainty: a twentieth of the target goes to all characters (Szegedy et al., arXiv 1512.00567)

Each is judged on the validation text. The best one is then tested on the test text, which gives its final figure: the
validation text chose it, and so is too favourable. The strengths were found by trial, too. Another seed changes a
number by about 0.05 bits, so smaller differences mean nothing.

    python examples/overfitting.py
    python examples/overfitting.py --plot overfitting.png
"""

import argparse
import functools
import math
import sys
from pydoc_data.topics import topics

import numpy as np

import fastrnn as fr

T, N = 32, 16  # gradients go back through T steps; the text is split into N columns
EMBEDDING_SIZE, LEARNING_RATE, MAX_NORM = 32, 8e-3, 1.0
NOISE = 0.05  # bits per character, from seed to seed
NOTHING, STOPPED = "nothing", "early stopping"
REMEDIES = {
    NOTHING: {},
    STOPPED: {"patience": 3},
    "weight decay": {"weight_decay": 0.2},
    "input dropout": {"input_dropout": 0.2},
    "recurrent dropout": {"recurrent_dropout": 0.4},
    "zoneout": {"zoneout": 0.15},
    "weight drop": {"weight_drop": 0.5},
    "label smoothing": {"label_smoothing": 0.05},
    "recurrent dropout and decay": {"recurrent_dropout": 0.4, "weight_decay": 0.1},
}


def read_texts(length):
    """Training, validation and test text of `length` characters each: paragraphs of Python's help, in random order.

    Repeated paragraphs are used once, so that no text contains one of another.
    """
    paragraphs = list(dict.fromkeys(p for topic in sorted(topics) for p in topics[topic].split("\n\n")))
    order = np.random.default_rng(0).permutation(len(paragraphs))
    text = "\n\n".join(paragraphs[k] for k in order)
    return [text[k * length : (k + 1) * length] for k in range(3)]


def encode(text, vocabulary):
    """The index of each character; characters outside the vocabulary share the next index."""
    index = {character: k for k, character in enumerate(vocabulary)}
    return np.array([index.get(character, len(vocabulary)) for character in text], np.intp)


def columns(tokens):
    """Inputs and targets (length, N): N equal parts of a text, and the same parts one character later."""
    length = (len(tokens) - 1) // N
    return tuple(tokens[begin : begin + N * length].reshape(N, length).T for begin in (0, 1))


def make_model(V, units, seed, input_dropout=0.0, **inside):
    """A model with the same parameters for all remedies; options inside the recurrence are those of the LSTM."""
    return fr.Sequential(
        fr.Embedding(V, EMBEDDING_SIZE, seed=seed),
        fr.Dropout(input_dropout, shared_steps=True, seed=seed + 1),
        fr.LSTM(EMBEDDING_SIZE, units, seed=seed + 2, **inside),
        fr.Linear(units, V, seed=seed + 3),
    )


def cost(logits, targets):
    """Nats per character without smoothing, by which all remedies are compared."""
    return fr.cross_entropy(logits, targets)[0]


def train(model, training, validation, epochs, weight_decay=0.0, label_smoothing=0.0, patience=None):
    """Train with AdamW. The model ends as that of the last epoch, or with `patience` of the best epoch."""
    loss = functools.partial(fr.cross_entropy, label_smoothing=label_smoothing)
    return fr.fit(
        model, loss, *training, optimizer=fr.AdamW(model, lr=LEARNING_RATE, weight_decay=weight_decay), epochs=epochs,
        batch_size=N, shuffle=False, truncate=T, clip=MAX_NORM, validation=validation, metrics={"cost": cost},
        patience=patience, restore_best=patience is not None, progress=False,
    )  # fmt: skip


def bits(model, data):
    return fr.evaluate(model, fr.cross_entropy, *data, batch_size=N)["loss"] / math.log(2)


def plot(path, histories):
    """Draw the cost of the validation text after every epoch."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axis = figure.subplots()
    shown = [name for name in histories if name != STOPPED]  # the same curve as NOTHING, but shorter
    for k, name in enumerate(shown):
        history = histories[name]
        color = "black" if name == NOTHING else f"C{k}"
        axis.plot(history["epoch"], np.array(history["val_cost"]) / math.log(2), color=color, label=name)
    lowest = min(min(histories[name]["val_cost"]) for name in shown) / math.log(2)
    axis.set(xlabel="epoch", ylabel="bits per character, validation", ylim=(lowest - 0.05, lowest + 0.6))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--characters", type=int, default=14_000, help="characters of each text; default: %(default)s")
    parser.add_argument("--epochs", type=int, default=20, help="epochs of each training; default: %(default)s")
    parser.add_argument("--units", type=int, default=96, help="units of the LSTM; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw the validation cost by epoch")
    arguments = parser.parse_args()

    texts = read_texts(arguments.characters)
    if len(texts[2]) <= T * N:
        parser.error(f"--characters: expected more than {T * N} for each of three texts, got {arguments.characters}")
    vocabulary = sorted(set(texts[0]))
    training, validation, test = (columns(encode(text, vocabulary)) for text in texts)
    models, histories, validation_bits = {}, {}, {}
    size = sum(p.size for p in make_model(len(vocabulary) + 1, arguments.units, 0).params.values())
    print(f"{arguments.characters:,} characters for training, validation and testing each; {size:,} parameters\n")
    print("Bits per character at the end of training; the smallest validation figure, and its epoch:\n")
    print(f"{'':30}{'training':>10}{'validation':>12}{'smallest':>10}{'epoch':>7}")
    for name, remedy in REMEDIES.items():
        outside = {key: remedy[key] for key in ("weight_decay", "label_smoothing", "patience") if key in remedy}
        inside = {key: value for key, value in remedy.items() if key not in outside}
        models[name] = model = make_model(len(vocabulary) + 1, arguments.units, arguments.seed, **inside)
        histories[name] = history = train(model, training, validation, arguments.epochs, **outside)
        smallest = np.argmin(history["val_cost"])
        validation_bits[name] = bits(model, validation)
        print(f"{name:30}{bits(model, training):10.2f}{validation_bits[name]:12.2f}", end="")
        print(f"{history['val_cost'][smallest] / math.log(2):10.2f}{history['epoch'][smallest]:7}", flush=True)
    if arguments.plot:
        plot(arguments.plot, histories)

    limit = validation_bits[STOPPED] - NOISE
    no_better = [name for name in REMEDIES if name != STOPPED and validation_bits[name] > limit]
    print(f"\nNo better than early stopping, by {NOISE} bits: {', '.join(no_better) or 'none'}.")
    best = min(validation_bits, key=validation_bits.get)
    without, stopped, chosen = (bits(models[name], test) for name in (NOTHING, STOPPED, best))
    if not chosen < stopped < without:
        sys.exit("This run has not shown that the remedies help. Try more --epochs or --units.")
    print(
        f"\nNew text costs {without:.2f} bits per character without a remedy, {stopped:.2f} with early stopping, "
        f"{chosen:.2f} with {best}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
