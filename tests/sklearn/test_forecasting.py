# SPDX-License-Identifier: BSD-3-Clause
"""How a forecaster reads a series: what is validated, scaled and refused."""

import functools

import numpy as np
import pytest
from support.sklearn import forecaster

from fastrnn.sklearn._forecasting import Forecasting
from fastrnn.sklearn._samples import Samples


@pytest.mark.parametrize("horizon", [1, 4])
def test_the_last_windows_are_for_validation_and_none_overlaps_their_forecasts(horizon):
    """Of 100 windows, the forecasts of window n are of the steps n to n + horizon - 1."""
    estimator = forecaster(horizon=horizon).fit(np.arange(60.0))
    numbers = np.arange(100)
    samples, last = estimator._with_validation_last(Samples(numbers, numbers, None))
    trained, validated = samples.targets[:-last], samples.targets[-last:]
    assert validated.tolist() == list(range(90, 100)) and trained.tolist() == list(range(91 - horizon))


@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_too_few_windows_for_both_parts_are_an_error(fraction):
    """3 windows: none is a tenth of them, and one leaves none that does not overlap with it."""
    estimator, y = forecaster(window=5, horizon=4, validation_fraction=fraction), np.arange(11.0)
    with pytest.raises(ValueError, match="validation_fraction: expected a window in both parts, got 3, of which"):
        estimator.fit(y)
    assert len(estimator.set_params(early_stopping=False).fit(y).predict()) == 4


def test_the_scale_of_a_series_does_not_matter(rng):
    y, X = rng.standard_normal((60, 2)), rng.standard_normal((60, 1))
    small = forecaster(horizon=2).fit(y, X).predict(X[:2])
    large = forecaster(horizon=2).fit(1000 * y + 500, 64 * X - 3).predict(64 * X[:2] - 3)
    np.testing.assert_allclose(large, 1000 * small + 500, rtol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forecasts_have_the_dtype_of_the_series(dtype, rng):
    estimator = forecaster().fit(rng.standard_normal(40).astype(dtype))
    assert estimator.predict().dtype == estimator.model_.layers[0].dtype == dtype


def test_the_loss_is_that_of_the_mean_or_of_the_quantiles():
    assert forecaster()._loss.__name__ == "mse_loss"
    assert isinstance(forecaster(quantiles=[0.1, 0.9])._loss, functools.partial)
    assert issubclass(type(forecaster()), Forecasting)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"window": 0}, "window: expected at least 1, got 0"),
        ({"horizon": 0}, "horizon: expected at least 1, got 0"),
        ({"relative": "yes"}, "relative: expected True or False, got 'yes'"),
        ({"quantiles": [0.9, 0.1]}, r"quantiles: expected numbers in \(0, 1\) in rising order"),
        ({"quantiles": "ab"}, r"quantiles: expected numbers in \(0, 1\) in rising order"),
        ({"quantiles": 0.5}, r"quantiles: expected numbers in \(0, 1\) in rising order"),
        ({"quantiles": [0.5, 1.5]}, "quantiles"),
        ({"cell": "tcn"}, "cell: expected one of gru, lstm, rnn, got 'tcn'"),
        ({"dropout": 1.0}, "dropout: expected a probability"),
        ({"window": 39}, "y: expected at least 41 steps, window and horizon, got 40"),
    ],
)
def test_parameters_out_of_range_are_named(parameters, words, rng):
    with pytest.raises((TypeError, ValueError), match=words):
        forecaster(**{"horizon": 2} | parameters).fit(rng.standard_normal(40))


def test_series_have_the_columns_of_fit(rng):
    y, X = rng.standard_normal((40, 2)), rng.standard_normal((40, 3))
    estimator = forecaster(horizon=2).fit(y, X)
    for wrong, words in (
        (
            lambda: estimator.update(y[:, :1], X),
            r"y: expected \(T,\) or \(T, K\), with the K of fit, got shape \(40, 1\)",
        ),
        (lambda: estimator.update(y, X[:, :2]), r"X: expected \(40, 3\), a row for each step, got shape \(40, 2\)"),
        (lambda: estimator.update(y), r"X: expected \(40, 3\), a row for each step, got None"),
        (lambda: estimator.predict(X), r"X: expected \(2, 3\), a row for each step, got shape \(40, 3\)"),
        (lambda: estimator.backtest(y[:1], X[:1]), "y: expected at least 2 steps, the horizon, got 1"),
        (lambda: forecaster().fit(y).predict(X[:1]), r"X: expected None, as in fit, got shape \(1, 3\)"),
        (lambda: forecaster().fit(y, X[:-1]), r"X: expected \(40, 3\), a row for each step, got shape \(39, 3\)"),
        (lambda: forecaster().fit(y, X[:, 0]), r"X: expected \(T, E\), got shape \(40,\)"),
        (lambda: forecaster().fit(np.ones((9, 2, 2))), r"y: expected \(T,\) or \(T, K\)"),
        (lambda: forecaster().fit([1.0, np.nan] * 20), "y contains NaN"),
    ):
        with pytest.raises(ValueError, match=words):
            wrong()


@pytest.mark.parametrize(("fitted", "later"), [(None, [0.5]), ((0.2, 0.8), None)])
def test_forecasts_are_those_of_the_fitted_model(fitted, later, rng):
    """Whatever is set afterwards: its quantiles are a part of the network."""
    estimator = forecaster(horizon=2, quantiles=fitted).fit(rng.standard_normal(60))
    expected = estimator.predict()
    np.testing.assert_array_equal(estimator.set_params(quantiles=later).predict(), expected)
