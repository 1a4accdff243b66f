# SPDX-License-Identifier: BSD-3-Clause
"""A character language model learns to write like Python's own help texts, in half a minute.

It reads a text character by character and says how likely each character of the alphabet is to
come next (Graves, "Generating sequences with recurrent neural networks", 2013). Its loss is the
mean of -log2 p, in bits, with p the probability that it gave to the character that did come next.
Drawing a character from its prediction, and feeding it back, again and again, makes it write.

The text is too long to go back through at once. Truncated back-propagation through time reads 64
characters, learns from them and reads on, with the state that it has: what it keeps in mind may be
older than that, but how to keep it is learnt within 64 characters.

    python examples/language_model.py
    python examples/language_model.py --text novel.txt --epochs 20 --save novel.safetensors
    python examples/language_model.py --continue novel.safetensors
"""

import argparse
import contextlib
import copy
import importlib.util
import math
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

T, N = 64, 16  # gradients go back through T steps; N parts of the text are read side by side
EMBEDDING_SIZE, LEARNING_RATE, MAX_NORM = 64, 5e-3, 1.0
PROMPT, LENGTH = "The ", 300
CLEARLY = 0.4  # bits under the bigram's loss: with less the LSTM has not learned much


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


def columns(tokens, count):
    """Inputs and targets (length, count): column n is the n-th of equal parts of the text, and the targets are the
    inputs, one character later."""
    length = (len(tokens) - 1) // count
    parts = [tokens[begin : begin + count * length].reshape(count, length).T for begin in (0, 1)]
    return tuple(np.ascontiguousarray(part) for part in parts)


def make_model(V, H, seed):
    embedding, lstm = fr.Embedding(V, EMBEDDING_SIZE, seed=seed), fr.LSTM(EMBEDDING_SIZE, H, seed=seed + 1)
    return fr.Sequential(embedding, lstm, fr.Linear(H, V, seed=seed + 2))


def train(model, training, validation, epochs, checkpoint=None, progress=None):
    """Adam with a learning rate that falls to 0. All N columns are one batch, and an epoch is one pass over it."""
    x, y = columns(training, N)
    adam = fr.Adam(model, lr=LEARNING_RATE)
    return fr.fit(
        model, fr.cross_entropy, x, y, optimizer=adam, epochs=epochs, batch_size=N, shuffle=False, truncate=T,
        schedule=fr.CosineAnnealingLR(adam, epochs * math.ceil(len(x) / T)), clip=MAX_NORM,
        validation=columns(validation, N), checkpoint=checkpoint, resume=checkpoint is not None, progress=progress,
    )  # fmt: skip


def bits_per_character(model, tokens):
    """The mean loss over a text that is read from its first character to its last."""
    x, y = columns(tokens, 1)
    return fr.evaluate(model, fr.cross_entropy, x, y, chunk=4096)["loss"] / math.log(2)


def baselines(training, validation, V):
    """The same for two models that only count: characters (unigram), pairs of them (bigram).

    Each count begins at 1 (add-one smoothing), so that nothing is impossible.
    """
    pairs = np.ones((V, V))
    np.add.at(pairs, (training[:-1], training[1:]), 1)
    singles = np.bincount(training, minlength=V) + 1
    bigram = pairs / pairs.sum(axis=1, keepdims=True)  # p(b | a) in row a, column b
    unigram = singles / singles.sum()
    x, y = validation[:-1], validation[1:]
    return -np.log2(unigram[y]).mean(), -np.log2(bigram[x, y]).mean()


def sample(model, vocabulary, text, length, temperature, seed):
    """The text, continued by `length` characters; a temperature below 1 is a cautious writer.

    Character k is drawn with random number k of the seed. So a sample that is cut somewhere and
    continued from there is the same sample.
    """
    random = np.random.default_rng(seed).random(len(text) + length)
    logits, state = model(encode(text, vocabulary)[:, None])
    while len(text) < len(random):
        z = logits[-1, 0, :-1].astype(np.float64) / temperature  # all but the unknown character
        ends = np.exp(z - z.max()).cumsum()  # intervals on a line, as long as p is large
        k = np.searchsorted(ends, random[len(text)] * ends[-1], side="right")
        text += vocabulary[k]
        logits, state = model(np.array([[k]]), state)
    return text


