# SPDX-License-Identifier: BSD-3-Clause
"""From a sequence to one vector per row, and back: time goes, and time comes."""

import numpy as np

from .._engine import arguments
from .._engine.layout import Layout
from .._engine.ragged import as_lengths
from ._layer import Layer
from ._tape import Tape


class Pool(Layer):
    """What LastStep, MeanPool and MaxPool share: all but what they make of a row's steps.

    A kind of pooling defines ``_pool(x, lengths)``, which returns y (N, F) and what ``_spread(dy, kept, lengths, dx)``
    needs to write the gradient of x, which is 0, (T, N, F).
    """

    takes_lengths = True

    def __init__(self, *, batch_first=False, dtype=np.float32):
        self.batch_first = arguments.as_flag("batch_first", batch_first)
        self.dtype = arguments.as_dtype(dtype)
        self._own({})

    def config(self):
        return {"batch_first": self.batch_first, "dtype": str(self.dtype)}

    def features_after(self, features):
        return features

    def lengths_after(self, lengths):
        return None

    def _run(self, x, lengths):
        x = arguments.as_floats("x", x, self.dtype)
        layout = Layout(x.ndim != 2, self.batch_first)
        if x.ndim not in (2, 3):
            raise ValueError(f"x: expected {layout.axes('F')} or (T, F), got {x.shape}")
        x = layout.time_major(x)
        T, N, _ = x.shape
        lengths = np.full(N, T) if lengths is None else as_lengths(lengths, T, N)
        y, kept = self._pool(x, lengths)
        return (y if layout.batched else y[0]), (layout, x.shape, lengths, kept)

    def __call__(self, x, lengths=None):
        """Inference.

        Parameters
        ----------
        x : array_like, shape (T, N, F), with `batch_first` (N, T, F), or unbatched (T, F)
        lengths : array_like of int, shape (N,), optional
            How many steps of each row count, 0..T; the others are not read.

        Returns
        -------
        y : ndarray, shape (N, F), or (F,)
            0 for a row of length 0.
        """
        return self._run(x, lengths)[0]

    def forward(self, x, lengths=None):
        """Training: (y, tape)."""
        y, content = self._run(x, lengths)
        return y, Tape(self, content)

    def backward(self, tape, dy):
        """Gradient with respect to x, of x's shape; 0 beyond a row's length."""
        layout, (T, N, F), lengths, kept = Tape.check(tape, self)
        dy = arguments.as_floats("dy", dy, self.dtype)
        shape = (N, F) if layout.batched else (F,)
        if dy.shape != shape:
            raise ValueError(f"dy: expected {shape}, the shape of y, got {dy.shape}")
        tape.use()
        dx = np.zeros(layout.shape(T, N, F), self.dtype)
        self._spread(dy.reshape(N, F), kept, lengths, layout.time_major(dx))
        return dx


class LastStep(Pool):
    """Each row's own last step: (T, N, F) gives (N, F).

    Of the output of a recurrent layer of one direction that is the h of its last layer: ``y[-1]`` where every row is
    full, and for the others the step at which they end. (A row of length 0 gives 0 where h is its initial state.)

    A layer of both directions has read a whole row forwards when the row ends, and backwards when it begins. With
    ``bidirectional=True`` the first half of the features is therefore that of the last step, and the second half that
    of step 0: the h of both directions, side by side. The last step alone would show one step only to the second.

    Parameters
    ----------
    bidirectional : bool
        F is then even.
    batch_first : bool
        x is (N, T, F).
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
    >>> gru, last = fr.GRU(3, 4, bidirectional=True, seed=0), fr.LastStep(bidirectional=True)
    >>> y, h = gru(np.ones((5, 2, 3), np.float32), lengths=[5, 2])
    >>> bool((last(y, [5, 2]) == np.concatenate([h[0], h[1]], axis=-1)).all())
    True
    """

    def __init__(self, *, bidirectional=False, batch_first=False, dtype=np.float32):
        self.bidirectional = arguments.as_flag("bidirectional", bidirectional)
        super().__init__(batch_first=batch_first, dtype=dtype)

    def config(self):
        return {"bidirectional": self.bidirectional, **super().config()}

    def _parts(self, lengths, F):
        """(rows, the step that each gives, which features) of each direction."""
        rows = np.flatnonzero(lengths)
        if not self.bidirectional:
            return [(rows, lengths[rows] - 1, slice(F))]
        return [(rows, lengths[rows] - 1, slice(F // 2)), (rows, np.zeros_like(rows), slice(F // 2, F))]

    def _pool(self, x, lengths):
        _, N, F = x.shape
        if self.bidirectional and F % 2:
            raise ValueError(f"x: expected an even number of features, half of them of each direction, got {F}")
        y = np.zeros((N, F), self.dtype)
        for rows, steps, features in self._parts(lengths, F):
            y[rows, features] = x[steps, rows, features]
        return y, None

    def _spread(self, dy, kept, lengths, dx):
        for rows, steps, features in self._parts(lengths, dx.shape[-1]):
            dx[steps, rows, features] = dy[rows, features]


class MeanPool(Pool):
    """The mean of each row's own steps: (T, N, F) gives (N, F).

    Parameters
    ----------
    batch_first : bool
        x is (N, T, F).
    dtype : {np.float32, np.float64}

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

    def _pool(self, x, lengths):
        total = total_of(x, lengths)
        total /= np.maximum(lengths, 1)[:, None]
        return total.astype(self.dtype), None

    def _spread(self, dy, kept, lengths, dx):
        share = dy / np.maximum(lengths, 1).astype(self.dtype)[:, None]
        np.copyto(dx, share, where=inside(lengths, len(dx)))


class MaxPool(Pool):
    """The largest value of each feature among each row's own steps: (T, N, F) gives (N, F).

    The gradient goes to the step that gave the value; among equal ones to the first. A NaN counts as the largest.

    Parameters
    ----------
    batch_first : bool
        x is (N, T, F).
    dtype : {np.float32, np.float64}

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

    def _pool(self, x, lengths):
        T, N, F = x.shape
        if T == 0:
            return np.zeros((N, F), self.dtype), None
        best = np.where(inside(lengths, T), x, self.dtype.type(-np.inf)).argmax(axis=0)[None]  # (1, N, F)
        y = np.take_along_axis(x, best, axis=0)[0]
        y[lengths == 0] = 0
        return y, best

    def _spread(self, dy, kept, lengths, dx):
        if kept is not None:
            np.put_along_axis(dx, kept, np.where(lengths[:, None] > 0, dy, 0)[None], axis=0)


def inside(lengths, T):
    """Which positions belong to their row, (T, N, 1)."""
    return (np.arange(T)[:, None] < lengths)[..., None]


def total_of(x, lengths):
    """The sum over each row's own steps, (N, F), in float64 and in the order of time.

    A sum over the axis as a whole would be faster, but NumPy orders it by the shapes and strides at hand, and a row
    alone would not have the bits of the row in a batch.
    """
    total = np.zeros(x.shape[1:])
    with np.errstate(over="ignore", invalid="ignore"):
        for x_t, counts in zip(x, inside(lengths, len(x)), strict=True):
            np.add(total, x_t, out=total, where=counts)
    return total
