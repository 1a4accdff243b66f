# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent layers by the name of their cell, random states and lengths, and the reference run as a layer."""

import numpy as np

import fastrnn as fr
from fastrnn import reference
from fastrnn._engine import passes
from fastrnn._engine.cells import CELLS

RECURRENT_CELLS = [name for name, cell in CELLS.items() if cell.recurrent]

# (T, N, I, H): one, two and several rows; H around one, two and four vectors of every engine; one more and one less.
# Errors are relative to the largest number of a result, so none has a single element: it could be a sum that cancels.
SHAPES = [
    (2, 9, 1, 1),
    (1, 1, 1, 6),
    (3, 2, 5, 4),
    (4, 3, 2, 15),
    (7, 5, 3, 17),
    (5, 8, 16, 33),
    (2, 13, 31, 64),
    (9, 1, 8, 65),
    (3, 97, 4, 6),
]


def make_layer(cell, input_size, hidden_size, num_layers=1, **options):
    """The layer of a cell's name."""
    if cell == "lstm":
        return fr.LSTM(input_size, hidden_size, num_layers, **options)
    if cell.startswith("gru"):
        return fr.GRU(input_size, hidden_size, num_layers, reset_after=cell == "gru", **options)
    return fr.RNN(input_size, hidden_size, num_layers, nonlinearity=cell.removeprefix("rnn_"), **options)


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def as_state(arrays):
    arrays = tuple(arrays)
    return arrays if len(arrays) > 1 else arrays[0]


def random_state(layer, batch, rng):
    """A random state of a layer, in its dtype."""
    shape = (layer.num_layers * layer.num_directions, batch, layer.hidden_size)
    return as_state(rng.standard_normal(shape).astype(layer.dtype) for _ in layer.cell.parts)


def random_lengths(T, N, rng):
    """Lengths in 0..T in no order; with two rows or more, one is empty and one is full."""
    lengths = rng.integers(0, T + 1, N)
    if N > 1:
        lengths[rng.permutation(N)[:2]] = 0, T
    return lengths


def run_reference(cell, layer, x, state=None, lengths=None, dy=None, dstate=None, *, parameters=None, carries=None):
    """A layer of one or more layers and directions in the NumPy reference, in float64, with the layer's parameters.

    Others may be given, and a `functional.Carry` for each layer and direction, [layer * directions + direction].
    Returns y and the final state; with `dy` also dx, the gradient of the initial state and the gradients by name.
    """
    parameters = {n: array.astype(np.float64) for n, array in (parameters or layer.state_dict()).items()}
    carries = carries or [passes.PLAIN] * (layer.num_layers * layer.num_directions)
    L, D, H = layer.num_layers, layer.num_directions, layer.hidden_size
    y, parts = np.asarray(x, np.float64), len(layer.cell.parts)
    N = y.shape[1]
    states = [np.zeros((L * D, N, H))] * parts if state is None else [a.astype(np.float64) for a in as_tuple(state)]
    dstates = [np.zeros((L * D, N, H))] * parts if dstate is None else [a.astype(np.float64) for a in as_tuple(dstate)]
    final, dinitial = (
        [np.zeros((L * D, N, H)) for _ in states],
        [np.zeros((L * D, N, H)) for _ in states],
    )
    pick = lambda arrays, k: (arrays[0][k], arrays[1][k] if parts > 1 else None)  # noqa: E731
    tapes, grads = {}, {}
    for layer_index in range(L):
        outputs = []
        for direction in range(D):
            k = layer_index * D + direction
            names = layer.parameter_names(layer_index, direction)
            out, h, c, tapes[k] = reference.forward(
                cell,
                y,
                *pick(states, k),
                *map(parameters.get, names),
                lengths=lengths,
                reverse=direction == 1,
                update=reference.StateUpdate(*(1 if a is None else a for a in carries[k][:3])),
            )
            outputs.append(out)
            for array, value in zip(final, (h, c), strict=False):
                array[k] = value
        y = np.concatenate(outputs, axis=-1)
    if dy is None:
        return y, as_state(final)
    dy = np.asarray(dy, np.float64)
    for layer_index in reversed(range(L)):
        dx = 0
        for direction in range(D):
            k = layer_index * D + direction
            half, clip = dy[..., direction * H : (direction + 1) * H], carries[k].clip or np.inf
            back = reference.backward(cell, tapes[k], half, *pick(dstates, k), clip=clip)
            dx = dx + back[0]
            for array, value in zip(dinitial, back[1:3], strict=False):
                array[k] = value
            grads |= {
                n: g
                for n, g in zip(layer.parameter_names(layer_index, direction), back[3:], strict=True)
                if g is not None
            }
        dy = dx
    return y, as_state(final), dy, as_state(dinitial), grads
