# SPDX-License-Identifier: BSD-3-Clause
"""A layer without a state that treats all positions alike, one step at a time."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_array
from .._dropout import Dropout
from .._linear import CELL, Linear
from .base import StreamBase, as_rows, written
from .run import Link


class StatelessStream(StreamBase):
    """The layer, applied to the rows of a step."""

    def __init__(self, layer: Any, batch: int) -> None:
        self.batch: int = batch
        self._layer = layer

    def _pieces(self) -> list[Any]:
        kind, layer = type(self._layer), self._layer  # a subclass may compute something else
        if kind is Dropout:  # passes x on
            return []
        if kind is Linear:
            return [Link(CELL, layer.weights, (layer.in_features, layer.out_features), layer.dtype)]
        return [self]

    def step(self, x: ArrayLike, out: Array | None = None) -> Array:
        if type(x) is not np.ndarray:  # numbers without a dtype are for the layer to convert
            x = x if isinstance(x, list | tuple | int | float) else as_array("x", x)
        y = self._layer(x[None] if isinstance(x, np.ndarray) else [x])[0]  # a sequence of one step
        self._check("x", x, y.shape[:-1])
        return written(y, out)

    def steps(self, block: ArrayLike, out: Array | None = None, resets: ArrayLike | None = None) -> Array:
        if resets is not None:
            return self._steps_between(resets, block, out)
        y = self._layer(block)
        self._check("block", block, y.shape[1:-1])
        return written(y, out)

    def _step_rows(self, x: Array, rows: Array) -> Array:
        return self._layer(x[None])[0]

    def _check(self, name: str, x: ArrayLike, positions: tuple[int, ...]) -> None:
        """Raise ValueError unless there is a position for each row of the batch."""
        if positions != (self.batch,) and not (self.batch == 1 and positions == ()):
            raise ValueError(f"{name}: expected a batch of {self.batch}, got shape {np.shape(x)}")

    @property
    def state(self) -> None:
        """None: there is none."""

    @state.setter
    def state(self, value: Any) -> None:
        if value is not None:
            raise TypeError(f"state: expected none, since {type(self._layer).__name__} takes none")

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Check the rows; there is no state to reset."""
        if rows is not None:
            as_rows("rows", rows, self.batch)
