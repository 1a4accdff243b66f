# SPDX-License-Identifier: BSD-3-Clause
"""A rate that rises and falls once; the learning rates of PyTorch are in test_schedule_torch."""

import numpy as np
import pytest
from support.optimizers import Model
from support.schedules import RTOL, values

from fastrnn.optim import SGD, Adam, LinearWarmup, OneCycleLR, RMSprop


def test_it_goes_up_and_down_and_stays():
    found = values(lambda o: OneCycleLR(o, 8.0, 11, pct_start=0.5, anneal_strategy="linear", div_factor=4), 14)
    assert found[0] == 2.0
    assert max(found) < 8.0  # the top is at 4.5, between two steps
    assert found[4] == pytest.approx(2 + 6 * 4 / 4.5, rel=RTOL) and found[5] == pytest.approx(
        8 - (8 - 2e-4) * 0.5 / 5.5, rel=RTOL
    )
    assert found[10:] == [2e-4] * 4


@pytest.mark.parametrize("options", [{"pct_start": 0.0}, {"pct_start": 1.0}, {"pct_start": 0.1, "three_phase": True}])
@pytest.mark.parametrize("steps", [1, 2, 10])
def test_a_phase_without_steps_is_passed_over(steps, options):
    """PyTorch divides by zero in some of these."""
    found = values(lambda o: OneCycleLR(o, 0.1, steps, **options), steps + 2)
    assert all(0.1 / 25e4 * (1 - RTOL) <= rate <= 0.1 for rate in found)
    last = 0.1 if options["pct_start"] == 1 else 0.1 / 25 / 1e4
    assert found[steps - 1 :] == [pytest.approx(last, rel=RTOL)] * 3


@pytest.mark.parametrize("options", [{}, {"anneal_strategy": "linear"}, {"three_phase": True}], ids=str)
@pytest.mark.parametrize("kind", [SGD, RMSprop, Adam])
@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step")  # no optimizer step in between
def test_torch_agrees_on_momentum(kind, options):
    torch = pytest.importorskip("torch")
    name = "beta1" if kind is Adam else "momentum"
    other = getattr(torch.optim, kind.__name__)([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(other, 0.7, 20, base_momentum=0.8, max_momentum=0.9, **options)
    optimizer = kind(Model(), lr=0.1)
    schedule = OneCycleLR(optimizer, 0.7, 20, base_momentum=0.8, max_momentum=0.9, **options)
    for _ in range(20):
        group = other.param_groups[0]
        expected = group["lr"], group["betas"][0] if name == "beta1" else group["momentum"]
        np.testing.assert_allclose((optimizer.lr, getattr(optimizer, name)), expected, rtol=0, atol=0.7 * RTOL)
        schedule.step()
        theirs.step()


def test_without_cycle_momentum_it_is_left_alone():
    optimizer = SGD(Model(), lr=0.1, momentum=0.5)
    schedule = OneCycleLR(optimizer, 0.7, 20, cycle_momentum=False)
    schedule.step()
    assert optimizer.momentum == 0.5


def test_groups_keep_a_momentum_of_their_own_and_their_ratio():
    optimizer = SGD(Model(), lr=0.5, groups={"bias": {"momentum": 0.25}, "gain": {"lr": 0.25}})
    OneCycleLR(optimizer, 1.0, 20, div_factor=4)
    assert [optimizer.hyperparameters(name)["momentum"] for name in ("weight", "bias", "gain")] == [0.95, 0.25, 0.95]
    assert [optimizer.hyperparameters(name)["lr"] for name in ("weight", "bias", "gain")] == [0.25, 0.25, 0.125]


def test_a_loaded_state_sets_the_momentum_too():
    optimizer = Adam(Model())
    schedule = OneCycleLR(optimizer, 0.7, 20)
    for _ in range(7):
        schedule.step()
    other = Adam(Model())
    OneCycleLR(other, 0.7, 20).load_state_dict(schedule.state_dict())
    assert (other.lr, other.beta1) == (optimizer.lr, optimizer.beta1) and other.beta1 != 0.95


def test_after_a_warmup_it_sets_the_momentum_too():
    optimizer = SGD(Model(), lr=0.5)
    schedule = LinearWarmup(optimizer, 3, after=OneCycleLR(optimizer, 0.7, 10))
    alone = SGD(Model(), lr=0.5)
    cycle = OneCycleLR(alone, 0.7, 10)
    for count in range(9):
        if count < 3:
            assert optimizer.momentum == 0.95
        else:
            assert (optimizer.lr, optimizer.momentum) == (alone.lr, alone.momentum)
            cycle.step()
        schedule.step()
