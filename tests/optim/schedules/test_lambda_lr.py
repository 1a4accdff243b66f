# SPDX-License-Identifier: BSD-3-Clause
"""A learning rate that a function gives; what all schedules share is tested in test_schedule."""

import re

import pytest
from support.optimizers import Model
from support.schedules import values

from fastrnn.optim import SGD, LambdaLR


def test_the_function_gives_the_factor():
    assert values(lambda o: LambdaLR(o, lambda count: 2.0 ** (count % 3 - 1)), 5) == [0.25, 0.5, 1.0, 0.25, 0.5]


def test_the_function_is_not_part_of_config_and_state():
    schedule = LambdaLR(SGD(Model(), lr=0.5), lambda count: 0.5, per="epoch")
    assert schedule.config() == {"per": "epoch"}
    assert schedule.state_dict() == {"initial_lr": 0.5, "count": 0}
    other = LambdaLR(SGD(Model(), lr=1.0), lambda count: 0.25 * count)
    other.load_state_dict(schedule.state_dict() | {"count": 3})
    assert other.optimizer.lr == 0.375  # its own function, at the count and from the rate of the state


def test_a_bad_factor_is_named_by_its_count():
    schedule = LambdaLR(SGD(Model()), lambda count: 1 if count < 2 else "less")
    schedule.step()
    text = "lr_lambda(2): expected a finite number of at least 0, got 'less'"
    with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
        schedule.step()
