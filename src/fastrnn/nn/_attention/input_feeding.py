# SPDX-License-Identifier: BSD-3-Clause
"""A decoder one step at a time: with input feeding always, without it when what it reads is not known beforehand.

    forward     for each step:            z_t = [x_t; y_(t-1)], or x_t without input feeding
                                          h_t = layer(z_t)
                                          both = [attend(h_t, memory); h_t]
                                          y_t = tanh(combine(both))
    backward    for each, from the last:  the same lines upwards; the gradient of y_(t-1) goes to the step before

Sequences are time-major here, and a memory is what `Attention.prepare` makes of it.
"""

import contextlib
from typing import NamedTuple

import numpy as np

from ..._engine.layout import as_states
from .._layer import results
from . import scores


class Step(NamedTuple):
    """What one step leaves for its way back."""

    running: np.ndarray | None  # (N,): which rows have this step; None is all
    run: object  # tapes of layer, query and combine
    asked: object
    combined: object
    query: np.ndarray  # (N, K)
    weights: np.ndarray  # (T, N), 0 in rows that do not have this step


def step(decoder, x, memory, state, running=None, keep=False):
    """One step of all rows: x (N, E) gives y (N, A), the state, the weights (T, N), and a Step if `keep`."""
    method, N = "forward" if keep else "__call__", len(x)
    layer, feed = state if decoder.input_feeding else (state, None)
    z = x if feed is None else np.concatenate([x, feed[0]], axis=-1)
    lengths = None if running is None else running.astype(np.intp)
    h, layer, *run = getattr(decoder.layer, method)(_as_sequence(z, decoder), layer, lengths)
    h = h.reshape(N, decoder.layer.hidden_size)
    query, asked = decoder.attention.project(h, keep)
    context, weights = scores.attend(query, memory)
    y, *combined = results(getattr(decoder.combine, method)(np.concatenate([context, h], axis=-1)))
    np.tanh(y, out=y)
    if running is not None:
        feed = None if feed is None else np.where(running[:, None], y, feed[0])[None]
        y[~running], weights[:, ~running] = 0, 0
    elif feed is not None:
        feed = y[None]
    state = layer if feed is None else (layer, feed)
    return y, state, weights, Step(running, *run, asked, *combined, query, weights) if keep else None


def step_back(decoder, saved, y, dy, dstate, dweights, memory, gradients):
    """Back through `step`: dx (N, E) and the gradient of the state; the others are added.

    Parameters
    ----------
    saved : Step
    y, dy : ndarray, shape (N, A)
    dstate : tuple
        Gradient of the state after the step: that of the layer, and of the last y, (1, N, A).
    dweights : ndarray, shape (N, T), or None
    memory, gradients : scores.Memory, scores.Gradients
    """
    running, N = saved.running, len(y)
    M, E = memory.values.shape[-1], decoder.input_size
    dlayer, (dfeed,) = dstate
    dy = dy + dfeed
    if running is not None:
        dy[~running] = 0
    dboth = decoder.combine.backward(saved.combined, dy * (1 - np.square(y)))
    dquery = scores.attend_back(saved.query, saved.weights, dboth[:, :M], dweights, memory, gradients)
    dh = decoder.attention.project_back(saved.asked, dquery) + dboth[:, M:]
    dz, dlayer = decoder.layer.backward(saved.run, _as_sequence(dh, decoder), dlayer)
    dz = dz.reshape(N, decoder.layer.input_size)
    before = dz[:, E:] if running is None else np.where(running[:, None], dz[:, E:], dfeed)
    return dz[:, :E], (dlayer, before[None])


def forward(decoder, x, memory, state, beyond, keep):
    """All steps of a decoder with input feeding.

    Parameters
    ----------
    x : ndarray, shape (T, N, E)
    memory : scores.Memory
    state
        As the caller gives it.
    beyond : ndarray, shape (T, N), or None
        Which steps lie beyond their row's length.
    keep : bool

    Returns
    -------
    y : ndarray, shape (T, N, A)
    state
    weights : ndarray, shape (T, N, S)
    saved : (Memory, list of Step)
    """
    (T, N, _), S = x.shape, len(memory.values)
    y = np.empty((T, N, decoder.combine.out_features), x.dtype)
    weights = np.empty((T, N, S), x.dtype)
    state, steps = _states(decoder, "state", state, N), []
    for t in range(T):
        running = None if beyond is None or not beyond[t].any() else ~beyond[t]
        y[t], state, columns, saved = step(decoder, x[t], memory, state, running, keep)
        weights[t] = columns.T
        steps.append(saved)
    return y, state, weights, (memory, steps)


def backward(decoder, saved, y, dy, dstate, dweights):
    """Back through `forward`: time-major dx, dmemory, and the gradient of the initial state."""
    memory, steps = saved
    T, N, _ = y.shape
    dstate = _states(decoder, "dstate", dstate, N)
    gradients = scores.Gradients(memory)
    dx = np.empty((T, N, decoder.input_size), y.dtype)
    with _at_once(decoder.grads):
        for t in reversed(range(T)):
            dweights_t = None if dweights is None else dweights[t]
            dx[t], dstate = step_back(decoder, steps[t], y[t], dy[t], dstate, dweights_t, memory, gradients)
        dmemory = decoder.attention.prepare_back(memory, gradients)
    return dx, dmemory, dstate


@contextlib.contextmanager
def _at_once(grads):
    """What is added in the block is added up before it meets what has been there: backward adds the same every time."""
    before = {name: grads.peek(name).copy() for name in grads}
    for name in grads:
        grads.peek(name).fill(0)
    yield
    for name, array in before.items():
        grads.peek(name)[...] += array


def _as_sequence(array, decoder):
    """(N, F) as one step in the layout of the decoder's layer."""
    return np.expand_dims(array, 1 if decoder.batch_first else 0)


def _states(decoder, name, state, N):
    """A pair (state of the layer, last y (1, N, A)) of arrays; zeros for what is None."""
    if state is None:
        state = None, None
    if not isinstance(state, tuple | list) or len(state) != 2:
        got = f"{len(state)} of them" if isinstance(state, tuple | list) else type(state).__name__
        raise TypeError(f"{name}: expected a pair, the state of the layer and the last y, got {got}")
    layer, A = decoder.layer, decoder.combine.out_features
    shape = (layer.num_layers, N, layer.hidden_size)
    inner = as_states(f"{name}[0]", state[0], layer._parts, shape, True, layer.dtype)
    inner = tuple(np.zeros(shape, layer.dtype) if array is None else array for array in inner)
    (feed,) = as_states(f"{name}[1]", state[1], ("y",), (1, N, A), True, layer.dtype)
    return inner if len(inner) > 1 else inner[0], np.zeros((1, N, A), layer.dtype) if feed is None else feed
