# SPDX-License-Identifier: BSD-3-Clause
"""Attributes that are checked whenever they are set; groups are tested with optimizers, in test_optim."""

import math
import re

import numpy as np
import pytest

from fastrnn.optim._hyperparameters import Count, Flag, Hyperparameter, check_names, declared, own_values, scalar


class Settings:
    half_open = Hyperparameter(0, 1)
    open = Hyperparameter(0, 1, "()")
    left_open = Hyperparameter(0, 1, "(]")
    closed = Hyperparameter(-math.inf, math.inf, "[]")
    count = Count(1)
    flag = Flag()


@pytest.mark.parametrize(
    "name, value",
    [
        ("half_open", 0),
        ("half_open", np.float32(0.5)),
        ("open", 1e-300),
        ("left_open", 1),
        ("closed", math.inf),
        ("closed", -math.inf),
        ("count", np.int64(1)),
        ("count", 10**30),
        ("flag", np.bool_(True)),
        ("flag", False),
    ],
)
def test_a_value_in_range_becomes_a_plain_one(name, value):
    settings = Settings()
    setattr(settings, name, value)
    kind = {"count": int, "flag": bool}.get(name, float)
    assert type(getattr(settings, name)) is kind
    assert getattr(settings, name) == value


@pytest.mark.parametrize(
    "name, value, error, text",
    [
        ("half_open", 1, ValueError, "half_open: expected a number in [0, 1), got 1"),
        ("half_open", -1e-300, ValueError, "half_open: expected a number in [0, 1), got -1e-300"),
        ("open", 0.0, ValueError, "open: expected a number in (0, 1), got 0.0"),
        ("open", 1.0, ValueError, "open: expected a number in (0, 1), got 1.0"),
        ("left_open", 0, ValueError, "left_open: expected a number in (0, 1], got 0"),
        ("left_open", 2, ValueError, "left_open: expected a number in (0, 1], got 2"),
        ("closed", math.nan, ValueError, "closed: expected a number in [-inf, inf], got nan"),
        ("closed", "1", TypeError, "closed: expected a number, got str"),
        ("count", 0, ValueError, "count: expected an integer >= 1, got 0"),
        ("count", 2.0, ValueError, "count: expected an integer >= 1, got 2.0"),
        ("count", None, TypeError, "count: expected an integer >= 1, got NoneType"),
        ("flag", 1, TypeError, "flag: expected True or False, got 1"),
    ],
)
def test_another_is_refused_and_changes_nothing(name, value, error, text):
    settings = Settings()
    before = {"count": 3, "flag": True}.get(name, 0.5)
    setattr(settings, name, before)
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        setattr(settings, name, value)
    assert getattr(settings, name) == before


def test_declared_knows_those_of_the_bases_too():
    class More(Settings):
        another = Count()

    assert list(declared(More)) == ["another", "closed", "count", "flag", "half_open", "left_open", "open"]


def test_own_values_are_checked_copies():
    groups = {"a*": {"count": np.int32(2)}}
    own = own_values(groups, Settings, ["ab", "ac", "b"])
    assert own == {"ab": {"count": 2}, "ac": {"count": 2}, "b": {}}
    assert type(own["ab"]["count"]) is int
    own["ab"]["count"] = 3
    assert own["ac"] == {"count": 2} and groups == {"a*": {"count": 2}}


def test_names_of_a_state():
    check_names({"a": 1, "b": 2}, ["b", "a"])
    with pytest.raises(ValueError, match="^b: expected an entry of this name, got none$"):
        check_names({"a": 1}, ["a", "b"])
    with pytest.raises(ValueError, match="^b: expected no entry of this name, got one$"):
        check_names({"a": 1, "b": 2}, ["a"])


@pytest.mark.parametrize("value", [1, 0.5, True])
def test_scalar_gives_back_what_a_file_made_an_array(value):
    assert scalar("x", {"x": np.asarray(value)}) == value
    assert type(scalar("x", {"x": np.asarray(value)})) is type(value)
