# SPDX-License-Identifier: BSD-3-Clause
"""Every schedule that follows a count beside PyTorch's, value by value."""

import numpy as np
import pytest
from support.schedules import BY_COUNT, RTOL, torch_optimizer, values

TORCH = {
    "step": lambda s, o: s.StepLR(o, 3, gamma=0.3),
    "step-up": lambda s, o: s.StepLR(o, 4, gamma=1.25),
    "multi-step": lambda s, o: s.MultiStepLR(o, [2, 5, 6, 11], gamma=0.3),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.9),
    "lambda": lambda s, o: s.LambdaLR(o, lambda count: 1 / (1 + count)),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 10, eta_min=0.01),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, eta_min=0.01),
    "restarts-longer": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, T_mult=2),
    "one-cycle": lambda s, o: s.OneCycleLR(o, 0.7, 20),
    "one-cycle-line": lambda s, o: s.OneCycleLR(o, 0.7, 20, pct_start=0.25, anneal_strategy="linear"),
    "one-cycle-three": lambda s, o: s.OneCycleLR(o, 0.7, 20, three_phase=True, div_factor=5, final_div_factor=10),
    "warmup": lambda s, o: s.LinearLR(o, 1 / 7, 1.0, 6),
    "warmup-cosine": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 1 / 4, 1.0, 3), s.CosineAnnealingLR(o, 10)], milestones=[4]
    ),
    "warmup-exponential": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 1 / 4, 1.0, 3), s.ExponentialLR(o, 0.9)], milestones=[4]
    ),
}


def test_only_two_warmups_in_a_row_are_left_out():
    assert set(BY_COUNT) - set(TORCH) == {"warmup-warmup"}


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
