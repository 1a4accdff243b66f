# SPDX-License-Identifier: BSD-3-Clause
"""A layer of a user's own with a state: it defines two passes and inherits everything else."""

import copy
from dataclasses import KW_ONLY

import numpy as np
import pytest
from support.layers import assert_same_arrays, assert_same_bits, assert_slopes, refused, snapshot

import fastrnn as fr
from fastrnn._engine.arguments import as_floats
from fastrnn.nn import StatefulLayer
from fastrnn.nn._options import DType, Size


class Sum(StatefulLayer):
    """h_t = h_(t-1) + weight * x_t on sequences (T, N, F), whose rows are all full."""

    features: Size = Size("F.")
    _: KW_ONLY
    dtype: DType = DType(default=np.float32)

    def _setup(self):
        self._own({"weight": np.ones(self.features, self.dtype)})

    def _forward(self, x, state, lengths, training):
        x = as_floats("x", x, self.dtype)
        h = np.cumsum(x * self.params["weight"], axis=0) + (0 if state is None else state)
        return h, h[-1], x

    def _backward(self, saved, dy, dstate, extras):
        dh = np.cumsum(dy[::-1], axis=0)[::-1] + (0 if dstate is None else dstate)
        self.grads["weight"] += (dh * saved).sum(axis=(0, 1))
        return dh * self.params["weight"], dh[0]


@pytest.fixture
def trained():
    """A layer, and y and the tape of a forward pass."""
    layer = Sum(3)
    y, _, tape = layer.forward(np.full((5, 2, 3), 2, np.float32))
    return layer, y, tape


def test_its_gradients_match_central_differences(rng):
    layer = Sum(3, dtype=np.float64)
    x, dy = rng.standard_normal((2, 4, 2, 3))
    state, dstate = rng.standard_normal((2, 2, 3))
    dx, dinitial = layer.backward(layer.forward(x, state)[2], dy, dstate)

    def loss():
        y, final = layer(x, state)
        return (y * dy).sum() + (final * dstate).sum()

    for actual, array in ((dx, x), (dinitial, state), (layer.grads["weight"], layer.params["weight"])):
        assert_slopes(actual, loss, array, "")


def test_a_sequential_carries_its_state(rng):
    """A sequence in two parts has the outputs of the whole."""
    model = fr.Sequential(fr.GRU(2, 3, seed=0), Sum(3), fr.Residual(Sum(3)))
    x = rng.standard_normal((6, 4, 2)).astype(np.float32)
    y, final = model(x)
    first, state = model(x[:4])
    assert len(state) == 3
    rest, ends = model(x[4:], state)
    np.testing.assert_allclose(np.concatenate([first, rest]), y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ends[1], final[1], rtol=1e-5, atol=1e-6)


def test_it_trains_inside_a_sequential(rng):
    """With an optimizer, and in `fit`, between layers of the package."""
    x = rng.standard_normal((6, 8, 3)).astype(np.float32)
    target = np.cumsum(x, axis=0) * np.float32([1, -2, 0.5])
    model = fr.Sequential(fr.Linear(3, 3, seed=0), Sum(3), fr.Linear(3, 3, seed=1))
    adam, losses = fr.Adam(model, lr=0.05), []
    for _ in range(60):
        y, _, tape = model.forward(x)
        loss, dy = fr.mse_loss(y, target)
        losses.append(loss)
        model.zero_grad()
        model.backward(tape, dy)
        adam.step()
    assert losses[-1] < 0.1 * losses[0]
    assert (model.params["1.weight"] != 1).all()
    history = fr.fit(model, fr.mse_loss, x, target, epochs=2, seed=0)
    assert history["loss"][-1] < losses[0]


def test_a_tape_is_used_once_and_by_its_own_layer(trained):
    layer, y, tape = trained
    with refused(ValueError, "tape: expected one that this Sum made"):
        Sum(3).backward(tape, y)
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
    layer.backward(tape, y)
    assert layer.grads["weight"].any()


def test_read_only_gradients_are_refused_before_anything_is_added(trained):
    layer, y, tape = trained
    layer.grads["weight"].flags.writeable = False
    with refused(ValueError, "grads['weight']: expected an array that can be written, got a read-only one"):
        layer.backward(tape, y)
    layer.grads["weight"].flags.writeable = True
    layer.backward(tape, y)


def test_apply_has_one_form_for_every_layer(rng):
    """y, the state and the tape, whether the layer has them or not."""
    x = rng.standard_normal((5, 2, 3)).astype(np.float32)
    for layer, stateful in ((Sum(3), True), (fr.Linear(3, 3, seed=0), False), (fr.LastStep(), False)):
        y, state, tape = layer.apply(x, None, None, training=False)
        assert tape is None and (state is not None) == stateful == layer.stateful
        again, _, tape = layer.apply(x, None, None, training=True)
        assert_same_bits(again, y)
        dx, dstate = layer.apply_backward(tape, np.ones_like(y), None)
        assert dx.shape == x.shape and (dstate is not None) == stateful
    with refused(TypeError, "Attention: expected a layer of one input, got one of several"):
        fr.Attention(3, 3).apply(x, None, None, training=False)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, Sum.inference_copy])
def test_a_copy_has_its_parameters(duplicate):
    layer = Sum(3)
    layer.params["weight"] = np.arange(3.0)
    assert_same_arrays(duplicate(layer).state_dict(), layer.state_dict())
