# SPDX-License-Identifier: BSD-3-Clause
"""What an optimizer or a schedule is set to: checked whenever it is set, and for groups of parameters."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from numbers import Integral, Real

import numpy as np

__all__ = ["Count", "Flag", "Hyperparameter", "check_names", "declared", "own_values", "scalar"]


class Hyperparameter:
    """A float attribute between two bounds, checked whenever it is set.

    Parameters
    ----------
    low, high : float
        nan is never between them.
    ends : {"[)", "()", "(]", "[]"}
        Which bounds belong to the interval, as in mathematics.
    """

    def __init__(self, low, high=math.inf, ends="[)"):
        self.low, self.high, self.ends = low, high, ends

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        return self if instance is None else instance.__dict__[self.name]

    def __set__(self, instance, value):
        instance.__dict__[self.name] = self.check(value)

    def check(self, value, name=None):
        """`value` as a float; TypeError or ValueError naming the hyper-parameter, or `name`, if it is none."""
        name = self.name if name is None else name
        if not isinstance(value, Real):
            raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
        left, right = self.ends
        above = value > self.low or (left == "[" and value == self.low)
        below = value < self.high or (right == "]" and value == self.high)
        if not (above and below):
            raise ValueError(f"{name}: expected a number in {left}{self.low}, {self.high}{right}, got {value}")
        return float(value)


class Count(Hyperparameter):
    """An int attribute that is at least `low`."""

    def __init__(self, low=0):
        super().__init__(low)

    def check(self, value, name=None):
        """`value` as an int; TypeError or ValueError if it is none."""
        name = self.name if name is None else name
        if not isinstance(value, Real):
            raise TypeError(f"{name}: expected an integer >= {self.low}, got {type(value).__name__}")
        if not isinstance(value, Integral) or value < self.low:
            raise ValueError(f"{name}: expected an integer >= {self.low}, got {value}")
        return int(value)


class Flag(Hyperparameter):
    """A bool attribute."""

    def __init__(self):
        super().__init__(0, 1, "[]")

    def check(self, value, name=None):
        """`value` as a bool; TypeError if it is none."""
        name = self.name if name is None else name
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{name}: expected True or False, got {value!r}")
        return bool(value)


def declared(kind):
    """The hyper-parameters of a class and its bases: dict of str to Hyperparameter."""
    found = {name: getattr(kind, name) for name in dir(kind)}
    return {name: h for name, h in found.items() if isinstance(h, Hyperparameter)}


def own_values(groups, kind, parameters):
    """The hyper-parameters that parameters have of their own.

    Parameters
    ----------
    groups : mapping of str to mapping
        For each pattern of `fnmatch` over the names of parameters: values of hyper-parameters, by name. A parameter
        belongs to the first pattern that matches it.
    kind : type
        What declares the hyper-parameters.
    parameters : list of str

    Returns
    -------
    own : dict of str to dict
        The checked values of each parameter's group; empty where it belongs to none.

    Raises
    ------
    TypeError, ValueError
        A value or the name of a hyper-parameter is wrong, or a pattern is left without a parameter.
    """
    if not isinstance(groups, Mapping):
        raise TypeError(f"groups: expected a mapping of patterns to hyper-parameters, got {type(groups).__name__}")
    own, taken = {name: {} for name in parameters}, {}  # taken: parameter -> pattern
    for pattern, values in groups.items():
        what = f"groups[{pattern!r}]"
        if not isinstance(pattern, str):
            raise TypeError(f"groups: expected patterns of parameter names, got {pattern!r}")
        checked = _checked(what, values, kind)
        matching = [name for name in parameters if fnmatchcase(name, pattern)]
        if not matching:
            raise ValueError(f"{what}: expected a match among {', '.join(parameters)}, got none")
        new = [name for name in matching if name not in taken]
        if not new:
            earlier = ", ".join(repr(p) for p in dict.fromkeys(taken[name] for name in matching))
            raise ValueError(f"{what}: expected a parameter that no earlier pattern takes, got only those of {earlier}")
        for name in new:
            own[name], taken[name] = dict(checked), pattern
    return own


def _checked(what, values, kind):
    hyperparameters = declared(kind)
    if not isinstance(values, Mapping):
        raise TypeError(f"{what}: expected a mapping of hyper-parameters to values, got {type(values).__name__}")
    for name in values:
        if name not in hyperparameters:
            known = f"{kind.__name__} ({', '.join(hyperparameters)})"
            raise ValueError(f"{what}: expected hyper-parameters of {known}, got {name!r}")
    return {name: hyperparameters[name].check(value, f"{what}[{name!r}]") for name, value in values.items()}


def check_names(state, expected):
    """Raise ValueError unless the entries of `state` are exactly those expected."""
    if not isinstance(state, Mapping):
        raise TypeError(f"state: expected a mapping, as state_dict returns it, got {type(state).__name__}")
    for name in expected:
        if name not in state:
            raise ValueError(f"{name}: expected an entry of this name, got none")
    for name in state:
        if name not in expected:
            raise ValueError(f"{name}: expected no entry of this name, got one")


def scalar(name, state):
    """An entry of a state as a plain number; an array of shape (), as files give them back, does for one."""
    value = np.asarray(state[name])
    if value.shape != ():
        raise ValueError(f"{name}: expected a number, got shape {value.shape}")
    return value.item()
