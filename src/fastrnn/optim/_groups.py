# SPDX-License-Identifier: BSD-3-Clause
"""The hyper-parameters of an optimizer, and groups of parameters that have values of their own."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from ..nn._configurable import Configurable, options_of
from ..nn._option import Option, Provided, Value
from ..nn._options import Choice, Flag, NumberOption, SizeOption


class Several(Option[Provided, Value]):
    """An option that sets several hyper-parameters at once.

    Attributes
    ----------
    parts : tuple of str
        Their names, in the order of the values.
    """

    parts: tuple[str, ...] = ()


def hyperparameters_of(kind: type[Configurable]) -> dict[str, Option[Any, Any]]:
    """The options of a class that are single values, in alphabetical order: each has an entry in a state_dict."""
    options = options_of(kind)
    return {k: options[k] for k in sorted(options) if isinstance(options[k], NumberOption | SizeOption | Flag | Choice)}


def numbers_of(optimizer: Configurable) -> dict[str, Any]:
    """The hyper-parameters of an optimizer now, by name."""
    return {name: getattr(optimizer, name) for name in hyperparameters_of(type(optimizer))}


def checked_groups(groups: Any, kind: type[Configurable]) -> dict[str, dict[str, Any]]:
    """`groups` with checked values: for each pattern, the values of hyper-parameters by name.

    Parameters
    ----------
    groups : mapping of str to mapping
        For each pattern of `fnmatch` over the names of parameters: values by the names of hyper-parameters, or of an
        option that sets several at once, as `betas` does.
    kind : type
        The class that declares them.

    Raises
    ------
    TypeError, ValueError
        A value, or the name of a hyper-parameter, is wrong.
    """
    if not isinstance(groups, Mapping):
        raise TypeError(f"groups: expected a mapping of patterns to hyper-parameters, got {type(groups).__name__}")
    if odd := [pattern for pattern in groups if not isinstance(pattern, str)]:
        raise TypeError(f"groups: expected patterns of parameter names, got {odd[0]!r}")
    return {pattern: _checked(f"groups[{pattern!r}]", group, kind) for pattern, group in groups.items()}


def _checked(what: str, group: Any, kind: type[Configurable]) -> dict[str, Any]:
    options, hyperparameters = options_of(kind), hyperparameters_of(kind)
    parts = {name: option.parts for name, option in options.items() if isinstance(option, Several)}
    if not isinstance(group, Mapping):
        raise TypeError(f"{what}: expected a mapping of hyper-parameters to values, got {type(group).__name__}")
    values: dict[str, Any] = {}
    for name, value in group.items():
        if name not in hyperparameters and name not in parts:
            known = f"{kind.__name__} ({', '.join([*parts, *hyperparameters])})"
            raise ValueError(f"{what}: expected hyper-parameters of {known}, got {name!r}")
        checked = options[name].check(f"{what}[{name!r}]", value)
        new = dict(zip(parts[name], checked, strict=True)) if name in parts else {name: checked}
        if twice := values.keys() & new.keys():
            raise ValueError(f"{what}: expected one value for {min(twice)}, got two")
        values |= new
    return values


def group_values(groups: Mapping[str, dict[str, Any]], parameters: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The hyper-parameters that each parameter has from its group.

    Parameters
    ----------
    groups : mapping of str to dict
        Values for each pattern. A parameter belongs to the first pattern that matches it, by any of its names.
    parameters : mapping of str to str
        For each name the first name of the same parameter.

    Returns
    -------
    dict of str to dict
        A copy of the values of each parameter's group, by its first name; empty for a parameter of no group.

    Raises
    ------
    ValueError
        A pattern is the first match of no parameter.
    """
    pattern_of: dict[str, str] = {}
    for pattern in groups:
        what = f"groups[{pattern!r}]"
        matching = matches(parameters, pattern)
        if not matching:
            raise ValueError(f"{what}: expected a match among {', '.join(parameters)}, got none")
        new = [name for name in matching if name not in pattern_of]
        if not new:
            earlier = ", ".join(repr(p) for p in dict.fromkeys(pattern_of[name] for name in matching))
            raise ValueError(f"{what}: expected a parameter that no earlier pattern takes, got only those of {earlier}")
        pattern_of |= dict.fromkeys(new, pattern)
    return {name: dict(groups[pattern_of[name]]) if name in pattern_of else {} for name in parameters.values()}


def matches(parameters: Mapping[str, str], pattern: str) -> list[str]:
    """The first name of each parameter of which any name matches a pattern of `fnmatch`."""
    return list(dict.fromkeys(first for name, first in parameters.items() if fnmatchcase(name, pattern)))


def shown_groups(groups: Mapping[str, dict[str, Any]], lr: float) -> dict[str, dict[str, Any]]:
    """Groups as they were given, with the `lr` of each, stored as a multiple, as it is now."""
    lrs = {pattern: {"lr": float(f"{values['lr'] * lr:.12g}")} for pattern, values in groups.items() if "lr" in values}
    return {pattern: values | lrs.get(pattern, {}) for pattern, values in groups.items()}
