# SPDX-License-Identifier: BSD-3-Clause
"""A learning rate that falls along a cosine; what all schedules share is tested in test_schedule."""

import math

import pytest
from support.schedules import RTOL, values

from fastrnn.optim import CosineAnnealingLR


def test_cosine_ends_exactly_and_stays():
    found = values(lambda o: CosineAnnealingLR(o, 4, eta_min=0.1), 9, lr=0.3)
    expected = [0.2 + 0.1 * math.cos(math.pi * k / 4) for k in range(4)]
    assert found[:4] == pytest.approx(expected, rel=RTOL)
    assert found[0] == 0.3 and found[4:] == [0.1] * 5
    assert values(lambda o: CosineAnnealingLR(o, 1), 3) == [0.5, 0.0, 0.0]
