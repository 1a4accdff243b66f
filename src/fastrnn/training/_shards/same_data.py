# SPDX-License-Identifier: BSD-3-Clause
"""Checks that all ranks have the same data, without reading all rows.

Before the first step they compare how many rows there are, their lengths, shapes and dtypes; checksums of all that is
in memory (`whole_data`), which tell one bit that differs; and checksums of rows that are spread over the data, for what
is not. In each step they compare the checksum of one row of the batch, which all of them read. So memory maps with
another order, or with other values in many rows, differ at the beginning. Where k of n rows differ, a step finds it
with a probability of about k / n. Of an iterable, every rank has whole batches, and compares the checksum of each.
"""

import math
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..._engine.arguments import Array
from .._data.batch import Batch, weight_of
from .._data.batches import Batches
from .._data.draw import Draw
from .._data.inputs import InputRows
from .._data.weights import AnyRows, WeightedRows
from .team import Team, settings_of
from .whole_data import checksums_of, difference

SAMPLE = 32  # rows that are compared at the beginning


def compare(team: Team, run: Any, shards: int) -> None:
    """Raise an error on every rank unless all have the same settings and data, as far as they can tell."""
    data = {"": run.data.source, "validation: ": None if run.validation is None else run.validation.source}
    described = {name: value for k, source in data.items() for name, value in description_of(k, source).items()}
    team.same("settings", settings_of(run, shards) | described)
    with team.together():
        held = {name: sums for k, source in data.items() for name, sums in checksums_of(k, source).items()}
        samples = sample_of("x and y", data[""]) | sample_of("the validation", data["validation: "])
    if text := difference(team.agree(("data",), held)):
        team.stop(ValueError(text))
    team.same("data", samples)


def description_of(name: str, source: Any) -> dict[str, Any]:
    """The metadata of `Batches`, by names with a common prefix; nothing for other sources."""
    if not isinstance(source, Batches):
        return {}
    lengths = source._rows.lengths
    described = {} if lengths is None else {"checksum of all lengths": zlib.crc32(lengths.astype("<i8").tobytes())}
    return {f"{name}{part}": value for part, value in (_described(source._rows) | described).items()}


def _described(rows: AnyRows) -> dict[str, Any]:
    """Shapes and dtypes of inputs, targets and weights."""
    if isinstance(rows, WeightedRows):
        return _described(rows.rows) | {"weights": _kind(rows.weight.values)}
    if isinstance(rows, InputRows):
        inputs = {f"x[{name!r}]": _kind(column.values) for name, column in rows.columns.items()}
        return inputs | {"y": _kind(None if rows.y is None else rows.y.values)}
    return {"x": _kind(rows.x), "y": _kind(rows.y)}


def _kind(part: Any) -> str:
    """An array, or a list of the kind of its first entry, in words."""
    if isinstance(part, np.ndarray):
        return f"{part.dtype} of shape {part.shape}"
    if not isinstance(part, list | tuple):
        return type(part).__name__
    first = part[0] if len(part) else None
    steps = f"{first.dtype} of shape {first.shape[1:]}" if isinstance(first, np.ndarray) else type(first).__name__
    return f"a {type(part).__name__} of {len(part)}, with steps of {steps}"


def sample_of(name: str, source: Any) -> dict[str, int]:
    """Checksums of rows that are spread over the data of `Batches`, one after another; nothing of another source."""
    if not isinstance(source, Batches):
        return {}
    rows, count = source._rows, source._rows.count
    numbers = np.unique(np.linspace(0, count - 1, min(SAMPLE, count)).round().astype(np.intp))
    return {f"checksum of row {rows.start + n} of {name}": checksum(rows.batch(numbers[k : k + 1]))
            for k, n in enumerate(numbers.tolist())}  # fmt: skip


def compared_in_step(batch: Batch | Draw, step: int) -> tuple[Any, ...]:
    """The properties of a batch that must be the same on all ranks; for a `Draw`, a checksum of one row.

    Multiples of the golden ratio take the places of a batch evenly, also if it has the same rows in each epoch.
    """
    if not isinstance(batch, Draw):
        return "with batch", checksum(batch)
    place = int(step * (math.sqrt(5) - 1) / 2 % 1 * len(batch.rows))
    number = batch.data.start + int(batch.rows[place])
    return "with row", number, "of checksum", checksum(batch.part(np.array([place])))


def checksum(batch: Batch) -> int:
    """A checksum of all that a batch holds."""
    total = 0
    for array in arrays_in((*batch, weight_of(batch))):
        total = zlib.crc32(str((array.dtype, array.shape)).encode(), total)
        total = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, total)
    return total


def arrays_in(part: Any) -> Iterator[Array]:
    """The arrays in nested lists, tuples and dicts of arrays, which need not fit each other."""
    if isinstance(part, dict | tuple) or (isinstance(part, list) and any(map(np.ndim, part))):
        for item in part.values() if isinstance(part, dict) else part:
            yield from arrays_in(item)
    elif part is not None and not (array := np.asarray(part)).dtype.hasobject:
        yield array
