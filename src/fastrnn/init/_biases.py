# SPDX-License-Identifier: BSD-3-Clause
"""Biases of gates, which set how long a unit remembers."""

import math
from typing import Any

import numpy as np

from .._engine.arguments import FINITE, Interval, SeedLike, as_number, as_rng
from ..nn._recurrent.gru import GRU
from ..nn._recurrent.lstm import LSTM
from ._shared import LayerT, write_biases

LONGEST_TIME = Interval(2, math.inf, "[)", "a finite number of at least 2")


def forget_bias(lstm: LayerT, value: float = 1.0) -> LayerT:
    """Set the bias of the forget gate of an LSTM; all other parameters are left unchanged.

    Jozefowicz, Zaremba, Sutskever, "An empirical exploration of recurrent network architectures", ICML 2015: with 1 the
    gate is mostly open at first, and gradients reach far back. The two biases of a gate are added, so ``bias_ih``
    receives the value and ``bias_hh`` 0.

    Parameters
    ----------
    lstm : LSTM, or a Sequential or Residual that holds one
        The layer to write to.
    value : float, default 1.0
        The bias, finite.

    Returns
    -------
    lstm
        The layer itself.

    Raises
    ------
    TypeError
        If no LSTM is given (a GRU or RNN is not supported), or `value` is not a number.
    ValueError
        If a layer has no biases, or `value` is not finite.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> lstm = fr.init.forget_bias(fr.LSTM(3, 2), 1.0)
    >>> np.split(lstm.params["bias_ih_l0"], 4)[1]  # of i, f, g, o
    array([1., 1.], dtype=float32)
    """
    value = as_number("value", value, FINITE)
    return write_biases("lstm", lstm, (LSTM,), lambda part: {"f": value})


def chrono(layer: LayerT, T_max: float, seed: SeedLike = None) -> LayerT:
    """Set gate biases for memory spans of 2 to `T_max` steps; all other parameters are left unchanged.

    Tallec, Ollivier, "Can recurrent neural networks warp time?", ICLR 2018: ``b_f = log(u)`` and ``b_i = -b_f`` for an
    LSTM, ``b_z = log(u)`` for a GRU, with u uniform in [1, T_max - 1] for each unit. The two biases of a gate are
    added, so ``bias_ih`` receives the value and ``bias_hh`` 0.

    Parameters
    ----------
    layer : LSTM, GRU, or a Sequential or Residual that holds one
        The layer to write to.
    T_max : float
        The longest time, in steps, over which inputs and outputs are expected to depend on one another; at least 2.
    seed : int, Generator or None, default None
        Seed of the random numbers, or the generator that draws them. None gives different numbers on every call.

    Returns
    -------
    layer
        The layer itself.

    Raises
    ------
    TypeError
        If no LSTM or GRU is given, or `T_max` or `seed` is of the wrong type.
    ValueError
        If a layer has no biases, or `T_max` or `seed` is out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> lstm = fr.init.chrono(fr.init.orthogonal(fr.LSTM(3, 64), seed=0), T_max=500, seed=1)
    >>> b_i, b_f, b_g, b_o = np.split(lstm.params["bias_ih_l0"], 4)
    >>> bool((b_i == -b_f).all()), bool(b_f.min() >= 0), bool(b_f.max() <= np.log(499))
    (True, True, True)
    """
    T_max, rng = as_number("T_max", T_max, LONGEST_TIME), as_rng(seed)

    # As long as x and h are small, the cell of an LSTM keeps f = sigma(b_f) = u / (1 + u) of itself at each step and
    # adds i = sigma(-b_f) = 1 - f of g: it forgets in 1 / (1 - f) = 1 + u steps. A GRU in PyTorch's form,
    # h' = (1 - z) n + z h, keeps z and adds 1 - z of n: its z is that f. (Papers often swap z and 1 - z.)
    def biases_of(part: Any) -> dict[str, Any]:
        bias = np.log(rng.uniform(1, T_max - 1, part.hidden_size))
        return {"f": bias, "i": -bias} if isinstance(part, LSTM) else {"z": bias}

    return write_biases("layer", layer, (LSTM, GRU), biases_of)
