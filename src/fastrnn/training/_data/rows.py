# SPDX-License-Identifier: BSD-3-Clause
"""The rows of a data set, from which batches are made: slices of arrays, or sequences padded to the longest."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..._engine.arguments import Array, as_array
from ..._engine.ragged import as_lengths
from .batch import Batch, as_batch, is_timeless, steps_of


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

    def __init__(self, x: Any, y: Any, lengths: Any, batch_first: bool, per_step: bool | None) -> None:
        self.x, self.y = as_array("x", x), as_array("y", y)
        timeless = is_timeless(self.x)
        self.time = None if timeless else int(batch_first)
        self.axis = 0 if timeless or batch_first else 1
        if not self.x.ndim:
            raise ValueError("x: expected an array of rows, got shape ()")
        self.count = self.x.shape[self.axis]
        self.target_axis = self._target_axis(per_step)
        as_long = self.time is not None and self.y.shape[:2] == self.x.shape[:2]
        if per_step and not as_long:
            raise ValueError(f"y: expected one target for each step of x {self.x.shape}, got {self.y.shape}")
        self.per_step = as_long if per_step is None else per_step
        if lengths is not None and self.time is None:
            raise ValueError(f"lengths: expected none for rows without time, x of shape {self.x.shape}")
        T = 1 if self.time is None else self.x.shape[self.time]
        self.lengths = None if lengths is None else as_lengths(lengths, T, self.count)
        self.steps = self.count * T if self.lengths is None else int(self.lengths.sum())

    def _target_axis(self, per_step: bool | None) -> int:
        """The axis of y that has the rows."""
        N, shape = self.count, self.y.shape
        first = self.axis == 0 or per_step is False
        candidates = [0] if first else [1] if shape[:2] == self.x.shape[:2] else [0, 1]
        axes = [axis for axis in candidates if shape[axis : axis + 1] == (N,)]
        if len(axes) == 2:
            raise ValueError(f"y: expected ({N}, ...) or (S, {N}, ...) but not both, got {shape}; give lists of rows")
        if not axes:
            expected = f"({N}, ...)" if first else f"({', '.join(map(str, self.x.shape[:2]))}, ...), ({N}, ...)"
            raise ValueError(f"y: expected {expected} for the {N} rows of x {self.x.shape}, got {shape}")
        return axes[0]

    def batch(self, rows: Array) -> Batch:
        x, y = np.take(self.x, rows, self.axis), np.take(self.y, rows, self.target_axis)
        if self.lengths is None or self.time is None:
            return Batch(x, y)
        lengths = self.lengths[rows]
        longest = int(lengths.max())
        y = steps_of(y, 0, longest, self.time) if self.per_step else y
        return Batch(steps_of(x, 0, longest, self.time), y, lengths)


class SequenceRows:
    """Rows of lists of sequences, with the attributes of `ArrayRows`."""

    def __init__(
        self,
        x: Sequence[Any],
        y: Any,
        batch_first: bool,
        collate_fn: Callable[[list[Any], list[Any]], Any] | None,
        dtype: "np.dtype[Any] | None",
        per_step: bool | None,
    ) -> None:
        if collate_fn is not None and not callable(collate_fn):
            raise TypeError(f"collate_fn: expected a function of two lists, got {type(collate_fn).__name__}")
        self.batch_first, self.collate_fn = batch_first, collate_fn
        self.time = None if collate_fn else int(batch_first)
        self.x = list(x) if collate_fn else as_rows("x", x, dtype)
        self.count = len(self.x)
        if len(y) != self.count:
            raise ValueError(f"y: expected one for each of the {self.count} sequences of x, got {len(y)}")
        self.lengths = np.array([len(row) for row in self.x], np.intp)
        self.steps = int(self.lengths.sum())
        self.y, self.per_step = (y, False) if collate_fn else self._targets(y, per_step)

    def _targets(self, y: Any, per_step: bool | None) -> tuple[Any, bool]:
        """The targets, and whether there is one for each step of x."""
        if not isinstance(y, list | tuple):
            if per_step:
                raise TypeError(f"y: expected a list of sequences, as x, with per_step=True, got {type(y).__name__}")
            return as_array("y", y), False
        if per_step is False:
            return y, False
        for n, row in enumerate(self.x):
            length = len(y[n]) if np.ndim(y[n]) else None
            if length != len(row):
                if per_step:
                    got = "a single one" if length is None else length
                    raise ValueError(f"y[{n}]: expected {len(row)} targets, one for each step of x[{n}], got {got}")
                return y, False
        return as_rows("y", y), True

    def batch(self, rows: Array) -> Batch:
        if self.collate_fn:
            return as_batch(self.collate_fn([self.x[n] for n in rows], [self.y[n] for n in rows]))
        lengths = self.lengths[rows]
        x = self._padded(self.x, rows, lengths)
        if self.per_step:
            y = self._padded(self.y, rows, lengths)
        elif isinstance(self.y, np.ndarray):
            y = self.y[rows]
        else:
            y = [self.y[n] for n in rows]
        return Batch(x, y, lengths)

    def _padded(self, sequences: Sequence[Array], rows: Array, lengths: Array) -> Array:
        """(T, N, ...), or (N, T, ...): 0 beyond the end of each."""
        shape, first = (int(lengths.max()), len(rows)), sequences[0]
        padded = np.zeros((shape[::-1] if self.batch_first else shape) + first.shape[1:], first.dtype)
        by_row = padded if self.batch_first else padded.swapaxes(0, 1)
        for k, n in enumerate(rows):
            by_row[k, : lengths[k]] = sequences[n]
        return padded


def as_rows(name: str, rows: Sequence[Any], dtype: "np.dtype[Any] | None" = None) -> list[Array]:
    """Sequences as arrays, all with the features and the dtype of the first.

    Lists of Python numbers have no dtype of their own, and empty lists no features: they get `dtype`, or one that fits
    all lists, and the features of the others.
    """
    arrays = [as_array(f"{name}[{n}]", row) for n, row in enumerate(rows)]
    plain = [n for n, row in enumerate(rows) if isinstance(row, list | tuple) and arrays[n].dtype.kind in "fiu"]
    examples = [arrays[n] for n in plain if len(arrays[n])] or [a for a in arrays if a.ndim and len(a)]
    if plain and examples:
        dtype = np.result_type(*{array.dtype for array in examples}) if dtype is None else dtype
        for n in plain:
            arrays[n] = arrays[n].astype(dtype) if len(arrays[n]) else np.zeros((0, *examples[0].shape[1:]), dtype)
    for n, row in enumerate(arrays):
        if not row.ndim:
            raise ValueError(f"{name}[{n}]: expected a sequence, got a single {row.dtype}")
        if row.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(f"{name}[{n}]: expected steps of shape {arrays[0].shape[1:]}, got {row.shape[1:]}")
        if row.dtype != arrays[0].dtype:
            raise TypeError(f"{name}[{n}]: expected {arrays[0].dtype}, as {name}[0], got {row.dtype}")
    return arrays
