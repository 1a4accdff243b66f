# SPDX-License-Identifier: BSD-3-Clause
"""An AttentionDecoder one step at a time: always with input feeding; without it when the next input is not known yet.

    forward     for each step:            z_t = [x_t; y_(t-1)], or x_t without input feeding
                                          h_t = layer(z_t)
                                          both = [attend(h_t, memory); h_t]
                                          y_t = tanh(combine(both))
    backward    for each, from the last:  the same lines in reverse; the gradient of y_(t-1) goes to the step before

Sequences are time-major, and a memory is an `AttentionMemory`, as `Attention.prepare` returns it.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..._engine.arguments import Array
from ..._engine.layout import StateArrays, as_state, as_states
from .._parameters import NamedArrays
from .._tape import Tape
from . import scores
from .scores import AttentionMemory, MemoryGradients


class Step(NamedTuple):
    """What one step saves for `step_back`."""

    running: Array | None  # (N,): which rows have this step; None is all
    layer_tape: Tape
    query_tape: Tape | None
    combine_tape: Tape
    query: Array  # (N, K)
    weights: Array  # (T, N), 0 in rows that do not have this step


def step(
    decoder: Any, x: Array, memory: AttentionMemory, state: Any, running: Array | None = None, training: bool = False
) -> tuple[Array, Any, Array, Step | None]:
    """One step of all rows: x (N, E) gives y (N, A), the state, the weights (T, N), and a Step in training."""
    N = len(x)
    layer_state, last_y = state if decoder.input_feeding else (state, None)
    z = x if last_y is None else np.concatenate([x, last_y[0]], axis=-1)
    lengths = None if running is None else running.astype(np.intp)
    h, layer_state, layer_tape = decoder.layer.apply(_as_sequence(z, decoder), layer_state, lengths, training)
    h = h.reshape(N, decoder.layer.hidden_size)
    query, query_tape = decoder.attention.project(h, training)
    context, weights = scores.attend(query, memory)
    y, _, combine_tape = decoder.combine.apply(np.concatenate([context, h], axis=-1), None, None, training)
    np.tanh(y, out=y)
    if running is not None:
        last_y = None if last_y is None else np.where(running[:, None], y, last_y[0])[None]
        y[~running], weights[:, ~running] = 0, 0
    elif last_y is not None:
        last_y = y[None]
    state = layer_state if last_y is None else (layer_state, last_y)
    saved = Step(running, layer_tape, query_tape, combine_tape, query, weights) if training else None
    return y, state, weights, saved


def step_back(
    decoder: Any,
    saved: Step,
    y: Array,
    gradients: tuple[Array, Any, Array | None],
    memory: AttentionMemory,
    memory_gradients: MemoryGradients,
) -> tuple[Array, Any]:
    """Back through `step`: the gradients of x (N, E) and of the state; those of the parameters are added.

    Parameters
    ----------
    decoder : AttentionDecoder
    saved : Step
    y : ndarray, shape (N, A)
    gradients : tuple
        Of y, (N, A); of the state after the step, that of the layer and of the last y, (1, N, A); of the weights, (N,
        T), or None.
    memory : AttentionMemory
    memory_gradients : MemoryGradients
    """
    dy, (dlayer, (dlast,)), dweights = gradients
    running, N = saved.running, len(y)
    M, E = memory.values.shape[-1], decoder.input_size
    dy = dy + dlast
    if running is not None:
        dy[~running] = 0
    dboth = decoder.combine.backward(saved.combine_tape, dy * (1 - np.square(y)))
    dquery = scores.attend_back(saved.query, saved.weights, dboth[:, :M], dweights, memory, memory_gradients)
    dh = decoder.attention.project_back(saved.query_tape, dquery) + dboth[:, M:]
    dz, dlayer = decoder.layer.backward(saved.layer_tape, _as_sequence(dh, decoder), dlayer)
    dz = dz.reshape(N, decoder.layer.input_size)
    dbefore = dz[:, E:] if running is None else np.where(running[:, None], dz[:, E:], dlast)
    return dz[:, :E], (dlayer, dbefore[None])


def forward(
    decoder: Any, x: Array, memory: AttentionMemory, state: Any, padding: Array | None, training: bool
) -> tuple[Array, Any, Array, Any]:
    """All steps of a decoder with input feeding.

    Parameters
    ----------
    decoder : AttentionDecoder
    x : ndarray, shape (T, N, E)
    memory : AttentionMemory
    state
        As the caller provides it.
    padding : ndarray, shape (T, N), or None
        Which steps lie beyond their row's length.
    training : bool

    Returns
    -------
    y : ndarray, shape (T, N, A)
    state
    weights : ndarray, shape (T, N, S)
    saved : (AttentionMemory, list of Step)
    """
    (T, N, _), S = x.shape, len(memory.values)
    y = np.empty((T, N, decoder.combine.out_features), x.dtype)
    weights = np.empty((T, N, S), x.dtype)
    provided, steps = state, []
    state = as_decoder_states(decoder, "state", state, N, decoder.layer.initial_states(N))
    if T and (provided is None or provided[0] is None):
        state = None, state[1]  # the layer begins by itself, so that an initial state that it learns gets its gradient
    for t in range(T):
        running = None if padding is None or not padding[t].any() else ~padding[t]
        y[t], state, columns, saved = step(decoder, x[t], memory, state, running, training)
        weights[t] = columns.T
        steps.append(saved)
    return y, state, weights, (memory, steps)


def backward(
    decoder: Any, saved: Any, y: Array, dy: Array, dstate: Any, dweights: Array | None
) -> tuple[Array, Array, Any]:
    """Back through `forward`: time-major dx, dmemory, and the gradient of the initial state."""
    memory, steps = saved
    T, N, _ = y.shape
    memory_gradients = MemoryGradients(memory)
    dx = np.empty((T, N, decoder.input_size), y.dtype)
    with _summed_first(decoder.grads):
        for t in reversed(range(T)):
            gradients = dy[t], dstate, None if dweights is None else dweights[t]
            dx[t], dstate = step_back(decoder, steps[t], y[t], gradients, memory, memory_gradients)
        dmemory = decoder.attention.prepare_back(memory, memory_gradients)
    return dx, dmemory, dstate


@contextlib.contextmanager
def _summed_first(grads: NamedArrays) -> Iterator[None]:
    """Sum what the block adds before adding it to earlier gradients: `backward` then adds the same bits every time."""
    before = {name: grad.copy() for name, grad in grads.items()}
    for _, grad in grads.items():
        grad.fill(0)
    yield
    for name, grad in grads.items():
        grad += before[name]


def _as_sequence(array: Array, decoder: Any) -> Array:
    """(N, F) as one step in the layout of the decoder's layer."""
    return np.expand_dims(array, 1 if decoder.batch_first else 0)


def as_decoder_states(
    decoder: Any, name: str, state: Any, N: int, initial: StateArrays = (None, None)
) -> tuple[Any, Array]:
    """A pair of arrays, the state of the layer, by default `initial`, and the last y (1, N, A); zeros for None."""
    if state is None:
        state = None, None
    if not isinstance(state, tuple | list) or len(state) != 2:
        got = f"{len(state)} of them" if isinstance(state, tuple | list) else type(state).__name__
        raise TypeError(f"{name}: expected a pair, the state of the layer and the last y, got {got}")
    layer, A = decoder.layer, decoder.combine.out_features
    shape = (layer.num_layers, N, layer.hidden_size)
    inner = as_states(f"{name}[0]", state[0], layer.cell.parts, shape, True, layer.dtype)
    (last_y,) = as_states(f"{name}[1]", state[1], ("y",), (1, N, A), True, layer.dtype)
    inner = tuple(other if array is None else array for array, other in zip(inner, initial, strict=False))
    layer_state = as_state(np.zeros(shape, layer.dtype) if array is None else array for array in inner)
    return layer_state, np.zeros((1, N, A), layer.dtype) if last_y is None else last_y
