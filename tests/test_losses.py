# SPDX-License-Identifier: BSD-3-Clause
"""cross_entropy against its definition in float64, its gradient against central differences."""

import re

import numpy as np
import pytest

from fastrnn.losses import cross_entropy

T, N, V = 5, 3, 7

# Relative. Loss and gradient take about ten roundings per element, with logits near 1: 64 eps.
RTOL = {np.float32: 64 * 2.0**-24, np.float64: 64 * 2.0**-53}
# Central differences with a step of 1e-5: truncation 1e-11, rounding 1e-16 / 1e-5 = 1e-11.
RTOL_DIFFERENCES = 1e-6
STEP = 1e-5

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def batch(dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((T, N, V)).astype(dtype), rng.integers(0, V, (T, N))


def textbook(logits, targets, counted):
    """Loss and gradient as they are written on paper, one position after the other."""
    loss, dlogits = 0.0, np.zeros(logits.shape)
    for at in np.argwhere(counted):
        z, y = logits[tuple(at)].astype(np.float64), targets[tuple(at)]
        p = np.exp(z) / np.exp(z).sum()
        loss -= np.log(p[y]) / counted.sum()
        dlogits[tuple(at)] = (p - (np.arange(V) == y)) / counted.sum()
    return loss, dlogits


def assert_close(got, expected, dtype):
    (loss, dlogits), (expected_loss, expected_dlogits) = got, expected
    assert type(loss) is float
    assert dlogits.dtype == dtype
    assert loss == pytest.approx(expected_loss, rel=RTOL[dtype])
    scale = np.abs(expected_dlogits).max()
    np.testing.assert_allclose(dlogits, expected_dlogits, rtol=0, atol=RTOL[dtype] * scale)


def assert_same_bits(got, expected):
    assert got[0] == expected[0]
    np.testing.assert_array_equal(got[1], expected[1])


@both_dtypes
def test_matches_the_definition(dtype):
    logits, targets = batch(dtype)
    expected = textbook(logits, targets, np.ones((T, N), bool))
    assert_close(cross_entropy(logits, targets), expected, dtype)


@both_dtypes
@pytest.mark.parametrize("ignore_index", [-100, 3])
def test_ignored_targets_are_not_counted(dtype, ignore_index):
    logits, targets = batch(dtype)
    targets[1, 2] = targets[4, 0] = ignore_index
    expected = textbook(logits, targets, targets != ignore_index)
    got = cross_entropy(logits, targets, ignore_index=ignore_index)
    assert_close(got, expected, dtype)
    assert not got[1][1, 2].any()


@pytest.mark.parametrize("lengths", [None, [2, 0, 5]])
def test_gradient_matches_central_differences(lengths):
    logits, targets = batch()
    targets[0, 2] = -100
    _, dlogits = cross_entropy(logits, targets, lengths=lengths)
    slopes = np.zeros_like(logits)
    for at in np.ndindex(logits.shape):
        up, down = logits.copy(), logits.copy()
        up[at] += STEP
        down[at] -= STEP
        rise = cross_entropy(up, targets, lengths=lengths)[0]
        rise -= cross_entropy(down, targets, lengths=lengths)[0]
        slopes[at] = rise / (2 * STEP)
    scale = np.abs(slopes).max()
    np.testing.assert_allclose(dlogits, slopes, rtol=0, atol=RTOL_DIFFERENCES * scale)


@both_dtypes
def test_gradient_sums_to_zero_over_the_classes(dtype):
    logits, targets = batch(dtype)
    _, dlogits = cross_entropy(logits, targets)
    assert np.abs(dlogits.sum(axis=-1)).max() <= RTOL[dtype] * np.abs(dlogits).max()


@pytest.mark.parametrize("lengths", [[2, 0, 5], [5, 5, 5], np.array([1, 4, 3], np.uint8)])
@pytest.mark.parametrize("batch_first", [False, True])
def test_lengths_hide_what_lies_beyond(lengths, batch_first):
    logits, targets = batch()
    beyond = np.arange(T)[:, None] >= np.asarray(lengths)
    if batch_first:
        logits, targets, beyond = logits.swapaxes(0, 1), targets.T, beyond.T
    expected = cross_entropy(logits, np.where(beyond, -100, targets))
    logits[beyond] = np.nan
    targets[beyond] = 10**6
    got = cross_entropy(logits, targets, lengths=lengths, batch_first=batch_first)
    assert_same_bits(got, expected)
    assert not got[1][beyond].any()


def test_lengths_and_ignore_index_combine():
    logits, targets = batch()
    targets[0, 0] = -100
    counted = np.arange(T)[:, None] < np.array([3, 1, 5])
    counted[0, 0] = False
    got = cross_entropy(logits, targets, lengths=[3, 1, 5])
    assert_close(got, textbook(logits, targets, counted), np.float64)


def test_nothing_counted_is_zero():
    logits, targets = batch(np.float32)
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
    assert_close(cross_entropy(logits, targets), expected, np.float64)


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
    assert_close(forbidden, (np.log(2), np.array([[-0.5, 0, 0.5]])), dtype)
    assert cross_entropy(np.array([[0, -inf]], dtype), [1])[0] == inf
    for row in ([nan, 0], [inf, 0], [-inf, -inf]):
        assert np.isnan(cross_entropy(np.array([row], dtype), [0])[0])


def test_loss_is_accumulated_in_float64():
    """log 3 is not a float32 number: any rounding to float32 after the exponential would show."""
    logits, targets = np.zeros((1000, 3), np.float32), np.zeros(1000, np.int8)
    loss, _ = cross_entropy(logits, targets)
    assert loss == pytest.approx(np.log(3), rel=RTOL[np.float64])


@both_dtypes
@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_every_kind_of_integer(dtype, kind):
    logits, targets = batch(dtype)
    assert_same_bits(cross_entropy(logits, targets.astype(kind)), cross_entropy(logits, targets))


class OnlyDLPack:
    """A tensor of a library that knows nothing of NumPy."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_any_array_is_taken_and_none_is_written_to():
    logits, targets = batch()
    expected = cross_entropy(logits, targets, lengths=[5, 2, 3])
    strided = np.full((2 * T, N, 3 * V), np.nan)[::2, :, 1::3]
    strided[...] = logits
    lists = logits.tolist(), targets.tolist()
    dlpack = OnlyDLPack(logits.copy()), OnlyDLPack(targets.copy())
    buffers = memoryview(logits.copy()), memoryview(targets.copy())
    for array in (logits, targets, strided):
        array.flags.writeable = False  # a write would raise
    pairs = [(logits, targets), (strided, targets), (logits[:], targets), lists, dlpack, buffers]
    for z, y in pairs:
        got = cross_entropy(z, y, lengths=[5, 2, 3])
        assert_same_bits(got, expected)
        assert got[1].flags.c_contiguous and got[1].flags.writeable
    assert not np.shares_memory(cross_entropy(logits, targets)[1], logits)


LOGITS, TARGETS = batch()


@pytest.mark.parametrize(
    "logits, targets, options, error, text",
    [
        (LOGITS.astype(np.int64), TARGETS, {}, TypeError,
         "logits: expected float32 or float64, got int64"),
        (LOGITS.astype(np.float16), TARGETS, {}, TypeError,
         "logits: expected float32 or float64, got float16"),
        (np.float64(1), 0, {}, ValueError, "logits: expected (..., V) with V >= 1, got ()"),
        (LOGITS[..., :0], TARGETS, {}, ValueError,
         "logits: expected (..., V) with V >= 1, got (5, 3, 0)"),
        (LOGITS, TARGETS.astype(float), {}, TypeError, "targets: expected integers, got float64"),
        (LOGITS, TARGETS > 2, {}, TypeError, "targets: expected integers, got bool"),
        (LOGITS, TARGETS.T, {}, ValueError, "targets: expected (5, 3), got (3, 5)"),
        (LOGITS, np.where(np.arange(15).reshape(5, 3) == 11, 107, TARGETS), {}, ValueError,
         "targets: expected integers in 0..6, got 107 at position (3, 2)"),
        (LOGITS[0, 0], -1, {}, ValueError,
         "targets: expected integers in 0..6, got -1 at position ()"),
        (LOGITS, np.full_like(TARGETS, -100), {"ignore_index": 0}, ValueError,
         "targets: expected integers in 0..6, got -100 at position (0, 0)"),
        (LOGITS, TARGETS, {"ignore_index": 1.5}, TypeError,
         "ignore_index: expected an integer, got float"),
        (LOGITS, TARGETS, {"lengths": [1, 2]}, ValueError, "lengths: expected (3,), got (2,)"),
        (LOGITS, TARGETS, {"lengths": 2}, ValueError, "lengths: expected (3,), got ()"),
        (LOGITS, TARGETS, {"lengths": [1, 2, 3], "batch_first": True}, ValueError,
         "lengths: expected (5,), got (3,)"),
        (LOGITS, TARGETS, {"lengths": [1.0, 2.0, 3.0]}, TypeError,
         "lengths: expected integers, got float64"),
        (LOGITS, TARGETS, {"lengths": [5, 6, 5]}, ValueError,
         "lengths: expected integers in 0..5, got 6 at position (1,)"),
        (LOGITS, TARGETS, {"lengths": [5, 5, -1]}, ValueError,
         "lengths: expected integers in 0..5, got -1 at position (2,)"),
        (LOGITS[0], TARGETS[0], {"lengths": [1, 2, 3]}, ValueError,
         "logits: expected (T, N, V) with lengths, got (3, 7)"),
        (LOGITS[0], TARGETS[0], {"lengths": [1], "batch_first": True}, ValueError,
         "logits: expected (N, T, V) with lengths, got (3, 7)"),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected_and_what_came(logits, targets, options, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        cross_entropy(logits, targets, **options)


@both_dtypes
def test_torch_agrees(dtype):
    torch = pytest.importorskip("torch")
    logits, targets = batch(dtype, seed=2)
    targets[2, 1] = -100
    z = torch.tensor(logits, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(z.reshape(-1, V), torch.tensor(targets).reshape(-1))
    loss.backward()
    assert_close(cross_entropy(logits, targets), (loss.item(), z.grad.numpy()), dtype)
