# SPDX-License-Identifier: BSD-3-Clause
"""Data in batches: rows in an order that a seed fixes, of similar lengths together."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..._engine.arguments import Array, Interval, SeedLike, as_dtype, as_flag, as_number, as_rng, as_size
from .batch import Batch
from .draw import Draw
from .inputs import rows_of
from .reading import Reading
from .rows import Collate
from .weights import AnyRows

POOL = 64  # batches whose rows are sorted by length together: enough to fill them evenly, few enough to stay random


class Batches:
    """Batches of arrays, or of sequences of different lengths.

    Each iteration yields the batches of one epoch. Their order depends only on `seed` and the number of the epoch, so
    `state_dict` is only a few numbers, even in the middle of an epoch.

    Parameters
    ----------
    x : array_like, or list of array_like
        An array of all rows: sequences (T, N, F), tokens (T, N), with `batch_first` (N, T, F) and (N, T), or rows
        without time, floats (N, F) or (N,). Or a list of N sequences of any lengths, (T_n, F) or (T_n,): padded with
        0 to the longest of their batch, with `lengths`.
    y : array_like, or list of array_like
        Targets; see `per_step`. For an array x: one per step, with the first two axes of x; one per row, (N, ...); or
        sequences of other lengths, (S, N, ...). For a list x: an array (N, ...) has one target per row; a list of
        sequences as long as those of x has one per step and is padded like x; from any other list the loss receives the
        rows of a batch unchanged.
    batch_size : int, default 32
        Rows in a batch; the last batch of an epoch may have fewer.
    lengths : array_like of int, shape (N,), optional
        The lengths of the rows, 0..T, if x is an array with time. Batches are cut to their longest row.
    batch_first : bool, default False
        Whether batches, and an array x, are (N, T, ...).
    collate_fn : callable, optional
        For a list x: called with a list of rows of x and a list of rows of y, it returns the batch as `Batch`, (x, y)
        or (x, y, lengths), and nothing is padded. Use it for models with several inputs: the x of the batch is then a
        dict or a tuple.
    dtype : {np.float32, np.float64}, optional
        The dtype to convert x to. By default x keeps its dtype; lists of Python numbers become integers or float64.
    per_step : bool, optional
        True if y has a target for each step of x, False if it has one per row, which includes label sequences with
        lengths of their own. By default it is inferred from the shapes; if these are ambiguous, an error is raised.
        (`fit` and `evaluate` infer it from the model and the loss.)
    shuffle : bool, default True
        Whether to shuffle the rows in every epoch. If lengths differ, rows of similar lengths are put into the same
        batch, to reduce padding. Without shuffling, the rows stay in order.
    seed : int, Generator or None, default None
        Seed of the order.

    Attributes
    ----------
    rows : ndarray of int
        Which rows of x the last batch has.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type, there is no row, x and y have different numbers of rows, y may be read in two
        ways, a sequence differs in shape or dtype from the first, or a length is out of range.

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
        self, x: Any, y: Any, *, batch_size: int = 32, lengths: ArrayLike | None = None, batch_first: bool = False,
        collate_fn: Collate | None = None, dtype: DTypeLike | None = None,
        per_step: bool | None = None, shuffle: bool = True, seed: SeedLike = None,
    ) -> None:  # fmt: skip
        if y is None:
            raise TypeError("y: expected targets, got None")
        if per_step is not None:
            per_step = as_flag("per_step", per_step)
        reading = Reading(
            as_flag("batch_first", batch_first),
            dtype=None if dtype is None else as_dtype("dtype", dtype),
            targets={None: None, True: "steps", False: "rows"}[per_step],
            targets_batch_first=batch_first,
        )
        self._begin(rows_of(x, y, lengths, reading, collate_fn), reading.batch_first, batch_size, shuffle, seed)

    @classmethod
    def _of(cls, rows: AnyRows, batch_first: bool, *options: Any) -> Self:
        """Batches of these rows."""
        batches = cls.__new__(cls)
        batches._begin(rows, batch_first, *options)
        return batches

    def _begin(self, rows: AnyRows, batch_first: bool, batch_size: int, shuffle: bool, seed: SeedLike) -> None:
        self._rows = rows
        self.batch_first: bool = batch_first
        self.batch_size: int = as_size("batch_size", batch_size)
        self.shuffle: bool = as_flag("shuffle", shuffle)
        self._entropy = int(as_rng(seed).spawn(1)[0].integers(1 << 63))
        if not rows.count:
            raise ValueError("x: expected at least one row, got none")
        self.epoch: int = 0
        self.position: int = 0  # batches of this epoch that have been yielded
        self.rows: Array = np.zeros(0, np.intp)

    def __repr__(self) -> str:
        lengths = self._rows.lengths if self.has_time else None
        steps = f" of {self._rows.steps // self._rows.count} steps" if self.has_time else ""
        if lengths is not None:
            steps = f" of {lengths.min()}..{lengths.max()} steps"
        layout = f", batch_first={self.batch_first}" if self.has_time else ""
        return (
            f"Batches({self._rows.count} rows{steps}, batch_size={self.batch_size}{layout}, shuffle={self.shuffle}, "
            f"epoch={self.epoch}, position={self.position} of {len(self)})"
        )

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-self._rows.count // self.batch_size)

    @property
    def steps(self) -> int:
        """Time steps of all rows together; rows, if they have no time."""
        return self._rows.steps

    @property
    def per_step(self) -> bool:
        """Whether y has a target for each step of x."""
        return self._rows.per_step

    @property
    def has_time(self) -> bool:
        """Whether x has a time axis, so that it matters which one it is."""
        return self._rows.time is not None

    def __iter__(self) -> Iterator[Batch]:
        """The batches of this epoch, from `position` on."""
        return (draw.batch() for draw in self._draws())

    def _draws(self) -> Iterator[Draw]:
        """The row numbers of each batch, without reading rows."""
        parts = self._parts()
        while self.position < len(parts):
            self.position += 1
            part = parts[self.position - 1]
            self.rows = part + self._rows.start
            yield Draw(self._rows, part)
        self.epoch, self.position = self.epoch + 1, 0

    def split(self, fraction: float) -> tuple[Self, Self]:
        """Split off the last rows, for validation. Returns batches of the first rows, and of the last rows in their
        order.

        Both are at the begin of an epoch, wherever these batches are.

        Parameters
        ----------
        fraction : float
            The share of the last rows, above 0 and below 1.

        Raises
        ------
        ValueError
            One of the two would have no row.
        """
        count = self._rows.count
        last = round(count * as_number("fraction", fraction, Interval(0, 1, "()")))
        if not 0 < last < count:
            raise ValueError(f"fraction: expected at least one row in both parts, got {count - last} and {last}")
        parts = copy.copy(self), copy.copy(self)
        for part, begin, end in zip(parts, (0, count - last), (count - last, count), strict=True):
            part._rows, part.position = self._rows.part(begin, end), 0
        parts[1].shuffle = False
        return parts

    def row(self, n: int) -> Batch:
        """Row n of the data as a batch of its own."""
        return self._rows.batch(np.array([n - self._rows.start]))

    def _parts(self) -> list[Array]:
        """The rows of each batch of this epoch."""
        count, size = self._rows.count, self.batch_size
        rng = np.random.default_rng([self._entropy, self.epoch])
        order = rng.permutation(count) if self.shuffle else np.arange(count)
        lengths = self._rows.lengths if self.shuffle else None
        if lengths is not None:
            for start in range(0, count, POOL * size):
                pool = order[start : start + POOL * size]
                pool[:] = pool[np.argsort(lengths[pool], kind="stable")]
        parts = [order[start : start + size] for start in range(0, count, size)]
        return parts if lengths is None else [parts[k] for k in rng.permutation(len(parts))]

    def state_dict(self) -> dict[str, int]:
        """The order, the epoch and the position in it. A batch counts as consumed once it has been yielded.

        Returns
        -------
        dict of str to int
        """
        return {
            "rows": self._rows.count,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "entropy": self._entropy,
            "epoch": self.epoch,
            "position": self.position,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict` at the next iteration.

        Parameters
        ----------
        state : mapping of str to int

        Raises
        ------
        ValueError
            It belongs to other data or another batch size, or a number is out of range. Nothing is changed.
        """
        current = self.state_dict()
        if state.keys() != current.keys():
            raise ValueError(f"state: expected {', '.join(current)}, got {', '.join(map(str, state))}")
        for name in "rows", "batch_size", "shuffle":
            if state[name] != current[name]:
                raise ValueError(f"{name}: expected {state[name]}, as in the state, got {current[name]}")
        numbers = [as_size(name, state[name], 0) for name in ("entropy", "epoch", "position")]
        if numbers[2] > len(self):
            raise ValueError(f"position: expected at most {len(self)}, the number of batches, got {numbers[2]}")
        self._entropy, self.epoch, self.position = numbers
