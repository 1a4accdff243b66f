# SPDX-License-Identifier: BSD-3-Clause
"""Labels, values and weights of samples."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from fastrnn.sklearn._targets import as_codes, as_labels, as_values, as_weights, check_classes


def test_labels_become_numbers_of_classes():
    labels = as_labels(BaseEstimator(), ["b", "a", "c", "a"])
    assert as_codes(labels, np.unique(labels)).tolist() == [1, 0, 2, 0]


def test_a_label_of_no_class_is_refused():
    with pytest.raises(ValueError, match=r"y: expected the classes \['a', 'b'\], got \['c'\] too"):
        as_codes(np.array(["a", "c"]), np.array(["a", "b"]))


def test_targets_are_needed_and_have_the_right_number_of_axes():
    for read in (as_labels, as_values):
        with pytest.raises(ValueError, match="requires y to be passed"):
            read(BaseEstimator(), None)
    with pytest.raises(ValueError, match=r"y: expected \(n_samples,\) or \(n_samples, n_targets\), got shape"):
        as_values(BaseEstimator(), np.ones((2, 3, 4)))


def test_values_become_float64():
    assert as_values(BaseEstimator(), [1, 2]).dtype == np.float64


def test_one_class_is_too_few():
    with pytest.raises(ValueError, match=r"at least two classes, got one class, \['a'\]"):
        check_classes(np.array(["a"]))
    with pytest.raises(ValueError, match="sample_weight: expected weights above zero for at least two classes"):
        check_classes(np.array(["a", "b"]), np.array([1, 1]))
    check_classes(np.array(["a", "b"]))  # a part of the samples may be of one


def test_weights_are_numbers_of_at_least_0():
    assert as_weights(None, 3) is None
    assert as_weights([1, 0, 2], 3).tolist() == [1.0, 0.0, 2.0]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1, 1], r"expected \(3,\), one for each sample, got shape \(2,\)"),
        ([[1, 1, 1]], r"got shape \(1, 3\)"),
        ([1, -1, 1], "expected weights of at least 0, got -1.0"),
        ([0, 0, 0], "expected a weight above zero"),
        ([1, np.nan, 1], "sample_weight contains NaN"),
    ],
)
def test_other_weights_are_refused(weights, words):
    with pytest.raises(ValueError, match=words):
        as_weights(weights, 3)


def test_times_and_masked_values_are_no_numbers():
    for value in (np.ones(3, "datetime64[s]"), np.ma.masked_equal([1.0, 2, 3], 2)):
        with pytest.raises(TypeError, match="y: expected numbers"):
            as_values(BaseEstimator(), value)
        with pytest.raises(TypeError, match="sample_weight: expected numbers"):
            as_weights(value, 3)
