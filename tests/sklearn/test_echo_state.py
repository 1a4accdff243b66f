# SPDX-License-Identifier: BSD-3-Clause
"""`ESNClassifier` and `ESNRegressor` learn, with their default parameters."""

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from support.sklearn import few, ragged

from fastrnn.sklearn import ESNClassifier, ESNRegressor


def test_a_classifier_tells_frequencies_apart(rng):
    """Of waves of any phase and length, in noise."""
    y = rng.integers(3, size=300)
    phases, lengths = rng.uniform(0, 6, size=300), rng.integers(20, 50, size=300)
    X = [
        np.sin(phase + (0.5 + 0.3 * k) * np.arange(T))[:, None] for k, phase, T in zip(y, phases, lengths, strict=True)
    ]
    X = [x + 0.3 * rng.standard_normal(x.shape) for x in X]
    classifier = ESNClassifier(random_state=0).fit(X[:200], y[:200])
    assert classifier.score(X[200:], y[200:]) > 0.95


def test_a_regressor_forecasts_a_chaotic_map():
    """The next value of the logistic map, from twenty; the mean would have a score of 0."""
    series = [0.3]
    for _ in range(600):
        series.append(3.9 * series[-1] * (1 - series[-1]))
    windows = np.lib.stride_tricks.sliding_window_view(np.array(series), 21)
    X, y = windows[:, :-1], windows[:, -1]
    assert ESNRegressor(random_state=0).fit(X[:400], y[:400]).score(X[400:], y[400:]) > 0.99


def test_scores_are_those_of_targets_of_plus_and_minus_1(rng):
    """Of three classes one column each; those of a sample sum to what the targets do, 1 - 2."""
    X, y = ragged(rng, 60), rng.integers(3, size=60)
    scores = few(ESNClassifier).fit(X, y).decision_function(X)
    np.testing.assert_allclose(scores.sum(axis=1), -1, rtol=1e-9)


def test_scores_can_be_made_probabilities(rng):
    X, y = rng.standard_normal((90, 6)), rng.integers(2, size=90)
    probabilities = CalibratedClassifierCV(few(ESNClassifier), cv=2).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
