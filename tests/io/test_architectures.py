# SPDX-License-Identifier: BSD-3-Clause
"""Architectures in files: whatever they say is refused, or is exactly what is built."""

import copy
import json

import numpy as np
import pytest
from support.model_files import forge, refused, with_architecture

import fastrnn as fr
from fastrnn.io import _container as container
from fastrnn.nn._options import described


def nested(depth):
    return '{"type": "Sequential", "layers": [' * depth + "]}" * depth


def nested_residuals(depth):
    return '{"type": "Residual", "layer": ' * depth + "{}" + "}" * depth


@pytest.mark.parametrize(
    "architecture, message",
    [
        ("", "metadata: not JSON"),
        ("{", "metadata: not JSON"),
        ("__import__('os').abort()", "metadata: not JSON"),
        ("[]", "architecture: expected an object, got"),
        ("3", "architecture: expected an object, got 3"),
        ('"GRU"', "architecture: expected an object, got 'GRU'"),
        ("{}", "architecture: expected a type of Activation, .*, got None"),
        ({"type": "Transformer"}, "architecture: expected a type of .*GRU.*, got 'Transformer'"),
        ({"type": "os.system"}, "expected a type of"),
        ({"type": "Layer"}, "expected a type of"),
        ({"type": ["GRU"]}, "expected a type of"),
        ({"type": {}}, "expected a type of"),
        ({"type": "x" * 1_000_000}, "expected a type of"),
        ({"type": "GRU"}, r"architecture: missing in GRU: \['batch_first', 'bias', .*\]"),
        ({"type": "Sequential"}, r"architecture: missing in Sequential: \['layers'\]"),
        ({"type": "Sequential", "layers": [], "bias": True}, "architecture: unknown in Sequential: .'bias'"),
        ({"type": "Sequential", "layers": {}}, "architecture: Sequential.layers: expected list, got {}"),
        ({"type": "Sequential", "layers": [3]}, "architecture: expected an object, got 3"),
        ({"type": "Sequential", "layers": []}, "tensors that the architecture does not have: "),
        ({"type": "Residual"}, r"architecture: missing in Residual: \['layer'\]"),
        ({"type": "Residual", "layer": []}, r"architecture: Residual.layer: expected dict, got \[\]"),
        ({"type": "Residual", "layer": {}}, "architecture: expected a type of .*, got None"),
        ({"type": "Residual", "layer": {"type": "os"}}, "architecture: expected a type of .*, got 'os'"),
        (nested_residuals(10_000), "nested too deeply"),
        (nested(100), "tensors that the architecture does not have: "),
        (nested(10_000), "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 500_000 + "]" * 500_000, "nested too deeply"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_architecture(architecture, message, saved):
    path, _ = saved
    with_architecture(path, architecture)
    refused(path, message)


def test_layers_that_do_not_fit_each_other(path, monkeypatch):
    """A file of a model that could not be built, as one that does not look would write it."""
    with monkeypatch.context() as unchecked:
        unchecked.setattr("fastrnn.nn._sequential.misfit", lambda layers: None)
        fr.save(fr.Sequential(fr.GRU(3, 4), fr.Linear(5, 2)), path)
    refused(path, r"layers\[1\]: expected 4 features in, which GRU at 0 gives, got Linear with 5")


def test_what_version_0_1_built_is_loaded_with_a_warning(path, monkeypatch):
    """Its Sequential compared features alone. The model computes what it did, and copies do."""
    layers = fr.GRU(3, 4, batch_first=True, seed=0), fr.LastStep(), fr.Linear(4, 2, seed=1)
    with monkeypatch.context() as unchecked:
        unchecked.setattr("fastrnn.nn._sequential.misfit", lambda layers: None)
        model = fr.Sequential(*layers)
    fr.save(model, path)
    with pytest.warns(UserWarning, match=r"refused today: layers\[1\]: expected batch_first=True, as GRU at 0 gives"):
        loaded = fr.load(path)
    x = np.ones((2, 5, 3), np.float32)
    for each in loaded, copy.deepcopy(loaded), loaded.inference_copy():
        assert (each(x)[0] == model(x)[0]).all()


def test_names_of_layers(path):
    model = fr.Sequential(gru=fr.GRU(3, 4, seed=0), out=fr.Linear(4, 2, seed=1))
    fr.save(model, path)
    loaded = fr.load(path)
    assert loaded.names == ("gru", "out") and loaded(np.ones((5, 1, 3), np.float32))[0].any()
    for names in ["gru"], ["gru", "gru"], ["a.b", "out"], ["gru", 3], ["gru", ""], "ab", []:
        architecture = {"type": "Sequential", "layers": [described(layer) for layer in model], "names": names}
        about = {"format": "1", "architecture": architecture, "crc32": container.checksum(architecture, {})}
        forge(path, {"__metadata__": {"fastrnn": json.dumps(about)}})
        refused(path, "names")


def test_no_layers(path):
    architecture = {"type": "Sequential", "layers": []}
    about = {"format": "1", "architecture": architecture, "crc32": container.checksum(architecture, {})}
    forge(path, {"__metadata__": {"fastrnn": json.dumps(about)}})
    refused(path, "layers: expected at least one layer, got none")
