# SPDX-License-Identifier: BSD-3-Clause
"""DataFrames and Series of pandas as arrays: a sequence each, with a row for each step and a column for each feature.

Nothing here imports pandas; what is of pandas brings it.
"""

import datetime
import weakref
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ..._engine.arguments import Array
from .sequences import converted

NUMBERS = "biuf"  # kinds of dtypes
Columns: TypeAlias = tuple[Any, ...] | None  # None: of no DataFrame
_fitted: "weakref.WeakKeyDictionary[Any, tuple[Columns, Columns]]" = weakref.WeakKeyDictionary()  # by the model
FITTED = "those that the model was fitted on"


def is_pandas(value: Any) -> bool:
    """Whether a value is a DataFrame or a Series."""
    return type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "iloc")


def is_frame(value: Any) -> bool:
    """Whether a value is a DataFrame."""
    return is_pandas(value) and value.ndim == 2


def first_frame(x: Any) -> Any:
    """The DataFrame, or the first of a list of them, that x is; None if it is none."""
    value = x[0] if isinstance(x, list | tuple) and len(x) else x
    return value if is_frame(value) else None


def fitted_on(model: Any, x: Any, y: Any = None) -> Any:
    """The model, which from now on has the columns of x and y; of no names, if one is no DataFrame or list of them."""
    frames = first_frame(x), first_frame(y)
    try:
        _fitted.pop(model, None)
        if any(frame is not None for frame in frames):
            own = [None if frame is None else tuple(frame.columns) for frame in frames]
            _fitted[model] = own[0], own[1]
    except TypeError:  # a model that cannot be a key: nothing is known of it later
        pass
    return model


def columns_of(model: Any) -> tuple[Columns, Columns]:
    """The columns of x and of y that a model was last fitted on in this process, as far as they were DataFrames."""
    try:
        return _fitted.get(model, (None, None))
    except TypeError:
        return None, None


def without_frames(x: Any, y: Any, columns: tuple[Columns, Columns], is_series: bool) -> tuple[Any, Any]:
    """x and y with arrays in place of DataFrames and Series, alone, in lists and, of x, in a dict of inputs.

    Parameters
    ----------
    x, y : Any
    columns : tuple
        Those that DataFrames of x and of y have to have, in their order.
    is_series : bool
        Whether a Series can be a sequence of x. It has no axis of features.
    """
    check_features("y", y, columns[1], True)
    if isinstance(x, dict):
        x = {name: arrays_of(name, value) for name, value in x.items()}
        return x, arrays_of("y", y, gaps=True)
    check_same_steps("x", x, "y", y)
    check_features("x", x, columns[0], is_series)
    return arrays_of("x", x), arrays_of("y", y, gaps=True)


def input_of(model: Any, x: Any) -> Any:
    """x as a call of a layer takes it: of a DataFrame or a Series the array, in the dtype of the layer."""
    if not is_pandas(x):
        return x
    tokens = model.reads_tokens
    check_features("x", x, columns_of(model)[0], tokens or model.features_in is None)
    return converted(arrays_of("x", x), None if tokens else getattr(model, "dtype", None))


def arrays_of(name: str, value: Any, gaps: bool = False) -> Any:
    """A value with arrays in place of DataFrames and Series, alone or in a list; with `gaps` there may be nan."""
    if is_pandas(value):
        return as_numbers(name, value, gaps)
    if not isinstance(value, list | tuple) or not any(map(is_pandas, value)):
        return value
    first = value[0]
    for n, item in enumerate(value):
        if is_pandas(item) != is_pandas(first) or is_pandas(item) and item.ndim != first.ndim:
            kinds = type(first).__name__, type(item).__name__
            raise TypeError(f"{name}[{n}]: expected a {kinds[0]}, as {name}[0], got {kinds[1]}")
        if is_frame(item):
            check_columns(f"{name}[{n}]", item, tuple(first.columns), f"those of {name}[0]")
    return [as_numbers(f"{name}[{n}]", item, gaps) for n, item in enumerate(value)]


def as_numbers(name: str, value: Any, gaps: bool) -> Array:
    """A DataFrame as (T, F), a Series as (T,); TypeError or ValueError for what is not a number."""
    if value.index.nlevels > 1:
        raise ValueError(
            f"{name}: expected one sequence, got an index of {value.index.nlevels} levels; for a list of sequences, "
            f"[part.droplevel(0) for _, part in {name}.groupby(level=0)]"
        )
    check_times(name, value.index)
    if value.ndim == 1:
        return column_of(name, value, gaps)
    if value.columns.nlevels > 1:
        raise ValueError(f"{name}: expected columns of one level, got {value.columns.nlevels}")
    if not value.columns.is_unique:
        twice = next(column for column in value.columns if (value.columns == column).sum() > 1)
        raise ValueError(f"{name}: expected columns of different names, got {twice!r} twice")
    arrays = [column_of(f"{name}[{label!r}]", value.iloc[:, k], gaps) for k, label in enumerate(value.columns)]
    return np.stack(arrays, axis=1) if arrays else np.zeros((len(value), 0))


