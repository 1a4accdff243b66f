# SPDX-License-Identifier: BSD-3-Clause
"""Metrics of a whole epoch, independent of how it is divided into batches."""

import warnings
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ..._engine.arguments import Array, is_packed
from ...losses import Mean
from .._data.packing import Places
from .metrics import Metrics, score
from .objective import arguments_of, counted, counts

Output = tuple[Any, Any, Any]  # y, target, lengths


class EpochMetrics:
    """The metrics of an epoch during which the parameters do not change.

    The caller accumulates those of a metric that returns a `Mean`, and outputs are forgotten. Any other, such as a root
    or a ratio of sums, is no mean of its values on parts: it is computed once, of all outputs as one batch, for which
    they are kept. The first output that a metric is given shows which it is.
    """

    def __init__(self, metrics: Metrics, batch_first: bool) -> None:
        self.metrics, self.batch_first = metrics, batch_first
        self._means: set[str] = set()  # the names of metrics that return a mean
        self._whole: set[str] = set()  # and of those that do not
        self._outputs: list[list[Output]] = []  # of each batch, in pieces of time

    @property
    def are_means(self) -> bool:
        """Whether all metrics are known to be means."""
        return self.metrics.keys() == self._means

    def add(self, y: Any, target: Any, lengths: Any, *, continues: bool) -> dict[str, float]:
        """The means of an output; the others are those `of_all`.

        The output is that of a batch, or of the next steps of the batch before if it `continues` that.
        """
        means: dict[str, float] = {}
        for name, metric in self.metrics.items():
            if name in self._whole or not counts(metric, y, lengths):
                continue
            if name in self._means:
                means[name] = score(name, metric, y, target, lengths, self.batch_first)
            elif (first := self._first(name, y, target, lengths)) is not None:
                means[name] = first
                self._means.add(name)
            else:
                self._whole.add(name)
        if self.are_means:
            self._outputs = []
            return means
        if not continues:
            self._outputs.append([])
        y, target, lengths = padded(y, target, lengths, self.batch_first)
        target = target.copy() if isinstance(target, np.ndarray) else target  # a data source may fill it again
        self._outputs[-1].append((np.array(y), target, lengths))
        return means

    def _first(self, name: str, y: Any, target: Any, lengths: Any) -> Mean | None:
        """The first value of a metric, or None if it is no `Mean`.

        A metric that is no mean need not be defined for a small part of the data, as a ratio whose denominator is 0: it
        is called again with all of them, and then warns and fails if it has to.
        """
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                value = score(name, self.metrics[name], y, target, lengths, self.batch_first)
            except Exception:
                return None
        return value if isinstance(value, Mean) else None

    def of_all(self) -> dict[str, float]:
        """The metrics of all outputs that are not means; 0 where nothing counts."""
        batches = [_in_one_piece(pieces, int(self.batch_first)) for pieces in self._outputs]
        return {name: self._of_all(name, batches) for name in self.metrics if name not in self._means}

    def _of_all(self, name: str, batches: Sequence[Output]) -> float:
        metric = self.metrics[name]
        if not any(counts(metric, y, lengths) for y, _, lengths in batches):
            return 0.0
        output = one_batch(batches, self.batch_first, arguments_of(metric))
        return float(score(name, metric, *output, self.batch_first))


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
    places, per_step = Places.of(y), isinstance(target, np.ndarray) and len(target) == len(y.data)
    target = places.scattered(target, batch_first) if per_step else target
    return places.scattered(y.data, batch_first), target, np.bincount(places.rows)


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
