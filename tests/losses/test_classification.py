# SPDX-License-Identifier: BSD-3-Clause
"""Losses of classification against their definitions in float64, their gradients against central differences."""

import re

import numpy as np
import pytest
from support.tolerance import central_differences

from fastrnn.losses import binary_cross_entropy_with_logits as binary
from fastrnn.losses import cross_entropy

T, N, V = 5, 3, 7

# Relative. Loss and gradient take about ten roundings per element, with logits near 1: 64 eps.
RTOL = {np.float32: 64 * 2.0**-24, np.float64: 64 * 2.0**-53}
# Central differences with a step of 1e-5: truncation 1e-11, rounding 1e-16 / 1e-5 = 1e-11.
RTOL_DIFFERENCES = 1e-6

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
    slopes = central_differences(lambda z: cross_entropy(z, targets, lengths=lengths)[0], logits)
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
        (np.float64(1), 0, {}, ValueError, "logits: expected (..., V) with V >= 2, got ()"),
        (LOGITS[..., :0], TARGETS, {}, ValueError,
         "logits: expected (..., V) with V >= 2, got (5, 3, 0)"),
        (LOGITS[..., :1], TARGETS, {}, ValueError,
         "logits: expected (..., V) with V >= 2, got (5, 3, 1): of one class nothing can be learnt; "
         "for yes or no in one logit there is binary_cross_entropy_with_logits"),
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


# -- cross_entropy with class weights and label smoothing -------------------------------------------

WEIGHT = np.array([0.5, 2.0, 0.0, 1.0, 3.0, 0.25, 1.0])  # one class does not count
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
    logits, targets = batch(dtype)
    targets[0, 0], targets[1, 0] = -100, 2
    inside = np.arange(T)[:, None] < np.array([4, 0, 5])
    if batch_first:
        logits, targets, inside = logits.swapaxes(0, 1), targets.T, inside.T
    expected = weighted_textbook(logits, targets, inside & (targets != -100), **options)
    logits[~inside] = np.nan
    got = cross_entropy(logits, targets, lengths=[4, 0, 5], batch_first=batch_first, **options)
    assert_close(got, expected, dtype)
    assert not got[1][~inside].any()


@weighted_and_smoothed
def test_weighted_gradient_matches_central_differences(options):
    logits, targets = batch(seed=3)
    _, dlogits = cross_entropy(logits, targets, **options)
    expected = central_differences(lambda z: cross_entropy(z, targets, **options)[0], logits)
    np.testing.assert_allclose(dlogits, expected, rtol=0, atol=RTOL_DIFFERENCES * np.abs(expected).max())


def test_weights_of_one_and_no_smoothing_change_nothing():
    logits, targets = batch()
    expected = cross_entropy(logits, targets)
    assert_same_bits(cross_entropy(logits, targets, label_smoothing=0), expected)
    for ones in (np.ones(V, np.float32), [1] * V, np.ones(V, bool)):
        assert_close(cross_entropy(logits, targets, weight=ones), expected, np.float64)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_only_targets_of_weight_0_is_zero(label_smoothing):
    logits, _ = batch()
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
    assert_close(cross_entropy(row, [0], **both), (0.9 * np.log(2), np.array([[-0.35, 0, 0.35]])), dtype)
    two = cross_entropy(np.concatenate([row, row]), [0, 1], **both)  # a forbidden target, of weight 0
    assert two[0] == pytest.approx(1.1 * np.log(2), rel=RTOL[dtype])
    for values in ([nan, 0, 0], [0, nan, 0], [inf, 0, 0], [-inf] * 3):
        assert np.isnan(cross_entropy(np.array([values], dtype), [0], **both)[0])


@pytest.mark.parametrize(
    "options, error, text",
    [
        ({"weight": WEIGHT[1:]}, ValueError, "weight: expected (7,), got (6,)"),
        ({"weight": 1.0}, ValueError, "weight: expected (7,), got ()"),
        ({"weight": -WEIGHT}, ValueError, "weight: expected finite numbers >= 0, got -0.5 at position (0,)"),
        ({"weight": np.full(V, np.nan)}, ValueError, "weight: expected finite numbers >= 0, got nan at position (0,)"),
        ({"weight": np.full(V, np.inf)}, ValueError, "weight: expected finite numbers >= 0, got inf at position (0,)"),
        ({"weight": ["a"] * V}, TypeError, "weight: expected numbers, got <U1"),
        ({"label_smoothing": 1.1}, ValueError, "label_smoothing: expected a number in [0, 1], got 1.1"),
        ({"label_smoothing": -1}, ValueError, "label_smoothing: expected a number in [0, 1], got -1"),
        ({"label_smoothing": float("nan")}, ValueError, "label_smoothing: expected a number in [0, 1], got nan"),
        ({"label_smoothing": "0.1"}, TypeError, "label_smoothing: expected a number in [0, 1], got '0.1'"),
        ({"label_smoothing": None}, TypeError, "label_smoothing: expected a number in [0, 1], got None"),
        ({"batch_first": 1}, TypeError, "batch_first: expected True or False, got 1"),
    ],
)
def test_errors_of_weight_and_smoothing(options, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        cross_entropy(LOGITS, TARGETS, **options)


@both_dtypes
@weighted_and_smoothed
def test_torch_agrees_on_weight_and_smoothing(options, dtype):
    torch = pytest.importorskip("torch")
    logits, targets = batch(dtype, seed=2)
    targets[2, 1] = -100
    z = torch.tensor(logits, requires_grad=True)
    theirs = dict(options)
    if "weight" in options:
        theirs["weight"] = torch.tensor(WEIGHT.astype(dtype))
    inside = torch.tensor(np.arange(T)[:, None] < np.array([4, 0, 5]))
    loss = torch.nn.functional.cross_entropy(z[inside], torch.tensor(targets)[inside], **theirs)
    loss.backward()
    assert_close(cross_entropy(logits, targets, lengths=[4, 0, 5], **options), (loss.item(), z.grad.numpy()), dtype)


# -- binary_cross_entropy_with_logits --------------------------------------------------------------


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
    assert_close(binary(logits, targets, pos_weight=pos_weight), expected, dtype)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 2, 2)])
def test_binary_takes_any_shape(shape):
    logits, targets = yes_or_no_batch(shape=shape)
    assert_close(binary(logits, targets), yes_or_no_textbook(logits, targets), np.float64)


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
    got = binary(logits, targets, lengths=[2, 0, 5], batch_first=batch_first, **options)
    loss, dlogits = binary(logits[~beyond], targets[~beyond], **options)
    assert_same_bits((got[0], got[1][~beyond]), (loss, dlogits))
    assert not got[1][beyond].any()
    assert got[1].flags.c_contiguous


def test_binary_nothing_counted_is_zero():
    logits, targets = yes_or_no_batch()
    for got in (binary(logits * np.nan, targets, lengths=[0] * N), binary(logits[:0], targets[:0])):
        assert got[0] == 0.0 and not got[1].any()


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
         "lengths: expected integers in 0..5, got 6 at position (1,)"),
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
def test_torch_agrees_on_binary(pos_weight, dtype):
    torch = pytest.importorskip("torch")
    logits, targets = yes_or_no_batch(dtype, seed=5)
    z = torch.tensor(logits, requires_grad=True)
    theirs = None if pos_weight is None else torch.tensor(np.asarray(pos_weight, dtype))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(z, torch.tensor(targets), pos_weight=theirs)
    loss.backward()
    assert_close(binary(logits, targets, pos_weight=pos_weight), (loss.item(), z.grad.numpy()), dtype)
