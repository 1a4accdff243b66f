# SPDX-License-Identifier: BSD-3-Clause
"""Cross-entropy for independent binary classifications."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array
from ._masking import Options, Total, as_prediction, as_reduction, as_target, as_weights, check_entries, reduce_elements
from ._mean import Mean
from ._positions import of_positions


@of_positions
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    batch_first: bool = False,
    pos_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> tuple[Mean, Array]:
    """Mean cross-entropy of sigmoid(logits) against targets between 0 and 1, and its gradient.

    For independent binary classifications. With z one logit, y its target and c its `pos_weight` or 1 (Bishop, "Pattern
    Recognition and Machine Learning", 2006, equations 4.90 and 4.91), over the M elements that are not ignored::

        loss = mean of -c y log sigmoid(z) - (1 - y) log sigmoid(-z)
             = mean of c y softplus(-z) + (1 - y) softplus(z)
        dz   = ((1 - y) sigmoid(z) - c y sigmoid(-z)) / M

    where softplus(z) = log(1 + exp(z)) is computed as ``max(z, 0) + log(1 + exp(-|z|))``, which never overflows.

    Parameters
    ----------
    logits : array_like, any shape, float32 or float64
        Log-odds of the positive class.
    targets : array_like of numbers or bools, shape of `logits`
        The probability of the positive class, in [0, 1].
    lengths : array_like of integers, shape (N,), optional
        Requires logits of shape (T, N, ...). Elements of steps ``t >= lengths[n]`` are ignored, whatever logits and
        targets contain there. Each length is in 0..T, in any order. By default every row has T steps.
    batch_first : bool, default False
        Whether logits with time are (N, T, ...): those with `lengths`, or of three axes or more.
    pos_weight : array_like of numbers, optional
        Weight of the positive class, finite and >= 0, of a shape that broadcasts to the shape of `logits`: one number,
        or one for each element of the last axis. By default 1.
    sample_weight : array_like of numbers or bools, optional
        Weights, finite and >= 0, of rows (N,), of positions, the shape of `logits` without its last axis, or of
        elements, its whole shape: the number of axes says which. Where it is 0, logits and targets are not read.
    reduction : {"mean", "sum"}, default "mean"
        Whether the sum of the losses is divided by that of the weights, which are 1 by default.

    Returns
    -------
    loss : Mean
        A float: the mean over the elements that are not ignored (`pos_weight` is not among the weights that it is
        divided by, as in PyTorch), in nats, accumulated in float64; 0.0 if all are ignored.
    dlogits : ndarray, shape and dtype of `logits`
        Gradient of `loss` with respect to `logits`; 0 at ignored elements.

    Raises
    ------
    TypeError
        If `logits` is not float32 or float64, `targets`, `pos_weight` or `sample_weight` are not real numbers, or
        `lengths` are not integers.
    ValueError
        If a shape does not fit, or a target that is not ignored, a length, a weight or `reduction` is out of range.

    Notes
    -----
    The inputs are never written to. Logits of any size are safe: an infinite one costs nothing if it is right, inf if
    it is wrong. NaN at an element that is not ignored makes the loss NaN, without a warning.

    Examples
    --------
    An undecided answer costs log 2 nats; a certain and correct one costs nothing.

    >>> import numpy as np
    >>> import fastrnn as fr
    >>> loss, dlogits = fr.binary_cross_entropy_with_logits(np.array([0.0, 1000.0]), [1, 1])
    >>> round(2 * loss, 4)
    0.6931
    >>> dlogits.tolist()
    [-0.25, 0.0]
    """
    logits = as_prediction("logits", logits)
    targets = as_target("targets", targets, logits.shape)
    options = Options(lengths, batch_first, sample_weight, reduction)
    reduced = as_reduction("logits", logits.shape, logits.shape, options)
    with np.errstate(all="ignore"):
        invalid = (targets < 0) | (targets > 1)  # NaN is neither: it goes through to the loss
    if reduced.mask is not None:
        invalid &= reduced.mask.reshape(reduced.mask.shape + (1,) * (logits.ndim - reduced.mask.ndim))
    check_entries("targets", targets, invalid, "numbers in [0, 1]")
    if pos_weight is None:
        return reduce_elements(_binary_cross_entropy, reduced, logits, targets)

    weights = as_weights("pos_weight", pos_weight, logits.dtype)
    try:
        weights = np.broadcast_to(weights, logits.shape)
    except ValueError:
        raise ValueError(
            f"pos_weight: expected a shape that broadcasts to {logits.shape}, got {weights.shape}"
        ) from None
    return reduce_elements(_binary_cross_entropy, reduced, logits, targets, weights)


def _binary_cross_entropy(total: Total, z: Array, y: Array, pos_weight: Any = 1) -> tuple[Any, Array]:
    """Sum of the losses of elements (M,), and the derivative of each."""
    y = y.astype(z.dtype)
    yes, no = pos_weight * y, 1 - y
    e = np.exp(-np.abs(z))  # in 0..1
    log1p_e = np.log1p(e)
    losses = yes * (np.maximum(-z, 0) + log1p_e) + no * (np.maximum(z, 0) + log1p_e)
    losses[np.isinf(z) & np.isnan(losses)] = 0  # 0 * inf: certain and correct
    likely, unlikely = 1 / (1 + e), e / (1 + e)  # the sigmoids of |z| and -|z|
    slope = no * np.where(z < 0, unlikely, likely) - yes * np.where(z < 0, likely, unlikely)
    return total(losses), slope
