# SPDX-License-Identifier: BSD-3-Clause
"""Checks of the arguments of `fit`, before anything is trained."""

import os
from numbers import Integral, Number
from typing import Any

import numpy as np

from ..._engine.arguments import Interval, as_choice, as_flag, as_number, as_path
from ...nn._options import kind_of
from ...optim import ReduceLROnPlateau
from .._data.batches import Batches
from .._data.reading import Reading
from .._data.source import EpochReader, as_source, is_list_of_batches
from .._data.weights import with_class_weight
from .._state.checkpoints import Checkpoint
from .objective import Objective


def as_validation(validation: Any, epochs: int, reading: Reading, batch_size: int) -> EpochReader:
    """`validation`, data or an iterable of batches, as epochs."""
    is_data = isinstance(validation, tuple) or (isinstance(validation, list) and not is_list_of_batches(validation))
    try:
        if is_data and len(validation) not in (2, 3):
            raise ValueError(f"validation: expected (x, y), (x, y, lengths) or batches, got {len(validation)} of them")
        x, y, lengths = (*validation, None)[:3] if is_data else (validation, None, None)
        source = as_source(x, y, reading, lengths=lengths, batch_size=batch_size, shuffle=False)
    except (TypeError, ValueError) as error:
        error.add_note("in validation, which is (x, y), (x, y, lengths) or an iterable of batches")
        raise
    if hasattr(source, "__next__") and epochs > 1:
        raise ValueError(
            f"validation: expected batches for each of {epochs} epochs, got a {type(source).__name__}, which gives "
            "them once; give a function that makes one"
        )
    return EpochReader(source)


def split(source: Any, validation: Any) -> tuple[Any, Any]:
    """Batches of the first rows to train on, and of the last rows if `validation` is a fraction; otherwise both."""
    scalar = isinstance(validation, np.ndarray) and not validation.ndim
    if not (scalar or isinstance(validation, Number | np.bool_)):
        return source, validation
    fraction = as_number("validation", validation, Interval(0, 1, "()"))
    if not isinstance(source, Batches):
        raise ValueError(f"validation: expected data, since a part of {type(source).__name__} cannot be split off")
    return source.split(fraction)


def check_takes_weights(objective: Objective, **weights: Any) -> None:
    """Raise TypeError if there are weights of targets, and a loss that takes none."""
    given = [name for name, value in weights.items() if value is not None]
    if given and "sample_weight" not in objective.takes:
        raise TypeError(
            f"{given[0]}: expected a loss with an argument sample_weight, as those of fastrnn have, got "
            f"{name_of(objective.loss)}"
        )


def weigh_classes(source: Any, x: Any, class_weight: Any, objective: Objective) -> None:
    """Weight the targets of a source that has been made of `x` by their classes."""
    if class_weight is None:
        return
    takes = objective.takes
    if not {"weight", "pos_weight"} & set(takes):
        raise TypeError(
            "class_weight: expected a loss of classes, with an argument weight or pos_weight, as cross_entropy, got "
            f"{name_of(objective.loss)}; give sample_weight, a weight for each target"
        )
    if not isinstance(source, Batches) or source is x:
        raise ValueError(
            f"class_weight: expected data, since {type(source).__name__} gives its own batches; give the loss the "
            "weights: functools.partial(cross_entropy, weight=...)"
        )
    ignored = takes["ignore_index"].default if "ignore_index" in takes else None
    source._rows = with_class_weight(source._rows, class_weight, "weight" not in takes, ignored)


def name_of(loss: Any) -> str:
    """The name of a loss."""
    return getattr(loss, "__name__", type(loss).__name__)


def own_seed(source: Any, x: Any, seed: Any) -> int | None:
    """`seed`, if it is a number and orders the rows of a source that has been made of `x`."""
    orders = isinstance(source, Batches) and source is not x and source.shuffle
    return int(seed) if orders and isinstance(seed, Integral) else None


def time_steps(data: EpochReader | None) -> int | None:
    """How many time steps an epoch has, if it is known."""
    steps = None if data is None else data.steps
    return int(steps) if isinstance(steps, Integral) else None


def check_part(name: str, part: Any, owner_name: str, owner: Any, example: str) -> None:
    """Raise TypeError or ValueError unless `part` is an object that steps, an optimizer or a schedule, of its owner."""
    if isinstance(part, type) or not hasattr(part, "step"):
        raise TypeError(f"{name}: expected an object as {example} makes it, got {kind_of(part)}")
    if getattr(part, owner_name, owner) is not owner:
        raise ValueError(f"{name}: expected one of this {owner_name}, got one of another")


def as_monitor(monitor: Any, mode: Any, validated: bool, schedule: Any) -> str:
    """The column of the history that is watched. Whether there is one of this name is known in the first step."""
    mode = as_choice("mode", mode, ("min", "max"))
    if monitor is None:
        if mode == "max":
            raise ValueError("monitor: expected a column of the history with mode='max', got None")
        monitor = "val_loss" if validated else "loss"
    if not isinstance(monitor, str):
        raise TypeError(f"monitor: expected a column of the history, got {kind_of(monitor)}")
    if isinstance(schedule, ReduceLROnPlateau) and schedule.mode != mode:
        raise ValueError(f"schedule: expected mode={mode!r}, in which fit watches {monitor}, got {schedule.mode!r}")
    return monitor


def as_checkpoint(checkpoint: Any, resume: Any = False, writes: bool = True) -> Checkpoint | None:
    """`checkpoint`, a path or a `Checkpoint`, where a file can be written; None for none, or where others write it."""
    if as_flag("resume", resume) and checkpoint is None:
        raise ValueError("resume: expected a checkpoint to resume from, got none")
    if checkpoint is None or not writes:
        return None
    if isinstance(checkpoint, type):
        raise TypeError(f"checkpoint: expected a path or an object as Checkpoint(path), got {kind_of(checkpoint)}")
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(as_path("checkpoint", checkpoint))
    path = os.path.realpath(checkpoint.path)  # of "", the working folder
    if not os.path.isdir(folder := os.path.dirname(path)):
        raise FileNotFoundError(f"checkpoint: expected a path in a folder that exists, got one in {folder}")
    if os.path.isdir(path):
        raise IsADirectoryError(f"checkpoint: expected a path of a file, got the folder {path}")
    if not os.access(folder, os.W_OK):  # it would show after the first epoch
        raise PermissionError(f"checkpoint: expected a folder in which files may be written, got {folder}")
    return checkpoint
