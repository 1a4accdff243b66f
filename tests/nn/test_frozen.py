# SPDX-License-Identifier: BSD-3-Clause
"""Frozen models give the gradients of their inputs alone."""

from support.every_layer import inputs, step

import fastrnn as fr
from fastrnn.nn._frozen import frozen


def test_frozen_layers_give_the_same_gradient_of_x(case, make, dtype):
    """Those of the parameters need not be computed: recurrent and linear layers leave them at 0."""
    layer, other, x = make(dtype), frozen(make(dtype)), inputs(case, dtype)
    _, expected = step(layer, x)
    _, found = step(other, x)
    assert expected is found is None or expected.tobytes() == found.tobytes()
    if isinstance(other, fr.RNN | fr.LSTM | fr.GRU | fr.Linear):
        assert not any(grad.any() for grad in other.grads.values())


def test_every_layer_inside_is_frozen():
    model = fr.Sequential(fr.Residual(fr.GRU(3, 3, seed=0)), fr.Linear(3, 2, seed=0))
    assert frozen(model) is model
    assert all(layer._frozen for layer in (model, model[0], model[0].layer, model[1]))
