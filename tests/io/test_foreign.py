# SPDX-License-Identifier: BSD-3-Clause
"""A file of another program is named by its first bytes, with the call that reads it; that call then works."""

import gzip
import io
import json
import pickle
import re
import zipfile
import zlib

import numpy as np
import pytest
import safetensors.numpy
from support.model_files import refused

import fastrnn as fr

STATE = {name: array for name, array in fr.Linear(3, 2, seed=0).state_dict().items()}


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return buffer.getvalue()


def saved_by(write, *arguments):
    buffer = io.BytesIO()
    write(buffer, *arguments)
    return buffer.getvalue()


class Bomb:
    """It raises when it is unpickled."""

    def __reduce__(self):
        return eval, ("1 / 0",)


# what the files begin with: their content, or the beginning of files of programs that need not be installed
FOREIGN = {
    "PyTorch": (zipped("model/data.pkl", "model/data/0"), "a PyTorch file: layer.load_state_dict(torch.load(path, "),
    "PyTorch, legacy": (pickle.dumps(0x1950A86A20F9469CFC6C, 2), "a PyTorch file: layer.load_state_dict(torch.load("),
    "TorchScript": (
        zipped("m/data.pkl", "m/code/__torch__.py"),
        "a TorchScript file: layer.load_state_dict(torch.jit.",
    ),
    "Keras": (
        zipped("metadata.json", "config.json", "model.weights.h5"),
        "a Keras model: read its weights with keras.",
    ),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file, as Keras writes (.h5): read its weights with"),
    "ONNX of PyTorch": (b"\x08\x07\x12\x07pytorch\x1a\x052.1.0:\xf4\x08", "an ONNX model: read its initializers with"),
    "ONNX without a producer": (b"\x08\x0a:\x10\x0a\x04node", "an ONNX model: read its initializers with"),
    "npz": (
        saved_by(lambda file: np.savez(file, **STATE)),
        "a NumPy .npz file: layer.load_state_dict(numpy.load(path))",
    ),
    "npy": (saved_by(np.save, np.ones(3)), "a NumPy .npy file, which is one array without a name: numpy.load(path)"),
    "pickle": (pickle.dumps(Bomb()), "a Python pickle, which can run any code"),
    "pickle 2": (pickle.dumps(Bomb(), 2), "a Python pickle, which can run any code"),
    "zlib": (zlib.compress(pickle.dumps(Bomb())), "zlib data, as joblib compresses: a Python pickle, which can run"),
    "gzip": (gzip.compress(b"content"), "a gzip file: unpack it first"),
    "zip": (zipped("photo.jpeg"), "a zip archive, as PyTorch (.pt), NumPy (.npz) and Keras (.keras) write"),
    "zip, empty name": (zipped("data.pkl/"), "a zip archive, as PyTorch"),
    "zip, truncated": (zipped("model/data.pkl")[:-30], "a zip archive, as PyTorch (.pt), NumPy (.npz) and Keras (.k"),
    "JSON": (json.dumps({"layers": []}, indent=1).encode(), "a JSON file, which holds no arrays"),
    "JSON list": (b"\n[1, 2]", "a JSON file, which holds no arrays"),
    "Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n",
        "a Git LFS pointer in place of the file",
    ),
    "web page": (b"<!DOCTYPE html><html>Not found", "a web page in place of the file: download it again"),
    "empty": (b"", "an empty file; it may have been truncated"),
    "safetensors": (safetensors.numpy.save(STATE), "a safetensors file of another program: layer.load_state_dict(saf"),
}


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize(("content", "words"), FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_is_named(content, words, suffix, path):
    """Whatever its suffix; nothing is unpickled."""
    path = path.with_suffix(suffix)
    path.write_bytes(content)
    refused(path, re.escape(f"{path}: expected a model that fastrnn.save wrote, got {words}"))
    with pytest.raises(ValueError, match=re.escape(f"{path}: expected a model that fastrnn.save wrote, got {words}")):
        fr.load_notes(path)
    text = f"{path}: expected a checkpoint that fastrnn.save_checkpoint wrote, got {words}"
    with pytest.raises(ValueError, match=re.escape(text)):
        fr.load_checkpoint(path, fr.Linear(3, 2))


def call_in(error):
    """The call that an error names."""
    return re.search(r"layer\.load_state_dict\(.*\)$", str(error))[0]


def test_the_call_that_the_error_names_reads_the_file(path):
    path.write_bytes(FOREIGN["npz"][0])
    assert_reads(path, numpy=np)
    path.write_bytes(FOREIGN["safetensors"][0])
    assert_reads(path, safetensors=safetensors)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("form", ["state_dict", "legacy", "script"])
def test_the_call_for_pytorch_reads_its_file(form, path):
    path = path.with_suffix(".pt")  # torch.load believes the suffix .safetensors
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: its own files were not tried")
    module = torch.nn.Linear(3, 2)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in STATE.items()})
    if form == "script":
        torch.jit.save(torch.jit.trace(module, torch.ones(1, 3)), path)
    else:
        torch.save(module.state_dict(), path, _use_new_zipfile_serialization=form == "state_dict")
    assert_reads(path, torch=torch)


def assert_reads(path, **modules):
    with pytest.raises(ValueError) as caught:
        fr.load(path)
    layer = fr.Linear(3, 2, seed=1)
    eval(call_in(caught.value), {"layer": layer, "path": str(path), **modules})
    for name, array in STATE.items():
        np.testing.assert_array_equal(layer.params[name], array)


def test_what_joblib_writes_is_a_pickle(path):
    joblib = pytest.importorskip("joblib", reason="joblib is not installed: its own files were not tried")
    for compress in (0, 1, 3, 9):
        joblib.dump({"weight": np.ones(1000)}, path, compress=compress)
        refused(path, "a Python pickle, which can run any code")
