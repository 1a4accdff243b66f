# SPDX-License-Identifier: BSD-3-Clause
"""Identify files of other programs by their first bytes. Nothing in them is run or unpickled."""

from typing import Any

STATE = "layer.load_state_dict({})"
PYTORCH = "a PyTorch file: " + STATE.format("torch.load(path, weights_only=True)")
BY_HAND = f"pass them to {STATE.format('...')} in the names, shapes and gate order of PyTorch"
PICKLE = (
    "a Python pickle, which can run any code: if you trust it, read it with pickle or joblib, then fastrnn.save(model)"
)

SIGNATURES = [  # what a file begins with
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", PYTORCH),  # of before 1.6: a pickle, the first object is a number
    (b"\x93NUMPY", "a NumPy .npy file, which is one array without a name: numpy.load(path)"),
    (b"\x89HDF\r\n\x1a\n", f"an HDF5 file, as Keras writes (.h5): read its weights with Keras or h5py, and {BY_HAND}"),
    (b"\x1f\x8b", "a gzip file: unpack it first"),
    (b"version https://git-lfs", "a Git LFS pointer in place of the file: git lfs pull"),
    (b"<!DOCTYPE", "a web page in place of the file: download it again"),
    (b"<html", "a web page in place of the file: download it again"),
    *((bytes([0x80, protocol]), PICKLE) for protocol in range(2, 6)),
    *((b"x" + level, "zlib data, as joblib compresses: " + PICKLE) for level in (b"\x01", b"^", b"\x9c", b"\xda")),
]
ZIP = "a zip archive, as PyTorch (.pt), NumPy (.npz) and Keras (.keras) write"
ONNX_FIELDS = b"\x12\x1a\x22\x28\x32\x3a\x42"  # what may come behind the field ir_version of a ModelProto


def kind_of(file: Any) -> str | None:
    """The kind of an open file and the call that reads it; None for a safetensors file and for unknown files."""
    head = file.peek(512)[:512]  # it may be a pipe, which cannot be rewound
    if not head:
        return "an empty file; it may have been truncated"
    if head[8:9] == b"{":  # safetensors: the length of a JSON object, and the object
        return None
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(file)
    if len(head) > 2 and head[0] == 8 and 0 < head[1] <= 32 and head[2] in ONNX_FIELDS:
        return f"an ONNX model: read its initializers with onnx.load(path), and {BY_HAND}"
    if head.lstrip()[:1] in (b"{", b"[") and all(byte >= 32 or byte in b"\t\r\n" for byte in head):
        return "a JSON file, which holds no arrays"
    return None


def _kind_of_zip(file: Any) -> str:
    import zipfile  # with it come three compressors

    try:
        names = zipfile.ZipFile(file).namelist()
    except Exception:  # whatever a damaged or hostile archive makes of it
        return f"{ZIP}; it is damaged or truncated"
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        script = any("/code/" in name for name in names)
        return "a TorchScript file: " + STATE.format("torch.jit.load(path).state_dict()") if script else PYTORCH
    if {"config.json", "model.weights.h5"} <= {*names}:
        return f"a Keras model: read its weights with keras.models.load_model(path), and {BY_HAND}"
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy .npz file: " + STATE.format("numpy.load(path)")
    return ZIP
