# SPDX-License-Identifier: BSD-3-Clause
"""A model and a sequence whose outputs are to be attributed to inputs: passes of many rows at a time, in blocks."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_floats, as_integers
from ..._engine.layout import Layout, select_rows
from ..._engine.ragged import as_lengths
from ...nn import Dropout, Embedding, Layer, Sequential
from ...nn._frozen import frozen
from ...nn._layer import leaves
from ...training._data.frames import input_of
from .probes import check_model, check_x

BLOCK_BYTES = 1 << 26  # of what a pass over one block of rows keeps


class AttributionTarget:
    """A model, its input and its output. `influence` describes the parameters.

    Attributes
    ----------
    x : ndarray, shape (T, N, I)
        What the model reads; tokens as the vectors of the embedding.
    y : ndarray, shape (S, N, F)
        The output for x. S is 1 after pooling, where y has no steps.
    lengths, y_lengths : ndarray, shape (N,)
    """

    def __init__(self, model: Layer, x: Any, lengths: ArrayLike | None, state: Any) -> None:
        check_model(model)
        self.model: Any = model.inference_copy()
        x = input_of(model, x)
        check_x(model, x, lengths)
        y, _ = self.model(x, state, lengths)  # reports bad arguments with the shapes of the caller
        self.embedding, self.model = split_embedding(self.model)
        frozen(self.model)  # dx alone is wanted
        if self.embedding is not None:
            x = self.embedding(x)
        x = as_floats("x", x, self.model.dtype)
        if y.ndim > x.ndim:
            raise ValueError(
                f"x: expected sequences, got vectors {x.shape} from which the model makes sequences {y.shape}"
            )
        self.layout = Layout(x.ndim != 2, bool(self.model.batch_first))
        self.batch_layout = self.layout._replace(batched=True)  # of the rows that a pass takes at a time
        self.x = self.layout.time_major(x)
        self.state = state if self.layout.batched else select_rows(state, np.newaxis)  # type: ignore[arg-type]
        T, N, _ = self.x.shape
        self.lengths = np.full(N, T) if lengths is None else as_lengths(lengths, T, N)
        after = self.model.lengths_after(self.lengths)
        self.has_steps = y.ndim == x.ndim
        self.y = self.layout.time_major(y) if self.has_steps else y.reshape(1, N, -1)
        self.y_lengths = np.full(N, len(self.y)) if after is None else after

    # -- arguments ---------------------------------------------------------------------------------------------------

    def steps(self, at: ArrayLike | None) -> Array:
        """The steps of y that `at` means for each row, (N, K); -1 for a step that the row does not have."""
        S = len(self.y)
        if at is not None and not self.has_steps:
            raise ValueError(f"at: expected None, as y has no steps, got {at!r}")
        steps = np.arange(S) if at is None else np.atleast_1d(as_integers("at", at))
        wrong = (steps < -S) | (steps >= S)
        if steps.ndim != 1 or wrong.any():
            got = f"shape {steps.shape}" if steps.ndim != 1 else steps[wrong][0]
            raise ValueError(f"at: expected a step of y, or several, each in {-S}..{S - 1}, got {got}")
        steps = np.where(steps < 0, steps + self.y_lengths[:, None], steps)
        return np.where((steps >= 0) & (steps < self.y_lengths[:, None]), steps, -1)

    def units(self, output: ArrayLike) -> Array:
        """The feature of y that `output` means at each step and row, (S, N)."""
        S, N, F = self.y.shape
        units = as_integers("output", output)
        shape = self.layout.shape(S, N, 1)[:-1] if self.has_steps else ((N,) if self.layout.batched else ())
        if units.shape not in ((), shape):
            raise ValueError(f"output: expected an integer, or integers of shape {shape}, got shape {units.shape}")
        if ((units < 0) | (units >= F)).any():
            raise ValueError(f"output: expected features of y in 0..{F - 1}, got {units.min()}..{units.max()}")
        units = np.broadcast_to(units, shape)
        return self.layout.time_major(units[..., None])[..., 0] if self.has_steps else units.reshape(1, N)

    def baseline(self, baseline: ArrayLike | None) -> Array:
        """The input that stands for "nothing", with the shape of x."""
        if baseline is None:
            return np.zeros_like(self.x)
        shape, expected = self.layout.shape(*self.x.shape), "an array that broadcasts to x,"
        if self.embedding is None:
            values = as_floats("baseline", baseline, self.x.dtype)
        else:
            values, shape, expected = as_integers("baseline", baseline), shape[:-1], "a token, or tokens"
        try:
            values = np.broadcast_to(values, shape)
        except ValueError:
            raise ValueError(f"baseline: expected {expected} {shape}, got shape {values.shape}") from None
        return self.layout.time_major(values if self.embedding is None else self.embedding(values))

    def result(self, array: Array, at: ArrayLike | None) -> Array:
        """A result (N, K, ...) without the axes that the arguments do not have."""
        if not self.has_steps or (at is not None and np.ndim(at) == 0):
            array = array[:, 0]
        return array if self.layout.batched else array[0]

    # -- passes of many rows -----------------------------------------------------------------------------------------

    def run(self, x: Array, rows: Array) -> Array:
        """y (S, R, F) of x (T, R, I), with the states and lengths of these rows of the batch."""
        y, _ = self.model(self.batch_layout.laid_out(x), select_rows(self.state, rows), self.lengths[rows])
        return self._time_major(y)

    def gradients(self, x: Array, rows: Array, steps: Array, units: Array) -> Array:
        """The gradient of one number for each row with respect to x (T, R, I): feature units[r] of y at steps[r]."""
        x = self.batch_layout.laid_out(x)
        y, _, tape = self.model.forward(x, select_rows(self.state, rows), self.lengths[rows])
        dy = np.zeros(y.shape, y.dtype)
        self._time_major(dy)[steps, np.arange(len(steps)), units] = 1
        dx, _ = self.model.backward(tape, dy)
        return self.batch_layout.time_major(dx)

    def blocks(self, rows: int) -> list[slice]:
        """Slices of that many rows, each a block that fits into memory."""
        one = self.batch_layout.laid_out(self.x[:, :1])
        y, _, tape = self.model.forward(one)
        step = max(1, BLOCK_BYTES // (tape.nbytes + 2 * (one.nbytes + y.nbytes)))
        return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]

    def _time_major(self, y: Array) -> Array:
        """A view (S, R, F) of y, or of its gradient."""
        return self.batch_layout.time_major(y) if self.has_steps else y[None]


def split_embedding(model: Any) -> tuple[Embedding | None, Any]:
    """The embedding at the beginning of a model, or None, and a model that reads its vectors instead of tokens."""
    embedding = leaves(model)[0]
    if not isinstance(embedding, Embedding):
        return None, model

    def rest(layer: Any) -> Layer:
        if isinstance(layer, Sequential):
            return layer.with_layers([rest(layer.layers[0]), *layer.layers[1:]])
        return Dropout(0.0, dtype=layer.dtype)  # passes on its input

    return embedding, rest(model)
