# SPDX-License-Identifier: BSD-3-Clause
"""RNN: a step by its equation, nonlinearities and leaky units."""

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits
from support.recurrent import random_state, sequence

import fastrnn as fr

T, N, I, H = 5, 2, 3, 4


@pytest.mark.parametrize("value", ["abc", "", None, 1, ["tanh"]], ids=repr)
def test_an_unknown_nonlinearity_is_refused_with_a_list_of_the_choices(value):
    with argument_refused((TypeError, ValueError), "nonlinearity", "tanh, relu", f"got {value!r}"):
        fr.RNN(I, H, nonlinearity=value)


ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "selu": lambda a: 1.0507009873554805 * np.where(a > 0, a, 1.6732632423543772 * np.expm1(a)),
    "identity": lambda a: a,
}


@pytest.mark.parametrize("leak", [1.0, 0.3])
@pytest.mark.parametrize("nonlinearity", ACTIVATIONS)
def test_a_step_follows_the_equation(nonlinearity, leak, rng):
    layer = fr.RNN(I, H, nonlinearity=nonlinearity, leak=leak, dtype=np.float64, seed=0)
    x, h = sequence(rng, 1, N, I, dtype=np.float64), random_state(layer, N, rng)
    w_ih, w_hh, b_ih, b_hh = layer.params.values()
    new = ACTIVATIONS[nonlinearity](x[0] @ w_ih.T + b_ih + h[0] @ w_hh.T + b_hh)
    y, h_n = layer(x, h)
    np.testing.assert_allclose(h_n[0], leak * new + (1 - leak) * h[0], atol=1e-14)
    np.testing.assert_array_equal(y, h_n)


def test_leak_of_1_is_the_plain_cell(rng):
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    assert_same_bits(fr.RNN(I, H, leak=1, seed=0)(x)[0], fr.RNN(I, H, seed=0)(x)[0])
