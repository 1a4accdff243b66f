# SPDX-License-Identifier: BSD-3-Clause
"""Checksums of all data that are in memory, by blocks of rows, so that ranks can say which rows differ.

What is mapped from a file is left out: to read it whole is what a memory map is to avoid. So are objects that only a
function of the caller can read.
"""

import mmap
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..._engine.arguments import Array
from .._data.batches import Batches
from .._data.inputs import InputRows
from .._data.rows import SequenceRows
from .._data.weights import AnyRows, WeightedRows

BLOCKS = 1024  # at most so many checksums of an array: few enough to send them at once
PIECE = 1 << 20  # bytes that are copied at a time where they do not lie together
RUN = 64  # bytes that are read at a time, at least, where the rows are not the first axis


class Part(NamedTuple):
    """An array, or a list, that has an entry for each row.

    Attributes
    ----------
    values : ndarray or sequence
    axis : int
        Of the rows.
    lengths : ndarray of int, or None
        How many steps of each row count, along the other one of the first two axes.
    lazy : bool
        Whether a function of the caller reads what the entries stand for.
    """

    values: Any
    axis: int = 0
    lengths: Array | None = None
    lazy: bool = False


class Checksums(NamedTuple):
    """Checksums of blocks of rows.

    Attributes
    ----------
    start, rows : int
        The number of the first row in the data of the caller, and how many there are.
    block : int
        Rows of a block.
    sums : tuple of int
    """

    start: int
    rows: int
    block: int
    sums: tuple[int, ...]

    def rows_other_than(self, other: "Checksums") -> str:
        """The rows of the blocks that differ, in words."""
        found: list[list[int]] = []  # the first row and the last
        for k, (a, b) in enumerate(zip(self.sums, other.sums, strict=True)):
            if a != b:
                begin, end = k * self.block, min((k + 1) * self.block, self.rows)
                if found and found[-1][1] == begin - 1:
                    found[-1][1] = end - 1
                else:
                    found.append([begin, end - 1])
        words = [str(self.start + a) if a == b else f"{self.start + a} to {self.start + b}" for a, b in found]
        noun = "row" if len(words) == 1 and found[0][0] == found[0][1] else "rows"
        return f"{noun} {', '.join(words[:3])}{', ...' if len(words) > 3 else ''}"


def checksums_of(name: str, source: Any) -> dict[str, Checksums | None]:
    """The checksums of each part of `Batches`, by names with a common prefix; None for parts not in memory."""
    if not isinstance(source, Batches):
        return {}
    rows = source._rows
    return {f"{name}{part}": _checksums(values, rows.start) for part, values in _parts(rows).items()}


def difference(everyone: Sequence[Mapping[str, Checksums | None]]) -> str | None:
    """A description of the differences between ranks that have the data in memory; None if there are none."""
    for name in everyone[0]:
        held = [(rank, sums) for rank, parts in enumerate(everyone) if (sums := parts[name]) is not None]
        for rank, sums in held[1:]:
            first, expected = held[0]
            if sums != expected:
                where = sums.rows_other_than(expected)
                return f"{name}: expected the bits that rank {first} has, got others in {where} on rank {rank}"
    return None


def _parts(rows: AnyRows) -> dict[str, Part]:
    """Inputs, targets and weights by name."""
    if isinstance(rows, WeightedRows):
        weight, parts = rows.weight, _parts(rows.rows)
        return parts | {"weights": Part(weight.values, weight.axis, parts["y"].lengths)}
    if isinstance(rows, InputRows):
        columns = {f"x[{name!r}]": column for name, column in rows.columns.items()}
        columns |= {} if rows.y is None else {"y": rows.y}
        return {name: Part(column.values, column.axis) for name, column in columns.items()}
    if isinstance(rows, SequenceRows):
        lazy = rows.collate_fn is not None
        return {"x": Part(rows.x, lazy=lazy), "y": Part(rows.y, lazy=lazy)}
    steps = rows.lengths if rows.per_step else None
    return {"x": Part(rows.x, rows.axis, rows.lengths), "y": Part(rows.y, rows.target_axis, steps)}


