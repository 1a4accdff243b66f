# SPDX-License-Identifier: BSD-3-Clause
"""How the options of a resumed training differ from those that it began with, in words."""

import json
from collections.abc import Mapping, Sequence
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np

from ...nn._configurable import Configurable, options_of
from ...optim import Optimizer, Schedule
from ...optim._groups import hyperparameters_of, numbers_of
from ...optim._state import scalar

FIXED = "columns", "monitor", "mode"  # of fit: a history of two kinds of rows, or a best epoch of two, means nothing


class Difference(NamedTuple):
    """One option.

    Attributes
    ----------
    name : str
    saved, given : object
        Its value in the checkpoint, and that of the caller.
    kept : bool
        Whether that of the checkpoint is used.
    """

    name: str
    saved: Any
    given: Any
    kept: bool


def warning_of(path: Any, found: Sequence[Difference], remedy: str) -> str:
    """The text of the warning."""
    kept = [f"{d.name} ({short(d.saved)}, given {short(d.given)})" for d in found if d.kept]
    used = [f"{d.name} ({short(d.given)}, in the checkpoint {short(d.saved)})" for d in found if not d.kept]
    text = f"{path}: the options differ from those of the checkpoint."
    if kept:
        text += f" Those of the checkpoint are used for {', '.join(kept)}: to change them, {remedy}, or start anew."
    if used:
        text += f" Those given are used for {', '.join(used)}: the results are not those of a training without a break."
    return text


def differences_of_parts(content: Mapping[str, Any], optimizer: Any, schedule: Any) -> list[Difference]:
    """The differences of an optimizer and a schedule (or None) before the checkpoint is loaded.

    The optimizer's options are part of its state, and used. A schedule is a function of its options, which are not.
    """
    found = []
    if isinstance(optimizer, Optimizer):
        found += _of_optimizer(content["optimizer"], optimizer, content.get("schedule"), schedule)
    if isinstance(schedule, Schedule) and "options" in content["schedule"]:
        saved, given = content["schedule"]["options"], options_of_schedule(schedule)
        for name in {**saved, **given}:
            a, b = saved.get(name, "default"), given.get(name, "default")
            found += [Difference(f"schedule.{name}", a, b, kept=False)] if a != b else []
    return found


def _of_optimizer(
    saved: Mapping[str, Any], optimizer: Optimizer, saved_schedule: Any, schedule: Any
) -> list[Difference]:
    """An option counts as changed if it is neither what the training began with nor what it has come to."""
    options, state = hyperparameters_of(type(optimizer)), saved["state"]
    begun = saved.get("begun") or ({} if scalar("steps", state) else state)  # an earlier version did not write it
    begun = {name: option.check(name, scalar(name, begun)) for name, option in options.items() if name in begun}
    given = numbers_of(optimizer) | (optimizer.begun or {})
    found = []
    for name, option in options.items():
        used = scalar(name, state) if name in state else option.default
        first, own = begun.get(name, used), given[name]
        if name == "lr":  # a schedule sets it, and it begins where the schedule began
            first = begun.get("lr", own)  # what is unknown is no difference
            if saved_schedule is not None and "initial_lr" in saved_schedule["state"]:
                first = scalar("initial_lr", saved_schedule["state"])
            elif saved_schedule is not None:
                first = own
            if schedule is not None:
                used, own = first, getattr(schedule, "initial_lr", first)
        if own not in (first, used):
            found.append(Difference(f"optimizer.{name}", used, own, kept=True))
    return found


def as_json(value: Any) -> Any:
    """An option as a file gives it back, with lists in place of tuples and of what NumPy has for numbers."""
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def options_of_schedule(schedule: Any) -> dict[str, Any]:
    """The options of a schedule, and of schedules in them by names with dots, as JSON gives them back."""
    if not isinstance(schedule, Configurable):
        return {}
    flat = json.loads(json.dumps(schedule.config()))
    for name in options_of(type(schedule)):
        value = vars(schedule).get(name)
        for k, part in enumerate(value if isinstance(value, list | tuple) else [value]):
            if isinstance(part, Schedule):
                key = name if part is value else f"{name}.{k}"
                flat[key] = type(part).__name__
                flat |= {f"{key}.{inner}": v for inner, v in options_of_schedule(part).items()}
    return flat


def differences_of_fit(
    path: Any, content: Mapping[str, Any], given: Mapping[str, Any], schedule: Any
) -> list[Difference]:
    """The differences of the options of `fit`.

    Parameters
    ----------
    path : str or os.PathLike
    content : mapping
        The checkpoint. An earlier version wrote no options; the columns of its history tell some.
    given : mapping
        The options now.
    schedule : Schedule or None

    Raises
    ------
    ValueError
        To continue with these options would mean nothing.
    """
    state = content["training"]
    saved = state["options"] if "options" in state else _options_of_history(state["history"], given["columns"])
    if sorted(saved.get("columns", given["columns"])) != sorted(given["columns"]):
        expected, got = (", ".join(options["columns"]) for options in (saved, given))
        raise ValueError(
            f"{path}: metrics, validation, penalty: expected those of the checkpoint, whose history has the columns "
            f"{expected}, got those of {got}"
        )
    for name in FIXED[1:]:
        if saved.get(name, given[name]) != given[name]:
            raise ValueError(f"{path}: {name}: expected {saved[name]!r}, as in the checkpoint, got {given[name]!r}")
    truncate = given["truncate"]
    if state["place"]["start"] and (truncate is None or saved.get("truncate", truncate) != truncate):
        expected, start = saved.get("truncate") or "k1 or (k1, k2)", state["place"]["start"]
        raise ValueError(
            f"{path}: truncate: expected {expected}, as in the checkpoint, which is at step {start} of a batch, got "
            f"{truncate}"
        )
    names = [name for name in given if name not in FIXED and saved.get(name, given[name]) != given[name]]
    if "seed" in names and None in (saved["seed"], given["seed"]):  # None asks for no order of its own
        names.remove("seed")
    found = [Difference(name, saved[name], given[name], kept=name == "seed") for name in names]
    if schedule is None and "schedule" in content:
        found.append(Difference("schedule", content["schedule"]["type"], None, kept=False))
    return found


def _options_of_history(history: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """The options of a checkpoint of an earlier version, as far as its history shows them."""
    if not history:
        return {}
    ours = {*columns, "penalty", *(name for name in history if name.startswith("val_") or f"val_{name}" in history)}
    known = [name for name in history if name in ours]  # others may be what layers report
    return {"columns": known, "monitor": "val_loss" if "val_loss" in history else "loss", "mode": "min"}
