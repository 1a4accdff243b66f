# SPDX-License-Identifier: BSD-3-Clause
"""Learning rates that are multiplied by a factor; what all schedules share is tested in test_schedule."""

import numpy as np
from support.optimizers import Model
from support.schedules import values

from fastrnn.optim import SGD, ExponentialLR, MultiStepLR, StepLR


def test_step():
    assert values(lambda o: StepLR(o, 2, gamma=0.5), 7) == [0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625]
    assert values(lambda o: StepLR(o, 2, gamma=2), 5) == [0.5, 0.5, 1.0, 1.0, 2.0]


def test_multi_step():
    assert values(lambda o: MultiStepLR(o, [1, 4], gamma=0.5), 6) == [0.5, 0.25, 0.25, 0.25, 0.125, 0.125]
    assert values(lambda o: MultiStepLR(o, [], gamma=0.5), 3) == [0.5] * 3


def test_milestones_are_checked_integers():
    schedule = MultiStepLR(SGD(Model()), [np.int64(2), 5])
    assert schedule.milestones == (2, 5) and all(type(milestone) is int for milestone in schedule.milestones)
    assert schedule.config() == {"milestones": [2, 5], "gamma": 0.1}


def test_exponential():
    assert values(lambda o: ExponentialLR(o, 0.5), 4) == [0.5, 0.25, 0.125, 0.0625]
