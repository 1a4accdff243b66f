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
    y = np.where(counted, y, -1).astype(np.intp)
    w_y = np.ones(M) if weight is None else weight[y]
    spread = None
    if smoothing:
        spread = smoothing / V * (np.ones(V) if weight is None else weight)
    of_mean = w_y if w is None else w_y * w
    W = float(of_mean[counted].sum())
    return _reduced(z, y, (1 - smoothing) * w_y, spread, w, W, reduction)


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
    scale = (np.ones(len(z)) if w is None else w) / reduction.divisor(W)
    with np.errstate(all="ignore"):  # NaN stays NaN, and what does not count may be anything
        if spread is not None:
            spread = spread.astype(z.dtype, copy=False)
        losses, dz = cross_entropy(z, y, peak, spread, scale)
        total = float((losses if w is None else w * losses)[y >= 0].sum())
    if reduction.how == "mean" and not W:
        dz[...] = 0  # without a weight to divide by, no gradient
    return reduction.of(total, W), dz
