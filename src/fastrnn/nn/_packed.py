# SPDX-License-Identifier: BSD-3-Clause
"""Sequences of different lengths in one array without padding."""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._engine.arguments import Array, as_array, as_integers
from .._engine.ragged import Order, PackedRows, Rows, order_of_packed

# Bytes up to which all steps are gathered at once, from the sequences one after another: 10 us of 32 sequences of 100
# steps of 12 numbers, 160 one sequence after another. Above, two large arrays take longer.
FEW_BYTES = 2**17


class PackedSequence(NamedTuple):
    """Sequences in one array without padding, like PyTorch's ``torch.nn.utils.rnn.PackedSequence``.

    The array holds the first step of every sequence, longest first, then the second step of those that have one, and so
    on. Recurrent layers accept a packed sequence, also PyTorch's on the CPU, as x and then return one as y. They read
    it without a copy.

    Attributes
    ----------
    data : ndarray, shape (R, ...)
        R is the sum of the lengths.
    batch_sizes : ndarray of int, shape (T,)
        The number of sequences at each step; T is the largest length.
    sorted_indices, unsorted_indices : ndarray of int, shape (N,), or None
        ``sorted_indices[i]`` is the index of the i-th longest sequence, ``unsorted_indices`` is the inverse. None if
        the sequences were already sorted.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> short, long = np.ones((2, 3), np.float32), np.ones((5, 3), np.float32)
    >>> gru = fr.GRU(3, 4, seed=0)
    >>> y, h = gru(fr.pack_sequence([short, long]))
    >>> [one.shape for one in y.unpack()], bool((y.unpack()[0] == gru(short)[0]).all())
    ([(2, 4), (5, 4)], True)
    """

    data: Array
    batch_sizes: NDArray[np.intp]
    sorted_indices: NDArray[np.intp] | None = None
    unsorted_indices: NDArray[np.intp] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.data.shape

    @property
    def lengths(self) -> NDArray[np.intp]:
        """The length of each sequence, (N,), in their own order."""
        sizes = np.asarray(self.batch_sizes)
        counts = (np.arange(sizes[0] if len(sizes) else 0)[:, None] < sizes).sum(axis=1)
        return counts[self._places(len(counts))]

    def unpack(self) -> list[Array]:
        """The sequences, (T_n, ...) each, in their own order."""
        starts, lengths = np.cumsum(self.batch_sizes) - self.batch_sizes, self.lengths
        return [self.data[starts[:T] + i] for T, i in zip(lengths, self._places(len(lengths)), strict=True)]

    def _places(self, N: int) -> Array:
        """Where each of N sequences is among the longest first; `sorted_indices` alone says so, as layers read it."""
        return np.arange(N) if self.sorted_indices is None else np.argsort(self.sorted_indices)


def pack_sequence(sequences: Sequence[ArrayLike]) -> PackedSequence:
    """Sequences of any lengths as a `PackedSequence`.

    Parameters
    ----------
    sequences : sequence of array_like, shape (T_n, ...)
        At least one, each of at least one step, alike but for the number of steps. In any order.

    Raises
    ------
    TypeError, ValueError
        There is none, one has no steps, or their features or dtypes differ.
    """
    if isinstance(sequences, str) or not isinstance(sequences, Iterable):
        raise TypeError(f"sequences: expected several arrays, got {sequences!r}")
    arrays = [as_array(f"sequences[{n}]", one) for n, one in enumerate(sequences)]
    if not arrays:
        raise ValueError("sequences: expected at least one, got none")
    first = arrays[0]
    for n, array in enumerate(arrays):
        if array.ndim == 0 or not len(array):
            raise ValueError(f"sequences[{n}]: expected at least one step, got shape {array.shape}")
        if array.shape[1:] != first.shape[1:] or array.dtype != first.dtype:
            expected = f"({', '.join(map(str, ('T', *first.shape[1:])))}) of {first.dtype}, as sequences[0] is"
            raise ValueError(f"sequences[{n}]: expected {expected}, got {array.shape} of {array.dtype}")
    lengths = np.array([len(array) for array in arrays])
    return PackedSequence(*packed(arrays, PackedRows.of(lengths, few_steps(first))))


class Ordered(PackedSequence):
    """One whose order is known, so that it need not be found and checked again."""

    order: Order


