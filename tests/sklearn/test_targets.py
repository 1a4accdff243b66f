# SPDX-License-Identifier: BSD-3-Clause
"""Labels, values and weights of samples."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from fastrnn.sklearn._targets import as_classes, as_codes, as_labels, as_values, as_weights, check_classes


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
    with pytest.raises(ValueError, match=r"classes: expected at least two classes, got one class, \['a'\]"):
        check_classes(np.array(["a"]))
    with pytest.raises(ValueError, match="y: expected at least two classes, got one class"):
        check_classes(np.array(["a"]), np.array([0, 0]))
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


@pytest.mark.parametrize(
    "labels",
    [
        ["a", None],
        ["a", np.nan],
        np.array(["a", None], object),
        pd.Series(["a", None], dtype="string"),
        pd.Series(["a", None], dtype="category"),
        pd.Series([1, None], dtype="Int64"),
    ],
    ids=str,
)
def test_a_missing_label_is_no_class(labels):
    """NumPy would make "nan" of one in a list of strings."""
    with pytest.raises(ValueError, match="y: expected labels that can be sorted"):
        as_labels(BaseEstimator(), labels)


def test_labels_are_strings_or_numbers():
    """NumPy would make strings of both, which no later label is found among."""
    for labels in (["a", 1], np.array(["a", 1], object)):
        with pytest.raises(ValueError, match="y: expected labels .* of one kind, got 1 beside 'a'"):
            as_labels(BaseEstimator(), labels)
    with pytest.raises(ValueError, match="classes: expected labels .* of one kind, got 1 beside 'a'"):
        as_classes(["a", 1])


@pytest.mark.parametrize(("dtype", "expected"), [("Int64", np.int64), ("UInt8", np.uint8), ("boolean", np.bool_)])
def test_nullable_labels_keep_their_dtype(dtype, expected):
    """As float64 two large numbers would be one class."""
    assert as_labels(BaseEstimator(), pd.Series([1, 0], dtype=dtype)).dtype == expected
    assert len(np.unique(as_labels(BaseEstimator(), pd.Series([2**53, 2**53 + 1], dtype="Int64")))) == 2


@pytest.mark.parametrize("value", [3, {0, 1}, ["a"], [[1, 2], [3]]], ids=str)
def test_errors_of_scikit_learn_name_the_argument(value):
    for name, read in (
        ("sample_weight", lambda: as_weights(value, 2)),
        ("y", lambda: as_values(BaseEstimator(), value)),
    ):
        with pytest.raises((TypeError, ValueError), match=rf"\b{name}: "):
            read()
