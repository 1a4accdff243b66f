# SPDX-License-Identifier: BSD-3-Clause
"""Where weights of targets lie: they go with the rows, are padded and cut as the targets are."""

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._data.batch import weight_of
from fastrnn.training._data.reading import Reading, reading_of
from fastrnn.training._data.source import as_source
from fastrnn.training._data.weights import with_class_weight

T, N = 4, 3


def batches_of(x, y, weight, reading, **options):
    return list(as_source(x, y, reading, sample_weight=weight, batch_size=2, shuffle=False, **options))


def test_arrays_end_with_their_longest_row():
    x, y, weight = np.zeros((T, N, 1)), np.zeros((T, N, 2)), np.arange(T * N).reshape(T, N)
    first, last = batches_of(x, y, weight, Reading(has_time=True, targets="steps"), lengths=[1, 2, 3])
    np.testing.assert_array_equal(weight_of(first), weight[:2, :2])
    np.testing.assert_array_equal(weight_of(last), weight[:3, 2:])
    rows = [weight_of(batch).tolist() for batch in batches_of(x, y, weight[0], Reading(has_time=True, targets="steps"))]
    assert rows == [[0, 1], [2]]


def test_lists_are_padded():
    x = [np.zeros((n, 1)) for n in (2, 3, 1)]
    y, weight = [np.zeros(len(row)) for row in x], [[1, 2], [3, 4, 5], [6]]
    for batch_first in False, True:
        reading = Reading(batch_first, True, targets="steps", targets_batch_first=batch_first)
        first, last = batches_of(x, y, weight, reading)
        expected = np.array([[1, 2, 0], [3, 4, 5]])
        np.testing.assert_array_equal(weight_of(first), expected if batch_first else expected.T)
        assert weight_of(last).tolist() == [[6]]
    first, _ = batches_of(x, y, np.array([1, 2, 3]), reading)
    assert weight_of(first).tolist() == [1, 2]


def test_elements_of_rows():
    """(N, F) of targets without time stays as it is, of arrays and of lists."""
    y, weight = np.zeros((N, 2)), np.arange(N * 2).reshape(N, 2)
    for x in np.zeros((T, N, 1)), [np.zeros((n, 1)) for n in (2, 3, 1)]:
        for given in weight, weight.tolist():
            first, last = batches_of(x, y, given, Reading(has_time=True, targets="rows"))
            np.testing.assert_array_equal(np.concatenate([weight_of(first), weight_of(last)]), weight)


def test_sequences_of_another_length():
    model = fr.Sequential(fr.GRU(1, 2), fr.LastStep(), fr.RepeatVector(2), fr.GRU(2, 1))
    rows = [np.zeros((n, 1)) for n in (2, 3, 1)]
    weight = np.arange(2 * N).reshape(2, N)
    of_array = batches_of(np.zeros((T, N, 1)), np.zeros((2, N, 1)), weight, reading_of(model, False))
    of_list = batches_of(rows, [np.zeros((2, 1))] * N, list(weight.T), reading_of(model, False))
    for batches in of_array, of_list:
        np.testing.assert_array_equal(np.concatenate([weight_of(batch) for batch in batches], axis=1), weight)


def test_a_single_sequence():
    x = np.zeros((T, 1))
    for model, y, weight, expected in [
        (fr.GRU(1, 1), np.zeros((T, 1)), np.arange(T), [[0], [1], [2], [3]]),
        (fr.GRU(1, 1, batch_first=True), np.zeros((T, 1)), np.arange(T), [[0, 1, 2, 3]]),
        (fr.GRU(1, 1), np.zeros((T, 1)), 2, [2]),
        (fr.Sequential(fr.GRU(1, 1), fr.LastStep()), np.zeros(1), 2, [2]),
        (fr.Sequential(fr.GRU(1, 1), fr.LastStep()), np.zeros(1), [2], [[2]]),
    ]:
        (batch,) = batches_of(x, y, weight, reading_of(model, False))
        assert weight_of(batch).tolist() == expected


