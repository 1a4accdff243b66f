# SPDX-License-Identifier: BSD-3-Clause
"""The state of a training in one file, from which it resumes to the same bits."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..._engine.arguments import as_path, as_positive, as_size
from ...io._checkpoints import read_checkpoint, write_checkpoint
from ...io._container import PathType
from ...optim import Optimizer, Schedule
from .differences import Difference, differences_of_parts, options_of_schedule, warning_of
from .parameters import (
    architecture_of,
    check_random_states,
    difference_from,
    load_parameters,
    parameters_of,
    random_states,
    set_random_states,
)
from .shape import CHECKPOINT


class Checkpoint:
    """Where and when `fastrnn.fit` writes a checkpoint: after every epoch, and as often as requested.

    Parameters
    ----------
    path : str or os.PathLike
        The file. Each checkpoint replaces the previous one.
    every_n_steps : int, optional
        Also write a checkpoint after every this many updates.
    every_seconds : float, optional
        Also write a checkpoint after the first update that ends this many seconds after the last checkpoint.

    Raises
    ------
    TypeError, ValueError
        `path` is not a path, `every_n_steps` not an integer of at least 1, or `every_seconds` not a number above 0.
    """

    def __init__(self, path: PathType, *, every_n_steps: int | None = None, every_seconds: float | None = None) -> None:
        self.path: str = as_path("path", path)
        self.every_n_steps: int | None = None if every_n_steps is None else as_size("every_n_steps", every_n_steps)
        self.every_seconds: float | None = (
            None if every_seconds is None else as_positive("every_seconds", every_seconds)
        )
        self._written = time.monotonic()

    def __repr__(self) -> str:
        options = {"every_n_steps": self.every_n_steps, "every_seconds": self.every_seconds}
        given = (f", {name}={value}" for name, value in options.items() if value is not None)
        return f"Checkpoint({self.path!r}{''.join(given)})"

    def due(self, step: int) -> bool:
        """Whether a checkpoint is due after update number `step`."""
        counted = self.every_n_steps is not None and step % self.every_n_steps == 0
        return counted or (self.every_seconds is not None and time.monotonic() - self._written >= self.every_seconds)

    def write(self, *parts: Any, **training: Any) -> None:
        """Call `save_checkpoint` with this path."""
        save_checkpoint(self.path, *parts, **training)
        self._written = time.monotonic()


def save_checkpoint(
    path: PathType, model: Any, optimizer: Optimizer | None = None, schedule: Schedule | None = None, **training: Any
) -> None:
    """Write a model with everything needed to resume its training.

    Parameters
    ----------
    path : str or os.PathLike
        It is replaced as a whole or not at all, as by `save`.
    model : Layer
        Its parameters, and the random generators of dropout.
    optimizer : Optimizer, optional
    schedule : Schedule, optional
    **training
        Anything else: numbers, strings, None, NumPy arrays, and lists, tuples and dicts of them.

    Raises
    ------
    TypeError
        `path` is not a path, or something cannot be written.
    ValueError
        There are too many arrays for a file (tens of thousands), or too deeply nested layers or lists.
    OSError
        The file cannot be written, for instance because the disk is full. An older file of that name is unchanged.

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
    try:
        content = content_of(model, {"optimizer": optimizer, "schedule": schedule})
        write_checkpoint(path, content | {"training": training})
    except RecursionError:
        raise ValueError("model, training: nested too deeply for a file") from None


def load_checkpoint(
    path: PathType, model: Any, optimizer: Optimizer | None = None, schedule: Schedule | None = None
) -> dict[str, Any]:
    """Restore a model, its optimizer and its schedule from a checkpoint.

    Parameters
    ----------
    path : str or os.PathLike
    model : Layer
        Of the architecture in the checkpoint.
    optimizer, schedule : optional
        Of the types in the checkpoint, on this model. If one is left out, so is its state.

    Returns
    -------
    training : dict
        The other arguments of `save_checkpoint`. Tuples come back as lists.

    Raises
    ------
    ValueError
        The file is damaged or not a checkpoint, or of another architecture, optimizer or schedule. Nothing is changed.
    OSError
        The file cannot be read.

    Warns
    -----
    UserWarning
        The optimizer or the schedule has other options than those with which the training began. The options of the
        optimizer, such as `lr` and `weight_decay`, are now those in the checkpoint; set them to change them. The
        options of the schedule are still its own.
    """
    content = read_content(path)
    with naming(path):
        found = restore(content, model, optimizer, schedule)
    if found:
        warnings.warn(warning_of(path, found, "set them after load_checkpoint"), stacklevel=2)
    return content["training"]


def read_content(path: PathType) -> dict[str, Any]:
    """The content of a checkpoint, which has the shape of one."""
    content = read_checkpoint(path)
    with naming(path):
        CHECKPOINT("", content)
    return content


@contextmanager
def naming(what: PathType) -> Iterator[None]:
    """A context in which an error is that of a file, or of a part of it, whose name a ValueError then begins with."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: {error}") from error
    except RecursionError:
        raise ValueError(f"{what}: nested too deeply") from None


def content_of(model: Any, parts: dict[str, Any]) -> dict[str, Any]:
    """The content of a checkpoint for a model, and for an optimizer and a schedule unless they are None."""
    content: dict[str, Any] = {
        "architecture": architecture_of(model),
        "model": parameters_of(model),
        "random": random_states(model),
    }
    for name, part in parts.items():
        if part is not None:
            content[name] = {"type": type(part).__name__, "state": part.state_dict()}
    if isinstance(parts["optimizer"], Optimizer):
        content["optimizer"]["begun"] = parts["optimizer"].begun
    if parts["schedule"] is not None:
        content["schedule"]["options"] = options_of_schedule(parts["schedule"])
    return content


def restore(
    content: dict[str, Any], model: Any, optimizer: Optimizer | None, schedule: Schedule | None
) -> list[Difference]:
    """Bring all parts to the state in a checkpoint, or none. Returns how the options differed."""
    parts = {"optimizer": optimizer, "schedule": schedule}
    before = content_of(model, parts)
    if difference := difference_from(content["architecture"], model):
        raise ValueError(f"model: expected the architecture of the checkpoint, got another{difference}")
    for name, part in parts.items():
        saved = content.get(name, {"type": "none"})["type"]
        if part is not None and type(part).__name__ != saved:
            raise ValueError(f"{name}: expected {saved}, as in the checkpoint, got {type(part).__name__}")
    check_random_states(model, content["random"])
    found = differences_of_parts(content, **parts)
    try:
        load_content(content, model, parts)
    except BaseException:
        load_content(before, model, parts)
        raise
    return found


def load_content(content: dict[str, Any], model: Any, parts: dict[str, Any]) -> None:
    """Bring a model, and the parts that are not None, to a state that `content_of` gave."""
    with naming("model"):
        load_parameters(model, content["model"])
    set_random_states(model, content["random"])
    for name, part in parts.items():
        if part is not None:
            with naming(name):
                part.load_state_dict(content[name]["state"])
    if isinstance(parts["optimizer"], Optimizer):
        parts["optimizer"].begun = content["optimizer"].get("begun")  # an earlier version did not write it
