# SPDX-License-Identifier: BSD-3-Clause
"""GRU."""

from typing import Any

from ..._engine.arguments import Array
from ..._engine.cells import CELLS, Cell
from .._option import KW_ONLY
from .._options import Flag
from .recurrent import RecurrentBase


class GRU(RecurrentBase[Array]):
    """Gated recurrent unit, like torch.nn.GRU, with the reset gate after or before the recurrent product.

    ``r, z = sigma(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)``,
    ``n = tanh(W_in x_t + b_in + r (W_hn h_(t-1) + b_hn))``, ``h_t = (1 - z) n + z h_(t-1)``.
    With ``reset_after=False`` (Cho et al. 2014, arXiv 1406.1078v3; ONNX's default)
    ``n = tanh(W_in x_t + b_in + W_hn (r h_(t-1)) + b_hn)``.

    Attributes
    ----------
    params, grads : Parameters
        ``weight_ih_l0`` (3*H, I), ``weight_hh_l0`` (3*H, H), ``bias_ih_l0``, ``bias_hh_l0`` (3*H,), gates in the order
        r, z, n; then ``_l1`` and so on; the second direction has ``_reverse`` appended. Initially uniform in
        +-1/sqrt(H), as in PyTorch.

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

    _: KW_ONLY
    reset_after: Flag = Flag(
        "Apply the reset gate r after the product with W_hn, as PyTorch and Keras do; else before it.", default=True
    )

    @classmethod
    def cell_of(cls, reset_after: bool = True, **others: Any) -> Cell:
        return CELLS["gru" if reset_after else "gru_reset_before"]
