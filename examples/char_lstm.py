# SPDX-License-Identifier: BSD-3-Clause
"""A character-level LSTM learns to write like Python's own help texts, in less than a minute.

It reads a text character by character and says how likely each character of the alphabet is to
come next (Graves, "Generating sequences with recurrent neural networks", 2013). Its loss is the
mean of -log p, in nats, with p the probability that it gave to the character that did come next.
Drawing a character from its prediction, and feeding it back, again and again, makes it write.

    python examples/char_lstm.py
    python examples/char_lstm.py --text novel.txt --steps 5000 --save novel.safetensors
    python examples/char_lstm.py --continue novel.safetensors
"""

import argparse
import copy
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

import fastrnn as fr
from fastrnn import reference

try:
    from tqdm import tqdm
except ImportError:
    sys.exit('The progress bar of this example needs tqdm: pip install "fastrnn[demo]"')

T, N = 64, 32  # gradients go back through T steps; N parts of the text are read side by side
EMBEDDING_SIZE, LEARNING_RATE, MAX_NORM = 64, 5e-3, 1.0
PROMPT, LENGTH, TEMPERATURE = "The ", 300, 0.8  # a temperature below 1 is a cautious writer
CLEARLY = 0.3  # nats under the bigram's loss: with less the LSTM has not learned much


def read_text(path=None):
    """A text file, or the help texts that come with Python, their topics in alphabetical order.

    Those quote one another, up to whole chapters. Each paragraph is taken once: else a part of
    the validation text would have been seen in training.
    """
    if path is not None:
        return Path(path).read_text(encoding="utf-8")
    paragraphs = (p for topic in sorted(topics) for p in topics[topic].split("\n\n"))
    return "\n\n".join(dict.fromkeys(paragraphs))


def encode(text, vocabulary):
    """The index of each character; those that are not in the vocabulary share the next index."""
    index = {character: k for k, character in enumerate(vocabulary)}
    return np.array([index.get(character, len(vocabulary)) for character in text], dtype=np.intp)


def batches(tokens, T, N):
    """Endless batches: inputs (T, N), targets (T, N), and whether the text begins (again).

    Column n reads the n-th of N equal parts of the text; each batch goes on where the one before
    ended. The targets are the inputs, one character later.
    """
    length = (len(tokens) - 1) // N
    x = tokens[: N * length].reshape(N, length).T
    y = tokens[1 : N * length + 1].reshape(N, length).T
    while True:
        for t in range(0, length - T + 1, T):
            yield x[t : t + T], y[t : t + T], t == 0


def step(model, optimizer, x, y, state):
    """One step of training: its loss, and the state in which the next batch begins."""
    model.zero_grad()
    logits, state, tape = model.forward(x, state)
    loss, dlogits = fr.cross_entropy(logits, y)
    model.backward(tape, dlogits)  # truncated: no gradient comes from the batches after this one
    fr.clip_grad_norm(model, MAX_NORM)
    optimizer.step()
    return loss, state


def reference_step(model, optimizer, x, y, state):
    """The same step, with the LSTM in NumPy."""
    embedding, lstm, linear = model.layers
    ((h, c),) = state
    model.zero_grad()
    u, embedding_tape = embedding.forward(x)
    v, h, c, lstm_tape = reference.forward("lstm", u, h[0], c[0], *lstm.params.values())
    logits, linear_tape = linear.forward(v)
    loss, dlogits = fr.cross_entropy(logits, y)
    dv = linear.backward(linear_tape, dlogits)
    du, _, _, *grads = reference.backward("lstm", lstm_tape, dv)
    for name, grad in zip(lstm.grads, grads, strict=True):
        lstm.grads[name] = grad
    embedding.backward(embedding_tape, du)
    fr.clip_grad_norm(model, MAX_NORM)
    optimizer.step()
    return loss, ((h[None], c[None]),)