def column_of(name: str, series: Any, gaps: bool) -> Array:
    """The numbers of a Series."""
    dtype = series.dtype
    if getattr(dtype, "kind", "O") not in NUMBERS:
        raise TypeError(f"{name}: expected numbers, got {dtype}")
    missing = series.isna().to_numpy()
    if missing.any() and not gaps:
        where = series.index[int(missing.argmax())]
        raise ValueError(f"{name}: expected numbers, got a missing one at {where!r}; fill it or cut there")
    if missing.any():
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(series.to_numpy(dtype=getattr(dtype, "numpy_dtype", None)))


def check_order(name: str, index: Any) -> None:
    """Raise ValueError for an index of times or numbers that goes back: the rows are read in their order."""
    dated = len(index) and index.dtype.kind == "O" and all(isinstance(one, datetime.date) for one in index)
    if dated or getattr(index.dtype, "kind", "O") in "iufmM" or hasattr(index.dtype, "freq"):
        if not index.is_monotonic_increasing:
            where = next(k for k in range(1, len(index)) if not index[k - 1] <= index[k])
            words = f"got {index[where]!r} behind {index[where - 1]!r}; sort_index()"
            raise ValueError(f"{name}: expected the steps in their order, {words}")


def check_times(name: str, index: Any) -> None:
    """`check_order` of an index of times; one of numbers may be that of parts that were joined."""
    if index.nlevels == 1 and index.dtype.kind not in "iuf":
        check_order(name, index)


def check_features(name: str, x: Any, columns: Columns, is_series: bool) -> None:
    """Raise ValueError for a Series in place of a DataFrame, or for columns that are not those of the training."""
    values: Sequence[Any] = x if isinstance(x, list | tuple) else (x,)
    if not len(values) or not is_pandas(values[0]):
        return
    labels = [f"{name}[{n}]" for n in range(len(values))] if isinstance(x, list | tuple) else [name]
    for label, value in zip(labels, values, strict=True):
        if is_pandas(value) and value.ndim == 1 and not is_series:
            raise ValueError(f"{label}: expected a DataFrame of its features, got a Series; {label}.to_frame()")
        if columns is not None and is_frame(value):
            check_columns(label, value, columns, FITTED)


def check_columns(name: str, frame: Any, columns: tuple[Any, ...], whose: str) -> None:
    """Raise ValueError unless a DataFrame has these columns, in their order."""
    own = tuple(frame.columns)
    if own == columns:
        return
    words = f"{name}: expected the columns {list(columns)}, {whose}, got {list(own)}"
    if len(own) == len(columns) and set(own) == set(columns):
        words += f"; {name}[{list(columns)}] has their order"
    raise ValueError(words)


def check_same_steps(name: str, x: Any, other: str, y: Any) -> None:
    """Raise ValueError if two, such as x and y, both of pandas, have the same number of steps but another index."""
    if is_pandas(x) and is_pandas(y):
        check_index(name, x, other, y)
    elif isinstance(x, list | tuple) and isinstance(y, list | tuple) and len(x) and is_pandas(x[0]):
        for n, (sequence, target) in enumerate(zip(x, y, strict=False)):
            if is_pandas(sequence) and is_pandas(target):
                check_index(f"{name}[{n}]", sequence, f"{other}[{n}]", target)


def check_index(name: str, sequence: Any, other: str, target: Any) -> None:
    """Raise ValueError if two have the same number of steps but another index."""
    if len(sequence) == len(target) and not sequence.index.equals(target.index):
        raise ValueError(f"{other}: expected the index of {name}, got another one; {other}.loc[{name}.index]")


def like(y: Any, x: Any) -> Any:
    """Outputs (T,) or (T, F) with the index of the DataFrame or Series that was read; a list of them of a list.

    Outputs that have no steps, or more axes, are an error.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError("output: 'pandas' needs pandas: pip install pandas") from error

    def of(array: Array, source: Any, name: str) -> Any:
        if not 1 <= array.ndim <= 2 or len(array) != len(source):
            raise ValueError(f"output: expected 'array' for outputs {array.shape} of {name}, got 'pandas'")
        return (pandas.Series if array.ndim == 1 else pandas.DataFrame)(array, index=source.index)

    values: Sequence[Any] = x if isinstance(x, list | tuple) else (x,)
    if not values or not all(map(is_pandas, values)):
        raise TypeError("output: expected 'array', since x is no DataFrame, Series or list of them, got 'pandas'")
    if not isinstance(x, list | tuple):
        return of(y, x, "x")
    if isinstance(y, list):
        return [of(array, source, f"x[{n}]") for n, (array, source) in enumerate(zip(y, x, strict=True))]
    if y.ndim > 2:
        raise ValueError(f"output: expected 'array' for outputs {y.shape}, got 'pandas'")
    return (pandas.Series if y.ndim == 1 else pandas.DataFrame)(y)
