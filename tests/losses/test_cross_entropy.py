# SPDX-License-Identifier: BSD-3-Clause
"""cross_entropy against its definition in float64, its gradient against central differences."""

import numpy as np
import pytest
from support.losses import RTOL, RTOL_DIFFERENCES, N, T, V, assert_close, assert_same_bits, both_dtypes, class_batch
from support.tolerance import central_differences

from fastrnn.losses import cross_entropy


def textbook(logits, targets, counted):
    """Loss and gradient as they are written on paper, one position after the other."""
    loss, dlogits = 0.0, np.zeros(logits.shape)
    for at in np.argwhere(counted):
        z, y = logits[tuple(at)].astype(np.float64), targets[tuple(at)]
        p = np.exp(z) / np.exp(z).sum()
        loss -= np.log(p[y]) / counted.sum()
        dlogits[tuple(at)] = (p - (np.arange(V) == y)) / counted.sum()
    return loss, dlogits


@both_dtypes
def test_matches_the_definition(dtype):
    logits, targets = class_batch(dtype)
    expected = textbook(logits, targets, np.ones((T, N), bool))
    assert_close(cross_entropy(logits, targets), expected, dtype, RTOL)


@both_dtypes
@pytest.mark.parametrize("ignore_index", [-100, 3])
def test_ignored_targets_are_not_counted(dtype, ignore_index):
    logits, targets = class_batch(dtype)
    targets[1, 2] = targets[4, 0] = ignore_index
    expected = textbook(logits, targets, targets != ignore_index)
    result = cross_entropy(logits, targets, ignore_index=ignore_index)
    assert_close(result, expected, dtype, RTOL)
    assert not result[1][1, 2].any()


@pytest.mark.parametrize("lengths", [None, [2, 0, 5]])
def test_gradient_matches_central_differences(lengths):
    logits, targets = class_batch()
    targets[0, 2] = -100
    _, dlogits = cross_entropy(logits, targets, lengths=lengths)
    slopes = central_differences(lambda z: cross_entropy(z, targets, lengths=lengths)[0], logits)
    scale = np.abs(slopes).max()
    np.testing.assert_allclose(dlogits, slopes, rtol=0, atol=RTOL_DIFFERENCES * scale)


@both_dtypes
def test_gradient_sums_to_zero_over_the_classes(dtype):
    logits, targets = class_batch(dtype)
    _, dlogits = cross_entropy(logits, targets)
    assert np.abs(dlogits.sum(axis=-1)).max() <= RTOL[dtype] * np.abs(dlogits).max()


@pytest.mark.parametrize("lengths", [[2, 0, 5], [5, 5, 5], np.array([1, 4, 3], np.uint8)])
@pytest.mark.parametrize("batch_first", [False, True])
def test_lengths_hide_what_lies_beyond(lengths, batch_first):
    logits, targets = class_batch()
    beyond = np.arange(T)[:, None] >= np.asarray(lengths)
    if batch_first:
        logits, targets, beyond = logits.swapaxes(0, 1), targets.T, beyond.T
    expected = cross_entropy(logits, np.where(beyond, -100, targets))
    logits[beyond] = np.nan
    targets[beyond] = 10**6
    result = cross_entropy(logits, targets, lengths=lengths, batch_first=batch_first)
    assert_same_bits(result, expected)
    assert not result[1][beyond].any()


def test_lengths_and_ignore_index_combine():
    logits, targets = class_batch()
    targets[0, 0] = -100
    counted = np.arange(T)[:, None] < np.array([3, 1, 5])
    counted[0, 0] = False
    result = cross_entropy(logits, targets, lengths=[3, 1, 5])
    assert_close(result, textbook(logits, targets, counted), np.float64, RTOL)


def test_nothing_counted_is_zero():
    logits, targets = class_batch(np.float32)
    nothing = [
        cross_entropy(logits, np.full_like(targets, -100)),
        cross_entropy(logits * np.nan, targets, lengths=[0] * N),
        cross_entropy(logits[:0], targets[:0]),
        cross_entropy(logits[:0], targets[:0], lengths=[0] * N),
    ]
    for loss, dlogits in nothing:
        assert loss == 0.0
        assert not dlogits.any()
    assert nothing[0][1].shape == (T, N, V)
    assert nothing[2][1].shape == (0, N, V)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 4)])
def test_any_leading_shape(shape):
    rng = np.random.default_rng(1)
    logits, targets = rng.standard_normal((*shape, V)), rng.integers(0, V, shape)
    expected = textbook(logits, targets, np.ones(shape, bool))
    assert_close(cross_entropy(logits, targets), expected, np.float64, RTOL)


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_extreme_logits(dtype):
    logits = np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4], [-1e4, -1e4]], dtype)
    with np.errstate(all="raise"):  # the caller's settings do not matter
        loss, dlogits = cross_entropy(logits, [0, 0, 0, 0])
    assert loss == pytest.approx((0 + 2e4 + 2 * np.log(2)) / 4, rel=RTOL[dtype])
    expected = np.array([[0, 0], [-1, 1], [-0.5, 0.5], [-0.5, 0.5]]) / 4
    np.testing.assert_array_equal(dlogits, expected)


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_values_that_are_not_finite(dtype):
    inf, nan = np.inf, np.nan
    forbidden = cross_entropy(np.array([[0, -inf, 0]], dtype), [0])
    assert_close(forbidden, (np.log(2), np.array([[-0.5, 0, 0.5]])), dtype, RTOL)
    assert cross_entropy(np.array([[0, -inf]], dtype), [1])[0] == inf
    for row in ([nan, 0], [inf, 0], [-inf, -inf]):
        assert np.isnan(cross_entropy(np.array([row], dtype), [0])[0])


def test_loss_is_accumulated_in_float64():
    """log 3 is not a float32 number: any rounding to float32 after the exponential would show."""
    logits, targets = np.zeros((1000, 3), np.float32), np.zeros(1000, np.int8)
    loss, _ = cross_entropy(logits, targets)
    assert loss == pytest.approx(np.log(3), rel=RTOL[np.float64])


@both_dtypes
def test_torch_agrees(dtype):
    torch = pytest.importorskip("torch")
    logits, targets = class_batch(dtype, seed=2)
    targets[2, 1] = -100
    z = torch.tensor(logits, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(z.reshape(-1, V), torch.tensor(targets).reshape(-1))
    loss.backward()
    assert_close(cross_entropy(logits, targets), (loss.item(), z.grad.numpy()), dtype, RTOL)
