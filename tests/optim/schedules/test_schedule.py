# SPDX-License-Identifier: BSD-3-Clause
"""What all schedules share: the first value, no drift, options, state; and PyTorch's learning rates."""

import inspect
import math
import re

import numpy as np
import pytest
from support.optimizers import Model, assert_same_bits
from support.schedules import BY_COUNT, RTOL, run, torch_optimizer, values

from fastrnn.optim import SGD, Adam, CosineAnnealingLR, LinearWarmup, ReduceLROnPlateau, Schedule, StepLR


@pytest.mark.parametrize("make", [*BY_COUNT.values(), ReduceLROnPlateau], ids=[*BY_COUNT, "plateau"])
def test_the_lr_is_that_of_the_optimizer_at_first(make):
    optimizer = Adam(Model(), lr=0.3)
    schedule = make(optimizer)
    assert (schedule.initial_lr, schedule.count) == (0.3, 0)
    assert optimizer.lr == schedule.at(0.3, 0)


@pytest.mark.parametrize("make", [lambda o: StepLR(o, 7), lambda o: CosineAnnealingLR(o, 400)], ids=["step", "cosine"])
def test_a_long_run_does_not_drift(make):
    """The closed form: 300 steps at once are 300 steps, to the bit."""
    schedule = make(SGD(Model(), lr=0.3))
    state = schedule.state_dict()
    for _ in range(300):
        schedule.step()
    stepped = schedule.optimizer.lr
    schedule.load_state_dict(state | {"count": 300})
    assert schedule.optimizer.lr == stepped


def test_groups_keep_their_ratio():
    optimizer = SGD(Model(), lr=0.5, groups={"bias": {"lr": 0.25}, "gain": {"lr": 2.0}})
    schedule = LinearWarmup(optimizer, 2, after=StepLR(optimizer, 1, gamma=0.5))
    for expected in (0.25, 0.5, 0.5, 0.25):
        lr = {name: optimizer.hyperparameters(name)["lr"] for name in ("weight", "bias", "gain")}
        assert lr == {"weight": expected, "bias": expected / 2, "gain": expected * 4}
        schedule.step()


@pytest.mark.parametrize("schedule_first", [True, False])
@pytest.mark.parametrize(
    "make", [*BY_COUNT.values(), lambda o: ReduceLROnPlateau(o, patience=2)], ids=[*BY_COUNT, "plateau"]
)
def test_resumes_to_the_same_bits(make, schedule_first, tmp_path):
    optimizer = Adam(Model(), lr=0.3, groups={"bias": {"lr": 0.07}})
    schedule = make(optimizer)
    run(optimizer, schedule, range(5))
    states = [(optimizer.state_dict(), "optimizer"), (schedule.state_dict(), "schedule")]
    resumed = Adam(Model(), lr=0.3, groups={"bias": {"lr": 0.07}})
    for name, p in optimizer.model.params.items():
        resumed.model.params[name][...] = p
    twin = make(resumed)
    for state, name in states[:: -1 if schedule_first else 1]:
        np.savez(tmp_path / f"{name}.npz", **state)
        with np.load(tmp_path / f"{name}.npz") as loaded:
            (resumed if name == "optimizer" else twin).load_state_dict(loaded)
    assert resumed.lr == optimizer.lr
    run(optimizer, schedule, range(5, 12))
    run(resumed, twin, range(5, 12))
    assert (resumed.lr, twin.state_dict()) == (optimizer.lr, schedule.state_dict())
    assert_same_bits(optimizer.model, resumed.model)


def test_state_dict_holds_plain_numbers():
    assert StepLR(SGD(Model(), lr=0.5), 3).state_dict() == {"initial_lr": 0.5, "count": 0}
    schedule = ReduceLROnPlateau(SGD(Model(), lr=0.5), patience=0)
    assert schedule.state_dict() == {"initial_lr": 0.5, "count": 0, "best": math.inf, "bad": 0}
    schedule.step(2)
    schedule.step(2)
    assert schedule.state_dict() == {"initial_lr": 0.5, "count": 1, "best": 2.0, "bad": 0}


