# SPDX-License-Identifier: BSD-3-Clause
"""Windows of a series: known steps, followed by steps to forecast."""

from typing import NamedTuple

import numpy as np

from .._engine.arguments import Array
from ..losses import quantile_loss
from ..losses._mean import Mean


class Window(NamedTuple):
    """The windows that a network reads: `past` known steps and `horizon` steps to forecast.

    The features of a step are the K values (0 at steps to forecast), the E columns of X, and a flag that is 1 at steps
    to forecast. With `relative`, values are differences from the last known ones.
    """

    past: int
    horizon: int
    relative: bool

    @property
    def steps(self) -> int:
        return self.past + self.horizon

    def inputs(self, values: Array, ahead: Array) -> Array:
        """The network's input (n, steps, K+E+1), from values (n, past, K) and columns of X (n, steps, E)."""
        n, _, K = values.shape
        x = np.zeros((n, self.steps, K + ahead.shape[2] + 1), values.dtype)
        x[:, : self.past, :K] = values - self.level(values)
        x[..., K:-1] = ahead
        x[:, self.past :, -1] = 1
        return x

    def features(self, x: Array, k: int, columns: int) -> Array:
        """The features of the regression of column k, one of `columns`, from windows (n, steps, K+E+1)."""
        ahead = x[:, self.past - 1 :, columns:-1].reshape(len(x), -1)
        return np.concatenate([x[:, : self.past, k], ahead], axis=1, dtype=np.float64)

    def level(self, values: Array) -> Array:
        """The reference that is subtracted from values (n, past or more, K): the last known ones (n, 1, K), or 0."""
        return values[:, self.past - 1 : self.past] * self.relative

    def scale(self, values: Array) -> tuple[Array, Array]:
        """Mean and scale (K,) of a series (T, K). If `relative`: 0, and the scale of the differences."""
        largest = np.abs(values).max(axis=0).astype(np.float64)
        unit = np.where(largest > 0, largest, 1)  # so that no square is too large or too small for float64
        parts = values / unit
        if self.relative:
            windows = self.slide(parts, self.steps)
            mean, scale = np.zeros(values.shape[1]), np.sqrt(((windows - self.level(windows)) ** 2).mean(axis=(0, 1)))
        else:
            mean, scale = parts.mean(axis=0), parts.std(axis=0)
        rounding = 10 * np.finfo(values.dtype).eps
        return mean * unit, np.where(scale > rounding, scale * unit, 1)  # constant values stay what they are

    def training(self, values: Array, ahead: Array) -> tuple[Array, Array, Array]:
        """x (n, steps, K+E+1), targets and weights (n, steps, K) of every window of a series (T, K) and (T, E)."""
        windows, known = (self.slide(array, self.steps) for array in (values, ahead))
        weights = np.zeros(windows.shape)
        weights[:, self.past :] = 1
        return self.inputs(windows[:, : self.past], known), windows - self.level(windows), weights

    @staticmethod
    def slide(array: Array, steps: int) -> Array:
        """Every window of a series (T, F): (T-steps+1, steps, F)."""
        return np.lib.stride_tricks.sliding_window_view(array, steps, axis=0).swapaxes(1, 2)


def pinball(
    y: Array, target: Array, quantiles: tuple[float, ...], sample_weight: Array | None = None
) -> tuple[Mean, Array]:
    """`quantile_loss` of outputs (N, T, K*Q), the quantiles of each of K values side by side."""
    outputs = y.reshape(*target.shape, len(quantiles))
    value, dy = quantile_loss(outputs, target, quantiles=quantiles, sample_weight=sample_weight)
    return value, dy.reshape(y.shape)
