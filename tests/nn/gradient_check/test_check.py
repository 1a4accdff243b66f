# SPDX-License-Identifier: BSD-3-Clause
"""check_gradients: every layer of the package passes, and every kind of error is found and explained."""

import numpy as np
import pytest
from support.every_layer import LAYERS, each, inputs
from support.layers import assert_same_arrays, refused, snapshot
from support.own_layers import Affine, Mixture, Noise, Scale, Sum

import fastrnn as fr
from fastrnn.nn._layer import every_layer

X = np.linspace(-1, 1, 24).reshape(4, 2, 3)
# The row of padding gets no gradient, by design.
SOUND = {name: case for name, case in LAYERS.items() if name != "Embedding, padding"}


@pytest.mark.parametrize("case", SOUND.values(), ids=SOUND)
def test_every_layer_passes(case):
    """With all that has a gradient: parameters, inputs that are not tokens, the state."""
    layer, x = case[0](dtype=np.float64, seed=0), inputs(case, np.float64)
    report = fr.check_gradients(layer, x, max_entries=12)
    assert report.ok and bool(report), report
    assert 0 <= report.error <= report.tolerance == 1e-6
    floats = [array for array in each(x) if array.dtype.kind == "f"]
    assert set(layer.params) <= set(report.worst) and sum(name[0] == "x" for name in report.worst) == len(floats)
    stateful = layer.stateful and not isinstance(x, tuple) and not isinstance(layer, fr.Sequential)
    assert any(name.startswith("state") for name in report.worst) or not stateful


@pytest.mark.parametrize("name", ["GRU", "LayerNorm", "Linear", "MaxPool", "Recurrent"])
def test_layers_in_float32_pass(name):
    report = fr.check_gradients(LAYERS[name][0](dtype=np.float32, seed=0), inputs(LAYERS[name]))
    assert report.ok and report.tolerance == 1e-2, report


@pytest.mark.parametrize(
    "layer",
    [
        fr.Dropout(0.5, seed=0, dtype=np.float64),
        fr.LSTM(3, 4, 2, dropout=0.3, recurrent_dropout=0.3, zoneout=0.2, weight_drop=0.3, seed=0, dtype=np.float64),
        fr.Sequential(Noise(seed=0, dtype=np.float64), fr.GRU(3, 3, zoneout=0.5, seed=1, dtype=np.float64)),
    ],
    ids=["Dropout", "LSTM", "Sequential"],
)
def test_chance_is_held_fixed(layer):
    assert fr.check_gradients(layer, X)


def test_lengths_and_a_state_are_those_of_the_layer(rng):
    gru = fr.GRU(3, 4, batch_first=True, seed=0, dtype=np.float64)
    x, state = rng.standard_normal((3, 5, 3)), rng.standard_normal((1, 3, 4))
    report = fr.check_gradients(gru, x, state=state, lengths=[5, 0, 2])
    assert report, report
    with refused(ValueError, "state: expected (1, 3, 4), got (1, 3, 5)"):
        fr.check_gradients(gru, x, state=np.zeros((1, 3, 5)))


def test_it_leaves_everything_as_it_was(rng):
    model, x = fr.Sequential(fr.GRU(3, 4, seed=0), fr.Dropout(0.5, seed=1), Affine(4)), X.astype(np.float32)
    y, _, tape = model.forward(x)
    model.backward(tape, y)
    before = (
        snapshot(model.params),
        snapshot(model.grads),
        [layer.random_state for layer in every_layer(model)],
        x.copy(),
    )
    fr.check_gradients(model, x)
    assert_same_arrays(snapshot(model.params), before[0])
    assert_same_arrays(snapshot(model.grads), before[1])
    assert [layer.random_state for layer in every_layer(model)] == before[2]
    np.testing.assert_array_equal(x, before[3])


def broken(kind, change, *arguments):
    """A layer whose `_backward` is followed by a change of what it leaves: change(layer, dx) returns another dx."""

    class Broken(kind):
        def _backward(self, saved, *rest):
            result = super()._backward(saved, *rest)
            return change(self, result)

    return Broken(*arguments, dtype=np.float64)


