# SPDX-License-Identifier: BSD-3-Clause
"""The arrays that mse_loss, l1_loss and huber_loss take, and what they refuse."""

import re

import numpy as np
import pytest
from support.losses import F, N, T, assert_same_bits, both_dtypes, each_loss, regression_batch


@both_dtypes
@each_loss
def test_targets_of_every_kind(loss_function, on_paper, dtype):
    prediction, _ = regression_batch(dtype)
    target = np.random.default_rng(4).integers(0, 2, (T, N, F))
    expected = loss_function(prediction, target.astype(dtype))
    for kind in (bool, np.uint8, np.int64, np.uint64, np.float16, np.float32, np.float64):
        assert_same_bits(loss_function(prediction, target.astype(kind)), expected)
    assert_same_bits(loss_function(prediction, target.tolist()), expected)


@each_loss
def test_any_array_is_taken_and_none_is_written_to(loss_function, on_paper):
    prediction, target = regression_batch()
    expected = loss_function(prediction, target, lengths=[5, 2, 3])
    strided = np.full((2 * T, N, 3 * F), np.nan)[::2, :, 1::3]
    strided[...] = prediction
    fortran = np.asfortranarray(prediction)
    for array in (prediction, target, strided, fortran):
        array.flags.writeable = False  # a write would raise
    for p in (prediction, strided, fortran, prediction.tolist(), memoryview(prediction)):
        result = loss_function(p, target, lengths=[5, 2, 3])
        assert_same_bits(result, expected)
        assert result[1].flags.c_contiguous and result[1].flags.writeable
        assert loss_function(p, target)[1].flags.c_contiguous


PREDICTION, TARGET = regression_batch()


@each_loss
@pytest.mark.parametrize(
    "prediction, target, options, error, text",
    [
        (PREDICTION.astype(int), TARGET, {}, TypeError, "prediction: expected float32 or float64, got int64"),
        (None, TARGET, {}, TypeError, "prediction: expected float32 or float64, got None"),
        (PREDICTION, TARGET.astype(complex), {}, TypeError, "target: expected numbers, got complex128"),
        (PREDICTION, "a", {}, TypeError, "target: expected numbers, got <U1"),
        (PREDICTION, None, {}, TypeError, "target: expected numbers, got None"),
        (PREDICTION, TARGET[..., 0], {}, ValueError, "target: expected (5, 3, 4), got (5, 3)"),
        (PREDICTION, 0.0, {}, ValueError, "target: expected (5, 3, 4), got ()"),
        (PREDICTION, TARGET, {"lengths": [1, 2]}, ValueError,
         "lengths: expected (3,), one for each row of the batch, got (2,)"),
        (PREDICTION, TARGET, {"lengths": [1, 6, 2]}, ValueError,
         "lengths: expected 0..5 (the steps of prediction), got 6 for row 1"),
        (PREDICTION, TARGET, {"lengths": [1, -1, 2]}, ValueError,
         "lengths: expected 0..5 (the steps of prediction), got -1 for row 1"),
        (PREDICTION, TARGET, {"lengths": [1.0, 2.0, 2.0]}, TypeError, "lengths: expected integers, got float64"),
        (PREDICTION, TARGET, {"lengths": [1, 2, 3], "batch_first": True}, ValueError,
         "lengths: expected (5,), one for each row of the batch, got (3,)"),
        (PREDICTION[0, 0], TARGET[0, 0], {"lengths": [1]}, ValueError,
         "prediction: expected (T, N, ...) with lengths, got (4,)"),
        (PREDICTION[0, 0], TARGET[0, 0], {"lengths": [1], "batch_first": True}, ValueError,
         "prediction: expected (N, T, ...) with lengths, got (4,)"),
        (PREDICTION, TARGET, {"batch_first": 1}, TypeError, "batch_first: expected True or False, got 1"),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected_and_what_came(loss_function, on_paper, prediction, target, options, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        loss_function(prediction, target, **options)
