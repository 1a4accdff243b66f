# SPDX-License-Identifier: BSD-3-Clause
"""Helpers of `state_dict` and `load_state_dict`: copies, renaming entries, and writing them into arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._engine.arguments import Array
from ._parameters import NamedArrays, as_entry


def copied_once(stored: NamedArrays) -> dict[str, Array]:
    """Copies of arrays, each under its first name; ValueError of one that `load_entries` would refuse."""
    damage = stored.damaged()
    if damage is not None and stored[damage[0]].flags.writeable:  # a read-only one can be copied
        raise ValueError("params[{!r}]: {}".format(*damage))
    return {name: array.copy() for name, array in stored.items()}


def copied_entries(stored: NamedArrays) -> dict[str, Array]:
    """`copied_once`, under all names that they have."""
    copies = copied_once(stored)
    return {name: copies[first] for name, first in stored.first_names().items()}


def check_mapping(state_dict: Any) -> None:
    """Raise TypeError unless it is a mapping."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"state_dict: expected a mapping of names to arrays, got {type(state_dict).__name__}")


def renamed(arrays: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Named arrays under new names: `names` gives those of entries, or of what entries begin with up to a dot."""
    check_mapping(arrays)
    unused, result = dict(names), {}
    for name, array in arrays.items():
        parts = name.split(".")
        heads = [".".join(parts[:k]) for k in range(len(parts), -1, -1)]  # the longest first, "" last
        head = next((head for head in heads if head in names), None)
        new = name if head is None else ".".join(filter(None, [names[head], name[len(head) :].lstrip(".")]))
        unused.pop(head or "", None)
        if new in result:
            raise ValueError(f"rename: expected different names, got {new} for two entries, one of them {name}")
        result[new] = array
    if unused:
        raise ValueError(f"rename: expected beginnings of {', '.join(arrays)}, got {', '.join(map(repr, unused))}")
    return result


def load_entries(stored: NamedArrays, state_dict: Any, owner: str, other_names: Mapping[str, str]) -> None:
    """Write the arrays of `state_dict` into those of `stored`, which it names exactly, or write nothing.

    A name in `other_names` stands for the one there, unless `state_dict` has that, too. Of several names of one array
    some may be missing; the values for the others are the same.
    """
    check_mapping(state_dict)
    first, targets = stored.first_names(), dict(stored.items())
    others = {other: first[own] for other, own in other_names.items() if own not in state_dict}
    target_of = {name: own for name, own in (others | dict(first)).items() if name in state_dict}
    provided = set(target_of.values())
    missing = [name for name in targets if name not in provided]
    unknown = [name for name in state_dict if name not in target_of]
    if missing or unknown:
        lists = ("missing", missing), ("unknown", unknown)
        got = "; ".join(f"{word} {', '.join(map(str, names))}" for word, names in lists if names)
        raise ValueError(f"state_dict: expected the names of {owner}.state_dict(), got {got}")
    values: dict[str, tuple[str, Array]] = {}
    for name, own in target_of.items():
        target = targets[own]
        value = as_entry(name, state_dict[name], target)
        other, earlier = values.setdefault(own, (name, value))
        if value is not earlier and not same_values(value.astype(target.dtype), earlier.astype(target.dtype)):
            raise ValueError(f"{name}: expected the values of {other}, which is the same array, got others")
    for own, (_, value) in values.items():
        targets[own][...] = value


def same_values(a: Any, b: Any) -> bool:
    """Whether two arrays have the same values; nan is the same as nan."""
    return np.array_equal(a, b, equal_nan=True)
