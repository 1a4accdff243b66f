# SPDX-License-Identifier: BSD-3-Clause
"""Schedules: their values, by hand and beside PyTorch's, and that they resume where they were."""

import math
import re

import numpy as np
import pytest
from support.optimizers import Model, assert_same_bits, train

from fastrnn.optim import SGD
from fastrnn.optim._adaptive import Adam
from fastrnn.optim._schedules import CosineAnnealingLR, LinearWarmup, ReduceLROnPlateau, Schedule, StepLR

# Relative to the first learning rate. PyTorch multiplies step by step and drifts by a rounding or two in each.
RTOL = 1e-12

# name: a function that makes one for an optimizer
BY_COUNT = {
    "step": lambda o: StepLR(o, 3, gamma=0.3),
    "cosine": lambda o: CosineAnnealingLR(o, 10, eta_min=0.01),
    "warmup": lambda o: LinearWarmup(o, 7),
    "warmup-cosine": lambda o: LinearWarmup(o, 4, after=CosineAnnealingLR(o, 10)),
    "warmup-warmup": lambda o: LinearWarmup(o, 2, after=LinearWarmup(o, 4, after=StepLR(o, 2))),
}
every_schedule_by_count = pytest.mark.parametrize("make", BY_COUNT.values(), ids=BY_COUNT)


def values(make, steps, lr=0.5):
    """The learning rates of `steps` steps, the first before any."""
    optimizer = SGD(Model(), lr=lr)
    schedule, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.lr)
        schedule.step()
    return found


def test_step():
    assert values(lambda o: StepLR(o, 2, gamma=0.5), 7) == [0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625]


def test_cosine_ends_exactly_and_stays():
    found = values(lambda o: CosineAnnealingLR(o, 4, eta_min=0.1), 9, lr=0.3)
    expected = [0.2 + 0.1 * math.cos(math.pi * k / 4) for k in range(4)]
    assert found[:4] == pytest.approx(expected, rel=RTOL)
    assert found[0] == 0.3 and found[4:] == [0.1] * 5
    assert values(lambda o: CosineAnnealingLR(o, 1), 3) == [0.5, 0.0, 0.0]


def test_warmup():
    assert values(lambda o: LinearWarmup(o, 4), 6) == [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]
    assert values(lambda o: LinearWarmup(o, 1), 2) == [0.5, 0.5]
    assert values(lambda o: LinearWarmup(o, 49), 50, lr=0.3)[48:] == [0.3, 0.3]


def test_warmup_hands_over():
    """What comes after runs as it would alone, from its first value."""
    after = lambda o: CosineAnnealingLR(o, 6, eta_min=0.1)  # noqa: E731
    assert values(lambda o: LinearWarmup(o, 4, after=after(o)), 14) == [0.125, 0.25, 0.375, 0.5, *values(after, 10)]


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


def plateau(metrics, lr=0.5, **options):
    optimizer = SGD(Model(), lr=lr)
    schedule, found = ReduceLROnPlateau(optimizer, **options), []
    for metric in metrics:
        schedule.step(metric)
        found.append(optimizer.lr)
    return found


def test_plateau():
    found = plateau([3, 2, 2, 2, 1, 1, 1, 1, 1], factor=0.5, patience=1)
    assert found == [0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.0625]
    assert plateau([1, 1, 1, 1], factor=0.5, patience=0) == [0.5, 0.25, 0.125, 0.0625]
    assert plateau([1, 2, 3, 3, 3], factor=0.5, patience=0, mode="max") == [0.5, 0.5, 0.5, 0.25, 0.125]


def test_plateau_has_a_floor():
    assert plateau([1] * 5, factor=0.5, patience=0, min_lr=0.2) == [0.5, 0.25, 0.2, 0.2, 0.2]
    assert plateau([1] * 3, lr=0.1, factor=0.5, patience=0, min_lr=0.2) == [0.1, 0.1, 0.1]  # nor does it lift


@pytest.mark.parametrize("mode, sign", [("min", 1), ("max", -1)])
@pytest.mark.parametrize("best", [2.0, -2.0])
def test_better_means_by_more_than_the_threshold(mode, sign, best):
    """A quarter of 2 is a half, on whichever side of zero."""
    for step, better in ((0.51, True), (0.49, False), (0.0, False), (-0.49, False)):
        schedule = ReduceLROnPlateau(SGD(Model()), threshold=0.25, mode=mode)
        schedule.step(best)
        schedule.step(best - sign * step)
        assert (schedule.bad == 0) == better
        assert schedule.best == (best - sign * step if better else best)


