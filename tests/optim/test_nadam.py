# SPDX-License-Identifier: BSD-3-Clause
"""NAdam against the same rule written for one number; what all optimizers share is tested in test_optimizer."""

import math

import numpy as np
import pytest
from support.optimizers import CASES, RTOL, STEPS, Model, assert_matches_rule, both_dtypes, train

from fastrnn.optim import NAdam


def nadam(
    p, gradients, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, momentum_decay=4e-3,
    decoupled_weight_decay=False,
):  # fmt: skip
    """NAdam for one number, with all the momenta so far at every step."""
    mu = [betas[0] * (1 - 0.96 ** (t * momentum_decay) / 2) for t in range(len(gradients) + 2)]
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        if decoupled_weight_decay:
            p = p - lr * weight_decay * p
        else:
            g = g + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        now = (1 - mu[t]) / (1 - math.prod(mu[1 : t + 1]))
        ahead = mu[t + 1] / (1 - math.prod(mu[1 : t + 2]))
        p = p - lr * (now * g + ahead * m) / (math.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p


@both_dtypes
@pytest.mark.parametrize("case", [name for name, (kind, _) in CASES.items() if kind is NAdam])
def test_matches_the_rule_for_one_number(dtype, case):
    assert_matches_rule(dtype, NAdam, nadam, CASES[case][1])


def test_defaults():
    optimizer = NAdam(Model())
    assert (optimizer.lr, optimizer.betas, optimizer.eps, optimizer.weight_decay) == (2e-3, (0.9, 0.999), 1e-8, 0.0)
    assert (optimizer.momentum_decay, optimizer.decoupled_weight_decay) == (4e-3, False)


def test_the_product_of_the_momenta_follows_their_changes():
    """Also of a group, and if beta1 changes between two steps."""
    optimizer = NAdam(Model(), momentum_decay=0.0, groups={"bias": {"beta1": 0.5}})
    train(optimizer.model, optimizer, range(2))
    optimizer.beta1 = 0.8
    train(optimizer.model, optimizer, range(2, STEPS))
    products = {name: float(state["mu_product"]) for name, state in optimizer.state.items()}
    expected = 0.45**2 * 0.4 ** (STEPS - 2)
    assert products == {name: pytest.approx(expected, rel=RTOL[np.float64]) for name in products} | {
        "bias": 0.25**STEPS
    }
    assert optimizer.state["bias"]["mu_product"].shape == ()
