# SPDX-License-Identifier: BSD-3-Clause
"""A recurrent layer around a cell of a user's own, one step at a time."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_floats, as_size
from ..._engine.layout import as_state
from .._recurrent.stream import as_rows
from .cell import state_parts


class CellStream:
    """A `Recurrent` that reads one step per call. Made by ``layer.stream(batch)``; used like a `Stream`.

    Attributes
    ----------
    batch : int
        N.
    """

    def __init__(self, layer: Any, batch: int = 1) -> None:
        if layer.bidirectional:
            raise ValueError("stream: a bidirectional layer needs the end of the sequence before its first step")
        self.batch: int = as_size("batch", batch)
        self._cell = layer.cell
        self.reset()

    def step(self, x: ArrayLike, out: Array | None = None) -> Array:
        """Read the next step.

        Parameters
        ----------
        x : array_like, shape (N, I), or (I,) with a batch of 1
        out : ndarray, optional
            Where to write y, of its shape and dtype.

        Returns
        -------
        y : ndarray, shape (N, output_size), or (output_size,) for x (I,)
        """
        cell = self._cell
        x = as_floats("x", x, cell.dtype)
        shape = (self.batch, cell.input_size)
        if x.shape != shape and not (self.batch == 1 and x.shape == shape[1:]):
            raise ValueError(f"x: expected {shape}{f' or {shape[1:]}' if self.batch == 1 else ''}, got {x.shape}")
        expected = (*x.shape[:-1], cell.output_size)
        if out is not None and (not isinstance(out, np.ndarray) or (out.shape, out.dtype) != (expected, cell.dtype)):
            got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
            raise ValueError(f"out: expected an ndarray of {cell.dtype} {expected}, got {got}")
        y, after, _ = cell.checked_step(x.reshape(shape), tuple(part[0] for part in self._state))
        self._state = tuple(np.array(part)[None] for part in after)
        if out is None:
            return np.array(y).reshape(expected)
        out[...] = y.reshape(expected)
        return out

    @property
    def state(self) -> Any:
        """A copy of the current state in the form that the layer takes and returns: arrays (1, N, ...)."""
        return as_state(part.copy() for part in self._state)

    @state.setter
    def state(self, value: Any) -> None:
        self._state = state_parts("state", value, self._cell.state_shapes, (1, self.batch), self._cell.dtype)

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Return to the zero state, or only some rows of the batch, as `Stream.reset`."""
        if rows is None:
            self._state = state_parts("state", None, self._cell.state_shapes, (1, self.batch), self._cell.dtype)
            return
        chosen = as_rows("rows", rows, self.batch)
        for part in self._state:
            part[:, chosen] = 0
