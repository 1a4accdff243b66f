# SPDX-License-Identifier: BSD-3-Clause
"""quantile_loss against its definition, central differences and what its minimum is."""

import re

import numpy as np
import pytest
from support.losses import REGRESSION_RTOL, RTOL_DIFFERENCES, N, T, both_dtypes
from support.tolerance import central_differences

from fastrnn.losses import Mean, l1_loss, quantile_loss

Q = np.array([0.05, 0.5, 0.9])


def batch(dtype=np.float64, shape=(T, N), seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((*shape, 3)).astype(dtype), rng.standard_normal(shape).astype(dtype)


def on_paper(u, q):
    """rho_q of u = target - prediction."""
    return u * (q - (u < 0))


@both_dtypes
@pytest.mark.parametrize("shape", [(), (4,), (T, N), (T, N, 2)])
def test_matches_the_definition(shape, dtype):
    prediction, target = batch(dtype, shape)
    loss, slope = quantile_loss(prediction, target, quantiles=Q)
    expected = np.mean(on_paper(target[..., None].astype(np.float64) - prediction, Q))
    assert type(loss) is Mean and loss.weight == prediction.size
    assert loss == pytest.approx(expected, rel=REGRESSION_RTOL[dtype])
    assert slope.dtype == dtype and slope.shape == prediction.shape


@pytest.mark.parametrize("lengths", [None, [2, 0, 5]])
def test_gradient_matches_central_differences(lengths):
    prediction, target = batch(shape=(T, N, 2))
    _, slope = quantile_loss(prediction, target, quantiles=Q, lengths=lengths)
    expected = central_differences(lambda p: quantile_loss(p, target, quantiles=Q, lengths=lengths)[0], prediction)
    np.testing.assert_allclose(slope, expected, rtol=0, atol=RTOL_DIFFERENCES * np.abs(expected).max())


@both_dtypes
def test_a_half_is_half_the_absolute_error(dtype):
    prediction, target = batch(dtype)
    for ours, theirs in zip(
        quantile_loss(prediction[..., :1], target, quantiles=[0.5]),
        l1_loss(prediction[..., :1], target[..., None]),
        strict=True,
    ):
        np.testing.assert_allclose(2 * ours, theirs, rtol=REGRESSION_RTOL[dtype])
    assert not quantile_loss(target[..., None], target, quantiles=[0.9])[1].any()


@pytest.mark.parametrize("q", [0.1, 0.5, 0.75])
def test_its_minimum_is_the_quantile(q):
    """Of 41 numbers, none is a better constant than the one that NumPy calls the quantile."""
    numbers = np.random.default_rng(1).standard_normal(41)
    losses = [quantile_loss(np.full((41, 1), c), numbers, quantiles=[q])[0] for c in numbers]
    assert numbers[np.argmin(losses)] == np.quantile(numbers, q, method="inverted_cdf")


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.filterwarnings("error")
def test_lengths_hide_what_lies_beyond(batch_first):
    prediction, target = batch()
    beyond = np.arange(T)[:, None] >= np.array([2, 0, 5])
    if batch_first:
        prediction, target, beyond = prediction.swapaxes(0, 1), target.T, beyond.T
    expected = quantile_loss(prediction[~beyond], target[~beyond], quantiles=Q)
    prediction[beyond] = target[beyond] = np.nan
    loss, slope = quantile_loss(prediction, target, quantiles=Q, lengths=[2, 0, 5], batch_first=batch_first)
    assert loss == expected[0]
    np.testing.assert_array_equal(slope[~beyond], expected[1])
    assert not slope[beyond].any()


def test_nan_makes_the_loss_nan():
    prediction, target = batch()
    prediction[0, 0, 1] = np.nan
    loss, slope = quantile_loss(prediction, target, quantiles=Q)
    assert np.isnan(loss) and np.argwhere(np.isnan(slope)).tolist() == [[0, 0, 1]]


PREDICTION, TARGET = batch()


@pytest.mark.parametrize(
    "changed, error, text",
    [
        ({"quantiles": 0.5}, ValueError, "quantiles: expected (Q,) with Q >= 1, got ()"),
        ({"quantiles": []}, ValueError, "quantiles: expected (Q,) with Q >= 1, got (0,)"),
        ({"quantiles": [0.1, 1.0, 0.5]}, ValueError,
         "quantiles: expected numbers between 0 and 1, got 1.0 at position (1,)"),
        ({"quantiles": [np.nan] * 3}, ValueError,
         "quantiles: expected numbers between 0 and 1, got nan at position (0,)"),
        ({"quantiles": ["a"]}, TypeError, "quantiles: expected numbers, got <U1"),
        ({"quantiles": [0.5]}, ValueError, "prediction: expected (..., 1), one for each quantile, got (5, 3, 3)"),
        ({"prediction": np.float64(1)}, ValueError, "prediction: expected (..., 3), one for each quantile, got ()"),
        ({"target": TARGET[..., None]}, ValueError, "target: expected (5, 3), got (5, 3, 1)"),
        ({"prediction": PREDICTION[0], "target": TARGET[0], "lengths": [1, 2, 3]}, ValueError,
         "prediction: expected (T, N, ..., Q) with lengths, got (3, 3)"),
        ({"lengths": [1, 2]}, ValueError, "lengths: expected (3,), one for each row of the batch, got (2,)"),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected_and_what_came(changed, error, text):
    arguments = {"prediction": PREDICTION, "target": TARGET, "quantiles": Q} | changed
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        quantile_loss(**arguments)
