# SPDX-License-Identifier: BSD-3-Clause
"""The targets of cross_entropy as the engine takes them, and the mean or sum of the losses of the positions."""

import numpy as np

from .._engine.arguments import Array
from .._engine.losses import cross_entropy
from ._masking import Reduction
from ._mean import Mean


def class_targets(
    z: Array, y: Array, counted: Array, weight: Array | None, smoothing: float, w: Array | None, reduction: Reduction
) -> tuple[Mean, Array]:
    """The loss and its gradient (M, V), given classes.

    Parameters
    ----------
    z, y : ndarray, shape (M, V) and (M,)
        Logits and classes.
    counted : ndarray of bool, shape (M,)
        The positions that are not ignored. The others are not read; the gradient is 0 there.
    weight : ndarray of float64, shape (V,), or None
        Of the classes.
    smoothing : float
    w : ndarray of float64, shape (M,), or None
        Of the positions.
    reduction : Reduction
    """
    M, V = z.shape
    count = np.count_nonzero(counted)
    y = np.ascontiguousarray(y if count == M else np.where(counted, y, -1), np.intp)
    w_y = np.ones(M) if weight is None else weight[y]
    spread, peak = None, w_y
    if smoothing:
        spread, peak = smoothing / V * (np.ones(V) if weight is None else weight), (1 - smoothing) * w_y
    W = float(count if weight is None and w is None else (w_y if w is None else w_y * w)[counted].sum())
    return _reduced(z, y, peak, spread, w, W, reduction)


def soft_targets(
    z: Array, y: Array, counted: Array, weight: Array | None, smoothing: float, w: Array | None, reduction: Reduction
) -> tuple[Mean, Array]:
    """As `class_targets`, given probabilities y (M, V) of the classes."""
    M, V = z.shape
    if smoothing or weight is not None:
        each = np.ones(V) if weight is None else weight
        with np.errstate(all="ignore"):  # what does not count may be anything
            y = y * ((1 - smoothing) * each) + smoothing / V * each
    W = float(np.count_nonzero(counted) if w is None else w[counted].sum())
    return _reduced(z, np.where(counted, 0, -1), np.zeros(M), y, w, W, reduction)


def _reduced(
    z: Array, y: Array, peak: Array, spread: Array | None, w: Array | None, W: float, reduction: Reduction
) -> tuple[Mean, Array]:
    """The loss and its gradient, given targets as in `_engine.losses.cross_entropy`, and the sum of the weights."""
    divisor = reduction.divisor(W)
    scale = np.full(len(z), 1 / divisor) if w is None else w / divisor
    with np.errstate(all="ignore"):  # NaN stays NaN, and what does not count may be anything
        if spread is not None:
            spread = spread.astype(z.dtype, copy=False)
        losses, dz = cross_entropy(z, y, peak, spread, scale)
        losses, counted = losses if w is None else w * losses, y >= 0
        total = float((losses if counted.all() else losses[counted]).sum())
    if reduction.how == "mean" and not W:
        dz[...] = 0  # without a weight to divide by, no gradient
    return reduction.of(total, W), dz
