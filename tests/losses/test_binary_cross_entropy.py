# SPDX-License-Identifier: BSD-3-Clause
"""binary_cross_entropy_with_logits against its definition in float64, its gradient against central differences."""

import re

import numpy as np
import pytest
from support.losses import (
    LOGITS,
    RTOL,
    RTOL_DIFFERENCES,
    TARGETS,
    WEIGHT,
    N,
    T,
    V,
    assert_close,
    assert_same_bits,
    both_dtypes,
)
from support.tolerance import central_differences

from fastrnn.losses import binary_cross_entropy_with_logits as binary


def yes_or_no_batch(dtype=np.float64, seed=0, shape=(T, N, V)):
    """Logits, and targets of 0, of 1 and between them."""
    rng = np.random.default_rng(seed)
    targets = np.clip(rng.uniform(-0.5, 1.5, shape), 0, 1).astype(dtype)
    return np.asarray(rng.standard_normal(shape), dtype), targets


def yes_or_no_textbook(logits, targets, pos_weight=1.0):
    z, y = logits.astype(np.float64), targets.astype(np.float64)
    p = 1 / (1 + np.exp(-z))
    loss = np.mean(-pos_weight * y * np.log(p) - (1 - y) * np.log(1 - p))
    return loss, ((1 - y) * p - pos_weight * y * (1 - p)) / z.size


each_pos_weight = pytest.mark.parametrize(
    "pos_weight",
    [None, 3, 0.5, WEIGHT, np.arange(N)[:, None]],
    ids=["no weight", "3", "0.5", "of the last axis", "of rows"],
)


@both_dtypes
@each_pos_weight
@pytest.mark.filterwarnings("error")
def test_binary_matches_the_definition(pos_weight, dtype):
    logits, targets = yes_or_no_batch(dtype)
    expected = yes_or_no_textbook(logits, targets, 1.0 if pos_weight is None else pos_weight)
    assert_close(binary(logits, targets, pos_weight=pos_weight), expected, dtype, RTOL)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 2, 2)])
def test_binary_takes_any_shape(shape):
    logits, targets = yes_or_no_batch(shape=shape)
    assert_close(binary(logits, targets), yes_or_no_textbook(logits, targets), np.float64, RTOL)


@each_pos_weight
def test_binary_gradient_matches_central_differences(pos_weight):
    logits, targets = yes_or_no_batch()
    options = {"pos_weight": pos_weight, "lengths": [2, 0, 5]}
    _, dlogits = binary(logits, targets, **options)
    expected = central_differences(lambda z: binary(z, targets, **options)[0], logits)
    np.testing.assert_allclose(dlogits, expected, rtol=0, atol=RTOL_DIFFERENCES * np.abs(expected).max())


@both_dtypes
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("pos_weight", [None, WEIGHT])
@pytest.mark.filterwarnings("error")
def test_binary_lengths_hide_what_lies_beyond(batch_first, pos_weight, dtype):
    logits, targets = yes_or_no_batch(dtype)
    beyond = np.arange(T)[:, None] >= np.array([2, 0, 5])
    if batch_first:
        logits, targets, beyond = logits.swapaxes(0, 1), targets.swapaxes(0, 1), beyond.T
    logits[beyond], targets[beyond] = np.nan, 7
    targets[beyond.nonzero()[0][0], beyond.nonzero()[1][0], 0] = np.nan
    options = {"pos_weight": pos_weight}
    result = binary(logits, targets, lengths=[2, 0, 5], batch_first=batch_first, **options)
    loss, dlogits = binary(logits[~beyond], targets[~beyond], **options)
    assert_same_bits((result[0], result[1][~beyond]), (loss, dlogits))
    assert not result[1][beyond].any()
    assert result[1].flags.c_contiguous


def test_binary_nothing_counted_is_zero():
    logits, targets = yes_or_no_batch()
    for result in (binary(logits * np.nan, targets, lengths=[0] * N), binary(logits[:0], targets[:0])):
        assert result[0] == 0.0 and not result[1].any()


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_binary_extreme_logits(dtype):
    inf = np.inf
    with np.errstate(all="raise"):  # the caller's settings do not matter
        loss, dlogits = binary(np.array([1e4, -1e4, 1e4, -1e4], dtype), [0, 1, 1, 0])
        assert loss == pytest.approx(5e3, rel=RTOL[dtype])
        np.testing.assert_array_equal(dlogits, [0.25, -0.25, 0, 0])
        for pos_weight in (None, 0, 2):
            loss, dlogits = binary(np.array([inf, -inf], dtype), [1, 0], pos_weight=pos_weight)
            assert loss == 0.0 and not dlogits.any()
        assert binary(np.array([inf], dtype), [0])[0] == inf
        assert binary(np.array([-inf], dtype), [0.5])[0] == inf
        for logits, targets in (([np.nan, 0], [0, 0]), ([0, 0], [0, np.nan])):
            loss, dlogits = binary(np.array(logits, dtype), targets)
            assert np.isnan(loss) and np.isnan(dlogits).sum() == 1
    # Far from the answer's boundary the loss is exp(-z), not 0.
    assert binary(np.array([30.0], dtype), [1])[0] == pytest.approx(np.exp(-30.0), rel=RTOL[dtype])


