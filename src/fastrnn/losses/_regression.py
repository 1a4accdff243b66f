# SPDX-License-Identifier: BSD-3-Clause
"""Losses of regression: how far predicted numbers are from their targets."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array, as_flag, as_positive
from ._masking import as_prediction, as_target, masked_mean, sequence_mask


def mse_loss(
    prediction: ArrayLike, target: ArrayLike, *, lengths: ArrayLike | None = None, batch_first: bool = False
) -> tuple[float, Array]:
    """Mean squared error, and its gradient.

    Goodfellow, Bengio, Courville, "Deep Learning", 2016, equation 5.4; over the M elements that are not ignored::

        loss        = mean of (prediction - target)**2
        dprediction = 2 (prediction - target) / M

    Parameters
    ----------
    prediction : array_like, any shape, float32 or float64
        The output of a model.
    target : array_like of numbers, shape of `prediction`
        The correct output, in any dtype of real numbers; it is rounded to the dtype of `prediction`.
    lengths : array_like of integers, shape (N,), optional
        Requires a prediction of shape (T, N, ...). Elements of steps ``t >= lengths[n]`` are ignored, whatever
        prediction and target contain there. Each length is in 0..T, in any order. By default every row has T steps.
    batch_first : bool, default False
        With `lengths`: prediction and target are (N, T, ...). Without `lengths` it has no effect.

    Returns
    -------
    loss : float
        Mean over the elements that are not ignored, accumulated in float64; 0.0 if all are ignored.
    dprediction : ndarray, shape and dtype of `prediction`
        Gradient of `loss` with respect to `prediction`; 0 at ignored elements.

    Raises
    ------
    TypeError
        If `prediction` is not float32 or float64, `target` not real numbers, or `lengths` not integers.
    ValueError
        If a shape does not fit (nothing is broadcast), or a length is out of range.

    Notes
    -----
    The inputs are never written to. NaN at an element that is not ignored makes the loss NaN, without a warning.

    Examples
    --------
    The second step of the row is padding.

    >>> import numpy as np
    >>> import fastrnn as fr
    >>> prediction = np.array([[[1.0, 2.0]], [[np.nan, np.nan]]])  # (T, N, F) = (2, 1, 2)
    >>> loss, dprediction = fr.mse_loss(prediction, np.zeros((2, 1, 2)), lengths=[1])
    >>> loss
    2.5
    >>> dprediction[:, 0]
    array([[1., 2.],
           [0., 0.]])
    """

    def squares(d: Array) -> tuple[Any, Array]:
        return np.einsum("i,i->", d, d, dtype=np.float64), np.multiply(d, 2, out=d)

    return _mean_over_differences(squares, prediction, target, lengths, batch_first)


def l1_loss(
    prediction: ArrayLike, target: ArrayLike, *, lengths: ArrayLike | None = None, batch_first: bool = False
) -> tuple[float, Array]:
    """Mean absolute error, and its gradient.

    Its minimum is the median of the targets, where that of `mse_loss` is their mean (Bishop, "Pattern Recognition and
    Machine Learning", 2006, section 1.5.5). Over the M elements that are not ignored::

        loss        = mean of |prediction - target|
        dprediction = sign(prediction - target) / M,  0 where they are equal

    Parameters
    ----------
    prediction : array_like, any shape, float32 or float64
        The output of a model.
    target : array_like of numbers, shape of `prediction`
        The correct output, in any dtype of real numbers; it is rounded to the dtype of `prediction`.
    lengths : array_like of integers, shape (N,), optional
        Requires a prediction of shape (T, N, ...). Elements of steps ``t >= lengths[n]`` are ignored, whatever
        prediction and target contain there. Each length is in 0..T, in any order. By default every row has T steps.
    batch_first : bool, default False
        With `lengths`: prediction and target are (N, T, ...). Without `lengths` it has no effect.

    Returns
    -------
    loss : float
        Mean over the elements that are not ignored, accumulated in float64; 0.0 if all are ignored.
    dprediction : ndarray, shape and dtype of `prediction`
        Gradient of `loss` with respect to `prediction`; 0 at ignored elements.

    Raises
    ------
    TypeError
        If `prediction` is not float32 or float64, `target` not real numbers, or `lengths` not integers.
    ValueError
        If a shape does not fit (nothing is broadcast), or a length is out of range.

    Notes
    -----
    The inputs are never written to. NaN at an element that is not ignored makes the loss NaN, without a warning.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> fr.l1_loss(np.array([3.0, -1.0]), [1, -1])
    (1.0, array([0.5, 0. ]))
    """

    def absolute_values(d: Array) -> tuple[Any, Array]:
        sign = np.sign(d)
        return np.einsum("i,i->", d, sign, dtype=np.float64), sign

    return _mean_over_differences(absolute_values, prediction, target, lengths, batch_first)


def huber_loss(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    batch_first: bool = False,
    delta: float = 1.0,
) -> tuple[float, Array]:
    """Mean of Huber's loss, quadratic for small errors and linear for large ones, and its gradient.

    Huber, "Robust estimation of a location parameter", The Annals of Mathematical Statistics 35, 1964. With
    d = prediction - target, over the M elements that are not ignored::

        loss        = mean of  d**2 / 2                  where |d| <= delta
                               delta (|d| - delta / 2)   elsewhere
        dprediction = min(max(d, -delta), delta) / M

    Parameters
    ----------
    prediction : array_like, any shape, float32 or float64
        The output of a model.
    target : array_like of numbers, shape of `prediction`
        The correct output, in any dtype of real numbers; it is rounded to the dtype of `prediction`.
    lengths : array_like of integers, shape (N,), optional
        Requires a prediction of shape (T, N, ...). Elements of steps ``t >= lengths[n]`` are ignored, whatever
        prediction and target contain there. Each length is in 0..T, in any order. By default every row has T steps.
    batch_first : bool, default False
        With `lengths`: prediction and target are (N, T, ...). Without `lengths` it has no effect.
    delta : float, default 1.0
        The size of an error at which the parabola turns into a line, > 0 and finite; in the units of `prediction`.

    Returns
    -------
    loss : float
        Mean over the elements that are not ignored, accumulated in float64; 0.0 if all are ignored.
    dprediction : ndarray, shape and dtype of `prediction`
        Gradient of `loss` with respect to `prediction`; 0 at ignored elements.

    Raises
    ------
    TypeError
        If `prediction` is not float32 or float64, `target` not real numbers, `lengths` not integers, or `delta` not a
        number.
    ValueError
        If a shape does not fit (nothing is broadcast), or a length or `delta` is out of range.

    Notes
    -----
    The inputs are never written to. NaN at an element that is not ignored makes the loss NaN, without a warning.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> fr.huber_loss(np.array([0.5, 3.0]), [0, 0])
    (1.3125, array([0.25, 0.5 ]))
    """
    delta = as_positive("delta", delta)

    def parabolas_and_lines(d: Array) -> tuple[Any, Array]:
        bound = d.dtype.type(delta)
        slope = np.clip(d, -bound, bound)  # the loss is slope (d - slope / 2) on both sides of delta
        total = np.einsum("i,i->", slope, d, dtype=np.float64)
        return total - np.einsum("i,i->", slope, slope, dtype=np.float64) / 2, slope

    return _mean_over_differences(parabolas_and_lines, prediction, target, lengths, batch_first)


def _mean_over_differences(
    pointwise: Callable[[Array], tuple[Any, Array]],
    prediction: ArrayLike,
    target: ArrayLike,
    lengths: ArrayLike | None,
    batch_first: bool,
) -> tuple[float, Array]:
    """Mean of a loss that depends on d = prediction - target alone; `pointwise` takes d (M,) and may overwrite it."""
    prediction = as_prediction("prediction", prediction)
    target = as_target("target", target, prediction.shape)
    batch_first = as_flag("batch_first", batch_first)
    mask = None if lengths is None else sequence_mask("prediction", prediction.shape, lengths, "...", batch_first)

    def of_difference(x: Array, y: Array) -> tuple[Any, Array]:
        return pointwise(np.subtract(x, y, dtype=x.dtype, casting="same_kind"))

    return masked_mean(of_difference, mask, prediction, target)
