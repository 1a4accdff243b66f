# SPDX-License-Identifier: BSD-3-Clause
"""Metadata that are not those of a model, and checksums that differ."""

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from support.model_files import about_of, forge, refused, split, with_about

import fastrnn as fr


def test_a_safetensors_file_from_elsewhere(path):
    for metadata in (None, {"format": "pt"}):
        safetensors.numpy.save_file({"weight": np.ones((2, 2), np.float32)}, path, metadata)
        refused(
            path, "expected a model that fastrnn.save wrote, got a safetensors file of another program: layer.load_"
        )


@pytest.mark.parametrize(
    "metadata", [None, [], "fastrnn", 1, {}, {"format": "1"}, {"fastrnn": 1}, {"fastrnn": None}], ids=repr
)
def test_metadata_of_another_kind(metadata, saved):
    path, _ = saved
    header, data = split(path)
    forge(path, header | {"__metadata__": metadata}, data)
    refused(path, "expected a model that fastrnn.save wrote, got a safetensors file")


@pytest.mark.parametrize("about", ["", "no JSON", "[]", "3", "null", '{"format":'], ids=repr)
def test_metadata_that_is_not_an_object(about, saved):
    path, _ = saved
    with_about(path, about)
    refused(path, "metadata: (not JSON|expected an object)")


@pytest.mark.parametrize("crc32", [None, 3, "", ["a"], {}, "00000000"], ids=repr)
def test_another_checksum(crc32, saved):
    path, _ = saved
    with_about(path, about_of(path) | {"crc32": crc32})
    refused(path, "the checksum differs: the file is damaged")


@pytest.mark.parametrize("architecture", [None, "575d43a6", 3, []], ids=repr)
def test_no_notes_are_read_where_there_is_no_model(architecture, saved):
    """Two blocks of a file that change places can make it one without notes."""
    path, _ = saved
    about = about_of(path)
    with_about(path, {name: about[name] for name in ("format", "version")} | {"architecture": architecture})
    with pytest.raises(ValueError, match="architecture: expected an object, got"):
        fr.load_notes(path)


@pytest.mark.parametrize("version", ["2", "1.1", "", 1, None, "9" * 100_000], ids=lambda v: repr(v)[:9])
def test_another_format(version, saved):
    path, _ = saved
    with_about(path, about_of(path) | {"format": version, "version": "7.0"})
    refused(path, f"written in format .* by fastrnn '7.0'; this is fastrnn {fr.__version__}, which reads format '1'")


def test_every_flipped_bit_of_the_tensors_is_noticed(path):
    fr.save(fr.Linear(3, 2, seed=0), path)
    content = path.read_bytes()
    start = len(content) - 4 * (3 * 2 + 2)
    for at in range(start, len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            path.write_bytes(damaged)
            refused(path, "the checksum differs: the file is damaged")


def test_one_bit_makes_selu_of_relu(path):
    """Why the checksum covers the architecture."""
    fr.save(fr.RNN(1, 1, nonlinearity="relu"), path)
    content = path.read_bytes()
    assert content.count(b"relu") == 1
    path.write_bytes(content.replace(b"relu", b"selu"))
    refused(path, "the checksum differs: the file is damaged")
