# SPDX-License-Identifier: BSD-3-Clause
"""Adagrad and RMSprop against the same rules written for one number; the rest is in test_optimizer."""

import math

import numpy as np
import pytest
from support.optimizers import CASES, RTOL, Model, assert_matches_rule, both_dtypes

from fastrnn.optim._adaptive import Adagrad, RMSprop


def adagrad(p, gradients, lr=1e-2, lr_decay=0.0, weight_decay=0.0, eps=1e-10):
    """Adagrad for one number."""
    s = 0.0
    for t, g in enumerate(gradients, start=1):
        g = g + weight_decay * p
        s = s + g**2
        p = p - lr / (1 + (t - 1) * lr_decay) * g / (math.sqrt(s) + eps)
    return p


def rmsprop(p, gradients, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False):
    """RMSprop for one number."""
    s = m = v = 0.0
    for g in gradients:
        g = g + weight_decay * p
        s = alpha * s + (1 - alpha) * g**2
        m = alpha * m + (1 - alpha) * g
        v = momentum * v + g / (math.sqrt(s - m**2 if centered else s) + eps)
        p = p - lr * v
    return p


RULES = {Adagrad: adagrad, RMSprop: rmsprop}


@both_dtypes
@pytest.mark.parametrize("case", [name for name, (kind, _) in CASES.items() if kind in RULES])
def test_matches_the_rule_for_one_number(dtype, case):
    kind, options = CASES[case]
    assert_matches_rule(dtype, kind, RULES[kind], options)


def test_defaults():
    adagrad, rmsprop = Adagrad(Model()), RMSprop(Model())
    assert (adagrad.lr, adagrad.lr_decay, adagrad.weight_decay, adagrad.eps) == (1e-2, 0.0, 0.0, 1e-10)
    assert (rmsprop.lr, rmsprop.alpha, rmsprop.eps, rmsprop.weight_decay) == (1e-2, 0.99, 1e-8, 0.0)
    assert (rmsprop.momentum, rmsprop.centered) == (0.0, False)


@pytest.mark.parametrize("dtype, alpha", [(np.float32, 0.75), (np.float64, 0.5)])
def test_a_variance_that_rounding_makes_negative_is_zero(dtype, alpha):
    """That of a constant gradient; the root is then 0, and a step as if there were eps alone."""
    model = Model(dtype)
    optimizer = RMSprop(model, lr=1e-9, alpha=alpha, eps=1e-2, centered=True)
    for grad in model.grads.values():
        grad[...] = 0.7
    for _ in range(200):
        before = {name: p.copy() for name, p in model.params.items()}
        optimizer.step()
    for name, moments in optimizer.state.items():
        assert (moments["s"] < moments["m"] ** 2).all()
        scale = np.abs(before[name]).max()
        np.testing.assert_allclose(
            before[name] - 1e-9 * 0.7 / 1e-2, model.params[name], rtol=0, atol=RTOL[dtype] * scale
        )
