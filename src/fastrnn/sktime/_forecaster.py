# SPDX-License-Identifier: BSD-3-Clause
"""The forecaster of sktime."""

from typing import Any, ClassVar

import numpy as np

from .. import sklearn
from .._engine.arguments import Array
from ..nn._declared import Attribute, later
from ..sklearn._parameters import SeriesParameters
from ..training._data.frames import check_columns
from ._bases import BaseForecaster, ForecastingHorizon

SMALL: dict[str, Any] = {
    "window": 4, "hidden_size": 4, "max_iter": 2, "n_iter_no_change": None, "early_stopping": False,
}  # fmt: skip
ROUNDING = 1e-9  # of a quantile, when it is that of a coverage


class RNNForecaster(SeriesParameters, BaseForecaster):
    """Forecast the next steps of a series with an LSTM, a GRU or a plain RNN: `fastrnn.sklearn.RNNForecaster`.

    The steps up to the last of ``fh`` are forecast at once. X holds exogenous variables that are known in advance, up
    to that last step. ``update`` with ``update_params=True`` trains for one epoch on the windows that end with a new
    step.

    With `quantiles`, ``predict`` returns the median, and ``predict_quantiles`` and ``predict_interval`` interpolate
    linearly between the trained quantiles; quantiles outside their range raise an error. Without `quantiles`, only
    ``predict`` is available.

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from fastrnn.sktime import RNNForecaster
    >>> y = load_airline()
    >>> forecaster = RNNForecaster(window=24, quantiles=[0.05, 0.5, 0.95], max_iter=20, n_iter_no_change=None)
    >>> forecaster.fit(y, fh=range(1, 13)).predict_interval(coverage=0.9).shape
    (12, 2)
    """

    estimator_: Attribute[Any] = later("RNNForecaster", "The fitted estimator of `fastrnn.sklearn`.")

    _tags: ClassVar[dict[str, Any]] = {
        "authors": "fastrnn",
        "maintainers": "fastrnn",
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
        "requires-fh-in-fit": True,
        "X-y-must-have-same-index": True,
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:categorical_in_X": False,
        "capability:non_contiguous_X": False,
        "capability:missing_values": False,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:update": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    _config: ClassVar[dict[str, Any]] = {"remember_data": False}  # the estimator inside remembers what it needs

    def __post_init__(self) -> None:
        self._y = self._X = None  # for those who let sktime remember them, which then expects both
        if self.quantiles is None:
            self.set_tags(**{"capability:pred_int": False})

    def _fit(self, y: Any, X: Any, fh: Any) -> Any:
        horizon = int(max(self._steps(fh)))
        options = {name: getattr(self, name) for name in self._options}
        estimator = sklearn.RNNForecaster(horizon=horizon, **options)
        self.estimator_ = estimator.fit(y.to_numpy(), None if X is None else X.to_numpy())
        self._columns = y.columns
        self._known = None if X is None else X.columns
        self._end = self.cutoff
        return self

    def _predict(self, fh: Any, X: Any) -> Any:
        forecasts = self._forecasts(X)
        if self.quantiles is not None:
            forecasts = forecasts @ self._between([0.5], "quantiles: predict needs the median")[:, 0]
        return self._framed(forecasts, fh, self._columns)

    def _predict_quantiles(self, fh: Any, X: Any, alpha: Any) -> Any:
        import pandas

        forecasts = self._forecasts(X) @ self._between(alpha, "alpha")
        columns = pandas.MultiIndex.from_product([self._get_varnames(), alpha])
        return self._framed(forecasts.reshape(len(forecasts), -1), fh, columns)

    def _update(self, y: Any, X: Any = None, update_params: bool = True) -> Any:
        """Append the steps behind those that are known, which have to follow them."""
        self._check_columns(y, X)
        new = y.index > self._end[0]
        if new.any():
            follows, first = ForecastingHorizon([1]).to_absolute_index(self._end)[0], y.index[new][0]
            if first != follows:
                raise ValueError(f"y: expected steps from {follows} on, which follow those before, got {first}")
            known = None if X is None else X.reindex(y.index[new]).to_numpy()
            self.estimator_.update(y.to_numpy()[new], known, refit=update_params)
            self._end = self.cutoff
        return self

    def _check_columns(self, y: Any, X: Any) -> None:
        """Raise ValueError if DataFrames do not have the columns of `fit` in their order, which sktime does not ask."""
        several = self._columns if len(self._columns) > 1 else None  # a Series may have another name, or none
        for name, value, columns in (("y", y, several), ("X", X, self._known)):
            if value is not None and columns is not None:
                check_columns(name, value, tuple(columns), "those of fit")

    def _steps(self, fh: Any) -> Array:
        """Steps from the last known one, 1 for the next."""
        return np.asarray(fh.to_relative(self.cutoff).to_pandas(), dtype=int)

    def _forecasts(self, X: Any) -> Array:
        """All steps up to the horizon, (horizon, K) or (horizon, K, Q)."""
        horizon = self.estimator_.horizon
        self._check_columns(None, X)
        if X is not None:
            ahead = ForecastingHorizon(np.arange(1, horizon + 1)).to_absolute_index(self.cutoff)
            missing = ahead.difference(X.index)
            if len(missing):
                raise ValueError(f"X: expected a row for each of the next {horizon} steps, got none for {missing[0]}")
            X = X.loc[ahead].to_numpy()
        return self.estimator_.predict(X)

    def _between(self, alpha: Any, what: str) -> Array:
        """Weights (Q, A) by which quantiles that were trained give others."""
        trained = np.asarray(self.quantiles)
        if min(alpha) < trained[0] - ROUNDING or max(alpha) > trained[-1] + ROUNDING:
            raise ValueError(f"{what}: expected quantiles in {trained[0]} to {trained[-1]}, as trained, got {alpha}")
        return np.stack([np.interp(alpha, trained, row) for row in np.eye(len(trained))])

    def _framed(self, forecasts: Array, fh: Any, columns: Any) -> Any:
        """The steps of fh as a DataFrame."""
        import pandas

        steps = self._steps(fh)
        if max(steps) > len(forecasts):
            raise ValueError(f"fh: expected at most {len(forecasts)} steps, as in fit, got {max(steps)}")
        return pandas.DataFrame(forecasts[steps - 1], index=fh.to_absolute_index(self.cutoff), columns=columns)

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Parameters for the checks of sktime."""
        return [SMALL, SMALL | {"cell": "lstm", "quantiles": (0.05, 0.25, 0.5, 0.75, 0.95)}]
