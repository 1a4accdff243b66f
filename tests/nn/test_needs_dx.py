# SPDX-License-Identifier: BSD-3-Clause
"""A tape that need not give the gradient of the input: that of everything else has the same bits, and takes less."""

import numpy as np
import pytest
from support.every_layer import each, first, inputs

import fastrnn as fr
from fastrnn import _core

SKIP = (fr.RNN, fr.LSTM, fr.GRU, fr.Linear, fr.Conv1d, fr.Sequential)


def back(layer, x, needs_dx, **options):
    """What `backward` returns, as a tuple, with an upstream gradient of ones, or of less at each step."""
    y, *_, tape = layer.forward(*each(x), **options)
    tape.needs_dx = needs_dx
    result = layer.backward(tape, np.linspace(1, 2, y.size, dtype=y.dtype).reshape(y.shape))
    return result if isinstance(result, tuple) else (result,)


def assert_same(found, expected):
    if isinstance(expected, tuple | list):
        for pair in zip(found, expected, strict=True):
            assert_same(*pair)
    else:
        assert found is expected is None or found.tobytes() == expected.tobytes()


def test_everything_else_is_the_same(case, make, dtype):
    layer, other, x = make(dtype), make(dtype), inputs(case, dtype)
    expected, found = back(layer, x, True), back(other, x, False)
    assert_same(found[1:], expected[1:])
    assert_same([*other.grads.values()], [*layer.grads.values()])
    if isinstance(layer, SKIP):
        assert first(found) is None


@pytest.mark.parametrize("N", [3, 400], ids=["small", "large"])
@pytest.mark.parametrize(
    "options", [{}, {"dropout": 0.3}, {"recompute": True}, {"bidirectional": True, "recompute": True}], ids=repr
)
def test_recurrent_layers_with_lengths(options, N, rng):
    """On the way of small steps and on the general one."""
    x = rng.standard_normal((60, N, 5)).astype(np.float32)
    for lengths in (None, rng.integers(1, 61, N)):
        layer, other = (fr.LSTM(5, 6, 2, seed=0, **options) for _ in range(2))
        expected, found = back(layer, x, True, lengths=lengths), back(other, x, False, lengths=lengths)
        assert found[0] is None and expected[0].any()
        assert_same(found[1], expected[1])
        assert_same([*other.grads.values()], [*layer.grads.values()])


@pytest.fixture
def dx_arrays(monkeypatch):
    """The dx of every general backward pass of the engine."""
    seen, backward = [], _core.backward
    monkeypatch.setattr(_core, "backward", lambda *a: (seen.append(a[4][1]), backward(*a))[1])
    return seen


@pytest.mark.parametrize(
    "layer", [fr.Linear(40, 50, seed=0), fr.GRU(40, 50, seed=0), fr.Conv1d(40, 50, 2, seed=0)], ids=repr
)
def test_the_engine_does_not_compute_it(layer, dx_arrays):
    x = np.ones((30, 100, 40), np.float32)
    assert back(layer, x, False)[0] is None
    assert dx_arrays == [None]


def test_a_sequential_hands_it_to_its_first_layer_alone(dx_arrays):
    inner = fr.Sequential(fr.LSTM(40, 30, seed=0), fr.Linear(30, 20, seed=1))
    model = fr.Sequential(inner, fr.GRU(20, 10, seed=2))
    assert back(model, np.ones((30, 300, 40), np.float32), False)[0] is None
    assert [array is None for array in dx_arrays] == [False, False, True]


def test_fit_does_not_ask_for_it(dx_arrays):
    model = fr.Sequential(fr.LSTM(40, 30, seed=0), fr.Linear(30, 20, seed=1))
    x, y = np.ones((30, 300, 40), np.float32), np.ones((30, 300, 20), np.float32)
    fr.fit(model, fr.mse_loss, x, y, epochs=1, batch_size=300, progress=False)
    fr.fit(model, fr.mse_loss, x, y, epochs=1, batch_size=300, truncate=(15, 30), progress=False)
    assert [array is None for array in dx_arrays[:2]] == [False, True]
    assert all((array is None) == (k % 2 == 1) for k, array in enumerate(dx_arrays))


def test_layers_of_users_stay_as_they_are():
    """A `_backward` of a subclass has its dx, whatever the base can leave out."""

    class Twice(fr.Linear):
        def _backward(self, saved, dy):
            return 2 * super()._backward(saved, dy)

    class Halved(fr.GRU):
        def _backward(self, saved, dy, dstate, extras):
            dx, dinitial = super()._backward(saved, dy, dstate, extras)
            return dx / 2, dinitial

    class Own(fr.Linear):
        def backward(self, tape, dy):
            return 2 * super().backward(tape, dy)

    class OwnConvolution(fr.Conv1d):
        def backward(self, tape, dy):
            return 2 * super().backward(tape, dy)

    x, y = np.ones((5, 4, 3), np.float32), np.zeros((5, 4, 3), np.float32)
    for layer in (Twice(3, 3, seed=0), Halved(3, 3, seed=0), Own(3, 3, seed=0), OwnConvolution(3, 3, 1, seed=0)):
        for needs_dx in (True, False):
            assert back(layer, x, needs_dx)[0].shape == x.shape
        for model in (layer, fr.Sequential(layer, fr.Linear(3, 3, seed=1))):
            history = fr.fit(model, fr.mse_loss, x, y, epochs=3, progress=False)
            assert history["loss"][-1] < history["loss"][0]


def test_a_model_of_a_user_may_use_the_tape_of_a_layer_in_it():
    """It is not the tape of the model, which needs the gradient."""

    class Scaled:
        def __init__(self):
            self.layer, self.scale, self.dscale = (
                fr.Linear(3, 3, seed=0),
                np.ones(3, np.float32),
                np.zeros(3, np.float32),
            )
            self.params = {**self.layer.params, "scale": self.scale}
            self.grads = {**self.layer.grads, "scale": self.dscale}

        def zero_grad(self):
            self.layer.zero_grad()
            self.dscale.fill(0)

        def __call__(self, x):
            return self.layer(x * self.scale)

        def forward(self, x):
            self.x = x
            return self.layer.forward(x * self.scale)

        def backward(self, tape, dy):
            self.dscale += (self.layer.backward(tape, dy) * self.x).sum(axis=(0, 1))

    model, x = Scaled(), np.ones((5, 4, 3), np.float32)
    history = fr.fit(model, fr.mse_loss, x, 0 * x, epochs=3, progress=False)
    assert history["loss"][-1] < history["loss"][0] and (model.scale != 1).all()