def _checksums(part: Part, start: int) -> Checksums | None:
    values, axis = part.values, part.axis
    if isinstance(values, np.ndarray):
        if not is_in_memory(values) or values.dtype.hasobject:
            return None
        count = values.shape[axis]
        block = max(1, -(-count // BLOCKS), axis * RUN * count // max(1, values[:1].nbytes))
        ranges = ((begin, min(begin + block, count)) for begin in range(0, count, block))
        return Checksums(start, count, block, tuple(_of_array(part, begin, end) for begin, end in ranges))
    if not isinstance(values, list | tuple):
        return None
    count, sums = len(values), []
    block = max(1, -(-count // BLOCKS))
    for begin in range(0, count, block):
        if (checksum := _of_entries(values[begin : begin + block], part.lazy)) is None:
            return None
        sums.append(checksum)
    return Checksums(start, count, block, tuple(sums))


def _of_array(part: Part, begin: int, end: int) -> int:
    """The checksum of some rows of an array, in the order of its axes, however it lies in memory."""
    rows: Array = part.values[:, begin:end] if part.axis else part.values[begin:end]
    lengths = None if part.lengths is None or rows.ndim < 2 else part.lengths[begin:end]
    if lengths is None or lengths.min() == rows.shape[1 - part.axis]:
        return _added(0, _pieces(rows))
    return _added(0, _pieces_without_padding(rows, part.axis, lengths))


def _pieces(array: Array) -> Iterator[Array]:
    """An array in parts, one after another, that lie together or are small enough to be copied."""
    if array.flags.c_contiguous or array.nbytes <= PIECE:
        yield array
    elif len(array) == 1:
        yield from _pieces(array[0])
    else:
        several = max(1, PIECE * len(array) // array.nbytes)
        for k in range(0, len(array), several):
            yield from _pieces(array[k : k + several])


def _pieces_without_padding(array: Array, axis: int, lengths: Array) -> Iterator[Array]:
    """Like `_pieces`, with 0 in steps beyond the length of a row, whose content is arbitrary."""
    several = max(1, PIECE * len(array) // max(1, array.nbytes))
    for k in range(0, len(array), several):
        piece = array[k : k + several].copy()
        steps = np.arange(k, k + len(piece)) if axis else np.arange(array.shape[1])
        beyond = steps[:, None] >= lengths if axis else steps >= lengths[k : k + several, None]
        piece[beyond] = 0
        yield piece


def _of_entries(entries: Sequence[Any], lazy: bool) -> int | None:
    """The checksum of some entries of a list; None if one is not in memory."""
    arrays = entries if _are_alike(entries) else [*_arrays(entries, lazy)]
    if not all(map(is_in_memory, arrays)):
        return None
    if arrays is not entries:
        kinds: Any = [(a.dtype.str, a.shape) for a in arrays]
        return _added(zlib.crc32(str(kinds).encode()), (piece for a in arrays for piece in _pieces(a)))
    kinds = (arrays[0].dtype.str, arrays[0].shape[1:], [len(a) for a in arrays])
    small = sum(a.nbytes for a in arrays) <= PIECE
    pieces = [np.concatenate(arrays)] if small else (piece for a in arrays for piece in _pieces(a))
    return _added(zlib.crc32(str(kinds).encode()), pieces)


def _are_alike(entries: Sequence[Any]) -> bool:
    """Whether they are sequences of the same dtype and features: one checksum of all is faster than one of each."""
    if not isinstance(first := entries[0], np.ndarray) or not first.ndim or first.dtype.hasobject:
        return False
    dtype, features = first.dtype, first.shape[1:]
    return all(isinstance(a, np.ndarray) and a.ndim and a.dtype == dtype and a.shape[1:] == features for a in entries)


def _arrays(part: Any, lazy: bool) -> Iterator[Array]:
    """The arrays and numbers in nested lists, tuples and dicts; if `lazy`, not what may have to be read first."""
    numbers = isinstance(part, list) and all(isinstance(item, int | float) for item in part)
    if isinstance(part, dict | list | tuple) and not numbers:
        for item in part.values() if isinstance(part, dict) else part:
            yield from _arrays(item, lazy)
    elif numbers or isinstance(part, np.ndarray | np.generic | int | float | complex) or _can_be_read(part, lazy):
        if not (array := np.asarray(part)).dtype.hasobject:
            yield array


def _can_be_read(part: Any, lazy: bool) -> bool:
    return not lazy and hasattr(part, "__array__")


def _added(checksum: int, pieces: Iterator[Array] | list[Array]) -> int:
    for piece in pieces:
        checksum = zlib.crc32(np.ascontiguousarray(piece).reshape(-1).view(np.uint8).data, checksum)
    return checksum


def is_in_memory(array: Any) -> bool:
    """Whether no memory map is below an array."""
    while isinstance(array, np.ndarray | memoryview):
        array = array.base if isinstance(array, np.ndarray) else array.obj
    return not isinstance(array, mmap.mmap)
