# SPDX-License-Identifier: BSD-3-Clause
"""Rows of different lengths, and resets inside them: which rows run at which step."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from .arguments import Array, as_array, as_integers
from .layout import Layout
from .parts import Parts, cut


class Rows(NamedTuple):
    """The steps of each row of a batch, and those before which its state is set to zero.

    A layer passes it on in place of lengths. Where it comes from a caller nothing is checked yet: see `as_rows`.
    """

    lengths: Any  # (N,); None: every row is full
    resets: Any  # (T, N), laid out as x; None: there are none
    packed: Any = (
        None  # the Order in which the steps of the rows lie in one array (R, ...); None: they lie in (T, N, ...)
    )

    @property
    def nbytes(self) -> int:
        """0: to a tape that refers to them, they are a part of the layer's input."""
        return 0

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """T and N, given the shape of the array, (T, N, ...) or (1, R, ...)."""
        T, N, *_ = shape
        return (T, N) if self.packed is None else (len(self.packed.first) - 1, len(self.packed.rows))

    def inside(self, block: slice) -> "Rows":
        """The lengths and resets within a slice of time."""
        lengths, resets, packed = self
        if packed is not None:  # whose array has one step
            return self
        if lengths is not None:
            lengths = np.clip(lengths - block.start, 0, block.stop - block.start)
        return Rows(lengths, None if resets is None else resets[block])

    def order(self, T: int) -> "Order | None":
        """Which rows run at each of T steps; None if all rows run at all steps."""
        lengths, resets, packed = self
        if packed is not None:
            return packed._replace(of=self)
        if resets is not None:
            parts, steps = cut(np.full(resets.shape[1], T) if lengths is None else lengths, resets)
            order = Order(*sorted_by_length(steps, int(steps.max(initial=0))), parts=parts, of=self)
            return order._replace(source=parts.source[order.rows], start=parts.start[order.rows])
        return None if lengths is None or (lengths == T).all() else Order(*sorted_by_length(lengths, T), of=self)


FULL = Rows(None, None)


class Order(NamedTuple):
    """Which rows run at which step. Rows are sorted by decreasing length, so that the running ones come first.

    `rows` (N,) are the batch rows in that order, `lengths` (N,) their lengths, and step s owns the tape rows
    ``first[s]:first[s + 1]``, one for each row that runs; `first` is (T + 1,). Where resets cut rows into parts,
    the batch rows are the parts: `source` and `start` are those of `Parts`, in the order of `rows`.
    """

    rows: Array
    lengths: Array
    first: Array
    source: Array | None = None
    start: Array | None = None
    parts: Parts | None = None
    of: Rows = FULL

    def inside(self, block: slice) -> "Order | None":
        """The order within a slice of time. It stays the same, so that sums over rows round equally."""
        steps = block.stop - block.start
        if self.parts is not None:
            return self.of.inside(block).order(steps)
        first = self.first[block.start : block.stop + 1]
        lengths = np.clip(self.lengths - block.start, 0, steps)
        return Order(self.rows, lengths, first - first[0], of=self.of.inside(block))


def are_full(lengths: Any, T: int, N: int) -> bool:
    """Whether an argument is lengths of N rows that all have T steps."""
    if type(lengths) is not np.ndarray or lengths.shape != (N,) or lengths.dtype.kind not in "iu":
        return False
    return np.count_nonzero(lengths == T) == N


def sorted_by_length(lengths: Array, T: int) -> tuple[Array, Array, Array]:
    """`rows`, `lengths` and `first` of an `Order` of T steps."""
    return _cut(_core.sorted_by_length(np.ascontiguousarray(lengths, np.intp), T), len(lengths), T)[:3]


class PackedRows(NamedTuple):
    """How rows are packed.

    Attributes
    ----------
    shortest, longest : int
        The smallest and the largest length.
    order : Order
    places : ndarray of intp, shape (N,)
        The place of each row in the order.
    steps : ndarray of intp, shape (R,)
        Where each packed step is in an array of the rows one after another; empty if there are more than was asked for.
    """

    shortest: int
    longest: int
    order: Order
    places: Array
    steps: Array

    @classmethod
    def of(cls, lengths: Array, most: int = 0) -> "PackedRows":
        """The packing of rows with these lengths, (N,), with the positions of their steps if there are not too many."""
        shortest, longest, numbers = _core.packing(np.ascontiguousarray(lengths, np.intp), most)
        rows, ordered, first, places, steps = _cut(numbers, len(lengths), longest)
        return cls(shortest, longest, Order(rows, ordered, first), places, steps)

    @property
    def sizes(self) -> Array:
        """How many rows have each step."""
        return self.order.first[1:] - self.order.first[:-1]

    @property
    def is_ragged(self) -> bool:
        """Whether the rows differ in length, and all have a step."""
        return 0 < self.shortest < self.longest


