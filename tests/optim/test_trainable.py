# SPDX-License-Identifier: BSD-3-Clause
"""What a model has to be, and several models as one."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from support.optimizers import STEPS, Model, assert_same_bits, set_gradients, train

import fastrnn as fr
from fastrnn.optim import SGD, Adam, JoinedModels, add_penalty, clip_grad_norm, clip_grad_value


def test_bad_models():
    with pytest.raises(TypeError, match="^model: expected an object with params and grads, got ndarray$"):
        SGD(Model().params["bias"])
    model = Model()
    model.grads["bias"] = np.zeros(5)
    with pytest.raises(ValueError, match=re.escape("grads['bias']: expected float64 (4,), got ")):
        SGD(model)
    del model.grads["bias"]
    with pytest.raises(ValueError, match=re.escape("same names, got ['bias'] in one of them only")):
        SGD(model)


def test_every_layer_is_a_model():
    linear = fr.Linear(2, 1, seed=0)
    linear.grads["bias"] = [2.0]
    before = linear.state_dict()
    sgd = SGD(linear, lr=0.5)
    sgd.step()
    np.testing.assert_array_equal(linear.params["bias"], before["bias"] - 1)
    sgd.zero_grad()
    assert not linear.grads["bias"].any()


# -- several models --------------------------------------------------------------------------------------------------


def two():
    """A layer, and an object with dicts."""
    layer = fr.Linear(3, 2, seed=0)
    set_gradients(layer, 0)
    return layer, Model()


@pytest.mark.parametrize("make", [lambda a, b: [a, b], lambda a, b: {"encoder": a, "decoder": b}, lambda a, b: (a, b)])
def test_one_optimizer_of_several_models_does_what_one_of_each_does(make):
    (layer, model), (other_layer, other_model) = two(), two()
    joined = Adam(make(layer, model), lr=0.1, weight_decay=0.3)
    alone = [Adam(each, lr=0.1, weight_decay=0.3) for each in (other_layer, other_model)]
    for t in range(STEPS):
        for each in (layer, model, other_layer, other_model):
            set_gradients(each, t)
        joined.step()
        for optimizer in alone:
            optimizer.step()
    assert_same_bits(layer, other_layer)
    assert_same_bits(model, other_model)
    joined.zero_grad()
    assert not any(grad.any() for each in (layer, model) for _, grad in each.grads.items())


def test_names_have_the_keys_or_places_as_prefixes():
    a, b = two()
    by_name, by_place = JoinedModels({"encoder": a, "decoder": b}), SGD([a, b]).model
    assert list(by_name.params) == [f"encoder.{k}" for k in a.params] + [f"decoder.{k}" for k in b.params]
    assert list(by_place.grads) == [f"0.{k}" for k in a.grads] + [f"1.{k}" for k in b.grads]
    assert by_name.params["decoder.weight"] is b.params["weight"]
    assert by_place.grads["0.bias"] is a.grads["bias"]
    sgd = SGD(JoinedModels([a, b]), lr=0.5, groups={"1.*": {"lr": 0.25}})
    assert [sgd.hyperparameters(name)["lr"] for name in ("0.weight", "1.weight")] == [0.5, 0.25]
    assert "lr.1.gain" in sgd.state_dict() and "velocity.0.weight" in sgd.state_dict()
    assert repr(JoinedModels({"a": fr.Linear(3, 2)})) == f"JoinedModels({{'a': {fr.Linear(3, 2)!r}}})"


def test_joined_models_are_a_model():
    """So they nest, and an optimizer resumes from the state of one of the same names."""
    (a, b), (c, d) = two(), two()
    nested = JoinedModels({"pair": JoinedModels([a, b]), "third": Model()})
    before = a.params["weight"].copy()
    train(nested, SGD(nested, lr=0.1), range(1))
    np.testing.assert_allclose(a.params["weight"], before - 0.1 * nested.grads["pair.0.weight"], rtol=1e-6)
    optimizer, other = Adam([a, b]), Adam([c, d])
    optimizer.step()
    other.load_state_dict(optimizer.state_dict())
    np.testing.assert_array_equal(other.state["0.weight"]["m"], optimizer.state["0.weight"]["m"])


def test_several_models_are_clipped_and_penalized_together():
    a, b = two()
    set_gradients(b, 1)
    norms = [clip_grad_norm(each, math.inf) for each in (a, b)]
    assert clip_grad_norm([a, b], math.inf) == pytest.approx(math.hypot(*norms), rel=1e-15)
    clip_grad_norm({"a": a, "b": b}, 0.5)
    assert clip_grad_norm([a, b], math.inf) == pytest.approx(0.5, rel=1e-6)
    largest = max(clip_grad_value(each, math.inf) for each in (a, b))
    assert clip_grad_value([a, b], 1e-3) == largest
    assert clip_grad_value([a, b], 1e-3) == pytest.approx(1e-3, rel=1e-6)
    expected = add_penalty(a, l2=0.5) + add_penalty(b, l2=0.5)
    assert add_penalty([a, b], l2=0.5) == pytest.approx(expected, rel=1e-6)
    before = b.grads["weight"].copy()
    add_penalty([a, b], l2=0.5, names="0.*")
    np.testing.assert_array_equal(b.grads["weight"], before)


def test_clipping_several_needs_gradients_only():
    parts = [SimpleNamespace(grads={"w": np.array([3.0])}), SimpleNamespace(grads={"w": np.array([4.0])})]
    assert clip_grad_norm(parts, 10.0) == 5.0


LAYER = fr.Linear(2, 1)


@pytest.mark.parametrize(
    "models, error, text",
    [
        ([], ValueError, "expected at least one model, got none"),
        ({}, ValueError, "expected at least one model, got none"),
        ([LAYER, LAYER], ValueError, "expected each model once, got the same as '0' and as '1'"),
        ({"a": LAYER, "b": LAYER}, ValueError, "expected each model once, got the same as 'a' and as 'b'"),
        ({"a.b": LAYER}, ValueError, "expected names without dots, got 'a.b'"),
        ({"": LAYER}, ValueError, "expected names without dots, got ''"),
        ({0: LAYER}, ValueError, "expected names without dots, got 0"),
    ],
)
def test_bad_sets_of_models(models, error, text):
    with pytest.raises(error, match=f"^models: {re.escape(text)}$"):
        JoinedModels(models)
    for function in (SGD, lambda model: clip_grad_norm(model, 1.0), lambda model: add_penalty(model, l1=1.0)):
        with pytest.raises(error, match=f"^model: {re.escape(text)}$"):
            function(models)


def test_bad_members_of_a_set():
    with pytest.raises(TypeError, match="^models: expected a list or a dict of models, got Linear$"):
        JoinedModels(LAYER)
    with pytest.raises(TypeError, match=r"^model\[1\]: expected an object with params and grads, got str$"):
        SGD([LAYER, "decoder"])
    with pytest.raises(TypeError, match=r"^model\['weight'\]: expected an object with params and grads, got ndarray$"):
        SGD(LAYER.state_dict())


@pytest.mark.parametrize("kind", [fr.SGD, fr.Adam, fr.RAdam, fr.Adagrad])
def test_a_parameter_that_cannot_be_written_is_named_and_no_other_changes(kind):
    model = fr.Sequential(fr.Linear(3, 2, seed=0), fr.Linear(2, 2, seed=1))
    optimizer, before = kind(model), model.state_dict()
    for grad in model.grads.values():
        grad[...] = 1
    model.params["1.weight"].flags.writeable = False
    with pytest.raises(ValueError, match=r"params\['1.weight'\]: expected an array that can be written, got a read"):
        optimizer.step()
    assert optimizer.steps == 0
    assert all((p == before[name]).all() for name, p in model.params.items())
