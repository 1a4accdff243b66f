# SPDX-License-Identifier: BSD-3-Clause
"""A causal convolution, one step at a time."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine import passes
from ..._engine.arguments import Array, as_floats, as_size
from ..._engine.layout import Layout
from .._streams.base import StreamBase, as_rows, check_out, check_x, frozen, written


class ConvolutionStream(StreamBase):
    """A `CausalConv1d` that reads one step per call. Made by ``layer.stream(batch)``; used like a `Stream`.

    Attributes
    ----------
    batch : int
        N.
    """

    def __init__(self, layer: Any, batch: int = 1) -> None:
        self.batch: int = as_size("batch", batch)
        self._layer = layer
        self._exclusive = passes.exclusive()
        self.reset()

    def step(self, x: ArrayLike, out: Array | None = None) -> Array:
        """Read x (N, I), or (I,) with a batch of 1, and return y (N, O) or (O,), as `Stream.step`."""
        x = self._checked("x", x, (), out)
        with self._exclusive:
            y, self._state = self._read(x.reshape(1, self.batch, -1), self._state)
        return written(y.reshape(*x.shape[:-1], -1), out)

    def steps(self, block: ArrayLike, out: Array | None = None, resets: ArrayLike | None = None) -> Array:
        """Read x (T, N, I), or (T, I) with a batch of 1, as `Stream.steps`."""
        if resets is not None:
            return self._steps_between(resets, block, out)
        x = as_floats("block", block, self._layer.dtype)
        x = self._checked("block", x, x.shape[:1], out)
        with self._exclusive:
            y, self._state = self._read(x.reshape(len(x), self.batch, self._layer.in_channels), self._state)
        return written(y.reshape(*x.shape[:-1], self._layer.out_channels), out)

    def _checked(self, name: str, x: ArrayLike, lead: tuple[int, ...], out: Array | None) -> Array:
        """x, or an error before anything is read."""
        x = as_floats(name, x, self._layer.dtype)
        check_x(name, x, lead, self.batch, self._layer.in_channels)
        if out is not None:
            check_out(out, (*x.shape[:-1], self._layer.out_channels), self._layer.dtype)
        return x

    def _read(self, x: Array, state: Array) -> tuple[Array, Array]:
        """y (T, N, O) of x (T, N, I), and the state after it."""
        turned = x.swapaxes(0, 1) if self._layer.batch_first else x
        y, after = self._layer(turned, state)
        return (y.swapaxes(0, 1) if self._layer.batch_first else y), after

    def _step_rows(self, x: Array, rows: Array) -> Array:
        y, self._state[:, rows] = self._read(x[None], self._state[:, rows])
        return y[0]

    @property
    def state(self) -> Array:
        """The current state in the form that the layer takes and returns, (steps, N, I): a read-only copy."""
        with self._exclusive:
            return frozen(self._state)

    @state.setter
    def state(self, value: Any) -> None:
        state = self._layer._states("state", value, self.batch, Layout(True, False))
        with self._exclusive:
            self._state = np.array(state)

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Return to zeros, or only some rows of the batch, as `Stream.reset`."""
        if rows is None:
            self.state = None
            return
        chosen = as_rows("rows", rows, self.batch)
        with self._exclusive:
            self._state[:, chosen] = 0
