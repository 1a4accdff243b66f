# SPDX-License-Identifier: BSD-3-Clause
"""One column of a data set: an array or list with an entry for each row."""

import copy
from typing import Any, Self

import numpy as np

from ..._engine.arguments import Array, as_array
from .sequences import as_rows, converted, padded


class Column:
    """An input, the targets or their weights: an array laid out as a batch, or a list with an entry for each row.

    Parameters
    ----------
    name : str
    value : array_like, or list
        Entries that are numbers make an array (N,); sequences are padded.
    batch_first : bool
        Whether a batch has its rows along axis 0. An array with a single axis has them there.
    dtype : np.dtype or None
        To which floats are converted.
    """

    def __init__(self, name: str, value: Any, batch_first: bool, dtype: Any) -> None:
        self.batch_first, self.dtype = batch_first, dtype
        is_list = isinstance(value, list | tuple) and any(np.ndim(row) for row in value)
        self.values: Any = as_rows(name, value) if is_list else as_array(name, value)
        self.axis = 0 if is_list or batch_first or self.values.ndim < 2 else 1
        if not is_list and not self.values.ndim:
            raise ValueError(f"{name}: expected rows, got a single {self.values.dtype}")
        self.count = len(self.values) if is_list else self.values.shape[self.axis]
        self.lengths = np.array([len(row) for row in self.values], np.intp) if is_list else None

    def part(self, begin: int, end: int) -> Self:
        """These rows."""
        part = copy.copy(self)
        part.values = self.values[begin:end] if self.axis == 0 else self.values[:, begin:end]
        part.count, part.lengths = end - begin, None if self.lengths is None else self.lengths[begin:end]
        return part

    def take(self, rows: Array) -> Array:
        """A batch of these rows."""
        is_array = isinstance(self.values, np.ndarray)
        batch = self.values.take(rows, self.axis) if is_array else padded(self.values, rows, self.batch_first)
        return converted(batch, self.dtype) if batch.dtype.kind == "f" else batch
