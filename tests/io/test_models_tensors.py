# SPDX-License-Identifier: BSD-3-Clause
"""Tensors in files that are not those of the architecture."""

import os

import numpy as np
import pytest
from support.model_files import forge, refused, split

import fastrnn as fr
from fastrnn.io import _container as container


def test_additional_tensor(saved):
    path, _ = saved
    header, data = split(path)
    header["more" * 1000] = {"dtype": "F32", "shape": [2], "data_offsets": [len(data), len(data) + 8]}
    forge(path, header, data + bytes(8))
    refused(path, "tensors that the architecture does not have: .'moremore")


def test_missing_tensor(saved):
    path, _ = saved
    header, data = split(path)
    del header["bias_hh_l1"]
    forge(path, header, data)
    refused(path, "tensor bias_hh_l1: the architecture has it, the file does not")


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3, 12]},
        {"shape": [36]},
        {"shape": [12, 3, 1]},
        {"shape": []},
        {"shape": [-12, -3]},
        {"shape": None},
        {"dtype": "F64"},
        {"dtype": "I32"},
        {"dtype": "float32"},
        {"dtype": 3},
        {"data_offsets": [0, 144]},  # of another tensor
        {"data_offsets": [0, 10**30]},
        {"data_offsets": [-144, 0]},
        {"data_offsets": [144, 0]},
        {"data_offsets": []},
        {"data_offsets": None},
    ],
    ids=str,
)
def test_tensor_with_another_entry(change, saved):
    path, _ = saved
    header, data = split(path)
    assert header["weight_ih_l0"]["shape"] == [12, 3]
    assert header["weight_ih_l0"]["data_offsets"][0] > 0
    header["weight_ih_l0"] |= change
    forge(path, header, data)
    refused(path, "tensor weight_ih_l0: expected {.*'F32', 'shape': .12, 3.}, got {|expected an entry with|truncated")


CONVERTED = {  # how another program stores a tensor: its dtype there, its bytes, and the values that it has then
    "F16": lambda array: (array.astype("<f2").tobytes(), array.astype("<f2")),
    "BF16": lambda array: (
        (array.view("<u4") >> 16).astype("<u2").tobytes(),
        (array.view("<u4") >> 16 << 16).view("<f4"),
    ),
}


@pytest.mark.parametrize("which", ["all", "weight_hh_l0"])
@pytest.mark.parametrize("kind", CONVERTED)
def test_tensors_that_were_converted_to_16_bits_are_widened(kind, which, saved):
    """The metadata, with the checksum of the original tensors, stay."""
    path, model = saved
    header, data, expected = split(path)[0], b"", {}
    for name, array in model.state_dict().items():
        content, expected[name] = array.tobytes(), array
        if which in ("all", name):
            header[name]["dtype"] = kind
            content, expected[name] = CONVERTED[kind](array)
        header[name]["data_offsets"] = [len(data), len(data) + len(content)]
        data += content
    forge(path, header, data)
    loaded = fr.load(path)
    assert loaded.config() == model.config()
    for name, array in loaded.state_dict().items():
        np.testing.assert_array_equal(array, expected[name])
        assert array.dtype == np.float32 and array.any()
    forge(path, header, data[:-2])
    refused(path, "truncated")


@pytest.mark.parametrize("kind", CONVERTED)
def test_a_dtype_of_16_bits_with_the_bytes_of_32_is_refused(kind, saved):
    path, _ = saved
    header, data = split(path)
    header["weight_ih_l0"]["dtype"] = kind
    forge(path, header, data)
    refused(path, "truncated or not a safetensors file")


@pytest.mark.parametrize("entry", [None, 3, "F32", [], [1, [2]], {}], ids=repr)
def test_tensor_with_an_entry_of_another_kind(entry, saved):
    path, _ = saved
    header, data = split(path)
    header["weight_ih_l0"] = entry
    forge(path, header, data)
    refused(path, "tensor weight_ih_l0: expected {")


def test_tensors_in_another_place_are_refused(saved):
    """Two that overlap, two that are exchanged, and a hole."""
    path, _ = saved
    header, data = split(path)
    a, b = header["bias_hh_l0"]["data_offsets"], header["bias_hh_l1"]["data_offsets"]
    for offsets in ((a, a), (b, a)):
        header["bias_hh_l0"]["data_offsets"], header["bias_hh_l1"]["data_offsets"] = offsets
        forge(path, header, data)
        refused(path, "truncated or not a safetensors file|the checksum differs")
    header, data = split(path)
    header["weight_ih_l1"]["data_offsets"] = [offset + 4 for offset in b]
    forge(path, header, data + bytes(4))
    refused(path, "truncated")


def test_a_file_that_shrinks_while_it_is_read(path, monkeypatch):
    """A mapping of it would end the process here."""
    fr.save(fr.Linear(1000, 1000), path)
    end = container._end

    def shrink(*args):
        os.truncate(path, 100_000)
        return end(*args)

    monkeypatch.setattr(container, "_end", shrink)
    refused(path, "truncated or not a safetensors file")