def test_binary_is_accumulated_in_float64():
    """1000 equal float32 numbers have that number as their mean, but not if their sum is rounded to float32."""
    one, _ = binary(np.zeros(1, np.float32), [1])
    many, _ = binary(np.zeros(1000, np.float32), np.ones(1000))
    assert many == pytest.approx(one, rel=RTOL[np.float64])


@both_dtypes
def test_binary_targets_of_every_kind(dtype):
    logits, targets = yes_or_no_batch(dtype)
    targets = targets.round()
    expected = binary(logits, targets)
    for kind in (bool, np.int8, np.uint64, np.float16, np.float32, np.float64):
        assert_same_bits(binary(logits, targets.astype(kind)), expected)
    assert_same_bits(binary(logits, targets.tolist()), expected)
    for array in (logits, targets):
        array.flags.writeable = False  # a write would raise
    assert_same_bits(binary(np.asfortranarray(logits), targets), expected)


YES_OR_NO = yes_or_no_batch()[1]


@pytest.mark.parametrize(
    "logits, targets, options, error, text",
    [
        (LOGITS.astype(np.float16), YES_OR_NO, {}, TypeError, "logits: expected float32 or float64, got float16"),
        (LOGITS, YES_OR_NO[0], {}, ValueError, "targets: expected (5, 3, 7), got (3, 7)"),
        (LOGITS, YES_OR_NO.astype(str), {}, TypeError, "targets: expected numbers, got <U32"),
        (LOGITS, TARGETS[..., None] + np.zeros(V), {"lengths": [0, 0, 5]}, ValueError,
         f"targets: expected numbers in [0, 1], got {float(TARGETS[:, 2][TARGETS[:, 2] > 1][0])} "
         f"at position ({int(np.argmax(TARGETS[:, 2] > 1))}, 2, 0)"),
        (np.float64(0), -0.5, {}, ValueError, "targets: expected numbers in [0, 1], got -0.5 at position ()"),
        (LOGITS, YES_OR_NO, {"pos_weight": [1, 2]}, ValueError,
         "pos_weight: expected a shape that broadcasts to (5, 3, 7), got (2,)"),
        (LOGITS[0, 0], YES_OR_NO[0, 0], {"pos_weight": np.ones((2, 7))}, ValueError,
         "pos_weight: expected a shape that broadcasts to (7,), got (2, 7)"),
        (LOGITS, YES_OR_NO, {"pos_weight": -1}, ValueError,
         "pos_weight: expected finite numbers >= 0, got -1 at position ()"),
        (LOGITS, YES_OR_NO, {"pos_weight": "a"}, TypeError, "pos_weight: expected numbers, got <U1"),
        (LOGITS, YES_OR_NO, {"lengths": [5, 6, 5]}, ValueError,
         "lengths: expected 0..5 (the steps of logits), got 6 for row 1"),
        (LOGITS[0, 0], YES_OR_NO[0, 0], {"lengths": [5]}, ValueError,
         "logits: expected (T, N, ...) with lengths, got (7,)"),
        (LOGITS, YES_OR_NO, {"batch_first": None}, TypeError, "batch_first: expected True or False, got None"),
    ],
)  # fmt: skip
def test_errors_of_binary(logits, targets, options, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        binary(logits, targets, **options)


@both_dtypes
@each_pos_weight
def test_torch_agrees(pos_weight, dtype):
    torch = pytest.importorskip("torch")
    logits, targets = yes_or_no_batch(dtype, seed=5)
    z = torch.tensor(logits, requires_grad=True)
    theirs = None if pos_weight is None else torch.tensor(np.asarray(pos_weight, dtype))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(z, torch.tensor(targets), pos_weight=theirs)
    loss.backward()
    assert_close(binary(logits, targets, pos_weight=pos_weight), (loss.item(), z.grad.numpy()), dtype, RTOL)
