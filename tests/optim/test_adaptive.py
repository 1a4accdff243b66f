# SPDX-License-Identifier: BSD-3-Clause
"""Adagrad, RMSprop, Adam and AdamW against the same rules written for one number; the rest is in test_optim."""

import math

import numpy as np
import pytest
from support.optimizers import CASES, RTOL, STEPS, Model, assert_matches_rule, both_dtypes, train

from fastrnn.optim._adaptive import Adagrad, Adam, AdamW, RMSprop


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


def adam(p, gradients, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled=0.0):
    """Adam for one number."""
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        p = p - lr * decoupled * p
        g = g + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat = m / (1 - betas[0] ** t)
        v_hat = v / (1 - betas[1] ** t)
        p = p - lr * m_hat / (math.sqrt(v_hat) + eps)
    return p


def adamw(p, gradients, weight_decay=1e-2, **options):
    """AdamW for one number."""
    return adam(p, gradients, decoupled=weight_decay, **options)


RULES = {Adagrad: adagrad, RMSprop: rmsprop, Adam: adam, AdamW: adamw}


@both_dtypes
@pytest.mark.parametrize("case", [name for name, (kind, _) in CASES.items() if kind in RULES])
def test_matches_the_rule_for_one_number(dtype, case):
    kind, options = CASES[case]
    assert_matches_rule(dtype, kind, RULES[kind], options)


def test_defaults():
    adam, adamw = Adam(Model()), AdamW(Model())
    assert (adam.lr, adam.beta1, adam.beta2, adam.eps, adam.weight_decay) == (1e-3, 0.9, 0.999, 1e-8, 0.0)
    assert (adamw.lr, adamw.beta1, adamw.beta2, adamw.eps, adamw.weight_decay) == (1e-3, 0.9, 0.999, 1e-8, 1e-2)
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


def test_zero_gradients_move_nothing():
    model, before = Model(), Model()
    for kind in RULES:
        optimizer = kind(model, weight_decay=0.0)
        for _ in range(STEPS):
            optimizer.step()
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, before.params[name])


def test_decoupled_decay_does_not_pass_through_the_moments():
    """Two AdamW that differ in weight decay alone have the same moments; two Adam have not."""
    for kind, same in ((AdamW, True), (Adam, False)):
        some, more = kind(Model(), weight_decay=0.01), kind(Model(), weight_decay=0.1)
        for optimizer in (some, more):
            train(optimizer.model, optimizer, range(STEPS))
        assert all((some.state[name]["m"] == more.state[name]["m"]).all() == same for name in some.state)
        assert (some.model.params["weight"] != more.model.params["weight"]).all()
