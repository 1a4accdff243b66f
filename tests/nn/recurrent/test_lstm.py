# SPDX-License-Identifier: BSD-3-Clause
"""LSTM: a step by its equations. All else that a recurrent layer does is tested in test_stack.py."""

import numpy as np
from support.recurrent import random_state, sequence

import fastrnn as fr

N, I, H = 3, 4, 5


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_a_step_follows_the_equations(rng):
    """With the gates in the order i, f, g, o, as PyTorch has them."""
    layer = fr.LSTM(I, H, dtype=np.float64, seed=0)
    x, (h, c) = sequence(rng, 1, N, I, dtype=np.float64), random_state(layer, N, rng)
    w_ih, w_hh, b_ih, b_hh = layer.params.values()
    i, f, g, o = np.split(x[0] @ w_ih.T + b_ih + h[0] @ w_hh.T + b_hh, 4, axis=-1)
    expected_c = sigmoid(f) * c[0] + sigmoid(i) * np.tanh(g)
    expected_h = sigmoid(o) * np.tanh(expected_c)
    y, (h_n, c_n) = layer(x, (h, c))
    np.testing.assert_allclose(c_n[0], expected_c, atol=1e-14)
    np.testing.assert_allclose(h_n[0], expected_h, atol=1e-14)
    np.testing.assert_array_equal(y, h_n)
