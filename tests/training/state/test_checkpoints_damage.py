# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints that are damaged or foreign change nothing; a full disk loses nothing."""

import copy
import errno
import os
import resource

import numpy as np
import pytest
from support.checkpoints import assert_same, everything, make, make_model

import fastrnn as fr
from fastrnn.io import _container as container
from fastrnn.io._checkpoints import read_checkpoint, write_checkpoint


@pytest.mark.parametrize(
    "wrong", [object(), {1, 2}, {3: 4}, b"bytes", 1j], ids=lambda wrong: repr(wrong).partition(" at ")[0]
)
def test_what_cannot_be_written(wrong, saved):
    path, parts = saved
    before = path.read_bytes()
    with pytest.raises(TypeError, match="training/more"):
        fr.save_checkpoint(path, *parts, more=wrong)
    assert path.read_bytes() == before


def test_every_kind_of_damage_is_an_error(saved):
    """Cut anywhere, any byte changed, something else altogether."""
    path, _ = saved
    content = path.read_bytes()
    parts = make(seed=5)
    before = everything(*parts)
    for end in [0, 7, 8, 100, *range(200, len(content), 997), len(content) - 1]:
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match=str(path)):
            fr.load_checkpoint(path, *parts)
    for at in range(0, len(content), 61):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(ValueError, match=str(path)):
            fr.load_checkpoint(path, *parts)
    assert_same(everything(*parts), before)


def test_model_files_and_checkpoints_are_told_apart(saved, tmp_path):
    path, (model, *_) = saved
    with pytest.raises(ValueError, match="a checkpoint of a training: fastrnn.load_checkpoint reads it"):
        fr.load(path)
    fr.save(model, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="expected a checkpoint .* got a model: fastrnn.load reads it"):
        fr.load_checkpoint(tmp_path / "model.safetensors", model)
    with pytest.raises(FileNotFoundError):
        fr.load_checkpoint(tmp_path / "none", model)


def test_a_tree_of_something_else(path):
    write_checkpoint(path, {"hello": "world"})
    with pytest.raises(ValueError, match="not what save_checkpoint wrote"):
        fr.load_checkpoint(path, make_model())


def leaves_of(part, place=()):
    """The places in a tree that hold no others."""
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    inside = [leaf for key, value in items for leaf in leaves_of(value, (*place, key))]
    return inside or [place]


@pytest.mark.filterwarnings("ignore:.*the options differ:UserWarning")
def test_any_part_of_another_type_is_an_error_or_valid(saved):
    """A file that is whole but says nonsense: an error that names it, and nothing changed; or values that can be."""
    path, parts = saved
    tree = read_checkpoint(path)
    parts = make(seed=5)
    before = everything(*parts)
    refused = 0
    for place in leaves_of(tree):
        for value in None, -1, "text", [1], {}, np.ones(3), 2**200:
            changed = inner = copy.deepcopy(tree)
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = value
            write_checkpoint(path.with_name("other"), changed)
            try:
                fr.load_checkpoint(path.with_name("other"), *parts)
            except ValueError as error:
                assert "other: " in str(error)
                assert_same(everything(*parts), before)
                refused += 1
            else:
                fr.load_checkpoint(path, *parts)
                before = everything(*parts)
    assert refused > 100


def test_a_disk_that_is_full_loses_nothing(saved):
    path, parts = saved
    content = path.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))  # the closest to a full disk without a separate one
    try:
        with pytest.raises(OSError, match="File too large"):
            fr.save_checkpoint(path, *parts)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(path.parent) == [path.name] and path.read_bytes() == content


def test_no_space_left(saved, monkeypatch):
    path, parts = saved
    content = path.read_bytes()

    def fsync(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(container.os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left"):
        fr.save_checkpoint(path, *parts)
    monkeypatch.undo()
    assert os.listdir(path.parent) == [path.name] and path.read_bytes() == content
