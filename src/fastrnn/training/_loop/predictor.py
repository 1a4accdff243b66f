# SPDX-License-Identifier: BSD-3-Clause
"""A model as a function that can be sent to other processes, each of which loads it once."""

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import as_choice, as_path, as_size
from ..._engine.threads import threads
from ...io import load, save
from ...io._container import PathType
from ...io._custom import Custom, own_classes
from ...nn._layer import Layer
from ...nn._options import kind_of
from .._data import frames
from .._data.reading import Reading, reading_of
from .._data.tables import OUTPUTS, as_table, columns_of, count_of, inputs_of_table, one_row
from .prediction import has_time_first, predict

KEPT = 4  # models that a process keeps, of those that predictors have brought
_models: dict[Any, Layer] = {}
_lock = threading.Lock()


class Predictor:
    """A picklable version of `predict`, for joblib, Dask, Ray, Spark, MPI and process pools.

    A pickle contains the path or the content of a model file. A process loads the model at its first prediction and
    keeps it for all copies of the predictor. Predictions are bit-identical in every process and for every division into
    batches.

    Parameters
    ----------
    model : path or Layer
        A file written by `fastrnn.save`, which every process can read at this path; or a model, whose current state is
        used.
    n_threads : int or None, default 1
        The number of threads of a call, 1 if processes share the cores. None uses the setting of the process.
    output : {"array", "dict", "pandas", "arrow"}, default "array"
        What a call returns: the result of `fastrnn.predict`, or a table with one column ``"prediction"``: a dict with
        an array, a pandas DataFrame with the index of the batch, or an Arrow table.
    columns : sequence of str, optional
        The columns that the model reads if a batch is a table; all by default.
    custom : list of classes, or dict of str to class, optional
        The classes of your own layers in the file, as `fastrnn.load` takes them.

    Raises
    ------
    TypeError, ValueError
        An argument is wrong, or the model cannot be saved.

    Examples
    --------
    >>> import copy, numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.GRU(3, 8, seed=0), fr.LastStep(), fr.Linear(8, 2, seed=1))
    >>> predictor = copy.copy(fr.Predictor(model))  # made as in another process, from what pickle would send
    >>> sequences = [np.ones((length, 3)) for length in (5, 2, 4)]
    >>> bool((predictor(sequences) == fr.predict(model, sequences)).all())
    True
    >>> fr.Predictor(model, output="dict")({"x": sequences})["prediction"].shape
    (3, 2)
    """

    _features: tuple[Any, ...] | None = None  # the columns of DataFrames; of files and earlier pickles none are known

    def __init__(
        self, model: PathType | Layer, n_threads: int | None = 1, output: str = "array", *,
        columns: Sequence[str] | None = None, custom: Custom | None = None,
    ) -> None:  # fmt: skip
        self.n_threads: int | None = None if n_threads is None else as_size("n_threads", n_threads)
        self.output: str = as_choice("output", output, OUTPUTS)
        if isinstance(columns, str) or not (columns is None or all(isinstance(name, str) for name in columns)):
            raise TypeError(f"columns: expected a list of names, got {kind_of(columns)}")
        self.columns: list[str] | None = None if columns is None else list(columns)
        self._custom: Any = custom
        self._features = frames.columns_of(model)[0] if isinstance(model, Layer) else None
        self._content: bytes | None = None
        if isinstance(model, Layer):
            self._content, self._custom = _content_of(model), own_classes(model)
            self._source: str = hashlib.sha256(self._content).hexdigest()
        else:
            self._source = os.path.abspath(as_path("model", model))
        self._model: Layer | None = None

    def __repr__(self) -> str:
        model = repr(self._source) if self._content is None else f"<model of {len(self._content)} bytes>"
        return f"Predictor({model}, n_threads={self.n_threads}, output={self.output!r})"

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_model": None}

    @property
    def model(self) -> Layer:
        """The model, loaded if this process does not have it yet."""
        if self._model is None:
            self._model = _loaded(self._source, self._content, self._custom)
        return self._model

    def __call__(self, batch: Any, lengths: ArrayLike | None = None) -> Any:
        """The predictions of a batch.

        Parameters
        ----------
        batch : array_like, list of array_like, table, or iterator of them
            An array or a list of sequences, as for `fastrnn.predict`; or a table with one row per sequence: a dict of
            columns, a pandas DataFrame, an Arrow table or record batch. Each entry of a column is a sequence, or a
            number if rows have no time axis. Several columns are several features, or the inputs of a model with
            several inputs. For an iterator, as passed by Spark, an iterator is returned. The batch may be empty.
        lengths : array_like of int, shape (N,), optional
            Of the rows of an array.

        Returns
        -------
        y : ndarray, list of ndarray, dict, DataFrame, Table or iterator
            See `output`.

        Raises
        ------
        TypeError, ValueError
            The batch does not fit the model, or is a single sequence, for which `output` cannot be a table.
        ImportError
            The package of `output` is not installed.
        OSError
            The file of the model cannot be read.
        """
        if isinstance(batch, Iterator):
            return (self(part, lengths) for part in batch)
        reading = reading_of(self.model, False)
        table = columns_of(batch)
        x = batch if table is None else inputs_of_table(table, self.columns, reading)
        if table is None:
            frames.check_features("batch", x, self._features, is_series=True)
        with nullcontext() if self.n_threads is None else threads(self.n_threads):
            y = self._predicted(x, lengths, reading)
        if self.output == "array":
            return y
        if isinstance(y, np.ndarray) and not isinstance(x, list | dict) and reading.is_single(np.asarray(x)):
            raise ValueError(f"batch: expected several sequences for a table, got a single one, {np.shape(x)}")
        if isinstance(y, np.ndarray) and has_time_first(y, x, reading):
            y = y.swapaxes(0, 1)
        return as_table(y, self.output, batch)

    def _predicted(self, x: Any, lengths: Any, reading: Reading) -> Any:
        if count_of(x, reading):
            return predict(self.model, x, lengths)
        y = predict(self.model, example := one_row(x, reading))
        if isinstance(y, list):
            return []
        return y[:, :0] if has_time_first(y, example, reading) else y[:0]


def _content_of(model: Layer) -> bytes:
    """The content of the file of a model."""
    with tempfile.TemporaryDirectory(prefix="fastrnn-") as folder:
        path = os.path.join(folder, "model.safetensors")
        save(model, path)
        with open(path, "rb") as file:
            return file.read()


def _loaded(source: str, content: bytes | None, custom: Any) -> Layer:
    """The model of a path, as the file is now, or of the content of a file."""
    with _lock:
        key: Any = source
        if content is None:
            about = os.stat(source)
            key = source, about.st_mtime_ns, about.st_size, about.st_ino
        if key not in _models:
            while len(_models) >= KEPT:
                del _models[next(iter(_models))]
            _models[key] = load(source, custom=custom) if content is None else _from(content, custom)
        return _models[key]


def _from(content: bytes, custom: Any) -> Layer:
    with tempfile.TemporaryDirectory(prefix="fastrnn-") as folder:
        path = os.path.join(folder, "model.safetensors")
        with open(path, "wb") as file:
            file.write(content)
        return load(path, custom=custom)
