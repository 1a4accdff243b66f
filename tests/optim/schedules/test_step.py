# SPDX-License-Identifier: BSD-3-Clause
"""A learning rate that falls in stairs; what all schedules share is tested in test_schedule."""

from support.schedules import values

from fastrnn.optim import StepLR


def test_step():
    assert values(lambda o: StepLR(o, 2, gamma=0.5), 7) == [0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625]
