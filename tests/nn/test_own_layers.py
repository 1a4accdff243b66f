# SPDX-License-Identifier: BSD-3-Clause
"""Layers of a user's own do what those of the package do: train, resume, copy, pickle, stand in others."""

import copy
import pickle

import numpy as np
import pytest
from support.layers import assert_same_arrays, assert_same_bits
from support.own_layers import Affine, Mixture, Noise, Scale, Sum, own_model

import fastrnn as fr

LAYERS = {
    "options": lambda dtype: Affine(3, square=True, dtype=dtype),
    "a state": lambda dtype: Sum(3, dtype=dtype),
    "children": lambda dtype: Mixture(Affine(3, dtype=dtype), fr.Residual(Affine(3, square=True, dtype=dtype))),
    "chance": lambda dtype: Noise(seed=0, dtype=dtype),
    "all": lambda dtype: own_model(dtype),
}


@pytest.fixture(params=LAYERS.values(), ids=LAYERS)
def make(request):
    return request.param


@pytest.fixture
def data(rng):
    x = rng.standard_normal((6, 8, 3)).astype(np.float32)
    return x, (0.5 * np.tanh(x)).astype(np.float32)


def test_gradients_agree_with_differences(make, rng):
    report = fr.check_gradients(make(np.float64), rng.standard_normal((4, 2, 3)))
    assert report, report


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_have_the_parameters_and_the_random_numbers(make, duplicate, data):
    layer = make(np.float32)
    layer.forward(data[0])
    clone = duplicate(layer)
    assert_same_arrays(clone.state_dict(), layer.state_dict())
    assert_same_bits(clone.forward(data[0])[0], layer.forward(data[0])[0])
    assert repr(clone) == repr(layer)


def test_training_resumes_to_the_same_bits(data, tmp_path):
    def fit(model, epochs, **options):
        return fr.fit(
            model, fr.mse_loss, [fr.Batch(*data, None)], optimizer=fr.Adam(model, lr=0.02), epochs=epochs, **options
        )

    whole, path = own_model(), tmp_path / "run.checkpoint"
    losses = fit(whole, 20)["loss"]
    assert losses[-1] < 0.7 * losses[0]
    fit(own_model(), 8, checkpoint=path)
    again = own_model(seed=3)
    fit(again, 20, checkpoint=path, resume=True)
    assert_same_arrays(again.state_dict(), whole.state_dict())
    assert whole.params["2.gate"] != 0.25


def test_a_container_passes_on_what_its_children_report(data):
    """And shows their tapes to whoever looks inside."""
    mixture = Mixture(fr.Sequential(fr.Linear(3, 3, seed=0), Affine(3)), Affine(3))
    y, tape = mixture.forward(data[0])
    assert [(name, layer) for name, layer, _ in mixture.child_tapes(tape)] == [
        ("first", mixture.first),
        ("second", mixture.second),
    ]
    inner = mixture.child_tapes(tape)[0][2]
    mixture.backward(tape, y)
    assert inner.nbytes == 0 and tape.nbytes == 0
    outer = Mixture(fr.Residual(fr.Sequential(fr.RNN(3, 3, omega=1.0, seed=0))), Affine(3))
    y, tape = outer.forward(data[0])
    outer.backward(tape, y)
    assert list(tape.extras) == ["omega"] and tape.extras["omega"] > 0


def test_models_with_own_layers_can_be_inspected(data):
    """Their recurrent layers of the package, wherever they stand."""
    model, x = own_model(), data[0]
    trace = fr.inspect.trace(model, x)
    still = copy.deepcopy(model)
    assert list(trace) == ["4.h", "4.r", "4.z", "4.n"]
    assert_same_bits(trace["4.h"][0, 0], trace.y)
    inner = Mixture(fr.Residual(fr.Sequential(fr.GRU(3, 3, seed=0))), Affine(3))
    assert "first.0.h" in fr.inspect.trace(inner, x)
    flow = fr.inspect.gradient_flow(fr.Sequential(Affine(3), fr.GRU(3, 4, seed=0), Scale(4, seed=0)), x)
    assert [one.name for one in flow] == ["1.l0"] and flow[0].norms().all()
    assert_same_arrays(still.state_dict(), model.state_dict())


def test_optimizers_group_and_clip_them(data):
    model = own_model()
    adam = fr.Adam(model, groups={"2.gate": {"lr": 0.0}, "*weight*": {"weight_decay": 0.1}})
    y, _, tape = model.forward(data[0])
    model.backward(tape, y)
    assert fr.clip_grad_norm(model, 1e-3) > 1e-3
    adam.step()
    assert model.params["2.gate"] == 0.25 and (model.params["2.first.bias"] != 0).all()


def test_a_subclass_of_sequential_is_a_model_of_its_own(data):
    class Classifier(fr.Sequential):
        """A Sequential with a method more."""

        def classify(self, x):
            return self(x)[0].argmax(axis=-1)

    model = Classifier(fr.GRU(3, 4, seed=0), fr.LastStep(), fr.Linear(4, 2, seed=1))
    assert type(copy.deepcopy(model)) is Classifier and model.classify(data[0]).shape == (8,)
