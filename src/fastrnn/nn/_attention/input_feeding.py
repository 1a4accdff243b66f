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

from ..._engine import recycled
from ..._engine.arguments import Array
from ..._engine.attention import attend
from ..._engine.layout import StateArrays, as_state, as_states
from .._parameters import NamedArrays
from .._recurrent.by_steps import StepsBack
from .._tape import Tape
from .scores import AttentionMemory, MemoryGradients


class Written(NamedTuple):
    """The outputs of one step, or of all steps with a leading axis T."""

    both: Array  # (N, M + H): the context and h
    weights: Array  # (N, S), 0 in rows that do not have this step
    y: Array  # (N, A), likewise

    @classmethod
    def of(cls, decoder: Any, memory: AttentionMemory, *steps: int) -> "Written":
        """New arrays, of T steps or of one."""
        N, S, M = memory.of.values.shape
        widths = M + decoder.layer.hidden_size, S, decoder.combine.out_features
        return cls(*(recycled.empty((*steps, N, width), decoder.dtype) for width in widths))

    def at(self, t: int) -> "Written":
        """The outputs of one step."""
        return Written(self.both[t], self.weights[t], self.y[t])


class Step(NamedTuple):
    """The data that one step saves besides its outputs."""

    running: Array | None  # (N,): which rows have this step; None is all
    layer_tape: Tape
    query_saved: Any
    combine_saved: Any
    query: Array  # (N, K)


class Saved(NamedTuple):
    """The data that all steps save."""

    memory: AttentionMemory
    z: Array  # (T, N, E + A): what the layer read
    both: Array  # (T, N, M + H)
    weights: Array  # (T, N, S)
    steps: list[Step]


def step(
    decoder: Any,
    z: Array,
    memory: AttentionMemory,
    state: Any,
    written: Written,
    running: Array | None = None,
    training: bool = False,
) -> tuple[Any, Step | None]:
    """One step of all rows: z (N, I) and the layer's state give `written`, the state, and a Step in training."""
    N, M = len(z), decoder.attention.memory_size
    lengths = None if running is None else running.astype(np.intp)
    h, state, layer_tape = decoder.layer.apply(_as_sequence(z, decoder), state, lengths, training)
    h = h.reshape(N, decoder.layer.hidden_size)
    query, query_saved = _query(decoder.attention, h, training)
    attend(query[None], memory.among(running).of, written.both[None, :, :M], written.weights[None])
    written.both[:, M:] = h
    y, combine_saved = decoder.combine._forward(written.both, training)
    np.tanh(y, out=written.y)
    if running is not None:
        written.y[~running] = 0
    return state, Step(running, layer_tape, query_saved, combine_saved, query) if training else None


def step_alone(decoder: Any, x: Array, memory: AttentionMemory, state: Any) -> tuple[Array, Any, Array]:
    """A step of inference, given the state of an AttentionDecoder: y (N, A), the state and the weights (N, S)."""
    written = Written.of(decoder, memory)
    if not decoder.input_feeding:
        state, _ = step(decoder, x, memory, state, written)
        return written.y, state, written.weights
    inner, (last_y,) = state
    inner, _ = step(decoder, np.concatenate([x, last_y], axis=-1), memory, inner, written)
    return written.y, (inner, written.y[None]), written.weights


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
    saved : Saved
    """
    T, N, E = x.shape
    inner, (last_y,) = as_decoder_states(decoder, "state", state, N, decoder.layer.initial_states(N))
    if T and (state is None or state[0] is None):
        inner = None  # the layer begins by itself, so that an initial state that it learns gets its gradient
    z, written = recycled.empty((T, N, decoder.layer.input_size), x.dtype), Written.of(decoder, memory, T)
    z[..., :E] = x
    steps = []
    for t in range(T):
        running = None if padding is None or not padding[t].any() else ~padding[t]
        z[t, :, E:] = last_y
        inner, made = step(decoder, z[t], memory, inner, written.at(t), running, training)
        last_y = written.y[t] if running is None else np.where(running[:, None], written.y[t], last_y)
        steps.append(made)
    weights = written.weights.copy() if training else written.weights
    saved = Saved(memory, z, written.both, written.weights, steps)  # type: ignore[arg-type]
    return written.y, (inner, last_y[None].copy()), weights, saved


def backward(
    decoder: Any, saved: Saved, y: Array, dy: Array, dstate: Any, dweights: Array | None
) -> tuple[Array, Array, Any]:
    """The backward pass of `forward`: time-major dx, dmemory, and the gradient of the initial state."""
    memory, weights, attention = saved.memory, saved.weights, decoder.attention
    (T, N, A), M, E = y.shape, attention.memory_size, decoder.input_size
    of_memory, dscores = MemoryGradients(memory.of), recycled.empty(weights.shape, y.dtype)
    dboth, dsum = recycled.empty(saved.both.shape, y.dtype), recycled.empty((T, N, A), y.dtype)
    queries, dqueries = recycled.empty((2, T, N, memory.of.keys.shape[2]), y.dtype)
    dx = recycled.empty((T, N, E), y.dtype)
    layer = StepsBack(decoder.layer, saved.z, saved.both[..., M:])
    dinner, (dlast,) = dstate
    with _summed_first(decoder.grads):
        for t in reversed(range(T)):
            running, layer_tape, query_saved, combine_saved, queries[t] = saved.steps[t]
            np.add(dy[t], dlast, out=dsum[t])
            if running is not None:
                dsum[t, ~running] = 0
            dsum[t] *= 1 - np.square(y[t])
            dboth[t] = decoder.combine.input_gradient(combine_saved, dsum[t])
            one = slice(t, t + 1)
            upstream = dboth[one, :, :M], None if dweights is None else dweights[one]
            (dqueries[t],) = of_memory.back((queries[one], weights[one]), upstream, dscores[one])
            dh = dboth[t, :, M:] + _query_back(attention, query_saved, dqueries[t])
            dz, dinner = layer.back(t, layer_tape, _as_sequence(dh, decoder), dinner)
            dz = dz.reshape(N, decoder.layer.input_size)
            dx[t] = dz[:, :E]
            dlast = dz[:, E:] if running is None else np.where(running[:, None], dz[:, E:], dlast)
        layer.add()
        decoder.combine.add_gradients(saved.both, dsum)
        if attention.query is not None:
            attention.query.add_gradients(saved.both[..., M:], dqueries)
        dmemory = attention.prepare_back(memory, of_memory, (weights, dboth[..., :M]), (dscores, queries))
    return dx, dmemory, (dinner, dlast[None])


def _query(attention: Any, h: Array, training: bool) -> tuple[Array, Any]:
    """`attention.project` of a step, without a tape."""
    return attention.project(h, False) if attention.query is None else attention.query._forward(h, training)


def _query_back(attention: Any, saved: Any, dquery: Array) -> Array:
    """The backward pass of `_query`, without the gradient of the matrix."""
    query = attention.query
    return attention.project_back(None, dquery) if query is None else query.input_gradient(saved, dquery)


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
    return array[:, None] if decoder.batch_first else array[None]


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
