# SPDX-License-Identifier: BSD-3-Clause
"""Files that earlier versions wrote load, compute what they computed then, and resume. See golden/make_files.py."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn.io._checkpoints import read_checkpoint

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
MODELS = sorted(GOLDEN.glob("files-*/*.safetensors"))
CHECKPOINTS = sorted(GOLDEN.glob("files-*/*.checkpoint"))


@pytest.fixture(scope="module")
def golden():
    """The module that made the files."""
    spec = importlib.util.spec_from_file_location("make_files", GOLDEN / "make_files.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def named(path):
    return f"{path.parent.name}-{path.stem}"


def test_there_are_files():
    assert len(MODELS) >= 12 and CHECKPOINTS


@pytest.mark.parametrize("path", MODELS, ids=named)
def test_outputs_are_those_of_the_old_version(path, golden):
    """And the notes are those that were saved."""
    model, results = fr.load(path), load_file(path.with_suffix(".results"))
    call = golden.inputs(path.stem, model)
    for name, array in call.items():
        np.testing.assert_array_equal(array, results.pop(name), err_msg=name)
    outputs = golden.arrays_in(model(**call))
    assert len(outputs) == len(results) > 0
    for k, output in enumerate(outputs):
        assert_close(output, results[f"out{k}"], np.float64, terms=1, steps=1, what=f"out{k}")
    assert fr.load_notes(path) == {"name": path.stem}


@pytest.mark.parametrize("path", MODELS, ids=named)
def test_saved_again_it_is_the_same_file(path, tmp_path):
    """The same tensors, notes, architecture and checksum."""
    fr.save(fr.load(path), tmp_path / "again", notes=fr.load_notes(path))
    before, after = load_file(path), load_file(tmp_path / "again")
    assert before.keys() == after.keys()
    for name, array in before.items():
        assert array.dtype == after[name].dtype
        np.testing.assert_array_equal(array, after[name], err_msg=name)
    with safe_open(path, "np") as old, safe_open(tmp_path / "again", "np") as new:
        entries = [file.metadata() for file in (old, new)]
    about = [json.loads(entry.pop("fastrnn")) | {"version": None} for entry in entries]
    assert about[0] == about[1] and entries[0] == entries[1]


@pytest.mark.parametrize("path", CHECKPOINTS, ids=named)
def test_a_training_resumes(path, golden, tmp_path):
    """From the checkpoint of epoch 2 to epoch 4: the parameters of a training without a break."""
    shutil.copy(path, tmp_path / "run")
    model, history = golden.train(4, tmp_path / "run", resume=True)
    assert history["epoch"] == [1, 2, 3, 4]
    expected = load_file(path.with_name("trained.results"))
    assert model.state_dict().keys() == expected.keys()
    for name, array in model.state_dict().items():
        assert_close(array, expected[name], np.float32, backward=True, terms=64, steps=40, what=name)


def layout(content):
    """Content without its numbers: names, and the type, dtype and shape of each value."""
    if isinstance(content, dict):
        return {name: layout(value) for name, value in content.items()}
    if isinstance(content, list):
        return [layout(value) for value in content]
    return (str(content.dtype), content.shape) if isinstance(content, np.ndarray) else type(content).__name__


def within(part, whole):
    """What a layout has of another one: the names of `part` alone."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return {name: within(part[name], whole[name]) for name in part if name in whole}
    return whole


@pytest.mark.parametrize("path", CHECKPOINTS, ids=named)
def test_checkpoints_keep_their_layout(path, golden, tmp_path):
    """A file of the same training, written now, has the same names and types, and perhaps more."""
    golden.train(2, tmp_path / "run")
    old, new = layout(read_checkpoint(path)), layout(read_checkpoint(tmp_path / "run"))
    assert old["training"]["means"].pop("weight") in ("int", "float")  # now there is one for each name
    assert within(old, new) == old
