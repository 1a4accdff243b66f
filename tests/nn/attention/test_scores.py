# SPDX-License-Identifier: BSD-3-Clause
"""Sums in the order of time, and the scores of attention. Attention itself is tested in test_attention.py."""

import numpy as np
import pytest
from support.layers import assert_same_bits

from fastrnn.nn._attention import scores


@pytest.mark.parametrize("features", [1, 2, 7])
@pytest.mark.parametrize("steps", [0, 1, 9, 150])
def test_sums_over_time_are_those_of_a_loop(features, steps, dtype, rng):
    """Whatever the batch and however many zeros follow; NumPy would add up a long axis in blocks."""
    weights = rng.standard_normal((steps, 5)).astype(dtype)
    values = rng.standard_normal((steps, 5, features)).astype(dtype)
    total, mean = scores.sum_over_time(weights), scores.weighted_sum(weights, values)
    expected = np.zeros(5)
    for row in weights:
        expected += row
    assert_same_bits(total, expected.astype(dtype))
    np.testing.assert_allclose(mean, (weights[..., None] * values).sum(axis=0), rtol=1e-4, atol=1e-4)
    for n in range(5):
        for more in (0, 1, 8, 40):
            w = np.concatenate([weights[:, n : n + 1], np.zeros((more, 1), dtype)])
            v = np.concatenate([values[:, n : n + 1], np.ones((more, 1, features), dtype)])
            assert_same_bits(scores.sum_over_time(w), total[n : n + 1])
            assert_same_bits(scores.weighted_sum(w, v), mean[n : n + 1])


def test_softmax_counts_the_steps_of_each_row_alone():
    """A row without steps gets zeros."""
    beyond = np.array([[False, False, True], [False, True, True]])
    weights = scores.softmax(np.array([[0.0, 5.0, 1.0], [np.log(3), np.nan, np.nan]]), beyond)
    np.testing.assert_allclose(weights, [[0.25, 1, 0], [0.75, 0, 0]])


def memory(rng, beyond=None):
    keys, values = rng.standard_normal((2, 4, 3, 5))
    return scores.AttentionMemory(values, keys, rng.standard_normal(5), beyond, None)


def test_a_repeated_memory_has_its_rows_side_by_side(rng):
    beyond = rng.random((4, 3)) < 0.5
    once = memory(rng, beyond)
    twice = once.repeated(2)
    rows = [0, 0, 1, 1, 2, 2]
    assert_same_bits(twice.values, once.values[:, rows])
    assert_same_bits(twice.keys, once.keys[:, rows])
    assert_same_bits(twice.padding, beyond[:, rows])
    assert once.repeated(1).values is once.values
    assert memory(rng).repeated(3).padding is None


@pytest.mark.parametrize("queries", [0, 1, 3])
def test_gradients_are_added_up_at_the_end(queries, rng):
    """Every query adds an outer product to the gradients of the values and of the keys."""
    products = memory(rng)._replace(v=None)
    gradients, dvalues, dkeys = scores.MemoryGradients(products), np.zeros((4, 3, 5)), np.zeros((4, 3, 5))
    for query, dcontext in rng.standard_normal((queries, 2, 3, 5)):
        _, weights = scores.attend(query, products)
        dquery = scores.attend_back(query, weights, dcontext, None, products, gradients)
        slopes = (dcontext * products.values).sum(axis=-1)
        dscores = weights * (slopes - (weights * slopes).sum(axis=0))
        dvalues += weights[..., None] * dcontext
        dkeys += dscores[..., None] * query
        np.testing.assert_allclose(dquery, (dscores[..., None] * products.keys).sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(gradients.of_values(), dvalues, atol=1e-12)
    np.testing.assert_allclose(gradients.of_keys(), dkeys, atol=1e-12)
