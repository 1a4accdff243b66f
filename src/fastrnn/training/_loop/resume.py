# SPDX-License-Identifier: BSD-3-Clause
"""Resuming a training from a checkpoint, with checks of its content."""

import os
import warnings
from typing import Any

import numpy as np

from .._data.batch import Batch, between
from .._data.draw import Draw
from .._state.checkpoints import Checkpoint, naming, read_content, restore
from .._state.differences import Difference, differences_of_fit, warning_of
from .._state.shape import FIT, wrong
from .loop import Training
from .truncated import as_cuttable


def written(checkpoint: Checkpoint | None) -> tuple[str, dict[str, Any]] | None:
    """The path and the content of a checkpoint; None if there is no such file yet."""
    if checkpoint is None or not os.path.exists(checkpoint.path):
        return None
    return checkpoint.path, read_content(checkpoint.path)


def resume_from(run: Training, saved: tuple[str, dict[str, Any]], schedule: Any) -> None:
    """Continue from what `written` returned. Nothing is changed unless all of it fits; a warning names other options.

    Only whether the state within a batch fits the batch shows when that is read: see `check_state`.
    """
    path, content = saved
    with run.stepper.together():
        found = _loaded(run, path, content, schedule)

    def check_batch(batch: Batch | Draw) -> None:
        with naming(path):
            check_state(run, batch)

    run.check_batch = check_batch
    if found:
        remedy = "call load_checkpoint, set them and call fit without resume"
        warnings.warn(warning_of(path, found, remedy), stacklevel=3)  # the caller of fit


def _loaded(run: Training, path: str, content: dict[str, Any], schedule: Any) -> list[Difference]:
    """Load the state of a checkpoint into a training, and return the options that differ."""
    state = content["training"]
    if "place" not in state:
        raise ValueError(f"{path}: expected a checkpoint that fit wrote, got one of save_checkpoint alone")
    with naming(path):
        FIT("training", state)
    found = differences_of_fit(path, content, run.all_options(), schedule)
    with naming(path):
        check_progress(run, state)
        check_best(state["best"], len(state["history"].get("epoch", ())), content["model"])
        with naming("training/place/feed"):
            run.data.load_state_dict(state["place"]["feed"])
        found = restore(content, run.model, run.optimizer, schedule) + found
    run.load_state_dict(state)
    return found


def check_progress(run: Training, state: dict[str, Any]) -> None:
    """Raise ValueError unless the history, the means and the position are those of one training."""
    history, means, place = state["history"], state["means"], state["place"]
    count = len(next(iter(history.values()), ()))
    for name in [*history, *(run.columns if count else ())]:
        if len(history.get(name, ())) != count:
            raise wrong(f"training/history/{name}", f"a list of {count}, as the others", history.get(name))
    if history.get("epoch", []) != [*range(1, count + 1)]:
        raise wrong("training/history/epoch", f"the numbers from 1 to {count}", history["epoch"])
    steps = [0, *history.get("step", ()), state["step"]]
    if steps != sorted(steps):
        raise wrong("training/step", "a number of updates that does not fall", steps)
    if "weights" in means and means["weights"].keys() != means["totals"].keys():
        raise wrong("training/means/weights", f"one for each of {', '.join(means['totals'])}", means["weights"])
    if not means.keys() & {"weights", "weight"}:
        raise wrong("training/means", "totals and weights", means)
    if run.truncate is None:
        for name in "taken", "drawn":  # each batch has made an update
            if place["feed"][name] > state["step"]:
                raise wrong(f"training/place/feed/{name}", f"at most {state['step']} batches", place["feed"][name])
    elif place["start"] % run.truncate[0]:
        raise wrong("training/place/start", f"a multiple of {run.truncate[0]}", place["start"])
    if not place["start"] and place["first"] is not None:
        raise wrong("training/place/first", "None at the start of a batch", place["first"])


def check_best(best: dict[str, Any], epochs: int, parameters: dict[str, Any]) -> None:
    """Raise ValueError unless the best epoch is one of those that have been, with parameters like the others."""
    if best["epoch"] is not None and not 1 <= best["epoch"] <= epochs:
        raise wrong("training/best/epoch", f"a number from 1 to {epochs}", best["epoch"])
    if best["bad"] > epochs:
        raise wrong("training/best/bad", f"at most {epochs}", best["bad"])
    if best["parameters"] is None:
        return
    if best["parameters"].keys() != parameters.keys():
        raise wrong("training/best/parameters", "those of the model", [*best["parameters"]])
    for name, array in best["parameters"].items():
        _check_like(f"training/best/parameters/{name}", array, parameters[name])


def check_state(run: Training, batch: Batch | Draw) -> None:
    """Raise ValueError unless a training can continue with a batch within which it is."""
    _, start, _ = run.cursor
    for part, first in run.stepper.parts(run, batch, start, run.cursor.first):
        _check_part(run, part, start, first)


def _check_part(run: Training, batch: Batch, start: int, first: Any) -> None:
    k1, k2 = run.truncate or (1, 1)
    batch, steps, axis = as_cuttable(run.objective, batch)
    if start >= steps:
        raise wrong("training/place/start", f"a step of the batch, which has {steps}", start)
    at_begin = start + k1 <= k2  # the next window goes back to the first step, where there is no state
    expected = None if at_begin else run.objective.run(between(batch, 0, 1, axis), training=False)[1]
    _compare("training/place/first", expected, first)


def _compare(place: str, expected: Any, saved: Any) -> None:
    """Raise ValueError unless two states have the same arrays; a file has lists in place of tuples."""
    if isinstance(expected, list | tuple):
        if not isinstance(saved, list) or len(saved) != len(expected):
            raise wrong(place, f"a list of {len(expected)}", saved)
        for k, pair in enumerate(zip(expected, saved, strict=True)):
            _compare(f"{place}/{k}", *pair)
    elif isinstance(expected, dict):
        if not isinstance(saved, dict) or saved.keys() != expected.keys():
            raise wrong(place, f"a dict of {', '.join(expected)}", saved)
        for name in expected:
            _compare(f"{place}/{name}", expected[name], saved[name])
    elif isinstance(expected, np.ndarray):
        _check_like(place, saved, expected)
    elif saved is not None:
        raise wrong(place, "None", saved)


def _check_like(place: str, saved: Any, expected: Any) -> None:
    if not isinstance(saved, np.ndarray) or (saved.dtype, saved.shape) != (expected.dtype, expected.shape):
        raise wrong(place, f"{expected.dtype} of shape {expected.shape}", saved)
