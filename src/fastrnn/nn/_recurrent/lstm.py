# SPDX-License-Identifier: BSD-3-Clause
"""LSTM."""

from typing import Any

from ..._engine.arguments import Array
from ..._engine.cells import CELLS, Cell
from .._option import KW_ONLY
from .._options import Probabilities
from .recurrent import RecurrentBase
from .regularization import ZONEOUT


class LSTM(RecurrentBase[tuple[Array, Array]]):
    """Long short-term memory, like torch.nn.LSTM (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000).

    ``i, f, g, o = sigma, sigma, tanh, sigma(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)``,
    ``c_t = f c_(t-1) + i g``, ``h_t = o tanh(c_t)``; the state is (h, c).

    Attributes
    ----------
    params, grads : Parameters
        ``weight_ih_l0`` (4*H, I), ``weight_hh_l0`` (4*H, H), ``bias_ih_l0``, ``bias_hh_l0`` (4*H,), gates in the order
        i, f, g, o; then ``_l1`` and so on; the second direction has ``_reverse`` appended. Initially uniform in
        +-1/sqrt(H), as in PyTorch.

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

    _: KW_ONLY
    zoneout: Probabilities = Probabilities(f"{ZONEOUT} One for both h and c, or a pair.", ("h", "c"), default=0.0)

    @classmethod
    def cell_of(cls, **config: Any) -> Cell:
        return CELLS["lstm"]
