# SPDX-License-Identifier: BSD-3-Clause
"""A Residual, step by step. Its values are tested with those of other models: test_sequential."""

import numpy as np
from support.layers import argument_refused, assert_same_bits

import fastrnn as fr


def test_its_state_is_that_of_the_layer(rng):
    residual = fr.Residual(fr.LSTM(3, 3, seed=0))
    x = rng.standard_normal((4, 2, 3)).astype(np.float32)
    stream = residual.stream(2)
    y, state = residual(x)
    assert_same_bits(np.stack([stream.step(x_t) for x_t in x]), y)
    assert_same_bits(stream.state, state)
    assert_same_bits(stream.step(x[0]), x[0] + residual.layer(x[:1], state)[0][0])


def test_out_may_be_x(rng):
    """The sum is taken element by element."""
    residual, x = fr.Residual(fr.GRU(3, 3, seed=0)), rng.standard_normal((1, 3)).astype(np.float32)
    expected = residual(x[None])[0][0]
    assert_same_bits(residual.stream().step(x, out=x), expected)


def test_arguments_that_do_not_fit_are_refused():
    """Before the layer has read anything, where its output has the shape of its input."""
    stream = fr.Residual(fr.GRU(3, 3, seed=0)).stream()
    x = np.ones((1, 3), np.float32)
    with argument_refused(ValueError, "out", "shape (1, 3)"):
        stream.step(x, out=np.empty((1, 2), np.float32))
    with argument_refused(TypeError, "x", "expected float32"):
        stream.step(x.astype(np.float64))
    assert not stream.state.any()
    with argument_refused(ValueError, "layer", "expected y to have the shape of x, (1, 3), got (1, 2)"):
        fr.Residual(fr.Linear(3, 2)).stream().step(x)
