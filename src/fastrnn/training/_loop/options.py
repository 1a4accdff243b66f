# SPDX-License-Identifier: BSD-3-Clause
"""Checks of the arguments of `fit`, before anything is trained."""

import os
from typing import Any

from ..._engine.arguments import as_path
from ...optim import Adam, Optimizer
from .._data.source import EpochReader, as_source, is_list_of_batches
from .._state.checkpoints import Checkpoint
from .truncated import as_windows, check_cuttable


def as_validation(validation: Any, epochs: int, **options: Any) -> EpochReader:
    """`validation`, (x, y) or an iterable of batches, as epochs."""
    pair = isinstance(validation, tuple | list) and len(validation) == 2 and not is_list_of_batches(validation)
    x, y = validation if pair else (validation, None)
    try:
        source = as_source(x, y, shuffle=False, **options)
    except (TypeError, ValueError) as error:
        error.add_note("in validation, which is (x, y) or an iterable of batches")
        raise
    if hasattr(source, "__next__") and epochs > 1:
        raise ValueError(
            f"validation: expected batches for each of {epochs} epochs, got a {type(source).__name__}, which gives "
            "them once; give a function that makes one"
        )
    return EpochReader(source)


def as_optimizer(optimizer: Any, model: Any) -> Optimizer:
    """`optimizer`, which is of this model; `Adam` if it is None."""
    if optimizer is None:
        return Adam(model)
    _check_steps("optimizer", optimizer, "Adam(model)")
    if getattr(optimizer, "model", model) is not model:
        raise ValueError("optimizer: expected one of this model, got one of another")
    return optimizer


def check_schedule(schedule: Any, optimizer: Any) -> None:
    """Raise TypeError or ValueError unless it is a schedule of this optimizer."""
    _check_steps("schedule", schedule, "StepLR(optimizer, 10)")
    if getattr(schedule, "optimizer", optimizer) is not optimizer:
        raise ValueError("schedule: expected one of this optimizer, got one of another")


def _check_steps(name: str, value: Any, example: str) -> None:
    """Raise TypeError unless it is an object that steps."""
    if isinstance(value, type) or not hasattr(value, "step"):
        got = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise TypeError(f"{name}: expected an object as {example} makes it, got {got}")


def as_truncate(truncate: Any, model: Any) -> tuple[int, int]:
    """`truncate` as (k1, k2), if the model can be cut in time."""
    k1, k2 = as_windows("truncate", truncate)
    check_cuttable(model)
    return k1, k2


def as_checkpoint(checkpoint: Any) -> Checkpoint:
    """`checkpoint`, a path or a `Checkpoint`, where a file can be written."""
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(as_path("checkpoint", checkpoint))
    if not os.path.isdir(folder := os.path.dirname(os.path.realpath(checkpoint.path))):
        raise FileNotFoundError(f"checkpoint: expected a path in a folder that exists, got one in {folder}")
    if os.path.isdir(checkpoint.path):
        raise IsADirectoryError(f"checkpoint: expected a path of a file, got the folder {checkpoint.path}")
    return checkpoint
