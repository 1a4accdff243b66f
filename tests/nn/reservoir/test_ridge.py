# SPDX-License-Identifier: BSD-3-Clause
"""Ridge regression."""

import numpy as np
import pytest
from support.least_squares import centred_ridge

from fastrnn.nn._reservoir.ridge import NormalEquations, Ridge, solved


def fitted(features, targets, ridge, blocks=1):
    """[bias, weight] (O, 1+F) after samples in that many blocks."""
    regression = Ridge(features.shape[1], targets.shape[1])
    for block in np.array_split(np.arange(len(features)), blocks):
        regression.add(features[block], targets[block])
    weight, bias = regression.solve(ridge)
    return np.concatenate([bias[:, None], weight], axis=1)


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1.0, 1e3])
@pytest.mark.parametrize("samples", [7, 50])
def test_it_solves_what_lstsq_solves(samples, ridge, rng):
    """With fewer samples than weights too; without ridge that is the shortest solution."""
    features, targets = rng.standard_normal((samples, 11)), rng.standard_normal((samples, 3))
    expected = centred_ridge(features, targets, ridge)
    result = fitted(features, targets, ridge, 4)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("offset", [0.0, 100.0, 1e6])
@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1.0, 1e3])
def test_it_is_the_ridge_regression_of_scikit_learn(ridge, offset, rng):
    """Weights and intercepts, whatever the offsets of features and targets: the bias is not held by the ridge."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, targets = offset + rng.standard_normal((60, 7)), rng.standard_normal((60, 3)) - 3 * offset
    expected = linear_model.Ridge(alpha=ridge, solver="svd").fit(features, targets)
    result, rounding = fitted(features, targets, ridge, 5), 1e-15 * (1 + offset)  # that of the numbers themselves
    np.testing.assert_allclose(result[:, 1:], expected.coef_, rtol=0, atol=100 * rounding)
    np.testing.assert_allclose(result[:, 0], expected.intercept_, rtol=0, atol=100 * rounding * (1 + offset))


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1.0])
def test_a_weight_counts_a_sample_as_often(ridge, rng):
    """In whatever blocks the samples come, the first of which may weigh little."""
    features, targets = 3 + rng.standard_normal((20, 4)), rng.standard_normal((20, 2))
    weights = np.arange(20) % 3 + 1.0
    regression = Ridge(4, 2)
    for block in np.split(np.arange(20), [1, 9]):
        regression.add(features[block], targets[block], weights[block])
    weight, bias = regression.solve(ridge)
    expected = fitted(features.repeat(weights.astype(int), axis=0), targets.repeat(weights.astype(int), axis=0), ridge)
    np.testing.assert_allclose(np.concatenate([bias[:, None], weight], axis=1), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 1e9])
def test_an_offset_of_the_targets_moves_the_bias_alone(ridge, rng):
    """However strong the ridge is."""
    features, targets = rng.standard_normal((50, 4)), rng.standard_normal((50, 2))
    result, moved = fitted(features, targets, ridge), fitted(features, targets + 128, ridge)
    np.testing.assert_allclose(moved - result, [[128, 0, 0, 0, 0]] * 2, rtol=0, atol=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 1e-12, 1.0])
@pytest.mark.parametrize("constant", [0.1, 100.3, 1e6 / 3])
def test_constant_features_get_no_weight(constant, ridge, rng):
    """They are no noise around their mean, on which a weight could grow."""
    x = rng.standard_normal((100, 1))
    features = np.concatenate([x, np.full((100, 1), constant)], axis=1)
    np.testing.assert_allclose(fitted(features, 2 * x + 3, ridge, 10)[:, 2], 0, atol=1e-15)


def test_a_single_sample_is_the_bias(rng):
    features, targets = rng.standard_normal((1, 4)), rng.standard_normal((1, 2))
    np.testing.assert_array_equal(fitted(features, targets, 0.0), np.insert(np.zeros((2, 4)), 0, targets[0], axis=1))


@pytest.mark.parametrize("rows", [1, 10, 1000])
def test_blocks_of_any_size_give_one_solution(rows, rng):
    """Single samples, a few, or more than its buffer holds."""
    features, targets = rng.standard_normal((1000, 4)), rng.standard_normal((1000, 2))
    result = fitted(features, targets, 0.1, 1000 // rows)
    np.testing.assert_allclose(result, centred_ridge(features, targets, 0.1), atol=1e-12)


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


# -- normal equations ------------------------------------------------------------------------------------------------


def states(samples, F, rng, decay=1.0):
    """Features whose singular values fall by `decay` from one to the next, and targets nearly linear in them."""
    directions = np.linalg.qr(rng.standard_normal((F, F)))[0]
    features = 3 + rng.standard_normal((samples, F)) @ (decay ** np.arange(F)[:, None] * directions)
    return features, features @ rng.standard_normal((F, 2)) + 0.01 * rng.standard_normal((samples, 2))


def by_both(features, targets, ridge, blocks):
    results = []
    for kind in (NormalEquations, Ridge):
        regression = kind(features.shape[1], targets.shape[1])
        for block in np.array_split(np.arange(len(features)), blocks):
            regression.add(features[block], targets[block])
        results.append(regression.solve(ridge))
    return results


@pytest.mark.parametrize("blocks", [1, 3, 50])
@pytest.mark.parametrize("ridge", [1e-6, 1.0, 1e3])
def test_normal_equations_solve_what_qr_solves(ridge, blocks, rng):
    """Weights and bias; the features are independent, so that few digits are lost."""
    (weight, bias), (expected, expected_bias) = by_both(*states(300, 20, rng), ridge, blocks)
    np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    np.testing.assert_allclose(bias, expected_bias, rtol=0, atol=1e-10)


def test_rounding_of_normal_equations_is_less_than_a_change_of_the_ridge(rng):
    """Singular values down to 1e-8: at the smallest ridge that is accurate, beside a ridge that differs by a tenth."""
    features, targets = states(2000, 30, rng, 10 ** (-8 / 29))
    regression = NormalEquations(30, 2)
    regression.add(features, targets)
    ridge = 1.0
    while regression.accurate(ridge / 2):
        ridge /= 2
    assert 1e-14 < ridge < 1e-9
    (weight, _), (exact, _) = by_both(features, targets, ridge, 7)
    other = by_both(features, targets, 1.1 * ridge, 7)[1][0]
    assert np.linalg.norm(weight - exact) < np.linalg.norm(other - exact)


def test_the_ridge_decides_which_way_is_taken(monkeypatch, rng):
    """Sums of products are given up as soon as the samples are too large for the ridge; none have no solution."""
    features, targets = rng.standard_normal((400, 5)), rng.standard_normal((400, 2))
    taken, read = [], []
    for kind in (NormalEquations, Ridge):
        monkeypatch.setattr(kind, "_solution", lambda self, ridge, kind=kind, way=kind._solution: (
            taken.append(kind), way(self, ridge))[1])  # fmt: skip

    def samples(scale):
        for k in range(0, 400, 100):
            read.append(k)
            yield scale * features[k : k + 100], targets[k : k + 100]

    for scale, ridge, kind, blocks in (
        (1, 1e-6, NormalEquations, 4), (1, 0.0, Ridge, 4), (1, 1e-13, Ridge, 5), (1e6, 1e-6, Ridge, 5),
    ):  # fmt: skip
        taken.clear(), read.clear()
        weight, bias, count = solved(lambda scale=scale: samples(scale), (5, 2), ridge)
        assert (taken, len(read), count) == ([kind], blocks, 400)
        expected = centred_ridge(scale * features, targets, ridge)
        result = np.concatenate([bias[:, None], weight], axis=1)
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-9 * np.abs(expected).max())
    weight, bias, count = solved(lambda: iter([]), (5, 2), 0.0)
    assert count == 0 and weight.shape == (2, 5) and bias.shape == (2,) and not weight.any()


@pytest.mark.parametrize("kind", [Ridge, NormalEquations])
@pytest.mark.filterwarnings("ignore")
def test_sums_that_are_not_finite_are_an_error(kind, rng):
    """LAPACK would print one of its own."""
    regression = kind(3, 1)
    regression.add(rng.standard_normal((9, 3)) * 1e308, rng.standard_normal((9, 1)), np.full(9, 1e10))
    with pytest.raises(FloatingPointError, match="expected finite sums of the samples"):
        regression.solve(1.0)
