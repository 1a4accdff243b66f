# SPDX-License-Identifier: BSD-3-Clause
"""CausalConv1d: a convolution of what has been, its state, and gradients through it."""

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits
from support.tolerance import assert_close

import fastrnn as fr

T, N, I, O = 13, 5, 3, 4
LENGTHS = [13, 0, 1, 7, 4]


@pytest.fixture(params=[(1, 1), (3, 1), (4, 3)], ids=str)
def layer(request):
    kernel_size, dilation = request.param
    return fr.CausalConv1d(I, O, kernel_size, dilation=dilation, seed=0)


def test_it_is_a_convolution_with_zeros_before_x(rng, layer):
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    plain = fr.Conv1d(I, O, layer.kernel_size, dilation=layer.dilation, seed=0)
    before = np.zeros((layer.span - 1, N, I), np.float32)
    assert_same_bits(layer(x)[0], plain(np.concatenate([before, x])))


def test_pieces_with_their_state_are_the_whole(rng, layer):
    x, state = rng.standard_normal((T, N, I)).astype(np.float32), rng.standard_normal((layer.span - 1, N, I))
    state = state.astype(np.float32)
    y, end = layer(x, state)
    first, between = layer(x[:2], state)
    second, last = layer(x[2:], between)
    assert_same_bits((np.concatenate([first, second]), last), (y, end))


def test_every_row_as_alone(rng, layer):
    x, state = (rng.standard_normal((steps, N, I)).astype(np.float32) for steps in (T, layer.span - 1))
    x[np.arange(T)[:, None] >= LENGTHS] = np.nan
    y, end, tape = layer.forward(x, state, LENGTHS)
    dy, dend = (rng.standard_normal(array.shape).astype(np.float32) for array in (y, end))
    dx, dstate = layer.backward(tape, dy, dend)
    for n, length in enumerate(LENGTHS):
        alone, last, tape = layer.forward(x[:length, n : n + 1], state[:, n : n + 1])
        back, first = layer.backward(tape, dy[:length, n : n + 1], dend[:, n : n + 1])
        assert_same_bits((y[:length, n : n + 1], end[:, n : n + 1]), (alone, last))
        assert_same_bits((dx[:length, n : n + 1], dstate[:, n : n + 1]), (back, first))
        assert not y[length:, n].any() and not dx[length:, n].any()


def test_gradients_through_the_state(rng):
    """Those of the whole, given by the pieces one after another."""
    layer = fr.CausalConv1d(I, O, 4, dilation=2, dtype=np.float64, seed=0)
    x, dy = rng.standard_normal((T, N, I)), rng.standard_normal((T, N, O))
    _, _, tape = layer.forward(x)
    dx, _ = layer.backward(tape, dy)
    grads = {name: grad.copy() for name, grad in layer.grads.items()}
    layer.zero_grad()
    _, between, first = layer.forward(x[:5])
    _, _, second = layer.forward(x[5:], between)
    dsecond, dbetween = layer.backward(second, dy[5:])
    dfirst, _ = layer.backward(first, dy[:5], dbetween)
    assert_close(np.concatenate([dfirst, dsecond]), dx, np.float64, terms=4 * O, steps=2)
    for name, grad in layer.grads.items():
        assert_close(grad, grads[name], np.float64, terms=T * N, steps=2, what=name)


def test_bad_states(layer):
    x = np.ones((T, N, I), np.float32)
    with argument_refused(ValueError, "state", f"({layer.span - 1}, {N}, {I})"):
        layer(x, np.ones((layer.span, N, I), np.float32))
    _, _, tape = layer.forward(x)
    with argument_refused(ValueError, "dstate", f"({layer.span - 1}, {N}, {I})"):
        layer.backward(tape, np.ones((T, N, O), np.float32), np.ones((layer.span, N, I), np.float32))
