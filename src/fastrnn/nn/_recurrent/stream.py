# SPDX-License-Identifier: BSD-3-Clause
"""A recurrent layer, one step at a time."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine import passes
from ..._engine.arguments import Array, as_array, as_floats, as_integers, as_size, readable
from ..._engine.layout import StateArrays, as_state, as_states, h_and_c


class Stream:
    """A recurrent layer that reads one step per call. Made by ``layer.stream(batch)``.

    The output has the same bits as the whole sequence at once. The weights are the layer's own: a change of its
    parameters affects the next step. One stream must not be used from two threads at the same time.

    Attributes
    ----------
    batch : int
        N.

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

    def __init__(self, layer: Any, batch: int = 1) -> None:
        if layer.bidirectional:
            raise ValueError("stream: a bidirectional layer needs the end of the sequence before its first step")
        self.batch: int = as_size("batch", batch)
        self._layer = layer
        L, N, H = layer.num_layers, self.batch, layer.hidden_size
        self._state = tuple(np.empty((L, N, H), layer.dtype) for _ in layer.cell.parts)
        self.reset()
        between = [np.empty((N, H), layer.dtype) for _ in range(L - 1)]
        stack = [(weights, *h_and_c(self._state, k)) for k, weights in enumerate(layer.stack.weights)]
        self._stepper = passes.stepper(stack, between)

    def step(self, x: ArrayLike, out: Array | None = None) -> Array:
        """Read the next step.

        Parameters
        ----------
        x : array_like, shape (N, I), or (I,) with a batch of 1
        out : ndarray, optional
            Where to write y: C-ordered, of y's shape and dtype, sharing no memory with `x`. Nothing is allocated then.

        Returns
        -------
        y : ndarray, shape (N, H), or (H,) for x (I,)

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong dtype or shape; the message names it, what was expected and what came.
        """
        y = out
        if y is None and type(x) is np.ndarray:
            y = np.empty((*x.shape[:-1], self._layer.hidden_size), self._layer.dtype)
        if y is not None and self._stepper.step(x, y):
            return y
        x, y = self._checked(x, out)
        if not self._stepper.step(x, y):
            raise RuntimeError("the stepper refused arguments that had been checked")
        return y

    def _checked(self, x: ArrayLike, out: Array | None) -> tuple[Array, Array]:
        """`x` and `out` as the stepper takes them, or the error that says what is wrong with them."""
        layer = self._layer
        x = as_floats("x", x, layer.dtype)
        shape = (self.batch, layer.input_size)
        if x.shape != shape and not (self.batch == 1 and x.shape == shape[1:]):
            raise ValueError(f"x: expected {shape}{f' or {shape[1:]}' if self.batch == 1 else ''}, got {x.shape}")
        expected = (*x.shape[:-1], layer.hidden_size)
        if out is None:
            return readable(x), np.empty(expected, layer.dtype)
        if not isinstance(out, np.ndarray) or out.dtype != layer.dtype:
            kind = getattr(out, "dtype", type(out).__name__)
            raise TypeError(f"out: expected an ndarray of {layer.dtype}, got {kind}")
        if out.shape != expected or not out.flags.carray:
            raise ValueError(f"out: expected a writable C-ordered array of shape {expected}, got shape {out.shape}")
        if np.may_share_memory(x, out):
            raise ValueError("out: expected memory of its own, got an array that overlaps x")
        return readable(x), out

    @property
    def state(self) -> Any:
        """The current state in the form that the layer's calls take and return: h or (h, c), each (L, N, H).

        The arrays are copies that cannot be written, as that would change nothing here: assign a state, or `reset`.
        """
        copies = [array.copy() for array in self._state]
        for copy in copies:
            copy.flags.writeable = False
        return as_state(copies)

    @state.setter
    def state(self, value: Any) -> None:
        layer = self._layer
        arrays = as_states("state", value, layer.cell.parts, self._state[0].shape, True, layer.dtype)
        self._write(layer.initial_states(self.batch) if value is None else arrays, slice(None))

    def _write(self, arrays: StateArrays, rows: Any) -> None:
        """Write some rows of a state; None is zero."""
        for array, new in zip(self._state, arrays, strict=True):
            array[:, rows] = 0 if new is None else new[:, rows]

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Return to the initial state: zero, or the parameters of now if the layer learns it.

        Parameters
        ----------
        rows : array_like of bool, shape (N,), or of int, optional
            Only these rows of the batch, as a mask or by their numbers 0..N-1: those whose sequence has ended.

        Raises
        ------
        TypeError, ValueError
            `rows` is neither, or a number is out of range. Nothing is changed then.
        """
        chosen = slice(None) if rows is None else as_rows("rows", rows, self.batch)
        self._write(self._layer.initial_states(self.batch), chosen)


def as_rows(name: str, rows: ArrayLike, N: int) -> Array:
    """A mask of N rows, or row numbers, as an index, or an error that begins with `name`."""
    mask = as_array(name, rows, "a mask of bool or row numbers")
    if mask.dtype == bool:
        if mask.shape != (N,):
            raise ValueError(f"{name}: expected a mask of shape ({N},), one for each row, got {mask.shape}")
        return mask
    numbers = as_integers(name, rows)
    if numbers.ndim > 1:
        raise ValueError(f"{name}: expected row numbers of shape (rows,), got {numbers.shape}")
    wrong = numbers[(numbers < 0) | (numbers >= N)]
    if wrong.size:
        raise ValueError(f"{name}: expected row numbers from 0 to {N - 1}, got {wrong[0]}")
    return numbers
