# SPDX-License-Identifier: BSD-3-Clause
"""Trees of dicts, lists, values and arrays in one file, written whole or not at all.

It is a safetensors file. Its tensors are the arrays of the tree, named by their place in it
("optimizer/state/m.0.weight"), and one of bytes, "tree": the rest as JSON, with {"array": name} where an array stands.
The metadata have one entry ``fastrnn``: the format, the version that wrote it and a CRC-32 of all tensors.
"""

import json
from collections.abc import Mapping
from reprlib import repr as short

import numpy as np

from .._engine.arguments import as_path
from . import _models as files

__all__ = ["read_tree", "write_tree"]

FORMAT = "checkpoint 1"


def write_tree(path, tree):
    """Write a tree of dicts, lists, numbers, strings, None and arrays."""
    from safetensors.numpy import save as serialize

    from .. import __version__

    path, arrays = as_path("path", path), {}
    text = json.dumps(_folded(tree, "", arrays)).encode()
    arrays["tree"] = np.frombuffer(text, np.uint8)
    about = {"format": FORMAT, "version": __version__, "crc32": files.checksum(FORMAT, arrays)}
    content = serialize(arrays, {"fastrnn": json.dumps(about)})
    if (length := int.from_bytes(content[:8], "little")) > files.LARGEST_HEADER:
        raise ValueError(
            f"model: expected a header of at most {files.LARGEST_HEADER} bytes, "
            f"got {length} bytes for {len(arrays)} arrays"
        )
    files.replace(path, content)


def read_tree(path):
    """Read what `write_tree` wrote; ValueError if it did not, or if the file is damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialize

    path = as_path("path", path)
    with open(path, "rb") as file:
        try:
            header, _ = files.read_header(file)
            about = files.from_json("metadata", (header.get("__metadata__") or {}).get("fastrnn") or "{}")
            if about.get("format") != FORMAT:
                other = "; fastrnn.load reads models" if about.get("format") == files.FORMAT else ""
                raise ValueError(f"expected a checkpoint in format {FORMAT!r}, got {short(about.get('format'))}{other}")
            file.seek(0)
            arrays = deserialize(file.read())
            if files.checksum(FORMAT, arrays) != about.get("crc32"):
                raise ValueError("the checksum differs: the file is damaged")
            return _unfolded(json.loads(arrays.pop("tree").tobytes()), arrays)
        except (SafetensorError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path}: truncated or not a checkpoint ({error})") from error
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _folded(part, name, arrays):
    """A tree as JSON has it; its arrays go to `arrays`."""
    if isinstance(part, np.ndarray):
        key = name
        while key in arrays or key == "tree":  # of "a/b" in one dict and "b" in "a"
            key += "_"
        arrays[key] = np.ascontiguousarray(part)
        return {"array": key}
    if isinstance(part, Mapping):
        if wrong := [key for key in part if not isinstance(key, str)]:
            raise TypeError(f"{name}: expected names, got {wrong[0]!r}")
        folded = {key: _folded(value, f"{name}/{key}".lstrip("/"), arrays) for key, value in part.items()}
        return {"dict": folded} if folded.keys() in ({"array"}, {"dict"}) else folded
    if isinstance(part, list | tuple):
        return [_folded(value, f"{name}/{k}", arrays) for k, value in enumerate(part)]
    if isinstance(part, np.generic):
        part = part.item()
    if part is None or isinstance(part, bool | int | float | str):
        return part
    raise TypeError(f"{name}: expected numbers, strings, arrays, and lists and dicts of them, got {short(part)}")


def _unfolded(part, arrays):
    if isinstance(part, list):
        return [_unfolded(value, arrays) for value in part]
    if not isinstance(part, dict):
        return part
    if part.keys() == {"array"}:
        return arrays[part["array"]]
    part = part["dict"] if part.keys() == {"dict"} else part
    return {key: _unfolded(value, arrays) for key, value in part.items()}
