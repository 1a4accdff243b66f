# SPDX-License-Identifier: BSD-3-Clause
"""Dropout between layers. Between the layers of one stack it is an option of RNN, LSTM and GRU."""

import numpy as np

from .._engine import arguments
from .._engine.layout import Layout
from ._layer import Layer
from ._tape import Tape


class Dropout(Layer):
    """Zeroes elements at random in training; torch.nn.Dropout (Srivastava et al. 2014, JMLR 15).

    `forward` multiplies each element by 0 with probability p and by 1/(1-p) otherwise, so that its mean stays. A call,
    inference, changes nothing.

    Parameters
    ----------
    p : float
        Probability, in [0, 1).
    shared_steps : bool
        Each sequence has one mask for all its time steps (Gal and Ghahramani 2016, arXiv 1512.05287): a feature is
        there from the first step to the last, or never. x is then (T, N, F), with `batch_first` (N, T, F), or (T, F).
    batch_first : bool
        Where time is; without `shared_steps` it makes no difference.
    seed : int or None
        Of the masks. Copies and pickles go on with the numbers of the original.
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
    >>> dropout = fr.Dropout(0.5, shared_steps=True, seed=0)
    >>> x = np.ones((5, 2, 3), np.float32)
    >>> y, tape = dropout.forward(x)
    >>> set(y.ravel().tolist()) <= {0.0, 2.0}, bool((y == y[0]).all())
    (True, True)
    >>> bool((dropout(x) == x).all())
    True
    """

    def __init__(self, p=0.5, *, shared_steps=False, batch_first=False, seed=None, dtype=np.float32):
        self.p = arguments.as_probability("p", p)
        self.shared_steps = arguments.as_flag("shared_steps", shared_steps)
        self.batch_first = arguments.as_flag("batch_first", batch_first)
        self.dtype = arguments.as_dtype(dtype)
        (self._rng,) = arguments.as_rng(seed).spawn(1)
        self._own({})

    def config(self):
        return {
            "p": self.p,
            "shared_steps": self.shared_steps,
            "batch_first": self.batch_first,
            "dtype": str(self.dtype),
        }

    def features_after(self, features):
        return features

    def still(self):
        return Dropout(0.0, batch_first=self.batch_first, dtype=self.dtype)

    def _random_state(self):
        return self._rng.bit_generator.state

    def _set_random_state(self, state):
        self._rng.bit_generator.state = state

    def _checked(self, x):
        x = arguments.as_floats("x", x, self.dtype)
        if self.shared_steps and x.ndim not in (2, 3):
            axes = Layout(True, self.batch_first).axes("F")
            raise ValueError(f"x: expected {axes} or (T, F), got {x.shape}")
        return x

    def _mask(self, shape):
        """Which elements stay; of one step if the steps share it."""
        if self.shared_steps:
            time = 1 if self.batch_first and len(shape) == 3 else 0
            shape = (*shape[:time], 1, *shape[time + 1 :])
        return self._rng.random(shape, np.float32) >= self.p

    def _through(self, array, mask):
        """What stays of an array, scaled."""
        out = np.empty(array.shape, self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # an infinite value that is dropped gives NaN, as in PyTorch
            np.multiply(array, mask, out=out)
            out *= self.dtype.type(1 / (1 - self.p))
        return out

    def __call__(self, x):
        """Inference: x itself, as a read-only view (copy it to change it)."""
        y = self._checked(x).view()
        y.flags.writeable = False
        return y

    def forward(self, x):
        """Training: (y, tape)."""
        x = self._checked(x)
        mask = self._mask(x.shape)
        return self._through(x, mask), Tape(self, (x.shape, mask))

    def backward(self, tape, dy):
        """Gradient with respect to x: dy through the same mask."""
        shape, mask = Tape.check(tape, self)
        dy = arguments.as_floats("dy", dy, self.dtype)
        if dy.shape != shape:
            raise ValueError(f"dy: expected {shape}, the shape of y, got {dy.shape}")
        tape.use()
        return self._through(dy, mask)
