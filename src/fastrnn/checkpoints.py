# SPDX-License-Identifier: BSD-3-Clause
"""All that a training is at some moment, in one file: written whole or not at all, gone on from to the same bits.

A checkpoint is a safetensors file. Its tensors are the arrays of a tree of dicts and lists, named by their place in it
("optimizer/state/m.0.weight"), and one of bytes, "tree": the rest as JSON, with {"array": name} where an array stands.
The metadata have one entry ``fastrnn``: the format, the version that wrote it and a CRC-32 of all tensors.
"""

import json
import os
import time
from collections.abc import Mapping
from reprlib import repr as short

import numpy as np

from . import files
from .composite import described
from .functional import as_positive, as_size
from .layer import Layer

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]

FORMAT = "checkpoint 1"


class Checkpoint:
    """Where and when `fastrnn.fit` writes a checkpoint: after every epoch, and as often as said here.

    Parameters
    ----------
    path : str or os.PathLike
        Each checkpoint replaces the one before.
    every_n_steps : int, optional
        Also after so many updates.
    every_seconds : float, optional
        Also when the last one is so long ago.

    Raises
    ------
    TypeError, ValueError
        A number is none, or not above 0.
    """

    def __init__(self, path, *, every_n_steps=None, every_seconds=None):
        self.path = os.fspath(path)
        self.every_n_steps = None if every_n_steps is None else as_size("every_n_steps", every_n_steps)
        self.every_seconds = None if every_seconds is None else as_positive("every_seconds", every_seconds)
        self._written = time.monotonic()

    def due(self, step):
        """Whether it is time for one after update number `step`."""
        if self.every_n_steps is not None and step % self.every_n_steps == 0:
            return True
        return self.every_seconds is not None and time.monotonic() - self._written >= self.every_seconds

    def write(self, *parts, **training):
        """`save_checkpoint` there."""
        save_checkpoint(self.path, *parts, **training)
        self._written = time.monotonic()


def save_checkpoint(path, model, optimizer=None, schedule=None, **training):
    """Write a model with all that its training needs to go on.

    Parameters
    ----------
    path : str or os.PathLike
    model : Layer
        Its parameters, and the random generators of dropout.
    optimizer : Optimizer, optional
    schedule : Schedule, optional
    **training
        Anything else: numbers, strings, None, NumPy arrays, and lists, tuples and dicts of them.

    Raises
    ------
    TypeError
        Something that cannot be written.
    OSError
        The file cannot be written, say because the disk is full; an older file of that name is as it was.

    Examples
    --------
    >>> import os, tempfile, fastrnn as fr
    >>> model = fr.Sequential(fr.GRU(3, 8), fr.Linear(8, 2))
    >>> adam = fr.Adam(model)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "run.checkpoint")
    ...     fr.save_checkpoint(path, model, adam, epoch=3)
    ...     fr.load_checkpoint(path, model, adam)
    {'epoch': 3}
    """
    tree = {"architecture": architecture_of(model), "model": parameters_of(model), "random": random_states(model)}
    for name, part in ("optimizer", optimizer), ("schedule", schedule):
        if part is not None:
            tree[name] = {"type": type(part).__name__, "state": part.state_dict()}
    write_tree(path, tree | {"training": training})