def test_nan_is_never_better():
    assert plateau([math.nan, math.nan, 1, math.nan], factor=0.5, patience=0) == [0.25, 0.125, 0.125, 0.0625]
    assert plateau([math.inf, -math.inf, 0], factor=0.5, patience=0) == [0.25, 0.25, 0.125]


def test_groups_keep_their_ratio():
    optimizer = SGD(Model(), lr=0.5, groups={"bias": {"lr": 0.25}, "gain": {"lr": 2.0}})
    schedule = LinearWarmup(optimizer, 2, after=StepLR(optimizer, 1, gamma=0.5))
    for expected in (0.25, 0.5, 0.5, 0.25):
        lr = {name: optimizer.hyperparameters(name)["lr"] for name in ("weight", "bias", "gain")}
        assert lr == {"weight": expected, "bias": expected / 2, "gain": expected * 4}
        schedule.step()


def run(optimizer, schedule, steps):
    for t in steps:
        train(optimizer.model, optimizer, [t])
        schedule.step(*([1.0] if isinstance(schedule, ReduceLROnPlateau) else []))


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
        ("count", -1, ValueError, "count: expected an integer >= 0, got -1"),
        ("bad", 0.5, ValueError, "bad: expected an integer >= 0, got 0.5"),
        ("best", math.nan, ValueError, "best: expected a number in [-inf, inf], got nan"),
        ("initial_lr", "1", TypeError, "initial_lr: expected a number, got str"),
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
        (lambda o: StepLR(o, 0), ValueError, "step_size: expected an integer >= 1, got 0"),
        (lambda o: StepLR(o, 2.5), ValueError, "step_size: expected an integer >= 1, got 2.5"),
        (lambda o: StepLR(o, 2, 0), ValueError, "gamma: expected a number in (0, 1], got 0"),
        (lambda o: StepLR(o, 2, 1.5), ValueError, "gamma: expected a number in (0, 1], got 1.5"),
        (lambda o: CosineAnnealingLR(o, 0), ValueError, "T_max: expected an integer >= 1, got 0"),
        (lambda o: CosineAnnealingLR(o, 9, -1), ValueError, "eta_min: expected a number in [0, inf), got -1"),
        (lambda o: LinearWarmup(o, "9"), TypeError, "steps: expected an integer >= 1, got str"),
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
        (lambda o: ReduceLROnPlateau(o, patience=-1), ValueError, "patience: expected an integer >= 0, got -1"),
        (lambda o: ReduceLROnPlateau(o, threshold=1), ValueError, "threshold: expected a number in [0, 1), got 1"),
        (lambda o: ReduceLROnPlateau(o, min_lr=-1), ValueError, "min_lr: expected a number in [0, inf), got -1"),
        (lambda o: ReduceLROnPlateau(o, mode="low"), ValueError, "mode: expected 'min' or 'max', got 'low'"),
        (lambda o: StepLR(o.model, 3), TypeError, "optimizer: expected an optimizer, got Model"),
    ],
)
def test_bad_settings_leave_the_optimizer_alone(make, error, text):
    optimizer = SGD(Model(), lr=0.5)
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        make(optimizer)
    assert optimizer.lr == 0.5


def test_after_must_be_fresh():
    optimizer = SGD(Model(), lr=0.5)
    after = StepLR(optimizer, 1)
    after.step()
    with pytest.raises(ValueError, match="^after: expected a schedule that has not stepped, got one at count 1$"):
        LinearWarmup(optimizer, 3, after=after)


def test_a_metric_is_a_number():
    schedule = ReduceLROnPlateau(SGD(Model()))
    with pytest.raises(TypeError, match="^metric: expected a number, got str$"):
        schedule.step("low")


def test_the_base_class_has_no_values():
    with pytest.raises(NotImplementedError):
        Schedule(SGD(Model()))


# -- PyTorch ---------------------------------------------------------------------------------------


def torch_optimizer(torch, lr):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


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


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("options", [{}, {"factor": 0.5, "patience": 2, "threshold": 0.05, "min_lr": 0.003}])
def test_torch_agrees_on_plateaus(mode, options):
    torch = pytest.importorskip("torch")
    optimizer = torch_optimizer(torch, 0.3)
    schedule, found = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, **options), []
    rng = np.random.default_rng(0)
    metrics = 1 + 0.3 ** np.arange(1, 101) * (1 if mode == "min" else -1) + 0.05 * rng.standard_normal(100)
    metrics[[3, 40]] = math.nan
    for metric in metrics:
        schedule.step(metric)
        found.append(optimizer.param_groups[0]["lr"])
    assert len(set(found)) >= 4  # it was reduced a few times
    np.testing.assert_allclose(plateau(metrics, lr=0.3, mode=mode, **options), found, rtol=RTOL, atol=1e-8)
