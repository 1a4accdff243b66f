# SPDX-License-Identifier: BSD-3-Clause
"""From a sequence to one vector per row."""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array, as_floats
from .._engine.layout import Layout
from .._engine.ragged import as_lengths, length_mask
from ._layer import Layer
from ._masked import without_masked
from ._option import KW_ONLY
from ._options import DType, Flag
from ._signal import Axes
from ._tape import Tape, exclusive


class Pool(Layer):
    """Base of the poolings: everything but how the steps of a row become one vector."""

    _: KW_ONLY
    batch_first: Flag = Flag("x is (N, T, F).", default=False)
    dtype: DType = DType("Of the input and the output.", default=np.float32)

    @abstractmethod
    def _pool(self, x: Array, lengths: Array) -> tuple[Array, Any]:
        """y (N, F) of x (T, N, F), and what `_spread` needs."""

    @abstractmethod
    def _spread(self, dy: Array, saved: Any, lengths: Array, dx: Array) -> None:
        """Write the gradient of x into dx (T, N, F), which is 0, given dy (N, F)."""

    @property
    def takes_lengths(self) -> bool:
        return True

    def features_after(self, features: int | None) -> int | None:
        return features

    def axes_after(self, axes: Axes | None) -> Axes:
        return "N"

    def lengths_after(self, lengths: Any) -> None:
        return None

    def _forward(self, x: ArrayLike, lengths: ArrayLike | None) -> tuple[Array, Any]:
        x = as_floats("x", x, self.dtype)
        layout = Layout(x.ndim != 2, self.batch_first)
        if x.ndim not in (2, 3):
            raise ValueError(f"x: expected {layout.axes('F')} or (T, F), got {x.shape}")
        x = layout.time_major(x)
        T, N, _ = x.shape
        lengths = np.full(N, T) if lengths is None else as_lengths(lengths, T, N)
        y, saved = self._pool(x, lengths)
        return (y if layout.batched else y[0]), (layout, x.shape, lengths, saved)

    def __call__(self, x: ArrayLike, lengths: ArrayLike | None = None, mask: ArrayLike | None = None) -> Array:
        """Inference.

        Parameters
        ----------
        x : array_like, shape (T, N, F), with `batch_first` (N, T, F), or unbatched (T, F)
        lengths : array_like of int, shape (N,), optional
            How many steps of each row count, 0..T; the others are not read.
        mask : array_like of bool, shape (T, N), with `batch_first` (N, T), or unbatched (T,), optional
            Which steps count. By default all.

        Returns
        -------
        y : ndarray, shape (N, F), or (F,)
            0 for a row of which no step counts.
        """
        if mask is not None:
            x, lengths, _ = without_masked(self, x, lengths, mask)
        return self._forward(x, lengths)[0]

    def forward(
        self, x: ArrayLike, lengths: ArrayLike | None = None, mask: ArrayLike | None = None
    ) -> tuple[Array, Tape]:
        """Training: (y, tape)."""
        kept = None
        if mask is not None:
            x, lengths, kept = without_masked(self, x, lengths, mask)
        y, content = self._forward(x, lengths)
        tape = Tape(self, content, y.shape)
        tape._kept = kept
        return y, tape

    @exclusive
    def backward(self, tape: Tape, dy: ArrayLike) -> Array:
        """The gradient of x, of x's shape; 0 at steps that do not count."""
        ((layout, (T, N, F), lengths, saved), dy), kept = self._opened(tape, dy), tape._kept
        tape.close()
        dx = np.zeros(layout.shape(T, N, F), self.dtype)
        self._spread(dy.reshape(N, F), saved, lengths, layout.time_major(dx))
        return dx if kept is None else kept.scattered(dx)

    def apply(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, None, Tape | None]:
        y, tape = self.forward(x, lengths) if training else (self(x, lengths), None)
        return y, None, tape

    def apply_backward(self, tape: Tape, dy: Any, dstate: Any) -> tuple[Array, None]:
        return self.backward(tape, dy), None


