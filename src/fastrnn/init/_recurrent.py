# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent weights that preserve the state: orthogonal matrices, and the identity."""

import numpy as np

from .._engine.arguments import FINITE, Array, Generator, SeedLike, as_nonnegative, as_number
from ..nn._recurrent.rnn import RNN
from ._shared import LayerT, normal, uniform, write_weights, xavier


def orthogonal(layer: LayerT, gain: float = 1.0, seed: SeedLike = None) -> LayerT:
    """Orthogonal recurrent weights for each gate, times `gain`; uniform input weights; biases 0.

    Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    ICLR 2014: an orthogonal matrix preserves the norm of the vector that it multiplies, at every step. It is the Q of a
    QR decomposition with fixed signs, so that all orthogonal matrices are equally likely (Mezzadri 2007, arXiv
    math-ph/0609050). Input weights, and the weights of a Linear, have variance ``2 / (fan_in + fan_out)``, as in
    `xavier_uniform`.

    Parameters
    ----------
    layer : RNN, LSTM, GRU, Linear, or a Sequential or Residual that holds one
        The layer to write to.
    gain : float, default 1.0
        Factor of the recurrent weights, finite and at least 0.
    seed : int, Generator or None, default None
        Seed of the random numbers, or the generator that draws them. None gives different numbers on every call.

    Returns
    -------
    layer
        The layer itself.

    Raises
    ------
    TypeError
        If no layer of a supported type is given, or `gain` or `seed` is of the wrong type.
    ValueError
        If `gain` or `seed` is out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> lstm = fr.init.orthogonal(fr.LSTM(3, 4, dtype=np.float64), seed=0)
    >>> w_i, w_f, w_g, w_o = np.split(lstm.params["weight_hh_l0"], 4)
    >>> bool(np.allclose(w_f @ w_f.T, np.eye(4)))
    True
    """
    gain = as_nonnegative("gain", gain)
    return write_weights(layer, seed, xavier(uniform), lambda rng, H, _: gain * _orthogonal_matrix(rng, H))


def _orthogonal_matrix(rng: Generator, H: int) -> Array:
    q, r = np.linalg.qr(rng.standard_normal((H, H)))
    return q * np.copysign(1, r.diagonal())


def identity(rnn: LayerT, scale: float = 1.0, input_std: float = 0.001, seed: SeedLike = None) -> LayerT:
    """Identity recurrent weights, times `scale`; normal input weights; biases 0 (IRNN).

    Le, Jaitly, Hinton, "A simple way to initialize recurrent networks of rectified linear units", arXiv 1504.00941,
    2015: with relu, a state without negative numbers keeps its value until an input changes it. Other nonlinearities
    are allowed.

    Parameters
    ----------
    rnn : RNN, or a Sequential or Residual that holds one
        The layer to write to.
    scale : float, default 1.0
        Factor of the recurrent weights, finite. Below 1 the network forgets.
    input_std : float, default 0.001
        Standard deviation of the input weights, finite and at least 0.
    seed : int, Generator or None, default None
        Seed of the random numbers, or the generator that draws them. None gives different numbers on every call.

    Returns
    -------
    rnn
        The layer itself.

    Raises
    ------
    TypeError
        If no RNN is given (an LSTM or GRU is not supported), or another argument is of the wrong type.
    ValueError
        If a number or the seed is out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> rnn = fr.init.identity(fr.RNN(3, 2, nonlinearity="relu"), seed=0)
    >>> rnn.params["weight_hh_l0"].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    scale, std = as_number("scale", scale, FINITE), as_nonnegative("input_std", input_std)
    return write_weights(
        rnn,
        seed,
        lambda rng, H, features: normal(rng, std, (H, features)),
        lambda rng, H, _: scale * np.eye(H),
        kinds=(RNN,),
        name="rnn",
    )
