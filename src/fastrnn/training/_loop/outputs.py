# SPDX-License-Identifier: BSD-3-Clause
"""The outputs of an epoch, for metrics of all of them, which are no means of those of batches."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ..._engine.arguments import Array, is_packed
from .._data.packing import Places
from .objective import counted

Output = tuple[Any, Any, Any]  # y, target, lengths


class Outputs:
    """Outputs that are kept until the end of an epoch.

    Parameters
    ----------
    batch_first : bool
    of_rows : bool
        Whether a metric takes lengths, and so needs rows. Otherwise the positions that count are all that is kept of
        rows with lengths.
    """

    def __init__(self, batch_first: bool, of_rows: bool) -> None:
        self.batch_first, self.of_rows = batch_first, of_rows
        self._kept: list[Output] = []  # of batches
        self._positions: set[int] = set()  # which of them are positions, y (M, ...) and target (M, ...)
        self._pieces: list[Output] = []  # of a batch that may go on

    def __len__(self) -> int:
        return len(self._kept) + bool(self._pieces)

    def add(self, y: Any, target: Any, lengths: Any, *, continues: bool) -> None:
        """Keep an output: that of a batch, or of the next steps of the batch before if it `continues` that."""
        if not continues:
            self._end_batch()
        if self.of_rows or not (is_packed(y) or (lengths is not None and not self.batch_first)):
            y, target, lengths = padded(y, target, lengths, self.batch_first)
            target = target.copy() if isinstance(target, np.ndarray) else target  # a data source may fill it again
            self._pieces.append((np.array(y), target, lengths))
        else:  # positions go on in the order of time, also if the batch does
            self._keep_positions(y, target, lengths)

    def clear(self) -> None:
        self._kept, self._pieces = [], []
        self._positions.clear()

    def joined(self, takes: Collection[str]) -> Output:
        """All outputs as one batch, for a function with these arguments: see `one_batch`. Positions are kept no more.

        Of positions, there is one such batch for all functions, whatever they take.
        """
        self._end_batch()
        if not self._positions:
            return one_batch(self._kept, self.batch_first, takes)
        parts = (
            (y, target) if k in self._positions else flat(y, target, self.batch_first)
            for k, (y, target, _) in enumerate(self._kept)
        )
        ys, targets = map(list, zip(*parts, strict=True))
        del parts  # nothing else has them
        self.clear()
        self._kept, self._positions = [(stacked(ys), stacked(targets), None)], {0}
        return self._kept[0]

    def _end_batch(self) -> None:
        pieces, self._pieces = self._pieces, []
        if not pieces:
            return
        y, target, lengths = _in_one_piece(pieces, int(self.batch_first))
        if lengths is None or self.of_rows:
            self._kept.append((y, target, lengths))
        else:
            self._keep_positions(y, target, lengths)

    def _keep_positions(self, y: Any, target: Any, lengths: Any) -> None:
        self._positions.add(len(self._kept))
        self._kept.append((*positions_of(y, target, lengths, self.batch_first), None))


def _in_one_piece(pieces: Sequence[Output], axis: int) -> Output:
    """The output of a batch from those of its pieces, with time on this axis."""
    if len(pieces) == 1:
        return pieces[0]
    ys, targets, lengths = zip(*pieces, strict=True)
    return np.concatenate(ys, axis), np.concatenate(targets, axis), None if lengths[0] is None else sum(lengths)


def padded(y: Any, target: Any, lengths: Any, batch_first: bool) -> Output:
    """An output of packed rows, and their targets, as an array with lengths; any other as it is."""
    if not is_packed(y):
        return y, target, lengths
    places = Places.of(y)
    target = places.scattered(target, batch_first) if _is_per_step(y, target) else target
    return places.scattered(y.data, batch_first), target, np.bincount(places.rows)


def positions_of(y: Any, target: Any, lengths: Any, batch_first: bool) -> tuple[Array, Array]:
    """The positions that count of an output and its targets, one after another as in the padded arrays: new arrays."""
    if not is_packed(y):
        return counted(y, target, lengths, batch_first)[1:]
    if not _is_per_step(y, target):
        return positions_of(*padded(y, target, lengths, batch_first), batch_first)
    steps, rows = Places.of(y)
    order = np.lexsort((steps, rows) if batch_first else (rows, steps))
    return y.data[order], target[order]


def _is_per_step(y: Any, target: Any) -> bool:
    """Whether the targets of packed rows are packed, too."""
    return isinstance(target, np.ndarray) and len(target) == len(y.data)


def flat(y: Array, target: Any, batch_first: bool) -> tuple[Array, Array]:
    """The positions of full rows."""
    lengths = np.full(y.shape[0 if batch_first else 1], y.shape[int(batch_first)])
    return counted(y, target, lengths, batch_first)[1:]


def stacked(parts: list[Array]) -> Array:
    """The parts, one after another along the first axis. They are taken from the list, so that each can be freed."""
    if len(parts) == 1:
        return parts.pop()
    result = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), np.result_type(*parts))
    end = len(result)
    while parts:
        part = parts.pop()
        result[end - len(part) : end] = part
        end -= len(part)
    return result


def one_batch(batches: Sequence[Output], batch_first: bool, takes: Collection[str]) -> Output:
    """The outputs of several batches as one.

    Parameters
    ----------
    batches : sequence of (y, target, lengths)
    batch_first : bool
    takes : collection of str
        The arguments of the function that receives the batch. With `lengths` or `input_lengths`, rows of different
        lengths stay rows, padded with 0 to the longest. Otherwise the positions that count come one after another,
        y (M, ...) and target (M, ...).

    Returns
    -------
    y, target, lengths
        Without lengths if all rows are full and equally long, or positions.
    """
    if len(batches) == 1:
        return batches[0]
    ys, targets, lengths = (list(part) for part in zip(*batches, strict=True))
    axis = int(batch_first)
    has_time = np.ndim(ys[0]) >= 3 or any(part is not None for part in lengths)
    per_step = has_time and "input_lengths" not in takes
    per_step = per_step and all(_shape(t)[:2] == y.shape[:2] for y, t in zip(ys, targets, strict=True))
    row_axis = 1 - axis if has_time else 0
    steps = {y.shape[axis] for y in ys} if has_time else set()
    if all(part is None for part in lengths) and len(steps) <= 1:
        return np.concatenate(ys, row_axis), _join(targets, row_axis if per_step else 0), None
    full = [
        np.full(y.shape[row_axis], y.shape[axis]) if part is None else np.asarray(part)
        for y, part in zip(ys, lengths, strict=True)
    ]
    if "lengths" not in takes and "input_lengths" not in takes:
        parts = [counted(y, t, n, batch_first)[1:] for y, t, n in zip(ys, targets, full, strict=True)]
        return np.concatenate([y for y, _ in parts]), np.concatenate([t for _, t in parts]), None
    T = max(steps)
    y = np.concatenate([_padded(y, T, axis) for y in ys], row_axis)
    if per_step:
        return y, np.concatenate([_padded(np.asarray(t), T, axis) for t in targets], row_axis), np.concatenate(full)
    return y, _join(targets, 0), np.concatenate(full)


def _join(targets: Sequence[Any], axis: int) -> Any:
    """Targets of all rows: an array, or a list of rows where they differ in shape."""
    shapes = {_shape(target)[:axis] + _shape(target)[axis + 1 :] for target in targets}
    if len(shapes) == 1 and () not in map(_shape, targets):
        return np.concatenate(targets, axis)
    return [row for target in targets for row in target]


def _shape(target: Any) -> tuple[int, ...]:
    """The shape of an array; () of a list of rows."""
    return () if isinstance(target, list | tuple) else np.shape(target)


def _padded(array: Array, T: int, axis: int) -> Array:
    """An array with 0 behind its steps, up to T."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, T - array.shape[axis])
    return np.pad(array, widths)
