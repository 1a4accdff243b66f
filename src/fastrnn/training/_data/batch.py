# SPDX-License-Identifier: BSD-3-Clause
"""A batch: what one step of training reads."""

from collections.abc import Iterator
from reprlib import repr as short
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, is_packed
from ...nn._packed import same_packing

Inputs: TypeAlias = ArrayLike | tuple[Any, ...] | dict[str, Any]


class Batch(NamedTuple):
    """A batch of training data.

    Attributes
    ----------
    x : array_like
        Input of the model; it may be a `PackedSequence`. Several inputs are a tuple, or a dict by name, as
        ``model.forward`` takes them.
    y : array_like
        The target of the loss. For packed rows with a target for each step it is one array (R, ...), like ``x.data``.
    lengths : array_like of int, shape (N,), or None
        The number of valid steps of each row.
    """

    x: Inputs
    y: Any = None
    lengths: ArrayLike | None = None

    def __repr__(self) -> str:
        parts = [f"{name} {_described(part)}" for name, part in (("x", self.x), ("y", self.y)) if part is not None]
        if self.lengths is not None:
            lengths = np.asarray(self.lengths)
            parts.append(f"lengths {lengths.min()}..{lengths.max()}" if lengths.size else "lengths of no row")
        return f"Batch({', '.join(parts)})"

    @property
    def steps(self) -> int:
        """The total number of time steps, or of rows if they are not known to have time."""
        if self.lengths is not None:
            return int(np.sum(self.lengths))
        if is_packed(self.x):
            return len(self._inputs()[0])
        x = np.asarray(self._inputs()[0])
        return len(x) if is_timeless(x) else x.shape[0] * x.shape[1]

    def is_finite(self) -> bool:
        """Whether no input holds nan or inf."""
        return "x" not in self.not_finite()

    def not_finite(self) -> list[str]:
        """The names of those of x and y that contain nan or inf; targets of weight 0 are ignored."""
        parts = {"x": self._inputs(), "y": [self._counted_targets()]}
        return [name for name, part in parts.items() if not all(np.isfinite(a).all() for a in _floats(part))]

    def _counted_targets(self) -> Any:
        return self.y

    def _inputs(self) -> list[Any]:
        x: Any = self.x
        if is_packed(x):
            return [x.data]
        if isinstance(self.x, dict):
            return list(self.x.values())
        return list(self.x) if isinstance(self.x, tuple) else [self.x]


def _described(part: Any) -> str:
    """Shapes and dtypes of arrays, also of those in tuples and dicts."""
    if isinstance(part, dict):
        return f"{{{', '.join(f'{name}: {_described(value)}' for name, value in part.items())}}}"
    if is_packed(part):
        return f"{len(part.batch_sizes)} steps packed into {_described(part.data)}"
    if isinstance(part, tuple):
        return f"({', '.join(map(_described, part))})"
    if hasattr(part, "shape") and hasattr(part, "dtype"):
        return f"{tuple(part.shape)} {part.dtype}"
    return f"list of {len(part)}" if isinstance(part, list) else short(part)


class WeightedBatch(Batch):
    """A batch whose targets have weights. They are no item of it: unpacked, it is (x, y, lengths) as any other."""

    weight: Any = None  # of each row (N,), or laid out as y
    row_axis: int = 0  # of y

    def _counted_targets(self) -> Any:
        if isinstance(self.y, np.ndarray):
            return self.y[spread(self.weight, self.y.shape, self.row_axis) > 0]
        return [target for target, weight in zip(self.y, self.weight, strict=True) if np.any(weight)]


def weighted(batch: Batch, weight: Any, row_axis: int) -> Batch:
    """A batch with these weights of its targets."""
    result = WeightedBatch(*batch)
    result.weight, result.row_axis = weight, row_axis
    return result


def replaced(batch: Batch, **parts: Any) -> Batch:
    """A batch with other parts, and the weights that it has."""
    result = Batch(*batch)._replace(**parts)
    return weighted(result, batch.weight, batch.row_axis) if isinstance(batch, WeightedBatch) else result


def weight_of(batch: Batch) -> Any:
    """The weights of a batch's targets; None if all count equally."""
    return batch.weight if isinstance(batch, WeightedBatch) else None


def spread(weight: Array, shape: tuple[int, ...], row_axis: int) -> Array:
    """Weights of rows (N,), or of the first axes of targets of this shape, as weights of each of their elements."""
    before = row_axis if weight.ndim == 1 else 0
    return np.broadcast_to(
        weight.reshape((1,) * before + weight.shape + (1,) * (len(shape) - before - weight.ndim)), shape
    )


def _floats(part: Any) -> Iterator[Array]:
    """The arrays of floats in nested lists, tuples and dicts of arrays, which need not fit each other."""
    if isinstance(part, dict | list | tuple):
        for item in part.values() if isinstance(part, dict) else part:
            yield from _floats(item)
    elif (array := np.asarray(part)).dtype.kind == "f":
        yield array


def as_batch(item: Any) -> Batch:
    """An item of an iterable of batches as a `Batch`."""
    if isinstance(item, tuple | list) and len(item) in (2, 3):
        batch = item if isinstance(item, Batch) else Batch(*item)
        return _with_plain_targets(batch) if is_packed(batch.y) else batch
    got = f"{type(item).__name__} of {len(item)}" if isinstance(item, tuple | list) else type(item).__name__
    raise TypeError(f"x: expected batches (x, y) or (x, y, lengths), got {got}")


def _with_plain_targets(batch: Batch) -> Batch:
    """A batch whose targets come packed, with the array in them."""
    x: Any = batch.x
    if not is_packed(x) or not same_packing(x, batch.y):
        raise ValueError("y: expected sequences packed as those of x, or an array, got others")
    return replaced(batch, y=np.asarray(batch.y.data))


def between(batch: Batch, begin: int, end: int, axis: int) -> Batch:
    """The steps from `begin` to `end` of a batch of arrays with time on this axis."""
    lengths = None if batch.lengths is None else np.clip(batch.lengths, begin, end) - begin
    part = Batch(steps_of(batch.x, begin, end, axis), steps_of(batch.y, begin, end, axis), lengths)
    if (weight := weight_of(batch)) is None:
        return part
    return weighted(part, weight if weight.ndim == 1 else steps_of(weight, begin, end, axis), 1 - axis)


def steps_of(array: Any, begin: int, end: int, axis: int) -> Array:
    """The steps from `begin` to `end` of an array with time on this axis, 0 or 1."""
    return array[:, begin:end] if axis else array[begin:end]


def is_timeless(x: Array) -> bool:
    """Whether an array is rows without time, floats (N, F) or (N,), and neither sequences nor tokens."""
    return x.ndim < 2 or (x.ndim == 2 and x.dtype.kind == "f")
