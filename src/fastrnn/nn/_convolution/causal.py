# SPDX-License-Identifier: BSD-3-Clause
"""CausalConv1d."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._engine.arguments import Array, as_floats
from ..._engine.layout import Layout, as_sequence
from ..._engine.ragged import as_lengths
from .._stateful import StatefulLayer
from .._tape import Tape, open_tape
from .convolution import Convolution
from .stream import ConvolutionStream


class CausalConv1d(Convolution, StatefulLayer[NDArray[Any]]):
    """A causal convolution over time, which has a state and can be streamed.

    y_t = b + sum over j < k of W_j x_(t - (k - 1 - j) dilation). The steps before the sequence are the state; they are
    zeros by default.

    Attributes
    ----------
    params, grads : Parameters
        ``weight`` (O, I / groups, k) and ``bias`` (O,), initially uniform in +-1/sqrt(k I / groups), as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Notes
    -----
    The state holds the last steps of x, (dilation (k - 1), N, I), initially zeros. If you split a sequence into several
    calls and pass the state on, the results are those of a single call.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.CausalConv1d(3, 8, 5, dilation=2, seed=0), fr.GRU(8, 4, seed=1))
    >>> x = np.ones((10, 1, 3), np.float32)
    >>> stream = model.stream()
    >>> bool((np.stack([stream.step(x_t) for x_t in x]) == model(x)[0]).all())
    True
    """

    def axes_after(self, axes: Any) -> Any:
        return self.axes_in or axes

    def directions_after(self, directions: int | None) -> int | None:
        return Convolution.directions_after(self, directions)

    def _states(self, name: str, value: Any, N: int, layout: Layout) -> Array:
        """A state as a caller has it, as an array (steps, N, I)."""
        shape = (self.span - 1, N, self.in_channels)
        if value is None:
            return np.zeros(shape, self.dtype)
        array = as_floats(name, value, self.dtype)
        expected = shape if layout.batched else (shape[0], shape[2])
        if array.shape != expected:
            raise ValueError(f"{name}: expected {expected}, got {array.shape}")
        return array.reshape(shape)

    def _forward(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, Any, Any]:
        x, layout = as_sequence("x", x, self.in_channels, self.dtype, self.batch_first)
        (T, N, _), before = x.shape, self.span - 1
        rows = np.arange(N)[:, None]
        ends = np.full(N, T)
        if lengths is not None:
            ends = lengths = as_lengths(lengths, T, N)
        padded = self.padded(x, before, 0, lengths, keep=True)
        padded[:, :before] = self._states("state", state, N, layout).swapaxes(0, 1)
        last = rows, ends[:, None] + np.arange(before)  # the places of the final state
        final = np.ascontiguousarray(padded[last].swapaxes(0, 1))
        y, saved = self.convolve(padded, layout, T, 1, lengths, training)
        return y, final if layout.batched else final[:, 0], (layout, x.shape, last, saved)

    def _backward(self, saved: Any, dy: Array, dstate: Array, extras: dict[str, float]) -> tuple[Array, Any]:
        layout, (T, N, I), last, inner = saved
        padded = self.convolve_back(inner, layout.time_major(dy))
        padded[last] += dstate.swapaxes(0, 1)  # no place is in a row twice
        dx = np.empty(layout.shape(T, N, I), self.dtype)
        layout.time_major(dx)[...] = padded[:, self.span - 1 :].swapaxes(0, 1)
        dinitial = np.ascontiguousarray(padded[:, : self.span - 1].swapaxes(0, 1))
        return dx, dinitial if layout.batched else dinitial[:, 0]

    def check_dstate(self, tape: Tape, dstate: Any) -> Array:
        ((layout, (_, N, _), _, _),) = open_tape(tape, self)
        return self._states("dstate", dstate, N, layout)

    def stream(self, batch: int = 1) -> ConvolutionStream:
        """Run the layer one step at a time.

        Parameters
        ----------
        batch : int, default 1
            N.

        Returns
        -------
        ConvolutionStream
            With the methods of `Stream`.
        """
        return ConvolutionStream(self, batch)
