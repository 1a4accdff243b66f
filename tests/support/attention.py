# SPDX-License-Identifier: BSD-3-Clause
"""Attention in plain NumPy and float64, the oracle of tests/csrc; and calls of the engine with random arrays."""

import numpy as np

from fastrnn import _core

KINDS = ["hidden", "products"]


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
        own = dweights[:, n, :end] if dweights is not None else np.zeros((S, end))
        used = dcontext[:, n].any(axis=1) | own.any(axis=1)  # the other queries may hold NaN
        q, k, w = query[used, n], keys[n, :end], np.asarray(weights[used, n, :end], np.float64)
        slopes = dcontext[used, n].astype(np.float64) @ values[n, :end].T + own[used]
        d = dscores[used, n, :end] = w * (slopes - (w * slopes).sum(axis=1, keepdims=True))
        dvalues[n, :end] = w.T @ dcontext[used, n]
        if v is None:
            dquery[used, n], dkeys[n, :end] = d @ k, d.T @ q
            continue
        hidden = np.tanh(q[:, None] + k)
        slant = d[..., None] * (1 - hidden**2) * np.asarray(v, np.float64)
        dquery[used, n], dkeys[n, :end] = slant.sum(axis=1), slant.sum(axis=0)
        dv[n] = (d[..., None] * hidden).sum(axis=(0, 1))
    return dscores, dquery, dkeys, dvalues, dv


class Problem:
    """Random arrays of a call, forward and back."""

    def __init__(self, rng, sizes, kind, lengths, dtype):
        S, N, T, K, M = sizes
        draw = lambda *shape: rng.standard_normal(shape).astype(dtype)  # noqa: E731
        self.keys, self.values, self.v = draw(N, T, K), draw(N, T, M), draw(K) if kind == "hidden" else None
        self.query, self.dcontext, self.dweights = draw(S, N, K), draw(S, N, M), draw(S, N, T)
        self.lengths = np.array([(0, T, T // 2)[n % 3] for n in range(N)], np.intp) if lengths == "ragged" else None
        self.sizes, self.dtype = sizes, dtype

    @property
    def memory(self):
        return self.keys, self.values, self.v, self.lengths

    def forward(self, threads=1):
        S, N, T, _, M = self.sizes
        context, weights = np.full((S, N, M), 7, self.dtype), np.full((S, N, T), 7, self.dtype)
        _core.attention(self.memory, self.query, context, weights, threads)
        return context, weights

    def backward(self, weights, threads=1, dweights=True):
        """dscores, dquery, dkeys, dvalues, dv, as the oracle has them; dv of each row."""
        S, N, T, K, _ = self.sizes
        dscores, dquery = np.full((S, N, T), 7, self.dtype), np.full((S, N, K), 7, self.dtype)
        dhidden = dv = None
        if self.v is not None:
            dhidden, dv = np.zeros_like(self.keys), np.zeros((N, K), self.dtype)
        upstream = self.dcontext, self.dweights if dweights else None
        results = dscores, dquery, dhidden, dv
        _core.attention_back(self.memory, (self.query, weights), upstream, results, threads)
        dvalues, dkeys = np.zeros_like(self.values), np.zeros_like(self.keys)
        _core.attention_outer(weights, self.dcontext, self.lengths, dvalues, threads)
        if dhidden is None:
            _core.attention_outer(dscores, self.query, self.lengths, dkeys, threads)
        else:
            dkeys = dhidden * self.v
        return dscores, dquery, dkeys, dvalues, dv


def problem(rng, sizes, kind, lengths, dtype):
    return Problem(rng, sizes, kind, lengths, np.dtype(dtype))


def same_bits(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert (a is None) == (b is None)
        assert a is None or (a.shape == b.shape and a.tobytes() == b.tobytes())
