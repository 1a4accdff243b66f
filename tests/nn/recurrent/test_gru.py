# SPDX-License-Identifier: BSD-3-Clause
"""GRU: a step by its equations. All else that a recurrent layer does is tested in test_stack.py."""

import numpy as np
import pytest
from support.layers import refused
from support.recurrent import random_state, sequence

import fastrnn as fr

N, I, H = 3, 4, 5


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_step_follows_the_equations(reset_after, rng):
    """With the gates in the order r, z, n, as PyTorch has them."""
    layer = fr.GRU(I, H, reset_after=reset_after, dtype=np.float64, seed=0)
    x, h = sequence(rng, 1, N, I, dtype=np.float64), random_state(layer, N, rng)
    w_ih, w_hh, b_ih, b_hh = layer.params.values()
    of_x, of_h = x[0] @ w_ih.T + b_ih, h[0] @ w_hh.T + b_hh
    r, z = np.split(sigmoid(of_x + of_h)[:, : 2 * H], 2, axis=-1)
    product = r * of_h[:, 2 * H :] if reset_after else (r * h[0]) @ w_hh[2 * H :].T + b_hh[2 * H :]
    n = np.tanh(of_x[:, 2 * H :] + product)
    y, h_n = layer(x, h)
    np.testing.assert_allclose(h_n[0], (1 - z) * n + z * h[0], atol=1e-14)
    np.testing.assert_array_equal(y, h_n)


def test_the_form_of_the_reset_gate_is_a_flag():
    assert fr.GRU(I, H).reset_after is True
    with refused(TypeError, "reset_after: expected True or False, got 1"):
        fr.GRU(I, H, reset_after=1)
