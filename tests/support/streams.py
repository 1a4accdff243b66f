# SPDX-License-Identifier: BSD-3-Clause
"""Models of every kind that have a stream, and the check that its steps are the sequence."""

import numpy as np
from support.cells import recurrent
from support.layers import assert_same_bits

import fastrnn as fr


class Doubled(fr.nn.StatelessLayer):
    """A layer of a user's own that says that it treats all positions alike."""

    keeps_axes = True

    def features_after(self, features):
        return features

    def _forward(self, x, training):
        return x + x, None

    def _backward(self, saved, dy):
        return dy + dy


def tokens():
    return fr.Sequential(
        fr.Embedding(10, 4, seed=0),
        fr.Dropout(0.5, shared_steps=True),
        fr.LSTM(4, 6, 2, seed=1),
        fr.Linear(6, 10, seed=2),
    )


def nested():
    inner = fr.Sequential(fr.Linear(6, 6, seed=1), fr.RNN(6, 6, seed=2), fr.Activation("relu"))
    return fr.Sequential(
        fr.GRU(3, 6, learn_initial_state=True, seed=0), inner, fr.Residual(fr.Sequential(fr.LSTM(6, 6, seed=3))),
        fr.Residual(fr.Linear(6, 6, seed=4)), fr.Linear(6, 2, seed=5),
    )  # fmt: skip


def of_cells():
    return fr.Sequential(fr.Linear(3, 3, seed=0), recurrent(bidirectional=False), fr.LayerNorm(4), Doubled())


# name: (a function that makes the model, the features of x, or None for tokens below 10)
MODELS = {
    "layer": (lambda: fr.LSTM(3, 5, 2, seed=0), 3),
    "cell": (lambda: recurrent(bidirectional=False), 3),
    "engine": (lambda: fr.Sequential(fr.GRU(3, 8, seed=0), fr.Dropout(0.5), fr.Linear(8, 2, seed=1)), 3),
    "names": (lambda: fr.Sequential(rnn=fr.RNN(3, 5, seed=0), out=fr.Activation("softmax")), 3),
    "batch_first": (lambda: fr.Sequential(fr.GRU(3, 5, batch_first=True, seed=0), fr.LayerNorm(5)), 3),
    "tokens": (tokens, None),
    "nested": (nested, 3),
    "cells": (of_cells, 3),
    "residual": (lambda: fr.Residual(fr.GRU(3, 3, seed=0)), 3),
    "stateless": (lambda: fr.Sequential(fr.Linear(3, 4, seed=0), fr.Activation("tanh")), 3),
    "dropout": (lambda: fr.Sequential(fr.Dropout(0.5)), 3),
    "residual of linear": (lambda: fr.Residual(fr.Linear(3, 3, seed=0)), 3),
}


def made(name):
    """A model, with parameters of its initial state other than 0."""
    model = MODELS[name][0]()
    for key, array in model.params.items():
        if key.endswith("h0"):
            array[...] = np.linspace(-1, 1, array.size).reshape(array.shape)
    return model


def block_for(name, rng, T=7, batch=2):
    """An input (T, N, I), or tokens (T, N)."""
    features = MODELS[name][1]
    if features is None:
        return rng.integers(0, 10, (T, batch))
    return rng.standard_normal((T, batch, features)).astype(np.float32)


def at_once(model, block, state=None):
    """y (T, N, O) of the whole sequence, and the state after it; None if the model has none."""
    first = getattr(model, "batch_first", None)
    x = block.swapaxes(0, 1) if first else block
    result = model(x, state) if model.stateful else model(x)
    y, final = result if isinstance(result, tuple) else (result, None)
    return (np.ascontiguousarray(y.swapaxes(0, 1)) if first else y), final


def same_state(actual, expected):
    """Two states, however nested, have the same bits."""
    if isinstance(expected, tuple):
        assert isinstance(actual, tuple) and len(actual) == len(expected)
        for ours, theirs in zip(actual, expected, strict=True):
            same_state(ours, theirs)
    elif expected is None:
        assert actual is None
    else:
        assert_same_bits(actual, expected)
