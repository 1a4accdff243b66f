# SPDX-License-Identifier: BSD-3-Clause
"""The cross-entropy of softmax and its gradient, of M positions that count."""

from typing import Any

import numpy as np

from .._engine.arguments import Array
from ._masking import Reduction
from ._mean import Mean


def class_targets(
    z: Array, y: Array, weight: Array | None, smoothing: float, w: Array | None, reduction: Reduction
) -> tuple[Mean, Array]:
    """The loss and its gradient (M, V), given classes.

    Parameters
    ----------
    z, y : ndarray, shape (M, V) and (M,)
        Logits and classes.
    weight : ndarray of float64, shape (V,), or None
        Of the classes.
    smoothing : float
    w : ndarray of float64, shape (M,), or None
        Of the positions.
    reduction : Reduction
    """
    M, V = z.shape
    position = np.arange(M)
    w_y: Any = 1.0 if weight is None else weight[y]  # (M,), or one number for all
    q_sum = q_target = (1 - smoothing) * w_y  # the sum of q, and the part that only the target has
    q_each = np.zeros(V)  # the part that every class has
    if smoothing:
        q_each = smoothing / V * (np.ones(V) if weight is None else weight)
        q_sum = q_target + q_each.sum()
    W = M if weight is None and w is None else float(np.sum(w_y * _each(w)))
    D = reduction.divisor(W)

    with np.errstate(all="ignore"):  # far below the maximum exp is 0 by design; NaN stays NaN
        p = z - z.max(axis=1, keepdims=True)  # (M, V): the only large temporary array, which becomes the gradient
        q_dot_z = q_target * p[position, y].astype(np.float64)  # (M,)
        if weight is not None or smoothing:
            q_dot_z = np.where(q_target > 0, q_dot_z, 0)  # 0 * -inf is 0 here
        if smoothing:
            some = q_each > 0
            q_dot_z += np.einsum("mv,v->m", p if some.all() else p[:, some], q_each[some], dtype=np.float64)
        total = _softmax(p, q_sum, q_dot_z, w, D)
        p[position, y] -= np.asarray(_each(w) * q_target / D, p.dtype)
        if smoothing:
            p -= (_each(w)[..., None] * q_each / D).astype(p.dtype)
    return _value(total, W, p, reduction)


def soft_targets(
    z: Array, y: Array, weight: Array | None, smoothing: float, w: Array | None, reduction: Reduction
) -> tuple[Mean, Array]:
    """As `class_targets`, given probabilities y (M, V) of the classes."""
    M, V = z.shape
    q = y.astype(np.float64)
    if smoothing:
        q = (1 - smoothing) * q + smoothing / V
    if weight is not None:
        q *= weight
    q_sum = q.sum(axis=1)
    W = M if w is None else float(np.sum(w))
    D = reduction.divisor(W)

    with np.errstate(all="ignore"):  # as above
        p = z - z.max(axis=1, keepdims=True)
        q_dot_z = np.sum(np.where(q > 0, q * p, 0), axis=1)
        total = _softmax(p, q_sum, q_dot_z, w, D)
        p -= (_each(w)[..., None] * q / D).astype(p.dtype)
    return _value(total, W, p, reduction)


def _each(w: Array | None) -> Array:
    """The weights of the positions, or one number for all."""
    return np.ones(()) if w is None else w


def _softmax(p: Array, q_sum: Any, q_dot_z: Array, w: Array | None, D: float) -> float:
    """The sum of the losses; in place, p (M, V), logits from their maximum, becomes w q_sum softmax / D."""
    np.exp(p, out=p)
    total = np.einsum("mv->m", p, dtype=np.float64)  # in 1..V; faster here than p.sum(axis=1)
    losses = q_sum * np.log(total) - q_dot_z
    p *= (_each(w) * q_sum / (D * total)).astype(p.dtype)[:, None]
    return float(np.sum(losses if w is None else w * losses))


def _value(total: float, W: float, p: Array, reduction: Reduction) -> tuple[Mean, Array]:
    """The loss and its gradient; without a weight to divide by, no gradient."""
    if reduction.how == "mean" and not W:
        p[...] = 0
    return reduction.of(total, W), p
