# SPDX-License-Identifier: BSD-3-Clause
"""Files of models with layers of a user's own: the caller provides their classes, and nothing is imported unasked."""

import sys

import numpy as np
import pytest
from support import own_layers
from support.cells import ReferenceCell, recurrent
from support.layers import assert_same_arrays, assert_same_bits, refused
from support.model_files import architecture_of, with_architecture
from support.model_files import refused as file_refused
from support.own_layers import OWN, Affine, Mixture, Scale, Sum, own_model

import fastrnn as fr
from fastrnn import nn

MODELS = {
    "options": lambda **own: Affine(3, square=True, **own),
    "constructor": lambda dtype: Scale(3, 2.0, seed=0),
    "children": lambda **own: Mixture(fr.Linear(3, 3, seed=0, **own), Affine(3, **own)),
    "everything": own_model,
    "cells": recurrent,
}


@pytest.fixture
def file(path):
    """A file of an own layer."""
    fr.save(fr.Sequential(fr.Linear(3, 3, seed=0), Affine(3)), path)
    return path


@pytest.mark.parametrize("given", [{"custom": [*OWN, ReferenceCell]}, {"trust": True}], ids=["classes", "trust"])
@pytest.mark.parametrize("name", MODELS)
def test_round_trip(name, given, path, dtype, rng):
    model = MODELS[name](dtype=dtype if name != "constructor" else np.float32)
    for array in model.params.values():
        array += 0.125
    fr.save(model, path, notes={"a": 1})
    loaded = fr.load(path, **given)
    assert type(loaded) is type(model) and repr(loaded) == repr(model)
    assert_same_arrays(loaded.state_dict(), model.state_dict())
    x = rng.standard_normal((4, 2, 3)).astype(model.dtype)
    actual, expected = loaded(x), model(x)
    if isinstance(actual, tuple):
        actual, expected = actual[0], expected[0]
    assert_same_bits(actual, expected)
    fr.save(loaded, path)


def test_a_file_names_the_import_path(file):
    layers = architecture_of(file)["layers"]
    assert [layer["type"] for layer in layers] == ["Linear", "support.own_layers:Affine"]


def test_a_class_that_is_not_provided_is_named(file):
    with refused(
        ValueError, f"{file}: architecture: a layer of another package, 'support.own_layers:Affine'", "Affine]"
    ):
        fr.load(file)
    with refused(ValueError, "load(path, custom=[Affine])"):
        fr.load(file, custom=[Sum])
    assert isinstance(fr.load_notes(file), dict)


def test_classes_are_found_by_name_or_by_the_keys_of_a_dict(file):
    class Other(Affine):
        pass

    for key in ("Affine", "support.own_layers:Affine"):
        assert type(fr.load(file, custom={key: Other}).layers[1]) is Other
    Other.__name__ = "Affine"  # as after a move to another module
    assert type(fr.load(file, custom=[Other]).layers[1]) is Other
    with refused(ValueError, "custom: expected one class named Affine, got two; pass a dict of import paths"):
        fr.load(file, custom=[Other, Affine])


@pytest.mark.parametrize(
    "custom, words",
    [
        (Affine, "custom: expected a list of classes of layers, or a dict of them, got "),
        ("Affine", "custom: expected a list of classes of layers, or a dict of them, got str"),
        ([Affine(3)], "custom: expected classes of layers, got Affine"),
        ([lambda: None], "custom: expected classes of layers, got function"),
        ([dict], "custom: expected classes of layers, got the class dict"),
        ({"Affine": print}, "custom: expected classes of layers, got builtin_function_or_method"),
        ({3: Affine}, "custom: expected names as its keys, got 3"),
    ],
)
def test_only_classes_of_layers_are_taken(custom, words, file):
    with refused(TypeError, words):
        fr.load(file, custom=custom)
    with refused(TypeError, "trust: expected True or False, got 1"):
        fr.load(file, trust=1)


