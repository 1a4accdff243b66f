# SPDX-License-Identifier: BSD-3-Clause
"""The hyper-parameters of an optimizer, and groups of parameters that have values of their own."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from ..nn._configurable import Configurable, options_of
from ..nn._option import Option
from ..nn._options import Choice, Flag, NumberOption, SizeOption


def hyperparameters_of(kind: type[Configurable]) -> dict[str, Option[Any, Any]]:
    """The options of a class that are single values, in alphabetical order: each has an entry in a state_dict."""
    options = options_of(kind)
    return {k: options[k] for k in sorted(options) if isinstance(options[k], NumberOption | SizeOption | Flag | Choice)}


def group_values(groups: Any, kind: type[Configurable], parameters: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The hyper-parameters that each parameter has from its group.

    Parameters
    ----------
    groups : mapping of str to mapping
        For each pattern of `fnmatch` over the names of parameters: values of hyper-parameters, by name. A parameter
        belongs to the first pattern that matches it, by any of its names.
    kind : type
        The class that declares the hyper-parameters.
    parameters : mapping of str to str
        For each name the first name of the same parameter.

    Returns
    -------
    dict of str to dict
        The checked values of each parameter's group, by its first name; empty for a parameter of no group.

    Raises
    ------
    TypeError, ValueError
        A value or the name of a hyper-parameter is wrong, or a pattern is the first match of no parameter.
    """
    if not isinstance(groups, Mapping):
        raise TypeError(f"groups: expected a mapping of patterns to hyper-parameters, got {type(groups).__name__}")
    values: dict[str, dict[str, Any]] = {first: {} for first in parameters.values()}
    pattern_of: dict[str, str] = {}
    for pattern, group in groups.items():
        what = f"groups[{pattern!r}]"
        if not isinstance(pattern, str):
            raise TypeError(f"groups: expected patterns of parameter names, got {pattern!r}")
        checked = _checked(what, group, kind)
        matching = matches(parameters, pattern)
        if not matching:
            raise ValueError(f"{what}: expected a match among {', '.join(parameters)}, got none")
        new = [name for name in matching if name not in pattern_of]
        if not new:
            earlier = ", ".join(repr(p) for p in dict.fromkeys(pattern_of[name] for name in matching))
            raise ValueError(f"{what}: expected a parameter that no earlier pattern takes, got only those of {earlier}")
        for name in new:
            values[name], pattern_of[name] = dict(checked), pattern
    return values


def matches(parameters: Mapping[str, str], pattern: str) -> list[str]:
    """The first name of each parameter of which any name matches a pattern of `fnmatch`."""
    return list(dict.fromkeys(first for name, first in parameters.items() if fnmatchcase(name, pattern)))


def _checked(what: str, group: Any, kind: type[Configurable]) -> dict[str, Any]:
    hyperparameters = hyperparameters_of(kind)
    if not isinstance(group, Mapping):
        raise TypeError(f"{what}: expected a mapping of hyper-parameters to values, got {type(group).__name__}")
    for name in group:
        if name not in hyperparameters:
            known = f"{kind.__name__} ({', '.join(hyperparameters)})"
            raise ValueError(f"{what}: expected hyper-parameters of {known}, got {name!r}")
    return {name: hyperparameters[name].check(f"{what}[{name!r}]", value) for name, value in group.items()}
