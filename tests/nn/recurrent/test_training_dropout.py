# SPDX-License-Identifier: BSD-3-Clause
"""Dropout between the layers of a stack."""

import numpy as np
import pytest
from support.recurrent import make_layer

import fastrnn as fr


def test_dropout_acts_in_training_only_and_scales_what_it_keeps():
    layer = fr.RNN(1, 50, 2, nonlinearity="identity", dropout=0.25, bias=False, seed=0)
    layer.params["weight_ih_l0"] = np.ones((50, 1), np.float32)
    layer.params["weight_ih_l1"] = np.eye(50, dtype=np.float32)
    for name in ("weight_hh_l0", "weight_hh_l1"):
        layer.params[name] = np.zeros((50, 50), np.float32)
    x = np.ones((40, 20, 1), np.float32)
    np.testing.assert_array_equal(layer(x)[0], 1)
    y, _, tape = layer.forward(x)
    survives = y != 0
    np.testing.assert_allclose(y[survives], 1 / 0.75, rtol=1e-6)
    assert abs(survives.mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / y.size)
    dx, _ = layer.backward(tape, np.ones_like(y))
    np.testing.assert_allclose(dx[..., 0], y.sum(-1), rtol=1e-5)  # the same mask, both ways


def test_gradient_through_dropout_equals_a_difference_quotient(cell, rng):
    """Layers with one seed draw one mask, so the loss can be evaluated twice."""
    make = lambda: make_layer(cell, 3, 5, 3, dropout=0.4, dtype=np.float64, seed=6)  # noqa: E731
    x, dy = rng.standard_normal((4, 2, 3)), rng.standard_normal((4, 2, 5))
    direction = rng.standard_normal(x.shape)
    layer = make()
    dx, _ = layer.backward(layer.forward(x)[2], dy)
    step = 1e-6
    difference = sum(sign * (make().forward(x + sign * step * direction)[0] * dy).sum() for sign in (1, -1))
    assert difference / (2 * step) == pytest.approx((dx * direction).sum(), rel=1e-6, abs=1e-9)


def test_same_seed_same_masks_and_another_seed_another():
    x = np.ones((5, 3, 4), np.float32)
    outputs = [fr.GRU(4, 6, 2, dropout=0.5, seed=seed).forward(x)[0] for seed in (7, 7, 8)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[0] != outputs[2]).any()


def test_dropout_without_a_second_layer_warns():
    with pytest.warns(UserWarning, match="between layers"):
        fr.LSTM(2, 3, dropout=0.5)
