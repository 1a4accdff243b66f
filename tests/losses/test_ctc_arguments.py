# SPDX-License-Identifier: BSD-3-Clause
"""The targets and arrays that ctc_loss takes, and what it refuses."""

import re

import numpy as np
import pytest
from support.losses import assert_same_bits, ctc_batch

from fastrnn.losses import ctc_loss


def test_targets_in_all_their_forms():
    logits = ctc_batch(8, 3, 5)
    lists = [[1, 1], [], [4, 2, 1]]
    padded, lengths = np.array([[1, 1, 9], [9, 9, 9], [4, 2, 1]], np.uint8), np.array([2, 0, 3], np.uint8)
    expected = ctc_loss(logits, lists, [8, 7, 6])
    for targets, target_lengths in (
        (padded, lengths),
        (padded.astype(np.int64), [2, 0, 3]),
        (padded.tolist(), [2, 0, 3]),
        (tuple(np.array(t, np.uint64) for t in lists), None),
        (lists, lengths),
        (np.pad(padded, ((0, 0), (0, 5))), lengths),
    ):
        assert_same_bits(ctc_loss(logits, targets, np.array([8, 7, 6], np.int8), target_lengths), expected)
    full = ctc_loss(logits, padded[2:].repeat(3, axis=0), None)
    assert_same_bits(ctc_loss(logits, padded[2:].repeat(3, axis=0), [8] * 3, [3] * 3), full)


def test_any_array_is_taken_and_none_is_written_to():
    logits, targets = ctc_batch(8, 3, 5), np.array([[1, 1], [2, 3], [4, 2]])
    expected = ctc_loss(logits, targets, [8, 7, 6])
    strided = np.full((16, 3, 15), np.nan)[::2, :, 1::3]
    strided[...] = logits
    fortran = np.asfortranarray(logits)
    for array in (logits, targets, strided, fortran):
        array.flags.writeable = False  # a write would raise
    for z in (logits, strided, fortran, logits.tolist(), memoryview(logits)):
        result = ctc_loss(z, targets, [8, 7, 6])
        assert_same_bits(result, expected)
        assert result[1].flags.c_contiguous and result[1].flags.writeable
        first = ctc_loss(np.asarray(z).swapaxes(0, 1), targets, [8, 7, 6], batch_first=True)
        assert_same_bits((first[0], np.ascontiguousarray(first[1].swapaxes(0, 1))), expected)


LOGITS = ctc_batch(5, 2, 4)


@pytest.mark.parametrize(
    "changed, error, text",
    [
        ({"logits": LOGITS.astype(np.float16)}, TypeError, "logits: expected float32 or float64, got float16"),
        ({"logits": LOGITS[0]}, ValueError, "logits: expected (T, N, V) with V >= 1, got (2, 4)"),
        ({"logits": LOGITS[0], "batch_first": True}, ValueError, "logits: expected (N, T, V) with V >= 1, got (2, 4)"),
        ({"logits": LOGITS[..., :0]}, ValueError, "logits: expected (T, N, V) with V >= 1, got (5, 2, 0)"),
        ({"batch_first": 1}, TypeError, "batch_first: expected True or False, got 1"),
        ({"blank": 4}, ValueError, "blank: expected an integer in 0..3, got 4"),
        ({"blank": -1}, ValueError, "blank: expected an integer in 0..3, got -1"),
        ({"blank": 0.0}, TypeError, "blank: expected an integer, got 0.0"),
        ({"blank": 3}, ValueError,
         "targets[1]: expected labels in 0..3 other than the blank 3, got 3 at position (1,)"),
        ({"targets": np.zeros(2, int)}, ValueError, "targets: expected (2, S), got (2,)"),
        ({"targets": np.ones((3, 2), int)}, ValueError, "targets: expected (2, S), got (3, 2)"),
        ({"targets": np.ones((2, 2))}, TypeError, "targets: expected integers, got float64"),
        ({"targets": None}, TypeError, "targets: expected integers, got None"),
        ({"targets": [[1]]}, ValueError, "targets: expected 2 sequences, one for each row of the batch, got 1"),
        ({"targets": [1, 2]}, ValueError, "targets[0]: expected a sequence of labels, got shape ()"),
        ({"targets": [[1], [1.5]]}, TypeError, "targets[1]: expected integers, got float64"),
        ({"targets": [[1], "ab"]}, TypeError, "targets[1]: expected integers, got <U2"),
        ({"targets": [[1, 0], [1]]}, ValueError,
         "targets[0]: expected labels in 0..3 other than the blank 0, got 0 at position (1,)"),
        ({"targets": [[1], [2, 4]]}, ValueError,
         "targets[1]: expected labels in 0..3 other than the blank 0, got 4 at position (1,)"),
        ({"targets": np.array([[1, 2], [-1, 2]])}, ValueError,
         "targets[1]: expected labels in 0..3 other than the blank 0, got -1 at position (0,)"),
        ({"input_lengths": [5]}, ValueError,
         "input_lengths: expected (2,), one for each row of the batch, got (1,)"),
        ({"input_lengths": [5, 6]}, ValueError,
         "input_lengths: expected 0..5 (the steps of logits), got 6 for row 1"),
        ({"input_lengths": [-1, 5]}, ValueError,
         "input_lengths: expected 0..5 (the steps of logits), got -1 for row 0"),
        ({"input_lengths": [5.0, 5.0]}, TypeError, "input_lengths: expected integers, got float64"),
        ({"target_lengths": [1]}, ValueError,
         "target_lengths: expected (2,), one for each row of the batch, got (1,)"),
        ({"target_lengths": [2, 3]}, ValueError,
         "target_lengths: expected 0..2 (the steps of targets), got 3 for row 1"),
        ({"target_lengths": [2.0, 2.0]}, TypeError, "target_lengths: expected integers, got float64"),
        ({"targets": [[1], [2, 3]], "target_lengths": [2, 2]}, ValueError,
         "target_lengths: expected no more than the labels of the row, got 2 at position (0,)"),
        ({"input_lengths": [5, 1]}, ValueError,
         "input_lengths: expected at least 2 for row 1 (2 labels, 0 of them like the one before), got 1; "
         "zero_infinity=True counts such rows as 0"),
        ({"targets": [[3, 3, 3], [1]], "input_lengths": [4, 5]}, ValueError,
         "input_lengths: expected at least 5 for row 0 (3 labels, 2 of them like the one before), got 4; "
         "zero_infinity=True counts such rows as 0"),
        ({"targets": [[3, 3, 3, 3], [1]], "input_lengths": None}, ValueError,
         "input_lengths: expected at least 7 for row 0 (4 labels, 3 of them like the one before), got 5; "
         "zero_infinity=True counts such rows as 0"),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected_and_what_came(changed, error, text):
    arguments = {"logits": LOGITS, "targets": [[1, 2], [1, 3]], "input_lengths": [5, 5]} | changed
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        ctc_loss(**arguments)
