# SPDX-License-Identifier: BSD-3-Clause
"""Models on disk: safetensors files that also say how to build the model.

The tensors are stored under their PyTorch names; the file's metadata has an entry ``fastrnn``, JSON of

    format        "1", the version of this format
    version       of the package that wrote the file
    architecture  {"type": "LSTM", "input_size": 3, ...}: type and config of the model
    crc32         of the architecture and, after it, all tensors by name; eight hexadecimal digits
    notes         the CRC-32 of the entry ``notes``, JSON of what the caller had to say, if there is one

Nothing in a file is believed: what the architecture says determines the names, types and shapes of the tensors and the
size of the file, and memory is allocated after both have been found to be so. The file is read, not mapped: one that
shrinks while it is mapped kills the process.
"""

import json
import math
import os
import stat
import zlib
from contextlib import suppress
from reprlib import repr as short  # what a message quotes from a file may be megabytes

import numpy as np

from .._engine.arguments import as_path
from ._architectures import build, check_kinds, parameters

__all__ = ["load", "load_notes", "save"]

FORMAT = "1"
# Bytes. Enough for some 5000 layers; parsed JSON may take 25 times the memory of its text.
LARGEST_HEADER = 1 << 22


def save(model, path, *, notes=None):
    """Write a model to a file.

    The file appears whole or not at all: whatever happens on the way, `path` is the old file or
    the new one. (A process that is killed may leave a ``.fastrnn-*.tmp`` beside it.)

    Parameters
    ----------
    model : Layer
        Of a class of this package.
    path : str or os.PathLike
        Usually ``*.safetensors``. What a symbolic link points to is replaced, not the link.
    notes : dict, optional
        What else belongs to the model, such as its vocabulary: names, and whatever JSON can hold. `load_notes` gives it
        back. It is not for arrays: there is room for some megabytes.

    Raises
    ------
    TypeError
        `model`, a layer in it or `path` is of another type; or `notes` is not a dict that JSON gives back as it was.
    ValueError
        The model has too many layers for a file (some thousands), or the notes are too long.
    OSError
        The file cannot be written.

    Notes
    -----
    The file holds the parameters and what `config` returns. It does not hold the random generator
    of dropout, and a layer that stands in a `Sequential` twice is written, and loaded, as two.

    Examples
    --------
    >>> import os, tempfile, fastrnn as fr
    >>> model = fr.Sequential(fr.GRU(3, 8), fr.Linear(8, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     fr.save(model, path, notes={"trained": "not yet"})
    ...     same, notes = fr.load(path), fr.load_notes(path)
    >>> notes
    {'trained': 'not yet'}
    >>> all(bool((same.params[name] == model.params[name]).all()) for name in model.params)
    True
    """
    from safetensors.numpy import save as serialize

    from .. import __version__

    path = as_path("path", path)
    check_kinds(model)
    architecture, arrays = {"type": type(model).__name__, **model.config()}, model.state_dict()
    about = {
        "format": FORMAT,
        "version": __version__,
        "architecture": architecture,
        "crc32": checksum(architecture, arrays),
    }
    entries = {}
    if notes is not None:
        entries["notes"] = as_json("notes", notes)
        about["notes"] = crc_of(entries["notes"])
    content = serialize(arrays, {"fastrnn": json.dumps(about), **entries})
    length = int.from_bytes(content[:8], "little")
    if length > LARGEST_HEADER:
        what = "model" if notes is None else "model, notes"
        raise ValueError(
            f"{what}: expected a header of at most {LARGEST_HEADER} bytes, "
            f"got {length} bytes for {len(arrays)} parameters{'' if notes is None else ' and the notes'}"
        )
    replace(path, content)


def load(path):
    """Read a model that `save` wrote.

    Safe on files from anywhere: no code in them runs, and no more memory is taken than a model of
    the file's size needs.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    Layer
        Of the same type, with the same config and, bit for bit, the same parameters. Its random
        generator is a fresh one, as with ``seed=None``: dropout does not continue where it was.

    Raises
    ------
    ValueError
        The file is damaged or truncated, or `save` did not write it; says what is wrong.
    OSError
        The file cannot be read.
    TypeError
        `path` is none.
    """
    return read_from(path, read_model)


def load_notes(path):
    """Read what `save` was given to note beside a model, without reading the model.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    dict
        Empty if there are no notes.

    Raises
    ------
    ValueError
        The file is damaged or truncated, or `save` did not write it; says what is wrong.
    OSError
        The file cannot be read.
    TypeError
        `path` is none.
    """
    return read_from(path, lambda file: read_metadata(read_header(file)[0].get("__metadata__"))[1])