def order_of_packed(sizes: Array, indices: Array | None) -> tuple[Order, Array] | None:
    """The order of packed rows, and the place of each row in it; None if sizes and indices (N,) describe none.

    Parameters
    ----------
    sizes : ndarray of int
        How many rows have each step.
    indices : ndarray of int, or None
        The number of the i-th longest row; None is i.
    """
    if sizes.ndim != 1 or (indices is not None and indices.ndim != 1):
        return None
    rows = None if indices is None else np.ascontiguousarray(indices, np.intp)
    found = _core.order_of_packed(np.ascontiguousarray(sizes, np.intp), rows)
    if found is None:
        return None
    rows, lengths, first, places, _ = _cut(found, int(sizes[0]) if len(sizes) else 0, len(sizes))
    return Order(rows, lengths, first), places


def _cut(numbers: Any, N: int, T: int) -> tuple[Array, Array, Array, Array, Array]:
    """The results of `_core` for N rows and T steps: rows, lengths, first, the positions of rows and of steps."""
    order = np.frombuffer(numbers, np.intp)
    a, b = 2 * N + T + 1, 3 * N + T + 1
    return order[:N], order[N : 2 * N], order[2 * N : a], order[a:b], order[b:]


def with_gradient(dy: Array) -> Order | None:
    """Which rows run at which step, if each row ends at the last step at which dy (T, N, F) is not all 0.

    What is behind adds nothing to the gradients of the parameters. Left out, it takes no time and may hold anything,
    and sums, which go in blocks of the rows that run, have the same bits however much of it there is. dy has
    contiguous rows. None if every row has T steps: that takes one look at each row that does not begin with 0.
    """
    found = _core.gradient_lengths(dy)
    if found is None:
        return None
    lengths = np.frombuffer(found, np.intp)  # type: ignore[call-overload]
    return Order(*sorted_by_length(lengths, len(dy)), of=Rows(lengths, None))


def rows_with_gradient(dy: Array) -> Array | None:
    """The rows of dy (R, F) that are not all 0, by their numbers; None for all. `with_gradient` for sums in NumPy."""
    order = with_gradient(dy[None])
    return None if order is None else order.rows[: order.first[1]]


def rows_at(sequence: Array, order: Order) -> Array:
    """The rows of a sequence (T, N, F) that run, (R, F), in the order of the tape."""
    running = np.diff(order.first)
    steps = np.repeat(np.arange(len(running)), running)
    return sequence[steps, order.rows[np.arange(order.first[-1]) - order.first[steps]]]


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


def as_rows(rows: Any, T: int, N: int, layout: Layout) -> Rows:
    """The rows of a batch, checked: of lengths, or of lengths and resets laid out as x; None is every row in full."""
    if rows is None:
        return FULL
    lengths, resets, packed = rows if isinstance(rows, Rows) else (rows, None, None)
    if packed is not None:
        return rows
    if lengths is not None:
        lengths = as_lengths(lengths, T, N)
    if resets is not None:
        resets = as_array("resets", resets, "bools")
        expected = layout.shape(T, N, 1)[:-1]
        if resets.dtype != bool:
            raise TypeError(
                f"resets: expected bools, True for steps that begin with a state of zero, got {resets.dtype}"
            )
        if resets.shape != expected:
            raise ValueError(f"resets: expected {expected}, the steps of x, got {resets.shape}")
        resets = layout.time_major(resets[..., None])[..., 0] if resets.any() else None
    return Rows(lengths, resets)


def tape_rows(order: Order | None, T: int, N: int) -> int:
    """How many (step, row) pairs run: the sum of the lengths."""
    return T * N if order is None else int(order.first[-1])


def length_mask(lengths: Array, T: int) -> Array:
    """Which positions belong to a row, before its end: bool (T, N)."""
    return np.arange(T)[:, None] < lengths
