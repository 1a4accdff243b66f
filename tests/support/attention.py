# SPDX-License-Identifier: BSD-3-Clause
"""What the engine computes for attention, in plain NumPy and float64: the oracle of tests/csrc."""

import numpy as np


def forward(query, keys, values, v=None, lengths=None):
    """Context (S, N, M) and weights (S, N, T), as csrc/attention.h says."""
    query, keys, values = (np.asarray(array, np.float64) for array in (query, keys, values))
    (S, N, _), T = query.shape, keys.shape[1]
    context, weights = np.zeros((S, N, values.shape[2])), np.zeros((S, N, T))
    for n in range(N):
        end = T if lengths is None else lengths[n]
        scores = scores_of(query[:, n], keys[n, :end], v)
        scores = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf)) if end else scores
        weights[:, n, :end] = scores / scores.sum(axis=1, keepdims=True) if end else 0
        context[:, n] = weights[:, n, :end] @ values[n, :end]
    return context, weights


def scores_of(query, keys, v):
    """(S, T) of queries (S, K) and keys (T, K)."""
    if v is None:
        return query @ keys.T
    return np.tanh(query[:, None] + keys) @ np.asarray(v, np.float64)


def backward(passed, upstream, keys, values, v=None, lengths=None):
    """dscores (S, N, T), dquery (S, N, K), the gradients of keys and values (N, T, ...), and of v (N, K) or None.

    passed is (query, weights), upstream (dcontext, dweights or None).
    """
    (query, weights), (dcontext, dweights) = passed, upstream
    query, keys, values = (np.asarray(array, np.float64) for array in (query, keys, values))
    (S, N, K), T = query.shape, keys.shape[1]
    dscores, dquery, dkeys, dvalues = (np.zeros(a) for a in ((S, N, T), query.shape, keys.shape, values.shape))
    dv = None if v is None else np.zeros((N, K))
    for n in range(N):
        end = T if lengths is None else lengths[n]
        q, k, w = query[:, n], keys[n, :end], np.asarray(weights[:, n, :end], np.float64)
        slopes = dcontext[:, n].astype(np.float64) @ values[n, :end].T
        slopes += 0 if dweights is None else dweights[:, n, :end]
        d = dscores[:, n, :end] = w * (slopes - (w * slopes).sum(axis=1, keepdims=True))
        dvalues[n, :end] = w.T @ dcontext[:, n]
        if v is None:
            dquery[:, n], dkeys[n, :end] = d @ k, d.T @ q
            continue
        hidden = np.tanh(q[:, None] + k)
        slant = d[..., None] * (1 - hidden**2) * np.asarray(v, np.float64)
        dquery[:, n], dkeys[n, :end] = slant.sum(axis=1), slant.sum(axis=0)
        dv[n] = (d[..., None] * hidden).sum(axis=(0, 1))
    return dscores, dquery, dkeys, dvalues, dv
