# SPDX-License-Identifier: BSD-3-Clause
"""What the engine computes for the losses of softmax, in plain NumPy and float64: the oracle of tests/csrc."""

import numpy as np


def log_softmax(z):
    """Over the last axis; logits of any size, -inf included."""
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def cross_entropy(z, target, peak, spread, scale):
    """Losses (M,) and gradients (M, V) of rows, as csrc/fastrnn.h says; spread has a row for each, or one for all."""
    M, V = z.shape
    counts = target >= 0
    q = np.zeros((M, V)) if spread is None else np.broadcast_to(spread, (M, V)).astype(np.float64)
    q[np.arange(M), target] += np.where(counts, peak, 0)
    losses, dz = np.zeros(M), np.zeros((M, V))
    with np.errstate(all="ignore"):
        log_p = log_softmax(z[counts].astype(np.float64))
        losses[counts] = -np.where(q[counts] > 0, q[counts] * log_p, 0 * np.exp(log_p)).sum(axis=1)
        Q = q[counts].sum(axis=1, keepdims=True)
        dz[counts] = scale[counts, None] * (Q * np.exp(log_p) - q[counts])
    return losses, dz
