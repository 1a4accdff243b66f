# SPDX-License-Identifier: BSD-3-Clause
"""`RNNClassifier` and `RNNRegressor` learn, with their default parameters but for their size."""

import numpy as np
import pytest
from support.sklearn import few, ragged

import fastrnn as fr
from fastrnn.sklearn import RNNClassifier, RNNRegressor


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_a_classifier_learns_which_sequences_begin_high(cell, rng):
    """It has to remember the first step to the end of each; chance is 50 %."""
    X = ragged(rng, 400, channels=1)
    y = np.array(["high" if x[0] > 0 else "low" for x in X])
    classifier = RNNClassifier(cell, hidden_size=12, max_iter=60, n_iter_no_change=None, random_state=0)
    assert classifier.fit(X[:250], y[:250]).score(X[250:], y[250:]) > 0.9


def test_a_regressor_learns_sums_of_any_lengths(rng):
    X = ragged(rng, 400)
    y = np.array([[10 + 5 * x[:, 0].sum(), x[:, 1].sum()] for x in X])
    regressor = RNNRegressor(hidden_size=12, max_iter=60, n_iter_no_change=None, random_state=0)
    assert regressor.fit(X[:250], y[:250]).score(X[250:], y[250:]) > 0.8


@pytest.mark.parametrize("count", [2, 4])
def test_probabilities_are_the_softmax_of_the_logits(count, rng):
    """With two classes, the decision function is the logarithm of the odds."""
    X, y = ragged(rng, 60), rng.integers(count, size=60)
    classifier = few(RNNClassifier).fit(X, y)
    probabilities, scores = classifier.predict_proba(X), classifier.decision_function(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    if count == 2:
        np.testing.assert_allclose(probabilities[:, 1], fr.sigmoid(scores), rtol=1e-12)
    else:
        np.testing.assert_allclose(probabilities, fr.softmax(scores), rtol=1e-12)


def test_targets_are_standardized_with_the_weights(rng):
    X, y = ragged(rng, 40), rng.standard_normal(40) + 7
    weights = rng.random(40)
    scaler = few(RNNRegressor).fit(X, y, sample_weight=weights).y_scaler_
    np.testing.assert_allclose(scaler.mean_, np.average(y, weights=weights), rtol=1e-12)
    assert few(RNNRegressor, standardize=False).fit(X, y).y_scaler_ is None


def test_logarithms_of_probabilities_are_finite(rng):
    """Also where a probability is rounded to 0."""
    X, y = ragged(rng, 60), np.arange(60) % 3
    classifier = few(RNNClassifier).fit(X, y)
    np.testing.assert_allclose(np.exp(classifier.predict_log_proba(X)), classifier.predict_proba(X), rtol=1e-12)
    classifier.model_["output"].params["bias"][:] = [1e4, 0, 0]
    assert classifier.predict_proba(X).min() == 0 and np.isfinite(classifier.predict_log_proba(X)).all()


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_numbers_of_any_size_are_learned(size, rng):
    """Of X and of y: their squares are 0 or infinite."""
    X, y = rng.standard_normal((40, 6)), rng.standard_normal(40)
    expected = few(RNNRegressor).fit(X, y).predict(X)
    np.testing.assert_allclose(few(RNNRegressor).fit(X * size, y * size).predict(X * size) / size, expected, rtol=1e-9)
    weighted = few(RNNRegressor).fit(X, y, sample_weight=np.full(40, size)).predict(X)
    np.testing.assert_allclose(weighted, expected, rtol=1e-9)


@pytest.mark.parametrize(("offset", "size"), [(1e8, 0.1), (0, 1e40), (0, 1e-40)])
def test_float32_does_not_round_targets(offset, size, rng):
    """Those whose differences it does not know, or that it does not hold, are predicted in float64."""
    X, y = rng.standard_normal((40, 6)).astype(np.float32), rng.standard_normal(40)
    expected, regressor = few(RNNRegressor).fit(X, y), few(RNNRegressor).fit(X, offset + size * y)
    assert expected.predict(X).dtype == np.float32 and regressor.predict(X).dtype == np.float64
    np.testing.assert_allclose((regressor.predict(X) - offset) / size, expected.predict(X), rtol=0, atol=1e-5)


def test_values_that_the_model_does_not_hold_are_refused(rng):
    """They would be infinite, and predictions of them nan."""
    X, y = rng.standard_normal((40, 6)).astype(np.float32), rng.standard_normal(40)
    with pytest.raises(ValueError, match="X: expected values that float32, the dtype of X in fit, holds, got"):
        few(RNNRegressor).fit(X, y).predict(np.full((2, 6), 1e300))
    with pytest.raises(ValueError, match="y: expected values that float32, the dtype of X in fit, holds, got"):
        few(RNNRegressor, standardize=False).fit(X, y * 1e40)