def packed(arrays: Sequence[Array], rows: PackedRows) -> Ordered:
    """`pack_sequence` of arrays that fit each other, of at least one step each."""
    order, first = rows.order, arrays[0]
    if len(rows.steps):
        data = np.concatenate(arrays).take(rows.steps, axis=0)
    else:
        data = np.empty((order.first[-1], *first.shape[1:]), first.dtype)
        for place, (n, length) in enumerate(zip(order.rows, order.lengths, strict=True)):
            data[order.first[:length] + place] = arrays[n]
    result = Ordered(data, rows.sizes, order.rows, rows.places)
    result.order = order
    return result


def few_steps(like: Array) -> int:
    """How many steps of such a sequence are gathered at once."""
    return FEW_BYTES // max(like.itemsize * prod(like.shape[1:]), 1)


class Packing(NamedTuple):
    """How a layer's output is packed: as its input was, unless it has no time. The counterpart of `Kept`."""

    like: PackedSequence
    in_time: bool = True  # whether y has a place for each step of x

    def output(self, y: Array) -> Any:
        """The output, packed."""
        return self.like._replace(data=y) if self.in_time else y

    def gradient(self, dy: Array) -> Array:
        """Its gradient as the layer takes it."""
        return dy

    def scattered(self, dx: Array) -> Array:
        """The gradient of the array that was packed."""
        return dx


def same_packing(one: Any, other: Any) -> bool:
    """Whether two packed sequences have the same steps of the same rows at the same places."""
    return np.array_equal(_order(one), _order(other))


def _order(packed: Any) -> Array:
    """Where the steps of packed rows lie: how many of each step, and whose."""
    sizes, order = np.asarray(packed.batch_sizes), packed.sorted_indices
    return np.concatenate([sizes, np.arange(sizes[0] if len(sizes) else 0) if order is None else np.asarray(order)])


def unpacked_gradient(name: str, dy: Any, kept: Any) -> Any:
    """The array of a packed gradient; ValueError unless it is packed as the x that a tape was made of."""
    if not isinstance(kept, Packing) or not kept.in_time or not same_packing(dy, kept.like):
        raise ValueError(f"{name}: expected an array, or sequences packed as those of x, got others")
    return dy.data


def opened(x: Any) -> tuple[Array, Rows, Packing]:
    """The array of a packed sequence, its rows as layers take them, and how to pack what they return.

    Raises
    ------
    TypeError, ValueError
        What should say where the steps lie does not fit the array.
    """
    if type(x) is Ordered and (order := vars(x).get("order")) is not None:  # one that _replace has made has none
        return x.data, Rows(None, None, order), Packing(PackedSequence(*x))
    data, sizes, indices = as_array("x.data", x.data), as_integers("x.batch_sizes", x.batch_sizes), x.sorted_indices
    if indices is not None:
        indices = as_integers("x.sorted_indices", indices)
    elif getattr(x, "unsorted_indices", None) is not None:
        raise ValueError("x.sorted_indices: expected those that go with unsorted_indices, got None")
    if data.ndim and sizes.ndim == 1 and len(sizes) and int(sizes[0]) > len(data):  # no memory for an order of so many
        raise ValueError(f"x.data: expected at least {sizes[0]} steps, the first of each row, got shape {data.shape}")
    if (found := order_of_packed(sizes, indices)) is None:
        raise _misfit(sizes, indices)
    order, places = found
    if data.ndim == 0 or len(data) != order.first[-1]:
        raise ValueError(f"x.data: expected {order.first[-1]} steps, the sum of batch_sizes, got shape {data.shape}")
    numbers = (None, None) if indices is None else (order.rows, places)
    like = PackedSequence(data, sizes.astype(np.intp, copy=False), *numbers)
    return data, Rows(None, None, order), Packing(like)


def _misfit(sizes: Array, indices: Array | None) -> ValueError:
    """The reason why sizes or indices are inconsistent."""
    if sizes.ndim != 1 or (sizes < 1).any() or (np.diff(sizes) > 0).any():
        return ValueError(f"x.batch_sizes: expected positive integers, none larger than the one before, got {sizes}")
    N = sizes[0] if len(sizes) else 0
    return ValueError(f"x.sorted_indices: expected the numbers 0..{N - 1} in some order, got {indices}")
