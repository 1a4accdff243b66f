# SPDX-License-Identifier: BSD-3-Clause
"""For language_model.py: the same training with fastrnn, NumPy and PyTorch, and how long an epoch takes with each.

Each function trains a model once on inputs x and targets y (steps, N), T steps at a time.
"""

import contextlib
import copy
import os
import statistics
import subprocess
import sys
import time

import numpy as np

import fastrnn as fr
from fastrnn import reference

MAX_NORM = 1.0


def train_with_fastrnn(model, x, y, T):
    fr.fit(
        model, fr.cross_entropy, x, y, epochs=1, batch_size=x.shape[1], shuffle=False, truncate=T, clip=MAX_NORM,
        progress=False,
    )  # fmt: skip


def train_with_numpy(model, x, y, T):
    """Train with the LSTM in plain NumPy."""
    embedding, lstm, linear = model.layers
    adam, h, c = fr.Adam(model), *np.zeros((2, x.shape[1], lstm.hidden_size), np.float32)
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


def train_with_pytorch(model, x, y, T):
    import torch

    torch.set_num_threads(fr.get_num_threads())
    V, H = model.layers[2].params["weight"].shape
    I = model.layers[0].params["weight"].shape[1]
    modules = embedding, lstm, linear = torch.nn.Embedding(V, I), torch.nn.LSTM(I, H), torch.nn.Linear(H, V)
    for module, layer in zip(modules, model.layers, strict=True):
        module.load_state_dict({name: torch.from_numpy(p) for name, p in layer.state_dict().items()})
    parameters = [p for module in modules for p in module.parameters()]
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
    for module, layer in zip(modules, model.layers, strict=True):
        layer.load_state_dict({name: p.numpy() for name, p in module.state_dict().items()})


LIBRARIES = {"fastrnn": train_with_fastrnn, "the LSTM in NumPy": train_with_numpy, "PyTorch": train_with_pytorch}


def measure(library, model, x, y, T):
    """Estimate the seconds of an epoch from a part of it, after a warm-up on the part before."""
    model, end = copy.deepcopy(model), min(10 * T, len(x))
    warm = end // 4
    LIBRARIES[library](model, x[:warm], y[:warm], T)
    start = time.perf_counter()
    LIBRARIES[library](model, x[warm:end], y[warm:end], T)
    return (time.perf_counter() - start) * len(x) / len(x[warm:end])


def serve(library, model, x, y, T):
    """In a process started by `compare`: measure once for each line of standard input."""
    print("ready")
    for _ in sys.stdin:
        print(measure(library, model, x, y, T))


def compare(libraries, command, rounds=3):
    """A sentence about the time of an epoch: medians over processes that take turns.

    Each library has a process of its own, started by `command` and the name of the library, because the threads of two
    libraries in one process would disturb each other.
    """
    pipe, processes, seconds = subprocess.PIPE, {}, {library: [] for library in libraries}
    with contextlib.ExitStack() as stack:
        for library in libraries:
            process = subprocess.Popen([*command, library], stdin=pipe, stdout=pipe, text=True)
            processes[library] = stack.enter_context(process)
        for process in processes.values():
            process.stdout.readline()  # until it is ready
        for _ in range(rounds):
            for library, process in processes.items():
                print(file=process.stdin, flush=True)
                seconds[library].append(float(process.stdout.readline()))
    own, *others = map(statistics.median, seconds.values())
    text = ", ".join(
        f"{s:.1f} s with {library} ({s / own:.1f} times as long)"
        for library, s in zip(libraries[1:], others, strict=True)
    )
    return (
        f"An epoch takes {own:.1f} s, {text}; {fr.get_num_threads()} threads, NumPy's BLAS on up to {os.cpu_count()}."
    )
