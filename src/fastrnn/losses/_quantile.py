# SPDX-License-Identifier: BSD-3-Clause
"""Quantile (pinball) loss."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array
from ._differences import difference
from ._masking import Options, Total, as_numbers, as_prediction, as_reduction, as_target, check_entries, reduce_elements
from ._mean import Mean
from ._positions import of_positions


@of_positions
def quantile_loss(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    quantiles: ArrayLike,
    lengths: ArrayLike | None = None,
    batch_first: bool = False,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> tuple[Mean, Array]:
    """Mean pinball loss of predicted quantiles, and its gradient.

    It is minimized by the q-quantile of the targets: the number below which a fraction q of them lies (Koenker and
    Bassett, "Regression quantiles", Econometrica 46, 1978). Two quantiles, such as 0.05 and 0.95, give a prediction
    interval. Over the M positions that are not ignored, and Q quantiles q::

        loss        = mean of  q (target - prediction)        where target > prediction
                               (1 - q) (prediction - target)  elsewhere
        dprediction = -q / (M Q),  (1 - q) / (M Q),  0 where they are equal

    Parameters
    ----------
    prediction : array_like, shape (..., Q), float32 or float64
        Each quantile of each number.
    target : array_like of numbers, shape (...)
        The numbers, in any dtype of real numbers; they are rounded to the dtype of `prediction`.
    quantiles : array_like of numbers, shape (Q,)
        The probabilities q, each in (0, 1), in the order of the last axis of `prediction`.
    lengths : array_like of integers, shape (N,), optional
        Requires a prediction of shape (T, N, ..., Q). Elements of steps ``t >= lengths[n]`` are ignored, whatever
        prediction and target contain there. Each length is in 0..T, in any order. By default every row has T steps.
    batch_first : bool, default False
        Whether a prediction with time, of three axes or more, is (N, T, ..., Q).
    sample_weight : array_like of numbers or bools, optional
        Weights, finite and >= 0, of rows (N,), or of targets (...): the number of axes says which. Where it is 0,
        prediction and target are not read.
    reduction : {"mean", "sum"}, default "mean"
        Whether the sum of the losses is divided by that of the weights, which are 1 by default, of each quantile.

    Returns
    -------
    loss : Mean
        A float: the mean over the positions that are not ignored and the quantiles, accumulated in float64; 0.0 if all
        are ignored.
    dprediction : ndarray, shape and dtype of `prediction`
        Gradient of `loss` with respect to `prediction`; 0 at ignored elements.

    Raises
    ------
    TypeError
        If `prediction` is not float32 or float64, `target`, `quantiles` or `sample_weight` not real numbers, or
        `lengths` not integers.
    ValueError
        If a shape does not fit (nothing is broadcast), or a quantile, a length, a weight or `reduction` is out of
        range.

    Notes
    -----
    The inputs are never written to. NaN at an element that is not ignored makes the loss NaN, without a warning. The
    quantiles of a position are learned independently of each other, and nothing keeps them in order.

    Examples
    --------
    For `fastrnn.fit`, set the quantiles with `functools.partial`.

    >>> import functools, numpy as np, fastrnn as fr
    >>> loss = functools.partial(fr.quantile_loss, quantiles=[0.25, 0.5])
    >>> loss(np.array([[1.0, 3.0]]), [2.0])
    (0.375, array([[-0.125,  0.25 ]]))
    """
    prediction = as_prediction("prediction", prediction)
    q = as_numbers("quantiles", quantiles)
    if q.ndim != 1 or not q.size:
        raise ValueError(f"quantiles: expected (Q,) with Q >= 1, got {q.shape}")
    check_entries("quantiles", q, ~((q > 0) & (q < 1)), "numbers between 0 and 1")
    if prediction.shape[-1:] != q.shape:
        raise ValueError(f"prediction: expected (..., {q.size}), one for each quantile, got {prediction.shape}")
    target = as_target("target", target, prediction.shape[:-1])
    options = Options(lengths, batch_first, sample_weight, reduction)
    reduced = as_reduction("prediction", prediction.shape, target.shape, options, "..., Q")

    def pinball(total: Total, x: Array, y: Array, q: Array) -> tuple[Any, Array]:
        d = difference(x, y)
        slope = np.sign(d)
        slope = slope / 2 + (1 / 2 - q) * np.abs(slope)  # -q, 0 or 1 - q; NaN stays NaN
        return total(d, slope), slope

    each = [np.broadcast_to(array, prediction.shape) for array in (target[..., None], q.astype(prediction.dtype))]
    return reduce_elements(pinball, reduced, prediction, *each)
