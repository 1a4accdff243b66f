# SPDX-License-Identifier: BSD-3-Clause
"""A layer in several places of a model: files say so, and what they say is checked."""

import json
import time

import numpy as np
import pytest
from support.layers import assert_same_bits
from support.model_files import about_of, architecture_of, bits, forge, refused, split, with_architecture
from support.ties import TIED, accumulate, assert_tied_alike, containers, learn, nested, residual, translator, untied

import fastrnn as fr
from fastrnn.io import _container as container
from fastrnn.io import _references as references
from fastrnn.io._references import describe

each = pytest.mark.parametrize("make", TIED.values(), ids=TIED)


@each
def test_round_trip(make, path):
    """The tie, the parameters, and a second file of the same bytes."""
    model = make()
    fr.save(model, path)
    loaded = fr.load(path)
    assert_tied_alike(loaded, model)
    assert bits(loaded) == bits(model) and list(loaded.params) == list(model.params)
    first = path.read_bytes()
    fr.save(loaded, path)
    assert path.read_bytes() == first


def test_a_loaded_model_trains_on_alike(path):
    model = residual()
    learn(model, fr.SGD(model, lr=0.1))
    fr.save(model, path)
    loaded = fr.load(path)
    for each in (model, loaded):
        learn(each, fr.Adam(each, lr=0.1), seed=3)
    for name, p in model.params.items():
        assert_same_bits(loaded.params[name], p)


@each
def test_each_tensor_is_stored_once(make, path):
    model = make()
    fr.save(model, path)
    header, data = split(path)
    assert header.keys() - {"__metadata__"} == set(model.params)
    assert len(data) == sum(p.nbytes for p in model.params.values())


def test_references_are_places():
    """Keys and positions, in the order of the options; the names of parameters do not know the inside of a Residual."""
    model = describe(residual())
    assert model["layers"][1]["layers"][1]["layer"]["layer"] == {"same_as": "layers.0.layer"}
    assert model["layers"][2] == {"same_as": "layers.1.layers.0"}
    assert describe(translator())["embedding"] == {"same_as": "encoder.layers.0"}
    model = describe(containers())
    assert model["layers"][1:] == [
        {"type": "Residual", "layer": {"same_as": "layers.0"}},
        {"same_as": "layers.0.layers.0"},
    ]
    plain = untied(residual())
    assert describe(plain) == {"type": "Sequential", **plain.config()}


def test_a_file_that_describes_a_shared_layer_in_each_place(path):
    """As earlier versions wrote it: several layers."""
    model = nested()
    fr.save(untied(model), path)
    assert about_of(path)["architecture"] == {"type": "Sequential", **model.config()}
    assert set(split(path)[0]) - {"__metadata__"} == set(model.state_dict())
    loaded = fr.load(path)
    assert loaded.layers[0].layers[0] is not loaded.layers[1]
    assert bits(loaded) == bits(model)
    assert_same_bits(accumulate(loaded), accumulate(model))


def test_keys_in_another_order(path):
    """JSON does not order them: what is described before is so in the order of the options."""
    model = translator()
    fr.save(model, path)
    with_architecture(path, json.dumps(dict(reversed(architecture_of(path).items()))))
    assert_tied_alike(fr.load(path), model)


BAD = [None, 3, True, [], ["layers.0"], {}, {"same_as": "layers.0"}, "", ".", "0", "layers", "layers.00", "layers.0."]
BAD += ["layers.9", "layers.-1", "layers.1", "layers.2", "layers.1.layer", "layers.0.layers.0", "Layers.0", "x" * 10**6]


@pytest.mark.parametrize("target", BAD, ids=lambda target: repr(target)[:30])
def test_a_reference_to_no_earlier_layer(target, path):
    """That is no place, or that of a later layer, of one that is not whole yet, of the reference itself."""
    linear = fr.Linear(3, 3, seed=0)
    fr.save(fr.Sequential(linear, fr.Residual(linear), linear), path)
    good = architecture_of(path)
    good["layers"][1]["layer"]["same_as"] = target
    with_architecture(path, good)
    refused(path, "architecture: layers.1.layer.same_as: expected the place of a layer that is described before, got ")


@pytest.mark.parametrize(
    "architecture, message",
    [
        ({"same_as": ""}, "architecture: same_as: expected the place of a layer"),
        ({"same_as": "layers.0", "type": "Linear"}, "architecture: missing in Linear"),
        ({"same_as": "layers.0", "x": 1}, "architecture: expected a type of .*, got None"),
        ({"type": "Sequential", "layers": [{"same_as": "layers.1"}, {"same_as": "layers.0"}]}, "layers.0.same_as: exp"),
        ({"type": "Residual", "layer": {"same_as": "layer"}}, "architecture: layer.same_as: expected the place"),
        ({"type": "Residual", "layer": {"same_as": ""}}, "architecture: layer.same_as: expected the place"),
    ],
    ids=str,
)
def test_references_without_a_layer(architecture, message, path):
    about = {"format": "1", "architecture": architecture, "crc32": container.checksum(architecture, {})}
    forge(path, {"__metadata__": {"fastrnn": json.dumps(about)}})
    refused(path, message)


def test_a_reference_to_a_layer_of_another_kind(path):
    fr.save(translator(), path)
    with_architecture(path, architecture_of(path) | {"embedding": {"same_as": "encoder.layers.1"}})
    refused(path, "architecture: Seq2Seq: embedding: expected Embedding, got GRU")


def test_tensors_of_a_reference_are_not_asked_for(path):
    """Those of the second name are unknown ones."""
    fr.save(untied(nested()), path)
    with_architecture(path, describe(nested()))
    refused(path, "tensors that the architecture does not have: .'1.bias_hh_l0'")


def doubled(times, architecture):
    """A Sequential of two of a Sequential of two of ..., each second one a reference to the first."""
    for k in reversed(range(times)):
        architecture = {"type": "Sequential", "layers": [architecture, {"same_as": "layers.0." * k + "layers.0"}]}
    return architecture


@pytest.mark.parametrize("shape", ["dropout", "linear"])
def test_references_that_multiply(shape, path):
    """2**60 layers in a few kilobytes: refused at once, before anything is built. Some thousand are loaded."""
    layer = fr.Dropout(0.5) if shape == "dropout" else fr.Linear(3, 3, dtype=np.float64, seed=0)
    for times, message in ((60, "expected layers in several places to add at most 10000 layers"), (8, None)):
        architecture = doubled(times, {"type": type(layer).__name__, **layer.config()})
        arrays = {"0." * times + name: array for name, array in layer.state_dict().items()}
        container.write(str(path), arrays, {"fastrnn": json.dumps({
            "format": "1", "version": "0", "architecture": architecture,
            "crc32": container.checksum(architecture, arrays),
        })}, "model")  # fmt: skip
        start = time.process_time()
        if message:
            refused(path, message)
        else:
            model = fr.load(path)
            assert len(model.state_dict()) == 2**times * len(arrays) and list(model.params) == list(arrays)
        assert time.process_time() - start < 5


def test_a_model_that_could_not_be_loaded_is_not_saved(path, monkeypatch):
    monkeypatch.setattr(references, "MOST_REPEATED", 4)
    linear = fr.Linear(3, 3, seed=0)  # the layer, its weight and its bias: 3
    fr.save(fr.Sequential(linear, linear), path)
    with pytest.raises(ValueError, match="expected layers in several places to add at most 4 layers and parameters"):
        fr.save(fr.Sequential(linear, linear, linear), path)
    assert len(fr.load(path).layers) == 2