def read_from(path, read):
    """What `read` finds in a file; errors begin with its path."""
    path = as_path("path", path)
    with open(path, "rb") as file:
        try:
            return read(file)
        except RecursionError:
            raise ValueError(f"{path}: nested too deeply") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def read_model(file):
    """The model in an open file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialize

    header, start = read_header(file)
    about, _ = read_metadata(header.pop("__metadata__", None))
    architecture = about.get("architecture")
    check_tensors(header, architecture, os.fstat(file.fileno()).st_size - start)
    file.seek(0)
    try:
        arrays = deserialize(file.read())
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"truncated or not a safetensors file ({error})") from error
    if checksum(architecture, arrays) != about.get("crc32"):
        raise ValueError("the checksum differs: the file is damaged")
    model = build(architecture)
    model.load_state_dict(arrays)
    return model


# -- the parts of a file -----------------------------------------------------------------------------------------------


def read_header(file):
    """The header, a dict, and where the tensors start."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= size - 8:
        raise ValueError(f"truncated or not a safetensors file (a header of {length} bytes in {size} bytes)")
    if length > LARGEST_HEADER:
        raise ValueError(f"expected a header of at most {LARGEST_HEADER} bytes, got {length}")
    return from_json("header", file.read(length)), 8 + length


def from_json(what, text):
    """An object, as a dict."""
    try:
        found = json.loads(text if isinstance(text, str) else text.decode())
    except ValueError as error:
        raise ValueError(f"{what}: not JSON ({error})") from None
    if not isinstance(found, dict):
        raise ValueError(f"{what}: expected an object, got {short(found)}")
    return found


def read_metadata(metadata):
    """What the file says about the model, and the notes: two dicts."""
    from .. import __version__

    if not isinstance(metadata, dict) or not isinstance(metadata.get("fastrnn"), str):
        raise ValueError(
            "not written by fastrnn.save: no architecture. The tensors of a safetensors file "
            "from elsewhere can be given to load_state_dict of a layer that fits"
        )
    about = from_json("metadata", metadata["fastrnn"])
    if str(about.get("format")).startswith("checkpoint"):
        raise ValueError(
            "a checkpoint of a training: fastrnn.load_checkpoint reads it, into a model of its architecture"
        )
    if about.get("format") != FORMAT:
        raise ValueError(
            f"written in format {short(about.get('format'))} by fastrnn {short(about.get('version'))}; "
            f"this is fastrnn {__version__}, which reads format {FORMAT!r}"
        )
    text = metadata.get("notes")
    if text is None and about.get("notes") is None:
        return about, {}
    if not isinstance(text, str) or crc_of(text) != about.get("notes"):
        raise ValueError("notes: the checksum differs: the file is damaged")
    return about, from_json("notes", text)


def as_json(name, value):
    """`value`, a dict, as JSON from which it comes back as it was."""
    problem = f"got {type(value).__name__}"
    if isinstance(value, dict):
        try:
            text = json.dumps(value, allow_nan=False)
            if json.loads(text) == value:
                return text
            problem = "got one that would change (keys that are not strings, or tuples)"
        except (TypeError, ValueError, RecursionError) as error:
            problem = f"got one that it cannot ({error})"
    raise TypeError(f"{name}: expected a dict that JSON can hold, {problem}")


def crc_of(text):
    """CRC-32 of a text, in hexadecimal digits."""
    return f"{zlib.crc32(text.encode()):08x}"


def check_tensors(header, architecture, size):
    """The header lists just the parameters that the architecture asks for, and they fill `size` bytes."""
    wanted, end = set(), 0
    for name, dtype, shape in parameters(architecture):  # maybe 10**12 of them: stop at the first missing
        if name not in header:
            raise ValueError(f"tensor {name}: the architecture has it, the file does not")
        entry, expected = header[name], {"dtype": {"float32": "F32", "float64": "F64"}[dtype], "shape": [*shape]}
        if not isinstance(entry, dict) or {key: entry.get(key) for key in expected} != expected:
            raise ValueError(f"tensor {name}: expected {short(expected)}, got {short(entry)}")
        wanted.add(name)
        end += math.prod(shape) * np.dtype(dtype).itemsize
    if unknown := header.keys() - wanted:
        raise ValueError(f"tensors that the architecture does not have: {short(sorted(unknown))}")
    if size != end:
        raise ValueError(f"truncated, or with an appendix: expected {end} bytes of tensors, got {size}")


def checksum(architecture, arrays):
    """CRC-32 in hexadecimal digits.

    It is there for accidents, and finds every flipped bit and every burst of up to 32. No hash would help against
    intent: who can change the tensors can change the hash. Of those at hand it is the fastest (4 GB/s where SHA-256 has
    1.8). It covers the architecture because one bit makes "selu" of "relu".
    """
    crc = zlib.crc32(json.dumps(architecture, sort_keys=True).encode())
    for name in sorted(arrays):
        crc = zlib.crc32(arrays[name], crc)
    return f"{crc:08x}"


# -- writing -----------------------------------------------------------------------------------


def replace(path, content):
    """Make `path` a file of these bytes, or leave it as it is."""
    path = os.path.realpath(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = None
    else:
        if not stat.S_ISREG(mode):  # root could even replace /dev/null
            raise FileExistsError(f"{path}: expected a file or nothing, got something else")
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    temporary = os.path.join(os.path.dirname(path), f".fastrnn-{os.urandom(8).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
            os.fsync(file.fileno())
        os.replace(temporary, path)
        os.fsync(folder)  # the new name, too, outlives a power cut
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(folder)
