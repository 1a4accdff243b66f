# SPDX-License-Identifier: BSD-3-Clause
"""The scores of attention, a memory prepared for them, and what queries contribute to its gradient."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..._engine import recycled
from ..._engine.arguments import Array
from ..._engine.attention import Memory, add_outer, attend_back
from ..._engine.ragged import length_mask
from .._tape import Tape

SCORES = ("additive", "dot", "general", "concat", "scaled_dot")
PLAIN = ("dot", "scaled_dot")  # products of the query and the memory themselves, which have no parameters


def matrices(
    query_size: int, memory_size: int, score: str, attention_size: int | None, **others: object
) -> Iterator[tuple[str, tuple[int, int]]]:
    """(name, (rows, columns)) of each matrix of a score."""
    if score == "general":
        yield "memory", (query_size, memory_size)
    if score in ("additive", "concat"):
        A = query_size if attention_size is None else attention_size
        yield "query", (A, query_size)
        yield "memory", (A, memory_size)
        yield "v", (1, A)


def by_rows(memory: Array, lengths: Array | None) -> Array:
    """A memory (T, N, M) as (N, T, M), C-ordered; with lengths a copy, which is 0 beyond them."""
    rows = memory.swapaxes(0, 1)
    if lengths is None:
        return np.require(rows, requirements=("C", "A"))
    within = np.zeros(rows.shape, rows.dtype)
    np.copyto(within, rows, where=length_mask(lengths, len(memory)).T[..., None])
    return within


class AttentionMemory(NamedTuple):
    """A memory, prepared for all queries."""

    of: Memory  # its values are 0 beyond a row's length
    tape: Tape | None  # of the keys; None for inference

    @property
    def nbytes(self) -> int:
        """Bytes of what it holds, the keys once where they are the values."""
        arrays = {id(array): array for array in self.of if array is not None}.values()
        return sum(array.nbytes for array in arrays) + (0 if self.tape is None else self.tape.nbytes)

    def among(self, running: Array | None) -> "AttentionMemory":
        """For some rows of the batch alone: none of the steps of the others count. None is all rows."""
        if running is None:
            return self
        lengths = running * self.of.keys.shape[1] if self.of.lengths is None else np.where(running, self.of.lengths, 0)
        return AttentionMemory(self.of._replace(lengths=lengths), self.tape)

    def repeated(self, copies: int) -> "AttentionMemory":
        """Each row `copies` times, for inference."""
        keys, values, v, lengths = self.of
        if copies == 1:
            return AttentionMemory(self.of, None)
        again = np.repeat(values, copies, axis=0)
        keys = again if keys is values else np.repeat(keys, copies, axis=0)
        return AttentionMemory(Memory(keys, again, v, None if lengths is None else np.repeat(lengths, copies)), None)


class MemoryGradients:
    """The contributions of queries to the gradients of a memory.

    A query adds an outer product to the gradient of the values, and to that of the keys if the scores are products.
    `of_values` and `of_keys` add all of them up, given those of every query, which goes through the memory once.
    """

    def __init__(self, memory: Memory) -> None:
        (N, _, K), dtype = memory.keys.shape, memory.keys.dtype
        self.memory: Memory = memory
        self.dhidden: Array | None = None  # of query + keys, over v
        self.dv: Array | None = None
        if memory.v is not None:
            self.dhidden, self.dv = recycled.zeros(memory.keys.shape, dtype), np.zeros((N, K), dtype)

    def back(self, passed: tuple[Array, Array], upstream: tuple[Array, Array | None], dscores: Array) -> Array:
        """The backward pass of some queries: returns their gradient, and writes that of their scores.

        Parameters
        ----------
        passed : (ndarray, ndarray)
            The queries (S, N, K) and their weights (S, N, T).
        upstream : (ndarray, ndarray or None)
            The gradients of context and weights.
        dscores : ndarray, shape (S, N, T)
        """
        dquery = recycled.empty(passed[0].shape, passed[0].dtype)
        attend_back(passed, upstream, self.memory, (dscores, dquery, self.dhidden, self.dv))
        return dquery

    def of_values(self, weights: Array, dcontext: Array) -> Array:
        """The gradient of the memory as values, (N, T, M)."""
        total = recycled.zeros(self.memory.values.shape, self.memory.values.dtype)
        add_outer(weights, dcontext, self.memory.lengths, total)
        return total

    def of_v(self) -> Array:
        """The gradient of v, (K,)."""
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite gives NaN, as in the engine
            return self.dv.sum(axis=0)  # type: ignore[union-attr]

    def of_keys(self, dscores: Array, query: Array) -> Array:
        """The gradient of the memory as keys, (N, T, K); once."""
        if self.dhidden is not None and self.memory.v is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                return np.multiply(self.dhidden, self.memory.v, out=self.dhidden)
        total = recycled.zeros(self.memory.keys.shape, self.memory.keys.dtype)
        add_outer(dscores, query, self.memory.lengths, total)
        return total
