# SPDX-License-Identifier: BSD-3-Clause
"""Sequences in one DataFrame, in the two forms of sktime."""

from collections.abc import Sequence
from reprlib import repr as short  # of what may be long
from typing import Any

import numpy as np

from ..training._data.frames import check_order, check_times
from ._numbers import check_numbers

PLAIN = (np.float64, np.float32, np.int64)  # dtypes of columns that need no look into each


def frames(X: Any) -> list[Any] | None:
    """A DataFrame (T_n, C) for each sequence of one DataFrame, or None if that is a table.

    An index of two levels, the sequence and the step, makes it sequences (``pd-multiindex`` of sktime), in the order in
    which they begin. So do cells that are series, arrays or lists, one for each sequence and channel (``nested_univ``).

    Raises
    ------
    TypeError, ValueError
        There are more levels, a row is of no sequence, the steps of a sequence are not in order, or its channels have
        different lengths or times, or the same name.
    """
    levels = getattr(X.index, "nlevels", 1)
    if levels > 2:
        raise ValueError(f"X: expected an index of 1 or 2 levels, the sequence and the step, got {levels}")
    if levels == 2:
        return by_sequence(X)
    if X.ndim != 2 or not X.size or not any(map(is_series, X.iloc[0])):
        return None
    if not X.columns.is_unique:
        raise ValueError(f"X: expected columns of different names, got {list(X.columns)}")
    rows = enumerate(X.itertuples(index=False, name=None))
    return [type(X)(channels(f"X[{n}]", X.columns, row)) for n, row in rows]


def channels(name: str, columns: Any, cells: Sequence[Any]) -> dict[Any, Any]:
    """The cells of a sequence as arrays, by the names of their columns."""
    lengths = {len(cell) if np.ndim(cell) == 1 else 0 for cell in cells}
    if len(lengths) > 1 or 0 in lengths:
        raise ValueError(f"{name}: expected channels of one length, of at least 1, got {sorted(lengths)}")
    times = None
    for label, cell in zip(columns, cells, strict=True):
        check_numbers(f"{name}[{label!r}]", cell)
        if hasattr(cell, "iloc"):
            check_times(f"{name}[{label!r}]", cell.index)
            times = cell.index if times is None else times
            if times.dtype.kind not in "iuf" and not cell.index.equals(times):  # numbers may count all rows of a source
                raise ValueError(f"{name}[{label!r}]: expected the times of the other channels, got others")
    return {label: np.asarray(cell) for label, cell in zip(columns, cells, strict=True)}


def is_series(cell: Any) -> bool:
    """Whether a cell of a DataFrame is a series, an array or a list."""
    return isinstance(cell, list | tuple) or len(getattr(cell, "shape", ())) > 0


def by_sequence(X: Any) -> list[Any]:
    """The sequences of a DataFrame with an index of two levels."""
    if not len(X):
        raise ValueError("X: expected at least one sequence, got a DataFrame without rows")
    if X.index.get_level_values(0).hasnans:  # rows that groupby would drop
        raise ValueError("X: expected an index that says of which sequence each row is, got a missing value in it")
    items = [each.droplevel(0) for _, each in X.groupby(level=0, sort=False, observed=True)]
    for n, item in enumerate(items):
        check_order(f"X[{n}]", item.index)
        if not item.index.is_unique:
            twice = item.index[item.index.duplicated()][0]
            raise ValueError(f"X[{n}]: expected each step of a sequence once in the index, got {twice!r} twice")
    return items


def check_steps(name: str, index: Any) -> None:
    """Raise ValueError for the index of a sequence whose steps are of several, or not in their order."""
    if index.nlevels == 1:
        return check_times(name, index)
    for level in range(index.nlevels - 1):
        if len(index.get_level_values(level).unique()) > 1:
            raise ValueError(f"{name}: expected one sequence, got an index of {index.nlevels} levels with several")
    return check_order(name, index.get_level_values(-1))


def check_rows(rows: Any) -> None:
    """Raise ValueError for a list of Series, the rows of a table, whose steps have no order, or several."""
    if not isinstance(rows, list | tuple) or not all(hasattr(row, "iloc") and row.ndim == 1 for row in rows):
        return
    first = rows[0].index
    for n, row in enumerate(rows):
        check_times(f"X[{n}]", row.index)
        if not row.index.equals(first) and len(row) == len(first) and row.index.isin(first).all():
            raise ValueError(f"X[{n}]: expected the order of X[0], {list(first)}, got {list(row.index)}")


def check_sequences(name: str, value: Any, X: Any) -> None:
    """Raise ValueError if y or weights, by their index, have the sequences of X in another order."""
    if not hasattr(X, "iloc") or X.index.nlevels != 2 or not hasattr(value, "iloc") or value.index.nlevels != 1:
        return
    keys = X.index.get_level_values(0).unique()
    if len(keys) == len(value) and not value.index.equals(keys) and set(value.index) == set(keys):
        raise ValueError(
            f"{name}: expected the sequences in the order of X, got the index {short(value.index.tolist())}; "
            f"{name}.loc[X.index.get_level_values(0).unique()], or {name}.to_numpy() if it is in that order"
        )


def as_numbers(name: str, frame: Any) -> Any:
    """The numbers (T, C) of a DataFrame; TypeError or ValueError, with the column, for what is none or missing."""
    dtypes = set(frame.dtypes)
    if len(dtypes) == 1 and dtypes.pop() in PLAIN and not np.isnan(values := frame.to_numpy()).any():
        return values
    columns = []
    for k, label in enumerate(frame.columns):
        column, where = frame.iloc[:, k], f"{name}[{label!r}]"
        check_numbers(where, column)
        if column.dtype.kind == "c":
            raise TypeError(f"{where}: expected real numbers, got {column.dtype}")
        if column.isna().any():
            raise ValueError(f"{where}: expected numbers, got a missing value (NaN)")
        try:
            columns.append(column.to_numpy(dtype=None if column.dtype.kind in "biuf" else np.float64))
        except (TypeError, ValueError) as error:
            raise TypeError(f"{where}: expected numbers, got {column.dtype} ({error})") from error
    return np.stack(columns, axis=1) if columns else np.zeros((len(frame), 0))
