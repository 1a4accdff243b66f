# SPDX-License-Identifier: BSD-3-Clause
"""The rows of data, and a batch of some of them: cut out of arrays, or padded to the longest."""

from typing import NamedTuple

import numpy as np

from ..._engine.arguments import as_array, as_integers


class Batch(NamedTuple):
    """What one step of training reads.

    Attributes
    ----------
    x : array_like
        Input of the model. A tuple is several of them, a dict several by name, as ``model.forward`` takes them.
    y : array_like
        What the loss is given as target.
    lengths : array_like of int, shape (N,), or None
        How many steps of each row count.
    """

    x: object
    y: object = None
    lengths: object = None

    @property
    def steps(self):
        """Time steps of all its rows together; rows, where nothing says that they have time."""
        if self.lengths is not None:
            return int(np.sum(self.lengths))
        x = np.asarray(self._inputs()[0])
        return len(x) if is_timeless(x) else x.shape[0] * x.shape[1]

    def is_finite(self):
        """Whether no input holds nan or inf."""
        arrays = map(np.asarray, self._inputs())
        return all(np.isfinite(array).all() for array in arrays if array.dtype.kind == "f")

    def _inputs(self):
        if isinstance(self.x, dict):
            return list(self.x.values())
        return self.x if isinstance(self.x, tuple) else (self.x,)


def as_batch(item):
    """What gave a batch, as a `Batch`."""
    if isinstance(item, Batch):
        return item
    if isinstance(item, tuple | list) and len(item) in (2, 3):
        return Batch(*item)
    got = f"{type(item).__name__} of {len(item)}" if isinstance(item, tuple | list) else type(item).__name__
    raise TypeError(f"x: expected batches (x, y) or (x, y, lengths), got {got}")


def is_timeless(x):
    """Whether an array is rows without time, floats (N, F) or (N,), and neither sequences nor tokens."""
    return x.ndim < 2 or (x.ndim == 2 and x.dtype.kind == "f")


class Regular:
    """Rows of arrays."""

    def __init__(self, x, y, lengths, batch_first, per_step):
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
        self.lengths = None
        self.steps = self.count if timeless else self.count * self.x.shape[self.time]
        if lengths is not None:
            if timeless:
                raise ValueError(f"lengths: expected none for rows without time, x of shape {self.x.shape}")
            self.lengths = as_integers("lengths", lengths)
            T = self.x.shape[self.time]
            if self.lengths.shape != (self.count,):
                raise ValueError(f"lengths: expected ({self.count},), got {self.lengths.shape}")
            for n in np.flatnonzero((self.lengths < 0) | (self.lengths > T))[:1]:
                raise ValueError(f"lengths: expected integers in 0..{T}, the steps of x, got {self.lengths[n]} at {n}")
            self.steps = int(self.lengths.sum())

    def _target_axis(self, per_step):
        """The axis of y that has the rows."""
        N, shape = self.count, self.y.shape
        first = self.axis == 0 or per_step is False
        if first or shape[:2] == self.x.shape[:2]:
            found = [0] if first else [1]
        else:
            found = [0, 1]
        found = [axis for axis in found if shape[axis : axis + 1] == (N,)]
        if len(found) == 2:
            raise ValueError(f"y: expected ({N}, ...) or (S, {N}, ...) but not both, got {shape}; give lists of rows")
        if not found:
            expected = f"({N}, ...)" if first else f"({', '.join(map(str, self.x.shape[:2]))}, ...), ({N}, ...)"
            raise ValueError(f"y: expected {expected} for the {N} rows of x {self.x.shape}, got {shape}")
        return found[0]

    def batch(self, rows):
        x, y = np.take(self.x, rows, self.axis), np.take(self.y, rows, self.target_axis)
        if self.lengths is None:
            return Batch(x, y)
        lengths = self.lengths[rows]
        within = (slice(None),) * self.time + (slice(int(lengths.max())),)
        return Batch(x[within], y[within] if self.per_step else y, lengths)


class Ragged:
    """Rows of lists of sequences."""

    def __init__(self, x, y, batch_first, collate_fn, dtype, per_step):
        if collate_fn is not None and not callable(collate_fn):
            raise TypeError(f"collate_fn: expected a function of two lists, got {type(collate_fn).__name__}")
        self.batch_first, self.collate_fn = batch_first, collate_fn
        self.time = None if collate_fn else int(batch_first)
        self.x = list(x) if collate_fn else as_rows("x", x, dtype)
        self.count = len(self.x)
        if len(y) != self.count:
            raise ValueError(f"y: expected one for each of the {self.count} sequences of x, got {len(y)}")
        if not collate_fn:
            _check_alike("x", self.x)
        self.lengths = np.array([len(row) for row in self.x], np.intp)
        self.steps = int(self.lengths.sum())
        self.y, self.per_step = y, False
        if collate_fn:
            return
        if isinstance(y, list | tuple):
            other = [n for n, row in enumerate(self.x) if per_step is not False and _length(y[n]) != len(row)]
            if per_step and other:
                raise ValueError(
                    f"y[{other[0]}]: expected {len(self.x[other[0]])} targets, one for each step of x[{other[0]}], got "
                    + ("a single one" if _length(y[other[0]]) is None else str(len(y[other[0]])))
                )
            self.per_step = per_step is not False and not other
            if self.per_step:
                self.y = as_rows("y", y)
                _check_alike("y", self.y)
        elif per_step:
            raise TypeError(f"y: expected a list of sequences, as x, with per_step=True, got {type(y).__name__}")
        else:
            self.y = as_array("y", y)

    def batch(self, rows):
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

    def _padded(self, sequences, rows, lengths):
        """(T, N, ...), or (N, T, ...): 0 beyond the end of each."""
        shape, first = (int(lengths.max()), len(rows)), sequences[0]
        padded = np.zeros((shape[::-1] if self.batch_first else shape) + first.shape[1:], first.dtype)
        by_row = padded if self.batch_first else padded.swapaxes(0, 1)
        for k, n in enumerate(rows):
            by_row[k, : lengths[k]] = sequences[n]
        return padded


def _length(target):
    """Of a sequence; None of a single number."""
    return len(target) if np.ndim(target) else None


def as_rows(name, rows, dtype=None):
    """Rows as arrays; Python numbers have no dtype of their own, and get `dtype`, or one that fits them all."""
    arrays = [as_array(f"{name}[{n}]", row) for n, row in enumerate(rows)]
    plain = [n for n, row in enumerate(rows) if isinstance(row, list | tuple) and arrays[n].dtype.kind in "fiu"]
    telling = [arrays[n] for n in plain if len(arrays[n])] or [a for a in arrays if a.ndim and len(a)]
    if plain and telling:
        dtype = np.result_type(*{array.dtype for array in telling}) if dtype is None else dtype
        for n in plain:  # an empty list does not tell either that it has features
            arrays[n] = arrays[n].astype(dtype) if len(arrays[n]) else np.zeros((0, *telling[0].shape[1:]), dtype)
    return arrays


def _check_alike(name, sequences):
    """Raise unless all have the features and the dtype of the first."""
    for n, row in enumerate(sequences):
        if not row.ndim:
            raise ValueError(f"{name}[{n}]: expected a sequence, got a single {row.dtype}")
        if row.shape[1:] != sequences[0].shape[1:]:
            raise ValueError(f"{name}[{n}]: expected steps of shape {sequences[0].shape[1:]}, got {row.shape[1:]}")
        if row.dtype != sequences[0].dtype:
            raise TypeError(f"{name}[{n}]: expected {sequences[0].dtype}, as {name}[0], got {row.dtype}")
