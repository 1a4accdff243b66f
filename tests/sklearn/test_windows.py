# SPDX-License-Identifier: BSD-3-Clause
"""Windows of a series, and the quantiles of several values at once."""

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.sklearn._windows import Window, pinball


@pytest.mark.parametrize("relative", [False, True])
def test_a_window_shows_the_past_and_what_is_known_ahead(relative, rng):
    """Values of steps to forecast are 0, and a last channel says which steps these are."""
    values, ahead = rng.standard_normal((20, 2)), rng.standard_normal((20, 3))
    window = Window(5, 3, relative)
    x, targets, weights = window.training(values, ahead)
    assert x.shape == (13, 8, 6) and targets.shape == weights.shape == (13, 8, 2)
    for start in (0, 4, 12):
        rows = slice(start, start + 8)
        level = values[start + 4] * relative
        np.testing.assert_array_equal(x[start, :5, :2], values[rows][:5] - level)
        assert not x[start, 5:, :2].any()
        np.testing.assert_array_equal(x[start, :, 2:5], ahead[rows])
        assert x[start, :, 5].tolist() == [0] * 5 + [1] * 3
        np.testing.assert_array_equal(targets[start], values[rows] - level)
        assert (weights[start, :5] == 0).all() and (weights[start, 5:] == 1).all()


def test_a_regression_reads_its_own_column_and_what_is_known_ahead(rng):
    values, ahead = rng.standard_normal((20, 2)), rng.standard_normal((20, 3))
    window = Window(5, 3, False)
    features = window.features(window.training(values, ahead)[0], 1, 2)
    assert features.shape == (13, 5 + 4 * 3) and features.dtype == np.float64
    np.testing.assert_array_equal(features[2], np.concatenate([values[2:7, 1], ahead[6:10].ravel()]))


def test_differences_have_a_scale_of_their_own(rng):
    """The level of a series, and its trend over many windows, does not count."""
    values = np.cumsum(rng.standard_normal((500, 2)), axis=0) + [1e4, 0]
    window = Window(5, 3, True)
    mean, scale = window.scale(values)
    _, targets, _ = window.training((values - mean) / scale, np.zeros((500, 0)))
    assert not mean.any()
    np.testing.assert_allclose((targets**2).mean(axis=(0, 1)), 1, rtol=1e-9)
    mean, scale = Window(5, 3, False).scale(values)
    np.testing.assert_allclose([mean, scale], [values.mean(axis=0), values.std(axis=0)], rtol=1e-12)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constant_values_stay_what_they_are(relative, dtype):
    _, scale = Window(5, 3, relative).scale(np.full((20, 1), 7.1, dtype))
    assert scale == 1


def test_a_series_as_long_as_a_window_is_one(rng):
    x, _, _ = Window(5, 3, True).training(rng.standard_normal((8, 1)), np.zeros((8, 0)))
    assert x.shape == (1, 8, 2)


def test_quantiles_of_several_values_are_those_of_each(rng):
    """The mean of their losses, and the gradients of each."""
    quantiles, y, target = (0.1, 0.5, 0.8), rng.standard_normal((4, 6, 2 * 3)), rng.standard_normal((4, 6, 2))
    weights = rng.random((4, 6, 2))
    value, dy = pinball(y, target, quantiles, sample_weight=weights)
    losses = [
        fr.quantile_loss(
            y[..., 3 * k : 3 * k + 3], target[..., k], quantiles=quantiles, sample_weight=weights[..., k]
        )
        for k in range(2)
    ]  # fmt: skip
    shares = weights.sum(axis=(0, 1)) / weights.sum()
    assert value == pytest.approx(sum(share * loss for share, (loss, _) in zip(shares, losses, strict=True)))
    for k, (_, gradient) in enumerate(losses):
        np.testing.assert_allclose(dy[..., 3 * k : 3 * k + 3], shares[k] * gradient, rtol=1e-12)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize(("dtype", "size"), [(np.float64, 1e-300), (np.float64, 1e300), (np.float32, 1e-35)])
def test_the_scale_of_tiny_and_of_huge_values(relative, dtype, size, rng):
    """Whose squares float64 does not have."""
    values, window = rng.standard_normal((50, 2)).astype(dtype), Window(5, 3, relative)
    mean, scale = window.scale(values)
    small_mean, small_scale = window.scale(values * dtype(size))
    np.testing.assert_allclose(small_scale / size, scale, rtol=1e-6)
    np.testing.assert_allclose(small_mean / size, mean, rtol=1e-5, atol=1e-6)
