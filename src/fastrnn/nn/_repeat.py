# SPDX-License-Identifier: BSD-3-Clause
"""RepeatVector."""

import numpy as np

from .._engine import arguments
from .._engine.layout import Layout
from ._layer import Layer
from ._pooling import total_of
from ._tape import Tape


class RepeatVector(Layer):
    """The same vector at every step: (N, F) gives (steps, N, F); Keras's RepeatVector.

    A decoder reads what an encoder has summed up. Every row has all `steps`: lengths end here.

    Parameters
    ----------
    steps : int
        T of the output.
    batch_first : bool
        The output is (N, steps, F).
    dtype : {np.float32, np.float64}

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

    def __init__(self, steps, *, batch_first=False, dtype=np.float32):
        self.steps = arguments.as_size("steps", steps)
        self.batch_first = arguments.as_flag("batch_first", batch_first)
        self.dtype = arguments.as_dtype(dtype)
        self._own({})

    def config(self):
        return {"steps": self.steps, "batch_first": self.batch_first, "dtype": str(self.dtype)}

    def features_after(self, features):
        return features

    def lengths_after(self, lengths):
        return None

    def __call__(self, x):
        """Inference: x (N, F) gives (steps, N, F), with `batch_first` (N, steps, F); (F,) gives (steps, F)."""
        x = arguments.as_floats("x", x, self.dtype)
        if x.ndim not in (1, 2):
            raise ValueError(f"x: expected (N, F) or (F,), got {x.shape}")
        layout = Layout(x.ndim == 2, self.batch_first)
        y = np.empty(layout.shape(self.steps, len(x), x.shape[-1]), self.dtype)
        layout.time_major(y)[...] = x
        return y

    def forward(self, x):
        """Training: (y, tape)."""
        y = self(x)
        return y, Tape(self, y.shape)

    def backward(self, tape, dy):
        """Gradient with respect to x: the sum of dy over the steps."""
        shape = Tape.check(tape, self)
        dy = arguments.as_floats("dy", dy, self.dtype)
        if dy.shape != shape:
            raise ValueError(f"dy: expected {shape}, the shape of y, got {dy.shape}")
        tape.use()
        layout = Layout(dy.ndim == 3, self.batch_first)
        dy = layout.time_major(dy)
        dx = total_of(dy, np.full(dy.shape[1], self.steps)).astype(self.dtype)
        return dx if layout.batched else dx[0]
