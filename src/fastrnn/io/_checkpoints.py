# SPDX-License-Identifier: BSD-3-Clause
"""The format of checkpoints: nested dicts and lists of values and arrays in one file.

The tensors of the file are the arrays, named by their path in the content ("optimizer/state/m.0.weight"), and one
tensor of bytes, "tree": the rest as JSON, with {"array": name} in place of an array. The checksum covers all tensors.
"""

import json
from collections.abc import Mapping
from reprlib import repr as short
from typing import Any, BinaryIO

import numpy as np

from .._engine.arguments import Array, as_path
from . import _container as container
from ._models import FORMAT as MODEL_FORMAT

FORMAT = "checkpoint 1"

# What a safetensors file of NumPy arrays holds in every version that the package accepts.
DTYPES = tuple(np.dtype(code) for code in "?bhilqBHILQefd")


def write_checkpoint(path: Any, content: Mapping[str, Any]) -> None:
    """Write nested dicts, lists, numbers, strings, None and arrays; TypeError names what would not come back equal."""
    from .. import __version__

    arrays: dict[str, Array] = {}
    path = as_path("path", path)
    text = json.dumps(_without_arrays(content, "", arrays)).encode()
    arrays["tree"] = np.frombuffer(text, np.uint8)
    about = {"format": FORMAT, "version": __version__, "crc32": container.checksum(FORMAT, arrays)}
    container.write(path, arrays, {"fastrnn": json.dumps(about)}, "model")


def read_checkpoint(path: Any) -> dict[str, Any]:
    """Read what `write_checkpoint` wrote; ValueError if the file is another one or damaged. Tuples become lists."""
    return container.read_from(path, container.CHECKPOINT, _read)


def _read(file: BinaryIO) -> dict[str, Any]:
    header = container.read_header(file)
    try:
        about = container.from_json("metadata", (header.get("__metadata__") or {}).get("fastrnn") or "{}")
        if (format := about.get("format")) != FORMAT:
            kinds = {MODEL_FORMAT: "a model: fastrnn.load reads it", None: container.OTHER}
            if format in kinds:
                raise ValueError(f"expected {container.CHECKPOINT}, got {kinds[format]}")
            raise ValueError(f"expected a checkpoint in format {FORMAT!r}, got {short(format)}")
        arrays = container.read_arrays(file, header)
        container.check_checksum(about, FORMAT, arrays)
        return _with_arrays(json.loads(arrays.pop("tree").tobytes()), arrays)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"truncated or not a checkpoint ({error})") from error


def _without_arrays(part: Any, name: str, arrays: dict[str, Array]) -> Any:
    """Content as JSON has it; its arrays go to `arrays`."""
    if isinstance(part, np.ndarray):
        key = name
        while key in arrays or key == "tree":  # of "a/b" in one dict and "b" in "a"
            key += "_"
        arrays[key] = _as_stored(name, part)
        return {"array": key}
    if isinstance(part, Mapping):
        if wrong := [key for key in part if not isinstance(key, str)]:
            raise TypeError(f"{name}: expected names, got {wrong[0]!r}")
        plain = {key: _without_arrays(value, f"{name}/{key}".lstrip("/"), arrays) for key, value in part.items()}
        return {"dict": plain} if plain.keys() in ({"array"}, {"dict"}) else plain
    if isinstance(part, list | tuple):
        return [_without_arrays(value, f"{name}/{k}", arrays) for k, value in enumerate(part)]
    if isinstance(part, np.generic):
        part = part.item()
    if part is None or isinstance(part, bool | int | float | str):
        return part
    raise TypeError(f"{name}: expected numbers, strings, arrays, and lists and dicts of them, got {short(part)}")


def _as_stored(name: str, array: Array) -> Array:
    """The elements in the byte order and the layout of the file."""
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name}: expected an array without a mask, got {type(array).__name__}; store data and mask")
    native = array.dtype.newbyteorder("=")
    if native not in DTYPES:
        raise TypeError(f"{name}: expected an array of bool, integers, or floats of at most 64 bits, got {array.dtype}")
    return np.asarray(array, native, order="C")  # keeps the shape (), which np.ascontiguousarray does not


def _with_arrays(part: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(part, list):
        return [_with_arrays(value, arrays) for value in part]
    if not isinstance(part, dict):
        return part
    if part.keys() == {"array"}:
        return arrays[part["array"]]
    part = part["dict"] if part.keys() == {"dict"} else part
    return {key: _with_arrays(value, arrays) for key, value in part.items()}
