# SPDX-License-Identifier: BSD-3-Clause
"""Sequences in one DataFrame, in the two forms of sktime."""

from typing import Any

import numpy as np


def frames(X: Any) -> list[Any] | None:
    """A DataFrame (T_n, C) for each sequence of one DataFrame, or None if that is a table.

    An index of two levels, the sequence and the step, makes it sequences (``pd-multiindex`` of sktime), in the order in
    which they begin. So do cells that are series or arrays, one for each sequence and channel (``nested_univ``).

    Raises
    ------
    ValueError
        There are more levels, a row is of no sequence, the steps of a sequence are not in order, or its channels have
        different lengths.
    """
    levels = getattr(X.index, "nlevels", 1)
    if levels > 2:
        raise ValueError(f"X: expected an index of 1 or 2 levels, the sequence and the step, got {levels}")
    if levels == 2:
        return by_sequence(X)
    if X.ndim != 2 or not X.size or not any(map(is_series, X.iloc[0])):
        return None
    items = []
    for n, row in enumerate(X.itertuples(index=False, name=None)):
        lengths = {len(cell) if np.ndim(cell) == 1 else 0 for cell in row}
        if len(lengths) > 1 or 0 in lengths:
            raise ValueError(f"X[{n}]: expected channels of one length, of at least 1, got {sorted(lengths)}")
        items.append(type(X)({name: np.asarray(cell) for name, cell in zip(X.columns, row, strict=True)}))
    return items


def is_series(cell: Any) -> bool:
    """Whether a cell of a DataFrame is a series, or an array."""
    return isinstance(cell, np.ndarray) or hasattr(cell, "iloc")


def by_sequence(X: Any) -> list[Any]:
    """The sequences of a DataFrame with an index of two levels."""
    if X.index.get_level_values(0).hasnans:  # rows that groupby would drop
        raise ValueError("X: expected an index that says of which sequence each row is, got a missing value in it")
    items = [each.droplevel(0) for _, each in X.groupby(level=0, sort=False)]
    for n, item in enumerate(items):
        check_order(f"X[{n}]", item.index)
    return items


def check_order(name: str, index: Any) -> None:
    """Raise ValueError for an index of times or numbers that goes back: the rows are read in their order."""
    if getattr(index.dtype, "kind", "O") in "iufmM" or hasattr(index.dtype, "freq"):
        if not index.is_monotonic_increasing:
            where = next(k for k in range(1, len(index)) if not index[k - 1] <= index[k])
            words = f"got {index[where]!r} behind {index[where - 1]!r}; sort_index()"
            raise ValueError(f"{name}: expected the steps in their order, {words}")


def check_times(name: str, index: Any) -> None:
    """`check_order` of an index of times; one of numbers may be that of parts that were joined."""
    if index.dtype.kind not in "iuf":
        check_order(name, index)


def as_numbers(name: str, frame: Any) -> Any:
    """The numbers (T, C) of a DataFrame; TypeError or ValueError, with the column, for what is none or missing."""
    columns = []
    for k, label in enumerate(frame.columns):
        column, where = frame.iloc[:, k], f"{name}[{label!r}]"
        if column.dtype.kind in "mM":
            raise TypeError(f"{where}: expected numbers, got {column.dtype}")
        if column.isna().any():
            raise ValueError(f"{where}: expected numbers, got a missing value (NaN)")
        try:
            columns.append(column.to_numpy(dtype=None if column.dtype.kind in "biuf" else np.float64))
        except (TypeError, ValueError) as error:
            raise TypeError(f"{where}: expected numbers, got {column.dtype} ({error})") from error
    return np.stack(columns, axis=1) if columns else np.zeros((len(frame), 0))
