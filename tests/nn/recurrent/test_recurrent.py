# SPDX-License-Identifier: BSD-3-Clause
"""RNN, LSTM and GRU: the arguments that they share."""

import math

import numpy as np
import pytest
from support.layers import argument_refused

T, N, I, H = 5, 2, 3, 4


SIZES = ("input_size", "hidden_size", "num_layers")
FLOATS = "expected np.float32 or np.float64"
BAD_ARGUMENTS = [
    *((name, value, ValueError, "expected at least 1") for name in SIZES for value in (0, -1)),
    *((name, value, TypeError, "an integer") for name in SIZES for value in (2.5, "3", True, None)),
    *(("dropout", value, ValueError, "[0, 1)") for value in (1, 1.5, -0.1, math.nan, math.inf)),
    *(("dropout", value, (TypeError, ValueError), "expected") for value in ("a", None, [0.1], 1j)),
    *(("dtype", value, TypeError, FLOATS) for value in (int, np.float16, ">f4", object)),
    *(("dtype", value, TypeError, FLOATS) for value in ("abc", "", 3, None, [])),
    ("seed", -1, ValueError, "expected an integer"),
    ("seed", "a", TypeError, "expected an integer"),
    ("seed", 1.5, TypeError, "expected an integer"),
]


@pytest.mark.parametrize(
    ("name", "value", "error", "word"),
    BAD_ARGUMENTS,
    ids=[f"{name}={value!r}" for name, value, _, _ in BAD_ARGUMENTS],
)
def test_arguments_out_of_range_are_refused(kind, name, value, error, word):
    with argument_refused(error, name, word, f"got {value!r}"):
        kind(**({"input_size": I, "hidden_size": H, "num_layers": 2} | {name: value}))


@pytest.mark.parametrize("value", ["float32", "f4", np.float32, np.dtype("float32")], ids=repr)
def test_a_dtype_may_have_any_form_that_numpy_accepts(kind, value):
    layer = kind(I, H, dtype=value)
    assert layer.dtype == np.float32
    assert {array.dtype.name for array in layer.params.values()} == {"float32"}
    assert {array.dtype.name for array in layer.grads.values()} == {"float32"}


def test_sizes_may_be_any_integer(kind):
    """Anything with __index__, such as an element of an array."""
    layer = kind(np.int64(I), np.array(H), np.uint8(2))
    assert layer(np.ones((T, N, I), np.float32))[0].shape == (T, N, H)
    assert all(type(layer.config()[name]) is int for name in SIZES)
