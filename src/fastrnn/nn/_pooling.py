# SPDX-License-Identifier: BSD-3-Clause
"""Pooling layers, which reduce a sequence to one vector per row."""

from typing import Any

import numpy as np

from .._engine.arguments import Array
from .._engine.pooling import largest, largest_packed
from .._engine.ragged import Order, length_mask
from ._option import KW_ONLY
from ._options import Flag
from ._pool import Pool, steps_of, sum_over_time
from ._signal import BACKWARDS


class LastStep(Pool):
    """Selects the last step of each row: (T, N, F) gives (N, F).

    For the output of a unidirectional recurrent layer, this is the final h of its last layer: ``y[-1]`` for full rows,
    and for shorter rows their own last step. (A row of length 0 gives 0, while its h is the initial state.)

    In a bidirectional layer, the forward direction has read the whole row at the last step, and the reverse direction
    at step 0. With ``bidirectional=True`` the first half of the features therefore comes from the last step and the
    second half from step 0: the final h of both directions. With ``reverse=True`` all features come from step 0, where
    a layer with that option ends.

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

    reverse: Flag = Flag("x comes from a layer that reads in reverse.", default=False, omit=True)

    def _setup(self) -> None:
        if self.reverse and self.bidirectional:
            raise ValueError(
                "reverse: expected False with bidirectional=True, for which x has both directions, got True"
            )

    @property
    def directions_in(self) -> int:
        return 2 if self.bidirectional else BACKWARDS if self.reverse else 1

    def _steps(self, lengths: Array, F: int) -> list[tuple[Array, Array, slice]]:
        """(rows, the step that each row provides, the features) of each direction."""
        rows = np.flatnonzero(lengths)
        if self.reverse:
            return [(rows, np.zeros_like(rows), slice(F))]
        if not self.bidirectional:
            return [(rows, lengths[rows] - 1, slice(F))]
        return [(rows, lengths[rows] - 1, slice(F // 2)), (rows, np.zeros_like(rows), slice(F // 2, F))]

    def _check_halves(self, F: int) -> None:
        if self.bidirectional and F % 2:
            raise ValueError(f"x: expected an even number of features, half of them of each direction, got {F}")

    def _pool(self, x: Array, lengths: Array) -> tuple[Array, Any]:
        _, N, F = x.shape
        self._check_halves(F)
        y = np.zeros((N, F), self.dtype)
        for rows, steps, features in self._steps(lengths, F):
            y[rows, features] = x[steps, rows, features]
        return y, None

    def _spread(self, dy: Array, saved: Any, lengths: Array, dx: Array) -> None:
        for rows, steps, features in self._steps(lengths, dx.shape[-1]):
            dx[steps, rows, features] = dy[rows, features]

    def _ends(self, order: Order, F: int) -> list[tuple[Array, slice]]:
        """(the place in x that each row provides, the features) of each direction."""
        begins = np.arange(len(order.rows))
        if self.reverse:
            return [(begins, slice(F))]
        ends = order.first[order.lengths - 1] + begins
        return [(ends, slice(F // 2)), (begins, slice(F // 2, F))] if self.bidirectional else [(ends, slice(F))]

    def _pool_packed(self, x: Array, order: Order) -> tuple[Array, Any]:
        F = x.shape[1]
        self._check_halves(F)
        ends = self._ends(order, F)
        parts = [x[:, features].take(places, axis=0) for places, features in ends]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1), ends

    def _spread_packed(self, dy: Array, saved: Any, order: Order, dx: Array) -> None:
        for places, features in saved:
            dx[places, features] = dy[:, features]


class MeanPool(Pool):
    """Mean over the steps of each row: (T, N, F) gives (N, F).

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

    def _pool_packed(self, x: Array, order: Order) -> tuple[Array, Any]:
        total = np.zeros((len(order.rows), x.shape[1]))
        with np.errstate(over="ignore", invalid="ignore"):
            for step in steps_of(order):
                total[: step.stop - step.start] += x[step]
        total /= order.lengths[:, None]
        return total.astype(self.dtype), None

    def _spread_packed(self, dy: Array, saved: Any, order: Order, dx: Array) -> None:
        share = dy / order.lengths.astype(self.dtype)[:, None]
        for step in steps_of(order):
            dx[step] = share[: step.stop - step.start]


class MaxPool(Pool):
    """Maximum over the steps of each row, for each feature: (T, N, F) gives (N, F).

    The gradient goes to the step of the maximum, or to the first of several equal ones. NaN counts as the largest
    value.

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
        return largest(x, lengths)

    def _spread(self, dy: Array, saved: Any, lengths: Array, dx: Array) -> None:
        if len(dx):
            np.put_along_axis(dx, saved[None], np.where(lengths[:, None] > 0, dy, 0)[None], axis=0)

    def _pool_packed(self, x: Array, order: Order) -> tuple[Array, Any]:
        return largest_packed(x, order)

    def _spread_packed(self, dy: Array, saved: Any, order: Order, dx: Array) -> None:
        np.put_along_axis(dx, saved, dy, axis=0)
