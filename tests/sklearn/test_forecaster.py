# SPDX-License-Identifier: BSD-3-Clause
"""`RNNForecaster`: it learns, and its forecasts are those of the past alone."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from support.sklearn import forecaster

from fastrnn.sklearn import RNNForecaster


def waves(steps, rng, noise=0.05):
    """Two periods, a trend and noise."""
    t = np.arange(steps)
    return np.sin(t / 4) + 0.5 * np.sin(t / 1.7) + 0.02 * t + noise * rng.standard_normal(steps)


def test_it_forecasts_better_than_the_last_value(rng):
    """Far ahead of the levels that it was trained on: the trend goes on."""
    y = waves(500, rng)
    options = {"learning_rate": 0.02, "max_iter": 40, "n_iter_no_change": None}
    estimator = RNNForecaster(window=24, horizon=6, random_state=0, **options).fit(y[:400])
    forecasts, actual = estimator.backtest(y[400:])
    naive = np.array([y[399 + n] for n in range(len(actual))])[:, None]
    assert np.abs(forecasts - actual).mean() < 0.33 * np.abs(naive - actual).mean()


def test_what_is_known_ahead_is_used(rng):
    """Noise that nothing but X of the same step tells."""
    X = rng.standard_normal((400, 1))
    y = 3 * X[:, 0] + 7
    estimator = forecaster(horizon=3, hidden_size=16, max_iter=30, relative=False).fit(y[:300], X[:300])
    forecasts, actual = estimator.backtest(y[300:], X[300:])
    assert np.abs(forecasts - actual).mean() < 0.2 * y.std()


def test_quantiles_hold_their_share_and_do_not_cross(rng):
    """Of noise around 0 and around 5, side by side."""
    y = rng.standard_normal((600, 2)) + [0, 5]
    estimator = forecaster(window=4, horizon=2, quantiles=(0.1, 0.5, 0.9), max_iter=15, relative=False).fit(y[:400])
    forecasts, actual = estimator.backtest(y[400:])
    assert forecasts.shape == (199, 2, 2, 3) and (np.diff(forecasts, axis=-1) >= 0).all()
    shares = (actual[..., None] < forecasts).mean(axis=(0, 1))
    np.testing.assert_allclose(shares, [[0.1, 0.5, 0.9]] * 2, rtol=0, atol=0.1)


@pytest.mark.parametrize("shape", [(), (1,), (3,)])
@pytest.mark.parametrize("quantiles", [None, (0.2, 0.8)])
def test_forecasts_are_laid_out_as_the_series(shape, quantiles, rng):
    y = rng.standard_normal((50, *shape))
    estimator = forecaster(horizon=4, quantiles=quantiles).fit(y[:40])
    after = () if quantiles is None else (2,)
    assert estimator.predict().shape == (4, *shape, *after)
    forecasts, actual = estimator.backtest(y[40:], step=3)
    assert forecasts.shape == (3, 4, *shape, *after) and actual.shape == (3, 4, *shape)
    np.testing.assert_array_equal(actual[1], y[43:47])


@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("known", [0, 2])
def test_a_backtest_is_forecast_and_update_by_turns(step, known, rng):
    """Bit by bit, so nothing of the future is read; and the forecaster stays as it is."""
    y, X = rng.standard_normal(60), rng.standard_normal((60, known)) if known else None
    estimator = forecaster(horizon=3).fit(y[:40], None if X is None else X[:40])
    rest = None if X is None else X[40:]
    before = pickle.dumps(estimator._values)
    forecasts, _ = estimator.backtest(y[40:], rest, step=step)
    assert pickle.dumps(estimator._values) == before
    for forecast, origin in zip(forecasts, range(0, 18, step), strict=True):
        ahead = None if X is None else X[40 + origin : 43 + origin]
        assert (estimator.predict(ahead) == forecast).all()
        seen = slice(40 + origin, 40 + origin + step)
        estimator.update(y[seen], None if X is None else X[seen])


def test_a_backtest_with_refit_trains_a_copy(rng):
    y = rng.standard_normal(60)
    estimator = forecaster(horizon=3).fit(y[:40])
    forecasts, _ = estimator.backtest(y[40:], step=5, refit=True)
    assert estimator.n_iter_ == 2
    for forecast, origin in zip(forecasts, range(0, 18, 5), strict=True):
        assert (estimator.predict() == forecast).all()
        estimator.update(y[40 + origin : 45 + origin], refit=True)
    assert estimator.n_iter_ == 2 + len(forecasts)


def test_parts_of_an_update_are_the_whole(rng):
    y = rng.standard_normal(90)
    estimator = forecaster(horizon=3).fit(y[:40])
    other = pickle.loads(pickle.dumps(estimator)).update(y[40:])
    for part in np.split(y[40:], [1, 3, 30]):
        estimator.update(part)
    assert (estimator.predict() == other.predict()).all()


def test_the_random_state_decides_everything(rng):
    y = rng.standard_normal(60)
    first, again, other = (forecaster(random_state=seed).fit(y).predict() for seed in (1, 1, 2))
    assert first == again != other
    with pytest.raises(NotFittedError):
        clone(forecaster().fit(y)).predict()


def test_an_update_needs_the_same_structure(rng):
    estimator = forecaster(quantiles=np.array([0.1, 0.9])).fit(rng.standard_normal(60)).update(rng.standard_normal(3))
    with pytest.raises(ValueError, match="horizon: expected 1, as in the fitted model, got 2"):
        estimator.set_params(horizon=2).update(rng.standard_normal(3))
