# SPDX-License-Identifier: BSD-3-Clause
"""One batch: its steps, whether it is finite, and what is taken for one."""

import numpy as np
import pytest

from fastrnn.training._data.batch import Batch, WeightedBatch, as_batch, between, weight_of, weighted


@pytest.mark.parametrize(
    "x, lengths, steps",
    [
        (np.zeros((4, 3, 2)), None, 12),
        (np.zeros((4, 3), int), None, 12),  # tokens
        (np.zeros((4, 3)), None, 4),  # rows without time
        (np.zeros((4, 3, 2)), [4, 1, 0], 5),
        ({"source": np.zeros((4, 3), int), "target": np.zeros((9, 3), int)}, None, 12),
        ((np.zeros((2, 3, 1)), np.zeros(3)), None, 6),
    ],
)
def test_steps(x, lengths, steps):
    assert Batch(x, None, lengths).steps == steps


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_finite(bad):
    good, odd = np.zeros((2, 3)), np.array([0.0, bad])
    assert Batch(good).is_finite() and Batch((good, np.arange(3))).is_finite()
    for x in odd, (good, odd), {"a": good, "b": odd}:
        assert not Batch(x).is_finite()


def test_which_part_is_not_finite():
    good, odd = np.zeros((2, 3), np.float32), np.array([0.0, np.nan])
    assert Batch(good, np.arange(2)).not_finite() == Batch(good).not_finite() == []
    assert Batch(odd, good).not_finite() == ["x"] and Batch(odd, odd).not_finite() == ["x", "y"]
    for y in odd, [good, odd], {"a": (good, odd), "b": 3}, [[1.0, 2.0], [np.inf]], np.float32(np.nan):
        assert Batch(good, y).not_finite() == ["y"]


def test_what_is_a_batch():
    batch = Batch(1, 2, 3)
    assert as_batch(batch) is batch and as_batch((1, 2, 3)) == batch and as_batch([1, 2]) == Batch(1, 2, None)
    for wrong, got in [((1,), "tuple of 1"), ([1, 2, 3, 4], "list of 4"), (3, "int"), ({"x": 1}, "dict")]:
        with pytest.raises(TypeError, match=rf"x: expected batches \(x, y\) or \(x, y, lengths\), got {got}"):
            as_batch(wrong)


@pytest.mark.parametrize(
    "batch, shown",
    [
        (
            Batch(np.zeros((5, 2, 3), np.float32), np.arange(2), [5, 2]),
            "x (5, 2, 3) float32, y (2,) int64, lengths 2..5",
        ),
        (Batch(np.zeros((10**6, 1), np.float32)), "x (1000000, 1) float32"),
        (Batch((np.zeros(2), np.zeros(3)), [[1], [2, 3]]), "x ((2,) float64, (3,) float64), y list of 2"),
        (Batch({"a": np.zeros(2), "b": [1.0]}, 3.0), "x {a: (2,) float64, b: list of 1}, y 3.0"),
        (Batch(np.zeros((5, 0, 3)), None, []), "x (5, 0, 3) float64, lengths of no row"),
    ],
)
def test_a_batch_shows_shapes_and_no_numbers(batch, shown):
    assert repr(batch) == f"Batch({shown})"


def test_a_batch_stays_of_three():
    batch = weighted(Batch(1, 2, [3]), np.ones(1), 0)
    x, y, lengths = batch
    assert (x, y, lengths) == (1, 2, [3]) and len(batch) == 3 and isinstance(batch, Batch)
    assert weight_of(batch).tolist() == [1] and weight_of(Batch(1, 2)) is None and WeightedBatch(1).weight is None


@pytest.mark.parametrize("axis", [0, 1])
def test_between(axis):
    x = np.zeros((3, 4, 1) if axis else (4, 3, 1))
    rows, steps = np.arange(3), np.arange(12).reshape(x.shape[:2])
    for weight, expected in (rows, rows), (steps, steps[:, 1:3] if axis else steps[1:3]):
        piece = between(weighted(Batch(x, x), weight, 1 - axis), 1, 3, axis)
        np.testing.assert_array_equal(weight_of(piece), expected)


@pytest.mark.parametrize("weight, finite", [([1, 0, 1], True), ([[1, 0, 1]] * 4, True), ([0, 1, 1], False)])
def test_a_target_that_does_not_count_may_be_nan(weight, finite):
    y = np.zeros((4, 3, 2))
    y[2, 1] = np.nan
    batch = weighted(Batch(np.zeros((4, 3, 2)), y), np.array(weight), 1)
    assert batch.not_finite() == ([] if finite else ["y"])
    assert weighted(Batch(np.zeros(2), [np.zeros(2), y[2, 1]]), np.array([1, 0]), 0).not_finite() == []
