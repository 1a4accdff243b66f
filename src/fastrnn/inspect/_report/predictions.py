# SPDX-License-Identifier: BSD-3-Clause
"""What a model says at each step of one sequence, and which of the steps before made it say so."""

import numpy as np

from ...nn._layer import leaves
from ...nn._pooling import Pool
from ...nn._recurrent.recurrent import Recurrent
from ...nn._repeat import RepeatVector
from ...nn._residual import Residual
from ...nn._sequential import Sequential
from .._gradients.target import reading_vectors

__all__ = ["is_causal", "log_softmax", "recent_influence"]

BLOCK = 128  # windows that are gone through together: some ten megabytes of tape


def is_causal(model):
    """Whether a model says something at each step, and of the steps up to there only."""
    parts = leaves(model)
    forward = not any(isinstance(layer, Recurrent) and layer.bidirectional for layer in parts)
    return forward and not any(isinstance(layer, Pool | RepeatVector) for layer in parts)


def log_softmax(logits):
    """The logarithms of the probabilities that logits (..., V) stand for, in float64."""
    logits = np.asarray(logits, np.float64)
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def recent_influence(model, x, found, chosen, window, softmax=False):
    """How much what a model says at each step hangs on each of the latest steps.

    Of the output ``chosen[s]`` at step s the gradient with respect to the vector that is read at step t (of a token:
    its embedding), as its L2 norm. It is exact, and costs a forward and a backward pass over `window` steps for each
    step: the state before them is that of the trace, and what lies further back is not looked at.

    Parameters
    ----------
    model : Layer
        For which `is_causal` holds.
    x : ndarray, shape (T,) or (T, I)
        Unbatched, as ``model(x)``.
    found : Trace
        Of ``trace(model, x)``.
    chosen : ndarray of int, shape (T,)
    window : int
    softmax : bool
        The outputs are logits, and the gradient is that of the logarithm of the probability.

    Returns
    -------
    ndarray, shape (T, window)
        At [s, k] the influence of step s - k; 0 where there is no such step.
    """
    embedding, model = reading_vectors(model.inference_copy())
    vectors = x if embedding is None else embedding(x)
    T, batch_first = len(vectors), bool(model.batch_first)
    influence = np.zeros((T, window))
    for block in np.array_split(np.arange(T), -(-T // BLOCK)):
        starts = np.maximum(0, block - window + 1)
        lengths = block - starts + 1
        at = np.minimum(starts + np.arange(window)[:, None], T - 1)  # (window, rows)
        windows = vectors[at.T if batch_first else at]
        y, _, tape = model.forward(windows, state_before(model, "", found, starts), lengths)
        rows = np.arange(len(block))
        last = (rows, lengths - 1) if batch_first else (lengths - 1, rows)
        dy = np.zeros(y.shape, y.dtype)
        dy[last] = -np.exp(log_softmax(y[last])) if softmax else 0
        dy[*last, chosen[block]] += 1
        dx, _ = model.backward(tape, dy)
        norms = np.sqrt(np.square(dx, dtype=float).sum(axis=-1))
        norms = norms.T if batch_first else norms
        for k in range(window):
            there = lengths > k
            influence[block[there], k] = norms[lengths[there] - 1 - k, rows[there]]
    return influence


def state_before(layer, name, found, starts):
    """The state of a model before each of the steps `starts`, as a batch of these; zero before step 0."""
    if isinstance(layer, Sequential):
        inner = [(part, f"{name}{k}.") for k, part in enumerate(layer.layers) if part.stateful]
        return tuple(state_before(part, its_name, found, starts) for part, its_name in inner)
    if isinstance(layer, Residual):
        return state_before(layer.layer, name, found, starts)
    state = []
    for part in getattr(layer, "_parts", ("h",)):  # an EchoState has h
        steps = found[name + part][:, 0, :, 0]  # (L, T, H)
        array = steps[:, np.maximum(starts - 1, 0)]
        array[:, starts == 0] = 0
        state.append(array)
    return tuple(state) if len(state) > 1 else state[0]
