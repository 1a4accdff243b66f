# SPDX-License-Identifier: BSD-3-Clause
"""Forecasts by linear regression, to be combined with those of a network."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from .._engine.arguments import Array
from ..nn import Linear
from ._samples import Samples
from ._windows import Window

# Values have a mean square of about 1, so that a ridge weighs as much as that many windows.
RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class LinearForecast(NamedTuple):
    """Ridge regressions that forecast each of the K columns of a series from the windows that a network reads.

    The F features of a column are its own past and the columns of X from the last known step on. There is no bias: if
    all features are 0, so is the forecast.

    Attributes
    ----------
    window : Window
    columns : tuple of Linear
        From F features to `horizon` steps, for each column.
    """

    window: Window
    columns: tuple[Linear, ...]

    @classmethod
    def fit(cls, window: Window, samples: Samples, last: int) -> tuple[Self, Array]:
        """Choose the ridge of each column by the error on the last samples, then fit to all samples.

        Returns
        -------
        forecast : LinearForecast
        errors : ndarray, shape (K,)
            The mean squared errors on the last samples, of regressions that were fitted without them.
        """
        K, columns, errors = samples.targets.shape[2], [], []
        for k in range(K):
            X, Y = window.features(samples.x, k, K), samples.targets[:, window.past :, k].astype(np.float64)
            solutions = solved(X[:-last], Y[:-last], RIDGES)
            tried = [np.square(X[-last:] @ weight - Y[-last:]).mean() for weight in solutions]
            column = Linear(X.shape[1], window.horizon, bias=False, dtype=np.float64, seed=0)
            column.params["weight"] = solved(X, Y, [RIDGES[np.argmin(tried)]])[0].T
            columns.append(column)
            errors.append(min(tried))
        return cls(window, tuple(columns)), np.array(errors)

    def __call__(self, x: Array) -> Array:
        """Forecasts (n, horizon, K) of windows (n, steps, K+E+1)."""
        K = len(self.columns)
        return np.stack([column(self.window.features(x, k, K)) for k, column in enumerate(self.columns)], axis=2)


def solved(X: Array, Y: Array, ridges: Sequence[float]) -> list[Array]:
    """The weights (F, O) of ridge regressions from X (n, F) to Y (n, O)."""
    left, right, identity = X.T @ X, X.T @ Y, np.eye(X.shape[1])
    return [np.linalg.solve(left + ridge * identity, right) for ridge in ridges]