def test_several_inputs():
    x = {"a": np.zeros((T, N)), "b": [np.zeros(n) for n in (1, 2, 3)]}
    weight = np.arange(T * N).reshape(T, N)
    first, _ = batches_of(x, np.zeros((T, N, 2)), weight, Reading())
    np.testing.assert_array_equal(weight_of(first), weight[:, :2])
    first, _ = batches_of(x, x["b"], [[1], [2, 3], [4, 5, 6]], Reading())
    assert weight_of(first).tolist() == [[1, 2], [0, 3]]


@pytest.mark.parametrize(
    "weight, message",
    [
        (np.ones(T), r"sample_weight: expected \(3,\), one for each row, or the first axes of y \(4, 3\), got \(4,\)"),
        (np.ones((N, T)), r"sample_weight: expected .* got \(3, 4\)"),
        (1.0, r"sample_weight: expected .* got \(\)"),
        ([1, -1, 1], "sample_weight: expected finite numbers >= 0, got -1 at position"),
        ([1, np.nan, 1], "sample_weight: expected finite numbers >= 0, got nan"),
    ],
)
def test_wrong_weights_of_arrays(weight, message):
    with pytest.raises(ValueError, match=message):
        batches_of(np.zeros((T, N, 1)), np.zeros((T, N), int), weight, Reading(has_time=True, targets="steps"))


@pytest.mark.parametrize(
    "weight, message",
    [
        ([[1], [1, 2]], "sample_weight: expected one for each of the 3 rows, got 2"),
        ([[1], [1, 2], [1]], r"sample_weight\[0\]: expected the first axes of y\[0\] \(2,\), got \(1,\)"),
        ([[1, 1], [1, 1, 1], 1], r"sample_weight\[2\]: expected the first axes of y\[2\] \(1,\), got \(\)"),
        ([1, 2], r"sample_weight: expected \(3,\), one for each row, or a list with those of each, got \(2,\)"),
    ],
)
def test_wrong_weights_of_lists(weight, message):
    x = [np.zeros((n, 1)) for n in (2, 3, 1)]
    with pytest.raises(ValueError, match=message):
        batches_of(x, [np.zeros(len(row)) for row in x], weight, Reading(has_time=True, targets="steps"))


@pytest.mark.parametrize(
    "class_weight, error, message",
    [
        ("equal", ValueError, "class_weight: expected 'balanced', a dict or an array, got 'equal'"),
        ([1.0, 2.0], ValueError, "class_weight: expected a weight for each class, got 2, and class 2"),
        ([[1.0]], ValueError, r"class_weight: expected 'balanced', a dict or an array \(V,\), got shape \(1, 1\)"),
        ({0: -1.0}, ValueError, "class_weight: expected finite numbers >= 0, got -1.0"),
        ({"a": 1.0}, TypeError, "class_weight: expected"),
    ],
)
def test_wrong_weights_of_classes(class_weight, error, message):
    source = as_source(np.zeros((N, 1)), np.arange(N), Reading(has_time=False, targets="rows"))
    with pytest.raises(error, match=message):
        with_class_weight(source._rows, class_weight, False, -100)


def test_probabilities_are_no_classes():
    source = as_source(np.zeros((N, 1)), np.eye(N), Reading(has_time=False, targets="rows"))
    with pytest.raises(
        TypeError, match=r"class_weight: expected targets that are classes, integers, got float64; .*pa"
    ):
        with_class_weight(source._rows, "balanced", False, -100)


def test_classes_that_do_not_occur():
    """A dict may name them, and nothing need be there to be balanced."""
    source = as_source(np.zeros((N, 1)), np.full(N, -100), Reading(has_time=False, targets="rows"))
    for class_weight in "balanced", {}, {7: 2.0}:
        rows = with_class_weight(source._rows, class_weight, False, -100)
        assert weight_of(rows.batch(np.arange(N))).tolist() == [1, 1, 1]
