# SPDX-License-Identifier: BSD-3-Clause
"""Names of earlier versions still work, with a warning."""

import inspect
import math
import re

import numpy as np
import pytest
from support.optimizers import Model, train

from fastrnn.nn._configurable import Configurable
from fastrnn.nn._options import Flag, Size
from fastrnn.optim import Adam, Hyperparameter, Optimizer

MESSAGE = r"^fastrnn\.optim\.Hyperparameter\(low, high\) is deprecated since version 0\.2 and will be removed in 0\.4: "


def test_an_optimizer_with_an_init_of_its_own_works_as_before():
    """With weight decay and groups."""

    class Running(Optimizer):
        with pytest.warns(DeprecationWarning, match=MESSAGE):
            decay = Hyperparameter(0, 1)
        moments = ("v",)

        def __init__(self, model, lr=1e-2, decay=0.9, **options):
            super().__init__(model, lr, **options)
            self.decay = decay

        def update(self, p, g, v):
            v *= self.decay
            v += (1 - self.decay) * g**2
            p -= self.lr * g / (np.sqrt(v) + 1e-8)

    model, adam_model = Model(), Model()
    groups = {"gain": {"lr": 0.05, "weight_decay": 0.0}}
    optimizer = Running(model, lr=0.1, weight_decay=0.5, groups={"gain": groups["gain"] | {"decay": 0.75}})
    train(model, optimizer, range(1))
    groups["gain"]["lr"] = 0.05 / math.sqrt(1 - 0.75)
    train(adam_model, Adam(adam_model, lr=0.1 / math.sqrt(0.1), weight_decay=0.5, groups=groups), range(1))
    for name, p in model.params.items():  # one step: Adam without its bias correction, nearly
        np.testing.assert_allclose(p, adam_model.params[name], rtol=1e-3)
    assert optimizer.state_dict().keys() >= {"lr", "decay", "decay.gain", "steps", "v.weight"}
    assert str(inspect.signature(Running)) == "(model, lr=0.01, decay=0.9, **options)"
    with pytest.raises(ValueError, match=re.escape("decay: expected a number in [0, 1), got 1")):
        optimizer.decay = 1


def test_the_warning_points_at_the_line_that_uses_the_name():
    with pytest.warns(DeprecationWarning, match=MESSAGE) as record:
        Hyperparameter(0)
    assert record[0].filename == __file__


with pytest.warns(DeprecationWarning, match=MESSAGE):

    class Settings(Configurable):
        half_open = Hyperparameter(0, 1)
        open = Hyperparameter(0, 1, "()")
        left_open = Hyperparameter(0, 1, "(]")
        closed = Hyperparameter(-math.inf, math.inf, "[]")
        count = Size("", init=False)
        flag = Flag("", default=False)


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
        ("closed", "1", TypeError, "closed: expected a number in [-inf, inf], got '1'"),
        ("count", 0, ValueError, "count: expected at least 1, got 0"),
        ("count", 2.0, TypeError, "count: expected an integer, got 2.0"),
        ("count", None, TypeError, "count: expected an integer, got None"),
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
