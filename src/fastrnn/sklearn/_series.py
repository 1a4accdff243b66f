# SPDX-License-Identifier: BSD-3-Clause
"""Series in DataFrames: their columns are those of `fit`, and their steps are in the order of time."""

from typing import Any

from ..training._data.frames import check_columns, check_index, check_times, is_frame, is_pandas

Columns = tuple[Any, ...] | None  # None: of no DataFrame


def columns_of(value: Any) -> Columns:
    """The columns of a DataFrame."""
    return tuple(value.columns) if is_frame(value) else None


def check_series(y: Any, X: Any, columns: tuple[Columns, Columns] = (None, None)) -> None:
    """Raise ValueError for DataFrames and Series whose steps do not fit each other, or whose columns are not as before.

    Parameters
    ----------
    y, X : object
    columns : tuple
        Those of y and X in `fit`, as far as they are known.
    """
    for name, value, known in (("y", y, columns[0]), ("X", X, columns[1])):
        if is_frame(value) and known is not None:
            check_columns(name, value, known, "those of fit")
        if is_pandas(value):
            check_times(name, value.index)
    if is_pandas(y) and is_pandas(X):
        check_index("y", y, "X", X)
