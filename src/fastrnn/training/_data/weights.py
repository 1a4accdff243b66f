# SPDX-License-Identifier: BSD-3-Clause
"""Weights of the targets: of rows or of single targets, and of classes."""

from collections.abc import Mapping
from typing import Any, Self, TypeAlias

import numpy as np

from ..._engine.arguments import Array, as_integers, is_packed
from ..._engine.ragged import length_mask
from ...losses._masking import as_weights
from .batch import Batch, spread, steps_of, weighted
from .column import Column
from .frames import is_pandas
from .inputs import InputRows, Rows
from .packing import with_packed_weight
from .rows import ArrayRows, SequenceRows


class WeightedRows:
    """Rows whose targets have weights, with the attributes of `ArrayRows`."""

    def __init__(self, rows: Rows, weight: Column) -> None:
        self.rows, self.weight = rows, weight
        self.count, self.steps, self.lengths = rows.count, rows.steps, rows.lengths
        self.time, self.per_step, self.start = rows.time, rows.per_step, rows.start

    def part(self, begin: int, end: int) -> Self:
        """These rows, without a copy."""
        return type(self)(self.rows.part(begin, end), self.weight.part(begin, end))

    def batch(self, rows: Array) -> Batch:
        batch, weight = self.rows.batch(rows), self.weight.take(rows)
        row_axis = 0 if self.rows.targets_first else 1
        if is_packed(batch.x):
            return with_packed_weight(batch, weight, self.per_step, row_axis == 0, row_axis)
        if self.per_step and self.time is not None and weight.ndim > 1:  # as y, it ends with the longest row
            weight = steps_of(weight, 0, batch.y.shape[self.time], self.time)
        return weighted(batch, weight, row_axis)


AnyRows: TypeAlias = Rows | WeightedRows


# -- of rows and of targets ------------------------------------------------------------------------------------------


def with_sample_weight(rows: Rows, value: Any) -> WeightedRows:
    """Rows with the weights of a caller: of each row, or laid out as the targets."""
    y, by_row = _targets(rows)
    in_rows = by_row and (isinstance(value, list | tuple) or np.ndim(value) > 1) and any(map(np.ndim, value))
    weight = _of_each(value, y) if in_rows else _of_all(value, y, by_row, rows)
    return WeightedRows(rows, Column("sample_weight", weight, rows.targets_first, None))


def _of_each(value: Any, y: Any) -> list[Array]:
    """The weights of the targets of each row."""
    if len(value) != len(y):
        raise ValueError(f"sample_weight: expected one for each of the {len(y)} rows, got {len(value)}")
    weights = [as_weights(f"sample_weight[{n}]", row, np.float64) for n, row in enumerate(value)]
    for n, weight in enumerate(weights):
        shape = np.shape(y[n])
        if not weight.ndim or weight.shape != shape[: weight.ndim]:
            raise ValueError(f"sample_weight[{n}]: expected the first axes of y[{n}] {shape}, got {weight.shape}")
    return weights


def _of_all(value: Any, y: Any, by_row: bool, rows: Rows) -> Array:
    """The weights of all rows (N,), or where `by_row` is False of all targets, as an array."""
    weight, axis = as_weights("sample_weight", value, np.float64), 0 if rows.targets_first else 1
    if isinstance(rows, ArrayRows) and rows.is_single:  # a batch of one, as y
        weight = np.expand_dims(weight, axis if weight.ndim else 0)
    likewise = not by_row and axis < weight.ndim and weight.shape == y.shape[: weight.ndim]
    if weight.shape != (rows.count,) and not likewise:
        other = "a list with those of each" if by_row else f"the first axes of y {y.shape}"
        raise ValueError(f"sample_weight: expected ({rows.count},), one for each row, or {other}, got {weight.shape}")
    return weight


def _targets(rows: Rows) -> tuple[Any, bool]:
    """The targets of rows, and whether their entries are the rows, one after another."""
    y = rows.y.values if isinstance(rows, InputRows) and rows.y is not None else rows.y
    return y, isinstance(rows, SequenceRows) or not isinstance(y, np.ndarray)


