# SPDX-License-Identifier: BSD-3-Clause
"""One step at a time."""

import numpy as np

from ..._engine import arguments, passes
from ..._engine.layout import as_states


def pair(state, k):
    """h and c (or None) of one layer and direction, (N, H)."""
    h = state[0]
    c = state[1] if len(state) > 1 else None
    return (None if h is None else h[k], None if c is None else c[k])


def rows_of(state, rows):
    """Some rows of a state, in any order or several times: of arrays (L*D, N, H), however nested, and None."""
    if isinstance(state, tuple | list):
        return tuple(rows_of(part, rows) for part in state)
    return state if state is None else state[:, rows]


class Stream:
    """A recurrent layer that reads one step per call. Made by ``layer.stream(batch)``.

    The output has the same bits as the whole sequence at once. Weights are the layer's own: a change of its parameters
    acts on the next step. One stream must not be used from two threads at the same time.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> lstm = fr.LSTM(3, 4, seed=0)
    >>> x = np.ones((5, 1, 3), np.float32)
    >>> stream = lstm.stream()
    >>> y = np.stack([stream.step(x_t) for x_t in x])
    >>> bool((y == lstm(x)[0]).all())
    True
    """

    def __init__(self, layer, batch=1):
        if layer.bidirectional:
            raise ValueError("stream: a bidirectional layer needs the end of the sequence before its first step")
        self.batch = arguments.as_size("batch", batch)
        self._layer = layer
        L, N, H = layer.num_layers, self.batch, layer.hidden_size
        self._state = tuple(np.zeros((L, N, H), layer.dtype) for _ in layer._parts)
        between = [np.empty((N, H), layer.dtype) for _ in range(L - 1)]
        stack = [(layer._weights[k][0], *pair(self._state, k)) for k in range(L)]
        self._stepper = passes.stepper(stack, between)

    def step(self, x, out=None):
        """The next step.

        Parameters
        ----------
        x : array_like, shape (N, I), or (I,) with a batch of 1
        out : ndarray, optional
            Where to write y: C-ordered, of y's shape and dtype, sharing no memory with `x`. Then nothing is allocated.

        Returns
        -------
        y : ndarray, shape (N, H), or (H,) for x (I,)
        """
        given = out
        if given is None and type(x) is np.ndarray:
            given = np.empty((*x.shape[:-1], self._layer.hidden_size), self._layer.dtype)
        if given is not None and self._stepper.step(x, given):
            return given
        x, out = self._checked(x, out)
        if not self._stepper.step(x, out):
            raise RuntimeError("the stepper refused arguments that had been checked")
        return out

    def _checked(self, x, out):
        """`x` and `out` as the stepper takes them, or the error that says what is wrong with them."""
        layer = self._layer
        x = arguments.as_floats("x", x, layer.dtype)
        shape = (self.batch, layer.input_size)
        if x.shape != shape and not (self.batch == 1 and x.shape == shape[1:]):
            raise ValueError(f"x: expected {shape}{f' or {shape[1:]}' if self.batch == 1 else ''}, got {x.shape}")
        wanted = (*x.shape[:-1], layer.hidden_size)
        if out is None:
            return arguments.readable(x), np.empty(wanted, layer.dtype)
        if not isinstance(out, np.ndarray) or out.dtype != layer.dtype:
            kind = getattr(out, "dtype", type(out).__name__)
            raise TypeError(f"out: expected an ndarray of {layer.dtype}, got {kind}")
        if out.shape != wanted or not out.flags.carray:
            raise ValueError(f"out: expected a writable C-ordered array of shape {wanted}, got shape {out.shape}")
        if np.may_share_memory(x, out):
            raise ValueError("out: expected memory of its own, got an array that overlaps x")
        return arguments.readable(x), out

    @property
    def state(self):
        """The state now, as the layer's calls take and return it: h or (h, c), each (L, N, H). A copy."""
        state = tuple(array.copy() for array in self._state)
        return state if len(state) > 1 else state[0]

    @state.setter
    def state(self, value):
        given = as_states("state", value, self._layer._parts, self._state[0].shape, True, self._layer.dtype)
        for array, new in zip(self._state, given, strict=True):
            array[...] = 0 if new is None else new

    def reset(self):
        """Back to the zero state."""
        self.state = None
