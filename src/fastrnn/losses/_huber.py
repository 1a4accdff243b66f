# SPDX-License-Identifier: BSD-3-Clause
"""Huber loss, for errors with few large outliers."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array, as_positive
from ._differences import over_differences
from ._masking import Options, Total
from ._mean import Mean
from ._positions import of_positions


@of_positions
def huber_loss(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    batch_first: bool = False,
    delta: float = 1.0,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> tuple[Mean, Array]:
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
        Whether a prediction with time is (N, T, ...): one with `lengths`, or of three axes or more.
    delta : float, default 1.0
        The size of an error at which the parabola turns into a line, > 0 and finite; in the units of `prediction`.
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
        If `prediction` is not float32 or float64, `target` or `sample_weight` not real numbers, `lengths` not integers,
        or `delta` not a number.
    ValueError
        If a shape does not fit (nothing is broadcast), or a length, a weight, `delta` or `reduction` is out of range.

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

    def parabolas_and_lines(total: Total, d: Array) -> tuple[Any, Array]:
        bound = d.dtype.type(delta)
        slope = np.clip(d, -bound, bound)  # the loss is slope (d - slope / 2) on both sides of delta
        return total(slope, d) - total(slope, slope) / 2, slope

    options = Options(lengths, batch_first, sample_weight, reduction)
    return over_differences(parabolas_and_lines, prediction, target, options)
