# SPDX-License-Identifier: BSD-3-Clause
"""The container of models and checkpoints: a safetensors file whose metadata describe its content.

The metadata have an entry ``fastrnn``, a JSON object with the format, the version that wrote the file and a checksum.
A file is read, not mapped: one that shrinks while it is mapped kills the process.
"""

import json
import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from reprlib import repr as short  # what a message quotes from a file may be megabytes
from typing import Any, BinaryIO, TypeAlias, TypeVar

import numpy as np

from .._engine.arguments import Array, as_path
from ._files import open_regular, replace
from ._foreign import STATE, kind_of

PathType: TypeAlias = str | bytes | os.PathLike[Any]
Result = TypeVar("Result")

# Bytes. Enough for some 5000 layers; parsed JSON may take 25 times the memory of its text.
LARGEST_HEADER = 1 << 22

MODEL, CHECKPOINT = "a model that fastrnn.save wrote", "a checkpoint that fastrnn.save_checkpoint wrote"
OTHER = f"a safetensors file of another program: {STATE.format('safetensors.numpy.load_file(path)')}"


# -- reading ---------------------------------------------------------------------------------------------------------


def read_from(path: Any, expected: str, read: Callable[[BinaryIO], Result]) -> Result:
    """Call `read` with the open file, which should be `expected`; errors begin with the path."""
    path = as_path("path", path)
    with open_regular(path, expected) as file:
        try:
            if kind := kind_of(file):
                raise ValueError(f"expected {expected}, got {kind}")
            return read(file)
        except RecursionError:
            raise ValueError(f"{path}: nested too deeply") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        except OSError as error:
            if error.errno is not None and error.filename is None:  # of a disk that cannot be read
                error.filename = path
            raise


def read_header(file: BinaryIO) -> dict[str, Any]:
    """The header. The file is then at the start of its tensors."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= size - 8:
        raise ValueError(f"truncated or not a safetensors file (a header of {length} bytes in {size} bytes)")
    if length > LARGEST_HEADER:
        raise ValueError(f"expected a header of at most {LARGEST_HEADER} bytes, got {length}")
    return from_json("header", file.read(length))


def read_arrays(file: BinaryIO, header: Mapping[str, Any]) -> dict[str, Array]:
    """The tensors of the file by name, once its header is read; bfloat16, which NumPy does not have, as float32.

    Nothing is read unless the file has the size that the header claims.
    """
    from safetensors import SafetensorError, deserialize

    size = os.fstat(file.fileno()).st_size - file.tell()
    if (claimed := max((_end(name, entry) for name, entry in header.items()), default=0)) != size:
        raise ValueError(f"truncated, or with an appendix: expected {claimed} bytes of tensors, got {size}")
    file.seek(0)
    try:
        return {name: as_tensor(**tensor) for name, tensor in deserialize(file.read())}
    except (SafetensorError, ValueError, TypeError) as error:
        raise ValueError(f"truncated or not a safetensors file ({error})") from error


def _end(name: str, entry: Any) -> int:
    """Where a tensor ends, as the header says; whether it has a place for each is checked when it is read."""
    if name == "__metadata__":
        return 0
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if not isinstance(offsets, list) or len(offsets) != 2 or {*map(type, offsets)} != {int}:
        raise ValueError(f"tensor {short(name)}: expected an entry with its offsets, got {short(entry)}")
    return offsets[1]


def as_tensor(dtype: str, shape: list[int], data: Any) -> Array:
    """A tensor as safetensors describes it: "F32" is float32, "U8" is uint8, and so on."""
    if dtype == "BF16":  # the upper half of the bits of a float32
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    code = "?" if dtype == "BOOL" else f"<{dtype[0].lower()}{int(dtype[1:]) // 8}"
    return np.frombuffer(data, code).reshape(shape)


def from_json(what: str, text: str | bytes) -> dict[str, Any]:
    """A JSON object as a dict."""
    try:
        value = json.loads(text if isinstance(text, str) else text.decode())
    except ValueError as error:
        raise ValueError(f"{what}: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"{what}: expected an object, got {short(value)}")
    return value


# -- checksums -------------------------------------------------------------------------------------------------------


def checksum(content: Any, arrays: Mapping[str, Array]) -> str:
    """CRC-32 of `content` as JSON and all arrays by name, in hexadecimal digits.

    It detects accidents: every flipped bit and every burst of up to 32. No hash would protect against intent, since
    whoever can change the tensors can change the hash. Of the available ones it is the fastest (4 GB/s, SHA-256 has
    1.8). It covers the architecture because one flipped bit turns "relu" into "selu".
    """
    crc = zlib.crc32(json.dumps(content, sort_keys=True).encode())
    for name in sorted(arrays):
        crc = zlib.crc32(arrays[name].data, crc)
    return f"{crc:08x}"


def check_checksum(about: Mapping[str, Any], content: Any, arrays: Mapping[str, Array]) -> None:
    """Raise ValueError unless the entry ``fastrnn`` has the checksum of these arrays."""
    if checksum(content, arrays) != about.get("crc32"):
        raise ValueError("the checksum differs: the file is damaged")


def text_checksum(text: str) -> str:
    """CRC-32 of a text, in hexadecimal digits."""
    return f"{zlib.crc32(text.encode()):08x}"


# -- writing ---------------------------------------------------------------------------------------------------------


def copied(arrays: Mapping[str, Array], entries: Iterable[tuple[str, str, tuple[int, ...]]]) -> dict[str, Array]:
    """Copies of a model's arrays; ValueError of one that has not the dtype and shape of its entry, as a file must."""
    for name, dtype, shape in entries:
        array = arrays[name]
        if array.dtype != dtype or array.shape != tuple(shape):
            got = f"{array.dtype} {array.shape}"
            raise ValueError(f"params[{name!r}]: expected {dtype} {tuple(shape)}, as it was made, got {got}")
    return {name: array.copy() for name, array in arrays.items()}


def write(path: str, arrays: dict[str, Array], metadata: dict[str, str], name: str) -> None:
    """Replace the file by a container of these arrays; ValueError of `name` if its header is too large to be read."""
    from safetensors.numpy import save as serialize

    content = serialize(arrays, metadata)
    if (length := int.from_bytes(content[:8], "little")) > LARGEST_HEADER:
        raise ValueError(
            f"{name}: expected a header of at most {LARGEST_HEADER} bytes, got {length} bytes for {len(arrays)} arrays"
        )
    replace(path, content)