HOSTILE = {
    "os:system": "expected 'os:system' to be a class of layers",
    "builtins:eval": "to be a class of layers",
    "subprocess:Popen": "to be a class of layers",
    "collections:OrderedDict": "to be a class of layers",
    "fastrnn.optim:Adam": "to be a class of layers",
    "support.own_layers:np.dtype": "to be a class of layers",
    "support.own_layers:Nothing": "cannot be imported",
    "no_such_package.module:Layer": "cannot be imported",
    "__main__:Nothing": "cannot be imported",
    "support.own_layers:f.<locals>.Layer": "cannot be imported",
    "x:<lambda>": "expected an import path, package.module:Class",
    ":Layer": "expected an import path",
    "a:b:c": "expected an import path",
    "os.path;import os:x": "expected an import path",
    "../evil:Layer": "expected an import path",
    "x" * 100_000 + ":": "expected an import path",
}


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: name[:40])
def test_hostile_names_are_refused(name, file):
    """With and without classes, and also where the file is trusted."""
    with_architecture(file, {"type": name, "features": 3, "square": False, "dtype": "float32"})
    file_refused(file, "a layer of another package|expected an import path")
    with refused(ValueError, "architecture: "):
        fr.load(file, custom=OWN)
    with refused(ValueError, HOSTILE[name]):
        fr.load(file, trust=True)


def test_nothing_is_imported_unasked(file, tmp_path, monkeypatch):
    (tmp_path / "surprise_module.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(str(tmp_path))
    with_architecture(file, {"type": "surprise_module:Layer"})
    file_refused(file, r"pass its class, load\(path, custom=\[Layer\]\)")
    with refused(ValueError, "a layer of another package"):
        fr.load(file, custom=OWN)
    assert "surprise_module" not in sys.modules


@pytest.mark.parametrize(
    "change, words",
    [
        ({"features": 4}, "tensor weight: expected "),
        ({"features": "3"}, "Affine.features: expected int, got '3'"),
        ({"square": 1}, "Affine.square: expected bool, got 1"),
        ({"seed": 0}, r"unknown in support.own_layers:Affine: \['seed'\]"),
        ({"dtype": "float64"}, "tensor weight: expected "),
    ],
)
def test_arguments_of_declared_options_are_checked(change, words, path):
    fr.save(Affine(3), path)
    with_architecture(path, architecture_of(path) | change)
    with pytest.raises(ValueError, match=words):
        fr.load(path, custom=OWN)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"features": 4}, "tensor weight: expected "),
        ({"other": 4}, "architecture: Scale: .*unexpected keyword argument 'other'"),
        ({"features": 3.0}, "architecture: Scale: "),
    ],
)
def test_arguments_of_a_constructor_have_to_fit(change, words, path):
    fr.save(Scale(3), path)
    with_architecture(path, architecture_of(path) | change)
    with pytest.raises(ValueError, match=words):
        fr.load(path, custom=OWN)


def test_a_class_that_names_its_shapes_is_not_built_before_the_tensors_are_compared(path, monkeypatch):
    class Shaped(Affine):
        built = False

        @classmethod
        def parameter_shapes(cls, features, **others):
            yield "weight", (features,)
            yield "bias", (features,)

        def _setup(self):
            type(self).built = True
            super()._setup()

    monkeypatch.setattr(own_layers, "Shaped", Shaped, raising=False)
    fr.save(Shaped(3), path)
    with_architecture(path, architecture_of(path) | {"features": 10**12})
    Shaped.built = False
    with pytest.raises(ValueError, match="tensor weight: expected "):
        fr.load(path, custom=[Shaped])
    assert not Shaped.built


class Own(fr.Linear):
    """A layer of the package with another name."""


def test_a_subclass_of_a_layer_of_the_package_is_loaded_as_what_it_is(path):
    fr.save(fr.Sequential(fr.Residual(Own(2, 2, seed=0))), path)
    assert type(fr.load(path, custom=[Own]).layers[0].layer) is Own
    file_refused(path, "a layer of another package")


def test_a_layer_from_inside_a_function_needs_its_class(path):
    class Local(nn.StatelessLayer):
        def _forward(self, x, training):
            return x, None

        def _backward(self, saved, dy):
            return dy

    fr.save(Local(), path)
    assert type(fr.load(path, custom=[Local])) is Local
    with refused(ValueError, "cannot be imported"):
        fr.load(path, trust=True)
