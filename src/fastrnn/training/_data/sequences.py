# SPDX-License-Identifier: BSD-3-Clause
"""Sequences of different lengths: as arrays of one kind, and padded to a batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._engine.arguments import Array, as_array


def padded(sequences: Sequence[Array], rows: Array, batch_first: bool) -> Array:
    """These rows as (T, N, ...), or (N, T, ...): 0 beyond the end of each."""
    lengths, first = [len(sequences[n]) for n in rows], sequences[0]
    shape = (len(rows), max(lengths)) if batch_first else (max(lengths), len(rows))
    batch = np.zeros(shape + first.shape[1:], first.dtype)
    by_row = batch if batch_first else batch.swapaxes(0, 1)
    for k, n in enumerate(rows):
        by_row[k, : lengths[k]] = sequences[n]
    return batch


def converted(x: Array, dtype: Any) -> Array:
    """Numbers in the dtype of the model; ValueError where one is too large for it."""
    if dtype is None or x.dtype == dtype or x.dtype.kind not in "fiub":
        return x
    try:
        with np.errstate(over="raise"):
            return x.astype(dtype)
    except FloatingPointError:
        largest = np.finfo(dtype).max
        raise ValueError(f"x: expected numbers up to {largest:.3g}, the largest of {dtype}, got larger ones") from None


def as_rows(name: str, rows: Sequence[Any], dtype: "np.dtype[Any] | None" = None) -> list[Array]:
    """Sequences as arrays, all with the features and the dtype of the first, converted to `dtype` if that is given.

    Lists of Python numbers have no dtype of their own, and empty lists no features: they get one that fits all lists,
    and the features of the others.
    """
    arrays = [as_array(f"{name}[{n}]", row) for n, row in enumerate(rows)]
    plain = [n for n, row in enumerate(rows) if isinstance(row, list | tuple) and arrays[n].dtype.kind in "fiu"]
    examples = [arrays[n] for n in plain if len(arrays[n])] or [a for a in arrays if a.ndim and len(a)]
    if plain and examples:
        common = np.result_type(*{array.dtype for array in examples}) if dtype is None else dtype
        for n in plain:
            arrays[n] = arrays[n].astype(common) if len(arrays[n]) else np.zeros((0, *examples[0].shape[1:]), common)
    arrays = [converted(array, dtype) for array in arrays]
    for n, row in enumerate(arrays):
        if not row.ndim:
            raise ValueError(f"{name}[{n}]: expected a sequence, got a single {row.dtype}")
        if row.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(f"{name}[{n}]: expected steps of shape {arrays[0].shape[1:]}, got {row.shape[1:]}")
        if row.dtype != arrays[0].dtype:
            raise TypeError(f"{name}[{n}]: expected {arrays[0].dtype}, as {name}[0], got {row.dtype}")
    return arrays
