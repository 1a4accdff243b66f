# SPDX-License-Identifier: BSD-3-Clause
"""Attention of queries to a memory, forward and backward (csrc/engine/attend.h, attend_back.h).

A memory has a row of steps for each row of the batch: keys are (N, T, K), values (N, T, M). Queries are (S, N, K), and
what belongs to them is (S, N, ...); these may have strides but of the last axis.
"""

from typing import NamedTuple

from .. import _core
from .arguments import Array
from .threads import effective


class Memory(NamedTuple):
    """With `v` the score of a query q and a key k is ``v . tanh(q + k)``, else ``q . k``."""

    keys: Array  # (N, T, K)
    values: Array  # (N, T, M)
    v: Array | None  # (K,)
    lengths: Array | None  # (N,) of intp: how many steps of each row count; None is all


def attend(query: Array, memory: Memory, context: Array, weights: Array) -> None:
    """Write context (S, N, M) and weights (S, N, T) of queries."""
    _core.attention(memory, query, context, weights, effective())


def attend_back(
    passed: tuple[Array, Array],
    upstream: tuple[Array, Array | None],
    memory: Memory,
    results: tuple[Array, Array, Array | None, Array | None],
) -> None:
    """The backward pass of `attend`, except for the outer products of queries that are added to the memory: see
    `add_outer`.

    Parameters
    ----------
    passed : (ndarray, ndarray)
        The queries, and the weights that `attend` wrote.
    upstream : (ndarray, ndarray or None)
        The gradients of context and weights.
    memory : Memory
    results : tuple of (ndarray or None)
        The gradients of scores (S, N, T) and queries, which are written; with `v`, those of the keys but for a factor
        v, and of v, (N, K) because each row of the batch has its own, which are added to.
    """
    _core.attention_back(memory, passed, upstream, results, effective())


def add_outer(columns: Array, rows: Array, lengths: Array | None, total: Array) -> None:
    """Add to total (N, T, M) the sum over queries s of columns[s, n, t] rows[s, n, :], within each row's length.

    Of the weights and the gradients of the contexts, this is the gradient of the values; of the gradients of the scores
    and the queries, where scores are products, that of the keys.
    """
    _core.attention_outer(columns, rows, lengths, total, effective())
