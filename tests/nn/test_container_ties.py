# SPDX-License-Identifier: BSD-3-Clause
"""A layer in several places of a model: its arrays have several names, and count once."""

import copy
import pickle

import numpy as np
import pytest
from support.layers import assert_same_bits, refused, snapshot
from support.own_layers import Affine, Mixture
from support.ties import TIED, accumulate, assert_tied_alike, containers, learn, nested, residual, twice, untied
from support.tolerance import assert_close

import fastrnn as fr

each = pytest.mark.parametrize("make", TIED.values(), ids=TIED)


@each
@pytest.mark.parametrize("mapping", ["params", "grads", "stored"])
def test_each_array_is_given_once(make, mapping):
    model = make()
    arrays, names = getattr(model, mapping), getattr(untied(model), mapping)
    pointers = [array.ctypes.data for array in arrays.values()]
    assert len(pointers) == len(set(pointers)) == len(arrays) == len(list(arrays))
    assert {arrays[name].ctypes.data for name in names} == set(pointers)
    assert all(name in arrays for name in names) and arrays.first_names().keys() == set(names)


def test_the_first_name_is_that_of_the_first_place():
    own = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    assert list(twice().params) == [f"0.{name}" for name in own]
    assert list(nested().params) == [*(f"0.0.{name}" for name in own), "2.weight", "2.bias"]
    assert list(residual().params) == [*(f"0.{name}" for name in own), "1.0.weight", "1.0.bias"]
    assert list(containers().params) == [*(f"0.0.{name}" for name in own), "0.1.weight", "0.1.bias"]


@each
def test_gradients_are_the_sums_over_the_places(make):
    """Of the same model with a layer of its own in each place."""
    model = make()
    other = untied(model)
    if make is TIED["dropout"]:
        other.layers[1]._rng = other.layers[3]._rng = copy.deepcopy(model.layers[1]._rng)
    assert_same_bits(accumulate(model), accumulate(other))
    sums = {name: np.zeros_like(grad) for name, grad in model.grads.items()}
    for name, grad in other.grads.items():
        sums[model.grads.first_names()[name]] += grad
    for name, grad in model.grads.items():
        assert_close(grad, sums[name], np.float64, backward=True, terms=64, steps=20, what=name)


def test_a_state_dict_has_all_names_and_loads(rng):
    """As PyTorch's does. One copy stands under all names of an array, so that pickled it is as large as the model."""
    model = nested()
    names = list(untied(model).state_dict())
    state = model.state_dict()
    assert list(state) == names and "0.0.weight_hh_l0" in names and "1.weight_hh_l0" in names
    assert state["0.0.weight_hh_l0"] is state["1.weight_hh_l0"]
    other, third = nested(seed=7), nested(seed=7)
    other.load_state_dict(state)
    assert_same_bits(accumulate(other), accumulate(model))
    third.load_state_dict({name: state[name] for name in names if not name.startswith("0.0.")})  # one name is enough
    assert_same_bits(accumulate(third), accumulate(model))
    third.load_state_dict(model.params)
    with refused(ValueError, "state_dict: expected the names", "missing 0.0.weight_ih_l0", "unknown 3.weight"):
        third.load_state_dict({"3.weight" if name.endswith("weight_ih_l0") else name: a for name, a in state.items()})


def test_values_that_differ_for_one_array_are_refused():
    model, state = twice(), untied(twice()).state_dict()
    before = snapshot(model.params)
    state["0.bias_ih_l0"] = np.ones(3)
    state["1.bias_hh_l0"] = state["1.bias_hh_l0"] + 1
    with refused(ValueError, "1.bias_ih_l0: expected the values of 0.bias_ih_l0, which is the same array, got others"):
        model.load_state_dict(state)
    assert_same_bits(list(model.params.values()), list(before.values()))
    model.load_state_dict({name: np.full_like(array, np.nan) for name, array in state.items()})  # nan equals nan here
    single, dtypes = twice(np.float32), {"0": np.float64, "1": np.float32}
    single.load_state_dict({name: np.full(a.shape, 0.1, dtypes[name[0]]) for name, a in single.state_dict().items()})
    assert (single.params["1.bias_hh_l0"] == np.float32(0.1)).all()  # what is compared is what is written


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "inference_copy": lambda model: model.inference_copy(),
}


