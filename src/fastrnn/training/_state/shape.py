# SPDX-License-Identifier: BSD-3-Clause
"""The shape of a checkpoint: which parts it has, of which types and in which ranges.

A shape is a function of a place in the checkpoint, such as "training/history/loss/3", and of what is there; it raises
ValueError that names the place. A file whose checksum is right can still hold anything: what is declared here is what
the code that reads a checkpoint relies on. Whether the parts fit the model and the optimizer, those say themselves.
"""

from collections.abc import Callable, Mapping
from reprlib import repr as short
from typing import Any, TypeAlias

import numpy as np

Shape: TypeAlias = Callable[[str, Any], None]

NOT_OURS = "not what save_checkpoint wrote"
MOST = 1 << 62  # of whatever is counted
LARGEST = 1e308


def wrong(place: str, expected: str, value: Any) -> ValueError:
    """The error of a part that is something else than expected."""
    got = f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else short(value)
    return ValueError(f"{NOT_OURS}: {place}: expected {expected}, got {got}")


def _inside(place: str, name: str) -> str:
    """The place of an entry of a dict."""
    return f"{place}/{short(name)[1:-1]}".lstrip("/")


def leaf(expected: str, holds: Callable[[Any], bool]) -> Shape:
    """A part of which a function tells whether it is as expected."""

    def check(place: str, value: Any) -> None:
        if not holds(value):
            raise wrong(place, expected, value)

    return check


def each(shape: Shape) -> Shape:
    """A list of parts of one shape."""

    def check(place: str, value: Any) -> None:
        LIST(place, value)
        for k, item in enumerate(value):
            shape(f"{place}/{k}", item)

    return check


def named(shape: Shape, **special: Shape) -> Shape:
    """A dict of parts of one shape under any names; some names have shapes of their own."""

    def check(place: str, value: Any) -> None:
        DICT(place, value)
        for name, item in value.items():
            special.get(name, shape)(_inside(place, name), item)

    return check


def record(shapes: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """A dict with these names, with or without the optional ones, and no others."""
    known = {**shapes, **(optional or {})}

    def check(place: str, value: Any) -> None:
        DICT(place, value)
        for name in [*shapes, *value]:
            if name not in value:
                raise ValueError(f"{NOT_OURS}: {_inside(place, name)}: expected an entry of this name, got none")
            if name not in known:
                raise ValueError(f"{NOT_OURS}: {_inside(place, name)}: expected no entry of this name, got one")
        for name, item in value.items():
            known[name](_inside(place, name), item)

    return check


def maybe(shape: Shape) -> Shape:
    """The shape, or None."""
    return lambda place, value: None if value is None else shape(place, value)


def is_json(value: Any) -> bool:
    """Whether a value is JSON, without arrays."""
    if isinstance(value, dict | list):
        return all(map(is_json, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, np.ndarray)


def is_state(value: Any) -> bool:
    """Whether a value can be a state of a model: an array, or lists and dicts of states, or None for none."""
    if isinstance(value, dict | list):
        return all(map(is_state, value.values() if isinstance(value, dict) else value))
    return value is None or isinstance(value, np.ndarray)


LIST = leaf("a list", lambda value: isinstance(value, list))
DICT = leaf("a dict", lambda value: isinstance(value, dict))
ARRAY = leaf("an array", lambda value: isinstance(value, np.ndarray))
TEXT = leaf("a string", lambda value: isinstance(value, str))
NUMBER = leaf("a number", lambda value: type(value) is float or (type(value) is int and abs(value) <= MOST))
COUNT = leaf(f"an integer from 0 to {MOST}", lambda value: type(value) is int and 0 <= value <= MOST)
AMOUNT = leaf("a finite number of at least 0", lambda value: type(value) in (int, float) and 0 <= value < LARGEST)
JSON = leaf("numbers, strings, and lists and dicts of them", is_json)
STATE = leaf("arrays, and lists and dicts of them", is_state)

CHECKPOINT = record(
    {"architecture": named(JSON), "model": named(ARRAY), "random": LIST, "training": DICT},
    optional={
        "optimizer": record({"type": TEXT, "state": DICT}, optional={"begun": maybe(named(JSON))}),
        "schedule": record({"type": TEXT, "state": DICT}, optional={"options": named(JSON)}),
    },
)
# What `fit` adds, as "training". Earlier versions wrote one weight for all means, and no options.
FIT = record(
    {
        "step": COUNT,
        "seconds": AMOUNT,
        "place": record(
            {"feed": record({"taken": COUNT, "drawn": COUNT}, {"source": DICT}), "start": COUNT, "first": STATE}
        ),
        "history": named(each(NUMBER), epoch=each(COUNT), step=each(COUNT)),
        "means": record({"totals": named(NUMBER)}, optional={"weights": named(AMOUNT), "weight": AMOUNT}),
        "best": record({"value": NUMBER, "epoch": maybe(COUNT), "bad": COUNT, "parameters": maybe(named(ARRAY))}),
    },
    optional={"options": named(JSON, columns=each(TEXT), monitor=TEXT, mode=TEXT)},
)
