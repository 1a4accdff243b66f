# SPDX-License-Identifier: BSD-3-Clause
"""The rows of a data set, from which batches are made: slices of arrays, or sequences padded to the longest."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..._engine.arguments import Array, as_array
from ..._engine.ragged import as_lengths
from .batch import Batch, as_batch, is_timeless, steps_of
from .reading import Reading
from .targets import are_per_step, rows_of_targets

Collate: TypeAlias = Callable[[list[Any], list[Any]], Any]


class ArrayRows:
    """Rows of arrays.

    Attributes
    ----------
    count, steps : int
        Rows, and time steps of all of them; rows again if they have no time.
    lengths : ndarray of int, shape (count,), or None
    time : int or None
        The axis of time in x.
    per_step : bool
        Whether y has a target for each step of x.
    """

    def __init__(self, x: Any, y: Any, lengths: Any, reading: Reading) -> None:
        self.x, self.y, self.dtype = as_array("x", x), as_array("y", y), reading.dtype
        if not self.x.ndim:
            raise ValueError("x: expected an array of rows, got shape ()")
        if reading.is_single(self.x):  # a batch of one
            self.x = np.expand_dims(self.x, 0 if reading.batch_first else 1)
            first = reading.targets == "rows" or reading.targets_batch_first
            self.y = np.expand_dims(self.y, 0 if first else 1) if self.y.ndim or first else self.y
        timeless = is_timeless(self.x) if reading.has_time is None else not reading.has_time
        self.time = None if timeless else int(reading.batch_first)
        self.axis = 0 if timeless or reading.batch_first else 1
        self.count = self.x.shape[self.axis]
        self.target_axis, self.per_step = rows_of_targets(self.y, self.x, self.axis, self.time, reading)
        if lengths is not None and self.time is None:
            raise ValueError(f"lengths: expected none for rows without time, x of shape {self.x.shape}")
        T = 1 if self.time is None else self.x.shape[self.time]
        self.lengths = None if lengths is None else as_lengths(lengths, T, self.count)
        self.steps = self.count * T if self.lengths is None else int(self.lengths.sum())

    def batch(self, rows: Array) -> Batch:
        x, y = np.take(self.x, rows, self.axis), np.take(self.y, rows, self.target_axis)
        if self.lengths is None or self.time is None:
            return Batch(converted(x, self.dtype), y)
        lengths = self.lengths[rows]
        longest = int(lengths.max())
        y = steps_of(y, 0, longest, self.time) if self.per_step else y
        return Batch(converted(steps_of(x, 0, longest, self.time), self.dtype), y, lengths)


class SequenceRows:
    """Rows of lists of sequences, with the attributes of `ArrayRows`."""

    def __init__(self, x: Sequence[Any], y: Any, reading: Reading, collate_fn: Collate | None) -> None:
        if collate_fn is not None and not callable(collate_fn):
            raise TypeError(f"collate_fn: expected a function of two lists, got {type(collate_fn).__name__}")
        self.reading, self.collate_fn = reading, collate_fn
        self.time = None if collate_fn else int(reading.batch_first)
        self.x = list(x) if collate_fn else as_rows("x", x, reading.dtype)
        self.count = len(self.x)
        if len(y) != self.count:
            raise ValueError(f"y: expected one for each of the {self.count} sequences of x, got {len(y)}")
        self.lengths = np.array([len(row) for row in self.x], np.intp)
        self.steps = int(self.lengths.sum())
        self.y, self.per_step = (y, False) if collate_fn else self._targets(y)

    def _targets(self, y: Any) -> tuple[Any, bool]:
        """The targets, and whether there is one for each step of x."""
        targets = self.reading.targets
        per_step = None if targets is None else targets == "steps"
        if not isinstance(y, list | tuple):
            if per_step:
                got = type(y).__name__
                raise TypeError(
                    f"y: expected a list of sequences, as x, since there is a target for each step, got {got}"
                )
            return as_array("y", y), False
        if self.count and are_per_step(y, self.lengths, per_step):
            return as_rows("y", y), True
        return (np.stack(as_rows("y", y)), False) if targets == "sequences" else (y, False)

    def batch(self, rows: Array) -> Batch:
        if self.collate_fn:
            return as_batch(self.collate_fn([self.x[n] for n in rows], [self.y[n] for n in rows]))
        lengths = self.lengths[rows]
        x = self._padded(self.x, rows, lengths)
        if self.per_step:
            y = self._padded(self.y, rows, lengths)
        elif isinstance(self.y, np.ndarray):
            y = self.y[rows]
            if self.reading.targets == "sequences" and not self.reading.targets_batch_first:
                y = y.swapaxes(0, 1)
        else:
            y = [self.y[n] for n in rows]
        return Batch(x, y, lengths)

    def _padded(self, sequences: Sequence[Array], rows: Array, lengths: Array) -> Array:
        """(T, N, ...), or (N, T, ...): 0 beyond the end of each."""
        shape, first = (int(lengths.max()), len(rows)), sequences[0]
        batch_first = self.reading.batch_first
        padded = np.zeros((shape[::-1] if batch_first else shape) + first.shape[1:], first.dtype)
        by_row = padded if batch_first else padded.swapaxes(0, 1)
        for k, n in enumerate(rows):
            by_row[k, : lengths[k]] = sequences[n]
        return padded


Rows: TypeAlias = ArrayRows | SequenceRows


def rows_of(x: Any, y: Any, lengths: Any, reading: Reading, collate_fn: Collate | None = None) -> Rows:
    """The rows of a data set, of arrays or of lists."""
    if y is None:
        raise TypeError("y: expected targets, got None")
    if isinstance(x, list | tuple) and not (reading.is_flat and all(np.ndim(row) == 1 for row in x)):
        if lengths is not None:
            raise ValueError("lengths: expected none for a list of sequences, which has lengths of its own")
        return SequenceRows(x, y, reading, collate_fn)
    if collate_fn is not None:
        raise ValueError(f"collate_fn: expected none for an array x, only for a list, got {collate_fn!r}")
    return ArrayRows(x, y, lengths, reading)


def converted(x: Array, dtype: Any) -> Array:
    """Numbers in the dtype of the model; ValueError where one is too large for it."""
    if dtype is None or x.dtype == dtype or x.dtype.kind not in "fiub":
        return x
    try:
        with np.errstate(over="raise"):
            return x.astype(dtype)
    except FloatingPointError:
        largest = np.finfo(dtype).max
        raise ValueError(f"x: expected numbers up to {largest:.3g}, the largest of {dtype}, got larger ones") from None


def as_rows(name: str, rows: Sequence[Any], dtype: "np.dtype[Any] | None" = None) -> list[Array]:
    """Sequences as arrays, all with the features and the dtype of the first, converted to `dtype` if that is given.

    Lists of Python numbers have no dtype of their own, and empty lists no features: they get one that fits all lists,
    and the features of the others.
    """
    arrays = [as_array(f"{name}[{n}]", row) for n, row in enumerate(rows)]
    plain = [n for n, row in enumerate(rows) if isinstance(row, list | tuple) and arrays[n].dtype.kind in "fiu"]
    examples = [arrays[n] for n in plain if len(arrays[n])] or [a for a in arrays if a.ndim and len(a)]
    if plain and examples:
        common = np.result_type(*{array.dtype for array in examples}) if dtype is None else dtype
        for n in plain:
            arrays[n] = arrays[n].astype(common) if len(arrays[n]) else np.zeros((0, *examples[0].shape[1:]), common)
    arrays = [converted(array, dtype) for array in arrays]
    for n, row in enumerate(arrays):
        if not row.ndim:
            raise ValueError(f"{name}[{n}]: expected a sequence, got a single {row.dtype}")
        if row.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(f"{name}[{n}]: expected steps of shape {arrays[0].shape[1:]}, got {row.shape[1:]}")
        if row.dtype != arrays[0].dtype:
            raise TypeError(f"{name}[{n}]: expected {arrays[0].dtype}, as {name}[0], got {row.dtype}")
    return arrays
