# SPDX-License-Identifier: BSD-3-Clause
"""What turns data into batches: rows in an order that a seed fixes, of similar lengths together."""

import numpy as np

from ..._engine.arguments import as_dtype, as_flag, as_rng, as_size
from .rows import Batch, Ragged, Regular

__all__ = ["Batch", "Batches"]

POOL = 64  # batches whose rows are sorted by length together: enough to fill them evenly, few enough to stay random


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
    collate_fn : callable, optional
        Of a list x: makes a batch, as `Batch` or (x, y) or (x, y, lengths), of the lists of its rows of x and of y,
        instead of padding them. So a model of several inputs gets them: its x may be a dict or a tuple.
    dtype : {np.float32, np.float64}, optional
        Of sequences of a list x that are lists of Python numbers, which have none of their own: that of the model, if
        it does not read tokens, as `fit` and `evaluate` have it. By default as NumPy does, integers or float64.
    per_step : bool, optional
        Whether y has a target for each step of x. By default it has if it looks like that, as said above. False is for
        labels that have lengths of their own and may be as many as the steps, as those of `ctc_loss`: `fit` and
        `evaluate` know that of any loss that takes `input_lengths`. An array y is then (N, ...).
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

    def __init__(
        self, x, y, *, batch_size=32, lengths=None, batch_first=False, collate_fn=None, dtype=None, per_step=None,
        shuffle=True, seed=None,
    ):  # fmt: skip
        self.batch_size = as_size("batch_size", batch_size)
        self.batch_first = as_flag("batch_first", batch_first)
        self.shuffle = as_flag("shuffle", shuffle)
        self._entropy = int(as_rng(seed).spawn(1)[0].integers(1 << 63))
        per_step = None if per_step is None else as_flag("per_step", per_step)
        if y is None:
            raise TypeError("y: expected targets, got None")
        if isinstance(x, list | tuple):
            if lengths is not None:
                raise ValueError("lengths: expected none for a list of sequences, which has lengths of its own")
            self._rows = Ragged(
                x, y, self.batch_first, collate_fn, None if dtype is None else as_dtype("dtype", dtype), per_step
            )
        else:
            if collate_fn is not None:
                raise ValueError(f"collate_fn: expected none for an array x, only for a list, got {collate_fn!r}")
            self._rows = Regular(x, y, lengths, self.batch_first, per_step)
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

    @property
    def per_step(self):
        """Whether y has a target for each step of x."""
        return self._rows.per_step

    @property
    def has_time(self):
        """Whether x are sequences, so that it matters where time is."""
        return self._rows.time is not None

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