# -- the same training by others: each goes once over x and y (steps, N), T steps at a time ------------------------


def with_fastrnn(model, x, y):
    fr.fit(
        model, fr.cross_entropy, x, y, epochs=1, batch_size=N, shuffle=False, truncate=T, clip=MAX_NORM, progress=False
    )


def with_numpy(model, x, y):
    """The LSTM in plain NumPy."""
    embedding, lstm, linear = model.layers
    adam, h, c = fr.Adam(model), *np.zeros((2, N, lstm.hidden_size), np.float32)
    for t in range(0, len(x), T):
        u, embedding_tape = embedding.forward(x[t : t + T])
        v, h, c, lstm_tape = reference.forward("lstm", u, h, c, *lstm.params.values())
        logits, linear_tape = linear.forward(v)
        _, dlogits = fr.cross_entropy(logits, y[t : t + T])
        model.zero_grad()
        du, _, _, *grads = reference.backward("lstm", lstm_tape, linear.backward(linear_tape, dlogits))
        for name, grad in zip(lstm.grads, grads, strict=True):
            lstm.grads[name] = grad
        embedding.backward(embedding_tape, du)
        fr.clip_grad_norm(model, MAX_NORM)
        adam.step()


def with_pytorch(model, x, y):
    import torch

    torch.set_num_threads(fr.get_num_threads())
    V, H = model.layers[2].params["weight"].shape
    embedding, lstm, linear = (
        torch.nn.Embedding(V, EMBEDDING_SIZE),
        torch.nn.LSTM(EMBEDDING_SIZE, H),
        torch.nn.Linear(H, V),
    )
    for module, layer in zip((embedding, lstm, linear), model.layers, strict=True):
        module.load_state_dict({name: torch.from_numpy(p) for name, p in layer.state_dict().items()})
    parameters = [p for module in (embedding, lstm, linear) for p in module.parameters()]
    adam, state = torch.optim.Adam(parameters), None
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    for t in range(0, len(x), T):
        v, state = lstm(embedding(x[t : t + T]), state)
        loss = torch.nn.functional.cross_entropy(linear(v).flatten(0, 1), y[t : t + T].flatten())
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM)
        adam.step()
        state = tuple(part.detach() for part in state)
    for module, layer in zip((embedding, lstm, linear), model.layers, strict=True):
        layer.load_state_dict({name: p.numpy() for name, p in module.state_dict().items()})


WAYS = {"fastrnn": with_fastrnn, "the LSTM in NumPy": with_numpy, "PyTorch": with_pytorch}


def measure(way, model, x, y):
    """Seconds of an epoch, from a stretch of it; the one before warms up."""
    model, end = copy.deepcopy(model), min(10 * T, len(x))
    warm = end // 4
    WAYS[way](model, x[:warm], y[:warm])
    start = time.perf_counter()
    WAYS[way](model, x[warm:end], y[warm:end])
    return (time.perf_counter() - start) * len(x) / len(x[warm:end])


def compare(ways, options, rounds=3):
    """A sentence about the time that an epoch takes: medians of processes that take turns.

    In one process the threads of one library would be in the way of another's.
    """
    command, pipe = [sys.executable, "-X", "utf8", __file__, *options, "--measure"], subprocess.PIPE
    processes, seconds = {}, {way: [] for way in ways}
    with contextlib.ExitStack() as stack:
        for way in ways:
            processes[way] = stack.enter_context(subprocess.Popen([*command, way], stdin=pipe, stdout=pipe, text=True))
        for process in processes.values():
            process.stdout.readline()  # it is ready, and waits
        for _ in range(rounds):
            for way, process in processes.items():
                print(file=process.stdin, flush=True)
                seconds[way].append(float(process.stdout.readline()))
    own, *others = map(statistics.median, seconds.values())
    found = zip(ways[1:], others, strict=True)
    said = ", ".join(f"{s:.1f} s with {way} ({s / own:.1f} times as long)" for way, s in found)
    return (
        f"An epoch takes {own:.1f} s, {said}; {fr.get_num_threads()} threads, NumPy's BLAS on up to {os.cpu_count()}."
    )


# -- the program ---------------------------------------------------------------------------------------------------


