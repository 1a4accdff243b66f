# SPDX-License-Identifier: BSD-3-Clause
"""A recurrent layer around a cell of a user's own, one step at a time."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine import passes
from ..._engine.arguments import Array, as_floats, as_size
from ..._engine.layout import as_state
from .._streams.base import StreamBase, as_rows, check_one_direction, check_out, check_x, frozen
from .cell import state_parts


class CellStream(StreamBase):
    """A `Recurrent` that reads one step per call. Made by ``layer.stream(batch)``; used like a `Stream`.

    Attributes
    ----------
    batch : int
        N.
    """

    def __init__(self, layer: Any, batch: int = 1) -> None:
        check_one_direction(layer)
        self.batch: int = as_size("batch", batch)
        self._layer, self._cell = layer, layer.cell
        self._exclusive = passes.exclusive()
        self.reset()

    def step(self, x: ArrayLike, out: Array | None = None) -> Array:
        """Process the next step.

        Parameters
        ----------
        x : array_like, shape (N, I), or (I,) with a batch of 1
        out : ndarray, optional
            Where to write y: C-ordered, of its shape and dtype.

        Returns
        -------
        y : ndarray, shape (N, output_size), or (output_size,) for x (I,)
        """
        x, y = self._checked("x", x, out)
        with self._exclusive:
            self._read(x, y)
        return y

    def steps(self, block: ArrayLike, out: Array | None = None, resets: ArrayLike | None = None) -> Array:
        """Read the next steps, (T, N, I) or (T, I), as `Stream.steps`."""
        if resets is not None:
            return self._steps_between(resets, block, out)
        x, y = self._checked("block", block, out)
        with self._exclusive:
            before = self._state
            try:
                for x_t, y_t in zip(x, y, strict=True):
                    self._read(x_t, y_t)
            except BaseException:  # of the cell, which is anybody's, or Ctrl-C
                self._state = before
                raise
        return y

    def _checked(self, name: str, x: ArrayLike, out: Array | None) -> tuple[Array, Array]:
        """x, and where y goes."""
        cell = self._cell
        x = as_floats(name, x, cell.dtype)
        check_x(name, x, x.shape[:1] if name == "block" else (), self.batch, cell.input_size)
        shape = (*x.shape[:-1], cell.output_size)
        if out is None:
            return x, np.empty(shape, cell.dtype)
        check_out(out, shape, cell.dtype)
        return x, out

    def _read(self, x: Array, out: Array) -> None:
        """One step of x (N, I) or (I,)."""
        rows = x.reshape(self.batch, self._cell.input_size)
        y, after, _ = self._cell.checked_step(rows, tuple(part[0] for part in self._state))
        self._state = tuple(np.array(part)[None] for part in after)
        out[...] = y.reshape(out.shape)

    def _step_rows(self, x: Array, rows: Array) -> Array:
        y, after, _ = self._cell.checked_step(x, tuple(part[0][rows] for part in self._state))
        for part, new in zip(self._state, after, strict=True):
            part[0][rows] = new
        return y

    @property
    def state(self) -> Any:
        """The current state in the form that the layer takes and returns, arrays (1, N, ...): read-only copies."""
        with self._exclusive:
            return as_state(frozen(part) for part in self._state)

    @state.setter
    def state(self, value: Any) -> None:
        parts = state_parts("state", value, self._cell.state_shapes, (1, self.batch), self._cell.dtype)
        with self._exclusive:
            self._state = parts

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Return to the zero state, or only some rows of the batch, as `Stream.reset`."""
        if rows is None:
            self.state = None
            return
        chosen = as_rows("rows", rows, self.batch)
        with self._exclusive:
            for part in self._state:
                part[:, chosen] = 0
