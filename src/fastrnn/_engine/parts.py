# SPDX-License-Identifier: BSD-3-Clause
"""Rows that resets split into parts. The engine runs each part as a separate row."""

from typing import NamedTuple

import numpy as np

from .arguments import Array

State = tuple[
    Array | None, Array | None
]  # h and c, (N, H); None is zero, and stands for a c that the cell does not have


def empty_like(state: State) -> State:
    """Arrays for a state, not initialized."""
    h, c = (None if array is None else np.empty_like(array) for array in state)
    return h, c


class Parts(NamedTuple):
    """The positions of the parts of rows. Each part has its own state; the state of a row enters and leaves at its
    ends.

    Part k is of row ``source[k]``, from step ``start[k]`` on. Of each row with steps (`some`), `first` and `last` are
    the parts at its ends; no state passes its start if it is `fresh`, with a reset there.
    """

    source: Array
    start: Array
    first: Array
    last: Array
    some: Array
    fresh: Array

    def _end(self, at_start: bool) -> tuple[Array, Array]:
        """The rows whose state passes one of their ends, and the parts there."""
        rows = np.flatnonzero(self.some & ~self.fresh if at_start else self.some)
        return rows, (self.first if at_start else self.last)[rows]

    def like(self, state: State) -> State:
        """Arrays for a state of the parts, not initialized."""
        h, c = (None if a is None else np.empty((len(self.source), *a.shape[1:]), a.dtype) for a in state)
        return h, c

    def of_rows(self, state: State, at_start: bool) -> State:
        """The state of the parts, given that of the rows at one end; zero at the resets."""
        rows, ends = self._end(at_start)
        result = self.like(state)
        for part, array in zip(result, state, strict=True):
            if part is not None and array is not None:
                part.fill(0)
                part[ends] = array[rows]
        return result

    def to_rows(self, parts: State, other: State, out: State, at_start: bool) -> None:
        """Write the state of the rows at one end, given that of the parts; without steps it is that at the `other`."""
        rows, ends = self._end(at_start)
        for part, beyond, to in zip(parts, other, out, strict=True):
            if part is not None and to is not None:
                to[...] = np.where(self.some[:, None], 0, 0 if beyond is None else beyond)
                to[rows] = part[ends]


def cut(lengths: Array, resets: Array) -> tuple[Parts, Array]:
    """The parts into which resets (T, N) cut rows, and how many steps each has."""
    T, N = resets.shape
    some, fresh = lengths > 0, np.zeros(N, bool)
    begins = resets & (np.arange(T)[:, None] < lengths)
    if T:
        fresh, begins[0] = begins[0].copy(), some
    source, start = np.nonzero(np.ascontiguousarray(begins.T))  # row after row, in the order of time
    first, last = np.searchsorted(source, np.arange(N)), np.searchsorted(source, np.arange(N), "right") - 1
    stop = np.append(start[1:], 0)
    stop[last[some]] = lengths[some]
    return Parts(source, start, first, last, some, fresh), stop - start