def in_another_process(model, path, notes):
    """What `sample` writes there, from a file alone: the model, and its other arguments as notes."""
    fr.save(model, path, notes=notes)
    command = [sys.executable, "-X", "utf8", __file__, "--continue", path]
    return subprocess.run(command, stdout=subprocess.PIPE).stdout.decode()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--text", metavar="FILE", help="UTF-8; default: Python's help texts")
    parser.add_argument("--epochs", type=int, default=3, help="over the text; default: %(default)s")
    parser.add_argument("--hidden", type=int, default=256, help="LSTM units; default: %(default)s")
    parser.add_argument("--temperature", type=float, default=0.8, help="of what it writes; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    parser.add_argument("--checkpoint", metavar="PATH", help="kept after every epoch; gone on from, if it is there")
    parser.add_argument("--save", metavar="PATH", help="keep the model, with its vocabulary")
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--continue", metavar="PATH", dest="saved", help="let that model write")
    arguments = parser.parse_args()
    if arguments.save and not Path(arguments.save).parent.is_dir():  # say so before the training
        parser.error(f"--save: there is no folder {Path(arguments.save).parent}")
    if not arguments.temperature > 0:
        parser.error(f"--temperature: expected a number above 0, got {arguments.temperature}")
    return arguments


def main():
    # Not every terminal can show every character; in a log, lines stay in order with the progress.
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
    V = len(vocabulary) + 1  # the last one stands for every character that training never saw
    tokens = encode(text, vocabulary)
    training, validation = tokens[:split], tokens[split:]
    model = make_model(V, arguments.hidden, seed)
    if arguments.measure:
        print("ready")
        for _ in sys.stdin:  # each line is a turn
            print(measure(arguments.measure, model, *columns(training, N)))
        return
    size = sum(p.size for p in model.params.values())
    print(f"Text:  {arguments.text or 'the help texts that come with Python'}")
    print(f"       {len(training):,} characters to learn from, {len(validation):,} to validate on")
    print(f"Model: LSTM of {arguments.hidden} units, {size:,} parameters; {fr.get_num_threads()} threads")
    print(f"       (Losses in the bar are in nats; one is {1 / math.log(2):.2f} bits.)\n")

    start = time.perf_counter()
    history = train(model, training, validation, arguments.epochs, arguments.checkpoint)
    seconds = time.perf_counter() - start
    if history.interrupted:
        print(f"Stopped after {history.epochs} epochs. On with the model as it is.")
    unigram, bigram = baselines(training, validation, V)
    bits = bits_per_character(model, validation)
    print("\nBits per character of the validation text:\n")
    for name, value in zip(history.get("epoch", []), history.get("val_loss", []), strict=True):
        print(f"    epoch {name:<4} {value / math.log(2):6.3f}    (read in {N} parts)")
    print(f"    unigram    {unigram:6.3f}    (counts of the training text, add-one smoothing)")
    print(f"    bigram     {bigram:6.3f}    (the same)")
    print(f"    LSTM       {bits:6.3f}    {bigram - bits:.3f} under the bigram's\n")
    if unknown := np.count_nonzero(validation == V - 1):
        print(f"{unknown} of its characters never occur in training. All three models take them")
        print("for one and need not say which: their losses are a little too low.\n")

    write = {"vocabulary": vocabulary, "temperature": arguments.temperature, "seed": seed}
    written = sample(model, text=PROMPT, length=2 * LENGTH, **write)
    first = written[: len(PROMPT) + LENGTH]
    print(f"The LSTM writes, at temperature {arguments.temperature:g}:\n")
    print("    " + first.replace("\n", "\n    ") + "\n")
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.save or os.path.join(folder, "model.safetensors")
        if in_another_process(model, path, write | {"text": first, "length": LENGTH}) != written:
            sys.exit("A second process loaded the model and wrote on, but not as this one does.")
    print(f"A second process loaded the model and wrote on: the same {LENGTH} characters as here.")
    options = ["--hidden", str(arguments.hidden), *(["--text", arguments.text] if arguments.text else [])]
    print(compare([way for way in WAYS if way != "PyTorch" or importlib.util.find_spec("torch")], options))
    if bigram - bits < CLEARLY:
        sys.exit(f"The LSTM is not clearly ({CLEARLY} bits) under the bigram: more --epochs?")
    print(
        f"\nAfter {seconds:.0f} s of training, new text costs the LSTM {bits:.2f} bits per character, "
        f"{bigram - bits:.2f} less than counting pairs does."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
