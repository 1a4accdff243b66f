# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent layers by the name of their cell, random states and lengths, and the reference run as a layer."""

import numpy as np

import fastrnn as fr
from fastrnn import reference
from fastrnn._engine import passes
from fastrnn._engine.cells import CELLS
from fastrnn._engine.layout import as_state
from fastrnn._engine.layout import state_arrays as as_tuple

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

# Options that act on the state of a recurrent layer, one by one and together.
REGULARIZATION = {
    "recurrent_dropout": {"recurrent_dropout": 0.4},
    "zoneout": {"zoneout": 0.3},
    "weight_drop": {"weight_drop": 0.5},
    "delta_clip": {"delta_clip": 0.02},
    "all": {"recurrent_dropout": 0.4, "zoneout": 0.3, "weight_drop": 0.5, "delta_clip": 0.05},
}


def make_layer(cell, input_size, hidden_size, num_layers=1, **options):
    """A layer that has the cell of this name."""
    if cell == "lstm":
        return fr.LSTM(input_size, hidden_size, num_layers, **options)
    if cell.startswith("gru"):
        return fr.GRU(input_size, hidden_size, num_layers, reset_after=cell == "gru", **options)
    return fr.RNN(input_size, hidden_size, num_layers, nonlinearity=cell.removeprefix("rnn_"), **options)


def sequence(rng, *shape, dtype=np.float32):
    """Standard normal numbers."""
    return rng.standard_normal(shape).astype(dtype)


def without_batch(state):
    """The state of a batch of one as an unbatched sequence has it."""
    return as_state(part[:, 0] for part in as_tuple(state))


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


def train(layer, x, state=None, lengths=None, dy=None, dstate=None):
    """One forward and backward pass, with a dy of ones by default: y, the final state, dx, the initial gradient."""
    y, final, tape = layer.forward(x, state, lengths)
    return y, final, *layer.backward(tape, np.ones_like(y) if dy is None else dy, dstate)


def run_reference(cell, layer, x, state=None, lengths=None, dy=None, dstate=None, *, parameters=None, updates=None):
    """The NumPy reference on all layers and directions of `layer`, in float64.

    `parameters` replace the layer's own; `updates` are state updates, one for each layer and direction. Returns y and
    the final state; with `dy` also dx, the gradient of the initial state, and the gradients by name.
    """
    D, K, parts = layer.num_directions, layer.num_layers * layer.num_directions, len(layer.cell.parts)
    own = {name: np.asarray(array, np.float64) for name, array in (parameters or layer.state_dict()).items()}
    names = [layer.parameter_names(k // D, k % D) for k in range(K)]
    updates = updates or [passes.PLAIN] * K
    initial, final, upstream, dinitial = np.zeros((4, 2, K, x.shape[1], layer.hidden_size))  # h and c of each
    for target, provided in ((initial, state), (upstream, dstate)):
        if provided is not None:
            target[:parts] = as_tuple(provided)
    y, tapes, grads = np.asarray(x, np.float64), [], {}
    for first in range(0, K, D):
        outputs = []
        for k in range(first, first + D):
            weights = map(own.get, names[k])
            update = reference.StateUpdate(*(1 if array is None else array for array in updates[k][:3]))
            options = {"lengths": lengths, "reverse": layer.reverse or k % D == 1, "update": update}
            out, *ends, tape = reference.forward(cell, y, *initial[:, k], *weights, **options)
            outputs.append(out)
            tapes.append(tape)
            final[:parts, k] = ends[:parts]
        y = np.concatenate(outputs, axis=-1)
    if dy is None:
        return y, as_state(final[:parts])
    for first in reversed(range(0, K, D)):
        halves, dy = np.split(np.asarray(dy, np.float64), D, axis=-1), 0
        for k, half in enumerate(halves, first):
            clip = updates[k].clip or np.inf
            dx, *dends, dw_ih, dw_hh, db_ih, db_hh = reference.backward(cell, tapes[k], half, *upstream[:, k], clip)
            dy = dy + dx
            dinitial[:parts, k] = dends[:parts]
            grads |= zip(names[k], (dw_ih, dw_hh, db_ih, db_hh), strict=True)
    grads = {name: grad for name, grad in grads.items() if grad is not None}
    return y, as_state(final[:parts]), dy, as_state(dinitial[:parts]), grads
