# SPDX-License-Identifier: BSD-3-Clause
"""A layer of a user's own without a state: its mathematics is all that it has to define."""

import copy
from dataclasses import KW_ONLY

import numpy as np
import pytest
from support.layers import assert_same_arrays, assert_slopes, refused, snapshot

import fastrnn as fr
from fastrnn.nn import StatelessLayer
from fastrnn.nn._options import DType, Size


class Scale(StatelessLayer):
    """y = weight * x, with one weight for each feature."""

    features: Size = Size("F, the size of the last axis.")
    _: KW_ONLY
    dtype: DType = DType(default=np.float32)

    def _setup(self):
        self._own({"weight": np.ones(self.features, self.dtype)})

    def _forward(self, x, training):
        return x * self.params["weight"], x

    def _backward(self, saved, dy):
        self.grads["weight"] += (dy * saved).reshape(-1, self.features).sum(axis=0)
        return dy * self.params["weight"]


@pytest.fixture
def trained():
    """A layer, and y and the tape of a forward pass."""
    layer = Scale(3)
    return layer, *layer.forward(np.full((5, 2, 3), 2, np.float32))


def test_it_has_the_constructor_and_the_documentation_of_its_options():
    assert repr(Scale(3)) == "Scale(features=3, dtype='float32')"
    assert "features : int\n    F, the size of the last axis." in Scale.__doc__
    with refused(TypeError, "Scale: expected at most 1 positional arguments, got 2"):
        Scale(3, np.float32)
    with refused(AttributeError, "features: the configuration of a layer is read-only"):
        Scale(3).features = 4


def test_its_gradients_match_central_differences(rng):
    layer = Scale(3, dtype=np.float64)
    layer.params["weight"] = rng.standard_normal(3)
    x, dy = rng.standard_normal((2, 4, 3))
    dx = layer.backward(layer.forward(x)[1], dy)
    loss = lambda: (layer(x) * dy).sum()  # noqa: E731
    assert_slopes(dx, loss, x, "x")
    assert_slopes(layer.grads["weight"], loss, layer.params["weight"], "weight")


def test_it_trains_inside_a_sequential(rng):
    """With an optimizer, and in `fit`, between layers of the package."""
    x = rng.standard_normal((6, 8, 3)).astype(np.float32)
    target = x * [1, -2, 0.5]
    model = fr.Sequential(fr.Linear(3, 3, seed=0), fr.Residual(Scale(3)), fr.Linear(3, 3, seed=1))
    adam, losses = fr.Adam(model, lr=0.05), []
    for _ in range(60):
        y, _, tape = model.forward(x)
        loss, dy = fr.mse_loss(y, target.astype(np.float32))
        losses.append(loss)
        model.zero_grad()
        model.backward(tape, dy)
        adam.step()
    assert losses[-1] < 0.1 * losses[0]
    assert (model.params["1.weight"] != 1).all()
    history = fr.fit(model, fr.mse_loss, x, target.astype(np.float32), epochs=2, seed=0)
    assert history["loss"][-1] < losses[0]


def test_a_tape_is_used_once_and_by_its_own_layer(trained):
    layer, y, tape = trained
    with refused(ValueError, "tape: expected one that this Scale made"):
        Scale(3).backward(tape, y)
    with refused(TypeError, "tape: expected what Scale.forward returned, got NoneType"):
        layer.backward(None, y)
    layer.backward(tape, y)
    once = snapshot(layer.grads)
    with refused(ValueError, "a tape can be used once"):
        layer.backward(tape, y)
    assert_same_arrays(layer.grads, once)


def test_a_wrong_gradient_is_refused_and_leaves_the_tape(trained):
    layer, y, tape = trained
    with refused(ValueError, "dy: expected (5, 2, 3), the shape of y, got (2, 3)"):
        layer.backward(tape, y[0])
    with refused(TypeError, "dy: expected float32", "got float64"):
        layer.backward(tape, y.astype(np.float64))
    assert not layer.grads["weight"].any()
    layer.backward(tape, np.ones_like(y))
    assert (layer.grads["weight"] == 20).all()


def test_read_only_gradients_are_refused_before_anything_is_added(trained):
    layer, y, tape = trained
    layer.grads["weight"].flags.writeable = False
    with refused(ValueError, "grads['weight']: expected an array that can be written, got a read-only one"):
        layer.backward(tape, y)
    layer.grads["weight"].flags.writeable = True
    layer.backward(tape, y)
    assert layer.grads["weight"].any()


def test_a_wrong_input_is_refused():
    for method in (Scale(3), Scale(3).forward):
        with refused(TypeError, "x: expected float32", "got int64"):
            method(np.ones((2, 3), int))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, Scale.inference_copy])
def test_a_copy_has_its_parameters(duplicate):
    layer = Scale(3)
    layer.params["weight"] = np.arange(3.0)
    clone = duplicate(layer)
    assert_same_arrays(clone.state_dict(), layer.state_dict())
    assert clone.config() == layer.config() and not np.shares_memory(clone.params["weight"], layer.params["weight"])
