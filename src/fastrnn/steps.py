# SPDX-License-Identifier: BSD-3-Clause
"""What each step of a recurrent layer computed, read from the tape of its forward pass."""

import numpy as np

from . import recompute
from .layer import Tape


def steps(layer, tape):
    """States and gates of every step. The tape can still be used for `backward`.

    Parameters
    ----------
    layer : RNN, LSTM or GRU
    tape : Tape
        From the layer's `forward`, not yet used.

    Returns
    -------
    dict of str to ndarray, shape (L, D, T, N, H)
        "h", for an LSTM "c", and the gates under the names that they have in the equations of the class, after their
        activation: "i", "f", "g", "o" of an LSTM, "r", "z", "n" of a GRU. NaN beyond a row's length: there is no such
        step. What direction 1, which reads backwards, has at t is its state after x[t] as well.

    Raises
    ------
    TypeError, ValueError
        The tape is used or another layer's, or was made with ``recompute=True`` and has no gates.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.steps import steps
    >>> gru = fr.GRU(3, 4, seed=0)
    >>> y, h, tape = gru.forward(np.ones((5, 2, 3), np.float32), lengths=[5, 3])
    >>> found = steps(gru, tape)
    >>> list(found), found["z"].shape
    (['h', 'r', 'z', 'n'], (1, 1, 5, 2, 4))
    >>> bool(np.isnan(found["z"][:, :, 3:, 1]).all())
    True
    """
    _, saved, *_ = Tape.check(tape, layer)
    if isinstance(saved[0][0], recompute.Saved):
        raise ValueError("tape: expected one that holds gates, got one of a layer with recompute=True")
    T, N, _ = saved[0][0].x.shape
    names = (*layer._parts, *layer.cell.gate_names)
    shape = (layer.num_layers, layer.num_directions, T, N, layer.hidden_size)
    arrays = {name: np.full(shape, np.nan, layer.dtype) for name in names}
    for k, directions in enumerate(saved):
        for d, one in enumerate(directions):
            t, n = positions(one)
            arrays["h"][k, d, t, n] = one.y[t, n]
            if layer.cell.has_c:
                arrays["c"][k, d, t, n] = one.c
            for name, block in zip(layer.cell.gate_names, layer.cell.gate_blocks, strict=True):
                arrays[name][k, d, t, n] = one.gates[:, block]
    return arrays


def lengths_of(layer, tape):
    """How many steps each row of a tape has: an array (N,)."""
    _, ((saved, *_), *_), *_ = Tape.check(tape, layer)
    T, N, _ = saved.x.shape
    lengths = np.full(N, T)
    if saved.order is not None:
        lengths[saved.order.rows] = saved.order.lengths
    return lengths


def positions(saved):
    """The time t and the batch row n of each row of the tape: two arrays (R,)."""
    T, N, _ = saved.y.shape
    if saved.order is None:
        s, n, lengths = np.repeat(np.arange(T), N), np.tile(np.arange(N), T), T
    else:
        rows, lengths, first = saved.order
        s = np.repeat(np.arange(T), np.diff(first))
        i = np.arange(len(s)) - first[s]
        n, lengths = rows[i], lengths[i]
    return (lengths - 1 - s if saved.reverse else s), n
