# SPDX-License-Identifier: BSD-3-Clause
"""A character language model learns to write like Python's own help texts, in half a minute.

It reads a text character by character and predicts how likely each character of the alphabet is to come next (Graves,
"Generating sequences with recurrent neural networks", 2013). Its loss is the mean of -log2 p, in bits, where p is the
predicted probability of the character that did come next. Drawing a character from the prediction and feeding it back,
again and again, makes the model write.

The text is too long to back-propagate through at once. Truncated back-propagation through time reads 64 characters,
learns from them and reads on with the current state: the model may remember older characters, but it learns how to
remember within 64 characters.

    python examples/language_model.py
    python examples/language_model.py --text novel.txt --epochs 20 --save novel.safetensors
    python examples/language_model.py --continue novel.safetensors
"""

import argparse
import importlib.util
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
from _epoch_times import LIBRARIES, MAX_NORM, compare, serve

import fastrnn as fr

T, N = 64, 16  # gradients go back through T steps; the text is split into N columns
EMBEDDING_SIZE, LEARNING_RATE = 64, 5e-3
PROMPT, LENGTH = "The ", 300
MARGIN = 0.4  # bits below the loss of the bigram model; with less the LSTM has not learned much


def read_text(path=None):
    """A text file, or the help texts that come with Python, with their topics in alphabetical order.

    The help texts repeat whole chapters. Each paragraph is used once: otherwise training would see parts of the
    validation text.
    """
    if path is not None:
        return Path(path).read_text(encoding="utf-8")
    paragraphs = (p for topic in sorted(topics) for p in topics[topic].split("\n\n"))
    return "\n\n".join(dict.fromkeys(paragraphs))


def encode(text, vocabulary):
    """The index of each character; characters outside the vocabulary share the next index."""
    index = {character: k for k, character in enumerate(vocabulary)}
    return np.array([index.get(character, len(vocabulary)) for character in text], dtype=np.intp)


def columns(tokens, count):
    """Inputs and targets (length, count): the columns are equal parts of the text; targets are one character later."""
    length = (len(tokens) - 1) // count
    parts = [tokens[begin : begin + count * length].reshape(count, length).T for begin in (0, 1)]
    return tuple(np.ascontiguousarray(part) for part in parts)


def make_model(V, H, seed):
    embedding, lstm = fr.Embedding(V, EMBEDDING_SIZE, seed=seed), fr.LSTM(EMBEDDING_SIZE, H, seed=seed + 1)
    return fr.Sequential(embedding, lstm, fr.Linear(H, V, seed=seed + 2))


def train(model, training, validation, epochs, checkpoint=None, progress=None, **sharing):
    """Adam with a learning rate that decays to 0. All N columns are one batch, and an epoch is one pass over it."""
    x, y = columns(training, N)
    adam = fr.Adam(model, lr=LEARNING_RATE)
    return fr.fit(
        model, fr.cross_entropy, x, y, optimizer=adam, epochs=epochs, batch_size=N, shuffle=False, truncate=T,
        schedule=fr.CosineAnnealingLR(adam, epochs * math.ceil(len(x) / T)), clip=MAX_NORM,
        validation=columns(validation, N), checkpoint=checkpoint, resume=checkpoint is not None, progress=progress,
        **sharing,
    )  # fmt: skip


def bits_per_character(model, tokens):
    """The mean loss over a text that is read from its first character to its last."""
    x, y = columns(tokens, 1)
    return fr.evaluate(model, fr.cross_entropy, x, y, chunk=4096)["loss"] / math.log(2)


def baselines(training, validation, V):
    """The mean loss of two models that only count: characters (unigram) and pairs of characters (bigram).

    Each count starts at 1 (add-one smoothing), so that nothing is impossible.
    """
    pairs = np.ones((V, V))
    np.add.at(pairs, (training[:-1], training[1:]), 1)
    singles = np.bincount(training, minlength=V) + 1
    bigram = pairs / pairs.sum(axis=1, keepdims=True)  # p(b | a) in row a, column b
    unigram = singles / singles.sum()
    x, y = validation[:-1], validation[1:]
    return -np.log2(unigram[y]).mean(), -np.log2(bigram[x, y]).mean()


def sample(model, vocabulary, text, length, temperature, seed):
    """The text, continued by `length` characters; a temperature below 1 favours likely characters.

    Character k is drawn with random number k of the seed, so a sample that is cut anywhere and continued from there is
    the same sample.
    """
    random = np.random.default_rng(seed).random(len(text) + length)
    logits, state = model(encode(text, vocabulary)[:, None])
    while len(text) < len(random):
        z = logits[-1, 0, :-1].astype(np.float64) / temperature  # all but the unknown character
        ends = np.exp(z - z.max()).cumsum()  # consecutive intervals, of lengths proportional to p
        k = np.searchsorted(ends, random[len(text)] * ends[-1], side="right")
        text += vocabulary[k]
        logits, state = model(np.array([[k]]), state)
    return text


def continue_in_another_process(model, path, notes):
    """What a new process writes from a file alone, which holds the model and the other arguments of `sample`."""
    fr.save(model, path, notes=notes)
    command = [sys.executable, "-X", "utf8", __file__, "--continue", path]
    return subprocess.run(command, stdout=subprocess.PIPE).stdout.decode()


