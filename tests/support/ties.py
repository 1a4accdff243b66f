# SPDX-License-Identifier: BSD-3-Clause
"""Models in which one layer is in several places, and the same with a layer of its own in each place."""

import json

import numpy as np

import fastrnn as fr
from fastrnn.io._architectures import build
from fastrnn.io._custom import finder
from fastrnn.nn._options import described


def twice(dtype=np.float64, seed=0):
    """The plainest: "0." and "1." name the same arrays."""
    layer = fr.RNN(3, 3, dtype=dtype, seed=seed)
    return fr.Sequential(layer, layer)


def nested(dtype=np.float64, seed=0):
    layer = fr.GRU(3, 3, dtype=dtype, seed=seed)
    return fr.Sequential(fr.Sequential(layer), layer, fr.Linear(3, 2, dtype=dtype, seed=seed + 1))


def residual(dtype=np.float64, seed=0):
    """A Residual gives no name: "0." and "1.1." are those of the LSTM."""
    layer, linear = fr.LSTM(3, 3, dtype=dtype, seed=seed), fr.Linear(3, 3, dtype=dtype, seed=seed + 1)
    return fr.Sequential(fr.Residual(layer), fr.Sequential(linear, fr.Residual(fr.Residual(layer))), linear)


def containers(dtype=np.float64, seed=0):
    """A container is in two places, and a layer in it in one more."""
    layer = fr.RNN(3, 3, dtype=dtype, seed=seed)
    block = fr.Sequential(layer, fr.LayerNorm(3, dtype=dtype))
    return fr.Sequential(block, fr.Residual(block), layer)


def dropout(dtype=np.float64, seed=0):
    """What is shared has no parameters, but a generator."""
    layer = fr.Dropout(0.5, dtype=dtype, seed=seed)
    return fr.Sequential(fr.RNN(3, 3, dtype=dtype, seed=seed), layer, fr.Linear(3, 3, dtype=dtype, seed=seed), layer)


def translator(dtype=np.float64, seed=0):
    """One embedding for the source and the target."""
    own = {"dtype": dtype}
    embedding = fr.Embedding(10, 3, seed=seed, **own)
    return fr.Seq2Seq(
        fr.Sequential(embedding, fr.GRU(3, 4, seed=seed + 1, **own)), embedding, fr.GRU(3, 4, seed=seed + 2, **own),
        fr.Linear(4, 10, seed=seed + 3, **own),
    )  # fmt: skip


TIED = {make.__name__: make for make in (twice, nested, residual, containers, dropout, translator)}


def untied(model):
    """The same model, with the same parameters, with a layer of its own in each place."""
    other = build(json.loads(json.dumps(described(model))), finder())
    other.load_state_dict(model.state_dict())
    return other


def accumulate(model, seed=0):
    """The gradients of one pass, the last output's own values as its gradient; the output."""
    rng = np.random.default_rng(seed)
    if isinstance(model, fr.Seq2Seq):
        y, *_, tape = model.forward(rng.integers(0, 10, (5, 2)), rng.integers(0, 10, (4, 2)))
    else:
        y, *_, tape = model.forward(rng.standard_normal((5, 2, 3)).astype(model.dtype))
    model.zero_grad()
    model.backward(tape, y)
    return y


def learn(model, optimizer, steps=3, seed=0):
    for t in range(steps):
        accumulate(model, seed + t)
        optimizer.step()


def places(layer, prefix=""):
    """The layers of a model by their place, containers included."""
    found = {prefix: layer}
    for name, child in layer.children().items():
        found |= places(child, f"{prefix}/{name}")
    return found


def assert_tied_alike(actual, expected):
    """The same places hold the same layer in both models, and no layer is in both."""
    ours, theirs = places(actual), places(expected)
    assert ours.keys() == theirs.keys()
    for a in ours:
        assert [ours[a] is ours[b] for b in ours] == [theirs[a] is theirs[b] for b in theirs], a
    assert not {*map(id, ours.values())} & {*map(id, theirs.values())}
