# SPDX-License-Identifier: BSD-3-Clause
"""A learning rate that falls when a metric no longer improves; what all schedules share is tested in test_schedule."""

import math

import numpy as np
import pytest
from support.optimizers import Model
from support.schedules import RTOL, plateau, torch_optimizer

from fastrnn.optim import SGD, ReduceLROnPlateau


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


def test_a_metric_is_a_number():
    schedule = ReduceLROnPlateau(SGD(Model()))
    with pytest.raises(TypeError, match="^metric: expected a number, got str$"):
        schedule.step("low")


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
