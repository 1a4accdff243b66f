# SPDX-License-Identifier: BSD-3-Clause
"""A layer in several places of a model with named layers, of layers of a user's own, or of an earlier version."""

import numpy as np
import pytest
from support.layers import refused
from support.model_files import architecture_of, bits, split, with_architecture
from support.own_layers import Affine, Mixture, Scale
from support.ties import assert_tied_alike

import fastrnn as fr
from fastrnn import nn


class Doubled(nn.Container, nn.StatelessLayer):
    """A layer of its own, twice: what its constructor makes is in no config."""

    def __init__(self, features):
        super().__init__()
        self.features, self.layer = features, fr.Linear(features, features, seed=0)
        self._adopt({"first": self.layer, "second": self.layer})

    def _forward(self, x, training):
        a, _, first = self.layer.apply(x, None, None, training)
        b, _, second = self.layer.apply(a, None, None, training)
        return b, (first, second)

    def _backward(self, saved, dy):
        for tape in reversed(saved):
            dy, _ = self.layer.apply_backward(tape, dy, None)
        return dy


def named():
    layer = fr.GRU(3, 3, seed=0)
    return fr.Sequential(
        first=layer, middle=fr.Sequential(again=layer, out=fr.Linear(3, 3, seed=1)), last=fr.Residual(layer)
    )


def mixture():
    """A container with a parameter of its own, to which, as to a layer in it, there are references."""
    linear, scale = fr.Linear(3, 3, seed=0), Scale(3, seed=1)
    block = Mixture(linear, scale)
    return fr.Sequential(linear, block, fr.Residual(block), scale, fr.Sequential(last=Mixture(block, linear)))


def doubled():
    layer = Doubled(3)
    return fr.Sequential(layer, Affine(3), fr.Residual(layer))


OWN = [Affine, Doubled, Mixture, Scale]
MODELS = {make.__name__: make for make in (named, mixture, doubled)}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_round_trip(make, path):
    model = make()
    for k, array in enumerate(model.params.values()):
        array += k
    fr.save(model, path)
    assert split(path)[0].keys() - {"__metadata__"} == set(model.params)
    loaded = fr.load(path, custom=OWN)
    assert_tied_alike(loaded, model)
    assert bits(loaded) == bits(model) and list(loaded.params) == list(model.params)
    x = np.ones((4, 2, 3), np.float32)
    fr.save(loaded, path)
    assert repr(fr.load(path, custom=OWN)) == repr(model)
    for one, other in zip(as_tuple(loaded(x)), as_tuple(model(x)), strict=True):
        np.testing.assert_array_equal(one, other)


def as_tuple(results):
    return (results[0], *results[1]) if isinstance(results, tuple) else (results,)


def test_places_are_those_of_the_config_not_the_names_of_layers(path):
    fr.save(named(), path)
    architecture = architecture_of(path)
    assert architecture["names"] == ["first", "middle", "last"]
    assert architecture["layers"][1]["layers"][0] == {"same_as": "layers.0"}
    assert architecture["layers"][2] == {"type": "Residual", "layer": {"same_as": "layers.0"}}
    architecture["layers"][2]["layer"]["same_as"] = "first"
    with_architecture(path, architecture)
    with refused(ValueError, "architecture: layers.2.layer.same_as: expected the place of a layer", "got 'first'"):
        fr.load(path)


def test_references_inside_and_to_a_container_of_a_users_own(path):
    fr.save(mixture(), path)
    layers = architecture_of(path)["layers"]
    assert layers[1]["first"] == {"same_as": "layers.0"} and layers[1]["second"]["type"].endswith(":Scale")
    assert layers[2]["layer"] == {"same_as": "layers.1"} and layers[3] == {"same_as": "layers.1.second"}
    layers[1]["first"]["same_as"] = "layers.2"
    with_architecture(path, architecture_of(path) | {"layers": layers})
    with refused(ValueError, "architecture: layers.1.first.same_as: expected the place of a layer"):
        fr.load(path, custom=OWN)


def test_a_tie_that_no_config_tells_is_not_lost_unnoticed(path):
    """A layer that a constructor made is in another place, too."""
    layer = Doubled(3)
    with refused(TypeError, "config() of Doubled to give the arguments of an equal layer, but it gives another config"):
        fr.save(fr.Sequential(layer, layer.layer), path)
    assert not path.exists()


def test_a_model_of_version_0_1_is_loaded_with_a_warning(path, monkeypatch):
    """Its Sequential compared features alone; the shared layer stays one."""
    layer = fr.GRU(4, 4, batch_first=True, seed=0)
    with monkeypatch.context() as unchecked:
        unchecked.setattr("fastrnn.nn._sequential.misfit", lambda layers: None)
        model = fr.Sequential(layer, fr.GRU(4, 4, seed=1), layer)
    fr.save(model, path)
    with pytest.warns(UserWarning, match="refused today: .*batch_first=True, as GRU at 0 gives"):
        loaded = fr.load(path)
    assert_tied_alike(loaded, model)
    assert bits(loaded) == bits(model)
    assert_tied_alike(loaded.inference_copy(), model)


def test_checkpoints_of_layers_of_a_users_own_keep_ties(path):
    model, other = mixture(), mixture()
    model.params["1.gate"] = [0.75]
    fr.save_checkpoint(path, model, fr.Adam(model))
    fr.load_checkpoint(path, other, fr.Adam(other))
    assert bits(other) == bits(model)
    with refused(ValueError, "model.layers.3 is the layer at 'layers.1.second' in the checkpoint, Scale in the model"):
        fr.load_checkpoint(path, fr.Sequential(*mixture().layers[:3], Scale(3), mixture().layers[4]))
