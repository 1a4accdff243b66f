# SPDX-License-Identifier: BSD-3-Clause
"""Series in DataFrames: their columns are those of `fit`, and their steps follow those before in time."""

from typing import Any, NamedTuple

from ..training._data.frames import check_columns, check_index, check_times, is_frame, is_pandas

Columns = tuple[Any, ...] | None  # None: not a DataFrame


class Known(NamedTuple):
    """What a forecaster knows about the DataFrames and Series that it has read.

    Attributes
    ----------
    y, X : tuple or None
        Their columns.
    end : object
        The last time of y, or None if its index has no times.
    """

    y: Columns = None
    X: Columns = None
    end: Any = None

    @classmethod
    def of(cls, y: Any, X: Any) -> "Known":
        return cls(columns_of(y), columns_of(X), end_of(y))


def columns_of(value: Any) -> Columns:
    """The columns of a DataFrame, or None."""
    return tuple(value.columns) if is_frame(value) else None


def end_of(y: Any) -> Any:
    """The last time of a DataFrame or Series whose index has times, or None."""
    return y.index[-1] if is_pandas(y) and len(y) and has_times(y.index) else None


def has_times(index: Any) -> bool:
    """Whether an index consists of timestamps or periods."""
    return index.nlevels == 1 and (getattr(index.dtype, "kind", "O") == "M" or hasattr(index.dtype, "freq"))


def check_series(y: Any, X: Any, known: Known | None = None) -> None:
    """Raise ValueError for DataFrames and Series whose steps do not fit each other, or do not follow the known ones.

    Parameters
    ----------
    y, X : object
    known : Known, optional
        Those before. By default there were none.
    """
    known = Known() if known is None else known
    for name, value, columns in (("y", y, known.y), ("X", X, known.X)):
        if is_frame(value) and columns is not None:
            check_columns(name, value, columns, "those of fit")
        if is_pandas(value):
            check_times(name, value.index)
            if known.end is not None and len(value) and has_times(value.index):
                check_after(name, value.index[0], known.end)
    if is_pandas(y) and is_pandas(X):
        check_index("y", y, "X", X)


def check_after(name: str, first: Any, end: Any) -> None:
    """Raise ValueError unless the first time comes after the last known one."""
    try:
        later = first > end
    except (TypeError, ValueError):  # of another kind, time zone or frequency
        raise ValueError(f"{name}: expected times such as {end!r}, as before, got {first!r}") from None
    if not later:
        raise ValueError(f"{name}: expected steps after {end}, the last known one, got {first}")
