# SPDX-License-Identifier: BSD-3-Clause
"""A recurrent layer, one step at a time."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_size
from ..._engine.layout import StateArrays, as_state, as_states, h_and_c
from .._streams.base import StreamBase, as_rows, check_one_direction, frozen
from .._streams.run import Link, Run


class Stream(Run, StreamBase):
    """Runs a recurrent layer one step per call. Created by ``layer.stream(batch)``.

    The output is bit-identical to that of the whole sequence at once. The stream uses the weights of the layer: if the
    parameters change, the next step uses the new ones. Only one thread at a time may use a stream; a concurrent call
    raises RuntimeError. Copies and pickles continue from the same state.

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
        check_one_direction(layer)
        N, stack = as_size("batch", batch), layer.stack
        self._layer = layer
        self._state = tuple(np.empty((stack.L, N, stack.H), layer.dtype) for _ in layer.cell.parts)
        links = []
        for k, weights in enumerate(stack.weights):
            sizes = (stack.H if k else stack.I, stack.H)
            links.append(Link(layer.cell, weights, sizes, layer.dtype, h_and_c(self._state, k), stack.update))
        super().__init__(links, N)
        self.reset()

    def _pieces(self) -> list[Any]:
        return list(self._links)

    @property
    def state(self) -> Any:
        """The current state in the form that the layer's calls take and return: h or (h, c), each (L, N, H).

        The arrays are read-only copies. To change the state, assign to this property or call `reset`.
        """
        with self._exclusive:
            return as_state([frozen(array) for array in self._state])

    @state.setter
    def state(self, value: Any) -> None:
        layer = self._layer
        arrays = as_states("state", value, layer.cell.parts, self._state[0].shape, True, layer.dtype)
        self._write(layer.initial_states(self.batch) if value is None else arrays, slice(None))

    def _write(self, arrays: StateArrays, rows: Any) -> None:
        """Write some rows of a state; None is zero."""
        with self._exclusive:
            for array, new in zip(self._state, arrays, strict=True):
                array[:, rows] = 0 if new is None else new[:, rows]

    def steps(self, block: ArrayLike, out: Array | None = None, resets: ArrayLike | None = None) -> Array:
        """Process the next steps at once, with results bit-identical to those of single steps.

        Parameters
        ----------
        block : array_like, shape (T, N, I), or (T, I) with a batch of 1
            Time first, also for a layer with `batch_first`.
        out : ndarray, optional
            An array for y: C-ordered, with y's shape and dtype, sharing no memory with `block`.
        resets : array_like of bool, shape (T, N), or (T,) with a batch of 1, optional
            The rows to `reset` before each step.

        Returns
        -------
        y : ndarray, shape (T, N, H), or (T, H) for a block (T, I)

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As for `step`. The state is unchanged.
        KeyboardInterrupt
            Ctrl-C during a long block. The state is unchanged, but part of `out` may have been written.
        """
        return super().steps(block, out) if resets is None else self._steps_between(resets, block, out)

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Return to the initial state: zero, or the current parameters if it is learned.

        Parameters
        ----------
        rows : array_like of bool, shape (N,), or of int, optional
            Reset only these rows of the batch, given as a mask or as row numbers 0..N-1.

        Raises
        ------
        TypeError, ValueError
            `rows` is neither, or a number is out of range. Nothing is changed.
        RuntimeError
            Another thread is using the stream.
        """
        chosen = slice(None) if rows is None else as_rows("rows", rows, self.batch)
        self._write(self._layer.initial_states(self.batch), chosen)