def load_checkpoint(path, model, optimizer=None, schedule=None):
    """Bring a model, and what trains it, to where a checkpoint was written.

    Parameters
    ----------
    path : str or os.PathLike
    model : Layer
        Of the architecture in the checkpoint.
    optimizer, schedule : optional
        Of the kinds in the checkpoint, on this model. Those that are not given are left out.

    Returns
    -------
    training : dict
        What `save_checkpoint` was given beyond these three. Tuples come back as lists.

    Raises
    ------
    ValueError
        The file is damaged or no checkpoint, or of another architecture, optimizer or schedule. Nothing is changed.
    OSError
        The file cannot be read.
    """
    tree = read_tree(path)
    try:
        _restore(tree, model, {"optimizer": optimizer, "schedule": schedule})
        return tree["training"]
    except (KeyError, AttributeError) as error:
        raise ValueError(f"{path}: not what save_checkpoint wrote ({type(error).__name__}: {error})") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _restore(tree, model, parts):
    """All of it, or nothing."""
    if difference := _difference(tree["architecture"], architecture_of(model)):
        raise ValueError(f"model: expected the architecture of the checkpoint, got another{difference}")
    for name, part in parts.items():
        found = tree.get(name, {"type": "none"})["type"]
        if part is not None and type(part).__name__ != found:
            raise ValueError(f"{name}: expected {found}, as in the checkpoint, got {type(part).__name__}")
    given = {name: part for name, part in parts.items() if part is not None}
    before = parameters_of(model), random_states(model), {name: part.state_dict() for name, part in given.items()}
    try:
        load_parameters(model, tree["model"])
        set_random_states(model, tree["random"])
        for name, part in given.items():
            part.load_state_dict(tree[name]["state"])
    except BaseException:
        load_parameters(model, before[0])
        set_random_states(model, before[1])
        for name, part in given.items():
            part.load_state_dict(before[2][name])
        raise


# -- what a model consists of --------------------------------------------------------------------------------------


def architecture_of(model):
    """What a model is, as JSON gives it back; of a model without `config`, its parameters."""
    if isinstance(model, Layer):
        return json.loads(json.dumps(described(model)))
    shapes = {name: [str(p.dtype), list(p.shape)] for name, p in model.params.items()}
    return {"type": type(model).__name__, "params": shapes}


def _difference(there, here, name="model"):
    """Where two architectures first differ, in words; nothing if they do not."""
    if isinstance(there, dict) and isinstance(here, dict) and there.get("type") == here.get("type"):
        pairs = [(key, there.get(key), here.get(key)) for key in {**there, **here}]
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        pairs = [(k, *pair) for k, pair in enumerate(zip(there, here, strict=True))]
    else:
        return "" if there == here else f": {name} is {_named(there)} there, {_named(here)} here"
    return next(filter(None, (_difference(a, b, f"{name}.{key}") for key, a, b in pairs)), "")


def _named(part):
    if isinstance(part, list):
        return f"{len(part)} of them"
    return part["type"] if isinstance(part, dict) and "type" in part else short(part)


def parameters_of(model):
    """A copy of the parameters, and of weights that do not learn."""
    return model.state_dict() if isinstance(model, Layer) else {name: p.copy() for name, p in model.params.items()}


def load_parameters(model, parameters):
    """Write the parameters; those of a model of one's own need no method for it."""
    if isinstance(model, Layer):
        model.load_state_dict(parameters)
        return
    for name, p in model.params.items():
        p[...] = parameters[name]


def random_states(model):
    """The state of every random generator in a model."""
    return [layer._random_state() for layer in _layers(model)]


def set_random_states(model, states):
    """Bring the random generators to these states."""
    for layer, state in zip(_layers(model), states, strict=True):
        layer._set_random_state(state)


def _layers(model):
    """The layers of a model, those that hold others too; none of one's own kind."""
    if isinstance(model, Layer):
        yield model
        for part in model.parts().values():
            yield from _layers(part)


# -- trees in files ------------------------------------------------------------------------------------------------


def write_tree(path, tree):
    """Write a tree of dicts, lists, numbers, strings, None and arrays."""
    from safetensors.numpy import save as serialize

    from . import __version__

    arrays = {}
    text = json.dumps(_folded(tree, "", arrays)).encode()
    arrays["tree"] = np.frombuffer(text, np.uint8)
    about = {"format": FORMAT, "version": __version__, "crc32": files.checksum(FORMAT, arrays)}
    files.replace(path, serialize(arrays, {"fastrnn": json.dumps(about)}))


def read_tree(path):
    """Read what `write_tree` wrote; ValueError if it did not, or if the file is damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialize

    path = os.fsdecode(path)
    with open(path, "rb") as file:
        try:
            header, _ = files.read_header(file)
            about = files.from_json("metadata", (header.get("__metadata__") or {}).get("fastrnn") or "{}")
            if about.get("format") != FORMAT:
                raise ValueError(f"expected a checkpoint in format {FORMAT!r}, got {short(about.get('format'))}")
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
