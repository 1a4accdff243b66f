# SPDX-License-Identifier: BSD-3-Clause
"""Checks of the entries of a state_dict."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

import numpy as np

from ..nn._state_dict import same_values


def check_names(state: Any, expected: Iterable[str], optional: Container[str] = ()) -> None:
    """Raise TypeError or ValueError unless `state` is a mapping with the expected names, or without `optional` ones."""
    if not isinstance(state, Mapping):
        raise TypeError(f"state: expected a mapping, as state_dict returns it, got {type(state).__name__}")
    expected = dict.fromkeys(expected)  # there may be tens of thousands
    for name in expected:
        if name not in state and name not in optional:
            raise ValueError(f"{name}: expected an entry of this name, got none")
    for name in state:
        if name not in expected:
            raise ValueError(f"{name}: expected no entry of this name, got one")


def check_repeats(state: Mapping[str, Any], repeats: Mapping[str, str]) -> None:
    """Raise ValueError unless an entry that says again what another says has its values; neither need be there."""
    for name, other in repeats.items():
        if name in state and other in state and not same_values(state[name], state[other]):
            raise ValueError(f"{name}: expected the values of {other}, which is of the same parameter, got others")


def repeated_entries(parameters: Mapping[str, str], kinds: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """``"kind.name"`` of further names of parameters, each with that of the first name of the same parameter.

    Parameters
    ----------
    parameters : mapping of str to str
        For each name the first name of the same parameter.
    kinds : mapping of str to iterable of str
        Which entries a parameter has, by its first name.
    """
    further = [(name, first) for name, first in parameters.items() if name != first]
    return {f"{kind}.{name}": f"{kind}.{first}" for name, first in further for kind in kinds[first]}


def scalar(name: str, state: Mapping[str, Any]) -> Any:
    """An entry as a plain number; it may be an array of shape (), as files return numbers."""
    value = np.asarray(state[name])
    if value.shape != ():
        raise ValueError(f"{name}: expected a number, got shape {value.shape}")
    return value.item()
