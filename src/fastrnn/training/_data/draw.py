# SPDX-License-Identifier: BSD-3-Clause
"""A batch as row numbers, before any rows are read."""

from typing import NamedTuple

from ..._engine.arguments import Array
from .batch import Batch
from .weights import AnyRows


class Draw(NamedTuple):
    """Rows that make a batch.

    Attributes
    ----------
    data : object
        All rows of the data.
    rows : ndarray of int
        Those of the batch, in its order.
    """

    data: AnyRows
    rows: Array

    def batch(self) -> Batch:
        """All rows as a batch."""
        return self.data.batch(self.rows)

    def part(self, places: Array) -> Batch:
        """Some rows of the batch, by their positions, as a batch. Only these are read."""
        return self.data.batch(self.rows[places])

    def not_finite(self) -> list[str]:
        """Which of x and y hold nan or inf: see `Batch.not_finite`."""
        return self.batch().not_finite()
