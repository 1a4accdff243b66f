# SPDX-License-Identifier: BSD-3-Clause
"""One query of each row meets a memory: scores, their softmax over time, and the mean that it weights.

Every sum over time is taken in the order of time, so that a row has the same bits alone, in a batch and padded.
"""

from typing import NamedTuple

import numpy as np


class Memory(NamedTuple):
    """A memory as each query meets it.

    Where `v` is there, the score of q and a key k is ``v . tanh(q + k)``, else ``q . k``.
    """

    values: np.ndarray  # (T, N, M), 0 beyond a row's length
    keys: np.ndarray  # (T, N, K)
    v: np.ndarray | None  # (K,)
    beyond: np.ndarray | None  # (T, N): which steps do not count
    tape: object  # of the keys; None for inference

    def repeated(self, copies):
        """Each row `copies` times, for inference."""
        values, keys, beyond = (
            array if array is None or copies == 1 else np.repeat(array, copies, axis=1)
            for array in (self.values, self.keys, self.beyond)
        )
        return Memory(values, keys, self.v, beyond, None)


class Gradients:
    """What queries leave, one after another, for the gradients of the memory that they met.

    A query adds an outer product to the gradient of the values, and to that of the keys if the scores are products. To
    add all of them up at the end goes through that memory once, and not once for each query.
    """

    def __init__(self, memory):
        self.memory = memory
        self.weights, self.dcontexts = [], []  # (T, N) and (N, M) of each query
        self.dscores, self.queries = [], []  # (T, N) and (N, K), if scores are products
        self.dhidden = None if memory.v is None else np.zeros_like(memory.keys)  # of query + keys, but for v
        self.dv = None if memory.v is None else np.zeros_like(memory.v)

    def of_values(self):
        """(T, N, M), as far as they are values and not keys."""
        return _outer(self.weights, self.dcontexts, self.memory.values)

    def of_keys(self):
        """(T, N, K)."""
        if self.dhidden is None:
            return _outer(self.dscores, self.queries, self.memory.keys)
        return self.dhidden * self.memory.v


def _outer(columns, rows, like):
    """The sum over queries s of columns[s][t, n] rows[s][n, :], of the shape of `like`, (T, N, F)."""
    total = np.zeros_like(like)
    if columns:
        columns, rows = np.array(columns), np.array(rows)
        with np.errstate(over="ignore", invalid="ignore"):
            for t, total_t in enumerate(total):
                total_t[...] = over_time(columns[:, t], rows)
    return total


def attend(query, memory):
    """`query` (N, K) gives context (N, M) and weights (T, N)."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite gives NaN, as in the engine
        if memory.v is None:
            scores = np.einsum("nk,tnk->tn", query, memory.keys)
        else:
            scores = np.einsum("tnk,k->tn", _hidden(query, memory), memory.v)
        weights = softmax(scores, memory.beyond)
        return over_time(weights, memory.values), weights


def attend_back(query, weights, dcontext, dweights, memory, gradients):
    """Back through `attend`: the gradient of the query, (N, K); what the others need is left in `gradients`.

    Parameters
    ----------
    query : ndarray, shape (N, K)
    weights : ndarray, shape (T, N)
        From `attend`.
    dcontext : ndarray, shape (N, M)
    dweights : ndarray, shape (N, T), or None
    memory : Memory
    gradients : Gradients
    """
    gradients.weights.append(weights)
    gradients.dcontexts.append(dcontext)
    with np.errstate(over="ignore", invalid="ignore"):
        # context = sum_t weights[t] values[t]
        slopes = np.einsum("nm,tnm->tn", dcontext, memory.values)
        if dweights is not None:
            slopes += dweights.T
        # weights = softmax(scores)
        dscores = weights * (slopes - in_time(weights * slopes))
        if memory.v is None:  # scores[t] = query . keys[t]
            gradients.dscores.append(dscores)
            gradients.queries.append(query)
            return over_time(dscores, memory.keys)
        # scores[t] = v . hidden[t]; hidden is computed again, as to keep it for every query would take much memory
        hidden = _hidden(query, memory)
        gradients.dv += np.einsum("tn,tnk->k", dscores, hidden)
        # hidden[t] = tanh(query + keys[t])
        hidden *= hidden
        np.subtract(1, hidden, out=hidden)
        dquery = over_time(dscores, hidden) * memory.v
        hidden *= dscores[..., None]
        gradients.dhidden += hidden
        return dquery


def _hidden(query, memory):
    """tanh(query + keys[t]), (T, N, K)."""
    hidden = memory.keys + query
    return np.tanh(hidden, out=hidden)


def softmax(scores, beyond):
    """Over time, (T, N), in place; 0 where `beyond`, and so in a row of which no step counts."""
    if beyond is not None:
        scores[beyond] = -np.inf
    peak = scores.max(axis=0, initial=-np.inf)
    peak[peak == -np.inf] = 0
    np.exp(np.subtract(scores, peak, out=scores), out=scores)
    total = in_time(scores)
    scores /= np.where(total == 0, 1, total)
    return scores


def in_time(array):
    """The sum over time of (T, N), (N,)."""
    if not len(array):
        return np.zeros(array.shape[1:], array.dtype)
    return np.add.accumulate(array, axis=0, dtype=np.float64)[-1].astype(array.dtype)


def over_time(weights, values):
    """The sum over t of weights[t, n] values[t, n, :], (N, F)."""
    if values.shape[-1] == 1:  # time would be the innermost loop of einsum, which adds up in blocks
        return in_time(weights * values[..., 0])[:, None]
    return np.einsum("tn,tnf->nf", weights, values)