class LastStep(Pool):
    """Each row's own last step: (T, N, F) gives (N, F).

    For the output of a recurrent layer of one direction that is the h of its last layer: ``y[-1]`` for a full row,
    and the step at which the row ends for the others. (A row of length 0 gives 0, where h is its initial state.)

    A bidirectional layer has read the whole row at its last step in the forward direction, and at step 0 in the
    reverse direction. With ``bidirectional=True`` the first half of the features therefore comes from the last step
    and the second half from step 0: the h of both directions, side by side. At the last step the reverse direction
    has read one step only.

    Attributes
    ----------
    params, grads : Parameters
        Empty.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> gru, last = fr.GRU(3, 4, bidirectional=True, seed=0), fr.LastStep(bidirectional=True)
    >>> y, h = gru(np.ones((5, 2, 3), np.float32), lengths=[5, 2])
    >>> bool((last(y, [5, 2]) == np.concatenate([h[0], h[1]], axis=-1)).all())
    True
    """

    _: KW_ONLY
    bidirectional: Flag = Flag("x comes from a layer of both directions; F is then even.", default=False)

    @property
    def directions_in(self) -> int:
        return 2 if self.bidirectional else 1

    def _steps(self, lengths: Array, F: int) -> list[tuple[Array, Array, slice]]:
        """(rows, the step that each row provides, the features) of each direction."""
        rows = np.flatnonzero(lengths)
        if not self.bidirectional:
            return [(rows, lengths[rows] - 1, slice(F))]
        return [(rows, lengths[rows] - 1, slice(F // 2)), (rows, np.zeros_like(rows), slice(F // 2, F))]

    def _pool(self, x: Array, lengths: Array) -> tuple[Array, Any]:
        _, N, F = x.shape
        if self.bidirectional and F % 2:
            raise ValueError(f"x: expected an even number of features, half of them of each direction, got {F}")
        y = np.zeros((N, F), self.dtype)
        for rows, steps, features in self._steps(lengths, F):
            y[rows, features] = x[steps, rows, features]
        return y, None

    def _spread(self, dy: Array, saved: Any, lengths: Array, dx: Array) -> None:
        for rows, steps, features in self._steps(lengths, dx.shape[-1]):
            dx[steps, rows, features] = dy[rows, features]


class MeanPool(Pool):
    """The mean of each row's own steps: (T, N, F) gives (N, F).

    Attributes
    ----------
    params, grads : Parameters
        Empty.

    Raises
    ------
    TypeError
        An argument is of the wrong type.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> x = np.array([[[1.0], [2.0]], [[3.0], [4.0]]], np.float32)  # (T, N, F) = (2, 2, 1)
    >>> fr.MeanPool()(x, lengths=[2, 1])
    array([[2.],
           [2.]], dtype=float32)
    """

    def _pool(self, x: Array, lengths: Array) -> tuple[Array, Any]:
        total = sum_over_time(x, lengths)
        total /= np.maximum(lengths, 1)[:, None]
        return total.astype(self.dtype), None

    def _spread(self, dy: Array, saved: Any, lengths: Array, dx: Array) -> None:
        share = dy / np.maximum(lengths, 1).astype(self.dtype)[:, None]
        np.copyto(dx, share, where=length_mask(lengths, len(dx))[..., None])


class MaxPool(Pool):
    """The largest value of each feature among each row's own steps: (T, N, F) gives (N, F).

    The gradient goes to the step that gave the value; among equal ones to the first. A NaN counts as the largest.

    Attributes
    ----------
    params, grads : Parameters
        Empty.

    Raises
    ------
    TypeError
        An argument is of the wrong type.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> x = np.array([[[1.0], [2.0]], [[3.0], [4.0]]], np.float32)  # (T, N, F) = (2, 2, 1)
    >>> fr.MaxPool()(x, lengths=[2, 1])
    array([[3.],
           [2.]], dtype=float32)
    """

    def _pool(self, x: Array, lengths: Array) -> tuple[Array, Any]:
        T, N, F = x.shape
        if T == 0:
            return np.zeros((N, F), self.dtype), None
        best = np.where(length_mask(lengths, T)[..., None], x, self.dtype.type(-np.inf)).argmax(axis=0)[
            None
        ]  # (1, N, F)
        y = np.take_along_axis(x, best, axis=0)[0]
        y[lengths == 0] = 0
        return y, best

    def _spread(self, dy: Array, saved: Any, lengths: Array, dx: Array) -> None:
        if saved is not None:
            np.put_along_axis(dx, saved, np.where(lengths[:, None] > 0, dy, 0)[None], axis=0)


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
