# SPDX-License-Identifier: BSD-3-Clause
"""A Residual, one step at a time."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_floats, as_size
from .base import StreamBase, check_out
from .children import stream_of


class ResidualStream(StreamBase):
    """A `Residual` that reads one step per call. Made by ``residual.stream(batch)``; used like a `Stream`.

    Attributes
    ----------
    batch : int
        N.
    """

    def __init__(self, layer: Any, batch: int = 1) -> None:
        self.batch: int = as_size("batch", batch)
        self._layer = layer
        self._added = stream_of(layer.layer, self.batch)

    def step(self, x: ArrayLike, out: Array | None = None) -> Array:
        """Read x (N, F), or (F,) with a batch of 1, and return y of its shape, as `Stream.step`."""
        return self._sum("x", x, self._added.step, out)

    def steps(self, block: ArrayLike, out: Array | None = None, resets: ArrayLike | None = None) -> Array:
        """Read x (T, N, F), or (T, F) with a batch of 1, and return y of its shape, as `Stream.steps`."""
        if resets is not None:
            return self._steps_between(resets, block, out)
        return self._sum("block", block, self._added.steps, out)

    def _sum(self, name: str, x: ArrayLike, added: Any, out: Array | None) -> Array:
        x = as_floats(name, x, self._layer.dtype)
        if out is not None:
            check_out(out, x.shape, self._layer.dtype)
        y = added(x)
        if y.shape != x.shape:
            raise ValueError(
                f"layer: expected y to have the shape of x, {x.shape}, got {y.shape} from {self._layer.layer!r}"
            )
        return np.add(x, y, out=out)

    def _step_rows(self, x: Array, rows: Array) -> Array:
        return self._sum("x", x, lambda x: self._added._step_rows(x, rows), None)

    def _can_step_rows(self) -> bool:
        return isinstance(self._added, StreamBase) and self._added._can_step_rows()

    @property
    def state(self) -> Any:
        """The state of the layer, in the form that its calls take and return; None if it has none."""
        return self._added.state

    @state.setter
    def state(self, value: Any) -> None:
        self._added.state = value

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Return to the initial state, or only some rows of the batch, as `Stream.reset`."""
        self._added.reset(rows)
