# SPDX-License-Identifier: BSD-3-Clause
"""LSTM."""

import numpy as np

from ..._engine.cells import CELLS
from .stack import Stack


class LSTM(Stack):
    """Long short-term memory, torch.nn.LSTM (Hochreiter and Schmidhuber 1997; forget gate of Gers et al. 2000).

    ``i, f, g, o = sigma, sigma, tanh, sigma(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)``,
    ``c_t = f c_(t-1) + i g``, ``h_t = o tanh(c_t)``; the state is (h, c).

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, recompute, dtype, seed
        As in `RNN`.
    recurrent_dropout, zoneout, weight_drop, delta_clip
        As in `RNN`.

    Attributes
    ----------
    params, grads : Parameters
        ``weight_ih_l0`` (4*H, I), ``weight_hh_l0`` (4*H, H), ``bias_ih_l0``, ``bias_hh_l0`` (4*H,), gates in the order
        i, f, g, o; further names as in `RNN`.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> lstm = fr.LSTM(3, 4, num_layers=2, bidirectional=True, seed=0)
    >>> x = np.ones((5, 2, 3), np.float32)
    >>> y, (h, c), tape = lstm.forward(x, lengths=[5, 3])
    >>> y.shape, h.shape, c.shape
    ((5, 2, 8), (4, 2, 4), (4, 2, 4))
    >>> dx, (dh, dc) = lstm.backward(tape, np.ones_like(y))
    >>> dx.shape, lstm.grads["weight_hh_l0"].shape
    ((5, 2, 3), (16, 4))
    """

    _parts = ("h", "c")
    _gates = CELLS["lstm"].gates
    _gate_names = "i", "f", "g", "o"

    def __init__(
        self, input_size, hidden_size, num_layers=1, *, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
        recompute=False, dtype=np.float32, seed=None, recurrent_dropout=0.0, zoneout=0.0, weight_drop=0.0,
        delta_clip=None,
    ):  # fmt: skip
        super().__init__(
            "lstm",
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, recompute, dtype, seed,
            recurrent_dropout=recurrent_dropout, zoneout=zoneout, weight_drop=weight_drop, delta_clip=delta_clip,
        )  # fmt: skip
