# SPDX-License-Identifier: BSD-3-Clause
"""What all schedules share: the first value, no drift, options, state; PyTorch's rates are in test_schedule_torch."""

import inspect
import math
import re

import numpy as np
import pytest
from support.optimizers import Model, assert_same_bits
from support.schedules import BY_COUNT, run

from fastrnn.optim import (
    SGD,
    Adagrad,
    Adam,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearWarmup,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
)


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
        (lambda o: StepLR(o, 2, 0), ValueError, "gamma: expected a finite number above 0, got 0"),
        (lambda o: ExponentialLR(o, math.inf), ValueError, "gamma: expected a finite number above 0, got inf"),
        (lambda o: MultiStepLR(o, 3), TypeError, "milestones: expected a list of integers, got int"),
        (lambda o: MultiStepLR(o, [3, 4.5]), TypeError, "milestones[1]: expected an integer, got 4.5"),
        (lambda o: MultiStepLR(o, [0, 4]), ValueError, "milestones[0]: expected at least 1, got 0"),
        (lambda o: MultiStepLR(o, (4, 4)), ValueError, "milestones: expected increasing integers, got [4, 4]"),
        (lambda o: CosineAnnealingWarmRestarts(o, 2, 0), ValueError, "T_mult: expected at least 1, got 0"),
        (lambda o: LambdaLR(o, 0.5), TypeError, "lr_lambda: expected a function of the count, got float"),
        (
            lambda o: LambdaLR(o, lambda count: -1),
            ValueError,
            "lr_lambda(0): expected a finite number of at least 0, got -1",
        ),
        (lambda o: OneCycleLR(o, 0.1, 9, pct_start=1.5), ValueError, "pct_start: expected a number in [0, 1], got 1.5"),
        (
            lambda o: OneCycleLR(Adagrad(o.model), 0.1, 9),
            ValueError,
            "cycle_momentum: expected an optimizer with momentum or beta1, got Adagrad",
        ),
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
        (
            lambda o: LinearWarmup(o, 9, after=StepLR(o, 3), per="epoch"),
            ValueError,
            "after: expected a schedule per epoch, as the warmup, got one per update",
        ),
        (lambda o: StepLR(o, 3, per="batch"), ValueError, "per: expected one of update, epoch, got 'batch'"),
        (lambda o: ReduceLROnPlateau(o, per="update"), ValueError, "per: expected one of epoch, got 'update'"),
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


ONE_CYCLE = (
    "pct_start=0.3, anneal_strategy='cos', cycle_momentum=True, base_momentum=0.85, max_momentum=0.95, "
    "div_factor=25.0, final_div_factor=10000.0, three_phase=False"
)
SIGNATURES = {
    StepLR: "(optimizer, step_size, gamma=0.1, *, per='update')",
    MultiStepLR: "(optimizer, milestones, gamma=0.1, *, per='update')",
    ExponentialLR: "(optimizer, gamma, *, per='update')",
    CosineAnnealingLR: "(optimizer, T_max, eta_min=0.0, *, per='update')",
    CosineAnnealingWarmRestarts: "(optimizer, T_0, T_mult=1, eta_min=0.0, *, per='update')",
    LambdaLR: "(optimizer, lr_lambda, *, per='update')",
    LinearWarmup: "(optimizer, steps, after=None, *, per='update')",
    OneCycleLR: f"(optimizer, max_lr, total_steps, *, {ONE_CYCLE}, per='update')",
    ReduceLROnPlateau: "(optimizer, factor=0.1, patience=10, threshold=0.0001, min_lr=0.0, mode='min', *, per='epoch')",
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


def test_reprs_show_options_and_what_schedules_hold():
    sgd = SGD(Model())
    assert repr(LinearWarmup(sgd, 4)) == "LinearWarmup(steps=4)"
    after = MultiStepLR(sgd, [2, 5], per="epoch")
    shown = "LinearWarmup(steps=4, per='epoch', after=MultiStepLR(milestones=[2, 5], gamma=0.1, per='epoch'))"
    assert repr(LinearWarmup(sgd, 4, after, per="epoch")) == shown
    assert repr(LambdaLR(sgd, float)) == "LambdaLR(lr_lambda=<class 'float'>)"
    assert repr(OneCycleLR(sgd, 0.1, 9)) == f"OneCycleLR(max_lr=0.1, total_steps=9, {ONE_CYCLE})"


def test_a_rate_beyond_all_numbers_is_refused():
    """Also where Python's power raises an error of its own."""
    schedule = ExponentialLR(SGD(Model()), 1e200)
    schedule.step()
    with pytest.raises(ValueError, match="^lr: expected a finite number of at least 0, got inf$"):
        schedule.step()


def test_a_schedule_without_values_cannot_be_made():
    class Forgotten(Schedule):
        pass

    for kind in (Schedule, Forgotten):
        with pytest.raises(TypeError, match=f"{kind.__name__} .*abstract method .?at"):
            kind(SGD(Model()))
