# SPDX-License-Identifier: BSD-3-Clause
"""Models in files: what `save` writes comes back from `load`."""

import json
import os

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from support.model_files import MODELS, arrays_in, assert_same, bits, output, split

import fastrnn as fr
from fastrnn.io import _architectures as architectures


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MODELS)
def test_round_trip(name, dtype, path):
    model = MODELS[name](dtype=dtype, seed=3)
    before = bits(model)
    assert fr.save(model, path) is None
    loaded = fr.load(path)
    assert_same(loaded, model)
    assert bits(model) == before
    assert model.dtype == loaded.dtype == dtype
    for a, b in zip(arrays_in(output(loaded, dtype)), arrays_in(output(model, dtype)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "sigmoid", "selu", "identity"])
def test_round_trip_of_each_nonlinearity(nonlinearity, path):
    model = fr.RNN(2, 3, nonlinearity=nonlinearity, seed=0)
    fr.save(model, path)
    assert_same(fr.load(path), model)


def both_dtypes(size=1):
    """A model that only a file of an earlier version can hold."""
    return fr.Sequential._composed((fr.Linear(size, 3, seed=0), fr.Linear(3, 1, dtype=np.float64, seed=1)), {})


@pytest.mark.filterwarnings("ignore:this model would be refused today")
def test_round_trip_of_both_dtypes_in_one_model(path):
    model = both_dtypes()
    fr.save(model, path)
    assert_same(fr.load(path), model)


def test_special_values_survive_as_they_are(path):
    model = fr.Linear(3, 2, seed=0)
    odd = np.array([0x7FC00000, 0x7F800001, 0xFFC12345, 0x80000000, 0x00000001, 0xFF800000], np.uint32)
    model.params["weight"].view(np.uint32)[...] = odd.reshape(2, 3)  # NaNs with payloads, -0, denormal, -inf
    fr.save(model, path)
    np.testing.assert_array_equal(fr.load(path).params["weight"].view(np.uint32), odd.reshape(2, 3))


@pytest.mark.parametrize("name", MODELS)
def test_two_saves_give_the_same_bytes(name, path):
    model = MODELS[name](seed=0)
    fr.save(model, path)
    first = path.read_bytes()
    fr.save(fr.load(path), path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("name", MODELS)
def test_the_safetensors_package_reads_it(name, path):
    model = MODELS[name](seed=0)
    fr.save(model, path)
    tensors, stored = safetensors.numpy.load_file(path), model.state_dict()
    assert tensors.keys() == stored.keys()
    for key, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, stored[key])
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
    about = json.loads(metadata["fastrnn"])
    assert about["format"] == "1"
    assert about["version"] == fr.__version__
    assert about["architecture"] == {"type": type(model).__name__, **model.config()}


@pytest.mark.filterwarnings("ignore:this model would be refused today")
@pytest.mark.parametrize("name", [*MODELS, "both_dtypes"])
def test_what_the_safetensors_package_writes_again_loads(name, path):
    if name == "both_dtypes":
        model = both_dtypes()
    else:
        model = MODELS[name](seed=0)
    fr.save(model, path)
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
    safetensors.numpy.save_file(safetensors.numpy.load_file(path), path, metadata)
    assert_same(fr.load(path), model)


@pytest.mark.parametrize("size", [1, 10, 100])  # each makes the header longer
def test_tensors_are_aligned(size, path):
    fr.save(both_dtypes(size), path)
    header, data = split(path)
    assert (path.stat().st_size - len(data)) % 8 == 0
    del header["__metadata__"]
    for entry in header.values():
        assert entry["data_offsets"][0] % {"F32": 4, "F64": 8}[entry["dtype"]] == 0


def test_a_loaded_model_has_nothing_to_do_with_the_file(saved):
    path, model = saved
    loaded = fr.load(path)
    path.write_bytes(b"")
    assert_same(loaded, model)
    loaded.params["weight_ih_l0"][...] = 0  # writable
    assert loaded.params["weight_ih_l0"].flags.owndata


def test_a_loaded_model_trains(saved):
    path, _ = saved
    model = fr.load(path)
    y, state, tape = model.forward(np.ones((5, 2, 3), np.float32))
    model.backward(tape, np.ones_like(y))
    assert model.grads["weight_hh_l1"].any()


def nest(depth):
    """A layer inside so many others."""
    layer = fr.Linear(1, 1)
    for _ in range(depth):
        layer = fr.Sequential(layer)
    return layer


@pytest.mark.parametrize("depth", [30, 300])
def test_deep_models(depth, path):
    """They come back, or are refused when they are written."""
    model, checkpoint = nest(depth), path.with_name("checkpoint")
    for save, load in (
        (lambda: fr.save(model, path), lambda: fr.load(path)),
        (lambda: fr.save_checkpoint(checkpoint, model), lambda: fr.load_checkpoint(checkpoint, model)),
    ):
        if depth == 30:
            save()
            load()
        else:
            with pytest.raises(ValueError, match="model.*: nested too deeply for a file"):
                save()
    assert len(os.listdir(path.parent)) == (2 if depth == 30 else 0)


def test_each_layer_is_parsed_and_made_once(path, monkeypatch):
    """There may be tens of thousands."""
    fr.save(fr.Sequential(*(fr.Dropout(0.5) for _ in range(50))), path)
    calls = []
    for name in "parse", "_made":
        function = getattr(architectures, name)
        monkeypatch.setattr(architectures, name, lambda *a, f=function: calls.append(f) or f(*a))
    assert len(fr.load(path).layers) == 50 and len(calls) == 2 * 51


def test_random_generators_are_independent(path):
    """Each layer of a loaded model has its own, and each time another."""
    fr.save(fr.Sequential(*(fr.Dropout(0.5, seed=0) for _ in range(3))), path)
    loaded = [layer for _ in range(2) for layer in fr.load(path).layers]
    assert len({str(layer.random_state) for layer in loaded}) == 6
