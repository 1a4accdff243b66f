# SPDX-License-Identifier: BSD-3-Clause
"""A copy in which nothing is random: its training pass computes what a call computes."""

import numpy as np
import pytest
from support.layers import assert_same_bits, assert_slopes
from support.recurrent import REGULARIZATION, make_layer
from support.tolerance import central_differences

import fastrnn as fr

T, N, I, H = 7, 5, 3, 17
each_option = pytest.mark.parametrize("options", REGULARIZATION.values(), ids=REGULARIZATION)


@each_option
def test_an_inference_copy_trains_on_what_a_call_computes(cell, options, rng):
    """It has the mean of zoneout and drops nothing; its gradients are those of a call."""
    layer = make_layer(
        cell, I, H, 2, bidirectional=True, dropout=0.5, recompute=True, dtype=np.float64, seed=1, **options
    )
    twin = layer.inference_copy()
    x = rng.standard_normal((T, N, I))
    y, _, tape = twin.forward(x)
    assert_same_bits(y, layer(x)[0])
    dx, _ = twin.backward(tape, np.ones_like(y))
    assert_slopes(dx, lambda: layer(x)[0].sum(), x, "dx")
    assert not any(layer.grads[name].any() for name in layer.grads)


def test_inference_copies_of_models_have_nothing_random(rng):
    parts = fr.Dropout(0.5), fr.Residual(fr.GRU(I, I, zoneout=0.5)), fr.Sequential(fr.Dropout(0.2), fr.Linear(I, 2))
    model = fr.Sequential(*parts)
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    assert_same_bits(model.inference_copy().forward(x)[0], model(x)[0])
    decoder = fr.AttentionDecoder(fr.LSTM(I, H, zoneout=0.5), fr.Attention(H, I), fr.Linear(H + I, 2))
    assert_same_bits(decoder.inference_copy().forward(x, x)[0], decoder(x, x)[0])


EVERYTHING = {"recurrent_dropout": 0.4, "zoneout": 0.3, "weight_drop": 0.3, "delta_clip": 1e-3, "recompute": True}


def test_an_inference_copy_computes_in_training_what_a_call_does(cell, rng):
    """The same bits, at each call; the parameters are copies, and the layer and its generator do not change."""
    leak = {"leak": 0.6} if cell.startswith("rnn") else {}
    layer = make_layer(cell, 3, 4, 2, dropout=0.5, bidirectional=True, seed=0, **EVERYTHING, **leak)
    generator, x = layer.random_state, rng.standard_normal((6, 3, 3)).astype(np.float32)
    twin, expected = layer.inference_copy(), layer(x, lengths=[6, 0, 3])[0]
    for _ in range(2):
        np.testing.assert_array_equal(twin.forward(x, lengths=[6, 0, 3])[0], expected)
    assert layer.random_state == generator
    twin.params["weight_hh_l0"][...] = 0
    assert layer.params["weight_hh_l0"].any()


def test_gradients_of_an_inference_copy_are_those_of_a_call(cell, rng):
    """By central differences: nothing is clipped or random in the backward pass either."""
    layer = make_layer(cell, 2, 3, dtype=np.float64, seed=0, **EVERYTHING)
    x, dy = rng.standard_normal((5, 2, 2)), rng.standard_normal((5, 2, 3))
    twin = layer.inference_copy()
    *_, tape = twin.forward(x)
    dx, _ = twin.backward(tape, dy)
    slopes = central_differences(lambda x: float((layer(x)[0] * dy).sum()), x)
    np.testing.assert_allclose(dx, slopes, atol=1e-8)
