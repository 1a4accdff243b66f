# SPDX-License-Identifier: BSD-3-Clause
"""How a forecaster reads a series: what is validated, scaled and refused."""

import functools

import numpy as np
import pytest
from support.sklearn import forecaster

import fastrnn as fr
from fastrnn.sklearn._forecasting import Forecasting
from fastrnn.sklearn._linear import LinearForecast
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
        ({"linear": "yes"}, "linear: expected one of auto, got 'yes'"),
        ({"linear": 1}, "linear: expected True or False, got 1"),
        ({"linear": True, "quantiles": [0.5]}, "linear: expected False or 'auto' with quantiles"),
        (
            {"linear": True, "early_stopping": False},
            "linear: expected False or 'auto' without windows for validation, got True and 33 windows with "
            "early_stopping=False",
        ),
        ({"linear": True, "early_stopping": "auto"}, "linear: .* with early_stopping='auto'"),
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


@pytest.mark.parametrize("shape", [(), (2,)])
def test_forecasts_are_means_weighted_by_the_errors_of_the_validation(shape, rng):
    """The share of the network is that of the other's error: 1/a : 1/b = b : a."""
    y = rng.standard_normal((80, *shape)).cumsum(axis=0)
    alone, both = (forecaster(horizon=3, linear=linear).fit(y) for linear in (False, "auto"))
    share = both.network_share_
    assert alone.network_share_.tolist() == [1] * len(share) and ((0 < share) & (share < 1)).all()

    samples, last = both._with_validation_last(both._samples(both._read_values(y), np.zeros((80, 0))))
    _, linear = LinearForecast.fit(both._window, samples, last)
    network = fr.predict(alone.model_, samples.x[-last:])[:, 6:]
    error = np.square(network - samples.targets[-last:, 6:]).mean(axis=(0, 1))
    np.testing.assert_allclose(share, linear / (linear + error), rtol=1e-12)

    x = both._window.inputs(both._standardized(y[-6:].reshape(1, 6, -1), np.zeros((1, 9, 0)))[0], np.zeros((1, 9, 0)))
    regression = y[-1] + (both._linear(x)[0] * both._scale).reshape(3, *shape)
    np.testing.assert_allclose(both.predict(), share * alone.predict() + (1 - share) * regression, rtol=1e-9)


@pytest.mark.parametrize("options", [{"early_stopping": False}, {"quantiles": [0.5]}, {"linear": False}])
def test_the_network_forecasts_alone_without_validation_or_with_quantiles(options, rng):
    assert forecaster(**options).fit(rng.standard_normal(60)).network_share_.tolist() == [1]


def test_two_that_make_no_error_count_the_same():
    """A series that never changes."""
    estimator = forecaster(horizon=2, max_iter=1).fit(np.full(60, 3.0))
    for values in (estimator.model_.layers[-1].params["weight"], estimator.model_.layers[-1].params["bias"]):
        values[...] = 0
    samples, last = estimator._with_validation_last(estimator._samples(np.full((60, 1), 3.0), np.zeros((60, 0))))
    estimator._finish(samples, last)
    assert estimator.network_share_.tolist() == [0.5] and estimator.predict().tolist() == [3, 3]


def test_the_regression_counts_where_it_is_better(rng):
    """A line and noise. The network hardly learns in two epochs."""
    y = 0.5 * np.arange(200) + 0.1 * rng.standard_normal(200)
    alone, both = (forecaster(horizon=3, linear=linear).fit(y[:150]) for linear in (False, True))
    errors = [np.abs(np.subtract(*each.backtest(y[150:]))).mean() for each in (alone, both)]
    assert both.network_share_[0] < 0.2 and errors[1] < 0.5 * errors[0]
