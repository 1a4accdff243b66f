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
