# SPDX-License-Identifier: BSD-3-Clause
"""Samples that count, in any order, and the scale of their channels."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler

from fastrnn.sklearn._samples import Samples, fitted_scaler, in_dtype, relative, scaled, scaler_of, weighted_only
from fastrnn.sklearn._sequences import read


@pytest.fixture
def ragged(rng):
    return [rng.standard_normal((length, 2)) * [1, 5] + [3, 0] for length in (3, 6, 4, 2)]


def opened(X):
    return read(BaseEstimator(), X, reset=True)


def test_a_sample_of_weight_0_is_left_out(ragged):
    sequences, targets, weights = weighted_only(opened(ragged), np.arange(4), np.array([1.0, 0, 2, 0]))
    assert (targets.tolist(), weights.tolist(), sequences.lengths.tolist()) == ([0, 2], [1.0, 2.0], [3, 4])
    np.testing.assert_array_equal(sequences.rows()[1], ragged[2])


def test_channels_are_scaled_over_all_steps(ragged):
    sequences = opened(ragged)
    steps = scaled(sequences, scaler_of(sequences, None)).steps
    np.testing.assert_allclose(steps.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(steps.std(axis=0), 1, atol=1e-14)
    assert scaled(sequences, None) is sequences


def test_a_weight_counts_a_sequence_as_often(ragged):
    """All of its steps."""
    weighted = scaler_of(opened(ragged), np.array([1.0, 2, 1, 3]))
    repeated = scaler_of(opened([ragged[n] for n in (0, 1, 1, 2, 3, 3, 3)]), None)
    np.testing.assert_allclose(weighted.mean_, repeated.mean_, rtol=1e-14)
    np.testing.assert_allclose(weighted.scale_, repeated.scale_, rtol=1e-14)


def test_a_constant_channel_stays_finite():
    sequences = opened(np.full((3, 4, 1), 7.1))
    np.testing.assert_allclose(scaled(sequences, scaler_of(sequences, None)).steps, 0, atol=1e-14)


@pytest.mark.parametrize("form", [np.stack, list])
def test_samples_in_another_order(form, rng):
    x, weights = rng.standard_normal((4, 5, 2)), rng.random(4)
    samples = Samples(form(x), np.array([0, 1, 1, 0]), weights).only(np.array([3, 1]))
    np.testing.assert_array_equal(np.stack(samples.x), x[[3, 1]])
    assert samples.targets.tolist() == [0, 1] and samples.weights.tolist() == weights[[3, 1]].tolist()
    assert samples.count == 2 and samples.codes is samples.targets


def test_values_are_no_codes():
    assert Samples(np.ones((2, 3, 1)), np.ones((2, 1)), None).codes is None


@pytest.mark.parametrize("size", [1e-300, 1e-170, 1.0, 1e170, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_of_any_size_are_scaled(size, dtype, rng):
    """Their squares may be too large or too small for their dtype."""
    size = dtype(np.clip(size, 1e-36, 1e36)) if dtype is np.float32 else size
    values, weights = rng.standard_normal((50, 2)).astype(dtype), rng.random(50)
    scaler, expected = fitted_scaler(values * dtype(size), weights), fitted_scaler(values, weights)
    np.testing.assert_allclose(scaler.mean_ / size, expected.mean_, rtol=1e-5)
    np.testing.assert_allclose(scaler.scale_ / size, expected.scale_, rtol=1e-5)
    sequences = opened(list((values * dtype(size))[:, None]))
    np.testing.assert_allclose(scaled(sequences, scaler).steps, expected.transform(values), rtol=1e-3, atol=1e-5)


def test_values_of_common_size_have_the_bits_of_scikit_learn(rng):
    values = rng.standard_normal((50, 3)) * [1e-9, 1, 1e9] + [0, 5, 1e9]
    scaler, expected = fitted_scaler(values, None), StandardScaler().fit(values)
    for name in ("mean_", "scale_", "var_"):
        np.testing.assert_array_equal(getattr(scaler, name), getattr(expected, name))


def test_a_large_constant_has_scale_1():
    """As a small one, so that what is predicted of it is close to it."""
    assert fitted_scaler(np.full((5, 1), 1e300), None).scale_ == 1


def test_weights_of_any_size_have_the_same_quotients():
    for size in (1e-300, 1.0, 1e300):
        weights = relative(np.array([1, 2, 0.5]) * size)
        assert weights.max() < 1 and np.isfinite(weights.sum())
        np.testing.assert_allclose(weights / weights[0], [1, 2, 0.5], rtol=1e-14)


def test_values_that_a_dtype_does_not_hold_are_refused():
    with pytest.raises(ValueError, match=r"y: expected values that float32, .*, holds, got 1e\+40"):
        in_dtype("y", np.array([1e40]), np.float32)
    sequences = opened(np.full((3, 4, 1), 1e300))
    with pytest.raises(ValueError, match="X: expected values that float32, the dtype of X in fit, holds"):
        scaled(sequences, None, np.float32)
