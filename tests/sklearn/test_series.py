# SPDX-License-Identifier: BSD-3-Clause
"""A forecaster reads DataFrames and Series by what they say of their columns and steps."""

import numpy as np
import pandas as pd
import pytest
from support.sklearn import forecaster

DAYS = pd.date_range("2026", periods=60)
SWAPPED = r"expected the columns \['a', 'b'\], those of fit, got \['b', 'a'\]"


@pytest.fixture
def y(rng):
    return pd.DataFrame(rng.standard_normal((60, 2)), DAYS, ["a", "b"])


@pytest.fixture
def X(rng):
    return pd.DataFrame(rng.standard_normal((60, 2)), DAYS, ["a", "b"])


def test_they_are_read_as_arrays(y, X):
    frames = forecaster().fit(y[:40], X[:40])
    arrays = forecaster().fit(y[:40].to_numpy(), X[:40].to_numpy())
    np.testing.assert_array_equal(frames.predict(X[40:41]), arrays.predict(X[40:41].to_numpy()))
    for actual, expected in zip(frames.backtest(y[40:], X[40:]), arrays.backtest(y[40:], X[40:]), strict=True):
        np.testing.assert_array_equal(actual, expected)
    frames.update(y[40:].to_numpy(), X[40:])  # arrays have no names


def test_columns_in_another_order_are_refused(y, X):
    estimator, other = forecaster().fit(y[:40], X[:40]), ["b", "a"]
    for call in (estimator.update, estimator.backtest):
        with pytest.raises(ValueError, match=f"y: {SWAPPED}"):
            call(y.loc[DAYS[40:], other], X[40:])
        with pytest.raises(ValueError, match=f"X: {SWAPPED}"):
            call(y[40:], X.loc[DAYS[40:], other])
    with pytest.raises(ValueError, match=f"X: {SWAPPED}"):
        estimator.predict(X.loc[DAYS[40:41], other])


def test_steps_that_do_not_fit_each_other_are_refused(y, X):
    X.index = DAYS + pd.Timedelta(1, "D")
    with pytest.raises(ValueError, match="X: expected the index of y, got another one"):
        forecaster().fit(y, X)


def test_times_that_go_back_are_refused(y, X):
    """Numbers may be those of parts that were joined."""
    for value in (y[::-1], y["a"][::-1], y.set_axis(DAYS.to_period())[::-1]):
        with pytest.raises(ValueError, match="y: expected the steps in their order, got .* behind"):
            forecaster().fit(value)
    forecaster().fit(pd.concat([y["a"].reset_index(drop=True)] * 2))


def test_steps_come_after_those_before(y, X):
    """In every call, also after an update. An update by arrays has no times, after which none are known."""
    estimator = forecaster().fit(y[:40], X[:40])
    for call in (lambda: estimator.update(y[30:], X[30:]), lambda: estimator.backtest(y[39:], X[39:])):
        with pytest.raises(
            ValueError, match="y: expected steps after 2026-02-09 00:00:00, the last known one, got 2026-"
        ):
            call()
    with pytest.raises(ValueError, match="X: expected steps after 2026-02-09 00:00:00, .* got 2026-02-09"):
        estimator.predict(X[39:40])
    estimator.update(y[40:45], X[40:45]).predict(X[45:46])
    with pytest.raises(ValueError, match="X: expected steps after 2026-02-14"):
        estimator.predict(X[44:45])
    with pytest.raises(ValueError, match="X: expected times such as Timestamp"):
        estimator.predict(X.set_axis(DAYS.to_period())[45:46])
    with pytest.raises(ValueError, match="X: expected times such as Timestamp"):
        estimator.predict(X.tz_localize("UTC")[45:46])
    estimator.update(y[45:46].to_numpy(), X[45:46].to_numpy()).predict(X[46:47])


def test_periods_are_times_and_numbers_are_none(y):
    periods = y.set_axis(DAYS.to_period())
    with pytest.raises(ValueError, match="y: expected steps after 2026-02-09, the last known one, got 2026-01-31"):
        forecaster().fit(periods[:40]).update(periods[30:])
    numbered = y.reset_index(drop=True)
    forecaster().fit(numbered[:40]).update(numbered[30:])


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_numbers_known_ahead_may_be_of_any_size(scale, y, X):
    small = forecaster().fit(y[:40], X[:40]).predict(X[40:41])
    large = forecaster().fit(y[:40], X[:40] * scale).predict(X[40:41] * scale)
    np.testing.assert_allclose(large, small, rtol=1e-9)


def test_times_are_no_values(X):
    with pytest.raises(TypeError, match="y: expected numbers, got datetime64"):
        forecaster().fit(DAYS)
    with pytest.raises(TypeError, match="X: expected numbers, got datetime64"):
        forecaster().fit(np.arange(60.0), X.assign(b=DAYS))
