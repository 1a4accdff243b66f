# SPDX-License-Identifier: BSD-3-Clause
"""Losses of softmax over rows of logits, with their gradients, as the engine computes them."""

import numpy as np

from .. import _core
from . import recycled
from .arguments import Array, readable
from .elementwise import walkable
from .threads import effective


def cross_entropy(
    z: Array, target: Array, peak: Array, spread: Array | None, scale: Array, dz: Array | None = None
) -> tuple[Array, Array]:
    """The cross-entropy of each row, and the gradient of their scaled sum, as in csrc/engine/cross_entropy.h.

    The target of row i is q[k] = spread[i, k], and peak[i] more for k = target[i].

    Parameters
    ----------
    z : ndarray, shape (M, V), float32 or float64
        Logits, in any memory layout.
    target : ndarray of intp, shape (M,)
        The class of each row, below V; -1 where a row does not count, and its logits are not read.
    peak, scale : ndarray of float64, shape (M,)
        `scale` is what the gradient of a row is multiplied by.
    spread : ndarray, shape (M, V) or (V,), or None
        With the dtype of z; None is zero.
    dz : ndarray, shape (M, V), dtype of z, optional
        Written; it may be z, if that is C-ordered. By default it is a new array.

    Returns
    -------
    losses : ndarray of float64, shape (M,)
        Not scaled; 0 where a row does not count, as its gradient is.
    dz : ndarray, shape (M, V), dtype of z
    """
    z = walkable(z)
    losses, dz = np.empty(len(z)), recycled.empty(z.shape, z.dtype) if dz is None else dz
    _core.cross_entropy(z, target, peak, None if spread is None else walkable(spread), scale, dz, losses, effective())
    return losses, dz


def ctc(z: Array, rows: tuple[Array, Array, Array], blank: int, scale: Array, zero_infinity: bool, dz: Array) -> Array:
    """-log P of each row of a batch, and the gradient of their scaled sum, as in csrc/engine/ctc.h.

    Parameters
    ----------
    z : ndarray, shape (T, N, V), float32 or float64
        Logits, in any memory layout.
    rows : tuple of ndarray of intp
        The labels of each row (N, S), how many it has (N,), and its steps (N,).
    blank : int
    scale : ndarray of float64, shape (N,)
        What the gradient of each row is multiplied by.
    zero_infinity : bool
        Whether an infinite loss, and its gradient, become 0.
    dz : ndarray, shape (T, N, V), dtype of z
        The gradient, out; 0 beyond the steps of a row. Its last axis is contiguous.

    Returns
    -------
    losses : ndarray of float64, shape (N,)
    """
    losses = np.empty(z.shape[1])
    _core.ctc(readable(z), rows, blank, zero_infinity, scale, dz, losses, effective())
    return losses
