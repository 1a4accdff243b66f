# SPDX-License-Identifier: BSD-3-Clause
"""Regression losses: squared and absolute error."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array
from ._differences import over_differences
from ._masking import Options, Total
from ._mean import Mean
from ._positions import of_positions


@of_positions
def mse_loss(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    batch_first: bool = False,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> tuple[Mean, Array]:
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
        Whether a prediction with time is (N, T, ...): one with `lengths`, or of three axes or more.
    sample_weight : array_like of numbers or bools, optional
        Weights, finite and >= 0, of rows (N,), of positions, the shape of `prediction` without its last axis, or of
        elements, its whole shape: the number of axes says which. Where it is 0, prediction and target are not read.
    reduction : {"mean", "sum"}, default "mean"
        Whether the sum of the losses is divided by that of the weights, which are 1 by default.

    Returns
    -------
    loss : Mean
        A float: the mean over the elements that are not ignored, accumulated in float64; 0.0 if all are ignored.
    dprediction : ndarray, shape and dtype of `prediction`
        Gradient of `loss` with respect to `prediction`; 0 at ignored elements.

    Raises
    ------
    TypeError
        If `prediction` is not float32 or float64, `target` or `sample_weight` not real numbers, or `lengths` not
        integers.
    ValueError
        If a shape does not fit (nothing is broadcast), or a length, a weight or `reduction` is out of range.

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

    def squares(total: Total, d: Array) -> tuple[Any, Array]:
        return total(d, d), np.multiply(d, 2, out=d)

    options = Options(lengths, batch_first, sample_weight, reduction)
    return over_differences(squares, prediction, target, options)


@of_positions
def l1_loss(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    batch_first: bool = False,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> tuple[Mean, Array]:
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
        Whether a prediction with time is (N, T, ...): one with `lengths`, or of three axes or more.
    sample_weight : array_like of numbers or bools, optional
        Weights, finite and >= 0, of rows (N,), of positions, the shape of `prediction` without its last axis, or of
        elements, its whole shape: the number of axes says which. Where it is 0, prediction and target are not read.
    reduction : {"mean", "sum"}, default "mean"
        Whether the sum of the losses is divided by that of the weights, which are 1 by default.

    Returns
    -------
    loss : Mean
        A float: the mean over the elements that are not ignored, accumulated in float64; 0.0 if all are ignored.
    dprediction : ndarray, shape and dtype of `prediction`
        Gradient of `loss` with respect to `prediction`; 0 at ignored elements.

    Raises
    ------
    TypeError
        If `prediction` is not float32 or float64, `target` or `sample_weight` not real numbers, or `lengths` not
        integers.
    ValueError
        If a shape does not fit (nothing is broadcast), or a length, a weight or `reduction` is out of range.

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

    def absolute_values(total: Total, d: Array) -> tuple[Any, Array]:
        sign = np.sign(d)
        return total(d, sign), sign

    options = Options(lengths, batch_first, sample_weight, reduction)
    return over_differences(absolute_values, prediction, target, options)
