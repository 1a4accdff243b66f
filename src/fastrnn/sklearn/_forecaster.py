# SPDX-License-Identifier: BSD-3-Clause
"""`RNNForecaster`: the next steps of a series."""

import copy
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._engine.arguments import Array, as_flag, as_size
from ._forecasting import Forecasting
from ._options import learns
from ._series import check_series, end_of


class RNNForecaster(Forecasting):
    """Forecast the next steps of a series of one or several values with an LSTM, a GRU or a plain RNN.

    The network reads the last `window` steps and runs for `horizon` more steps, at which the values are unknown; its
    outputs there are its forecasts. They are averaged with those of a linear regression on the same window, each
    weighted by the validation error of the other: see `linear`.

    Notes
    -----
    The weights are those of Bates and Granger, "The combination of forecasts", Operational Research Quarterly 20
    (1969), without the correlation of the errors.

    Training holds T windows in memory, of ``window + horizon`` steps of 3 K + E + 1 numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.sklearn import RNNForecaster
    >>> y = np.sin(np.arange(400) / 5)
    >>> forecaster = RNNForecaster(window=30, horizon=5, max_iter=20, n_iter_no_change=None, random_state=0)
    >>> forecasts = forecaster.fit(y[:395]).predict()
    >>> bool(np.abs(forecasts - y[395:]).max() < 0.1)
    True
    """

    @learns
    def fit(self, y: Any, X: Any = None) -> Self:
        """Train on a series.

        Parameters
        ----------
        y : array_like, shape (T,) or (T, K)
            At least `window` plus `horizon` steps.
        X : array_like, shape (T, E), optional
            Inputs whose future values are known, such as the day of the week. Other inputs are further columns of y.
        """
        self._fit(X, y, None)
        return self

    def predict(self, X: Any = None) -> Array:
        """The next steps of the series.

        Parameters
        ----------
        X : array_like, shape (horizon, E), optional
            The inputs of the next steps, if `fit` had X.

        Returns
        -------
        ndarray, shape (horizon,) or (horizon, K), or with Q quantiles (horizon, Q) or (horizon, K, Q)

        Raises
        ------
        NotFittedError
            There was no `fit`.
        TypeError, ValueError
            X is not as in `fit`.
        """
        check_is_fitted(self)
        check_series(None, X, self._known)
        ahead = self._read_ahead(X, self._window.horizon)
        known = np.concatenate([self._ahead, ahead])[-self._window.steps :]
        return self._forecasts(self._values[-self._window.past :][None], known[None])[0]

    def update(self, y: Any, X: Any = None, *, refit: bool = False) -> Self:
        """Append new steps, so that the next forecast follows them.

        Parameters
        ----------
        y : array_like, shape (S,) or (S, K)
        X : array_like, shape (S, E), optional
        refit : bool, default False
            Train the network for one epoch on the windows that end with one of these steps. The linear regression
            stays as it is.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            There was no `fit`.
        TypeError, ValueError
            y or X is not as in `fit`, or a parameter has changed that the model has from its beginning.
        """
        check_is_fitted(self)
        self._check_structure()
        check_series(y, X, self._known)
        values = self._read_values(y)
        ahead = self._read_ahead(X, len(values))
        values, ahead = np.concatenate([self._values, values]), np.concatenate([self._ahead, ahead])
        if as_flag("refit", refit) and len(values) >= self._window.steps:
            self._run(self._samples(values, ahead), 1)
        self._values, self._ahead = self._last(values), self._last(ahead)
        self._known = self._known._replace(end=end_of(y))
        return self

    def backtest(self, y: Any, X: Any = None, *, step: int = 1, refit: bool = False) -> tuple[Array, Array]:
        """Forecast new steps from rolling origins. The forecaster is not changed.

        Parameters
        ----------
        y : array_like, shape (S,) or (S, K)
            At least `horizon` steps.
        X : array_like, shape (S, E), optional
        step : int, default 1
            The distance between origins. The first forecast is of the first steps of y.
        refit : bool, default False
            Train a copy for one epoch at every origin, on the windows that have become available: see `update`.

        Returns
        -------
        forecasts : ndarray, shape (n, horizon, ...)
            As of `predict`, from each of n origins.
        actual : ndarray, shape (n, horizon) or (n, horizon, K)

        Raises
        ------
        NotFittedError
            There was no `fit`.
        TypeError, ValueError
            An argument is wrong.
        """
        check_is_fitted(self)
        check_series(y, X, self._known)
        window, step, new = self._window, as_size("step", step), self._read_values(y)
        ahead = self._read_ahead(X, len(new))
        if len(new) < window.horizon:
            raise ValueError(f"y: expected at least {window.horizon} steps, the horizon, got {len(new)}")
        actual = window.slide(new, window.horizon)[::step]
        if as_flag("refit", refit):
            forecasts, forecaster = [], copy.deepcopy(self)
            for origin in range(0, len(new) - window.horizon + 1, step):
                known = ahead[origin : origin + window.horizon]
                forecasts.append(forecaster.predict(known if known.shape[1] else None))
                seen = slice(origin, origin + step)
                forecaster.update(self._laid_out(new[seen]), ahead[seen] if known.shape[1] else None, refit=True)
            return np.stack(forecasts), self._laid_out(actual)
        first = len(self._values) - window.past
        values = window.slide(np.concatenate([self._values, new]), window.steps)[first::step, : window.past]
        known = window.slide(np.concatenate([self._ahead, ahead]), window.steps)[first::step]
        return self._forecasts(values, known), self._laid_out(actual)
