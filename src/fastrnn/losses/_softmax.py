# SPDX-License-Identifier: BSD-3-Clause
"""The targets of cross_entropy as the engine takes them, and the mean or sum of the losses of the positions."""

from typing import Any, NamedTuple

import numpy as np

from .._engine.arguments import Array
from .._engine.losses import cross_entropy
from ._masking import Reduction
from ._mean import Mean


class Targets(NamedTuple):
    """The targets of M rows of logits, as in `_engine.losses.cross_entropy`, and how their losses are reduced.

    All of it is known before the logits are, so that these can be computed, and forgotten, some rows at a time.

    Attributes
    ----------
    classes : ndarray of intp, shape (M,)
    peak : ndarray of float64, shape (M,)
    spread : ndarray, shape (M, V) or (V,), or None
    w : ndarray of float64, shape (M,), or None
        The weights of the rows; None is 1 for each.
    W : float
        The sum of the weights.
    reduction : Reduction
    """

    classes: Array
    peak: Array
    spread: Array | None
    w: Array | None
    W: float
    reduction: Reduction

    def rows(self, at: Array) -> "Targets":
        """The targets of the rows at (k,), with the sum of the weights of all rows."""
        spread = self.spread if self.spread is None or self.spread.ndim == 1 else self.spread[at]
        w = None if self.w is None else self.w[at]
        return self._replace(classes=self.classes[at], peak=self.peak[at], spread=spread, w=w)

    def losses(self, z: Array, dz: Array | None = None) -> tuple[Array, Array]:
        """The loss of each row (M,), and the gradient (M, V) of the value of all; `dz` is written if it is given."""
        divisor = self.reduction.divisor(self.W)
        scale = _filled(len(z), 1 / divisor) if self.w is None else self.w / divisor
        losses, dz = cross_entropy(z, self.classes, self.peak, self.spread, scale, dz)
        if self.reduction.how == "mean" and not self.W:
            dz[...] = 0  # without a weight to divide by, no gradient
        return losses, dz

    def value(self, losses: Array) -> Mean:
        """The mean or the sum of the losses of all rows."""
        counted = self.classes >= 0
        with np.errstate(all="ignore"):  # NaN stays NaN, and what does not count may be anything
            losses = losses if self.w is None else self.w * losses
            total = float((losses if np.count_nonzero(counted) == len(counted) else losses[counted]).sum())
        return self.reduction.of(total, self.W)


class ClassOptions(NamedTuple):
    """Options of class targets: weights of the classes, float64 (V,) or None, and label smoothing."""

    V: int
    weight: Array | None
    smoothing: float
    dtype: np.dtype[Any]  # of the logits


def class_targets(y: Array, counted: Array, w: Array | None, options: ClassOptions, reduction: Reduction) -> Targets:
    """Targets given classes.

    Parameters
    ----------
    y : ndarray, shape (M,)
    counted : ndarray of bool, shape (M,)
        The positions that are not ignored. The others are not read; the gradient is 0 there.
    w : ndarray of float64, shape (M,), or None
        Of the positions.
    options : ClassOptions
    reduction : Reduction
    """
    (V, weight, smoothing, dtype), M = options, len(y)
    count = np.count_nonzero(counted)
    y = np.ascontiguousarray(y if count == M else np.where(counted, y, -1), np.intp)
    w_y = _filled(M, 1.0) if weight is None else weight[y]
    spread, peak = None, w_y
    if smoothing:
        spread, peak = smoothing / V * (np.ones(V) if weight is None else weight), (1 - smoothing) * w_y
    W = float(count if weight is None and w is None else (w_y if w is None else w_y * w)[counted].sum())
    return Targets(y, peak, _as(spread, dtype), w, W, reduction)


def soft_targets(y: Array, counted: Array, w: Array | None, options: ClassOptions, reduction: Reduction) -> Targets:
    """As `class_targets`, given probabilities y (M, V) of the classes."""
    V, weight, smoothing, dtype = options
    if smoothing or weight is not None:
        each = np.ones(V) if weight is None else weight
        with np.errstate(all="ignore"):  # what does not count may be anything
            y = y * ((1 - smoothing) * each) + smoothing / V * each
    W = float(np.count_nonzero(counted) if w is None else w[counted].sum())
    return Targets(np.where(counted, 0, -1), np.zeros(len(y)), _as(y, dtype), w, W, reduction)


def _filled(M: int, value: float) -> Array:
    """`numpy.full`, which takes longer than a loss of few rows."""
    array = np.empty(M)
    array.fill(value)
    return array


def _as(spread: Array | None, dtype: np.dtype[Any]) -> Array | None:
    if spread is None:
        return None
    with np.errstate(all="ignore"):
        return spread.astype(dtype, copy=False)