# -- of classes ------------------------------------------------------------------------------------------------------


def with_class_weight(rows: AnyRows, class_weight: Any, binary: bool, ignored: Any) -> WeightedRows:
    """Rows whose targets are weighted by their class, besides the weights that they have.

    Parameters
    ----------
    class_weight : "balanced", mapping of int to float, Series of pandas with the classes as index, or array_like (V,)
    binary : bool
        Whether the classes are 0 and 1 in any dtype, the answers to yes-or-no questions.
    ignored : int or None
        A target that is no class.
    """
    inner, own = (rows.rows, rows.weight) if isinstance(rows, WeightedRows) else (rows, None)
    y, by_row = _targets(inner)
    parts = [np.asarray(row) for row in y] if by_row else [y]
    before = _spread_weights(inner, own, parts, by_row)
    counted = [(part != ignored) & (weight > 0) for part, weight in zip(parts, before, strict=True)]
    if not by_row and inner.per_step and inner.lengths is not None:
        within = length_mask(inner.lengths, y.shape[inner.time])
        counted[0] &= (within.T if inner.time else within).reshape(y.shape[:2] + (1,) * (y.ndim - 2))
    targets = np.concatenate([part[mask] for part, mask in zip(parts, counted, strict=True)])
    if binary and not np.isin(targets, (0, 1)).all():
        raise ValueError("class_weight: expected targets of 0 and 1, the classes, got others; give sample_weight")
    if not binary and any(part.dtype.kind not in "iub" for part in parts if part.size):
        raise TypeError(
            f"class_weight: expected targets that are classes, integers, got {parts[0].dtype}; for probabilities of "
            "classes give the loss their weights: functools.partial(cross_entropy, weight=...)"
        )
    classes, weights = _table(class_weight, targets)
    products = [_of_class(part, classes, weights) * weight for part, weight in zip(parts, before, strict=True)]
    return WeightedRows(inner, Column("class_weight", products if by_row else products[0], inner.targets_first, None))


def _spread_weights(rows: Rows, own: Column | None, parts: list[Array], by_row: bool) -> list[Array]:
    """The weights that each element of the targets has already."""
    if own is None:
        return [np.ones(part.shape) for part in parts]
    if not by_row:
        return [spread(own.values, parts[0].shape, 0 if rows.targets_first else 1)]
    return [spread(np.asarray(weight), part.shape, 0) for weight, part in zip(own.values, parts, strict=True)]


def _table(class_weight: Any, targets: Array) -> tuple[Array, Array]:
    """Classes in rising order, and the weight of each."""
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(f"class_weight: expected 'balanced', a dict or an array, got {class_weight!r}")
        classes, counts = np.unique(targets, return_counts=True)
        return classes, len(targets) / (len(classes) * counts)
    if is_pandas(class_weight) and class_weight.ndim == 1:  # such as 1 / labels.value_counts(), in any order
        class_weight = dict(zip(class_weight.index, class_weight, strict=True))
    if isinstance(class_weight, Mapping):
        classes = as_integers("class_weight", list(class_weight)).reshape(-1)
        weights = as_weights("class_weight", list(class_weight.values()), np.float64)
        order = np.argsort(classes)
        return classes[order], weights[order]
    weights = as_weights("class_weight", class_weight, np.float64)
    if weights.ndim != 1:
        raise ValueError(f"class_weight: expected 'balanced', a dict or an array (V,), got shape {weights.shape}")
    if targets.size and targets.max() >= len(weights):
        raise ValueError(
            f"class_weight: expected a weight for each class, got {len(weights)}, and class {targets.max()}"
        )
    return np.arange(len(weights)), weights


def _of_class(targets: Array, classes: Array, weights: Array) -> Array:
    """The weight of each target; 1 if its class has none."""
    if not len(classes):
        return np.ones(targets.shape)
    place = np.minimum(np.searchsorted(classes, targets), len(classes) - 1)
    return np.where(classes[place] == targets, weights[place], 1.0)
