# SPDX-License-Identifier: BSD-3-Clause
"""Functions of arrays that turn scores into probabilities."""

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import FLOATS, Array, as_array, as_integer


def sigmoid(x: ArrayLike) -> Array:
    """1 / (1 + exp(-x)): the probability of "yes", given its log-odds; torch.sigmoid.

    Parameters
    ----------
    x : array_like of numbers, any shape

    Returns
    -------
    ndarray, shape of `x`
        Between 0 and 1. float32 and float64 are kept; other numbers give float64. A scalar gives a scalar.

    Raises
    ------
    TypeError
        `x` is not an array of real numbers.

    Notes
    -----
    The argument of exp is never positive, so that nothing overflows (Bishop, "Pattern Recognition and Machine
    Learning", 2006, equation 4.59). Infinities give 0 and 1; NaN stays NaN.

    Examples
    --------
    >>> import fastrnn as fr
    >>> fr.sigmoid([-1000.0, 0.0, 1000.0])
    array([0. , 0.5, 1. ])
    """
    x = _as_reals("x", x)
    with np.errstate(all="ignore"):  # far below 0 exp underflows by design
        e = np.exp(-np.abs(x))  # in 0..1
        one = x.dtype.type(1)
        return np.where(x < 0, e, one) / (one + e)


def softmax(x: ArrayLike, axis: int = -1) -> Array:
    """exp(x) / sum exp(x): the probabilities of classes, given their logits; torch.softmax.

    Parameters
    ----------
    x : array_like of numbers, any shape of at least one axis
        -inf forbids a class: its probability is 0.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    ndarray, shape of `x`
        Not negative, with sums of 1 over `axis`. float32 and float64 are kept; other numbers give float64.

    Raises
    ------
    TypeError
        `x` is not an array of real numbers, or `axis` is not an integer.
    ValueError
        `x` has no such axis.

    Notes
    -----
    The largest value of `axis` is subtracted before exp, which changes nothing but overflow (Goodfellow, Bengio,
    Courville, "Deep Learning", 2016, section 4.1). NaN, +inf, or -inf for all classes gives NaN for all classes.
    `cross_entropy` takes logits and computes their softmax itself.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> fr.softmax([[1000.0, 1000.0], [0.0, -np.inf]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    with np.errstate(all="ignore"):
        p = _below_peak(x, axis)
        np.exp(p, out=p)
        p /= p.sum(axis=axis, keepdims=True)
    return p


def log_softmax(x: ArrayLike, axis: int = -1) -> Array:
    """x - log sum exp(x): the logarithm of `softmax`, also where that is rounded to 0; torch.log_softmax.

    Parameters
    ----------
    x : array_like of numbers, any shape of at least one axis
        -inf forbids a class: the logarithm of its probability is -inf.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    ndarray, shape of `x`
        At most 0. float32 and float64 are kept; other numbers give float64.

    Raises
    ------
    TypeError
        `x` is not an array of real numbers, or `axis` is not an integer.
    ValueError
        `x` has no such axis.

    Notes
    -----
    As in `softmax`, the largest value is subtracted first, and NaN, +inf, or -inf for all classes gives NaN.

    Examples
    --------
    >>> import fastrnn as fr
    >>> fr.log_softmax([0.0, -1000.0])  # the softmax is [1, 0]
    array([    0., -1000.])
    """
    with np.errstate(all="ignore"):
        logs = _below_peak(x, axis)
        logs -= np.log(np.exp(logs).sum(axis=axis, keepdims=True))
    return logs


def _as_reals(name: str, value: ArrayLike) -> Array:
    """`value` as an array of float32 or float64."""
    array = as_array(name, value, "an array of real numbers")
    if array.dtype in FLOATS:
        return array
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: expected an array of real numbers, got {array.dtype}")
    return array.astype(np.float64)


def _below_peak(x: ArrayLike, axis: int) -> Array:
    """x minus its largest value along `axis`: a new array."""
    x, axis = _as_reals("x", x), as_integer("axis", axis)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis: expected one of the {x.ndim} axes of x {x.shape}, got {axis}")
    peak = x.max(axis=axis, keepdims=True, initial=-np.inf)
    return np.subtract(x, peak, order="C")  # so that NumPy sums each row in one order, whatever the batch
