# SPDX-License-Identifier: BSD-3-Clause
"""Names of tensors, kinds of paths, and what `save` refuses before it writes."""

import os
from pathlib import Path, PurePath

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from support.model_files import assert_same, bits

import fastrnn as fr
from fastrnn.io import _container as container


@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
def test_kinds_of_path(kind, path):
    model = fr.Linear(1, 1, seed=0)
    fr.save(model, kind(path))
    assert_same(fr.load(kind(path)), model)


@pytest.mark.parametrize("wrong", [3, None, 1.5, ["a"], True])
def test_path_is_named_if_it_is_not_one(wrong, tmp_path, monkeypatch):
    """An integer would be the descriptor of an open file; nothing is opened."""
    monkeypatch.setattr("builtins.open", lambda *arguments: pytest.fail(f"opened {arguments}"))
    message = f"path: expected str, bytes or os.PathLike, got {type(wrong).__name__}"
    model = fr.GRU(2, 2)
    for call in (
        lambda: fr.save(model, wrong),
        lambda: fr.load(wrong),
        lambda: fr.load_notes(wrong),
        lambda: fr.save_checkpoint(wrong, model),
        lambda: fr.load_checkpoint(wrong, model),
        lambda: fr.Checkpoint(wrong),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_relative_path(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    model = fr.Linear(1, 1, seed=0)
    fr.save(model, path.name)
    assert_same(fr.load(PurePath(path.name)), model)


def test_names_are_those_of_pytorch(path):
    model = fr.Sequential(fr.Embedding(5, 3, seed=0), fr.LSTM(3, 4, 2, bidirectional=True, seed=0), fr.Linear(8, 2))
    fr.save(model, path)
    lstm = [
        f"1.{kind}_l{layer}{reverse}"
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        for layer in (0, 1)
        for reverse in ("", "_reverse")
    ]
    tensors = safetensors.numpy.load_file(path)
    assert sorted(tensors) == sorted(["0.weight", *lstm, "2.weight", "2.bias"])
    assert tensors["1.weight_ih_l1_reverse"].shape == (16, 8)
    other = fr.Sequential(fr.Embedding(5, 3, seed=9), fr.LSTM(3, 4, 2, bidirectional=True, seed=9), fr.Linear(8, 2))
    other.load_state_dict(tensors)
    assert bits(other) == bits(model)


def test_a_residual_adds_nothing_to_the_names(path):
    """A file of the layer alone gives its parameters."""
    layer = fr.GRU(3, 3, seed=0)
    fr.save(fr.Sequential(fr.Residual(layer)), path)
    assert set(safetensors.numpy.load_file(path)) == {f"0.{name}" for name in layer.params}
    fr.save(layer, path)
    residual = fr.Residual(fr.GRU(3, 3, seed=1))
    residual.load_state_dict(safetensors.numpy.load_file(path))
    assert bits(residual) == bits(layer)


def test_the_random_state_is_not_saved(path):
    model = fr.GRU(3, 64, 2, dropout=0.5, seed=0)
    fr.save(model, path)
    x = np.ones((5, 2, 3), np.float32)
    assert not np.array_equal(fr.load(path).forward(x)[0], fr.load(path).forward(x)[0])


@pytest.mark.parametrize(
    "model",
    [None, 3, "model", {"weight": np.ones(3)}, fr.Linear],
    ids=repr,
)
def test_save_refuses_what_load_could_not_build(model, path):
    with pytest.raises(
        TypeError, match=r"^model: expected Activation, .*Sequential, got (NoneType|int|str|dict|the class Linear)$"
    ):
        fr.save(model, path)
    assert not os.listdir(path.parent)


def test_save_refuses_a_header_that_load_would_refuse(path, monkeypatch):
    monkeypatch.setattr(container, "LARGEST_HEADER", 700)
    model = fr.Linear(1, 1, seed=0)
    fr.save(model, path)
    assert_same(fr.load(path), model)
    with pytest.raises(ValueError, match=r"^model: expected a header of at most 700 bytes, got \d+ bytes for 8 arrays"):
        fr.save(fr.Sequential(*[fr.Linear(1, 1) for _ in range(4)]), path)
    assert_same(fr.load(path), model)


@pytest.mark.parametrize("path", [None, 3, 1.5, ["model"]])
def test_objects_that_are_not_paths(path):
    with pytest.raises(TypeError):
        fr.save(fr.Linear(1, 1), path)
    with pytest.raises(TypeError):
        fr.load(path)
