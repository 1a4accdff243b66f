# SPDX-License-Identifier: BSD-3-Clause
"""RepeatVector."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array
from .._engine.layout import Layout
from ._option import KW_ONLY
from ._options import DType, Flag, Size
from ._pool import sum_over_time
from ._signal import Axes, axes_of
from ._stateless import StatelessLayer


class RepeatVector(StatelessLayer):
    """Repeats a vector at every step, like Keras's RepeatVector: (N, F) gives (steps, N, F).

    Use it to feed the output of an encoder to each step of a decoder. Every row of y has `steps` steps, so lengths do
    not apply to the layers after it. An unbatched (F,) gives (steps, F).

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
    >>> model = fr.Sequential(fr.LSTM(3, 4, seed=0), fr.LastStep(), fr.RepeatVector(7), fr.LSTM(4, 3, seed=1))
    >>> y, state = model(np.ones((5, 2, 3), np.float32), lengths=[5, 2])
    >>> y.shape
    (7, 2, 3)
    """

    steps: Size = Size("T of the output.")
    _: KW_ONLY
    batch_first: Flag = Flag("The output is (N, steps, F).", default=False)
    dtype: DType = DType("The dtype of the input and the output.", default=np.float32)

    def features_after(self, features: int | None) -> int | None:
        return features

    @property
    def axes_in(self) -> Axes:
        return "N"

    def axes_after(self, axes: Axes | None) -> Axes | None:
        return axes_of(self.batch_first)

    def steps_after(self, steps: int | None) -> int:
        return self.steps

    def directions_after(self, directions: int | None) -> int:
        return 1

    def lengths_after(self, lengths: Any) -> None:
        return None

    def _checked(self, x: ArrayLike) -> Array:
        x = super()._checked(x)
        if x.ndim not in (1, 2):
            raise ValueError(f"x: expected (N, F) or (F,), got {x.shape}")
        return x

    def _forward(self, x: Array, training: bool) -> tuple[Array, None]:
        layout = Layout(x.ndim == 2, self.batch_first)
        y = np.empty(layout.shape(self.steps, len(x), x.shape[-1]), self.dtype)
        layout.time_major(y)[...] = x
        return y, None

    def _backward(self, saved: None, dy: Array) -> Array:
        layout = Layout(dy.ndim == 3, self.batch_first)
        dy = layout.time_major(dy)
        dx = sum_over_time(dy, np.full(dy.shape[1], self.steps)).astype(self.dtype)
        return dx if layout.batched else dx[0]
