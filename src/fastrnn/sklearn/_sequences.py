# SPDX-License-Identifier: BSD-3-Clause
"""Conversion of X, in any of its formats, to sequences."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import validate_data

from .._engine.arguments import Array
from ..training._data.frames import check_columns, check_times, is_frame
from ._bases import BaseEstimator
from ._frames import as_numbers, check_rows, check_steps, frames
from ._numbers import check_numbers, has_objects, naming
from ._targets import checked

FLOATS = (np.float64, np.float32)  # what is neither becomes the first


class Sequences(NamedTuple):
    """N sequences of C channels.

    Attributes
    ----------
    steps : ndarray, shape (sum of T_n, C)
        The steps of all sequences, one sequence after another.
    lengths : ndarray of int, shape (N,)
        T_n.
    """

    steps: Array
    lengths: Array

    @property
    def dtype(self) -> "np.dtype[Any]":
        return self.steps.dtype

    @property
    def channels(self) -> int:
        return self.steps.shape[1]

    def rows(self) -> Any:
        """The sequences as `fastrnn.fit` takes them: (N, T, C) if all have T steps, else a list of (T_n, C)."""
        if (self.lengths == self.lengths[0]).all():
            return self.steps.reshape(len(self.lengths), -1, self.channels)
        return np.split(self.steps, np.cumsum(self.lengths)[:-1])


def read(estimator: BaseEstimator, X: Any, *, reset: bool) -> Sequences:
    """X as sequences, checked as scikit-learn does: numbers, finite, features as in `fit` unless `reset`.

    Two forms are told apart, and an estimator takes the one that it was fitted on: a table (N, T), whose columns are
    the steps of one channel, and sequences, (N, T, C) or a list of (T_n, C).

    Raises
    ------
    TypeError, ValueError
        X is of neither form or not of that of `fit`, a sequence has no step, or sequences have different channels.
    """
    with naming("X"):
        items = _items(X)
    if not reset:
        _check_form(vars(estimator)["_reads_table"], items is None)
    name, first = ("X", X) if items is None else ("X[0]", items[0])
    columns = tuple(first.columns) if is_frame(first) else None
    with naming("X"):
        if items is None:
            check_numbers("X", X)
            check_rows(X)
            if columns is not None:
                check_times("X.columns", X.columns)
            table: Any = validate_data(estimator, X, dtype=FLOATS, reset=reset)
            sequences = Sequences(table.reshape(-1, 1), np.full(table.shape[0], table.shape[1]))
        else:
            validate_data(estimator, first, skip_check_array=True, reset=reset)  # the number and the names of channels
            arrays = _arrays(items)
            steps = checked("X", np.ascontiguousarray(np.concatenate(arrays)), FLOATS)  # sums have the bits of C order
            sequences = Sequences(steps, np.array([len(array) for array in arrays]))
    if reset:
        vars(estimator).update(_reads_table=items is None, _columns=columns)
    elif columns is not None and vars(estimator).get("_columns") is not None:
        check_columns(name, first, vars(estimator)["_columns"], "those of fit")  # also if their names are no strings
    return sequences


def _items(X: Any) -> Sequence[Any] | None:
    """The sequences of X, or None if it has to be a table."""
    if has_objects(X) and X.ndim == 1 and (isinstance(X, np.ndarray) or X.index.nlevels == 1):
        X = list(X)
    if hasattr(X, "iloc"):
        return frames(X)
    if isinstance(X, list | tuple):
        if not X:
            raise ValueError("X: expected at least one sample, got an empty list")
        if np.ndim(X[0]) == 2:
            return X
        if np.ndim(X[0]) == 1 and len({np.shape(row) for row in X}) > 1:
            raise ValueError(
                "X: expected sequences of shape (T, C), got 1-D ones of different lengths; with one channel the shape "
                "is (T, 1)"
            )
    if getattr(X, "ndim", 0) == 3:
        check_numbers("X", X)
        X = np.asarray(X)
        if not X.size:
            raise ValueError(f"X: expected samples, steps and channels, at least one of each, got shape {X.shape}")
        return X
    return None


def _arrays(items: Sequence[Any]) -> list[Array]:
    """Sequences as arrays (T_n, C), all of the same channels."""
    arrays, names = [_array(f"X[{n}]", item) for n, item in enumerate(items)], _names(items[0])
    for n, array in enumerate(arrays):
        if array.ndim != 2 or not len(array):
            raise ValueError(f"X[{n}]: expected a sequence (T, C) with at least one step, got shape {array.shape}")
        if array.shape[1] != arrays[0].shape[1]:
            raise ValueError(f"X[{n}]: expected {arrays[0].shape[1]} channels, as X[0] has, got {array.shape[1]}")
        if _names(items[n]) != names:
            raise ValueError(f"X[{n}]: expected the columns of X[0], {names}, got {_names(items[n])}")
    return arrays


def _array(name: str, item: Any) -> Array:
    """A sequence as an array."""
    if hasattr(item, "iloc") and item.ndim == 2:
        check_steps(name, item.index)
        return as_numbers(name, item)
    check_numbers(name, item)
    return np.asarray(item)


def _names(item: Any) -> list[Any] | None:
    """The names of the columns of a DataFrame of pandas or Polars, or of an Arrow table."""
    names = getattr(item, "column_names", getattr(item, "columns", None))
    return None if names is None else list(names)


def _check_form(expected_table: bool, is_table: bool) -> None:
    forms = "sequences: (n_samples, n_timesteps, n_channels), or a list of (T, C)", "a table (n_samples, n_timesteps)"
    if expected_table != is_table:
        raise ValueError(f"X: expected {forms[expected_table]}, as in fit, got {forms[is_table]}")
