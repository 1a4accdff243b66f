# SPDX-License-Identifier: BSD-3-Clause
"""What turns data into batches: rows in an order that a seed fixes, of similar lengths, padded."""

from typing import NamedTuple

import numpy as np

from .functional import as_array, as_flag, as_integers, as_rng, as_size

__all__ = ["Batch", "Batches"]

POOL = 64  # batches whose rows are sorted by length together: enough to fill them evenly, few enough to stay random


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
        x = next(iter(self.x.values())) if isinstance(self.x, dict) else self.x
        x = np.asarray(x[0] if isinstance(x, tuple) else x)
        return len(x) if is_timeless(x) else x.shape[0] * x.shape[1]


class Batches:
    """Batches of arrays, or of sequences of different lengths.

    Iterating gives the batches of one epoch, the next time those of the next. The order depends on `seed` and the
    epoch alone, so `state_dict`, in the middle of an epoch too, is three numbers.

    Parameters
    ----------
    x : array_like, or list of array_like
        An array of all rows: sequences (T, N, F), tokens (T, N), with `batch_first` (N, T, F) and (N, T), or rows
        without time, floats (N, F) or (N,). Or a list of N sequences of any lengths, (T_n, F) or (T_n,): padded with
        0 to the longest of their batch, with `lengths`.
    y : array_like, or list of array_like
        Targets. Of an array x: one for each step if the first two axes are those of x; otherwise one for each row,
        (N, ...), or sequences of other lengths, (S, N, ...). Of a list: an array (N, ...) has one target for each row;
        a list of sequences as long as those of x has one for each step, and is padded as x is; any other list is given
        to the loss as it is, the rows of a batch at a time.
    batch_size : int
        Rows in a batch; the last batch of an epoch may have fewer.
    lengths : array_like of int, shape (N,), optional
        Of the rows of an array x with time, 0..T. Its batches end with their longest row.
    batch_first : bool
        Whether batches, and an array x, are (N, T, ...).
    shuffle : bool
        Every epoch has an order of its own: rows at random; where lengths differ, rows of similar lengths meet in a
        batch, so that there is little padding. Without it, the rows stay in order.
    seed : int or None
        Of the order.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type, there is no row, x and y have different numbers of rows, a sequence has
        another shape than the first or length is out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> sequences = [np.ones((length, 3), np.float32) for length in (5, 2, 4)]
    >>> for batch in fr.Batches(sequences, np.array([0, 1, 0]), batch_size=2, shuffle=False):
    ...     print(batch.x.shape, batch.y, batch.lengths)
    (5, 2, 3) [0 1] [5 2]
    (4, 1, 3) [0] [4]
    """

    def __init__(self, x, y, *, batch_size=32, lengths=None, batch_first=False, shuffle=True, seed=None):
        self.batch_size = as_size("batch_size", batch_size)
        self.batch_first = as_flag("batch_first", batch_first)
        self.shuffle = as_flag("shuffle", shuffle)
        self._entropy = int(as_rng(seed).spawn(1)[0].integers(1 << 63))
        if y is None:
            raise TypeError("y: expected targets, got None")
        kind = _Ragged if isinstance(x, list | tuple) else _Regular
        self._rows = kind(x, y, lengths, self.batch_first)
        if not self._rows.count:
            raise ValueError("x: expected at least one row, got none")
        self.epoch = 0
        self.position = 0  # batches of this epoch that have been given

    def __len__(self):
        """Batches in an epoch."""
        return -(-self._rows.count // self.batch_size)

    @property
    def steps(self):
        """Time steps of all rows together; rows, if they have no time."""
        return self._rows.steps

    def __iter__(self):
        """The batches of this epoch, from `position` on."""
        parts = self._parts()
        while self.position < len(parts):
            self.position += 1
            yield self._rows.batch(parts[self.position - 1])
        self.epoch, self.position = self.epoch + 1, 0

    def _parts(self):
        """The rows of each batch of this epoch."""
        count, size = self._rows.count, self.batch_size
        if not self.shuffle:
            return np.split(np.arange(count), range(size, count, size))
        rng = np.random.default_rng([self._entropy, self.epoch])
        order = rng.permutation(count)
        lengths = self._rows.lengths
        if lengths is None:
            return np.split(order, range(size, count, size))
        for start in range(0, count, POOL * size):
            pool = order[start : start + POOL * size]
            pool[:] = pool[np.argsort(lengths[pool], kind="stable")]
        parts = np.split(order, range(size, count, size))
        return [parts[k] for k in rng.permutation(len(parts))]

    def state_dict(self):
        """Where in which epoch of which order: dict of str to int.

        A batch counts as done as soon as it has been given.
        """
        return {
            "rows": self._rows.count,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "entropy": self._entropy,
            "epoch": self.epoch,
            "position": self.position,
        }

    def load_state_dict(self, state):
        """Continue from a `state_dict` at the next iteration.

        Raises
        ------
        ValueError
            It is of other data, or of batches of another size. Nothing is changed then.
        """
        here = self.state_dict()
        if state.keys() != here.keys():
            raise ValueError(f"state: expected {', '.join(here)}, got {', '.join(map(str, state))}")
        for name in "rows", "batch_size", "shuffle":
            if state[name] != here[name]:
                raise ValueError(f"{name}: expected {state[name]}, as where the state is from, got {here[name]}")
        self._entropy, self.epoch, self.position = (int(state[name]) for name in ("entropy", "epoch", "position"))


def is_timeless(x):
    """Whether an array is rows without time, floats (N, F) or (N,), and neither sequences nor tokens."""
    return x.ndim < 2 or (x.ndim == 2 and x.dtype.kind == "f")


class _Regular:
    """Rows of arrays."""

    def __init__(self, x, y, lengths, batch_first):
        self.x, self.y = as_array("x", x), as_array("y", y)
        timeless = is_timeless(self.x)
        self.time = None if timeless else int(batch_first)
        self.axis = 0 if timeless or batch_first else 1
        if not self.x.ndim:
            raise ValueError("x: expected an array of rows, got shape ()")
        self.count = self.x.shape[self.axis]
        self.target_axis = self._target_axis()
        self.per_step = self.time is not None and self.y.shape[:2] == self.x.shape[:2]
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

    def _target_axis(self):
        """The axis of y that has the rows."""
        N, shape = self.count, self.y.shape
        if self.axis == 0 or shape[:2] == self.x.shape[:2]:
            found = [0] if self.axis == 0 else [1]
        else:
            found = [0, 1]
        found = [axis for axis in found if shape[axis : axis + 1] == (N,)]
        if len(found) == 2:
            raise ValueError(f"y: expected ({N}, ...) or (S, {N}, ...) but not both, got {shape}; give lists of rows")
        if not found:
            expected = (
                f"({N}, ...)" if self.axis == 0 else f"({', '.join(map(str, self.x.shape[:2]))}, ...), ({N}, ...)"
            )
            raise ValueError(f"y: expected {expected} for the {N} rows of x {self.x.shape}, got {shape}")
        return found[0]

    def batch(self, rows):
        x, y = np.take(self.x, rows, self.axis), np.take(self.y, rows, self.target_axis)
        if self.lengths is None:
            return Batch(x, y)
        lengths = self.lengths[rows]
        within = (slice(None),) * self.time + (slice(int(lengths.max())),)
        return Batch(x[within], y[within] if self.per_step else y, lengths)


class _Ragged:
    """Rows of lists of sequences."""

    def __init__(self, x, y, lengths, batch_first):
        if lengths is not None:
            raise ValueError("lengths: expected none for a list of sequences, which has lengths of its own")
        self.batch_first = batch_first
        self.x = [as_array(f"x[{n}]", row) for n, row in enumerate(x)]
        self.count = len(self.x)
        if len(y) != self.count:
            raise ValueError(f"y: expected one for each of the {self.count} sequences of x, got {len(y)}")
        _check_alike("x", self.x)
        self.lengths = np.array([len(row) for row in self.x], np.intp)
        self.steps = int(self.lengths.sum())
        self.y, self.per_step = y, False
        if isinstance(y, list | tuple):
            self.per_step = all(np.ndim(t) and len(t) == len(row) for t, row in zip(y, self.x, strict=True))
            if self.per_step:
                self.y = [as_array(f"y[{n}]", row) for n, row in enumerate(y)]
                _check_alike("y", self.y)
        else:
            self.y = as_array("y", y)

    def batch(self, rows):
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


def _check_alike(name, sequences):
    """Raise unless all have the features and the dtype of the first."""
    for n, row in enumerate(sequences):
        if not row.ndim:
            raise ValueError(f"{name}[{n}]: expected a sequence, got a single {row.dtype}")
        if row.shape[1:] != sequences[0].shape[1:]:
            raise ValueError(f"{name}[{n}]: expected steps of shape {sequences[0].shape[1:]}, got {row.shape[1:]}")
        if row.dtype != sequences[0].dtype:
            raise TypeError(f"{name}[{n}]: expected {sequences[0].dtype}, as {name}[0], got {row.dtype}")
