# SPDX-License-Identifier: BSD-3-Clause
"""What is a number, and errors of NumPy and scikit-learn that say which argument is none."""

import contextlib
import datetime
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from scipy.sparse import issparse

TIMES = ("m", "M")  # kinds of dtypes, which NumPy converts to numbers
TIME = (np.datetime64, np.timedelta64, datetime.date, datetime.timedelta)


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """A context in which TypeError and ValueError begin with the name of the argument, unless they have it."""
    try:
        yield
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:  # the last one of a tensor with a gradient
        if re.search(rf"\b{re.escape(name)}\b", str(error)):
            raise
        kind = ValueError if isinstance(error, ValueError | OverflowError) else TypeError
        raise kind(f"{name}: {error}") from error


def check_numbers(name: str, value: Any, times: bool = False) -> None:
    """Raise TypeError for what would be read as numbers, or in another way: sparse arrays, and masked values.

    So would be times, unless they may be labels, `times`.
    """
    if issparse(value):
        raise TypeError(f"{name}: expected a dense array, got a sparse {type(value).__name__}; {name}.toarray()")
    if any(isinstance(each, np.ma.MaskedArray) and np.ma.is_masked(each) for each in _parts(value)):
        raise TypeError(f"{name}: expected numbers, got masked values; fill them first")
    if times:
        return
    for dtype in _dtypes(value):
        if getattr(dtype, "kind", None) in TIMES or getattr(dtype, "is_temporal", bool)():
            raise TypeError(f"{name}: expected numbers, got {dtype}")
    for one in _objects(value):
        if isinstance(one, TIME):
            raise TypeError(f"{name}: expected numbers, got {one!r}")


def _parts(value: Any) -> Iterable[Any]:
    """The rows of a list, or the value."""
    return value if isinstance(value, list | tuple) else [value]


def _dtypes(value: Any) -> Iterable[Any]:
    """The dtypes of a value: of a DataFrame of pandas or Polars those of its columns."""
    dtypes: Any = getattr(value, "dtypes", None)
    return set(dtypes) if isinstance(dtypes, list) or hasattr(dtypes, "iloc") else [getattr(value, "dtype", None)]


def _objects(value: Any) -> Iterable[Any]:
    """The elements of a value that are Python objects."""
    if isinstance(value, list | tuple):
        array = np.asarray(value)
        return array.ravel() if array.dtype == object else array.ravel()[: int(array.dtype.kind in TIMES)]
    if hasattr(value, "iloc") and value.ndim == 2:
        columns = (value.iloc[:, k] for k in range(value.shape[1]))
        return (one for column in columns if has_objects(column) for one in column)
    return np.asarray(value, object).ravel() if has_objects(value) else ()


def has_objects(value: Any) -> bool:
    """Whether a value is an array or a Series of Python objects."""
    dtype = getattr(value, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind == "O"
