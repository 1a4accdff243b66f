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
from collections.abc import Iterable
from reprlib import repr as short
from typing import Any, BinaryIO

from .._engine.arguments import as_flag, as_path
from ..nn._layer import Layer
from . import _container as container
from ._architectures import Parsed, build, check_kinds, check_own, parameters
from ._container import PathType
from ._custom import Custom, Find, finder, own_classes
from ._references import describe

FORMAT = "1"
NARROW = ("F16", "BF16")  # what other programs convert tensors to, of two bytes


def save(model: Layer, path: PathType, *, notes: dict[str, Any] | None = None) -> None:
    """Write a model to a file.

    The write is atomic: whatever happens, `path` is either the old file or the new one. (A killed process may leave a
    file ``.fastrnn-*.tmp`` next to it, which the next save in that folder from the same machine removes.)

    Parameters
    ----------
    model : Layer
        Layers of your own may be in it: see Notes.
    path : str or os.PathLike
        Usually ``*.safetensors``. For a symbolic link, its target is replaced. The new file has the mode of the old one
        and belongs to the user who saves; hard links to the old file keep the old content.
    notes : dict, optional
        Anything else that belongs to the model, such as its vocabulary, as a dict that JSON can represent. `load_notes`
        reads it. Not for arrays: notes are limited to a few megabytes.

    Raises
    ------
    TypeError
        `model` is not a layer, or the config of a layer of your own does not give an equal one; `path` is not a path,
        or `notes` is not a dict that JSON gives back unchanged.
    ValueError
        The model has too many layers for a file (several thousand), or too deeply nested ones, or the notes are long.
    OSError
        The file cannot be written, for instance because the disk is full. An older file of that name is unchanged.

    Notes
    -----
    The file contains the parameters and the result of `config`, but not the random generator of dropout. A layer that
    is used in several places of a model is written once, and is shared again when the file is loaded. (Files of earlier
    versions that contain it several times load as separate layers.)

    For a custom layer, the file contains the import path of its class and its `config`, but no code; pass the class to
    `load`. ``type(layer)(**layer.config())`` must create an equal layer with parameters of the same names and shapes,
    and the config must survive a round trip through JSON. Both are checked here, by building the model once more. They
    hold for declared options, and for constructors that store their arguments as attributes.

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
    try:
        check_kinds(model)
        architecture = describe(model)
        check_own(model, architecture)
        entries, stored = list(parameters(architecture, finder(own_classes(model)))), model.stored
    except RecursionError:
        raise ValueError("model: nested too deeply for a file") from None
    arrays = container.copied({name: stored[name] for name, _, _ in entries}, entries)
    about = {
        "format": FORMAT,
        "version": __version__,
        "architecture": architecture,
        "crc32": container.checksum(architecture, arrays),
    }
    texts = {} if notes is None else {"notes": as_json("notes", notes)}
    about |= {name: container.text_checksum(text) for name, text in texts.items()}
    container.write(path, arrays, {"fastrnn": json.dumps(about), **texts}, ", ".join(["model", *texts]))


def load(path: PathType, *, custom: Custom | None = None, trust: bool = False) -> Layer:
    """Read a model that `save` wrote.

    Safe on files from any source: no code in them runs, and no more memory is allocated than a model of the file's size
    needs. (A layer of your own is built from the config in the file before its tensors are looked at, unless its class
    defines `parameter_shapes`.) Tensors that another program has converted to float16 or bfloat16 are widened, which is
    exact; the checksum, which is that of the original tensors, is not compared then.

    Parameters
    ----------
    path : str or os.PathLike
    custom : list of classes, or dict of str to class, optional
        The classes of your own layers in the file: ``custom=[MyLayer]``. They are found by their names; in a dict the
        keys are the names in the file, ``"package.module:Class"`` or ``"Class"``.
    trust : bool, default False
        Import classes that are not in `custom` from where the file says. That runs the code of those modules: only for
        files that you trust as you would a pickle.

    Returns
    -------
    Layer
        Of the same type, with the same config and, bit for bit, the same parameters. Its random generator is a new one,
        as with ``seed=None``: dropout does not continue its sequence.

    Raises
    ------
    ValueError
        The file is damaged or truncated, or `save` did not write it, or it has a layer whose class is not in `custom`,
        or it is a pipe or a device. The message says what is wrong.
    OSError
        The file cannot be read.
    TypeError
        `path` is not a path, `custom` holds something else than classes of layers, or `trust` is not True or False.
    """
    find = finder(custom, as_flag("trust", trust))
    return container.read_from(path, container.MODEL, lambda file: read_model(file, find))


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
        The file is damaged or truncated, or `save` did not write it, or it is a pipe or a device. The message says what
        is wrong.
    OSError
        The file cannot be read.
    TypeError
        `path` is not a path.
    """
    return container.read_from(path, container.MODEL, read_notes)


def read_notes(file: BinaryIO) -> dict[str, Any]:
    """The notes in an open file."""
    about, notes = read_metadata(container.read_header(file).get("__metadata__"))
    if isinstance(about.get("architecture"), dict):
        return notes
    raise ValueError(f"architecture: expected an object, got {short(about.get('architecture'))}")


def read_model(file: BinaryIO, find: Find) -> Layer:
    """The model in an open file."""
    header = container.read_header(file)
    about, _ = read_metadata(header.pop("__metadata__", None))
    architecture = about.get("architecture")
    parsed: Parsed = {}
    converted = check_tensors(header, parameters(architecture, find, parsed))
    arrays = container.read_arrays(file, header)
    if not converted:
        container.check_checksum(about, architecture, arrays)
    model = build(architecture, find, parsed=parsed)
    model.load_state_dict(arrays)
    return model


def read_metadata(metadata: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The description of the model in the file, and the notes."""
    from .. import __version__

    if not isinstance(metadata, dict) or not isinstance(metadata.get("fastrnn"), str):
        raise ValueError(f"expected {container.MODEL}, got {container.OTHER}")
    about = container.from_json("metadata", metadata["fastrnn"])
    if str(about.get("format")).startswith("checkpoint"):
        raise ValueError(
            f"expected {container.MODEL}, got a checkpoint of a training: fastrnn.load_checkpoint reads it, into a "
            f"model of its architecture"
        )
    if about.get("format") != FORMAT:
        wrote = f"format {short(about.get('format'))} by fastrnn {short(about.get('version'))}"
        raise ValueError(f"written in {wrote}; this is fastrnn {__version__}, which reads format {FORMAT!r}")
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


def check_tensors(header: dict[str, Any], expected: Iterable[tuple[str, str, tuple[int, ...]]]) -> bool:
    """Raise ValueError unless the header lists the architecture's parameters, and no others.

    Whether some of them are of a narrower dtype is returned.
    """
    names, converted = set(), False
    for name, dtype, shape in expected:  # maybe 10**12 of them: stop at the first missing
        if name not in header:
            raise ValueError(f"tensor {name}: the architecture has it, the file does not")
        entry = header[name]
        narrow = isinstance(entry, dict) and entry.get("dtype") in NARROW
        own = entry["dtype"] if narrow else {"float32": "F32", "float64": "F64"}[dtype]
        right = {"dtype": own, "shape": [*shape]}
        if not isinstance(entry, dict) or {key: entry.get(key) for key in right} != right:
            raise ValueError(f"tensor {name}: expected {short(right)}, got {short(entry)}")
        names.add(name)
        converted = converted or narrow
    if unknown := header.keys() - names:
        raise ValueError(f"tensors that the architecture does not have: {short(sorted(unknown))}")
    return converted
