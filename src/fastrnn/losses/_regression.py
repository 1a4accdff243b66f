# SPDX-License-Identifier: BSD-3-Clause
"""Losses of regression: how far a prediction is from the number it should be."""

import numpy as np

from .._engine.arguments import as_flag, as_positive
from ._masking import as_prediction, as_target, mean, within

__all__ = ["huber_loss", "l1_loss", "mse_loss"]


def mse_loss(prediction, target, *, lengths=None, batch_first=False):
    """Mean squared error, and its gradient.

    Goodfellow, Bengio, Courville, "Deep Learning", 2016, equation 5.4; over M counted elements::

        loss        = mean of (prediction - target)**2
        dprediction = 2 (prediction - target) / M

    Parameters
    ----------
    prediction : array_like, any shape, float32 or float64
        The output of a model.
    target : array_like of numbers, shape of `prediction`
        What it should be, in any dtype of real numbers; it is rounded to the dtype of `prediction`.
    lengths : array_like of integers, shape (N,), optional
        Needs a prediction of shape (T, N, ...). Elements of steps ``t >= lengths[n]`` are not counted, whatever
        prediction and target hold there. Each length is in 0..T, in any order.
    batch_first : bool, default False
        With `lengths`: prediction and target are (N, T, ...). Without, it changes nothing.

    Returns
    -------
    loss : float
        Mean over the counted elements, accumulated in float64; 0.0 if there is none.
    dprediction : ndarray, shape and dtype of `prediction`
        Gradient of `loss` with respect to `prediction`; 0 at elements that are not counted.

    Raises
    ------
    TypeError
        If `prediction` is not float32 or float64, `target` not real numbers, or `lengths` not integers.
    ValueError
        If a shape does not fit (nothing is broadcast), or a length is out of range.

    Notes
    -----
    The inputs are never written to. NaN at a counted element makes the loss NaN, without a warning.

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

    def squares(d):
        return np.einsum("i,i->", d, d, dtype=np.float64), np.multiply(d, 2, out=d)

    return _loss_of_difference(squares, prediction, target, lengths, batch_first)


def l1_loss(prediction, target, *, lengths=None, batch_first=False):
    """Mean absolute error, and its gradient.

    It asks for the median where `mse_loss` asks for the mean (Bishop, "Pattern Recognition and Machine Learning", 2006,
    section 1.5.5). Over M counted elements::

        loss        = mean of |prediction - target|
        dprediction = sign(prediction - target) / M,  0 where they are equal

    Parameters
    ----------
    prediction, target, lengths, batch_first
        As in `mse_loss`, which also says what is raised.

    Returns
    -------
    loss : float
        Mean over the counted elements, accumulated in float64; 0.0 if there is none.
    dprediction : ndarray, shape and dtype of `prediction`
        Gradient of `loss` with respect to `prediction`; 0 at elements that are not counted.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> fr.l1_loss(np.array([3.0, -1.0]), [1, -1])
    (1.0, array([0.5, 0. ]))
    """

    def absolute_values(d):
        sign = np.sign(d)
        return np.einsum("i,i->", d, sign, dtype=np.float64), sign

    return _loss_of_difference(absolute_values, prediction, target, lengths, batch_first)


def huber_loss(prediction, target, *, lengths=None, batch_first=False, delta=1.0):
    """Mean of Huber's loss, squares for small errors and absolute values for large ones, and its gradient.

    Huber, "Robust estimation of a location parameter", The Annals of Mathematical Statistics 35, 1964. With
    d = prediction - target, over M counted elements::

        loss        = mean of  d**2 / 2                  where |d| <= delta
                               delta (|d| - delta / 2)   elsewhere
        dprediction = min(max(d, -delta), delta) / M

    Parameters
    ----------
    prediction, target, lengths, batch_first
        As in `mse_loss`, which also says what is raised.
    delta : float, default 1.0
        The error at which the parabola turns into a line, > 0 and finite; in the units of `prediction`.

    Returns
    -------
    loss : float
        Mean over the counted elements, accumulated in float64; 0.0 if there is none.
    dprediction : ndarray, shape and dtype of `prediction`
        Gradient of `loss` with respect to `prediction`; 0 at elements that are not counted.

    Raises
    ------
    TypeError, ValueError
        Also if `delta` is not a number, or not a finite one > 0.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn as fr
    >>> fr.huber_loss(np.array([0.5, 3.0]), [0, 0])
    (1.3125, array([0.25, 0.5 ]))
    """
    delta = as_positive("delta", delta)

    def parabolas_and_lines(d):
        bound = d.dtype.type(delta)
        slope = np.clip(d, -bound, bound)  # the loss is slope (d - slope / 2) on both sides of delta
        total = np.einsum("i,i->", slope, d, dtype=np.float64)
        return total - np.einsum("i,i->", slope, slope, dtype=np.float64) / 2, slope

    return _loss_of_difference(parabolas_and_lines, prediction, target, lengths, batch_first)


def _loss_of_difference(pointwise, prediction, target, lengths, batch_first):
    """Mean of a loss of d = prediction - target alone: `pointwise` takes d, which is its own to write to."""
    prediction = as_prediction("prediction", prediction)
    target = as_target("target", target, prediction.shape)
    batch_first = as_flag("batch_first", batch_first)
    counted = None if lengths is None else within(lengths, "prediction", prediction.shape, "...", batch_first)

    def of_difference(x, y):
        return pointwise(np.subtract(x, y, dtype=x.dtype, casting="same_kind"))

    return mean(of_difference, counted, prediction, target)
