# SPDX-License-Identifier: BSD-3-Clause
"""Notes beside a model."""

import json

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from support.model_files import about_of, assert_same, forge, split

import fastrnn as fr
from fastrnn.io import _container as container

NOTES = {"vocabulary": ["a", "\u20ac", "\n"], "length": 3, "loss": 1.5, "nested": {"none": None, "yes": True}, "": []}


def test_notes_come_back_as_they_were(path):
    model = fr.GRU(3, 4, seed=0)
    fr.save(model, path, notes=NOTES)
    assert fr.load_notes(path) == NOTES and list(fr.load_notes(path)) == list(NOTES)
    assert_same(fr.load(path), model)
    fr.save(model, path, notes={})
    assert fr.load_notes(path) == {}


def test_a_file_without_notes_has_none(saved):
    """And is what it was before there were notes."""
    path, _ = saved
    assert fr.load_notes(path) == {}
    header, _ = split(path)
    assert header["__metadata__"].keys() == {"fastrnn"} and "notes" not in about_of(path)


def test_notes_survive_the_safetensors_package(path):
    """Whoever reads a file with it and writes it again keeps them."""
    fr.save(fr.Linear(1, 1, seed=0), path, notes=NOTES)
    with safetensors.safe_open(path, "np") as file:
        metadata, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert json.loads(metadata["notes"]) == NOTES
    safetensors.numpy.save_file(arrays, path, metadata)
    assert fr.load_notes(path) == NOTES


@pytest.mark.parametrize(
    "notes, message",
    [
        ("text", "got str"),
        (["a"], "got list"),
        ({1: "a"}, "got one that would change"),
        ({"a": (1, 2)}, "got one that would change"),
        ({"a": np.float32(1)}, "got one that it cannot .*float32"),
        ({"a": float("nan")}, "got one that it cannot .*float values"),
        ({"a": {1, 2}}, "got one that it cannot .*set"),
    ],
)  # fmt: skip
def test_notes_that_json_cannot_hold_are_refused(notes, message, path):
    """Before anything is written; also those that would come back as something else."""
    with pytest.raises(TypeError, match=f"notes: expected a dict that JSON can hold, {message}"):
        fr.save(fr.Linear(1, 1), path, notes=notes)
    loop = {}
    loop["loop"] = loop
    with pytest.raises(TypeError, match="notes: expected a dict that JSON can hold"):
        fr.save(fr.Linear(1, 1), path, notes=loop)
    assert not path.exists()


def test_notes_that_are_too_long_are_refused(path):
    with pytest.raises(ValueError, match="model, notes: expected a header of at most"):
        fr.save(fr.Linear(1, 1), path, notes={"book": "a" * container.LARGEST_HEADER})
    assert not path.exists()


def refused_notes(path, message):
    for load in fr.load, fr.load_notes:
        with pytest.raises(ValueError, match=message):
            load(path)


def test_every_flipped_bit_of_the_notes_is_noticed(path):
    fr.save(fr.Linear(1, 1, seed=0), path, notes={"vocabulary": "abc"})
    content = path.read_bytes()
    start = content.index(b"abc")
    for at in range(start, start + 3):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            path.write_bytes(damaged)
            refused_notes(path, "notes: the checksum differs|header: not JSON")


@pytest.mark.parametrize("notes", [None, 3, "", "[]", "{}", {"a": 1}, "\ud800"])
def test_notes_that_are_not_those_of_the_checksum(notes, path):
    fr.save(fr.Linear(1, 1, seed=0), path, notes=NOTES)
    header, data = split(path)
    if notes is None:
        del header["__metadata__"]["notes"]
    else:
        header["__metadata__"]["notes"] = notes
    forge(path, header, data)
    refused_notes(path, "notes: the checksum differs|surrogates not allowed|not a safetensors file")


@pytest.mark.parametrize("text, message", [("[1]", "notes: expected an object"), ("{", "notes: not JSON")])
def test_notes_that_are_not_an_object(text, message, path):
    """Even with a checksum that is right."""
    fr.save(fr.Linear(1, 1, seed=0), path, notes=NOTES)
    header, data = split(path)
    about = json.loads(header["__metadata__"]["fastrnn"]) | {"notes": container.text_checksum(text)}
    header["__metadata__"] = {"fastrnn": json.dumps(about), "notes": text}
    forge(path, header, data)
    refused_notes(path, message)


def test_notes_of_a_file_from_elsewhere(path):
    safetensors.numpy.save_file({"a": np.zeros(3)}, path, {"notes": "{}"})
    refused_notes(path, "expected a model that fastrnn.save wrote, got a safetensors file")
