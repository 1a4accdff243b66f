# SPDX-License-Identifier: BSD-3-Clause
"""The linear forecast that is averaged with that of a network."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from fastrnn.sklearn._linear import RIDGES, LinearForecast, solved
from fastrnn.sklearn._samples import Samples
from fastrnn.sklearn._windows import Window


def samples_of(window, values, ahead):
    return Samples(*window.training(values, ahead))


def test_the_solution_is_that_of_a_ridge_regression(rng):
    X, Y = rng.standard_normal((40, 6)), rng.standard_normal((40, 3))
    for ridge, weight in zip((0.1, 10.0), solved(X, Y, (0.1, 10.0)), strict=True):
        expected = Ridge(alpha=ridge, fit_intercept=False).fit(X, Y).coef_.T
        np.testing.assert_allclose(weight, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("relative", [False, True])
def test_a_linear_series_is_forecast(relative, rng):
    """Two sines, each of a frequency that only its own column has: y(t+1) = 2 cos(w) y(t) - y(t-1)."""
    t = np.arange(400)[:, None]
    values, window = np.sin(t * [0.3, 0.5]), Window(12, 3, relative)
    samples = samples_of(window, values, np.zeros((400, 0)))
    forecast, errors = LinearForecast.fit(window, samples, 30)
    assert forecast(samples.x).shape == (386, 3, 2)
    np.testing.assert_allclose(forecast(samples.x), samples.targets[:, 12:], rtol=0, atol=0.01)
    assert errors.shape == (2,) and (errors < 1e-4).all()


def test_what_is_known_ahead_is_read(rng):
    """Noise that X tells, less that of the last known step."""
    X, window = rng.standard_normal((300, 2)), Window(4, 3, True)
    samples = samples_of(window, X @ [[3.0], [-1.0]], X)
    forecast, _ = LinearForecast.fit(window, samples, 30)
    np.testing.assert_allclose(forecast(samples.x), samples.targets[:, 4:], rtol=0, atol=0.02)


def test_the_last_samples_choose_the_ridge_and_are_learned_from(rng):
    """The errors are of regressions without them, the weights are with them."""
    window, values = Window(5, 2, False), rng.standard_normal((60, 1)).cumsum(axis=0)
    samples = samples_of(window, values, np.zeros((60, 0)))
    forecast, (error,) = LinearForecast.fit(window, samples, 8)
    X, Y = values[np.arange(54)[:, None] + np.arange(5), 0], samples.targets[:, 5:, 0]
    tried = [
        np.square(Ridge(alpha=ridge, fit_intercept=False).fit(X[:-8], Y[:-8]).predict(X[-8:]) - Y[-8:]).mean()
        for ridge in RIDGES
    ]
    assert error == pytest.approx(min(tried))
    expected = Ridge(alpha=RIDGES[np.argmin(tried)], fit_intercept=False).fit(X, Y).coef_
    np.testing.assert_allclose(forecast.columns[0].params["weight"], expected, rtol=1e-9, atol=1e-12)


def test_one_window_gives_the_bits_of_many(rng):
    window, values = Window(9, 4, True), rng.standard_normal((80, 2))
    samples = samples_of(window, values, np.zeros((80, 0)))
    forecast, _ = LinearForecast.fit(window, samples, 8)
    together = forecast(samples.x)
    assert all((forecast(samples.x[n : n + 1]) == together[n]).all() for n in range(len(together)))
