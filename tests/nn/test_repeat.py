# SPDX-License-Identifier: BSD-3-Clause
"""RepeatVector. What it shares with every layer is in test_layer.py."""

import numpy as np
import pytest
from support.layers import assert_same_bits, assert_slopes, refused

import fastrnn as fr


@pytest.mark.parametrize("shape", [(4,), (3, 4), (1, 1), (0, 4)], ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
def test_every_step_is_x(shape, batch_first, dtype, rng):
    """In an array of its own, that may be written to; the gradient is the sum over the steps."""
    layer = fr.RepeatVector(20, batch_first=batch_first, dtype=dtype)
    x = rng.standard_normal(shape).astype(dtype)
    y, tape = layer.forward(x)
    time = 1 if batch_first and len(shape) == 2 else 0
    assert_same_bits(y, np.stack([x] * 20, axis=time))
    assert_same_bits(layer(x), y)
    assert y.flags.writeable and y.flags.c_contiguous and not np.shares_memory(x, y)
    dy = rng.standard_normal(y.shape).astype(dtype)
    steps = np.moveaxis(dy, time, 0).astype(np.float64)
    assert_same_bits(layer.backward(tape, dy), (sum(steps) + np.zeros(shape)).astype(dtype))


def test_gradients_of_a_repeated_vector_match_central_differences(rng):
    layer = fr.RepeatVector(3, dtype=np.float64)
    x, dy = rng.standard_normal((2, 4)), rng.standard_normal((3, 2, 4))
    dx = layer.backward(layer.forward(x)[1], dy)
    assert_slopes(dx, lambda: (layer(x) * dy).sum(), x, "x")


def test_bad_arguments_of_a_repeated_vector_are_refused():
    for steps, error in [(0, ValueError), (-1, ValueError), (2.5, TypeError), ("3", TypeError), (None, TypeError)]:
        with refused(error, "steps: expected", f"got {steps!r}"):
            fr.RepeatVector(steps)
    layer = fr.RepeatVector(2)
    for x, error, words in [
        (np.ones((2, 3, 4), np.float32), ValueError, ["x: expected (N, F) or (F,)", "got (2, 3, 4)"]),
        (np.float32(1), ValueError, ["x: expected (N, F) or (F,)", "got ()"]),
        (np.ones((2, 3)), TypeError, ["x: expected float32", "got float64"]),
    ]:
        for method in (layer, layer.forward):
            with refused(error, *words):
                method(x)
    tape = layer.forward(np.ones((3, 4), np.float32))[1]
    with refused(ValueError, "dy: expected (2, 3, 4)", "got (3, 4)"):
        layer.backward(tape, np.ones((3, 4), np.float32))
    assert layer.backward(tape, np.ones((2, 3, 4), np.float32)).sum() == 24
