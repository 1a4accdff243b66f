# SPDX-License-Identifier: BSD-3-Clause
"""The rows of a data set, from which batches are made: slices of arrays, or sequences, packed or padded."""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeAlias

import numpy as np

from ..._engine.arguments import Array, as_array
from ..._engine.ragged import PackedRows, as_lengths
from ...nn._packed import few_steps, packed
from .batch import Batch, as_batch, is_timeless, steps_of
from .reading import Reading
from .sequences import as_rows, converted, padded
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
    targets_first : bool
        Whether a batch of targets has its rows along its first axis.
    start : int
        The number of the first row in the data of the caller.
    """

    start: int = 0

    def __init__(self, x: Any, y: Any, lengths: Any, reading: Reading) -> None:
        self.x, self.y, self.dtype = as_array("x", x), None if y is None else as_array("y", y), reading.dtype
        if not self.x.ndim:
            raise ValueError("x: expected an array of rows, got shape ()")
        self.is_single = reading.is_single(self.x)
        if self.is_single:  # a batch of one
            self.x = np.expand_dims(self.x, 0 if reading.batch_first else 1)
            first = reading.targets == "rows" or reading.targets_batch_first
            if self.y is not None and (self.y.ndim or first):
                self.y = np.expand_dims(self.y, 0 if first else 1)
        timeless = is_timeless(self.x) if reading.has_time is None else not reading.has_time
        self.time = None if timeless else int(reading.batch_first)
        self.axis = 0 if timeless or reading.batch_first else 1
        self.count = self.x.shape[self.axis]
        self.target_axis, self.per_step = 0, False
        if self.y is not None:
            self.target_axis, self.per_step = rows_of_targets(self.y, self.x, self.axis, self.time, reading)
        if lengths is not None and self.time is None:
            raise ValueError(f"lengths: expected none for rows without time, x of shape {self.x.shape}")
        self.T = 1 if self.time is None else self.x.shape[self.time]
        self.lengths = None if lengths is None else as_lengths(lengths, self.T, self.count)

    @property
    def targets_first(self) -> bool:
        return self.target_axis == 0

    @property
    def steps(self) -> int:
        return self.count * self.T if self.lengths is None else int(self.lengths.sum())

    def part(self, begin: int, end: int) -> Self:
        """These rows, without a copy."""
        part = copy.copy(self)
        part.x = _between(self.x, begin, end, self.axis)
        part.y = None if self.y is None else _between(self.y, begin, end, self.target_axis)
        part.lengths = None if self.lengths is None else self.lengths[begin:end]
        part.count, part.start = end - begin, self.start + begin
        return part

    def batch(self, rows: Array) -> Batch:
        x, y = self.x.take(rows, self.axis), None if self.y is None else self.y.take(rows, self.target_axis)
        if self.lengths is None or self.time is None:
            return Batch(converted(x, self.dtype), y)
        lengths = self.lengths[rows]
        longest = int(lengths.max())
        y = steps_of(y, 0, longest, self.time) if self.per_step else y
        return Batch(converted(steps_of(x, 0, longest, self.time), self.dtype), y, lengths)


class SequenceRows:
    """Rows of lists of sequences, with the attributes of `ArrayRows`."""

    start: int = 0

    def __init__(self, x: Sequence[Any], y: Any, reading: Reading, collate_fn: Collate | None) -> None:
        if collate_fn is not None and not callable(collate_fn):
            raise TypeError(f"collate_fn: expected a function of two lists, got {type(collate_fn).__name__}")
        self.reading, self.collate_fn = reading, collate_fn
        self.time = None if collate_fn else int(reading.batch_first)
        self.x = list(x) if collate_fn else as_rows("x", x, reading.dtype)
        self.count = len(self.x)
        if y is not None and len(y) != self.count:
            raise ValueError(f"y: expected one for each of the {self.count} sequences of x, got {len(y)}")
        self.lengths = np.array([len(row) for row in self.x], np.intp)
        self.y: Any
        self.y, self.per_step = (y, False) if collate_fn or y is None else self._targets(y)
        self.few_steps = few_steps(self.x[0]) if self.x and not collate_fn else 0

    @property
    def targets_first(self) -> bool:
        if self.per_step:
            return self.reading.batch_first
        return self.reading.targets != "sequences" or self.reading.targets_batch_first

    @property
    def steps(self) -> int:
        return int(self.lengths.sum())

    def part(self, begin: int, end: int) -> Self:
        """These rows, without a copy."""
        part = copy.copy(self)
        part.x, part.y, part.lengths = self.x[begin:end], self.y[begin:end], self.lengths[begin:end]
        part.count, part.start = end - begin, self.start + begin
        return part

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
        if targets != "sequences":
            return y, False
        sequences = as_rows("y", y)
        lengths = sorted({len(row) for row in sequences})
        if len(lengths) > 1:
            raise ValueError(
                f"y: expected sequences of one length, as the model does not have an output for each step of x, got "
                f"lengths from {lengths[0]} to {lengths[-1]}; give batches"
            )
        return np.stack(sequences), False

    def batch(self, rows: Array) -> Batch:
        if self.collate_fn:
            return as_batch(self.collate_fn([self.x[n] for n in rows], [self.y[n] for n in rows]))
        lengths = self.lengths[rows]
        if self.reading.packed and (places := PackedRows.of(lengths, self.few_steps)).is_ragged:
            numbers = rows.tolist()
            x = packed([self.x[n] for n in numbers], places)
            if not self.per_step:
                return Batch(x, self._targets_of(rows))
            return Batch(x, packed([self.y[n] for n in numbers], places).data)
        x = padded(self.x, rows, self.reading.batch_first)
        y = padded(self.y, rows, self.reading.batch_first) if self.per_step else self._targets_of(rows)
        return Batch(x, y, lengths)

    def _targets_of(self, rows: Array) -> Any:
        """The targets of these rows; None where they are those of steps, or there are none."""
        if self.per_step or self.y is None:
            return None
        if isinstance(self.y, np.ndarray):
            return self.y[rows] if self.targets_first else self.y[rows].swapaxes(0, 1)
        return [self.y[n] for n in rows]


def _between(array: Array, begin: int, end: int, axis: int) -> Array:
    """A view of these places of an axis."""
    return array[(slice(None),) * axis + (slice(begin, end),)]
