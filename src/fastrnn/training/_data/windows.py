# SPDX-License-Identifier: BSD-3-Clause
"""Windows of a series as training data for a forecast."""

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_array, as_flag, as_size


def windows(
    series: ArrayLike, past: int, horizon: int = 1, stride: int = 1, *, batch_first: bool = False
) -> tuple[Array, Array]:
    """Cut a series into windows: `past` steps to read, and the `horizon` steps after them to forecast.

    Row k begins at step ``k * stride``: ``x[t, k] = series[k * stride + t]``, ``y[t, k] = series[k * stride + past +
    t]``. There are ``n = (T - past - horizon) // stride + 1`` rows.

    Parameters
    ----------
    series : array_like, shape (T,) or (T, F)
        One series of F features at each step; (T,) is F = 1. Its dtype is kept, so it should be that of the model.
    past : int
        Steps in each row of x.
    horizon : int, default 1
        Steps in each row of y.
    stride : int, default 1
        Steps between the starts of consecutive rows.
    batch_first : bool, default False
        Rows come first, as for a model with `batch_first`.

    Returns
    -------
    x : ndarray, shape (past, n, F), with `batch_first` (n, past, F)
    y : ndarray, shape (horizon, n, F), with `batch_first` (n, horizon, F)
        Both are read-only views of the series: nothing is copied.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range, the series is shorter than ``past + horizon``, or there are
        several series.

    Notes
    -----
    Pass them to `fit`. Train a model with one output per row, such as one with `LastStep`, on ``y[0]``, with
    `batch_first` on ``y[:, 0]``; and one that outputs `horizon` steps, such as one with `RepeatVector`, on y. Rows
    overlap, so split the series into training and validation parts first, and then make the windows of each. Windows of
    several series can be concatenated along the axis of the rows: ``np.concatenate([x_1, x_2], axis=1)``.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> x, y = fr.windows(np.sin(np.arange(300, dtype=np.float32) / 5), past=20)
    >>> x.shape, y.shape
    ((20, 280, 1), (1, 280, 1))
    >>> model = fr.Sequential(fr.GRU(1, 8, seed=0), fr.LastStep(), fr.Linear(8, 1, seed=1))
    >>> losses = fr.fit(model, fr.mse_loss, x, y[0], epochs=5, seed=0, progress=False)["loss"]
    >>> losses[-1] < losses[0]
    True
    """
    past, horizon, stride = as_size("past", past), as_size("horizon", horizon), as_size("stride", stride)
    batch_first = as_flag("batch_first", batch_first)
    if isinstance(series, list | tuple) and any(getattr(step, "ndim", 0) for step in series):
        raise TypeError(
            f"series: expected one array (T,) or (T, F), got a {type(series).__name__} of arrays; "
            "make the windows of each series, and join them along the axis of the rows"
        )
    array = as_array("series", series)
    if array.ndim not in (1, 2):
        raise ValueError(f"series: expected one series (T,) or (T, F), got {array.shape}")
    if len(array) < past + horizon:
        raise ValueError(f"series: expected at least {past + horizon} steps, past + horizon, got {len(array)}")
    array = array[:, None] if array.ndim == 1 else array
    whole = np.lib.stride_tricks.sliding_window_view(array, past + horizon, axis=0)[::stride]  # (n, F, past + horizon)
    whole = whole.transpose((0, 2, 1) if batch_first else (2, 0, 1))
    x, y = np.split(whole, [past], axis=1 if batch_first else 0)
    return x, y