@each
@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_copies_keep_the_tie(make, duplicate):
    model = make()
    clone = duplicate(model)
    assert_tied_alike(clone, model)
    assert clone.state_dict().keys() == model.state_dict().keys()
    for name, array in model.stored.items():
        assert_same_bits(clone.stored[name], array)
        assert not np.shares_memory(clone.stored[name], array)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, COPIES["pickle"]], ids=["deepcopy", "pickle"])
def test_a_copy_of_a_model_and_its_optimizer_trains_on_alike(duplicate):
    model = residual()
    adam = fr.Adam(model, lr=0.01)
    learn(model, adam)
    clone, twin = duplicate((model, adam))
    assert twin.model is clone
    learn(model, adam)
    learn(clone, twin)
    for name, p in model.params.items():
        assert_same_bits(clone.params[name], p)


def test_each_place_has_a_state_of_its_own():
    model, x = twice(), np.ones((5, 2, 3))
    y, state = model(x)
    assert len(state) == 2 and (state[0] != state[1]).any()
    again, _ = model(x, state)
    first, _ = model.layers[0](x, state[0])
    assert_same_bits(again, model.layers[0](first, state[1])[0])


def test_packed_weights_follow_an_array_that_is_written_under_its_second_name():
    model, x = nested(), np.ones((5, 2, 3))
    model(x)
    model.params["1.weight_hh_l0"] = np.zeros((9, 3))
    assert not model.layers[0].layers[0].params["weight_hh_l0"].any()
    assert_same_bits(model(x)[0], untied(model)(x)[0])


def test_a_layer_in_two_models_is_whole_in_both():
    layer = fr.Linear(3, 3, dtype=np.float64, seed=0)
    first, second = fr.Sequential(layer), fr.Sequential(fr.RNN(3, 3, dtype=np.float64), layer)
    first.params["0.bias"] = np.ones(3)
    assert first.params["0.weight"] is second.params["1.weight"] and (second.params["1.bias"] == 1).all()


def test_a_parameter_that_is_added_after_a_look_at_the_others():
    class Late(Mixture):
        """Its constructor looks at its parameters, and adds another one."""

        def _setup(self):
            self.add_parameters(gate=[len(self.params) / 8])

    layer = fr.Linear(3, 3, seed=0)
    model = Late(layer, layer)
    outer = fr.Sequential(model)
    names = ["gate", "first.weight", "first.bias"]
    assert list(model.params) == names and model.params["gate"] == [0.25] and len(outer.params) == 3
    model.add_parameters(late=np.ones(2))
    assert "0.late" in outer.params and list(outer.params) == [f"0.{name}" for name in ["gate", "late", *names[1:]]]
    assert outer.params.shapes()["0.late"] == (2,) and [*outer.grads] == [*outer.params]


class Alike(Affine):
    """Equal to every other one of its class, and so without a hash."""

    def __eq__(self, other):
        return type(other) is type(self)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: model.inference_copy()], ids=["deepcopy", "inference"])
def test_layers_that_are_equal_are_not_one_and_layers_of_a_users_own_stay_one(copied):
    layer, other = Alike(3), Alike(3)
    block = Mixture(layer, other)
    model = fr.Sequential(block, layer, fr.Sequential(inner=block))
    model.params["0.gate"] = [0.5]
    model.params["0.second.bias"] = np.ones(3)
    again = copied(model)
    assert_tied_alike(again, model)
    for name, p in model.params.items():
        assert_same_bits(again.params[name], p)