def show_losses(model, history, training, validation, V):
    """Print bits per character of the model and of the baselines. Returns those of the LSTM and of the bigram."""
    if history.interrupted:
        print(f"Stopped after {history.epochs} epochs. Continuing with the model as it is.")
    unigram, bigram = baselines(training, validation, V)
    bits = bits_per_character(model, validation)
    print("\nBits per character of the validation text:\n")
    for name, value in zip(history.get("epoch", []), history.get("val_loss", []), strict=True):
        print(f"    epoch {name:<4} {value / math.log(2):6.3f}    (read in {N} parts)")
    print(f"    unigram    {unigram:6.3f}    (counts of the training text, add-one smoothing)")
    print(f"    bigram     {bigram:6.3f}    (the same)")
    print(f"    LSTM       {bits:6.3f}    {bigram - bits:.3f} below the bigram\n")
    if unknown := np.count_nonzero(validation == V - 1):
        print(f"{unknown} of its characters never occur in training. All three models treat them as one")
        print("character, so their losses are slightly too low.\n")
    return bits, bigram


def show_sample(model, vocabulary, temperature, seed, path):
    """Let the model write, and check that a new process that loads it writes the same."""
    options = {"vocabulary": vocabulary, "temperature": temperature, "seed": seed}
    written = sample(model, text=PROMPT, length=2 * LENGTH, **options)
    first = written[: len(PROMPT) + LENGTH]
    print(f"The LSTM writes, at temperature {temperature:g}:\n")
    print("    " + first.replace("\n", "\n    ") + "\n")
    with tempfile.TemporaryDirectory() as folder:
        path = path or os.path.join(folder, "model.safetensors")
        if continue_in_another_process(model, path, options | {"text": first, "length": LENGTH}) != written:
            sys.exit("Another process loaded the model and continued the text differently.")
    print(f"Another process loaded the model and continued the text with the same {LENGTH} characters.")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--text", metavar="FILE", help="UTF-8; default: Python's help texts")
    parser.add_argument("--epochs", type=int, default=3, help="training epochs; default: %(default)s")
    parser.add_argument("--hidden", type=int, default=256, help="LSTM units; default: %(default)s")
    parser.add_argument("--temperature", type=float, default=0.8, help="of the sample; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--checkpoint", metavar="PATH", help="save here after every epoch; resume from it if it exists")
    parser.add_argument("--save", metavar="PATH", help="save the model, with its vocabulary")
    parser.add_argument("--measure", choices=LIBRARIES, help=argparse.SUPPRESS)
    parser.add_argument("--continue", metavar="PATH", dest="saved", help="let a saved model write")
    arguments = parser.parse_args()
    if arguments.save and not Path(arguments.save).parent.is_dir():  # better now than after the training
        parser.error(f"--save: there is no folder {Path(arguments.save).parent}")
    for path in filter(None, (arguments.save, arguments.checkpoint)):
        if arguments.text and Path(path).exists() and Path(path).samefile(arguments.text):
            parser.error(f"--save, --checkpoint: {path} is the text that is read")
    if not arguments.temperature > 0:
        parser.error(f"--temperature: expected a number above 0, got {arguments.temperature}")
    return arguments


def main():
    # Not every terminal can show every character. In a log, lines stay in order with the progress bar.
    sys.stdout.reconfigure(errors="replace", line_buffering=True)
    arguments = parse_arguments()
    if arguments.saved:
        print(sample(fr.load(arguments.saved), **fr.load_notes(arguments.saved)), end="")
        return

    text, seed = read_text(arguments.text), arguments.seed
    split = len(text) * 9 // 10
    if split <= T * N:
        sys.exit(f"--text: expected more than {T * N * 10 // 9} characters, got {len(text)}")
    vocabulary = sorted(set(text[:split]))
    V = len(vocabulary) + 1  # the last index is for characters that do not occur in training
    tokens = encode(text, vocabulary)
    training, validation = tokens[:split], tokens[split:]
    model = make_model(V, arguments.hidden, seed)
    if arguments.measure:
        serve(arguments.measure, model, *columns(training, N), T)
        return
    size = sum(p.size for p in model.params.values())
    print(f"Text:  {arguments.text or 'the help texts that come with Python'}")
    print(f"       {len(training):,} characters for training, {len(validation):,} for validation")
    print(f"Model: LSTM of {arguments.hidden} units, {size:,} parameters; {fr.get_num_threads()} threads")
    print(f"       (The progress bar shows losses in nats; one nat is {1 / math.log(2):.2f} bits.)\n")

    start = time.perf_counter()
    history = train(model, training, validation, arguments.epochs, arguments.checkpoint)
    seconds = time.perf_counter() - start
    bits, bigram = show_losses(model, history, training, validation, V)
    show_sample(model, vocabulary, arguments.temperature, seed, arguments.save)
    options = ["--hidden", str(arguments.hidden), *(["--text", arguments.text] if arguments.text else [])]
    command = [sys.executable, "-X", "utf8", __file__, *options, "--measure"]
    installed = [name for name in LIBRARIES if name != "PyTorch" or importlib.util.find_spec("torch")]
    print(compare(installed, command))
    if bigram - bits < MARGIN:
        sys.exit(f"The LSTM is not {MARGIN} bits below the bigram. Try more --epochs.")
    print(
        f"\nAfter {seconds:.0f} s of training, new text costs the LSTM {bits:.2f} bits per character, "
        f"{bigram - bits:.2f} less than the bigram."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
