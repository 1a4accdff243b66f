# SPDX-License-Identifier: BSD-3-Clause
"""A learning rate that rises at first; what all schedules share is tested in test_schedule."""

import pytest
from support.optimizers import Model
from support.schedules import values

from fastrnn.optim import SGD, CosineAnnealingLR, LinearWarmup, StepLR


def test_warmup():
    assert values(lambda o: LinearWarmup(o, 4), 6) == [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]
    assert values(lambda o: LinearWarmup(o, 1), 2) == [0.5, 0.5]
    assert values(lambda o: LinearWarmup(o, 49), 50, lr=0.3)[48:] == [0.3, 0.3]


def test_warmup_hands_over():
    """What comes after runs as it would alone, from its first value."""
    after = lambda o: CosineAnnealingLR(o, 6, eta_min=0.1)  # noqa: E731
    assert values(lambda o: LinearWarmup(o, 4, after=after(o)), 14) == [0.125, 0.25, 0.375, 0.5, *values(after, 10)]


def test_after_must_be_fresh():
    optimizer = SGD(Model(), lr=0.5)
    after = StepLR(optimizer, 1)
    after.step()
    with pytest.raises(ValueError, match="^after: expected a schedule that has not stepped, got one at count 1$"):
        LinearWarmup(optimizer, 3, after=after)
