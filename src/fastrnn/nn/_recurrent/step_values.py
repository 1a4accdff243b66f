# SPDX-License-Identifier: BSD-3-Clause
"""States and gates of every step of a recurrent layer, read from the tape of its forward pass."""

from typing import Any

import numpy as np

from ..._engine import layers
from ..._engine.arguments import Array
from .._tape import Tape, open_tape


def step_values(layer: Any, tape: Tape) -> dict[str, Array]:
    """States and gates of every step. The tape can still be used for `backward`.

    Parameters
    ----------
    layer : RNN, LSTM or GRU
    tape : Tape
        From the layer's `forward`, not yet used.

    Returns
    -------
    dict of str to ndarray, shape (L, D, T, N, H)
        "h", for an LSTM "c", and the gates after their activation, named as in the equations of the class: "i", "f",
        "g", "o" of an LSTM, "r", "z", "n" of a GRU. NaN beyond a row's length, where there is no step. The values of
        direction 1, which reads backwards, at t are those after it has read x[t].

    Raises
    ------
    TypeError, ValueError
        The tape is used or another layer's, or was made with ``recompute=True`` and has no gates.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.nn._recurrent.step_values import step_values
    >>> gru = fr.GRU(3, 4, seed=0)
    >>> y, h, tape = gru.forward(np.ones((5, 2, 3), np.float32), lengths=[5, 3])
    >>> values = step_values(gru, tape)
    >>> list(values), values["z"].shape
    (['h', 'r', 'z', 'n'], (1, 1, 5, 2, 4))
    >>> bool(np.isnan(values["z"][:, :, 3:, 1]).all())
    True
    """
    ((_, trained),) = open_tape(tape, layer)
    kept = trained.kept
    if not isinstance(kept, layers.Pass):
        raise ValueError("tape: expected one that holds gates, got one of a layer with recompute=True")
    T, N, _ = kept.x.shape
    gates = dict(zip(layer.cell.gate_names, layer.cell.gate_blocks, strict=True))
    shape = (layer.num_layers, layer.num_directions, T, N, layer.hidden_size)
    values = {name: np.full(shape, np.nan, layer.dtype) for name in (*layer.cell.parts, *gates)}
    for k in range(layer.num_layers * layer.num_directions):
        one, at = kept.saved(k), divmod(k, layer.num_directions)
        t, n = positions(one)
        values["h"][(*at, t, n)] = one.y[t, n]
        if layer.cell.has_c:
            values["c"][(*at, t, n)] = one.c
        for name, block in gates.items():
            values[name][(*at, t, n)] = one.gates[:, block]  # type: ignore[index]
    return values


def tape_lengths(layer: Any, tape: Tape) -> Array:
    """How many steps each row of a tape has: (N,)."""
    ((_, trained),) = open_tape(tape, layer)
    T, N, _ = trained.x_shape
    return np.full(N, T) if trained.rows.lengths is None else trained.rows.lengths


def positions(saved: Any) -> tuple[Array, Array]:
    """The time t and the batch row n of each row of the tape: two arrays (R,)."""
    (T, N, _), order = saved.y.shape, saved.order
    if order is None:
        s, n = np.repeat(np.arange(T), N), np.tile(np.arange(N), T)
        return (T - 1 - s if saved.reverse else s), n
    if order.of.packed is not None:
        raise TypeError("x: expected an array, since values at steps have places in one, got a packed sequence")
    s = np.repeat(np.arange(len(order.first) - 1), np.diff(order.first))
    i = np.arange(len(s)) - order.first[s]
    t = order.lengths[i] - 1 - s if saved.reverse else s
    return (t, order.rows[i]) if order.source is None else (t + order.start[i], order.source[i])
