# SPDX-License-Identifier: BSD-3-Clause
"""Classifiers: labels of any kind, scores and classes."""

import numpy as np
import pytest
from support.sklearn import few, ragged, targets_of

from fastrnn.sklearn import ESNClassifier, RNNClassifier


@pytest.fixture(params=[RNNClassifier, ESNClassifier], ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.mark.parametrize("labels", [["b", "a"], [7, -3], [True, False], [2.0, 1.0], ["x", "z", "y"]])
def test_labels_of_any_kind_come_back(kind, labels, rng):
    X, y = ragged(rng, 60), np.array(labels)[rng.integers(len(labels), size=60)]
    estimator = few(kind).fit(X, y)
    assert estimator.classes_.tolist() == sorted(labels)
    predicted = estimator.predict(X)
    assert predicted.dtype == y.dtype and set(predicted) <= set(labels)


@pytest.mark.parametrize("count", [2, 3])
def test_the_class_of_the_largest_score_is_predicted(kind, count, rng):
    X, y = ragged(rng, 60), rng.integers(count, size=60)
    estimator = few(kind).fit(X, y)
    scores = estimator.decision_function(X)
    assert scores.shape == ((60,) if count == 2 else (60, 3))
    expected = scores > 0 if count == 2 else scores.argmax(axis=1)
    assert (estimator.predict(X) == expected).all()


def test_partial_fit_needs_the_classes_once(kind, rng):
    """A part may be of one class."""
    X = ragged(rng, 60)
    y = targets_of(kind, X)
    estimator = few(kind)
    with pytest.raises(ValueError, match="classes: expected all labels in the first call of partial_fit"):
        estimator.partial_fit(X, y)
    one = [x for x, label in zip(X, y, strict=True) if label == "yes"]
    estimator.partial_fit(one, ["yes"] * len(one), classes=["yes", "no"])
    assert estimator.classes_.tolist() == ["no", "yes"]
    estimator.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"classes: expected \['no', 'yes'\], as before, got \['no', 'perhaps'\]"):
        estimator.partial_fit(X, y, classes=["no", "perhaps"])
    with pytest.raises(ValueError, match=r"y: expected the classes \['no', 'yes'\], got \['perhaps'\] too"):
        estimator.partial_fit(X, ["perhaps"] * 60)


def test_one_class_is_an_error(kind, rng):
    X = ragged(rng, 20)
    with pytest.raises(ValueError, match="expected at least two classes, got one class"):
        few(kind).fit(X, ["yes"] * 20)
    with pytest.raises(ValueError, match="sample_weight: expected weights above zero for at least two classes"):
        few(kind).fit(X, ["yes", "no"] * 10, sample_weight=[0, 1] * 10)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ([[0, 1], [1, 2]], "1d array"),
        ([0, 1, np.nan], "classes contains NaN"),
        (["0", None], "classes: expected labels that can be sorted"),
        ([0, "1", 2], "classes: expected labels that can be sorted, of one kind, got 0 beside '1'"),
        ([0.5, 1.5], "classes: expected labels"),
    ],
)
def test_classes_that_are_no_labels_are_refused(kind, classes, words, rng):
    X, y = ragged(rng, 6), np.arange(6) % 2
    with pytest.raises(ValueError, match=words):
        few(kind).partial_fit(X, y, classes=classes)
