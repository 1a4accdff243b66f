# SPDX-License-Identifier: BSD-3-Clause
"""The forecaster of sktime: its own checks, and the steps, columns, quantiles and updates of that inside."""

import copy

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sktime", reason="sktime is not installed: pip install 'fastrnn[sktime]'")
from sktime.utils.estimator_checks import check_estimator  # noqa: E402

import fastrnn.sklearn  # noqa: E402
from fastrnn.sktime import RNNForecaster  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of sktime's own data

QUICK = ["test_constructor", "test_predict_quantiles", "test_update_with_exogenous_variables", "test_cutoff"]
SMALL = {"window": 4, "hidden_size": 4, "max_iter": 2, "n_iter_no_change": None, "random_state": 0}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_check_of_sktime_passes():
    results = check_estimator(RNNForecaster, raise_exceptions=True)
    assert len(results) > 600 and set(results.values()) == {"PASSED"}


def test_some_checks_of_sktime_pass():
    results = check_estimator(RNNForecaster, raise_exceptions=True, tests_to_run=QUICK)
    assert len(results) >= len(QUICK) and set(results.values()) == {"PASSED"}


def days(values, start="2026-01-01", name="y"):
    return pd.Series(values, pd.date_range(start, periods=len(values), freq="D"), name=name)


def test_forecasts_are_those_of_scikit_learns_estimator(rng):
    """Of the steps of fh; X is read by its index, in which there may be more."""
    y, X = days(rng.standard_normal(50)), days(rng.standard_normal(50), name="x").to_frame()
    forecaster = RNNForecaster(**SMALL).fit(y[:40], X[:40], fh=[1, 3])
    inside = fastrnn.sklearn.RNNForecaster(horizon=3, **SMALL).fit(y[:40].to_numpy(), X[:40].to_numpy())
    forecasts = forecaster.predict(X=X[30:])
    assert forecasts.index.equals(y.index[[40, 42]]) and forecasts.name == "y"
    assert (forecasts.to_numpy() == inside.predict(X[40:43].to_numpy())[[0, 2]]).all()
    forecaster.update(y[38:45], X[38:45], update_params=False)  # the first two are known
    inside.update(y[40:45].to_numpy(), X[40:45].to_numpy())
    assert (forecaster.predict(X=X).to_numpy() == inside.predict(X[45:48].to_numpy())[[0, 2]]).all()


def test_an_update_with_new_parameters_trains(rng):
    y = days(rng.standard_normal(50))
    forecaster = RNNForecaster(**SMALL).fit(y[:40], fh=[1]).update(y[40:], update_params=True)
    inside = fastrnn.sklearn.RNNForecaster(**SMALL).fit(y[:40].to_numpy()).update(y[40:].to_numpy(), refit=True)
    assert forecaster.predict().iloc[0] == inside.predict()[0]


def test_quantiles_between_those_that_were_trained_are_interpolated(rng):
    y = days(rng.standard_normal(40))
    forecaster = RNNForecaster(quantiles=[0.1, 0.4, 0.8], **SMALL).fit(y, fh=[1, 2])
    low, high = forecaster.estimator_.predict()[:, 0, :2].T
    quantiles = forecaster.predict_quantiles(alpha=[0.1, 0.25])
    assert quantiles.columns.tolist() == [("y", 0.1), ("y", 0.25)]
    np.testing.assert_allclose(quantiles.to_numpy(), np.stack([low, (low + high) / 2], axis=1), rtol=1e-12)
    with pytest.raises(ValueError, match="alpha: expected quantiles in 0.1 to 0.8, as trained, got"):
        forecaster.predict_quantiles(alpha=[0.9])
    with pytest.raises(NotImplementedError, match="prediction intervals"):
        RNNForecaster(**SMALL).fit(y, fh=[1]).predict_interval()


def test_what_is_missing_is_named(rng):
    y, X = days(rng.standard_normal(50)), days(rng.standard_normal(50), name="x").to_frame()
    forecaster = RNNForecaster(**SMALL).fit(y[:40], X[:40], fh=[2])
    with pytest.raises(ValueError, match="X: expected a row for each of the next 2 steps, got none for 2026-02-10"):
        forecaster.predict(X=X[41:42])
    with pytest.raises(ValueError, match="y: expected steps from 2026-02-10 .* on, which follow those before, got"):
        forecaster.update(y[45:], X[45:])


def test_columns_have_the_order_of_fit(rng):
    """In a forecast and in an update; another order would be other columns."""
    y = pd.DataFrame(rng.standard_normal((40, 2)), columns=["u", "v"])
    X = pd.DataFrame(rng.standard_normal((42, 2)), columns=["a", "b"])
    forecaster = RNNForecaster(**SMALL).fit(y[:30], X=X[:30], fh=[1, 2])
    with pytest.raises(ValueError, match=r"X: expected the columns \['a', 'b'\], those of fit, got \['b', 'a'\]"):
        forecaster.predict(X=X[30:32][["b", "a"]])
    for new, known, name in ((y[["v", "u"]], X, "y"), (y, X[["b", "a"]], "X")):
        with pytest.raises(ValueError, match=rf"{name}: expected the columns .*, those of fit"):
            copy.deepcopy(forecaster).update(new[30:], X=known[30:40])
    assert forecaster.update(y[30:], X=X[30:40]).predict(X=X[40:]).shape == (2, 2)