def add(name, index, value):
    def change(layer, result):
        layer.grads[name][index] += value
        return result

    return change


def forget(layer, result):
    layer.grads["bias"].fill(0)
    return result


class Overwriting(Affine):
    """Its gradient is right, but not added."""

    def _backward(self, saved, dy):
        self.grads["weight"][...] = 0
        return super()._backward(saved, dy)


@pytest.mark.parametrize(
    "layer, words",
    [
        (broken(Affine, add("weight", 1, 0.01), 3), ["weight[1]: backward gives", "relative error"]),
        (broken(Affine, forget, 3), ["bias: backward adds nothing to its gradient; differences give"]),
        (Overwriting(3, dtype=np.float64), ["weight: expected backward to add to grads"]),
        (broken(Affine, lambda layer, dx: 2 * dx, 3), ["x[", "backward gives"]),
        (broken(Affine, lambda layer, dx: None, 3), ["x: expected a gradient, got None"]),
        (broken(Sum, lambda layer, pair: (pair[0], 0.5 * pair[1]), 3), ["state[", "backward gives"]),
        (broken(Affine, add("weight", 1, np.nan), 3), ["weight[1]: backward gives nan"]),
        (Mixture(broken(Affine, add("bias", 0, 1.0), 3), Affine(3, dtype=np.float64)), ["first.bias[0]: backward"]),
    ],
    ids=["an entry", "forgotten", "overwritten", "dx", "no dx", "dstate", "nan", "inside"],
)
def test_an_error_is_found_and_explained(layer, words):
    report = fr.check_gradients(layer, X)
    assert not report and not report.ok
    text = str(report)
    assert text.startswith("the gradients differ (relative error allowed: 1e-06):\n  ")
    assert all(word in text for word in words), text
    assert len(report.problems) == 1, text


def test_the_error_of_one_entry_is_its_size():
    """0.5 more than the gradient, relative to the largest one."""
    right = fr.check_gradients(Affine(3, dtype=np.float64), X).worst["bias"]
    wrong = fr.check_gradients(broken(Affine, add("bias", 2, 0.5), 3), X).worst["bias"]
    assert wrong.index == (2,) and abs(abs(wrong.backward - wrong.differences) - 0.5) < 1e-8 and right.error < 1e-8


def test_the_entry_of_a_large_array_is_found(rng):
    """Of 10,000 that are not gone through one by one."""
    x = rng.standard_normal((2, 10_000))
    report = fr.check_gradients(broken(Affine, add("weight", 1234, 0.3), 10_000), x)
    assert not report and report.worst["weight"].index == (1234,), report
    assert fr.check_gradients(Affine(10_000, dtype=np.float64), x)


def test_what_passes_says_so():
    text = str(fr.check_gradients(Affine(3, dtype=np.float64), X))
    assert text.startswith("the gradients agree: the largest relative error is ") and text.endswith("(allowed: 1e-06)")


def test_wrong_arguments_are_refused():
    layer = Affine(3, dtype=np.float64)
    with refused(TypeError, "layer: expected a layer, got function"):
        fr.check_gradients(broken, X)
    with refused(ValueError, "step: expected a finite number above 0"):
        fr.check_gradients(layer, X, step=0)
    with refused(ValueError, "tolerance: expected a finite number above 0"):
        fr.check_gradients(layer, X, tolerance=-1)
    with refused(ValueError, "max_entries: expected at least 1, got 0"):
        fr.check_gradients(layer, X, max_entries=0)
    with refused(TypeError, "seed: expected an integer of at least 0 or None, got 'x'"):
        fr.check_gradients(layer, X, seed="x")
    with refused(TypeError, "x: expected float64"):
        fr.check_gradients(layer, X.astype(np.float32))


def test_a_constructor_of_ones_own_is_checked_in_its_dtype():
    assert fr.check_gradients(Scale(3, seed=0), X.astype(np.float32))
    assert fr.check_gradients(fr.Linear(3, 2, dtype=np.float64), X[0].tolist())
