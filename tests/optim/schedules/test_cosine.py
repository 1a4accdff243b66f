# SPDX-License-Identifier: BSD-3-Clause
"""Learning rates that fall along a cosine; what all schedules share is tested in test_schedule."""

import math

import pytest
from support.optimizers import Model
from support.schedules import RTOL, values

from fastrnn.optim import SGD, CosineAnnealingLR, CosineAnnealingWarmRestarts


def test_cosine_ends_exactly_and_stays():
    found = values(lambda o: CosineAnnealingLR(o, 4, eta_min=0.1), 9, lr=0.3)
    expected = [0.2 + 0.1 * math.cos(math.pi * k / 4) for k in range(4)]
    assert found[:4] == pytest.approx(expected, rel=RTOL)
    assert found[0] == 0.3 and found[4:] == [0.1] * 5
    assert values(lambda o: CosineAnnealingLR(o, 1), 3) == [0.5, 0.0, 0.0]


def test_each_cycle_is_one_that_stands_alone():
    """Of 2, 6 and 18 steps."""
    found = values(lambda o: CosineAnnealingWarmRestarts(o, 2, T_mult=3, eta_min=0.1), 26, lr=0.3)
    alone = [values(lambda o, T=T: CosineAnnealingLR(o, T, eta_min=0.1), T, lr=0.3) for T in (2, 6, 18)]
    assert found == [rate for cycle in alone for rate in cycle]


def test_a_late_step_of_equal_cycles_takes_no_longer():
    """10**18 cycles are not counted one by one."""
    schedule = CosineAnnealingWarmRestarts(SGD(Model()), 4)
    assert schedule.at(0.5, 4 * 10**18 + 2) == schedule.at(0.5, 2)
