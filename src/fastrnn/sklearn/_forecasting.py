# SPDX-License-Identifier: BSD-3-Clause
"""The base of `RNNForecaster`: from series to windows, and from outputs to forecasts."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .._engine.arguments import Array
from ..losses import mse_loss
from ..nn import Sequential
from ..nn._declared import Attribute, later
from ..training import predict
from ._linear import LinearForecast
from ._network import Network
from ._parameters import ForecasterParameters
from ._samples import Samples, fitted_scaler
from ._sequences import FLOATS
from ._series import Known, check_series
from ._targets import checked
from ._training import make_forecaster, share, validates
from ._windows import Window, pinball


class Forecasting(ForecasterParameters, Network):
    """`RNNForecaster` without its public methods.

    It keeps the last steps of the series: `_values` (., K), and their columns of X, `_ahead` (., E).
    """

    model_: Attribute[Sequential] = later("Sequential", "The trained network, of standardized windows.")
    n_features_in_: Attribute[int] = later("int", "E, the columns of X.")
    x_scaler_: Attribute[Any] = later("StandardScaler or None", "Of X.")
    network_share_: Attribute[Array] = later(
        "ndarray of float, shape (K,)",
        "The weight of the network in the forecasts of each column; the linear regression has the rest.",
    )

    _structure = ("window", "horizon", "quantiles", "relative", "cell", "hidden_size", "num_layers", "dropout")

    @property
    def _loss(self) -> Callable[..., Any]:  # type: ignore[override]
        return mse_loss if self.quantiles is None else functools.partial(pinball, quantiles=tuple(self.quantiles))

    def _begin(self, X: Any, y: Any, sample_weight: Any, again: bool, classes: Any = None) -> Samples:
        self._forget()
        window = Window(self.window, self.horizon, self.relative)
        check_series(y, X)
        self._known = Known.of(y, X)
        values = checked("y", y, FLOATS)
        self._target_shape: tuple[int, ...] = values.shape[1:]
        self._dtype = values.dtype
        values = self._read_values(values)
        if len(values) < window.steps:
            raise ValueError(f"y: expected at least {window.steps} steps, window and horizon, got {len(values)}")
        self._check_linear(len(values) - window.steps + 1)
        shape = (0,) * 2 if X is None else checked("X", X, FLOATS).shape
        if len(shape) != 2:
            raise ValueError(f"X: expected (T, E), got shape {shape}")
        self.n_features_in_ = shape[1]
        ahead = self._read_ahead(X, len(values))
        self._begin_model(values.dtype)
        self._window: Window = window
        scales: tuple[Array, Array] = window.scale(values)
        self._mean, self._scale = scales  # (K,), in float64
        self.x_scaler_ = fitted_scaler(ahead, None) if self.n_features_in_ else None
        count = 1 if self.quantiles is None else len(self.quantiles)
        self.model_ = self._make_model(values.shape[1] + ahead.shape[1] + 1, values.shape[1] * count)
        self.network_share_ = np.ones(values.shape[1])
        self._linear: LinearForecast | None = None
        self._values: Array = self._last(values)
        self._ahead: Array = self._last(ahead)
        return self._samples(values, ahead)

    def _check_linear(self, windows: int) -> None:
        """Raise ValueError if `linear` is True and the regression cannot be combined with the network."""
        if self._checked("linear")["linear"] is not True:
            return
        if self.quantiles is not None:
            raise ValueError("linear: expected False or 'auto' with quantiles, which it does not forecast, got True")
        if not validates(self.early_stopping, windows):
            raise ValueError(
                f"linear: expected False or 'auto' without windows for validation, got True and {windows} windows with "
                f"early_stopping={self.early_stopping!r}"
            )

    def _finish(self, samples: Samples, last: int) -> None:
        """Fit the linear regression, and weight both models by their validation errors."""
        if self._checked("linear")["linear"] is False or self.quantiles is not None or not last:
            return
        with self._threads():
            y = predict(self.model_, samples.x[-last:])[:, self._window.past :]
        network = np.square(y - samples.targets[-last:, self._window.past :], dtype=np.float64).mean(axis=(0, 1))
        self._linear, linear = LinearForecast.fit(self._window, samples, last)
        both = linear + network
        self.network_share_ = np.divide(linear, both, out=np.full_like(both, 0.5), where=both > 0)

    def _layers(self, options: dict[str, Any], sizes: tuple[int, int], seeds: list[int]) -> Sequential:
        return make_forecaster(options, sizes, self._dtype, seeds)

    def _with_validation_last(self, samples: Samples) -> tuple[Samples, int]:
        last = share(samples.count, self.validation_fraction)
        first = samples.count - last - (self._window.horizon - 1)  # what lies between overlaps with both
        if last < 1 or first < 1:
            raise ValueError(
                f"validation_fraction: expected a window in both parts, got {samples.count}, of which {last} are for "
                f"validation and {self._window.horizon - 1} overlap with them; early_stopping=False needs none"
            )
        return samples.only(np.r_[:first, samples.count - last : samples.count]), last

    # -- series --------------------------------------------------------------------------------------------------------

    def _read_values(self, y: Any) -> Array:
        """The values (S, K) of y, which has the shape of that of `fit`."""
        values = checked("y", y, self._dtype)
        if values.shape[1:] != self._target_shape or values.ndim > 2:
            raise ValueError(f"y: expected (T,) or (T, K), with the K of fit, got shape {values.shape}")
        return values.reshape(len(values), -1)

    def _read_ahead(self, X: Any, steps: int) -> Array:
        """The columns of X (S, E) at `steps` steps; X has the columns of that of `fit`."""
        columns = self.n_features_in_
        if X is None and not columns:
            return np.zeros((steps, 0), self._dtype)
        ahead = None if X is None else checked("X", X, self._dtype)
        if ahead is None or ahead.shape != (steps, columns):
            expected = f"({steps}, {columns}), a row for each step" if columns else "None, as in fit"
            raise ValueError(f"X: expected {expected}, got {'None' if ahead is None else f'shape {ahead.shape}'}")
        return ahead

    def _last(self, series: Array) -> Array:
        """The last steps, which later windows include."""
        return series[-max(self._window.steps - 1, 1) :].copy()

    def _laid_out(self, values: Array) -> Array:
        """Values (..., K) in the layout of y."""
        return values.reshape(*values.shape[:-1], *self._target_shape)

    # -- windows -------------------------------------------------------------------------------------------------------

    def _samples(self, values: Array, ahead: Array) -> Samples:
        """Every window of a series."""
        return Samples(*self._window.training(*self._standardized(values, ahead)))

    def _standardized(self, values: Array, ahead: Array) -> tuple[Array, Array]:
        """Values (..., K) and columns of X (..., E), scaled as the network reads them."""
        scaler = self.x_scaler_
        known = ahead if scaler is None else ((ahead - scaler.mean_) / scaler.scale_).astype(self._dtype)
        return ((values - self._mean) / self._scale).astype(self._dtype), known

    def _forecasts(self, values: Array, ahead: Array) -> Array:
        """Forecasts (n, horizon, ...) after values (n, past, K), with columns of X (n, steps, E)."""
        values, ahead = self._standardized(values, ahead)
        x = self._window.inputs(values, ahead)
        with self._threads():
            y = predict(self.model_, x)[:, self._window.past :]
        if self._linear is not None:
            y = self.network_share_ * y + (1 - self.network_share_) * self._linear(x)
        y = y.reshape(*y.shape[:2], values.shape[2], -1) + self._window.level(values)[..., None]
        y = np.sort(y * self._scale[:, None] + self._mean[:, None], axis=-1).astype(self._dtype)
        quantiles = () if self._made_with["quantiles"] is None else y.shape[3:]  # those of the model
        return y.reshape(*y.shape[:2], *self._target_shape, *quantiles)
