# SPDX-License-Identifier: BSD-3-Clause
"""cross_entropy with class weights and label smoothing, against the definition and against central differences."""

import numpy as np
import pytest
from support.losses import (
    RTOL,
    RTOL_DIFFERENCES,
    WEIGHT,
    N,
    T,
    V,
    assert_close,
    assert_same_bits,
    both_dtypes,
    class_batch,
)
from support.tolerance import central_differences

from fastrnn.losses import cross_entropy

weighted_and_smoothed = pytest.mark.parametrize(
    "options",
    [{"weight": WEIGHT}, {"label_smoothing": 0.1}, {"label_smoothing": 1}, {"weight": WEIGHT, "label_smoothing": 0.3}],
    ids=["weight", "smoothing", "all smoothing", "both"],
)


def weighted_textbook(logits, targets, counted, weight=None, label_smoothing=0.0):
    """The weighted and smoothed loss as PyTorch documents it, one position after the other."""
    w = np.ones(V) if weight is None else weight
    loss, dlogits, W = 0.0, np.zeros(logits.shape), sum(w[y] for y in targets[counted])
    for at in np.argwhere(counted):
        z, y = logits[tuple(at)].astype(np.float64), targets[tuple(at)]
        p = np.exp(z) / np.exp(z).sum()
        q = (1 - label_smoothing) * w[y] * (np.arange(V) == y) + label_smoothing / V * w
        loss -= (q * np.log(p)).sum() / W
        dlogits[tuple(at)] = (p * q.sum() - q) / W
    return loss, dlogits


@both_dtypes
@weighted_and_smoothed
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.filterwarnings("error")
def test_weight_and_smoothing_match_the_definition(options, batch_first, dtype):
    logits, targets = class_batch(dtype)
    targets[0, 0], targets[1, 0] = -100, 2
    inside = np.arange(T)[:, None] < np.array([4, 0, 5])
    if batch_first:
        logits, targets, inside = logits.swapaxes(0, 1), targets.T, inside.T
    expected = weighted_textbook(logits, targets, inside & (targets != -100), **options)
    logits[~inside] = np.nan
    result = cross_entropy(logits, targets, lengths=[4, 0, 5], batch_first=batch_first, **options)
    assert_close(result, expected, dtype, RTOL)
    assert not result[1][~inside].any()


@weighted_and_smoothed
def test_weighted_gradient_matches_central_differences(options):
    logits, targets = class_batch(seed=3)
    _, dlogits = cross_entropy(logits, targets, **options)
    expected = central_differences(lambda z: cross_entropy(z, targets, **options)[0], logits)
    np.testing.assert_allclose(dlogits, expected, rtol=0, atol=RTOL_DIFFERENCES * np.abs(expected).max())


def test_weights_of_one_and_no_smoothing_change_nothing():
    logits, targets = class_batch()
    expected = cross_entropy(logits, targets)
    assert_same_bits(cross_entropy(logits, targets, label_smoothing=0), expected)
    for ones in (np.ones(V, np.float32), [1] * V, np.ones(V, bool)):
        assert_close(cross_entropy(logits, targets, weight=ones), expected, np.float64, RTOL)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_only_targets_of_weight_0_is_zero(label_smoothing):
    logits, _ = class_batch()
    loss, dlogits = cross_entropy(
        logits, np.full((T, N), 2), weight=WEIGHT, label_smoothing=label_smoothing, lengths=[3, 0, 5]
    )
    assert loss == 0.0
    assert dlogits.shape == logits.shape and not dlogits.any()


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_extreme_logits_smoothed(dtype):
    logits = np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4]], dtype)
    loss, dlogits = cross_entropy(logits, [0, 0, 0], label_smoothing=0.5)
    assert loss == pytest.approx((0.25 * 2e4 + 0.75 * 2e4 + np.log(2)) / 3, rel=RTOL[dtype])
    expected = np.array([[0.25, -0.25], [-0.75, 0.75], [-0.25, 0.25]]) / 3
    np.testing.assert_allclose(dlogits, expected, rtol=RTOL[dtype])


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_smoothing_and_forbidden_classes(dtype):
    """A forbidden class costs inf if smoothing asks for it, nothing if its weight is 0."""
    inf, nan = np.inf, np.nan
    row, both = np.array([[0, -inf, 0]], dtype), {"weight": [1, 0, 1], "label_smoothing": 0.3}
    assert cross_entropy(row, [0], label_smoothing=0.3)[0] == inf
    assert_close(cross_entropy(row, [0], **both), (0.9 * np.log(2), np.array([[-0.35, 0, 0.35]])), dtype, RTOL)
    two = cross_entropy(np.concatenate([row, row]), [0, 1], **both)  # a forbidden target, of weight 0
    assert two[0] == pytest.approx(1.1 * np.log(2), rel=RTOL[dtype])
    for values in ([nan, 0, 0], [0, nan, 0], [inf, 0, 0], [-inf] * 3):
        assert np.isnan(cross_entropy(np.array([values], dtype), [0], **both)[0])


@both_dtypes
@weighted_and_smoothed
def test_torch_agrees(options, dtype):
    torch = pytest.importorskip("torch")
    logits, targets = class_batch(dtype, seed=2)
    targets[2, 1] = -100
    z = torch.tensor(logits, requires_grad=True)
    theirs = dict(options)
    if "weight" in options:
        theirs["weight"] = torch.tensor(WEIGHT.astype(dtype))
    inside = torch.tensor(np.arange(T)[:, None] < np.array([4, 0, 5]))
    loss = torch.nn.functional.cross_entropy(z[inside], torch.tensor(targets)[inside], **theirs)
    loss.backward()
    assert_close(
        cross_entropy(logits, targets, lengths=[4, 0, 5], **options), (loss.item(), z.grad.numpy()), dtype, RTOL
    )
