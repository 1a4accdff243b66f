# SPDX-License-Identifier: BSD-3-Clause
"""Rows of different lengths: the lengths themselves, and which rows run at which step."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .arguments import Array, as_integers


class Order(NamedTuple):
    """Which rows run at which step: the rows longest first, so that those that run are the first ones.

    `rows` (N,) are the batch rows in that order, `lengths` (N,) their lengths, and step s owns the tape rows
    ``first[s]:first[s + 1]``, one for each row that runs; `first` is (T + 1,).
    """

    rows: Array
    lengths: Array
    first: Array


def as_lengths(lengths: ArrayLike, T: int, N: int, *, name: str = "lengths", of: str = "x") -> Array:
    """`lengths` as N integers in 0..T."""
    array = as_integers(name, lengths)
    if array.shape != (N,):
        raise ValueError(f"{name}: expected ({N},), one for each row of the batch, got {array.shape}")
    wrong = (array < 0) | (array > T)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{name}: expected 0..{T} (the steps of {of}), got {array[row]} for row {row}")
    return array.astype(np.intp)


def order_of(lengths: Array | None, T: int) -> Order | None:
    """The `Order` of a batch, or None without lengths or where every row is full."""
    if lengths is None or (lengths == T).all():
        return None
    rows = np.argsort(-lengths, kind="stable")
    ascending = lengths[rows][::-1]
    running = len(rows) - np.searchsorted(ascending, np.arange(T), side="right")  # rows longer than s
    first = np.zeros(T + 1, np.intp)
    np.cumsum(running, out=first[1:])
    return Order(rows, np.ascontiguousarray(ascending[::-1]), first)


def tape_rows(order: Order | None, T: int, N: int) -> int:
    """How many (step, row) pairs run: the sum of the lengths."""
    return T * N if order is None else int(order.first[-1])


def length_mask(lengths: Array, T: int) -> Array:
    """Which positions belong to a row, before its end: bool (T, N)."""
    return np.arange(T)[:, None] < lengths