def train(model, tokens, steps):
    """Adam with a learning rate that falls to 0. Returns the steps done: Ctrl-C ends it early."""
    optimizer = fr.Adam(model, lr=LEARNING_RATE)
    state = smooth = None
    look = {"bar_format": "{desc} |{bar:20}| {rate_fmt}, {remaining} left", "unit": " chars"}
    look["mininterval"] = 0.2 if sys.stderr.isatty() else 10  # seconds: a log needs fewer lines
    with tqdm(total=steps * T * N, unit_scale=True, **look) as bar:
        try:
            for k, (x, y, begins) in zip(range(steps), batches(tokens, T, N), strict=False):
                optimizer.lr = LEARNING_RATE * (1 - k / steps)
                loss, state = step(model, optimizer, x, y, None if begins else state)
                smooth = loss if smooth is None else 0.95 * smooth + 0.05 * loss
                bar.set_description_str(f"step {k + 1}/{steps}, loss {smooth:.3f}", refresh=False)
                bar.update(T * N)
        except KeyboardInterrupt:
            pass
    return optimizer.steps


def evaluate(model, tokens):
    """Mean loss over a text, the state carried from its first character to its last."""
    x, y, state, total = tokens[:-1], tokens[1:], None, 0.0
    for t in range(0, len(x), 4096):  # in blocks, so that the logits of a long text fit in memory
        logits, state = model(x[t : t + 4096, None], state)
        loss, _ = fr.cross_entropy(logits[:, 0], y[t : t + 4096])
        total += loss * len(logits)
    return total / len(x)


def baselines(training, validation, V):
    """The same loss for two models that only count: characters (unigram), pairs of them (bigram).

    Each count begins at 1 (add-one smoothing), so that nothing is impossible.
    """
    pairs = np.ones((V, V))
    np.add.at(pairs, (training[:-1], training[1:]), 1)
    singles = np.bincount(training, minlength=V) + 1
    bigram = pairs / pairs.sum(axis=1, keepdims=True)  # p(b | a) in row a, column b
    unigram = singles / singles.sum()
    x, y = validation[:-1], validation[1:]
    return -np.log(unigram[y]).mean(), -np.log(bigram[x, y]).mean()


def sample(model, vocabulary, text, length, seed):
    """The text, continued by `length` characters.

    Character k is drawn with random number k of the seed. So a sample that is cut somewhere and
    continued from there is the same sample.
    """
    random = np.random.default_rng(seed).random(len(text) + length)
    logits, state = model(encode(text, vocabulary)[:, None])
    while len(text) < len(random):
        z = logits[-1, 0, :-1].astype(np.float64) / TEMPERATURE  # all but the unknown character
        ends = np.exp(z - z.max()).cumsum()  # intervals on a line, as long as p is large
        k = np.searchsorted(ends, random[len(text)] * ends[-1], side="right")
        text += vocabulary[k]
        logits, state = model(np.array([[k]]), state)
    return text


def seconds_per_step(step, model, x, y):
    """The median of three, on a copy of the model."""
    model = copy.deepcopy(model)
    optimizer, (_, state), seconds = fr.Adam(model), model(x), []
    for _ in range(4):
        start = time.perf_counter()
        step(model, optimizer, x, y, state)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])  # the first one warms up


