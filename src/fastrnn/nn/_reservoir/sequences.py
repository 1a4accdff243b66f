# SPDX-License-Identifier: BSD-3-Clause
"""Sequences and their targets as arrays: one of them, or lists of sequences of any lengths, padded."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..._engine.arguments import Array, as_floats
from ..._engine.layout import as_sequence
from ..._engine.ragged import as_lengths, length_mask

GROUP = 64  # sequences in one array


def as_sequences(name: str, value: Any, features: int, dtype: np.dtype[Any]) -> list[Array]:
    """A list of sequences, each as an array (T_k, features)."""
    arrays = [as_floats(f"{name}[{k}]", item, dtype) for k, item in enumerate(value)]
    for k, array in enumerate(arrays):
        if array.ndim != 2 or array.shape[1] != features:
            raise ValueError(f"{name}[{k}]: expected (T, {features}), got {array.shape}")
    return arrays


def groups(arrays: list[Array]) -> list[slice]:
    """Slices of a list, of `GROUP` sequences each."""
    return [slice(k, k + GROUP) for k in range(0, len(arrays), GROUP)]


def pad(arrays: list[Array]) -> tuple[Array, Array]:
    """Sequences (T_k, features) as one array (T, N, features), T the largest length, and their lengths (N,)."""
    lengths = np.array([len(array) for array in arrays])
    padded = np.zeros((lengths.max(), len(arrays), arrays[0].shape[1]), arrays[0].dtype)
    for k, array in enumerate(arrays):
        padded[: len(array), k] = array
    return padded, lengths


def clear(rows: Array, lengths: Array | None) -> None:
    """Zeros beyond the lengths of rows (T, N, features)."""
    if lengths is not None:
        rows[~length_mask(lengths, len(rows))] = 0


def finite(name: str, array: Array) -> Array:
    """The array, which is without NaN and infinities."""
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, and states that stay finite, got others")
    return array


def batches(
    x: Any, y: Any, lengths: Any, sizes: tuple[int, int], washout: int, dtype: np.dtype[Any], batch_first: bool
) -> Iterator[tuple[Array, Array, Array]]:
    """Inputs and targets, which are one array each, or lists of sequences, as time-major arrays.

    Parameters
    ----------
    x, y : array_like or list of array_like
        (T, N, features), with `batch_first` (N, T, features), or unbatched (T, features); in lists (T_k, features).
    lengths : array_like of int, optional
        Of the rows of an array.
    sizes : tuple of int
        I and O, the features of x and y.
    washout : int
        Every sequence must be longer.

    Yields
    ------
    x, y : ndarray, shape (T, N, I) and (T, N, O)
    lengths : ndarray of int, shape (N,)
    """
    if isinstance(x, list | tuple):
        yield from _list_batches(x, y, lengths, sizes, washout, dtype)
        return
    x, layout = as_sequence("x", x, sizes[0], dtype, batch_first)
    T, N, _ = x.shape
    y, shape = as_floats("y", y, dtype), layout.shape(T, N, sizes[1])
    if y.shape != shape:
        raise ValueError(f"y: expected {shape}, a target for each step of x, got {y.shape}")
    if lengths is None:
        _check_steps("x", T, washout)
        lengths = np.full(N, T)
    lengths = as_lengths(lengths, T, N)
    for row in np.flatnonzero(lengths):  # a row of no steps is no sequence
        _check_steps(f"lengths[{row}]", lengths[row], washout)
    yield x, layout.time_major(y), lengths


def _list_batches(
    x: Any, y: Any, lengths: Any, sizes: tuple[int, int], washout: int, dtype: np.dtype[Any]
) -> Iterator[tuple[Array, Array, Array]]:
    if lengths is not None:
        raise ValueError("lengths: expected None, as the sequences of a list have lengths of their own, got some")
    if not isinstance(y, list | tuple):
        raise TypeError(f"y: expected a list of sequences, as x is, got {type(y).__name__}")
    if len(y) != len(x) or not x:
        raise ValueError(f"x, y: expected as many sequences in both, and one at least, got {len(x)} and {len(y)}")
    x, y = as_sequences("x", x, sizes[0], dtype), as_sequences("y", y, sizes[1], dtype)
    for k, (one, targets) in enumerate(zip(x, y, strict=True)):
        _check_steps(f"x[{k}]", len(one), washout)
        if len(targets) != len(one):
            raise ValueError(f"y[{k}]: expected {len(one)} steps, as in x[{k}], got {len(targets)}")
    for group in groups(x):
        padded, lengths = pad(x[group])
        yield padded, pad(y[group])[0], lengths


def _check_steps(name: str, steps: int, washout: int) -> None:
    if steps <= washout:
        raise ValueError(f"{name}: expected more steps than the washout of {washout}, got {steps}")