@pytest.mark.parametrize(
    "entry, value, error, text",
    [
        ("count", None, ValueError, "count: expected an entry of this name, got none"),
        ("steps", 1, ValueError, "steps: expected no entry of this name, got one"),
        ("count", -1, ValueError, "count: expected at least 0, got -1"),
        ("bad", 0.5, TypeError, "bad: expected an integer, got 0.5"),
        ("best", math.nan, ValueError, "best: expected a number, got nan"),
        ("initial_lr", "1", TypeError, "initial_lr: expected a finite number of at least 0, got '1'"),
        ("initial_lr", [1.0], ValueError, "initial_lr: expected a number, got shape (1,)"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(entry, value, error, text):
    schedule = ReduceLROnPlateau(SGD(Model(), lr=0.5), patience=0)
    schedule.step(1.0)
    before = schedule.state_dict()
    state = {"initial_lr": 0.25, "count": 5, "best": 0.0, "bad": 0, entry: value}
    if value is None:
        del state[entry]
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        schedule.load_state_dict(state)
    assert schedule.state_dict() == before and schedule.optimizer.lr == 0.5


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda o: StepLR(o, 0), ValueError, "step_size: expected at least 1, got 0"),
        (lambda o: StepLR(o, 2.5), TypeError, "step_size: expected an integer, got 2.5"),
        (lambda o: StepLR(o, 2, 0), ValueError, "gamma: expected a number in (0, 1], got 0"),
        (lambda o: StepLR(o, 2, 1.5), ValueError, "gamma: expected a number in (0, 1], got 1.5"),
        (lambda o: CosineAnnealingLR(o, 0), ValueError, "T_max: expected at least 1, got 0"),
        (lambda o: CosineAnnealingLR(o, 9, -1), ValueError, "eta_min: expected a finite number of at least 0, got -1"),
        (lambda o: LinearWarmup(o, "9"), TypeError, "steps: expected an integer, got '9'"),
        (
            lambda o: LinearWarmup(o, 9, after=5),
            TypeError,
            "after: expected a schedule that follows a count, got int",
        ),
        (
            lambda o: LinearWarmup(o, 9, after=ReduceLROnPlateau(o)),
            TypeError,
            "after: expected a schedule that follows a count, got ReduceLROnPlateau",
        ),
        (
            lambda o: LinearWarmup(o, 9, after=StepLR(SGD(Model()), 3)),
            ValueError,
            "after: expected a schedule of the same optimizer, got one of another",
        ),
        (lambda o: ReduceLROnPlateau(o, 1.0), ValueError, "factor: expected a number in (0, 1), got 1.0"),
        (lambda o: ReduceLROnPlateau(o, patience=-1), ValueError, "patience: expected at least 0, got -1"),
        (lambda o: ReduceLROnPlateau(o, threshold=1), ValueError, "threshold: expected a number in [0, 1), got 1"),
        (
            lambda o: ReduceLROnPlateau(o, min_lr=-1),
            ValueError,
            "min_lr: expected a finite number of at least 0, got -1",
        ),
        (lambda o: ReduceLROnPlateau(o, mode="low"), ValueError, "mode: expected one of min, max, got 'low'"),
        (lambda o: StepLR(o.model, 3), TypeError, "optimizer: expected an optimizer, got Model"),
    ],
)
def test_bad_settings_leave_the_optimizer_alone(make, error, text):
    optimizer = SGD(Model(), lr=0.5)
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        make(optimizer)
    assert optimizer.lr == 0.5


SIGNATURES = {
    StepLR: "(optimizer, step_size, gamma=0.1)",
    CosineAnnealingLR: "(optimizer, T_max, eta_min=0.0)",
    LinearWarmup: "(optimizer, steps, after=None)",
    ReduceLROnPlateau: "(optimizer, factor=0.1, patience=10, threshold=0.0001, min_lr=0.0, mode='min')",
}


@pytest.mark.parametrize("kind", SIGNATURES)
def test_arguments_keep_their_order_and_defaults(kind):
    """Those of version 0.1: they may be passed by place."""
    signature = inspect.signature(kind)
    assert str(signature) == SIGNATURES[kind]
    assert all(f"\n{name} : " in kind.__doc__ for name in signature.parameters)


def test_options_and_counts_are_checked_later_too():
    schedule = ReduceLROnPlateau(SGD(Model()), patience=3)
    for name in ("factor", "patience", "threshold", "min_lr", "mode", "best", "bad", "count", "initial_lr"):
        with pytest.raises((TypeError, ValueError), match=f"^{name}: expected "):
            setattr(schedule, name, math.nan)
    assert repr(schedule) == "ReduceLROnPlateau(factor=0.1, patience=3, threshold=0.0001, min_lr=0.0, mode='min')"
    assert repr(LinearWarmup(SGD(Model()), 4)) == "LinearWarmup(steps=4)"


def test_a_schedule_without_values_cannot_be_made():
    class Forgotten(Schedule):
        pass

    for kind in (Schedule, Forgotten):
        with pytest.raises(TypeError, match=f"{kind.__name__} .*abstract method .?at"):
            kind(SGD(Model()))


TORCH = {
    "step": lambda s, o: s.StepLR(o, 3, gamma=0.3),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 10, eta_min=0.01),
    "warmup": lambda s, o: s.LinearLR(o, 1 / 7, 1.0, 6),
    "warmup-cosine": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 1 / 4, 1.0, 3), s.CosineAnnealingLR(o, 10)], milestones=[4]
    ),
}


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step")  # no optimizer step in between
def test_torch_agrees(name):
    """To the end of the cosine: PyTorch's rises again."""
    torch = pytest.importorskip("torch")
    optimizer = torch_optimizer(torch, 0.3)
    schedule, expected = TORCH[name](torch.optim.lr_scheduler, optimizer), []
    for _ in range({"cosine": 11, "warmup-cosine": 15}.get(name, 20)):
        expected.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    np.testing.assert_allclose(values(BY_COUNT[name], len(expected), lr=0.3), expected, rtol=0, atol=0.3 * RTOL)
