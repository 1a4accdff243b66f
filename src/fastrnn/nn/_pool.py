# SPDX-License-Identifier: BSD-3-Clause
"""Code shared by pooling layers, which reduce a padded or packed sequence to one vector per row."""

from abc import abstractmethod
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array, as_floats
from .._engine.layout import Layout
from .._engine.ragged import Order, Rows, as_lengths, length_mask
from ._layer import Layer
from ._masked import steps_to_read
from ._option import KW_ONLY
from ._options import DType, Flag
from ._signal import Axes
from ._tape import Tape, exclusive


class Pool(Layer):
    """Base of the poolings: everything but how the steps of a row become one vector."""

    _: KW_ONLY
    batch_first: Flag = Flag("x is (N, T, F).", default=False)
    dtype: DType = DType("The dtype of the input and the output.", default=np.float32)

    @abstractmethod
    def _pool(self, x: Array, lengths: Array) -> tuple[Array, Any]:
        """y (N, F) of x (T, N, F), and what `_spread` needs."""

    @abstractmethod
    def _spread(self, dy: Array, saved: Any, lengths: Array, dx: Array) -> None:
        """Write the gradient of x into dx (T, N, F), which is 0, given dy (N, F)."""

    @abstractmethod
    def _pool_packed(self, x: Array, order: Order) -> tuple[Array, Any]:
        """`_pool` for packed rows x (R, F), for each row in packed order."""

    @abstractmethod
    def _spread_packed(self, dy: Array, saved: Any, order: Order, dx: Array) -> None:
        """`_spread` into dx (R, F), given dy in packed order."""

    @property
    def takes_lengths(self) -> bool:
        return True

    @property
    def takes_packed(self) -> bool:
        return True

    def features_after(self, features: int | None) -> int | None:
        return features

    def axes_after(self, axes: Axes | None) -> Axes:
        return "N"

    def lengths_after(self, lengths: Any) -> None:
        return None

    def _forward(self, x: ArrayLike, lengths: Any) -> tuple[Array, Any]:
        x = as_floats("x", x, self.dtype)
        if isinstance(lengths, Rows) and lengths.packed is not None:
            return self._forward_packed(x, lengths.packed)
        layout = Layout(x.ndim != 2, self.batch_first)
        if x.ndim not in (2, 3):
            raise ValueError(f"x: expected {layout.axes('F')} or (T, F), got {x.shape}")
        x = layout.time_major(x)
        T, N, _ = x.shape
        lengths = np.full(N, T) if lengths is None else as_lengths(lengths, T, N)
        y, saved = self._pool(x, lengths)
        return (y if layout.batched else y[0]), (layout, x.shape, lengths, saved)

    def _forward_packed(self, x: Array, order: Order) -> tuple[Array, Any]:
        if x.ndim != 2:
            raise ValueError(f"x.data: expected (R, F), got {x.shape}")
        pooled, saved = self._pool_packed(x, order)
        y = np.empty_like(pooled)
        y[order.rows] = pooled
        return y, (None, x.shape, order, saved)

    def __call__(self, x: ArrayLike, lengths: ArrayLike | None = None, mask: ArrayLike | None = None) -> Array:
        """Inference.

        Parameters
        ----------
        x : array_like, shape (T, N, F), with `batch_first` (N, T, F), or unbatched (T, F)
            Or a `PackedSequence`.
        lengths : array_like of int, shape (N,), optional
            The number of valid steps of each row, 0..T; the others are not read.
        mask : array_like of bool, shape (T, N), with `batch_first` (N, T), or unbatched (T,), optional
            The valid steps; by default all.

        Returns
        -------
        y : ndarray, shape (N, F), or (F,)
            0 for rows without valid steps.
        """
        x, rows, _ = steps_to_read(self, x, lengths, mask, None)
        return self._forward(x, rows)[0]

    def forward(
        self, x: ArrayLike, lengths: ArrayLike | None = None, mask: ArrayLike | None = None
    ) -> tuple[Array, Tape]:
        """Training: (y, tape)."""
        x, rows, kept = steps_to_read(self, x, lengths, mask, None)
        y, content = self._forward(x, rows)
        tape = Tape(self, content, y.shape)
        tape._kept = kept
        return y, tape

    @exclusive
    def backward(self, tape: Tape, dy: ArrayLike) -> Array:
        """The gradient of x, of x's shape; 0 at steps that do not count. For a packed x, the gradient of its array (R,
        F)."""
        ((layout, shape, lengths, saved), dy), kept = self._opened(tape, dy), tape._kept
        tape.close()
        if layout is None:
            dx = np.zeros(shape, self.dtype)
            self._spread_packed(dy[lengths.rows], saved, lengths, dx)
            return dx
        T, N, F = shape
        dx = np.zeros(layout.shape(T, N, F), self.dtype)
        self._spread(dy.reshape(N, F), saved, lengths, layout.time_major(dx))
        return dx if kept is None else kept.scattered(dx)

    def apply(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, None, Tape | None]:
        y, tape = self.forward(x, lengths) if training else (self(x, lengths), None)
        return y, None, tape

    def apply_backward(self, tape: Tape, dy: Any, dstate: Any) -> tuple[Array, None]:
        return self.backward(tape, dy), None


def sum_over_time(x: Array, lengths: Array) -> Array:
    """The sum over each row's own steps, (N, F), in float64 and in the order of time.

    A sum over the whole axis would be faster, but NumPy orders it by shapes and strides, so that a row alone would
    not have the bits of the same row in a batch.
    """
    total = np.zeros(x.shape[1:])
    with np.errstate(over="ignore", invalid="ignore"):
        for x_t, counts in zip(x, length_mask(lengths, len(x))[..., None], strict=True):
            np.add(total, x_t, out=total, where=counts)
    return total


def steps_of(order: Order) -> list[slice]:
    """Where each step of packed rows lies in their array."""
    return [slice(*ends) for ends in pairwise(order.first.tolist())]
