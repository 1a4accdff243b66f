# SPDX-License-Identifier: BSD-3-Clause
"""RAdam against the same rule written for one number; what all optimizers share is tested in test_optimizer."""

import math

import numpy as np
import pytest
from support.optimizers import CASES, RTOL, Model, assert_matches_rule, both_dtypes

from fastrnn.optim import RAdam


def radam(p, gradients, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled_weight_decay=False):
    """RAdam for one number."""
    m = v = 0.0
    R = 2 / (1 - betas[1]) - 1
    for t, g in enumerate(gradients, start=1):
        if decoupled_weight_decay:
            p = p - lr * weight_decay * p
        else:
            g = g + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        step = lr * m / (1 - betas[0] ** t)
        r = R - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
        if r > 5:
            rectification = math.sqrt((r - 4) / (R - 4) * (r - 2) / (R - 2) * R / r)
            step *= rectification * math.sqrt(1 - betas[1] ** t) / (math.sqrt(v) + eps)
        p = p - step
    return p


@both_dtypes
@pytest.mark.parametrize("case", [name for name, (kind, _) in CASES.items() if kind is RAdam])
def test_matches_the_rule_for_one_number(dtype, case):
    assert_matches_rule(dtype, RAdam, radam, CASES[case][1])


def test_defaults():
    optimizer = RAdam(Model())
    assert (optimizer.lr, optimizer.betas, optimizer.eps, optimizer.weight_decay) == (1e-3, (0.9, 0.999), 1e-8, 0.0)
    assert not optimizer.decoupled_weight_decay


@pytest.mark.parametrize("beta2, first", [(0.999, 6), (0.75, 8), (0.6, None), (0.0, None)])
def test_where_rectification_begins(beta2, first):
    """Before it the step of a constant gradient is lr times the gradient. A mean of few gradients is never enough."""
    model = Model()
    optimizer = RAdam(model, lr=0.5, betas=(0.5, beta2))
    for grad in model.grads.values():
        grad[...] = 64.0
    for t in range(1, 12):
        before = model.params["bias"].copy()
        optimizer.step()
        plain = np.allclose(before - model.params["bias"], 32.0, rtol=0, atol=500 * RTOL[np.float64])
        assert plain == (first is None or t < first)
