# SPDX-License-Identifier: BSD-3-Clause
"""Cross-entropy of independent yes-or-no questions."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array, as_flag
from ._masking import as_prediction, as_target, as_weights, check_entries, masked_mean, sequence_mask


def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    lengths: ArrayLike | None = None,
    batch_first: bool = False,
    pos_weight: ArrayLike | None = None,
) -> tuple[float, Array]:
    """Mean cross-entropy of sigmoid(logits) against targets between 0 and 1, and its gradient.

    For yes-or-no questions that are answered independently of each other. With z one logit, y its target and c its
    `pos_weight` or 1 (Bishop, "Pattern Recognition and Machine Learning", 2006, equations 4.90 and 4.91), over the M
    elements that are not ignored::

        loss = mean of -c y log sigmoid(z) - (1 - y) log sigmoid(-z)
             = mean of c y softplus(-z) + (1 - y) softplus(z)
        dz   = ((1 - y) sigmoid(z) - c y sigmoid(-z)) / M

    where softplus(z) = log(1 + exp(z)) is computed as ``max(z, 0) + log(1 + exp(-|z|))``, which never overflows.

    Parameters
    ----------
    logits : array_like, any shape, float32 or float64
        Unnormalised log-odds of "yes".
    targets : array_like of numbers or bools, shape of `logits`
        The probability of "yes", in [0, 1].
    lengths : array_like of integers, shape (N,), optional
        Requires logits of shape (T, N, ...). Elements of steps ``t >= lengths[n]`` are ignored, whatever logits and
        targets contain there. Each length is in 0..T, in any order. By default every row has T steps.
    batch_first : bool, default False
        With `lengths`: logits and targets are (N, T, ...). Without `lengths` it has no effect.
    pos_weight : array_like of numbers, optional
        Weight of a "yes" relative to a "no", finite and >= 0, of a shape that broadcasts to the shape of `logits`: one
        number, or one for each element of the last axis. By default 1.

    Returns
    -------
    loss : float
        Mean over the elements that are not ignored (not divided by weights, as in PyTorch), in nats, accumulated in
        float64; 0.0 if all are ignored.
    dlogits : ndarray, shape and dtype of `logits`
        Gradient of `loss` with respect to `logits`; 0 at ignored elements.

    Raises
    ------
    TypeError
        If `logits` is not float32 or float64, `targets` or `pos_weight` are not real numbers, or `lengths` are not
        integers.
    ValueError
        If a shape does not fit, or a target that is not ignored, a length or a weight is out of range.

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
    batch_first = as_flag("batch_first", batch_first)
    mask = None if lengths is None else sequence_mask("logits", logits.shape, lengths, "...", batch_first)
    with np.errstate(all="ignore"):
        invalid = (targets < 0) | (targets > 1)  # NaN is neither: it goes through to the loss
    if mask is not None:
        invalid &= mask.reshape(*mask.shape, *(1,) * (logits.ndim - 2))
    check_entries("targets", targets, invalid, "numbers in [0, 1]")
    if pos_weight is None:
        return masked_mean(_binary_cross_entropy, mask, logits, targets)

    weights = as_weights("pos_weight", pos_weight, logits.dtype)
    try:
        weights = np.broadcast_to(weights, logits.shape)
    except ValueError:
        raise ValueError(
            f"pos_weight: expected a shape that broadcasts to {logits.shape}, got {weights.shape}"
        ) from None
    return masked_mean(_binary_cross_entropy, mask, logits, targets, weights)


def _binary_cross_entropy(z: Array, y: Array, pos_weight: Any = 1) -> tuple[Any, Array]:
    """Sum of the losses of elements (M,), and the derivative of each."""
    y = y.astype(z.dtype)
    yes, no = pos_weight * y, 1 - y
    e = np.exp(-np.abs(z))  # in 0..1
    log1p_e = np.log1p(e)
    losses = yes * (np.maximum(-z, 0) + log1p_e) + no * (np.maximum(z, 0) + log1p_e)
    losses[np.isinf(z) & np.isnan(losses)] = 0  # 0 * inf: certain and correct
    likely, unlikely = 1 / (1 + e), e / (1 + e)  # the sigmoids of |z| and -|z|
    slope = no * np.where(z < 0, unlikely, likely) - yes * np.where(z < 0, likely, unlikely)
    return np.sum(losses, dtype=np.float64), slope
