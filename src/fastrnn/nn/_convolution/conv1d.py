# SPDX-License-Identifier: BSD-3-Clause
"""Conv1d."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array
from ..._engine.layout import as_sequence
from ..._engine.ragged import as_lengths, length_mask
from .._option import KW_ONLY
from .._options import Size
from .._signal import Axes
from .._tape import Tape, exclusive
from .convolution import Convolution


class Conv1d(Convolution):
    """A convolution over time, like torch.nn.Conv1d but with the features in the last axis.

    y_t = b + sum over j < k of W_j x_(t stride + j dilation), where x has `padding` zeros before and after it.

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
    A row of length L gives ``(L + 2 padding - dilation (k - 1) - 1) // stride + 1`` steps, at least 0, and none if L is
    0. With `lengths`, steps beyond the end of a row count as zeros, so each row has the same result as alone.
    `CausalConv1d` is the convolution for streams.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.Conv1d(3, 8, 5, stride=2, padding=2, seed=0), fr.GRU(8, 4, seed=1))
    >>> y, h = model(np.ones((10, 2, 3), np.float32), lengths=[10, 5])
    >>> y.shape, bool(y[3:, 1].any())
    ((5, 2, 4), False)
    """

    _: KW_ONLY
    stride: Size = Size("The distance between the windows of consecutive outputs.", default=1)
    padding: Size = Size(
        "The number of zeros added before the first and after the last step of each row.", default=0, low=0
    )

    @property
    def takes_lengths(self) -> bool:
        return True

    def axes_after(self, axes: Axes | None) -> Axes | None:
        return self.axes_in or axes

    _skips_dx = True  # in its own `backward`

    def _after(self, steps: Any) -> Any:
        """How many steps y has, given those of x: a number, or an array of them."""
        windows = (steps + 2 * self.padding - self.span) // self.stride + 1
        return windows * ((windows > 0) & (steps > 0))

    def steps_after(self, steps: int | None) -> int | None:
        return None if steps is None else self._after(steps)

    def lengths_after(self, lengths: Any) -> Any:
        return None if lengths is None else self._after(np.asarray(lengths))

    def _forward(self, x: ArrayLike, lengths: ArrayLike | None, training: bool) -> tuple[Array, Any]:
        x, layout = as_sequence("x", x, self.in_channels, self.dtype, self.batch_first)
        T, N, _ = x.shape
        after = None
        if lengths is not None:
            lengths = as_lengths(lengths, T, N)
            after = self._after(lengths)
        padded = self.padded(x, self.padding, self.padding, lengths, training)
        y, saved = self.convolve(padded, layout, self._after(T), self.stride, after, training)
        return y, (layout, x.shape, lengths, saved)

    def __call__(self, x: ArrayLike, lengths: ArrayLike | None = None) -> Array:
        """Inference.

        Parameters
        ----------
        x : array_like, shape (T, N, I), with `batch_first` (N, T, I), or unbatched (T, I)
        lengths : array_like of int, shape (N,), optional
            The number of valid steps of each row, 0..T, in any order.

        Returns
        -------
        y : ndarray
            O features in x's layout; 0 beyond what a row's length gives.
        """
        return self._forward(x, lengths, training=False)[0]

    def forward(self, x: ArrayLike, lengths: ArrayLike | None = None) -> tuple[Array, Tape]:
        """Training: (y, tape). `x` may be changed before `backward`."""
        y, content = self._forward(x, lengths, training=True)
        return y, Tape(self, content, y.shape)

    @exclusive
    def backward(self, tape: Tape, dy: ArrayLike) -> Any:
        """The gradient of x, of x's shape; 0 beyond a row's length. None if the tape has ``needs_dx=False``."""
        (layout, (T, N, I), lengths, saved), dy = self._opened(tape, dy)
        tape.close()
        needs_dx = tape.needs_dx or not self._skips_dx
        padded = self.convolve_back(saved, layout.time_major(dy), needs_dx)
        if not needs_dx:
            return None
        dx = np.empty(layout.shape(T, N, I), self.dtype)
        steps = layout.time_major(dx)
        steps[...] = padded[:, self.padding : self.padding + T].swapaxes(0, 1)
        if lengths is not None:
            steps[~length_mask(lengths, T)] = 0
        return dx

    def apply(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, None, Tape | None]:
        y, tape = self.forward(x, lengths) if training else (self(x, lengths), None)
        return y, None, tape

    def apply_backward(self, tape: Tape, dy: Any, dstate: Any) -> tuple[Any, None]:
        return self.backward(tape, dy), None
