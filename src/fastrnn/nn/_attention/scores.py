# SPDX-License-Identifier: BSD-3-Clause
"""Attention of one query per row: scores, their softmax over time, and the weighted mean of the memory.

Every sum over time is taken in the order of time, so that a row has the same bits alone, in a batch and padded.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..._engine.arguments import Array
from .._tape import Tape

SCORES = ("additive", "dot", "general", "concat", "scaled_dot")
PLAIN = ("dot", "scaled_dot")  # products of the query and the memory themselves, which have no parameters


def matrices(
    query_size: int, memory_size: int, score: str, attention_size: int | None, **others: Any
) -> Iterator[tuple[str, tuple[int, int]]]:
    """(name, (rows, columns)) of each matrix of a score."""
    if score == "general":
        yield "memory", (query_size, memory_size)
    if score in ("additive", "concat"):
        A = query_size if attention_size is None else attention_size
        yield "query", (A, query_size)
        yield "memory", (A, memory_size)
        yield "v", (1, A)


class AttentionMemory(NamedTuple):
    """A memory, prepared for all queries.

    With `v` the score of a query q and a key k is ``v . tanh(q + k)``, else ``q . k``.
    """

    values: Array  # (T, N, M), 0 beyond a row's length
    keys: Array  # (T, N, K)
    v: Array | None  # (K,)
    padding: Array | None  # (T, N): which steps do not count
    tape: Tape | None  # of the keys; None for inference

    def repeated(self, copies: int) -> "AttentionMemory":
        """Each row `copies` times, for inference."""
        values, keys, padding = (
            array if array is None or copies == 1 else np.repeat(array, copies, axis=1)
            for array in (self.values, self.keys, self.padding)
        )
        return AttentionMemory(values, keys, self.v, padding, None)  # type: ignore[arg-type]


class MemoryGradients:
    """What the queries contribute, one after another, to the gradients of the memory.

    A query adds an outer product to the gradient of the values, and to that of the keys if the scores are products.
    Adding all of them up at the end goes through the memory once instead of once for each query.
    """

    def __init__(self, memory: AttentionMemory) -> None:
        self.memory: AttentionMemory = memory
        self.weights: list[Array] = []
        self.dcontexts: list[Array] = []  # (T, N) and (N, M) of each query
        self.dscores: list[Array] = []
        self.queries: list[Array] = []  # (T, N) and (N, K), if scores are products
        self.dhidden: Array | None = (
            None if memory.v is None else np.zeros_like(memory.keys)
        )  # of query + keys, but for v
        self.dv: Array | None = None if memory.v is None else np.zeros_like(memory.v)

    def of_values(self) -> Array:
        """The gradient of the memory as values, (T, N, M)."""
        return _outer(self.weights, self.dcontexts, self.memory.values)

    def of_keys(self) -> Array:
        """The gradient of the memory as keys, (T, N, K)."""
        if self.dhidden is None:
            return _outer(self.dscores, self.queries, self.memory.keys)
        return self.dhidden * self.memory.v  # type: ignore[operator]


def _outer(columns: Any, rows: Any, like: Array) -> Array:
    """The sum over queries s of columns[s][t, n] rows[s][n, :], of the shape of `like`, (T, N, F)."""
    total = np.zeros_like(like)
    if columns:
        columns, rows = np.array(columns), np.array(rows)
        with np.errstate(over="ignore", invalid="ignore"):
            for t, total_t in enumerate(total):
                total_t[...] = weighted_sum(columns[:, t], rows)
    return total


def attend(query: Array, memory: AttentionMemory) -> tuple[Array, Array]:
    """`query` (N, K) gives context (N, M) and weights (T, N)."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite gives NaN, as in the engine
        if memory.v is None:
            scores = np.einsum("nk,tnk->tn", query, memory.keys)
        else:
            scores = np.einsum("tnk,k->tn", _hidden(query, memory), memory.v)
        weights = softmax(scores, memory.padding)
        return weighted_sum(weights, memory.values), weights


def attend_back(
    query: Array,
    weights: Array,
    dcontext: Array,
    dweights: Array | None,
    memory: AttentionMemory,
    gradients: MemoryGradients,
) -> Array:
    """Back through `attend`: the gradient of the query, (N, K); the contribution to the memory goes to `gradients`.

    Parameters
    ----------
    query : ndarray, shape (N, K)
    weights : ndarray, shape (T, N)
        From `attend`.
    dcontext : ndarray, shape (N, M)
    dweights : ndarray, shape (N, T), or None
    memory : AttentionMemory
    gradients : MemoryGradients
    """
    gradients.weights.append(weights)
    gradients.dcontexts.append(dcontext)
    with np.errstate(over="ignore", invalid="ignore"):
        # context = sum_t weights[t] values[t]
        slopes = np.einsum("nm,tnm->tn", dcontext, memory.values)
        if dweights is not None:
            slopes += dweights.T
        # weights = softmax(scores)
        dscores = weights * (slopes - sum_over_time(weights * slopes))
        if memory.v is None:  # scores[t] = query . keys[t]
            gradients.dscores.append(dscores)
            gradients.queries.append(query)
            return weighted_sum(dscores, memory.keys)
        # scores[t] = v . hidden[t]; hidden is computed again: keeping it for every query would take much memory
        hidden = _hidden(query, memory)
        gradients.dv += np.einsum("tn,tnk->k", dscores, hidden)
        # hidden[t] = tanh(query + keys[t])
        hidden *= hidden
        np.subtract(1, hidden, out=hidden)
        dquery = weighted_sum(dscores, hidden) * memory.v
        hidden *= dscores[..., None]
        gradients.dhidden += hidden
        return dquery


def _hidden(query: Array, memory: AttentionMemory) -> Array:
    """tanh(query + keys[t]), (T, N, K)."""
    hidden = memory.keys + query
    return np.tanh(hidden, out=hidden)


def softmax(scores: Array, padding: Array | None) -> Array:
    """Softmax over time of scores (T, N), in place; 0 at `padding`, and so everywhere in a row without steps."""
    if padding is not None:
        scores[padding] = -np.inf
    peak = scores.max(axis=0, initial=-np.inf)
    peak[peak == -np.inf] = 0
    np.exp(np.subtract(scores, peak, out=scores), out=scores)
    total = sum_over_time(scores)
    scores /= np.where(total == 0, 1, total)
    return scores


def sum_over_time(array: Array) -> Array:
    """The sum over time of (T, N), (N,)."""
    if not len(array):
        return np.zeros(array.shape[1:], array.dtype)
    return np.add.accumulate(array, axis=0, dtype=np.float64)[-1].astype(array.dtype)


def weighted_sum(weights: Array, values: Array) -> Array:
    """The sum over t of weights[t, n] values[t, n, :], (N, F)."""
    if values.shape[-1] == 1:  # time would be the innermost loop of einsum, which adds up in blocks
        return sum_over_time(weights * values[..., 0])[:, None]
    return np.einsum("tn,tnf->nf", weights, values)
