# SPDX-License-Identifier: BSD-3-Clause
"""The output of a model for data of any size, batch by batch."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_choice, as_size, is_packed
from ..._engine.ragged import length_mask
from .._data.batch import Batch
from .._data.frames import like
from .._data.inputs import Rows, rows_of
from .._data.reading import Reading
from .._data.rows import ArrayRows, SequenceRows
from .._data.source import is_list_of_batches
from .objective import Runner

TIMED = ("steps", "sequences")  # what targets are of where y has time


def predict(
    model: Any, x: Any, lengths: ArrayLike | None = None, *, batch_size: int = 256, output: str = "array"
) -> Any:
    """Compute the output of a model batch by batch.

    Parameters
    ----------
    model : Layer
        A layer, or any other model that `fastrnn.fit` accepts.
    x : array_like, list of array_like, PackedSequence, dict, or iterable of batches
        An array of all rows, laid out as the model takes a batch, or a single sequence; a list of sequences of any
        lengths, or those of a packed one; a dict of inputs by name; or an iterable of inputs of the model, such as a
        generator of arrays. Numbers are converted to the model's dtype. A sequence may be a DataFrame: the columns are
        its features, those that the model was fitted on.
    lengths : array_like of int, shape (N,), optional
        Of the rows of an array x.
    batch_size : int, default 256
        Rows that are run at a time. It does not affect the result.
    output : {"array", "pandas"}, default "array"
        With ``"pandas"``, the output for a DataFrame is a DataFrame with the same index, or a Series if it is (T,); for
        a list it is a list. If each sequence of a list has a single output, the result is one table with a row for each
        sequence.

    Returns
    -------
    y : ndarray, list of ndarray, or iterator of ndarray
        For an array x, the output of all rows, 0 beyond a row's length. For a list x, an array (N, ...) if the output
        has no time axis, otherwise a list with the output of each sequence. For an iterable, an iterator that runs
        batches lazily. States are not returned.

    Raises
    ------
    TypeError, ValueError
        An argument does not fit the model, or the outputs do not fit the index of x.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.GRU(3, 8, seed=0), fr.LastStep(), fr.Linear(8, 2, seed=1))
    >>> sequences = [np.ones((length, 3)) for length in (5, 2, 4)]
    >>> fr.predict(model, sequences).shape
    (3, 2)
    >>> [len(y) for y in fr.predict(model.layers[0], sequences)]
    [5, 2, 4]
    """
    runner, batch_size = Runner(model), as_size("batch_size", batch_size)
    if as_choice("output", output, ("array", "pandas")) == "pandas":
        return like(predict(model, x, lengths, batch_size=batch_size), x)
    is_data = isinstance(x, list | tuple | dict) or hasattr(x, "__array__") or hasattr(x, "__dlpack__")
    if not is_data or is_list_of_batches(x):
        if lengths is not None or not hasattr(x, "__iter__"):
            name = "x: expected arrays, lists or" if lengths is None else "lengths: expected none for"
            raise TypeError(f"{name} an iterable of batches, got {type(x if lengths is None else lengths).__name__}")
        return (runner.run(Batch(batch), training=False)[0] for batch in x)
    rows = rows_of(x, None, lengths, runner.reading)
    if not rows.count:
        raise ValueError("x: expected at least one row, got none")
    return _gathered(rows, list(_outputs(runner, rows, batch_size)), runner)


def _outputs(runner: Runner, rows: Rows, batch_size: int) -> Iterator[tuple[Array, Any, bool]]:
    """(rows, their output with the rows first, whether it had time first) of each batch, of similar lengths."""
    order = np.arange(rows.count) if rows.lengths is None else np.argsort(rows.lengths, kind="stable")
    for part in np.split(order, range(batch_size, rows.count, batch_size)):
        batch = rows.batch(part)
        y = runner.run(batch, training=False)[0]
        if is_packed(y):
            yield part, y.unpack(), False
            continue
        y = np.asarray(y)
        time_first = has_time_first(y, batch.x, runner.reading)
        yield part, y.swapaxes(0, 1) if time_first else y, time_first


def has_time_first(y: Array, x: Any, reading: Reading) -> bool:
    """Whether the output for x, a batch or a list of rows, is (T, N, ...).

    One of which nothing is known is laid out as x if it has as many axes.
    """
    if reading.targets is None:
        axes = 1 + np.ndim(x[0]) if isinstance(x, list) else np.ndim(x)
        return not reading.batch_first and not isinstance(x, dict) and y.ndim == axes
    return reading.targets != "rows" and not reading.targets_batch_first


def _gathered(rows: Rows, outputs: list[tuple[Array, Any, bool]], runner: Runner) -> Any:
    """The outputs of all rows, in the order and the layout of x."""
    reading, lengths = runner.reading, None
    if isinstance(rows, ArrayRows | SequenceRows) and rows.lengths is not None and reading.targets in TIMED:
        lengths = runner.lengths_after(rows.lengths)
    if isinstance(rows, SequenceRows) and lengths is not None:
        each = {n: row[: lengths[n]].copy() for part, y, _ in outputs for n, row in zip(part, y, strict=True)}
        return [each[n] for n in range(rows.count)]
    _, first, time_first = outputs[0]
    shape = first.shape[1:]
    if shape and reading.targets != "rows":  # batches may end with their longest row
        full = max(y.shape[1] for _, y, _ in outputs)
        if lengths is not None:
            full = int(runner.lengths_after(np.array([rows.T]))[0])  # type: ignore[union-attr]
        shape = (full, *shape[1:])
    gathered = np.zeros((rows.count, *shape), first.dtype)
    for part, y, _ in outputs:
        if lengths is not None:
            y = y.copy()  # layers without lengths, such as Linear, treat all steps alike
            y[~length_mask(lengths[part], y.shape[1]).T] = 0
        gathered[(part, slice(y.shape[1])) if y.ndim > 1 else part] = y
    if isinstance(rows, ArrayRows) and rows.is_single:
        return gathered[0]
    return np.ascontiguousarray(gathered.swapaxes(0, 1)) if time_first else gathered
