# SPDX-License-Identifier: BSD-3-Clause
"""The arrays that cross_entropy takes, and what it refuses."""

import re

import numpy as np
import pytest
from support.losses import LOGITS, TARGETS, WEIGHT, N, T, V, assert_same_bits, both_dtypes, class_batch

from fastrnn.losses import cross_entropy


@both_dtypes
@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_every_kind_of_integer(dtype, kind):
    logits, targets = class_batch(dtype)
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
    logits, targets = class_batch()
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
        result = cross_entropy(z, y, lengths=[5, 2, 3])
        assert_same_bits(result, expected)
        assert result[1].flags.c_contiguous and result[1].flags.writeable
    assert not np.shares_memory(cross_entropy(logits, targets)[1], logits)


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
         "logits: expected (..., V) with V >= 2, got (5, 3, 1): nothing can be learned about a single class; "
         "for yes or no in one logit use binary_cross_entropy_with_logits"),
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
         "ignore_index: expected an integer, got 1.5"),
        (LOGITS, TARGETS, {"ignore_index": True}, TypeError,
         "ignore_index: expected an integer, got True"),
        (LOGITS, TARGETS, {"lengths": [1, 2]}, ValueError,
         "lengths: expected (3,), one for each row of the batch, got (2,)"),
        (LOGITS, TARGETS, {"lengths": 2}, ValueError,
         "lengths: expected (3,), one for each row of the batch, got ()"),
        (LOGITS, TARGETS, {"lengths": [1, 2, 3], "batch_first": True}, ValueError,
         "lengths: expected (5,), one for each row of the batch, got (3,)"),
        (LOGITS, TARGETS, {"lengths": [1.0, 2.0, 3.0]}, TypeError,
         "lengths: expected integers, got float64"),
        (LOGITS, TARGETS, {"lengths": [5, 6, 5]}, ValueError,
         "lengths: expected 0..5 (the steps of logits), got 6 for row 1"),
        (LOGITS, TARGETS, {"lengths": [5, 5, -1]}, ValueError,
         "lengths: expected 0..5 (the steps of logits), got -1 for row 2"),
        (LOGITS[0], TARGETS[0], {"lengths": [1, 2, 3]}, ValueError,
         "logits: expected (T, N, V) with lengths, got (3, 7)"),
        (LOGITS[0], TARGETS[0], {"lengths": [1], "batch_first": True}, ValueError,
         "logits: expected (N, T, V) with lengths, got (3, 7)"),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected_and_what_came(logits, targets, options, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        cross_entropy(logits, targets, **options)


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
