# SPDX-License-Identifier: BSD-3-Clause
"""The rows of any data: of one input, or of several inputs by name."""

import copy
from collections.abc import Mapping
from typing import Any, Self, TypeAlias

import numpy as np

from ..._engine.arguments import Array
from .batch import Batch
from .column import Column
from .frames import without_frames
from .packing import as_arrays
from .reading import Reading
from .rows import ArrayRows, Collate, SequenceRows


class InputRows:
    """Rows of several inputs by name, with the attributes of `ArrayRows`."""

    time, per_step, start = None, False, 0

    def __init__(self, x: Mapping[str, Any], y: Any, reading: Reading) -> None:
        if not x or not all(isinstance(name, str) for name in x):
            raise TypeError(f"x: expected a dict of inputs by name, got {dict(x)!r}")
        self.arguments = reading.arguments
        self.columns = {name: Column(name, value, reading.batch_first, reading.dtype) for name, value in x.items()}
        self.y = None
        if y is not None:
            self.y = Column("y", y, reading.targets_batch_first or reading.targets == "rows", None)
        (first, model), *others = [("y", self.y), *self.columns.items()][self.y is None :]
        self.count: int = model.count
        for name, column in others:
            if column.count != self.count:
                raise ValueError(f"{name}: expected {self.count} rows, as {first} has, got {column.count}")

    @property
    def lengths(self) -> Array | None:
        """The lengths by which rows are sorted into batches: those of the first input that has any."""
        return next((column.lengths for column in self.columns.values() if column.lengths is not None), None)

    @property
    def targets_first(self) -> bool:
        return self.y is None or self.y.batch_first

    @property
    def steps(self) -> int:
        return self.count if self.y is None or self.y.lengths is None else int(self.y.lengths.sum())

    def part(self, begin: int, end: int) -> Self:
        """These rows."""
        part = copy.copy(self)
        part.columns = {name: column.part(begin, end) for name, column in self.columns.items()}
        part.y = None if self.y is None else self.y.part(begin, end)
        part.count, part.start = end - begin, self.start + begin
        return part

    def batch(self, rows: Array) -> Batch:
        x: dict[str, Any] = {}
        for name, column in self.columns.items():
            x[name] = column.take(rows)
            if column.lengths is not None and f"{name}_lengths" in self.arguments:
                x[f"{name}_lengths"] = column.lengths[rows]
        if self.y is None:
            return Batch(x)
        return Batch(x, self.y.take(rows), None if self.y.lengths is None else self.y.lengths[rows])


Rows: TypeAlias = ArrayRows | SequenceRows | InputRows


def rows_of(x: Any, y: Any, lengths: Any, reading: Reading, collate_fn: Collate | None = None) -> Rows:
    """The rows of a data set, of arrays, of lists or of a dict of both; without targets if y is None."""
    if collate_fn is None:
        x, y = without_frames(x, y, reading.columns, reading.tokens or reading.features is None)
    x, y = as_arrays(x, y)
    if isinstance(x, dict) and collate_fn is None:
        if lengths is not None:
            raise ValueError("lengths: expected none for a dict of inputs, which has those that the model takes")
        return InputRows(x, y, reading)
    if collate_fn is None:
        reading.check_one_input(x)
    if isinstance(x, list | tuple) and not (reading.is_flat and all(np.ndim(row) == 1 for row in x)):
        if lengths is not None:
            raise ValueError("lengths: expected none for a list of sequences, which has lengths of its own")
        return SequenceRows(x, y, reading, collate_fn)
    if collate_fn is not None:
        raise ValueError(f"collate_fn: expected none for an array x, only for a list, got {collate_fn!r}")
    return ArrayRows(x, y, lengths, reading)
