# SPDX-License-Identifier: BSD-3-Clause
"""Tables, as the engines of large data pass them: dicts of columns, pandas and Arrow, with a row for each sequence."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._engine.arguments import Array
from .reading import Reading

OUTPUTS = ("array", "dict", "pandas", "arrow")
COLUMN = "prediction"


def columns_of(batch: Any) -> dict[str, Any] | None:
    """The columns of a table by name, each a sequence with an entry for each row; None if `batch` is no table."""
    if isinstance(batch, dict):
        return {str(name): column for name, column in batch.items()}
    home = type(batch).__module__.partition(".")[0]
    if home == "pandas" and hasattr(batch, "columns"):
        return {str(name): batch[name].to_numpy() for name in batch.columns}
    if home == "pyarrow" and hasattr(batch, "column_names"):
        return {name: _entries(column) for name, column in zip(batch.column_names, batch.columns, strict=True)}
    return None


def inputs_of_table(columns: dict[str, Any], names: Sequence[str] | None, reading: Reading) -> Any:
    """The columns that a model reads, as `predict` takes them.

    A model of several inputs gets those of the names of its arguments. One of a single input gets a list with an entry
    for each row, from one column the entries themselves, from several the steps or the features of all beside each
    other; rows without time are an array (N, F).
    """
    if names is not None and (missing := [name for name in names if name not in columns]):
        raise ValueError(f"columns: expected some of {', '.join(columns)}, got {missing[0]!r}")
    used = columns if names is None else {name: columns[name] for name in names}
    if not used:
        raise ValueError("batch: expected at least one column, got none")
    counts = {name: len(column) for name, column in used.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"batch: expected columns of one length, got {counts}")
    if len(reading.inputs) > 1:
        return {name: list(column) for name, column in used.items() if name in reading.arguments}
    rows = list(next(iter(used.values())))
    if len(used) > 1:
        rows = [np.stack([np.asarray(cell) for cell in row], axis=-1) for row in zip(*used.values(), strict=True)]
    if reading.is_flat:
        return np.array([np.atleast_1d(row) for row in rows])
    return [_sequence(row, reading) for row in rows]


def count_of(x: Any, reading: Reading) -> int:
    """The number of rows of an input."""
    if isinstance(x, dict):
        return len(next(iter(x.values())))
    return len(x) if isinstance(x, list | tuple) else np.shape(x)[rows_axis(x, reading)]


def rows_axis(x: Any, reading: Reading) -> int:
    """The axis of the rows in an array of inputs."""
    return 0 if reading.batch_first or not reading.has_time else 1


def one_row(x: Any, reading: Reading) -> Any:
    """An input like `x`, which has no rows, with one."""
    if isinstance(x, dict):
        raise ValueError("batch: expected at least one row for a model of several inputs, got none")
    if not isinstance(x, list | tuple) and (shape := list(np.shape(x)))[1:]:
        shape[rows_axis(x, reading)] = 1
        return np.zeros(shape, np.asarray(x).dtype)
    if reading.tokens:
        return [np.zeros(1, np.intp)]
    features = 1 if reading.features is None else reading.features
    return np.zeros((1, features), reading.dtype) if reading.is_flat else [np.zeros((1, features), reading.dtype)]


def as_table(y: Any, output: str, batch: Any) -> Any:
    """Predictions, with the rows first, as a table of one column."""
    if output == "dict":
        return {COLUMN: y if isinstance(y, np.ndarray) else _objects(y)}
    rows = y.tolist() if isinstance(y, np.ndarray) else [row.tolist() for row in y]
    if output == "arrow":
        try:
            import pyarrow  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ImportError("output: 'arrow' needs pyarrow: pip install pyarrow") from error
        values: Any = y if isinstance(y, np.ndarray) and y.ndim == 1 else rows
        return pyarrow.table({COLUMN: values})
    try:
        import pandas
    except ImportError as error:
        raise ImportError("output: 'pandas' needs pandas: pip install pandas") from error
    cells: Any = y if isinstance(y, np.ndarray) and y.ndim == 1 else _objects(rows)
    return pandas.DataFrame({COLUMN: cells}, index=getattr(batch, "index", None))


def _entries(column: Any) -> Any:
    """The entries of an Arrow column: an array of numbers, or a list of lists."""
    return column.to_pylist() if "list" in str(column.type) else np.asarray(column)


def _sequence(row: Any, reading: Reading) -> Array:
    """One row as a sequence (T,) of tokens, or (T, F)."""
    if isinstance(row, np.ndarray) and row.dtype == object:
        row = [np.asarray(step) for step in row]
    sequence = np.asarray(row)
    if not reading.tokens and sequence.ndim == 1 and reading.features is not None:
        return sequence.reshape(-1, reading.features) if not len(sequence) or reading.features == 1 else sequence
    return sequence


def _objects(rows: Sequence[Any]) -> Array:
    """A column of objects."""
    column = np.empty(len(rows), object)
    for n, row in enumerate(rows):  # NumPy would make an array of rows of one length
        column[n] = row
    return column