def in_another_process(model, path, notes):
    """What `sample` writes there, from a file alone: the model, and its other arguments as notes."""
    fr.save(model, path, notes=notes)
    command = [sys.executable, "-X", "utf8", __file__, "--continue", path]
    return subprocess.run(command, stdout=subprocess.PIPE).stdout.decode()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--text", metavar="FILE", help="UTF-8; default: Python's help texts")
    parser.add_argument("--steps", type=int, default=1000, help="of training; default: %(default)s")
    parser.add_argument("--hidden", type=int, default=256, help="LSTM units; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    parser.add_argument("--save", metavar="PATH", help="keep the model, with its vocabulary")
    parser.add_argument("--continue", metavar="PATH", dest="saved", help="let that model write")
    arguments = parser.parse_args()
    if arguments.save and not Path(arguments.save).parent.is_dir():  # say so before the training
        parser.error(f"--save: there is no folder {Path(arguments.save).parent}")
    return arguments


def main():
    # Not every terminal can show every character; in a log, lines stay in order with the progress.
    sys.stdout.reconfigure(errors="replace", line_buffering=True)
    arguments = parse_arguments()
    if arguments.saved:
        print(sample(fr.load(arguments.saved), **fr.load_notes(arguments.saved)), end="")
        return

    text, H, seed = read_text(arguments.text), arguments.hidden, arguments.seed
    split = len(text) * 9 // 10
    if split <= T * N:
        sys.exit(f"--text: expected more than {T * N * 10 // 9} characters, got {len(text)}")
    vocabulary = sorted(set(text[:split]))
    V = len(vocabulary) + 1  # the last one stands for every character that training never saw
    tokens = encode(text, vocabulary)
    training, validation = tokens[:split], tokens[split:]
    embedding = fr.Embedding(V, EMBEDDING_SIZE, seed=seed)
    lstm = fr.LSTM(EMBEDDING_SIZE, H, seed=seed + 1)
    model = fr.Sequential(embedding, lstm, fr.Linear(H, V, seed=seed + 2))
    size = sum(p.size for p in model.params.values())
    threads = f"fastrnn on {fr.get_num_threads()} threads"
    print(f"Text:  {arguments.text or 'the help texts that come with Python'}")
    print(f"       {len(training):,} characters to learn from, {len(validation):,} to validate on")
    print(f"Model: LSTM of {H} units, {size:,} parameters; {threads}\n")

    steps = train(model, training, arguments.steps)
    if steps < arguments.steps:
        print(f"Stopped after {steps} steps. On with the model as it is.")
    unigram, bigram = baselines(training, validation, V)
    loss = evaluate(model, validation)
    print("\nLoss on the validation text, in nats per character:\n")
    print(f"    unigram {unigram:6.3f}    (counts of the training text, add-one smoothing)")
    print(f"    bigram  {bigram:6.3f}    (the same)")
    print(f"    LSTM    {loss:6.3f}    {bigram - loss:.3f} under the bigram's\n")
    if unknown := np.count_nonzero(validation == V - 1):
        print(f"{unknown} of its characters never occur in training. All three models take them")
        print("for one and need not say which: their losses are a little too low.\n")

    written = sample(model, vocabulary, PROMPT, 2 * LENGTH, seed)
    first = written[: len(PROMPT) + LENGTH]
    print(f"The LSTM writes, at temperature {TEMPERATURE}:\n")
    print("    " + first.replace("\n", "\n    ") + "\n")
    notes = {"vocabulary": vocabulary, "text": first, "length": LENGTH, "seed": seed}
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.save or os.path.join(folder, "model.safetensors")
        if in_another_process(model, path, notes) != written:
            sys.exit("A second process loaded the model and wrote on, but not as this one does.")
    print(f"A second process loaded the model and wrote on: the same {LENGTH} characters as here.")

    x, y, _ = next(batches(training, T, N))
    fast = 1e3 * seconds_per_step(step, model, x, y)
    slow = 1e3 * seconds_per_step(reference_step, model, x, y)
    print(f"A training step takes {fast:.0f} ms, and {slow:.0f} ms with the LSTM in NumPy:")
    print(f"{slow / fast:.1f} times as long ({threads}, NumPy's BLAS on up to {os.cpu_count()}).")
    if bigram - loss < CLEARLY:
        sys.exit(f"The LSTM is not clearly ({CLEARLY} nats) under the bigram: more --steps?")
    print(
        f"\nNew text costs the LSTM {loss:.3f} nats per character, {bigram - loss:.3f} less than counting pairs does."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
