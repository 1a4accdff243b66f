# SPDX-License-Identifier: BSD-3-Clause
"""Weights by their variance: the default of PyTorch, Xavier (Glorot) and He (Kaiming)."""

from .._engine.arguments import SeedLike, as_rng
from ._shared import WEIGHTED, LayerT, he, normal, select, uniform, write_weights, xavier


def pytorch(layer: LayerT, seed: SeedLike = None) -> LayerT:
    """PyTorch's default initialization, which is also that of the constructors: uniform weights and biases.

    In +-1/sqrt(H) for recurrent layers, in +-1/sqrt(I) for Linear. The same seed gives the same parameters as in the
    constructor of the layer. The random numbers of dropout continue where they are.

    Parameters
    ----------
    layer : RNN, LSTM, GRU, Linear, or a Sequential or Residual that holds one
        The layer to write to.
    seed : int, Generator or None, default None
        Seed of the random numbers, or the generator that draws them. None gives different numbers on every call.

    Returns
    -------
    layer
        The layer itself.

    Raises
    ------
    TypeError
        If no layer of a supported type is given, or `seed` is of the wrong type.
    ValueError
        If `seed` is negative.

    Examples
    --------
    >>> import fastrnn as fr
    >>> gru = fr.GRU(3, 4, seed=0)
    >>> again = fr.init.pytorch(fr.GRU(3, 4), seed=0)
    >>> bool((again.params["weight_hh_l0"] == gru.params["weight_hh_l0"]).all())
    True
    """
    rng = as_rng(seed)
    for part in select("layer", layer, WEIGHTED):
        part.load_state_dict(part.initial_parameters(rng))
    return layer


def xavier_uniform(layer: LayerT, gain: float = 1.0, seed: SeedLike = None) -> LayerT:
    """Uniform weights of variance ``gain**2 * 2 / (fan_in + fan_out)``; biases 0.

    Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010, equation
    16: a compromise between activations and gradients that keep their variance from layer to layer.

    Parameters
    ----------
    layer : RNN, LSTM, GRU, Linear, or a Sequential or Residual that holds one
        The layer to write to.
    gain : float, default 1.0
        Factor of the standard deviation, finite and at least 0.
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
    >>> linear = fr.init.xavier_uniform(fr.Linear(100, 50), seed=0)
    >>> bool(np.abs(linear.params["weight"]).max() <= np.sqrt(6 / 150)), bool(linear.params["bias"].any())
    (True, False)
    """
    return write_weights(layer, seed, xavier(uniform, gain))


def xavier_normal(layer: LayerT, gain: float = 1.0, seed: SeedLike = None) -> LayerT:
    """Normal weights of variance ``gain**2 * 2 / (fan_in + fan_out)``; biases 0.

    The normal distribution of the variance of `xavier_uniform`, where the formula is explained.

    Parameters
    ----------
    layer : RNN, LSTM, GRU, Linear, or a Sequential or Residual that holds one
        The layer to write to.
    gain : float, default 1.0
        Factor of the standard deviation, finite and at least 0.
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
    >>> import fastrnn as fr
    >>> linear = fr.init.xavier_normal(fr.Linear(100, 50), gain=2.0, seed=0)
    >>> float(round(linear.params["weight"].std(), 1))  # 2 sqrt(2 / 150) = 0.23
    0.2
    """
    return write_weights(layer, seed, xavier(normal, gain))


def he_uniform(layer: LayerT, gain: float = 1.0, seed: SeedLike = None) -> LayerT:
    """Uniform weights of variance ``gain**2 * 2 / fan_in``; biases 0.

    For relu. He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015, equation 10: relu removes half of the
    second moment, and the factor 2 restores it.

    Parameters
    ----------
    layer : RNN, LSTM, GRU, Linear, or a Sequential or Residual that holds one
        The layer to write to.
    gain : float, default 1.0
        Factor of the standard deviation, finite and at least 0. The factor 2 for relu is part of the formula.
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
    >>> linear = fr.init.he_uniform(fr.Linear(100, 50), seed=0)
    >>> bool(np.abs(linear.params["weight"]).max() <= np.sqrt(6 / 100))
    True
    """
    return write_weights(layer, seed, he(uniform, gain))


def he_normal(layer: LayerT, gain: float = 1.0, seed: SeedLike = None) -> LayerT:
    """Normal weights of variance ``gain**2 * 2 / fan_in``; biases 0.

    The normal distribution of the variance of `he_uniform`, where the formula is explained.

    Parameters
    ----------
    layer : RNN, LSTM, GRU, Linear, or a Sequential or Residual that holds one
        The layer to write to.
    gain : float, default 1.0
        Factor of the standard deviation, finite and at least 0. The factor 2 for relu is part of the formula.
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
    >>> import fastrnn as fr
    >>> linear = fr.init.he_normal(fr.Linear(200, 50), seed=0)
    >>> float(round(linear.params["weight"].std(), 2))  # sqrt(2 / 200)
    0.1
    """
    return write_weights(layer, seed, he(normal, gain))
