# SPDX-License-Identifier: BSD-3-Clause
"""The activation functions at their ends, in both precisions."""

import math

import numpy as np
import pytest
from support.reference import TOLERANCE

from fastrnn import reference

pytestmark = pytest.mark.filterwarnings("error")  # an overflow or a NaN that warns is a failure


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_stable_at_both_ends(dtype):
    """No warning and full relative accuracy for any a; NaN stays NaN; the dtype is kept."""
    a = np.array([-np.inf, -1000, -80, -1, 0, 1, 80, 1000, np.inf, np.nan], dtype)
    expected = [0, 0, math.exp(-80), sigmoid(-1), 0.5, sigmoid(1), 1, 1, 1, math.nan]
    result = reference.sigmoid(a)
    assert result.dtype == dtype
    rtol = TOLERANCE["sigmoid, in eps of the dtype"] * np.finfo(dtype).eps
    np.testing.assert_allclose(result, np.array(expected, dtype), rtol=rtol)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "selu", "identity"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_keep_dtype_and_nan(name, dtype):
    """An activation neither changes the precision nor hides a NaN."""
    result = getattr(reference, name)(np.array([-2, 0, 2, np.nan], dtype))
    assert result.dtype == dtype
    np.testing.assert_array_equal(np.isnan(result), [False, False, False, True])
