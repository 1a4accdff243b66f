# SPDX-License-Identifier: BSD-3-Clause
"""Echo state networks: the readout that is solved for, all at once or part by part."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from support.sklearn import few, ragged, targets_of

import fastrnn as fr
from fastrnn.nn._reservoir.ridge import Ridge as RidgeSums
from fastrnn.sklearn import ESNClassifier, ESNRegressor


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_the_readout_is_ridge_regression_of_pooled_states(pooling, rng):
    """As scikit-learn solves it, with weights of samples."""
    X, y, weights = ragged(rng, 90), rng.standard_normal((90, 2)), rng.random(90)
    estimator = few(ESNRegressor, pooling=pooling, ridge=0.7).fit(X, y, sample_weight=weights)
    scaled = [estimator.x_scaler_.transform(x) for x in X]
    reservoir = estimator.model_["reservoir"]
    features = [reservoir.features(x[None])[0][0] for x in scaled]
    pooled = np.stack([f[-1] if pooling == "last" else f.mean(axis=0) for f in features])
    expected = Ridge(alpha=0.7, solver="svd").fit(pooled, y, sample_weight=weights)
    np.testing.assert_allclose(reservoir.params["weight"], expected.coef_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(reservoir.params["bias"], expected.intercept_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(estimator.predict(X), expected.predict(pooled), rtol=0, atol=1e-10)


def test_parts_give_what_the_whole_gives(rng):
    """Whatever their sizes, once the means and scales are those of the first."""
    x, y = rng.standard_normal((200, 6, 2)), rng.standard_normal(200)
    whole = few(ESNRegressor, standardize=False).fit(x, y)
    parts = few(ESNRegressor, standardize=False)
    for part in np.split(np.arange(200), [3, 120]):
        parts.partial_fit(x[part], y[part])
    np.testing.assert_allclose(parts.predict(x), whole.predict(x), rtol=0, atol=1e-10)


def test_long_sequences_are_read_in_smaller_groups(monkeypatch, rng):
    """With the same states: the sums differ by rounding alone."""
    X, y = ragged(rng, 90), rng.standard_normal(90)
    whole = few(ESNRegressor).fit(X, y).predict(X)
    monkeypatch.setattr("fastrnn.sklearn._reservoir.STATES", 300)
    np.testing.assert_allclose(few(ESNRegressor).fit(X, y).predict(X), whole, rtol=0, atol=1e-10)


def test_a_fit_forgets_the_samples_before(rng):
    x, y = rng.standard_normal((50, 6, 2)), rng.standard_normal(50)
    once = few(ESNRegressor).fit(x, y)
    again = few(ESNRegressor).fit(x + 1, -y).fit(x, y)
    assert (again.predict(x) == once.predict(x)).all()


def test_parameters_reach_the_reservoir(rng):
    options = {
        "num_layers": 2, "leak": 0.5, "spectral_radius": 1.1, "density": 0.3, "input_scaling": 0.2, "bias_scaling": 0.1,
    }  # fmt: skip
    X = ragged(rng, 40)
    reservoir = few(ESNClassifier, **options).fit(X, targets_of(ESNClassifier, X)).model_["reservoir"]
    assert {name: getattr(reservoir, name) for name in options} == options and reservoir.hidden_size == 8


def test_pooling_is_by_default_the_mean_of_a_classification_and_the_last_step_of_a_regression(rng):
    X = ragged(rng, 40)
    pools = [few(kind).fit(X, targets_of(kind, X)).model_["pool"] for kind in (ESNClassifier, ESNRegressor)]
    assert [type(pool) for pool in pools] == [fr.MeanPool, fr.LastStep]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"ridge": -1.0}, "ridge: expected"),
        ({"pooling": "max"}, "pooling: expected one of auto, mean, last, got 'max'"),
        ({"leak": 0.0}, "leak: expected"),
    ],
)
def test_parameters_out_of_range_are_named(parameters, words, rng):
    with pytest.raises(ValueError, match=words):
        few(ESNRegressor, **parameters).fit(rng.standard_normal((9, 3)), rng.standard_normal(9))


@pytest.mark.filterwarnings("ignore")
def test_sums_that_are_not_finite_are_an_error_and_change_nothing(rng):
    X, y = rng.standard_normal((30, 6, 2)), rng.standard_normal(30)
    estimator = few(ESNRegressor).partial_fit(X[:20], y[:20])
    with pytest.raises(FloatingPointError, match="expected finite sums of the samples"):
        estimator.partial_fit(X[20:], y[20:] * 1e200, sample_weight=np.full(10, 1e300))
    expected = few(ESNRegressor).partial_fit(X[:20], y[:20]).partial_fit(X[20:], y[20:])
    assert (estimator.partial_fit(X[20:], y[20:]).predict(X) == expected.predict(X)).all()


def test_ctrl_c_leaves_no_readout_that_was_not_solved_for(rng, monkeypatch):
    """Its predictions would be 0. Parts that were learned before stay."""

    def interrupted(*_):
        raise KeyboardInterrupt

    X, y = rng.standard_normal((30, 6, 2)), rng.standard_normal(30)
    new, learned = few(ESNRegressor), few(ESNRegressor).fit(X, y)
    before = learned.predict(X)
    monkeypatch.setattr(RidgeSums, "add", interrupted)
    for call in (new.fit, new.partial_fit, learned.partial_fit):
        with pytest.raises(KeyboardInterrupt):
            call(X, y)
    with pytest.raises(NotFittedError):
        new.predict(X)
    assert (learned.predict(X) == before).all()


def test_a_readout_that_float32_does_not_hold_is_refused(rng):
    X, y = rng.standard_normal((30, 6, 2)).astype(np.float32), rng.standard_normal(30)
    with pytest.raises(FloatingPointError, match="expected a readout that float32, the dtype of X, holds: y is too"):
        few(ESNRegressor).fit(X, y * 1e40)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_channels_of_any_size_are_read(size, rng):
    X, y = rng.standard_normal((30, 6, 2)), rng.standard_normal(30)
    expected = few(ESNRegressor).fit(X, y).predict(X)
    np.testing.assert_allclose(few(ESNRegressor).fit(X * size, y).predict(X * size), expected, rtol=1e-9)
