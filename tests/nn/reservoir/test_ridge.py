# SPDX-License-Identifier: BSD-3-Clause
"""Ridge regression."""

import numpy as np
import pytest

from fastrnn.nn._reservoir.ridge import Ridge


def stacked(features, targets, ridge):
    """The same by least squares on [1, features] with rows sqrt(ridge) I below: no product of X with itself."""
    x = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    rows = np.sqrt(ridge) * np.eye(x.shape[1])
    below = np.zeros((x.shape[1], targets.shape[1]))
    solution = np.linalg.lstsq(np.concatenate([x, rows]), np.concatenate([targets, below]), rcond=None)[0]
    return solution[1:].T, solution[0]


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1.0, 1e3])
@pytest.mark.parametrize("samples", [7, 50])
def test_it_solves_what_lstsq_solves(samples, ridge, rng):
    """With fewer samples than weights too; without ridge that is the shortest solution."""
    features, targets = rng.standard_normal((samples, 11)), rng.standard_normal((samples, 3))
    regression = Ridge(11, 3)
    for block in np.array_split(np.arange(samples), 4):
        regression.add(features[block], targets[block])
    assert regression.samples == samples
    weight, bias = regression.solve(ridge)
    expected_weight, expected_bias = stacked(features, targets, ridge)
    np.testing.assert_allclose(weight, expected_weight, rtol=0, atol=1e-9 * np.abs(expected_weight).max())
    np.testing.assert_allclose(bias, expected_bias, rtol=0, atol=1e-9 * np.abs(expected_weight).max())


@pytest.mark.parametrize("rows", [1, 10, 1000])
def test_blocks_of_any_size_give_one_solution(rows, rng):
    """Single samples, a few, or more than its buffer holds."""
    features, targets = rng.standard_normal((1000, 4)), rng.standard_normal((1000, 2))
    regression = Ridge(4, 2)
    for start in range(0, 1000, rows):
        regression.add(features[start : start + rows], targets[start : start + rows])
    for result, expected in zip(regression.solve(0.1), stacked(features, targets, 0.1), strict=True):
        np.testing.assert_allclose(result, expected, atol=1e-12)


def test_nearly_dependent_features_keep_their_digits():
    """Powers of t up to 9: a condition of 10^7, so normal equations would leave three digits; here nine are right."""
    t = np.linspace(0, 1, 2000)[:, None]
    features, weight = t ** np.arange(1, 10), np.arange(1.0, 10)[None]
    regression = Ridge(9, 1)
    for block in np.array_split(np.arange(2000), 30):
        regression.add(features[block], features[block] @ weight.T + 5)
    result, bias = regression.solve(0.0)
    np.testing.assert_allclose(result, weight, rtol=1e-9)
    np.testing.assert_allclose(bias, [5], rtol=1e-9)
    x = np.concatenate([t**0, features], axis=1)
    squared = np.linalg.solve(x.T @ x, x.T @ (features @ weight.T + 5))
    assert np.abs(squared[1:].T - weight).max() > 1e-4


def test_float32_samples_are_rounded_no_further(rng):
    """A small difference to a large mean stays what it was."""
    x = (1000 + rng.standard_normal((4096, 1))).astype(np.float32)
    regression = Ridge(1, 1)
    for _ in range(50):
        regression.add(x, 2 * x - 1000)
    weight, bias = regression.solve(0.0)
    np.testing.assert_allclose(weight, [[2]], rtol=1e-9)
    np.testing.assert_allclose(bias, [-1000], rtol=1e-9)


def test_directions_that_the_samples_leave_open_get_no_weight(rng):
    """Two equal features share the weight that one would have; one that is always 0 has none."""
    x = rng.standard_normal((100, 1))
    regression = Ridge(3, 1)
    regression.add(np.concatenate([x, x, 0 * x], axis=1), 4 * x)
    weight, bias = regression.solve(0.0)
    np.testing.assert_allclose(weight, [[2, 2, 0]], atol=1e-12)
    np.testing.assert_allclose(bias, [0], atol=1e-12)
