# SPDX-License-Identifier: BSD-3-Clause
"""huber_loss between the other two, and its delta. `test_regression.py` has what it shares with them."""

import re

import numpy as np
import pytest
from support.losses import REGRESSION_RTOL, regression_batch

from fastrnn.losses import huber_loss, l1_loss, mse_loss


def test_huber_lies_between_the_other_two():
    """With a delta beyond every error it is half the squared error; with a tiny one, delta times the absolute one."""
    prediction, target = regression_batch(seed=3)
    loss, dprediction = huber_loss(prediction, target, delta=100)
    squared, dsquared = mse_loss(prediction, target)
    assert loss == pytest.approx(squared / 2, rel=REGRESSION_RTOL[np.float64])
    np.testing.assert_allclose(dprediction, dsquared / 2, rtol=REGRESSION_RTOL[np.float64])
    loss, dprediction = huber_loss(prediction, target, delta=2.0**-30)
    absolute, dabsolute = l1_loss(prediction, target)
    # The parabola is missing delta / 2 of |d|, and delta is 1e-9.
    assert loss * 2.0**30 == pytest.approx(absolute, rel=1e-8)
    np.testing.assert_array_equal(dprediction * 2.0**30, dabsolute)
    wide = huber_loss(prediction.astype(np.float32), target.astype(np.float32), delta=1e300)  # inf in float32
    assert wide[0] == pytest.approx(squared / 2, rel=1e-6)


@pytest.mark.parametrize(
    "delta, error",
    [
        (0, ValueError),
        (-1.0, ValueError),
        (np.inf, ValueError),
        (np.nan, ValueError),
        (10**400, ValueError),
        ("1", TypeError),
        (None, TypeError),
    ],
    ids=["0", "-1", "inf", "nan", "10**400", "str", "None"],
)
def test_delta_is_checked(delta, error):
    with pytest.raises(error, match=f"^delta: expected a finite number above 0, got {re.escape(repr(delta))}$"):
        huber_loss(*regression_batch(), delta=delta)
