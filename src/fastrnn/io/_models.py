# SPDX-License-Identifier: BSD-3-Clause
"""Models on disk: safetensors files that also say how to build the model.

The tensors are stored under their PyTorch names, each once, under the first of its names; the file's metadata has an
entry ``fastrnn``, JSON of

    format        "1", the version of this format
    version       of the package that wrote the file
    architecture  {"type": "LSTM", "input_size": 3, ...}: type and config of the model, with {"same_as": "layers.0"}
                  for a layer that is the one at ``layers.0``, too
    crc32         of the architecture and, after it, all tensors by name; eight hexadecimal digits
    notes         the CRC-32 of the entry ``notes``, JSON of the caller's notes, if there are any

Nothing in a file is believed: the architecture determines the names, types and shapes of the tensors and the size of
the file, and no memory is allocated for them before the header and the size have been compared with it.
"""

import json
import math
import os
from reprlib import repr as short
from typing import Any, BinaryIO

import numpy as np

from .._engine.arguments import as_path
from ..nn._layer import Layer
from . import _container as container
from ._architectures import build, check_kinds, check_references, describe, parameters
from ._container import PathType

FORMAT = "1"


def save(model: Layer, path: PathType, *, notes: dict[str, Any] | None = None) -> None:
    """Write a model to a file.

    The write is atomic: whatever happens on the way, `path` is the old file or the new one. (A process that is killed
    may leave a ``.fastrnn-*.tmp`` beside it.)

    Parameters
    ----------
    model : Layer
        Of a class of this package.
    path : str or os.PathLike
        Usually ``*.safetensors``. What a symbolic link points to is replaced, not the link.
    notes : dict, optional
        Anything else that belongs to the model, such as its vocabulary: by name, whatever JSON can hold. `load_notes`
        reads it. Not for arrays: a file can hold a few megabytes of notes.

    Raises
    ------
    TypeError
        `model` or a layer in it is not of this package, `path` is not a path, or `notes` is not a dict that JSON gives
        back unchanged.
    ValueError
        The model has too many layers for a file (several thousand), or the notes are too long.
    OSError
        The file cannot be written.

    Notes
    -----
    The file holds the parameters and what `config` returns. It does not hold the random generator of dropout. A layer
    that is in several places of a model is written once, and is in all of them again when the file is loaded. (Files
    that hold it several times, as earlier ones do, are loaded with several layers.)

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
    from .. import __version__

    path = as_path("path", path)
    check_kinds(model)
    architecture, arrays = describe(model), {name: array.copy() for name, array in model.stored.items()}
    check_references(architecture)
    about = {
        "format": FORMAT,
        "version": __version__,
        "architecture": architecture,
        "crc32": container.checksum(architecture, arrays),
    }
    texts = {} if notes is None else {"notes": as_json("notes", notes)}
    about |= {name: container.text_checksum(text) for name, text in texts.items()}
    container.write(path, arrays, {"fastrnn": json.dumps(about), **texts}, ", ".join(["model", *texts]))


def load(path: PathType) -> Layer:
    """Read a model that `save` wrote.

    Safe on files from any source: no code in them runs, and no more memory is allocated than a model of the file's size
    needs.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    Layer
        Of the same type, with the same config and, bit for bit, the same parameters. Its random generator is a new one,
        as with ``seed=None``: dropout does not continue its sequence.

    Raises
    ------
    ValueError
        The file is damaged or truncated, or `save` did not write it. The message says what is wrong.
    OSError
        The file cannot be read.
    TypeError
        `path` is not a path.
    """
    return container.read_from(path, read_model)


def load_notes(path: PathType) -> dict[str, Any]:
    """Read the notes that `save` wrote beside a model, without reading the model.

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
        The file is damaged or truncated, or `save` did not write it. The message says what is wrong.
    OSError
        The file cannot be read.
    TypeError
        `path` is not a path.
    """
    return container.read_from(path, lambda file: read_metadata(container.read_header(file)[0].get("__metadata__"))[1])


def read_model(file: BinaryIO) -> Layer:
    """The model in an open file."""
    header, start = container.read_header(file)
    about, _ = read_metadata(header.pop("__metadata__", None))
    architecture = about.get("architecture")
    check_tensors(header, architecture, os.fstat(file.fileno()).st_size - start)
    check_references(architecture)
    arrays = container.read_arrays(file)
    container.check_checksum(about, architecture, arrays)
    model = build(architecture)
    model.load_state_dict(arrays)
    return model


def read_metadata(metadata: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the file says about the model, and the notes."""
    from .. import __version__

    if not isinstance(metadata, dict) or not isinstance(metadata.get("fastrnn"), str):
        raise ValueError(
            "not written by fastrnn.save: no architecture. The tensors of a safetensors file "
            "from elsewhere can be passed to load_state_dict of a layer that fits"
        )
    about = container.from_json("metadata", metadata["fastrnn"])
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
    if not isinstance(text, str) or container.text_checksum(text) != about.get("notes"):
        raise ValueError("notes: the checksum differs: the file is damaged")
    return about, container.from_json("notes", text)


def as_json(name: str, value: Any) -> str:
    """`value`, a dict, as JSON that gives it back unchanged."""
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


def check_tensors(header: dict[str, Any], architecture: Any, size: int) -> None:
    """Raise ValueError unless the header lists the architecture's parameters, no others, and they fill `size` bytes."""
    names, end = set(), 0
    for name, dtype, shape in parameters(architecture):  # maybe 10**12 of them: stop at the first missing
        if name not in header:
            raise ValueError(f"tensor {name}: the architecture has it, the file does not")
        entry, expected = header[name], {"dtype": {"float32": "F32", "float64": "F64"}[dtype], "shape": [*shape]}
        if not isinstance(entry, dict) or {key: entry.get(key) for key in expected} != expected:
            raise ValueError(f"tensor {name}: expected {short(expected)}, got {short(entry)}")
        names.add(name)
        end += math.prod(shape) * np.dtype(dtype).itemsize
    if unknown := header.keys() - names:
        raise ValueError(f"tensors that the architecture does not have: {short(sorted(unknown))}")
    if size != end:
        raise ValueError(f"truncated, or with an appendix: expected {end} bytes of tensors, got {size}")
