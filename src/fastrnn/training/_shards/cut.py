# SPDX-License-Identifier: BSD-3-Clause
"""A batch cut into shards by row number."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..._engine.arguments import Array, is_packed
from .._data.batch import Batch
from .._data.column import Column
from .._data.draw import Draw
from .._data.inputs import InputRows, Rows
from .._data.packing import as_arrays, packed_as
from .._data.reading import Reading
from .._data.rows import ArrayRows, SequenceRows


class Cut:
    """The shards of a batch.

    Parameters
    ----------
    batch : Batch or Draw
        Of a `Draw`, a shard is gathered when it is asked for.
    reading : Reading
        How the model reads data, which tells where a batch has its rows.
    shards : int
    """

    def __init__(self, batch: Batch | Draw, reading: Reading, shards: int) -> None:
        self.shards = shards
        self._of: Callable[[Array], Batch]
        if isinstance(batch, Draw):
            self.count, self._of = len(batch.rows), batch.part
        else:
            self.count, self._of = rows_of_batch(batch, reading)

    def shard(self, k: int) -> Batch | None:
        """Shard k as a batch of its own; None if it is empty."""
        rows = np.arange(k * self.count // self.shards, (k + 1) * self.count // self.shards)
        return self._of(rows) if len(rows) else None


def rows_of_batch(batch: Batch, reading: Reading) -> tuple[int, Callable[[Array], Batch]]:
    """The number of rows of a batch, and a function that makes a batch of some of them."""
    reading = reading._replace(dtype=None)  # numbers are converted, or refused, as in a whole batch
    x, y, lengths = batch
    if is_packed(x):
        x, y = as_arrays(x, y if reading.targets != "steps" else packed_as(x, y))
        sequences = SequenceRows(x, y, reading, None)
        return sequences.count, sequences.batch
    if not isinstance(x, dict | tuple) and not isinstance(y, list | tuple):
        rows = ArrayRows(x, y, lengths, reading)
        return rows.count, rows.batch
    named = {str(k): part for k, part in enumerate(x)} if isinstance(x, tuple) else x
    fixed = {name: value for name, value in named.items() if not np.ndim(value)} if isinstance(named, dict) else {}
    if isinstance(named, dict):
        inputs: Rows = InputRows({name: value for name, value in named.items() if name not in fixed}, None, reading)
    else:
        inputs = ArrayRows(named, None, lengths, reading)
    first = reading.targets_batch_first or reading.targets == "rows"
    targets = None if y is None or isinstance(y, list | tuple) else Column("y", y, first, None)
    if y is not None and (got := len(y) if targets is None else targets.count) != inputs.count:
        raise ValueError(f"y: expected {inputs.count} rows, as x has, got {got}")

    def part(rows: Array) -> Batch:
        taken: Any = inputs.batch(rows).x
        if isinstance(named, dict):
            taken = {name: fixed[name] if name in fixed else taken[name] for name in named}
        own = targets.take(rows) if targets is not None else None if y is None else [y[n] for n in rows]
        of = tuple(taken.values()) if isinstance(x, tuple) else taken
        return Batch(of, own, None if lengths is None else np.asarray(lengths)[rows])

    return inputs.count, part
