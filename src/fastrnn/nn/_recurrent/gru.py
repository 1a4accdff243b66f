# SPDX-License-Identifier: BSD-3-Clause
"""GRU."""

import numpy as np

from ..._engine import arguments
from ..._engine.cells import CELLS
from .stack import Stack


class GRU(Stack):
    """Gated recurrent unit; torch.nn.GRU, and the form with the reset gate before the product.

    ``r, z = sigma(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)``,
    ``n = tanh(W_in x_t + b_in + r (W_hn h_(t-1) + b_hn))``, ``h_t = (1 - z) n + z h_(t-1)``.
    With ``reset_after=False`` (Cho et al. 2014, arXiv 1406.1078v3; ONNX's default)
    ``n = tanh(W_in x_t + b_in + W_hn (r h_(t-1)) + b_hn)``.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, recompute, dtype, seed
        As in `RNN`.
    recurrent_dropout, zoneout, weight_drop, delta_clip
        As in `RNN`.
    reset_after : bool
        True is PyTorch's and Keras's default.

    Attributes
    ----------
    params, grads : Parameters
        ``weight_ih_l0`` (3*H, I), ``weight_hh_l0`` (3*H, H), ``bias_ih_l0``, ``bias_hh_l0`` (3*H,), gates in the order
        r, z, n; further names as in `RNN`.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> gru = fr.GRU(3, 4, batch_first=True, seed=0)
    >>> y, h = gru(np.ones((2, 5, 3), np.float32))
    >>> y.shape, h.shape
    ((2, 5, 4), (1, 2, 4))
    """

    _gates = CELLS["gru"].gates  # and of its other form
    _gate_names = "r", "z", "n"

    def __init__(
        self, input_size, hidden_size, num_layers=1, *, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
        recompute=False, dtype=np.float32, seed=None, recurrent_dropout=0.0, zoneout=0.0, weight_drop=0.0,
        delta_clip=None, reset_after=True,
    ):  # fmt: skip
        self.reset_after = arguments.as_flag("reset_after", reset_after)
        super().__init__(
            "gru" if self.reset_after else "gru_reset_before",
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, recompute, dtype, seed,
            recurrent_dropout=recurrent_dropout, zoneout=zoneout, weight_drop=weight_drop, delta_clip=delta_clip,
        )  # fmt: skip

    def config(self):
        return super().config() | {"reset_after": self.reset_after}
