# SPDX-License-Identifier: BSD-3-Clause
"""All that a training is at some moment, in one file: gone on from to the same bits."""

import json
import time
from reprlib import repr as short

from ..._engine.arguments import as_path, as_positive, as_size
from ...io._checkpoints import read_checkpoint, write_checkpoint
from ...nn._layer import Layer
from ...nn._options import described

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]


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
        `path` is none, or a number is none or not above 0.
    """

    def __init__(self, path, *, every_n_steps=None, every_seconds=None):
        self.path = as_path("path", path)
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
        `path` is none, or something cannot be written.
    ValueError
        There are too many arrays for a file (some ten thousands).
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
    write_checkpoint(path, tree | {"training": training})


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
    tree = read_checkpoint(path)
    try:
        _restore(tree, model, {"optimizer": optimizer, "schedule": schedule})
        return tree["training"]
    except (KeyError, AttributeError, TypeError, OverflowError) as error:
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
    return [layer.random_state for layer in _layers(model)]


def set_random_states(model, states):
    """Bring the random generators to these states."""
    for layer, state in zip(_layers(model), states, strict=True):
        layer.random_state = state


def _layers(model):
    """The layers of a model, those that hold others too; none of one's own kind."""
    if isinstance(model, Layer):
        yield model
        for part in model.children().values():
            yield from _layers(part)
